//! Bytes as text.

use mail_parser::decoders::charsets::map::charset_decoder;

/// What begins the name of a character set whose texts may look like UTF-8 by accident, or are always ASCII.
const OF_SEVERAL_BYTES: &[&str] =
    &["gb", "big5", "shift", "sjis", "x-sjis", "ms_kanji", "euc", "ks_c", "iso-2022", "hz", "utf-7", "utf-16", "cp93"];

/// Reads bytes in a character set. Labels are often wrong: what is sound UTF-8 is UTF-8 whatever a label of a set with
/// one byte for each character says, and what is none is windows-1252 where the label says UTF-8 or nothing useful.
pub fn decode(bytes: &[u8], charset: &str) -> String {
    let charset = charset.trim_matches([' ', '\t', '"', '\'']).to_ascii_lowercase();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_utf8 = ["", "utf-8", "utf8", "us-ascii", "ascii"].contains(&charset.as_str());
    let decoder = charset_decoder(charset.as_bytes()).filter(|_| !is_utf8);
    let several = OF_SEVERAL_BYTES.iter().any(|start| charset.starts_with(start));
    match (decoder, std::str::from_utf8(bytes)) {
        (Some(decode), utf8) if several => {
            let text = decode(bytes);
            utf8.ok().filter(|_| text.contains('\u{fffd}')).map_or(text, str::to_owned)
        }
        (_, Ok(text)) => text.to_owned(),
        (Some(decode), Err(_)) => decode(bytes),
        (None, Err(_)) => mixed(bytes),
    }
}

/// Reads bytes beside which no character set is named, as in a header.
pub fn unlabelled(bytes: &[u8]) -> String {
    if is_chinese(bytes) { decode(bytes, "gb18030") } else { decode(bytes, "") }
}

/// Whether bytes look like GB2312: all beyond ASCII stands in pairs of its rows, most of which are of common characters,
/// and two follow each other somewhere. Western letters beyond ASCII stand alone, or in twos.
fn is_chinese(bytes: &[u8]) -> bool {
    let (mut pairs, mut common, mut longest) = (0_usize, 0_usize, 0_usize);
    for run in bytes.split(u8::is_ascii).filter(|run| !run.is_empty()) {
        let (of_two, rest) = run.as_chunks::<2>();
        let is_pair = |[row, cell]: &[u8; 2]| matches!(row, 0xa1..=0xa3 | 0xb0..=0xf7) && matches!(cell, 0xa1..=0xfe);
        if !rest.is_empty() || !of_two.iter().all(is_pair) {
            return false;
        }
        pairs += of_two.len();
        common += of_two.iter().filter(|[row, _]| matches!(row, 0xb0..=0xd7)).count();
        longest = longest.max(of_two.len());
    }
    longest >= 2 && common * 2 > pairs
}

/// UTF-8 where it is sound, windows-1252 elsewhere: footers and quotes are pasted together from texts of both.
fn mixed(bytes: &[u8]) -> String {
    let western = charset_decoder(b"windows-1252");
    let mut out = String::with_capacity(bytes.len() + bytes.len() / 8);
    let (mut left, mut mended) = (bytes.len(), 0);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        left -= chunk.valid().len() + chunk.invalid().len();
        // A text that was cut off in the middle of its last character.
        let is_cut = left == 0 && mended == 0 && !out.is_ascii();
        if !is_cut && !chunk.invalid().is_empty() {
            mended += 1;
            out.push_str(&western.map_or_else(String::new, |decode| decode(chunk.invalid())));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_without_a_label_is_read_and_nothing_else_is_taken_for_it() {
        assert_eq!(unlabelled(b"\xb2\xe2\xca\xd4\xce\xc4\xbc\xfe.doc"), "\u{6d4b}\u{8bd5}\u{6587}\u{4ef6}.doc");
        for (bytes, text) in [
            (&b"Gr\xfc\xdfe"[..], "Gr\u{fc}\u{df}e"),
            (b"\xc4\xd6 \xdcber", "\u{c4}\u{d6} \u{dc}ber"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", "\u{cf}\u{f0}\u{e8}\u{e2}\u{e5}\u{f2}"),
            (b"\xb2\xe2\xca\xd4 \xfc", "\u{b2}\u{e2}\u{ca}\u{d4} \u{fc}"),
            (b"\xff\xfe", "\u{ff}\u{fe}"),
        ] {
            assert_eq!(unlabelled(bytes), text);
        }
    }

    #[test]
    fn bytes_are_read_in_their_character_set_and_else_in_the_likely_one() {
        for (bytes, charset, text) in [
            (&b"Gr\xfc\xdfe"[..], "iso-8859-1", "Gr\u{fc}\u{df}e"),
            (b"5 \x80", " Windows-1252", "5 \u{20ac}"),
            (b"Gr\xc3\xbc\xc3\x9fe", "us-ascii", "Gr\u{fc}\u{df}e"),
            (b"Gr\xfc\xdfe", "UTF-8", "Gr\u{fc}\u{df}e"),
            (b"5 \x80", "", "5 \u{20ac}"),
            (b"Gr\xfc\xdfe", "klingon", "Gr\u{fc}\u{df}e"),
            (b"\xf0", "KOI8-R", "\u{41f}"),
            (b"\x93\xfa\x96\x7b", "shift_jis", "\u{65e5}\u{672c}"),
            (b"Gr\xc3\xbc\xc3\x9fe", "iso-8859-1", "Gr\u{fc}\u{df}e"),
            (b"Gr\xc3\xbc\xc3\x9fe", "\"koi8-r\"", "Gr\u{fc}\u{df}e"),
            (b"\xef\xbb\xbfHallo", "", "Hallo"),
            (b"Gr\xc3\xbc\xc3\x9fe, Gr\xfc\xdfe", "utf-8", "Gr\u{fc}\u{df}e, Gr\u{fc}\u{df}e"),
            (b"Gr\xc3\xbc\xc3", "utf-8", "Gr\u{fc}"),
            (b"Gr\xfc\xdfe von B\xe4", "utf-8", "Gr\u{fc}\u{df}e von B\u{e4}"),
            (b"+APw-", "utf-7", "\u{fc}"),
        ] {
            assert_eq!(decode(bytes, charset), text, "{charset}");
        }
    }
}
