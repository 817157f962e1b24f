//! What our own mail server wrote down of the client that brought a mail.

use std::net::IpAddr;

/// The trace field of one server (RFC 5321 section 4.4).
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'x> {
    /// What the client called itself.
    pub hello: &'x str,
    /// Where it really came from.
    pub client: Option<IpAddr>,
    /// The server that wrote this, in lower case.
    pub by: String,
}

impl<'x> Received<'x> {
    /// `None` for what was not received from anywhere.
    pub fn read(value: &'x str) -> Option<Self> {
        let mut pieces = pieces(value);
        let Piece::Word(_from) = pieces.next().filter(|piece| piece.is("from"))? else { return None };
        // The client may call itself "by".
        let Piece::Word(hello) = pieces.next()? else { return None };
        let mut client = None;
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Comment(text) if client.is_none() => client = address(text),
                piece if piece.is("by") => {
                    let Some(Piece::Word(by)) = pieces.next() else { return None };
                    return Some(Self { hello, client, by: by.trim_end_matches([';', '.']).to_ascii_lowercase() });
                }
                _ => {}
            }
        }
        None
    }
}

/// The address that the server saw: `([192.0.2.7])`, `(name [192.0.2.7])`, `(name [IPv6:2001:db8::1])`, and behind it
/// what Exim adds. Any other place may hold what the client says of itself (`(helo=[192.0.2.7])`).
fn address(comment: &str) -> Option<IpAddr> {
    let bracketed = |word: &str| {
        let inner = word.strip_prefix('[')?.strip_suffix(']')?;
        inner.strip_prefix("IPv6:").unwrap_or(inner).parse().ok()
    };
    comment.split_ascii_whitespace().take(2).find_map(bracketed)
}

#[derive(Clone, Copy)]
enum Piece<'x> {
    Word(&'x str),
    /// Without its parentheses.
    Comment(&'x str),
}

impl Piece<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found.eq_ignore_ascii_case(word))
    }
}

fn pieces(value: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let end =
            if rest.starts_with('(') { comment_end(rest) } else { rest.find([' ', '\t', '(']).unwrap_or(rest.len()) };
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(match piece.strip_prefix('(') {
            Some(comment) => Piece::Comment(comment.strip_suffix(')').unwrap_or(comment)),
            None => Piece::Word(piece),
        })
    })
}

/// Behind the parenthesis that closes the first one; comments may be nested.
fn comment_end(text: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(value: &str) -> Option<String> {
        Received::read(value)?.client.map(|ip| ip.to_string())
    }

    #[test]
    fn the_client_is_found_in_what_postfix_and_exim_write() {
        for (value, ip) in [
            (
                "from mail.example.org (mail.example.org [192.0.2.7]) (using TLSv1.3 with cipher X (256/256 bits)) by mx.amt.example (Postfix) with ESMTPS id 4F1; today",
                "192.0.2.7",
            ),
            ("from x (unknown [IPv6:2001:db8::1]) by mx.amt.example (Postfix); today", "2001:db8::1"),
            ("from mail.example.org ([192.0.2.7] helo=x) by mx.amt.example with esmtps (Exim 4.96)", "192.0.2.7"),
        ] {
            assert_eq!(client(value).as_deref(), Some(ip), "{value}");
            assert_eq!(Received::read(value).unwrap().by, "mx.amt.example");
        }
    }

    #[test]
    fn what_a_client_says_of_itself_is_no_address() {
        for value in [
            "from [192.0.2.9] (helo=[192.0.2.9]) by mx.amt.example with esmtp",
            "from x (EHLO x [192.0.2.9]) by mx.amt.example",
            "from [192.0.2.9] by mx.amt.example",
            "from x (x [192.0.2.9] by mx.amt.example",
            "by mx.amt.example (Postfix, from userid 0); today",
            "",
        ] {
            assert_eq!(client(value), None, "{value}");
        }
        assert_eq!(Received::read("from by (by [192.0.2.7]) by MX.amt.example;").unwrap().by, "mx.amt.example");
    }
}
