//! A file that somebody has dropped into the text of a mail: Outlook packs it as an object ("Package"), a small file
//! system of its own (MS-CFB) in which one stream holds the file with its name (MS-OLEDS section 2.3.6).

use crate::connectors::email::mime::charset;
use std::collections::HashSet;

const SIGNATURE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
const STREAM: &str = "\u{1}Ole10Native";
/// Where the numbers of the first sectors of the table stand in the header, and how many there are.
const TABLE: (usize, usize) = (76, 109);
/// How many entries of the directory are looked at.
const ENTRIES: usize = 1_000;

/// The file in an object, and its name; `None` for any other object.
pub fn unpack(object: &[u8], code_page: &str) -> Option<(String, Vec<u8>)> {
    let stream = Storage::open(object)?.stream(STREAM)?;
    // The size of all that follows, and a mark.
    let rest = stream.get(6..)?;
    let (label, rest) = until_zero(rest)?;
    let (_path, rest) = until_zero(rest)?;
    // Marks, and the place where it lay, with its length before it.
    let rest = rest.get(8usize.checked_add(number(rest, 4)?)?..)?;
    let file = rest.get(4..)?.get(..number(rest, 0)?)?;
    Some((charset::decode(label, code_page), file.to_vec()))
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
}

fn size(object: &[u8], at: usize) -> Option<usize> {
    let shift = u32::from(u16::from_le_bytes(object.get(at..at + 2)?.try_into().ok()?));
    (6..=12).contains(&shift).then(|| 1usize << shift)
}

struct Storage<'x> {
    object: &'x [u8],
    /// Of a sector, in bytes.
    size: usize,
    /// For each sector the one that follows it.
    table: Vec<usize>,
}

impl<'x> Storage<'x> {
    fn open(object: &'x [u8]) -> Option<Self> {
        object.starts_with(&SIGNATURE).then_some(())?;
        let mut storage = Self { object, size: size(object, 30)?, table: Vec::new() };
        let mut sectors: Vec<usize> = (0..TABLE.1).filter_map(|n| number(object, TABLE.0 + n * 4)).collect();
        // The numbers of more of them stand in sectors that end with the number of the next such one.
        let (mut more, mut seen) = (number(object, 68)?, HashSet::new());
        while seen.insert(more)
            && let Some(sector) = storage.sector(more)
        {
            let last = storage.size / 4 - 1;
            sectors.extend((0..last).filter_map(|n| number(sector, n * 4)));
            more = number(sector, last * 4)?;
        }
        // Unused numbers name no sector. Others may name the same one again and again: the table is no larger than the whole.
        let found = sectors.into_iter().filter_map(|sector| storage.sector(sector)).take(object.len() / storage.size);
        let table = found.flat_map(|sector| (0..storage.size / 4).filter_map(|n| number(sector, n * 4))).collect();
        storage.table = table;
        Some(storage)
    }

    /// The last one may be cut off.
    fn sector(&self, n: usize) -> Option<&'x [u8]> {
        let begin = n.checked_add(1)?.checked_mul(self.size)?;
        let rest = self.object.get(begin..).filter(|rest| !rest.is_empty())?;
        Some(rest.get(..self.size).unwrap_or(rest))
    }

    /// What stands in a sector and all that follow it. A chain that bites its tail ends there.
    fn chain(&self, first: usize) -> Vec<u8> {
        let (mut bytes, mut next, mut seen) = (Vec::new(), Some(first), HashSet::new());
        while let Some(n) = next.filter(|n| seen.insert(*n))
            && let Some(sector) = self.sector(n)
        {
            bytes.extend_from_slice(sector);
            next = self.table.get(n).copied();
        }
        bytes
    }

    fn stream(&self, name: &str) -> Option<Vec<u8>> {
        let directory = self.chain(number(self.object, 48)?);
        let entries: Vec<&[u8]> = directory.chunks_exact(128).take(ENTRIES).collect();
        let entry = entries.iter().find(|entry| entry.get(66) == Some(&2) && is_called(entry, name))?;
        let (first, length) = (number(entry, 116)?, number(entry, 120)?);
        let mut bytes =
            if length < number(self.object, 56)? { self.small(entries.first()?, first)? } else { self.chain(first) };
        bytes.truncate(length);
        Some(bytes)
    }

    /// Small streams share one, which is that of the root, in small sectors with a table of their own.
    fn small(&self, root: &[u8], first: usize) -> Option<Vec<u8>> {
        let (shared, table) = (self.chain(number(root, 116)?), self.chain(number(self.object, 60)?));
        let size = size(self.object, 32)?;
        let (mut bytes, mut next, mut seen) = (Vec::new(), Some(first), HashSet::new());
        while let Some(n) = next.filter(|n| seen.insert(*n))
            && let Some(sector) = n.checked_mul(size).and_then(|begin| shared.get(begin..)?.get(..size))
        {
            bytes.extend_from_slice(sector);
            next = n.checked_mul(4).and_then(|at| number(&table, at));
        }
        Some(bytes)
    }
}

