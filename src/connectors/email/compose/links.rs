//! Addresses of pages become links: in HTML most programs leave them as they are.

/// Elements in whose text nothing is touched.
const QUIET: &[&str] = &["a", "code", "pre"];
const SCHEMES: &[&str] = &["https://", "http://"];

/// The HTML with its bare addresses as links. Whoever wrote it has closed each tag and escaped each `<` of a text.
pub fn linked(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    let (mut rest, mut quiet) = (html, 0usize);
    while let Some((text, tag_and_after)) = rest.find('<').and_then(|at| rest.split_at_checked(at)) {
        push_text(&mut out, text, quiet == 0);
        let (tag, after) = tag_and_after.split_at_checked(tag_length(tag_and_after)).unwrap_or((tag_and_after, ""));
        let name = tag.trim_start_matches(['<', '/']).split(|c: char| !c.is_ascii_alphanumeric()).next();
        if name.is_some_and(|name| QUIET.contains(&name)) {
            quiet = if tag.starts_with("</") { quiet.saturating_sub(1) } else { quiet + 1 };
        }
        out.push_str(tag);
        rest = after;
    }
    push_text(&mut out, rest, quiet == 0);
    out
}

/// The length of the tag at the beginning, in bytes. An attribute may hold a `>`.
fn tag_length(html: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in html.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at + 1,
            _ => {}
        }
    }
    html.len()
}

fn push_text(out: &mut String, mut text: &str, may_link: bool) {
    while let Some((before, address, after)) = may_link.then(|| find(text)).flatten() {
        out.push_str(before);
        out.push_str(&format!("<a href=\"{address}\">{address}</a>"));
        text = after;
    }
    out.push_str(text);
}

/// The first address, and what stands around it.
fn find(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let (at, scheme) = SCHEMES.iter().filter_map(|scheme| Some((rest.find(scheme)?, scheme.len()))).min()?;
        let start = from + at;
        let (before, address) = text.split_at_checked(start)?;
        let (address, after) = address.split_at_checked(length(address))?;
        let begins_a_word = !before.ends_with(|c: char| c.is_alphanumeric());
        if begins_a_word && address.len() > scheme {
            return Some((before, address, after));
        }
        from = start + scheme;
    }
}

/// How long the address at the beginning is, without what ends the sentence around it.
fn length(text: &str) -> usize {
    let ends = |at: usize, c: char| {
        let is_entity = c == '&' && !text.get(at..).is_some_and(|rest| rest.starts_with("&amp;"));
        c.is_whitespace() || c.is_control() || is_entity || "\"<>\u{201c}\u{201d}\u{201e}\u{ab}\u{bb}".contains(c)
    };
    let end = text.char_indices().find(|(at, c)| ends(*at, *c)).map_or(text.len(), |(at, _)| at);
    let mut address = text.get(..end).unwrap_or(text);
    loop {
        let shorter = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~']);
        let shorter = match shorter.strip_suffix(')') {
            Some(inner) if inner.matches('(').count() <= inner.matches(')').count() => inner,
            _ => shorter,
        };
        let shorter = shorter.strip_suffix("&amp").unwrap_or(shorter);
        if shorter.len() == address.len() {
            return address.len();
        }
        address = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses that became links.
    fn links(html: &str) -> Vec<String> {
        let linked = linked(html);
        let links = linked.split("<a href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        links.map(|(link, _)| link.to_owned()).collect()
    }

    #[test]
    fn an_address_becomes_a_link_without_the_sentence_around_it() {
        for (html, link) in [
            ("siehe https://example.org/plan.", "https://example.org/plan"),
            ("(https://example.org/a_(b))", "https://example.org/a_(b)"),
            ("<p>https://example.org/?a=1&amp;b=2</p>", "https://example.org/?a=1&amp;b=2"),
            ("&lt;https://example.org&gt;", "https://example.org"),
            ("\"https://example.org\"", "https://example.org"),
            ("https://example.org&nbsp;x", "https://example.org"),
            ("http://x.example:80/a%20b#c, d", "http://x.example:80/a%20b#c"),
            ("xhttps://a.example https://b.example", "https://b.example"),
            ("https://example.org/&amp;", "https://example.org/"),
        ] {
            assert_eq!(links(html), [link], "{html}");
        }
        assert_eq!(
            linked("a https://x.example, <b>http://y.example</b>!"),
            "a <a href=\"https://x.example\">https://x.example</a>, \
             <b><a href=\"http://y.example\">http://y.example</a></b>!"
        );
    }

    #[test]
    fn what_is_a_link_or_code_already_stays_as_it_is() {
        for html in [
            "<a href=\"https://x.example\">https://x.example</a>",
            "<pre><code>https://x.example</code> https://x.example</pre>",
            "<i title=\"https://x.example > y\">x</i>",
            "https://",
            "(https://)",
            "ftp://x.example",
            "a < b",
        ] {
            assert_eq!(linked(html), html);
        }
        assert_eq!(links("<code>x</code> https://x.example").len(), 1);
    }
}
