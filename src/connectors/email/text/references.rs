//! The characters that HTML writes by name or number.

/// The character references that stand in German and English mail; with the rest there is no word to lose.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("auml", '\u{e4}'),
    ("ouml", '\u{f6}'),
    ("uuml", '\u{fc}'),
    ("Auml", '\u{c4}'),
    ("Ouml", '\u{d6}'),
    ("Uuml", '\u{dc}'),
    ("szlig", '\u{df}'),
    ("eacute", '\u{e9}'),
    ("agrave", '\u{e0}'),
    ("ndash", '\u{2013}'),
    ("mdash", '\u{2014}'),
    ("zwnj", '\u{200c}'),
    ("shy", '\u{ad}'),
];
/// The longest one, in bytes.
const REFERENCE: usize = 10;

/// Text without its character references; what is none stays as it is.
pub fn decode(out: &mut String, text: &str) {
    let mut pieces = text.split('&');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let found = piece.split_once(';').filter(|(name, _)| name.len() <= REFERENCE);
        match found.and_then(|(name, rest)| Some((character(name)?, rest))) {
            Some((c, rest)) => {
                out.push(c);
                out.push_str(rest);
            }
            None => {
                out.push('&');
                out.push_str(piece);
            }
        }
    }
}

fn character(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        },
        None => return NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c),
    };
    number.and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_what_is_none_stays() {
        let mut out = String::new();
        decode(&mut out, "Gr&uuml;&szlig;e &gt; A&B &#8222;x&#x201c; &unknown; &");
        assert_eq!(out, "Gr\u{fc}\u{df}e > A&B \u{201e}x\u{201c} &unknown; &");
    }
}
