//! HTML as mail programs show it. Outlook for Windows lays out with Word: styles must stand at the element, there is no
//! flex, a font list whose first font is missing becomes Times, and a table does not take over the font around it.

use super::links;
use crate::connectors::email::text::html as convert;
use ammonia::{Builder, UrlRelative};
use mail_builder::{headers::content_type::ContentType, mime::MimePart};
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

const BEFORE: &str = "<!DOCTYPE html>\r\n<html><head><meta charset=\"utf-8\"></head>\r\n<body>\r\n\
    <div style=\"font-family:Calibri,Helvetica,Arial,sans-serif;font-size:11pt\">\r\n";
const AFTER: &str = "\r\n</div>\r\n</body></html>\r\n";
const QUOTE: &str = "margin:0 0 8pt 0;padding:0 0 0 8pt;border-left:2pt solid #c8c8c8;color:#595959";
/// Below words that are not in a paragraph there would be no space.
const LAST_QUOTE: &str = "margin:12pt 0 0 0;padding:0 0 0 8pt;border-left:2pt solid #c8c8c8;color:#595959";
const SMALL: &str = "margin:12pt 0 0 0;font-size:9pt;color:#595959";

const LIST_SPACE: &str = "margin-bottom:8pt";

/// The elements that are carried over, each with its style. Whatever stands in others stays, without them.
const ELEMENTS: &[(&str, &str)] = &[
    ("p", "margin:0 0 8pt 0"),
    ("h1", "margin:0 0 8pt 0;font-size:18pt"),
    ("h2", "margin:0 0 8pt 0;font-size:15pt"),
    ("h3", "margin:0 0 8pt 0;font-size:13pt"),
    ("h4", "margin:0 0 8pt 0;font-size:11pt"),
    ("h5", "margin:0 0 8pt 0;font-size:11pt"),
    ("h6", "margin:0 0 8pt 0;font-size:11pt"),
    ("blockquote", QUOTE),
    ("ul", "margin-top:0;margin-bottom:8pt"),
    ("ol", "margin-top:0;margin-bottom:8pt"),
    ("li", ""),
    ("a", ""),
    ("b", ""),
    ("strong", ""),
    ("i", ""),
    ("em", ""),
    ("u", ""),
    ("del", ""),
    ("s", ""),
    ("sup", ""),
    ("sub", ""),
    ("br", ""),
    ("hr", ""),
    ("div", ""),
    ("span", ""),
    ("code", "font-family:Consolas,'Courier New',monospace;font-size:10pt;background:#f3f3f3"),
    (
        "pre",
        "margin:0 0 8pt 0;padding:6pt;font-family:Consolas,'Courier New',monospace;font-size:10pt;\
         background:#f3f3f3;white-space:pre-wrap",
    ),
    ("table", "margin:0 0 8pt 0;border-collapse:collapse"),
    ("caption", "font-size:9pt;color:#595959;text-align:left"),
    ("thead", ""),
    ("tbody", ""),
    ("tr", ""),
    (
        "th",
        "padding:3pt 6pt;border:1px solid #bfbfbf;background:#f3f3f3;text-align:left;\
         font-family:Calibri,Helvetica,Arial,sans-serif;font-size:11pt",
    ),
    (
        "td",
        "padding:3pt 6pt;border:1px solid #bfbfbf;vertical-align:top;\
         font-family:Calibri,Helvetica,Arial,sans-serif;font-size:11pt",
    ),
    ("details", ""),
    ("summary", "font-weight:bold"),
];

/// A writer's HTML with what it needs to look right. Nothing remote and nothing active stays in it.
pub fn formatted(html: &str) -> String {
    static STYLED: LazyLock<Builder<'static>> = LazyLock::new(styled);
    links::linked(&tightened(&STYLED.clean(html).to_string()))
}

/// Without the space below lists that stand in a list.
fn tightened(html: &str) -> String {
    let (mut tightened, mut depth) = (Vec::new(), 0usize);
    for piece in html.split('<') {
        let is_list = |begin: &str| piece.strip_prefix(begin).is_some_and(|rest| rest.starts_with([' ', '>']));
        if is_list("/ul") || is_list("/ol") {
            depth = depth.saturating_sub(1);
        }
        let is_inner = depth > 0 && (is_list("ul") || is_list("ol"));
        depth += usize::from(is_list("ul") || is_list("ol"));
        let piece = if is_inner { piece.replacen(LIST_SPACE, "margin-bottom:0", 1) } else { piece.to_owned() };
        tightened.push(piece);
    }
    tightened.join("<")
}

fn styled() -> Builder<'static> {
    let styles = ELEMENTS.iter().filter(|(_, style)| !style.is_empty());
    let cells = HashSet::from(["colspan", "rowspan"]);
    let mut builder = Builder::empty();
    builder
        .tags(ELEMENTS.iter().map(|(element, _)| *element).collect())
        .clean_content_tags(HashSet::from(["script", "style", "title", "head", "template"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("ol", HashSet::from(["start"])),
            ("th", cells.clone()),
            ("td", cells),
        ]))
        .set_tag_attribute_values(
            styles.map(|(element, style)| (*element, HashMap::from([("style", *style)]))).collect(),
        )
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(None);
    builder
}

/// Text as HTML in which its line breaks and the spaces that indent it are seen.
pub fn of_text(text: &str) -> String {
    let html = convert::from_text(text).replace('\t', "&nbsp;&nbsp;&nbsp; ").replace("  ", "&nbsp; ");
    links::linked(&html.replace("\n ", "\n&nbsp;"))
}

/// What somebody else said, with a bar at its side.
pub fn quoted(html: &str) -> String {
    format!("<blockquote type=\"cite\" style=\"{LAST_QUOTE}\">{}</blockquote>", links::linked(html))
}

/// Lines that are not the subject.
pub fn small(html: &str) -> String {
    format!("<div style=\"{SMALL}\">{}</div>", links::linked(html))
}

/// A whole document as a part of a mail.
pub fn part(html: &str) -> MimePart<'static> {
    let html = html.replace('\n', "\r\n");
    let kind = ContentType::new("text/html").attribute("charset", "utf-8");
    MimePart::new(kind, format!("{BEFORE}{html}{AFTER}"))
}
