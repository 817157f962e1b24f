//! Short texts that stand in a line of their own: names, subjects, file names, message ids.

/// The longest name or file name, in characters.
pub const NAME: usize = 200;
/// The longest subject, in characters.
pub const SUBJECT: usize = 250;
/// The longest Message-ID, in bytes: with its brackets it must fit into one line (RFC 5322 section 2.1.1).
const ID: usize = 900;

/// One line without anything that is not seen, at most `max` characters; empty if nothing is left.
///
/// Controls and bidirectional overrides can make a text look like another one ("Trojan Source"), and line breaks would
/// begin a new header. An encoded word that somebody typed (`=?`, RFC 2047) must stay what it looks like.
pub fn line(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(1024));
    let mut gap = false;
    let mut count = 0;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = true;
        } else if !is_unseen(c) {
            let split = (gap && !out.is_empty()) || (c == '?' && out.ends_with('='));
            count += 1 + usize::from(split);
            if count > max {
                break;
            }
            if split {
                out.push(' ');
            }
            out.push(c);
            gap = false;
        }
    }
    out
}

/// The same for text of many lines, which keeps its line breaks (as `\n`), tabs and reading directions.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => {
                out.truncate(out.trim_end_matches([' ', '\t', '\u{a0}']).len());
                if !out.ends_with("\n\n") {
                    out.push('\n');
                }
            }
            '\t' => out.push(c),
            '\u{feff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    let start = out.len() - out.trim_start_matches('\n').len();
    out.drain(..start);
    out
}

/// The text without controls, but for line breaks (as `\n`) and tabs.
pub fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Characters that have no place in a line and no picture: bidirectional controls, marks, and breaks of other kinds.
/// Joiners stay, since emoji and several scripts need them.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

/// A file name for people: the last component of a path, never empty, never hidden.
pub fn file_name(text: &str) -> Option<String> {
    let last = text.rsplit(['/', '\\']).find(|part| !part.trim().is_empty())?;
    let name = line(last, usize::MAX);
    let name = name.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    (!name.is_empty()).then(|| shorten(name))
}

/// At most [`NAME`] characters, with the extension kept: it says what the file is.
fn shorten(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.chars().count() <= 10 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let stem: String = stem.chars().take(NAME - extension.chars().count()).collect();
    format!("{}{extension}", stem.trim_end())
}

/// Whether this can stand between the angle brackets of a Message-ID.
pub fn is_message_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID && text.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_no_controls_and_no_turned_text() {
        assert_eq!(line(" Anna\r\nBcc: x@example.org\0 ", 99), "Anna Bcc: x@example.org");
        assert_eq!(line("gpj.\u{202e}exe\u{2066}\u{200f}", 99), "gpj.exe");
        assert_eq!(line("a\u{2028}b\u{85}c\u{b}d", 99), "a b c d");
        assert_eq!(line("\t \r\n", 99), "");
    }

    #[test]
    fn joined_emoji_and_accents_stay() {
        let text = "\u{1f469}\u{200d}\u{1f467} e\u{301} \u{645}\u{6cc}\u{200c}\u{62e}";
        assert_eq!(line(text, 99), text);
    }

    #[test]
    fn a_typed_encoded_word_is_no_encoded_word() {
        assert_eq!(line("=?utf-8?Q?x?=", 99), "= ?utf-8?Q?x?=");
    }

    #[test]
    fn a_line_has_an_end() {
        assert_eq!(line("\u{e4}\u{f6} \u{fc}\u{df}", 3), "\u{e4}\u{f6}");
        assert_eq!(line(&"x".repeat(999), 200).len(), 200);
    }

    #[test]
    fn lines_keep_their_breaks_and_lose_the_rest() {
        assert_eq!(lines("\r\n\nHallo \r\n\r\n\r\n\r\nWelt\0\t!\r\n\r\n"), "Hallo\n\nWelt\t!");
        assert_eq!(lines("  x\n y"), "  x\n y");
    }

    #[test]
    fn a_file_name_is_the_last_component_and_is_seen() {
        for (text, name) in [
            ("C:\\a\\b.pdf", "b.pdf"),
            ("../../etc/passwd", "passwd"),
            (".htaccess", "htaccess"),
            ("a/b/", "b"),
            ("a\nb\u{202e}.pdf", "a b.pdf"),
            (" x . ", "x"),
        ] {
            assert_eq!(file_name(text).as_deref(), Some(name), "{text:?}");
        }
        for text in ["", "/", "..", " / ", "\u{202e}"] {
            assert_eq!(file_name(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_long_file_name_keeps_its_extension() {
        let name = file_name(&format!("{}.pdf", "\u{e4}".repeat(300))).unwrap();
        assert_eq!(name.chars().count(), NAME);
        assert!(name.ends_with("\u{e4}.pdf"));
    }

    #[test]
    fn a_message_id_is_printable_and_fits_a_line() {
        assert!(is_message_id("a.b@example.org"));
        for text in ["", "a b@c", "a>b", "a\nb", "\u{fc}@x", &"a".repeat(901)] {
            assert!(!is_message_id(text), "{text:?}");
        }
    }
}
