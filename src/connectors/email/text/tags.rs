//! Tags in HTML, as far as they must be known before the HTML is cleaned.

/// How many hidden elements are taken out of one document.
const HIDDEN: usize = 50;
/// What may be hidden as a whole.
const ELEMENTS: &[&str] = &["div", "span", "p", "td", "tr", "table", "center"];

/// The HTML without what its style hides: newsletters put a first line there for lists of mails.
pub fn without_hidden(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut rest, mut found) = (html, 0);
    while let Some(at) = rest.find('<').filter(|_| found < HIDDEN) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let (tag, after) = end_of_tag(from);
        rest = after;
        if !is_hidden(tag) {
            out.push_str(tag);
            continue;
        }
        found += 1;
        match end_of_element(tag, after) {
            Some(after) => rest = after,
            None => out.push_str(tag),
        }
    }
    out.push_str(rest);
    out
}

fn is_hidden(tag: &str) -> bool {
    let style = attribute(tag, "style").filter(|style| style.len() < 2_000);
    style.is_some_and(|style| style.to_ascii_lowercase().replace(' ', "").contains("display:none"))
}

/// What follows the element that this tag opens.
fn end_of_element<'x>(tag: &str, html: &'x str) -> Option<&'x str> {
    let name = ELEMENTS.iter().find(|name| is_named(tag, name))?;
    let (open, close) = (format!("<{name}"), format!("</{name}"));
    let (mut rest, mut depth) = (html, 1usize);
    loop {
        rest = rest.get(rest.find('<')?..)?;
        let opens = is_named(rest, name) && starts(rest, &open);
        let closes = starts(rest, &close);
        rest = if opens || closes { end_of_tag(rest).1 } else { rest.get(1..)? };
        depth = if opens { depth + 1 } else { depth - usize::from(closes) };
        if depth == 0 {
            return Some(rest);
        }
    }
}

fn starts(html: &str, with: &str) -> bool {
    html.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

fn is_named(tag: &str, name: &str) -> bool {
    let end = tag.get(1 + name.len()..).and_then(|rest| rest.chars().next());
    starts(tag.get(1..).unwrap_or_default(), name)
        && end.is_some_and(|c| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
}

/// Where the next tag of this name begins; `name` has its `<`.
pub fn find_tag(html: &str, name: &str) -> Option<usize> {
    let is_start = |window: &[u8]| window.eq_ignore_ascii_case(name.as_bytes());
    html.as_bytes().windows(name.len()).position(is_start)
}

/// The tag at the beginning, with its `>`, and what follows. A `>` in quotes is none.
pub fn end_of_tag(html: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return html.split_at_checked(at + 1).unwrap_or((html, "")),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    (html, "")
}

/// The value of an attribute of a tag.
pub fn attribute<'x>(tag: &'x str, name: &str) -> Option<&'x str> {
    let is_gap = |c: char| c.is_ascii_whitespace() || c == '/';
    let mut rest = tag.get(tag.find(is_gap)?..)?;
    loop {
        rest = rest.trim_start_matches(is_gap);
        let (key, after) = rest.split_at_checked(rest.find(|c: char| is_gap(c) || matches!(c, '=' | '>'))?)?;
        if key.is_empty() && after.starts_with('>') {
            return None;
        }
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
            rest = after;
            continue;
        };
        let (value, after) = match value.chars().next()? {
            quote @ ('"' | '\'') => value.get(1..)?.split_once(quote)?,
            _ => value
                .split_at_checked(value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len()))?,
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_however_they_are_written() {
        for tag in [
            "<img src=x>",
            "<IMG alt='a > b' SRC = \"x\" />",
            "<img width=1 height=2\nsrc='x'>",
            "<img alt=\"\"src=\"x\">",
        ] {
            let (tag, _) = end_of_tag(tag);
            assert_eq!(attribute(tag, "src"), Some("x"), "{tag}");
        }
        for tag in ["<img>", "<img src>", "<img data-src=x>", "<img alt='src=x'>", "<img src=", "<img"] {
            assert_eq!(attribute(tag, "src").filter(|value| !value.is_empty()), None, "{tag}");
        }
    }

    #[test]
    fn hidden_elements_go_with_all_that_is_in_them() {
        let hidden =
            "<div>a</div><DIV class=x style='color:red; Display : None'>b<div>c</div><span>d</span></DIV><p>e</p>";
        assert_eq!(without_hidden(hidden), "<div>a</div><p>e</p>");
        for html in [
            "<div style='display:none'>a",
            "<img style='display:none'>a",
            "<divx style=display:none>a</div>",
            "<p>a < b</p>",
            "<",
        ] {
            assert_eq!(without_hidden(html), html);
        }
    }

    #[test]
    fn hidden_elements_without_an_end_are_no_trap() {
        for unit in [
            "<div style=display:none>",
            "<div style='display:none",
            "<",
            "<div style=display:none><div style=display:none></div>",
        ] {
            assert!(without_hidden(&unit.repeat(50_000)).len() <= unit.len() * 50_000);
        }
    }
}
