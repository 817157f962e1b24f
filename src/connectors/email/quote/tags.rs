//! The tags of an HTML text, one after the other. Nothing is built and nothing is mended: what mail programs write is
//! found, and time grows with the length of the text.

/// A tag, and where it stands in the text.
pub struct Tag<'x> {
    pub start: usize,
    pub end: usize,
    /// Small, without the slash of an end tag; empty for a comment.
    pub name: String,
    pub closes: bool,
    pub attributes: &'x str,
}

/// The next tag from `at` on.
pub fn next(html: &str, at: usize) -> Option<Tag<'_>> {
    let start = at + html.get(at..)?.find('<')?;
    let rest = html.get(start + 1..)?;
    if rest.starts_with("!--") {
        let end = rest.find("-->").map_or(html.len(), |end| start + 1 + end + 3);
        return Some(Tag { start, end, name: String::new(), closes: false, attributes: "" });
    }
    let close = rest.find('>')?;
    let inner = rest.get(..close)?;
    let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let name_end = inner.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inner.len());
    let (name, attributes) = inner.split_at_checked(name_end)?;
    Some(Tag { start, end: start + 1 + close + 1, name: name.to_ascii_lowercase(), closes, attributes })
}

impl<'x> Tag<'x> {
    /// The value of an attribute, quoted in either way or not at all.
    pub fn value(&self, name: &str) -> Option<&'x str> {
        if self.attributes.is_empty() {
            return None;
        }
        let attributes = self.attributes;
        let lower = attributes.to_ascii_lowercase();
        let (at, _) = lower.match_indices(name).find(|(at, _)| {
            let after = lower.get(at + name.len()..).unwrap_or_default().trim_start();
            let before = lower.get(..*at).unwrap_or_default();
            after.starts_with('=') && before.ends_with(|c: char| c.is_whitespace() || c == '"' || c == '\'')
        })?;
        let value = attributes.get(at + name.len()..)?.trim_start().strip_prefix('=')?.trim_start();
        match value.chars().next()? {
            quote @ ('"' | '\'') => value.get(1..)?.split(quote).next(),
            _ => value.split(|c: char| c.is_whitespace() || c == '/').next(),
        }
    }
}

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
    fn an_attribute_is_found_however_it_is_written() {
        let value = |attributes: &str, name: &str| {
            let html = format!("<x{attributes}>");
            next(&html, 0).unwrap().value(name).map(str::to_owned)
        };
        for attributes in [" a=1 class=\"x y\"", " CLASS = 'x y'", " data-class=\"no\" class=\"x y\""] {
            assert_eq!(value(attributes, "class").as_deref(), Some("x y"), "{attributes}");
        }
        assert_eq!(value(" type=cite", "type").as_deref(), Some("cite"));
        assert_eq!(value(" subclass=x", "class"), None);
    }

    #[test]
    fn tags_are_found_in_broken_text_and_comments_are_none() {
        assert!(next("", 0).is_none() && next("<", 0).is_none() && next("<div class='x", 0).is_none());
        let comment = next("a<!-- <b> --><i>", 0).unwrap();
        assert_eq!((comment.start, comment.end, comment.name.as_str()), (1, 13, ""));
        let end = next("</DIV >", 0).unwrap();
        assert_eq!((end.name.as_str(), end.closes), ("div", true));
    }

    #[test]
    fn references_are_read_and_what_is_none_stays() {
        let mut out = String::new();
        decode(&mut out, "Gr&uuml;&szlig;e &gt; A&B &#8222;x&#x201c; &unknown; &");
        assert_eq!(out, "Gr\u{fc}\u{df}e > A&B \u{201e}x\u{201c} &unknown; &");
    }
}
