//! XHTML-IM (XEP-0071) as HTML. Pure. Whatever is not in the table loses its tag and keeps its words.

use super::styling::push_escaped;
use crate::connectors::xmpp::xml::ns;
use xmpp_parsers::minidom::{Element, Node};

const KEPT: &[&str] = &[
    "a",
    "blockquote",
    "br",
    "cite",
    "code",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "strong",
    "ul",
    "b",
    "i",
    "u",
    "s",
    "del",
    "sub",
    "sup",
];
const DROPPED: &[&str] = &["script", "style", "head", "title"];
const SCHEMES: &[&str] = &["https:", "http:", "mailto:", "tel:"];

/// The words of a message in their rich form; `None` if there is none.
pub fn html(message: &Element) -> Option<String> {
    let body = message.get_child("html", ns::XHTML_IM)?.get_child("body", ns::XHTML)?;
    let mut html = String::new();
    content(body, &mut html);
    (!html.trim().is_empty()).then_some(html)
}

/// A stanza is only so deep, so this is too.
fn content(element: &Element, html: &mut String) {
    for node in element.nodes() {
        match node {
            Node::Text(text) => push_escaped(html, text),
            Node::Element(child) if DROPPED.contains(&child.name()) => {}
            Node::Element(child) => tagged(child, html),
        }
    }
}

fn tagged(element: &Element, html: &mut String) {
    let Some(tag) = styled(element).or_else(|| KEPT.iter().find(|tag| **tag == element.name()).copied()) else {
        return content(element, html);
    };
    html.push('<');
    html.push_str(tag);
    let safe = |href: &&str| SCHEMES.iter().any(|scheme| href.to_ascii_lowercase().starts_with(scheme));
    if let Some(href) = element.attr("href").filter(safe).filter(|_| tag == "a") {
        html.push_str(" href=\"");
        push_escaped(html, href);
        html.push('"');
    }
    html.push('>');
    if tag != "br" {
        content(element, html);
        html.push_str(&format!("</{tag}>"));
    }
}

/// Clients mark words with styles as often as with tags.
fn styled(element: &Element) -> Option<&'static str> {
    if element.name() != "span" {
        return None;
    }
    let style = element.attr("style")?.to_ascii_lowercase().replace(' ', "");
    let tags = [
        ("font-weight:bold", "strong"),
        ("font-style:italic", "em"),
        ("text-decoration:line-through", "del"),
        ("text-decoration:underline", "u"),
    ];
    tags.into_iter().find(|(property, _)| style.contains(property)).map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<String> {
        let xml = format!(
            "<message xmlns='jabber:component:accept'><html xmlns='http://jabber.org/protocol/xhtml-im'>\
             <body xmlns='http://www.w3.org/1999/xhtml'>{body}</body></html></message>"
        );
        html(&xml.parse().unwrap())
    }

    #[test]
    fn marked_words_links_and_lists_stay() {
        let body = "<p>Bitte <strong>heute</strong> <span style='font-style: italic'>noch</span></p><ul><li>a &lt; b</li></ul>\
                    <a href='https://example.org/?a=1&amp;b=\"'>hier</a><br/>";
        let expected = "<p>Bitte <strong>heute</strong> <em>noch</em></p><ul><li>a &lt; b</li></ul>\
                        <a href=\"https://example.org/?a=1&amp;b=&quot;\">hier</a><br>";
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn what_is_dangerous_or_unknown_goes_and_its_words_stay() {
        let body = "<script>x</script><marquee onclick='y'>Hallo</marquee><a href='javascript:z'>Link</a>\
                    <img src='http://spy.example/1.png' alt=''/>";
        assert_eq!(read(body).unwrap(), "Hallo<a>Link</a>");
        assert_eq!(read(" "), None);
    }
}
