//! A mail as it goes over the wire (RFC 5321 section 4.5.2).

use std::fmt;

/// Displays the text of a mail with its lines dot-stuffed and the final dot.
///
/// Whatever comes in, a CR and an LF only go out as a pair: a bare one could make a server see an end of data where
/// there is none, and read the rest of the mail as commands ("SMTP smuggling"). So each of CR, LF and CRLF ends a line.
/// lettre's own encoder lets bare ones through, adds an empty line and sends the dot in a packet of its own.
pub struct Content<'a>(pub &'a str);

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.split_inclusive('\n') {
            let piece = piece.strip_suffix('\n').unwrap_or(piece);
            let piece = piece.strip_suffix('\r').unwrap_or(piece);
            for line in piece.split('\r') {
                if line.starts_with('.') {
                    f.write_str(".")?;
                }
                f.write_str(line)?;
                f.write_str("\r\n")?;
            }
        }
        f.write_str(".\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(mail: &str) -> String {
        Content(mail).to_string()
    }

    #[test]
    fn dots_at_the_beginning_of_lines_are_doubled_and_a_dot_ends_the_mail() {
        assert_eq!(wire("A: b\r\n\r\n.\r\n..x\r\nc.\r\n"), "A: b\r\n\r\n..\r\n...x\r\nc.\r\n.\r\n");
        assert_eq!(wire(".x"), "..x\r\n.\r\n");
        assert_eq!(wire(""), ".\r\n");
    }

    #[test]
    fn no_bare_line_end_goes_out_and_no_end_of_data_can_be_smuggled() {
        for end in ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\r\r\n.\r\r\n", "\r\n.\r\n"] {
            let out = wire(&format!("a{end}MAIL FROM:<x>\r\n"));
            let end = out.find("\r\n.\r\n").unwrap();
            assert_eq!(end + 5, out.len(), "{out:?}");
            assert!(!out.replace("\r\n", "").contains(['\r', '\n']), "{out:?}");
            assert!(out.contains("\r\n..\r\n"), "{out:?}");
        }
    }
}
