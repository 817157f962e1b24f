//! One stanza as it comes from the stream: any XML, but not any amount of it.

use rxml::{AttrMap, Event, QName};
use xmpp_parsers::minidom::Element;
use xso::{
    Context, FromEventsBuilder, FromXml,
    error::{Error, FromEventsError},
};

/// Servers take at most a quarter to half a megabyte from their own users.
const LARGEST: usize = 512 << 10;
/// People write no deeper; taking apart what is nested without end would overflow the stack.
const DEEPEST: usize = 64;
/// What an element costs besides its texts.
const ELEMENT: usize = 64;

/// What a stream carries.
#[derive(Debug)]
pub struct Stanza {
    pub element: Element,
    /// It was too large or too deep: nothing is left of it but its outermost tag.
    pub cut: bool,
}

impl FromXml for Stanza {
    type Builder = Gauge;

    fn from_events(name: QName, attrs: AttrMap, ctx: &Context<'_>) -> Result<Gauge, FromEventsError> {
        let size = size_of(&name, &attrs);
        let head = Element::from_events(name.clone(), attrs.clone(), ctx)?;
        let inner = Element::from_events(name, attrs, ctx)?;
        Ok(Gauge { head: Some(head), inner: Some(inner), depth: 1, size })
    }
}

/// Takes up a stanza, and counts.
pub struct Gauge {
    /// Only the outermost tag.
    head: Option<<Element as FromXml>::Builder>,
    /// `None`: what came is too much.
    inner: Option<<Element as FromXml>::Builder>,
    depth: usize,
    size: usize,
}

impl FromEventsBuilder for Gauge {
    type Output = Stanza;

    fn feed(&mut self, event: Event, ctx: &Context<'_>) -> Result<Option<Stanza>, Error> {
        match &event {
            Event::StartElement(_, name, attrs) => {
                self.depth += 1;
                self.size += size_of(name, attrs);
            }
            Event::Text(_, text) => self.size += text.len(),
            Event::EndElement(_) => self.depth -= 1,
            Event::XmlDeclaration(..) => {}
        }
        if self.depth > DEEPEST || self.size > LARGEST {
            self.inner = None;
        }
        match &mut self.inner {
            Some(inner) => Ok(inner.feed(event, ctx)?.map(|element| Stanza { element, cut: false })),
            None if self.depth == 0 => {
                let Some(mut head) = self.head.take() else { return Ok(None) };
                Ok(head.feed(event, ctx)?.map(|element| Stanza { element, cut: true }))
            }
            None => Ok(None),
        }
    }
}

fn size_of((_, name): &QName, attrs: &AttrMap) -> usize {
    ELEMENT + name.len() + attrs.iter().map(|((_, name), value)| ELEMENT + name.len() + value.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Stanza {
        xso::from_bytes(xml.as_bytes()).unwrap()
    }

    fn message(content: &str) -> Stanza {
        read(&format!("<message xmlns='jabber:component:accept' id='1'>{content}</message>"))
    }

    #[test]
    fn an_ordinary_stanza_stays_as_it_is() {
        let stanza = message("<body>Guten <b>Tag</b></body>");
        assert!(!stanza.cut);
        assert_eq!(stanza.element.children().count(), 1);
    }

    #[test]
    fn what_is_too_deep_or_too_large_leaves_only_its_tag() {
        let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
        let wide = "<a/>".repeat(LARGEST / ELEMENT);
        let long = format!("<body>{}</body>", "x".repeat(LARGEST));
        for content in [deep, wide, long] {
            let stanza = message(&content);
            assert!(stanza.cut);
            assert_eq!((stanza.element.attr("id"), stanza.element.nodes().count()), (Some("1"), 0));
        }
    }
}
