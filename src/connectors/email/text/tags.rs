//! The tags of an HTML text, one after the other, as far as they must be known before the HTML is cleaned. Nothing is built
//! and nothing is mended: what mail programs write is found, and time grows with the length of the text.

/// How many hidden elements are taken out of one document.
const HIDDEN: usize = 50;
/// What may be hidden as a whole.
const ELEMENTS: &[&str] = &["div", "span", "p", "td", "tr", "table", "center"];
/// How many tags a hidden element may hold; one with more is no first line for a list of mails.
const INSIDE: usize = 500;
/// A longer style is none that somebody wrote to hide something.
const STYLE: usize = 2_000;

/// A tag, and where it stands in the text.
pub struct Tag<'x> {
    pub start: usize,
    /// Behind its `>`.
    pub end: usize,
    /// Small, without the slash of an end tag; empty for a comment.
    pub name: String,
    pub closes: bool,
    pub attributes: &'x str,
}

/// The next tag from `at` on. What is never closed is none.
pub fn next(html: &str, at: usize) -> Option<Tag<'_>> {
    let start = at + html.get(at..)?.find('<')?;
    let rest = html.get(start + 1..)?;
    if rest.starts_with("!--") {
        let end = rest.find("-->").map_or(html.len(), |end| start + 1 + end + 3);
        return Some(Tag { start, end, name: String::new(), closes: false, attributes: "" });
    }
    let close = end_of_tag(rest).or_else(|| rest.find('>'))?;
    let inner = rest.get(..close)?;
    let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let name_end = inner.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inner.len());
    let (name, attributes) = inner.split_at_checked(name_end)?;
    Some(Tag { start, end: start + 1 + close + 1, name: name.to_ascii_lowercase(), closes, attributes })
}

/// Where the `>` stands. One in a quoted value is none; `None` if such a value has no end.
fn end_of_tag(rest: &str) -> Option<usize> {
    let (mut quote, mut before) = (None, b' ');
    for (at, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            // An apostrophe anywhere else is a letter.
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    None
}

impl<'x> Tag<'x> {
    /// The value of an attribute, quoted in either way or not at all.
    pub fn value(&self, name: &str) -> Option<&'x str> {
        let is_gap = |c: char| c.is_ascii_whitespace() || c == '/';
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(is_gap);
            let (key, after) = rest.split_at_checked(rest.find(|c: char| is_gap(c) || c == '=')?)?;
            let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
                rest = after;
                continue;
            };
            let (value, after) = match value.chars().next()? {
                quote @ ('"' | '\'') => {
                    let value = value.get(1..)?;
                    value.split_once(quote).unwrap_or((value, ""))
                }
                _ => value.split_at_checked(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len()))?,
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            rest = after;
        }
    }

    fn hides(&self) -> bool {
        let style = self.value("style").filter(|style| style.len() < STYLE);
        style.is_some_and(|style| style.to_ascii_lowercase().replace(' ', "").contains("display:none"))
    }
}

/// The HTML without what its style hides: newsletters put a first line there for lists of mails.
pub fn without_hidden(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut at, mut shown, mut found) = (0, 0, 0);
    while let Some(tag) = next(html, at).filter(|_| found < HIDDEN) {
        at = tag.end;
        if tag.closes || !tag.hides() {
            continue;
        }
        found += 1;
        if let Some(end) = end_of_element(html, &tag) {
            out.push_str(html.get(shown..tag.start).unwrap_or_default());
            (at, shown) = (end, end);
        }
    }
    out.push_str(html.get(shown..).unwrap_or_default());
    out
}

/// Where the element ends that this tag opens.
fn end_of_element(html: &str, tag: &Tag<'_>) -> Option<usize> {
    if !ELEMENTS.contains(&tag.name.as_str()) {
        return None;
    }
    let (mut at, mut depth) = (tag.end, 1usize);
    for _ in 0..INSIDE {
        let next = next(html, at)?;
        at = next.end;
        if next.name == tag.name {
            depth = if next.closes { depth - 1 } else { depth + 1 };
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The HTML with something else in the place of every tag of this name for which there is something.
pub fn replaced(html: &str, name: &str, other: &mut dyn FnMut(&Tag<'_>) -> Option<String>) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut at, mut shown) = (0, 0);
    while let Some(tag) = next(html, at) {
        at = tag.end;
        if tag.name != name || tag.closes {
            continue;
        }
        if let Some(text) = other(&tag) {
            out.push_str(html.get(shown..tag.start).unwrap_or_default());
            out.push_str(&text);
            shown = tag.end;
        }
    }
    out.push_str(html.get(shown..).unwrap_or_default());
    out
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
        for attributes in [
            " a=1 class=\"x y\"",
            " CLASS = 'x y'",
            " data-class=\"no\" class=\"x y\"",
            " a='b > c' class=\"x y\" /",
            " a=\"\"class='x y'",
            " don't\nclass=\"x y\"",
            "/class='x y'",
        ] {
            assert_eq!(value(attributes, "class").as_deref(), Some("x y"), "{attributes}");
        }
        assert_eq!(value(" type=cite", "type").as_deref(), Some("cite"));
        assert_eq!(value(" src=https://x.example/a width=1", "src").as_deref(), Some("https://x.example/a"));
        for attributes in ["", " subclass=x", " class", " a='class=x'", " class ", "="] {
            assert_eq!(value(attributes, "class"), None, "{attributes}");
        }
    }

    #[test]
    fn tags_are_found_in_broken_text_and_comments_are_none() {
        assert!(next("", 0).is_none() && next("<", 0).is_none() && next("<div class='x", 0).is_none());
        let comment = next("a<!-- <b> --><i>", 0).unwrap();
        assert_eq!((comment.start, comment.end, comment.name.as_str()), (1, 13, ""));
        let end = next("</DIV >", 0).unwrap();
        assert_eq!((end.name.as_str(), end.closes), ("div", true));
        let quoted = next("<a title=\"x > y\">z", 0).unwrap();
        assert_eq!((quoted.end, quoted.value("title")), (17, Some("x > y")));
        // The quote has no end: the tag has one all the same.
        assert_eq!(next("<div class=\"x>Hallo</div>", 0).unwrap().end, 14);
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
    fn one_kind_of_tag_is_replaced_and_the_others_stay() {
        let html = "a<IMG src=1>b<img src=\"2\" alt='>'/>c<image src=1></img>d";
        let one = &mut |tag: &Tag<'_>| tag.value("src").filter(|src| *src == "1").map(|_| "!".to_owned());
        assert_eq!(replaced(html, "img", one), "a!b<img src=\"2\" alt='>'/>c<image src=1></img>d");
    }

    #[test]
    fn hostile_tags_are_passed_in_one_go() {
        for unit in [
            "<div style=display:none>",
            "<div style='display:none",
            "<",
            "<div style=display:none><div style=display:none></div>",
            "<a b=\">",
            "<a b=\"",
            "<a b='",
            "<a b='<a b=\"",
            "<!--",
            "<a b=c",
        ] {
            let html = unit.repeat(50_000);
            assert!(without_hidden(&html).len() <= html.len());
            assert!(replaced(&html, "img", &mut |_| None) == html);
        }
    }
}
