//! A mail as it goes over the wire (RFC 5321 section 4.5.2).

/// Appends the bytes of a mail with its lines dot-stuffed and the final dot.
///
/// Whatever comes in, a CR and an LF only go out as a pair: a bare one could make a server see an end of data where
/// there is none, and read the rest of the mail as commands ("SMTP smuggling"). So each of CR, LF and CRLF ends a line.
pub fn append(mail: &[u8], out: &mut Vec<u8>) {
    let mut rest = mail;
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(b".\r\n");
}

/// The first line without its end, and what follows.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return (text, &[]);
    };
    let (line, rest) = text.split_at(end);
    match rest {
        [b'\r', b'\n', after @ ..] | [_, after @ ..] => (line, after),
        [] => (line, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(mail: &str) -> String {
        let mut out = Vec::new();
        append(mail.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
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
