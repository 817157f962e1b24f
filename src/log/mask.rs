//! What a line of the log does not tell: whose address it was. The domain stays, since that is what an operator needs.

use std::borrow::Cow;

/// Fields of the log that are written without quotes.
const KEYS: [&str; 10] =
    ["detail=", "error=", "user=", "room=", "side=", "server=", "domain=", "why=", "failure=", "ghost="];

/// Of `bob@example.org` remains `b…@example.org`, of `@anna:example.org` `@a…:example.org`. Whatever is in the line
/// stays in one line.
pub(super) fn mask(line: &str) -> Cow<'_, str> {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let is_calm = |c: char| !c.is_control() || matches!(c, '\t' | '\u{1b}');
    if !text.contains(['@', '%']) && text.chars().all(is_calm) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 16);
    let masked = without_addresses(text);
    for c in masked.chars() {
        if is_calm(c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out.push_str(end);
    Cow::Owned(out)
}

fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, sign, after)) = next_sign(rest) {
        let (kept, local) = quoted(before).unwrap_or_else(|| last_word(before));
        out.push_str(kept);
        rest = after;
        if !local.is_empty() {
            shorten(&mut out, local);
            out.push_str(sign);
            continue;
        }
        out.push_str(sign);
        if let Some((name, after)) = user_name(after) {
            let (name, domain) = split(name, name.find("=40").unwrap_or(name.len()));
            shorten(&mut out, name);
            out.push_str(domain);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// What stands before a sign, and the local part right before it: what a line says of itself, `user=`, is none.
fn last_word(before: &str) -> (&str, &str) {
    let border = before.char_indices().rev().find(|(_, c)| is_border(*c));
    let start = border.map_or(0, |(at, c)| at + c.len_utf8());
    let (_, word) = split(before, start);
    let key = KEYS.iter().find(|key| word.starts_with(**key)).map_or(0, |key| key.len());
    split(before, start + key)
}

/// The name of a Matrix user, which stands behind the sign and before a colon.
fn user_name(after: &str) -> Option<(&str, &str)> {
    let (name, rest) = split(after, after.find(|c: char| is_border(c) || c == '%').unwrap_or(after.len()));
    [":", "%3A", "%3D"].iter().any(|border| rest.starts_with(border)).then_some((name, rest))
}

/// The next at sign, as it is or as URLs have it, and what is around it.
fn next_sign(text: &str) -> Option<(&str, &str, &str)> {
    let at = [text.find('@'), text.find("%40")].into_iter().flatten().min()?;
    let (before, rest) = split(text, at);
    let (sign, after) = split(rest, if rest.starts_with('@') { 1 } else { 3 });
    Some((before, sign, after))
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// What cannot stand in a local part without quotes, and what rarely does.
fn is_border(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "<>()[],;:\"\\/?&|".contains(c)
}

/// `"a b"@example.org`: the quotes and what is between them.
fn quoted(before: &str) -> Option<(&str, &str)> {
    let inner = before.strip_suffix('"')?;
    let inner = inner.strip_suffix('\\').unwrap_or(inner);
    let start = inner.rfind('"')?;
    Some(split(before, start))
}

/// One letter, so that two can be told apart, if that does not tell all.
fn shorten(out: &mut String, name: &str) {
    if name.chars().count() > 2 {
        out.extend(name.chars().next());
    }
    out.push('…');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_domain_stays() {
        for (line, masked) in [
            ("550 5.1.1 <bob@example.org>: unknown", "550 5.1.1 <b…@example.org>: unknown"),
            ("ab@example.org, Bärbel@example.org", "…@example.org, B…@example.org"),
            ("user=@anna:example.org room=!abc:example.org", "user=@a…:example.org room=!abc:example.org"),
            ("error=bob@example.org", "error=b…@example.org"),
            ("@_email_bob=40example.org:chat.example", "@_…=40example.org:chat.example"),
            (
                "GET /users/%40_email_bob%3D40example.org%3Achat.example",
                "GET /users/%40_…%3D40example.org%3Achat.example",
            ),
            ("address=bob%40example.org", "a…%40example.org"),
            ("postgres://fehmarn:secret@127.0.0.1/db", "postgres://fehmarn:s…@127.0.0.1/db"),
            (r#"{"detail":"<\"bob b\"@example.org>"}"#, r#"{"detail":"<\"…@example.org>"}"#),
            ("bounce+bob=example.net@example.org", "b…@example.org"),
            ("bob@example.org/phone 50% @ 3", "b…@example.org/phone 50% @ 3"),
        ] {
            assert_eq!(mask(line), masked);
        }
    }

    #[test]
    fn a_line_without_addresses_stays_as_it_is() {
        let line = "2026-11-29T19:41:29Z  WARN fehmarn: did not work queue=\"outbox\" row=12\n";
        assert!(matches!(mask(line), Cow::Borrowed(same) if same == line));
    }

    #[test]
    fn nothing_breaks_it() {
        for line in ["@", "@@", "a@", "@:", "%40", "%40%40@:@", "\"@", "\\\"@x", "…@…", "@\u{301}:x", "\n\n"] {
            mask(line);
        }
        assert_eq!(mask("a\u{9b}b\nc\n"), "a\\u{9b}b\\nc\n");
    }
}
