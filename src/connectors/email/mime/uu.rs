//! The encoding of files from before MIME (POSIX `uuencode`), which old programs still put into MIME as `x-uuencode`.

/// What stands between `begin` and `end`; `None` if nothing begins. What is cut off is read as far as it goes.
pub fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    lines.find(|line| line.starts_with(b"begin "))?;
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    for line in lines {
        let Some((length, data)) = line.split_first() else { continue };
        // A line of no bytes stands before the end; a space at the end of a line may be lost.
        let length = usize::from(value(*length));
        if length == 0 || line == b"end" {
            break;
        }
        let from = out.len();
        for four in data.chunks(4) {
            let bits = (0..4).fold(0, |bits, n| bits << 6 | u32::from(four.get(n).map_or(0, |byte| value(*byte))));
            out.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
        }
        out.resize(from + length, 0);
    }
    Some(out)
}

fn value(byte: u8) -> u8 {
    byte.wrapping_sub(b' ') & 0x3f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_length_is_decoded() {
        assert_eq!(decode(b"begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\nMore").as_deref(), Some(&b"Cat"[..]));
        assert_eq!(decode(b"\nbegin 600 x\n%2&%L;&\\\n \nend\n").as_deref(), Some(&b"Hallo"[..]));
        // A space at the end was lost, the rest was cut off.
        assert_eq!(decode(b"begin 644 x\n&86)C9 \n#0V%").as_deref(), Some(&b"abcd\0\0Ca@"[..]));
        assert_eq!(decode(b"begin 644 x\nend\n"), Some(Vec::new()));
        assert_eq!(decode(b"no file"), None);
    }
}