fn is_called(entry: &[u8], name: &str) -> bool {
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    entry.starts_with(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object with one stream; `cutoff`: below which size it is a small one.
    fn object(stream: &[u8], cutoff: u32) -> Vec<u8> {
        const SECTOR: usize = 512;
        let padded = |mut bytes: Vec<u8>| {
            bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
            bytes
        };
        let count = stream.len().div_ceil(SECTOR) as u32;
        // Sectors: the table, the directory, the small table, and then the stream.
        let mut table: Vec<u32> = vec![0xffff_fffd, 0xffff_fffe, 0xffff_fffe];
        table.extend((4..3 + count).chain([0xffff_fffe]));
        let mut small: Vec<u32> = (1..stream.len().div_ceil(64) as u32).chain([0xffff_fffe]).collect();
        small.resize(SECTOR / 4, 0xffff_ffff);
        table.resize(SECTOR / 4, 0xffff_ffff);
        let is_small = (stream.len() as u32) < cutoff;
        let entry = |name: &str, kind: u8, first: u32, length: u32| {
            let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            entry.resize(128, 0);
            entry[66] = kind;
            entry[116..120].copy_from_slice(&first.to_le_bytes());
            entry[120..124].copy_from_slice(&length.to_le_bytes());
            entry
        };
        let length = stream.len() as u32;
        let directory =
            [entry("Root Entry", 5, 3, length), entry(STREAM, 2, if is_small { 0 } else { 3 }, length)].concat();
        let mut header = SIGNATURE.to_vec();
        header.resize(SECTOR, 0xff);
        header[30..34].copy_from_slice(&[9, 0, 6, 0]);
        for (at, number) in [(48, 1), (56, cutoff), (60, 2), (68, 0xffff_fffe), (76, 0)] {
            header[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
        }
        let numbers = |numbers: Vec<u32>| numbers.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
        [header, numbers(table), padded(directory), numbers(small), padded(stream.to_vec())].concat()
    }

    fn package(name: &str, file: &[u8]) -> Vec<u8> {
        let path = b"C:\\Temp\\X\0";
        let after = [&[0, 0, 3, 0], &(path.len() as u32).to_le_bytes()[..], path].concat();
        let file = [&(file.len() as u32).to_le_bytes()[..], file].concat();
        [&[0, 0, 0, 0, 2, 0], name.as_bytes(), b"\0C:\\X\0", &after, &file].concat()
    }

    #[test]
    fn a_file_in_an_object_has_its_name_again() {
        let long = "Preis".repeat(1_000).into_bytes();
        for (cutoff, file) in [(4_096, b"%PDF-1".as_slice()), (0, b"%PDF-1"), (4_096, &long)] {
            let found = unpack(&object(&package("Preise.pdf", file), cutoff), "windows-1252").unwrap();
            assert_eq!((found.0.as_str(), found.1.as_slice()), ("Preise.pdf", file), "{cutoff}");
        }
    }

    #[test]
    fn what_is_cut_off_or_goes_round_in_circles_is_no_file() {
        let whole = object(&package("a.pdf", &[7; 2_000]), 0);
        for length in 0..whole.len() - 200 {
            assert_eq!(unpack(&whole[..length], ""), None, "{length}");
        }
        for at in 0..whole.len().min(2_100) {
            for value in [0, 1, 3, 255] {
                let mut broken = whole.clone();
                broken[at] = value;
                unpack(&broken, "");
            }
        }
        assert_eq!(unpack(&object(b"x", 0), ""), None);
    }

    #[test]
    fn a_table_that_names_one_sector_again_and_again_takes_no_more_room_than_the_object() {
        let mut object = object(&package("a.pdf", b"x"), 0);
        object[76..512].fill(0);
        assert_eq!(Storage::open(&object).unwrap().table.len(), object.len() / 512 * 128);
    }
}
