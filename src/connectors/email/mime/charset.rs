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
