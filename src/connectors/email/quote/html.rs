//! Where in an HTML mail the words of the sender end. Mail programs mark what they quote; what has no mark is not cut.

/// How far what is marked goes.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// The element.
    Element,
    /// Everything below.
    Below,
}
use Reach::{Below, Element};

/// A tag, an attribute of it and how its value begins (lower-case); a class may stand among others.
const MARKS: &[(&str, &str, &str, Reach)] = &[
    // Outlook on the web, new Outlook, Outlook for phones
    ("div", "id", "divrplyfwdmsg", Below),
    ("div", "id", "appendonsend", Below),
    ("div", "id", "x_divrplyfwdmsg", Below),
    ("div", "id", "mail-editor-reference-message-container", Below),
    ("div", "class", "ms-outlook-mobile-reference-message", Below),
    // Gmail
    ("div", "class", "gmail_quote", Element),
    ("div", "class", "gmail_signature", Element),
    ("span", "class", "gmail_signature_prefix", Element),
    ("div", "class", "gmail_extra", Element),
    // Thunderbird
    ("div", "class", "moz-cite-prefix", Element),
    ("div", "class", "moz-signature", Element),
    ("pre", "class", "moz-signature", Element),
    // Apple Mail, Thunderbird and others
    ("blockquote", "type", "cite", Element),
    ("blockquote", "class", "gmail_quote", Element),
    // GMX and WEB.DE
    ("div", "name", "quote", Element),
    // Others
    ("div", "class", "yahoo_quoted", Element),
    ("div", "class", "protonmail_quote", Element),
    ("blockquote", "class", "tutanota_quote", Element),
];

/// The HTML above the quotes and the signature at its end; `None` if there is no mark, if the sender wrote below it, or
/// if nothing would be left. The result may leave elements open.
pub fn cut(html: &str) -> Option<&str> {
    let spans = spans(html);
    let mut last_own = 0;
    let mut at = 0;
    // The end of the last words that stand in no span: the spans behind it are the end of the mail.
    for span in spans.iter().chain([&Span { start: html.len(), end: html.len() }]) {
        if has_words(html.get(at..span.start)?) {
            last_own = span.start;
        }
        at = span.end;
    }
    let start = spans.iter().map(|span| span.start).find(|start| *start >= last_own)?;
    let kept = without_rule(html.get(..start)?);
    (has_words(kept) || kept.contains("<img")).then_some(kept)
}

struct Span {
    start: usize,
    end: usize,
}

/// What is marked as not the sender's, in order; marks inside a span are not looked at.
fn spans(html: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(tag) = next_tag(html, at) {
        at = tag.end;
        let Some(reach) = reach(html, &tag) else { continue };
        let end = if reach == Element { element_end(html, &tag) } else { html.len() };
        spans.push(Span { start: tag.start, end });
        at = end;
    }
    spans
}

struct Tag<'x> {
    start: usize,
    end: usize,
    /// Lower-case, with a slash before it if it closes.
    name: String,
    attributes: &'x str,
}

/// The next tag from `at` on; comments and what stands in style sheets are no tags.
fn next_tag(html: &str, at: usize) -> Option<Tag<'_>> {
    let start = at + html.get(at..)?.find('<')?;
    let rest = html.get(start + 1..)?;
    if rest.starts_with("!--") {
        let end = rest.find("-->").map_or(html.len(), |end| start + 1 + end + 3);
        return Some(Tag { start, end, name: String::new(), attributes: "" });
    }
    let close = rest.find('>')?;
    let inner = rest.get(..close)?;
    let name_end = inner.find(|c: char| c.is_whitespace()).unwrap_or(inner.len());
    let (name, attributes) = inner.split_at_checked(name_end)?;
    Some(Tag { start, end: start + 1 + close + 1, name: name.to_ascii_lowercase(), attributes })
}

fn reach(html: &str, tag: &Tag<'_>) -> Option<Reach> {
    if tag.attributes.is_empty() {
        return None;
    }
    let found = MARKS.iter().find(|(name, attribute, value, _)| {
        let is_class = *attribute == "class";
        tag.name == *name
            && attribute_value(tag.attributes, attribute).is_some_and(|found| {
                let found = found.to_ascii_lowercase();
                if is_class { found.split_whitespace().any(|one| one.starts_with(value)) } else { found == *value }
            })
    });
    found.map(|(_, _, _, reach)| *reach).or_else(|| is_outlook_head(html, tag).then_some(Below))
}

/// Outlook for Windows marks its quotes by nothing but a line above "Von: ...".
fn is_outlook_head(html: &str, tag: &Tag<'_>) -> bool {
    let style = attribute_value(tag.attributes, "style").filter(|_| tag.name == "div");
    let has_line = style.is_some_and(|style| style.to_ascii_lowercase().replace(' ', "").contains("border-top:solid"));
    let below = html.get(tag.end..).unwrap_or_default();
    let below: String = below.chars().take(1500).collect();
    has_line && ["Von:", "From:", "De:"].iter().any(|word| words(&below).trim_start().starts_with(word))
}

/// The value of an attribute, quoted in either way or not at all.
fn attribute_value<'x>(attributes: &'x str, name: &str) -> Option<&'x str> {
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

/// Behind the end tag that belongs to this one.
fn element_end(html: &str, tag: &Tag<'_>) -> usize {
    let mut depth = 1usize;
    let mut at = tag.end;
    while let Some(next) = next_tag(html, at) {
        at = next.end;
        if next.name == tag.name {
            depth += 1;
        } else if next.name.strip_prefix('/') == Some(tag.name.as_str()) {
            depth -= 1;
            if depth == 0 {
                return next.end;
            }
        }
    }
    html.len()
}

