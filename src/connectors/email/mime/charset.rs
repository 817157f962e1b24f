//! Bytes as text.

use mail_parser::decoders::charsets::map::charset_decoder;

/// Reads bytes in a character set. What says that it is UTF-8 and is not, or names no known one, is taken for
/// windows-1252, as mail programs do.
pub fn decode(bytes: &[u8], charset: &str) -> String {
    let charset = charset.trim().to_ascii_lowercase();
    let is_utf8 = ["", "utf-8", "utf8", "us-ascii", "ascii"].contains(&charset.as_str());
    let decoder = charset_decoder(charset.as_bytes()).filter(|_| !is_utf8);
    match (decoder, std::str::from_utf8(bytes)) {
        (Some(decode), _) => decode(bytes),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) => charset_decoder(b"windows-1252")
            .map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |decode| decode(bytes)),
    }
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
        ] {
            assert_eq!(decode(bytes, charset), text, "{charset}");
        }
    }
}