fn has_words(html: &str) -> bool {
    words(html).chars().any(|c| {
        c.is_alphanumeric()
            || (!c.is_ascii() && !c.is_whitespace() && !crate::connectors::email::text::clean::is_unseen(c))
    })
}

/// What stands between the tags, without style sheets and character references.
fn words(html: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(tag) = next_tag(html, at) {
        push_words(&mut out, html.get(at..tag.start).unwrap_or_default());
        let unseen = ["style", "script", "title"].contains(&tag.name.as_str());
        at = if unseen { element_end(html, &tag) } else { tag.end };
    }
    push_words(&mut out, html.get(at..).unwrap_or_default());
    out
}

fn push_words(out: &mut String, text: &str) {
    let mut pieces = text.split('&');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // A named character is a letter only where it has a long name: `&uuml;` is, `&nbsp;` and `&#8203;` are not.
        let (reference, rest) = piece.split_once(';').filter(|(name, _)| name.len() <= 8).unwrap_or(("", piece));
        if ["uml", "lig", "acute", "grave", "circ"].iter().any(|end| reference.ends_with(end)) {
            out.push('x');
        }
        out.push_str(rest);
    }
}

/// Outlook draws a line above the quote.
fn without_rule(html: &str) -> &str {
    let trimmed = html.trim_end();
    match trimmed.rfind('<').and_then(|at| trimmed.split_at_checked(at)) {
        Some((before, tag)) if tag.get(..3).is_some_and(|t| t.eq_ignore_ascii_case("<hr")) && tag.ends_with('>') => {
            before
        }
        _ => html,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str = "<html><head><style>.x{color:red}</style></head><body><div>Ja, das passt.</div>";

    #[test]
    fn the_quotes_of_every_program_are_cut() {
        for below in [
            "<div id=\"appendonsend\"></div><hr style=\"width:98%\"><div id=\"divRplyFwdMsg\"><b>Von:</b> Anna</div><div>Passt es?</div>",
            "<hr tabindex=\"-1\"><div id=\"divRplyFwdMsg\" dir=\"ltr\"><b>Von:</b> Anna</div>Passt es?",
            "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal><b><span lang=DE>Von:</span></b> Anna</p></div><p>Passt es?</p>",
            "<br><div class=\"gmail_quote gmail_quote_container\"><div dir=\"ltr\" class=\"gmail_attr\">Am 12.11. schrieb Anna:<br></div><blockquote class=\"gmail_quote\">Passt es?<div>x</div></blockquote></div>",
            "<div class=\"moz-cite-prefix\">Am 12.11. schrieb Anna:<br></div><blockquote type=\"cite\" cite=\"mid:x\"><div>Passt es?</div></blockquote><p><br>&nbsp;</p><div class=\"moz-signature\">-- <br>Bob</div>",
            "<div><br><blockquote type='cite'><div>Am 12.11. schrieb Anna:</div><br class=\"x\">Passt es?</blockquote></div><br>",
            "<div name=\"quote\" style=\"margin:10px\"><b>Gesendet:</b> x<div name=\"quoted-content\">Passt es?</div></div>",
            "<!-- > --><blockquote type=cite>Passt es?",
        ] {
            let html = format!("{TOP}{below}</body></html>");
            let kept = cut(&html).expect(below);
            assert!(
                kept.contains("das passt.")
                    && !kept.contains("Passt es?")
                    && !kept.contains("Anna")
                    && !kept.contains("<hr"),
                "{kept}"
            );
        }
    }

    #[test]
    fn answers_below_or_between_quotes_are_not_cut() {
        for below in [
            "<blockquote type=\"cite\">Passt es?</blockquote><p>Ja.</p>",
            "<div class=\"gmail_quote\">alt</div>&uuml;<br>",
        ] {
            assert_eq!(cut(&format!("{TOP}{below}")), None, "{below}");
        }
        let html = format!("{TOP}<blockquote type=cite>a</blockquote>Ja.<blockquote type=cite>b</blockquote>");
        assert_eq!(cut(&html), html.strip_suffix("<blockquote type=cite>b</blockquote>"));
    }

    #[test]
    fn what_would_leave_nothing_is_not_cut() {
        for html in [
            "<p>&nbsp;</p><blockquote type=cite>x</blockquote>",
            "<style>x</style><div class=gmail_quote>x</div>",
            "<p>Hallo</p>",
            "",
            "<",
            "<div class=",
            "<div class='gmail_quote",
        ] {
            assert_eq!(cut(html), None, "{html}");
        }
        assert!(cut("<img src=cid:x><div class=gmail_quote>x</div>").is_some());
    }

    #[test]
    fn an_attribute_is_found_however_it_is_written() {
        for attributes in [" a=1 class=\"x y\"", " CLASS = 'x y'", " data-class=\"no\" class=\"x y\""] {
            assert_eq!(attribute_value(attributes, "class"), Some("x y"), "{attributes}");
        }
        assert_eq!(attribute_value(" type=cite", "type"), Some("cite"));
        assert_eq!(attribute_value(" subclass=x", "class"), None);
    }

    #[test]
    fn documents_of_nothing_but_marks_come_to_an_end() {
        for html in [
            "<blockquote type=cite>".repeat(100_000),
            "<div style=border-top:solid>".repeat(20_000),
            "<style>".repeat(100_000),
            "<!--".repeat(100_000),
            "<div class=gmail_quote></div>x".repeat(20_000),
        ] {
            let length = html.len();
            assert!(cut(&html).is_none_or(|kept| kept.len() <= length));
        }
    }
}
