//! Names and pictures of people outside: their card (XEP-0054), else the picture that they have published (XEP-0084).

use super::{
    address::Identity,
    component::Component,
    xml::{Build, child_text, element, ns, stanza},
};
use crate::{connector::Profile, failure::Failure, ids::RemoteUserId};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use xmpp_parsers::minidom::Element;

/// The largest picture in bytes; a stanza holds no more.
const PICTURE: usize = 350_000;
/// What clients of both networks show.
const KINDS: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];
/// The longest name, in characters.
const NAME: usize = 100;

/// `None`: nobody says anything about them. What is refused or missing is nothing; no connection is a failure.
pub async fn of(component: &Component, identity: &Identity, user: &RemoteUserId) -> Result<Option<Profile>, Failure> {
    let ask = async |question: Element| {
        let iq = stanza("iq", "get", identity.domain.as_str(), user.address()).holding(question);
        match component.ask(iq).await {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.is_permanent() => Ok(None),
            Err(failure) => Err(failure),
        }
    };
    let card = ask(element("vCard", ns::VCARD)).await?;
    let mut profile = card.as_ref().map(read_card).unwrap_or_default();
    if profile.picture.is_empty()
        && let Some(id) = ask(items(ns::AVATAR_METADATA, None)).await?.as_ref().and_then(published)
        && let Some(data) = ask(items(ns::AVATAR_DATA, Some(&id))).await?
    {
        profile.picture = read_picture(&data);
    }
    Ok((profile != Profile::default()).then_some(profile))
}

fn read_card(answer: &Element) -> Profile {
    let Some(card) = answer.get_child("vCard", ns::VCARD) else { return Profile::default() };
    let text = |name: &str| {
        let text = child_text(card, name, ns::VCARD)?;
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME).collect();
        (!text.is_empty()).then_some(text)
    };
    let photo = card.get_child("PHOTO", ns::VCARD).and_then(|photo| child_text(photo, "BINVAL", ns::VCARD));
    Profile {
        name: text("FN").or_else(|| text("NICKNAME")).unwrap_or_default(),
        picture: photo.map(|photo| decode(&photo)).unwrap_or_default(),
    }
}

/// The question for what somebody has published (XEP-0060 section 6.5).
fn items(node: &str, id: Option<&str>) -> Element {
    let items = element("items", ns::PUBSUB).with("node", node);
    let items = match id {
        Some(id) => items.holding(element("item", ns::PUBSUB).with("id", id)),
        None => items.with("max_items", "1"),
    };
    element("pubsub", ns::PUBSUB).holding(items)
}

fn item(answer: &Element) -> Option<&Element> {
    answer.get_child("pubsub", ns::PUBSUB)?.get_child("items", ns::PUBSUB)?.get_child("item", ns::PUBSUB)
}

/// By which id the picture can be had, if it is one that we take. What lies elsewhere on the web is not fetched.
fn published(answer: &Element) -> Option<String> {
    let metadata = item(answer)?.get_child("metadata", ns::AVATAR_METADATA)?;
    let is_usable = |info: &&Element| {
        let bytes = info.attr("bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
        let kind = info.attr("type").unwrap_or_default();
        info.name() == "info" && info.attr("url").is_none() && bytes <= PICTURE && KINDS.contains(&kind)
    };
    metadata.children().find(is_usable)?.attr("id").map(str::to_owned)
}

fn read_picture(answer: &Element) -> Bytes {
    let data = item(answer).and_then(|item| child_text(item, "data", ns::AVATAR_DATA));
    data.map(|data| decode(&data)).unwrap_or_default()
}

/// Nothing of what is too large or no Base64.
fn decode(text: &str) -> Bytes {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.len() / 4 * 3 > PICTURE {
        return Bytes::new();
    }
    STANDARD.decode(text).map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content: &str) -> Element {
        format!("<iq xmlns='jabber:component:accept' type='result'>{content}</iq>").parse().unwrap()
    }

    #[test]
    fn a_card_has_a_name_and_a_picture() {
        let card = |content: &str| read_card(&answer(&format!("<vCard xmlns='vcard-temp'>{content}</vCard>")));
        let bob = card("<FN> Bob\n Meier </FN><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBO\nRw0K</BINVAL></PHOTO>");
        assert_eq!((bob.name.as_str(), &bob.picture[..]), ("Bob Meier", &b"\x89PNG\r\n"[..]));
        assert_eq!(card("<FN/><NICKNAME>bobby</NICKNAME>").name, "bobby");
        let large = "A".repeat(PICTURE * 2);
        assert!(card(&format!("<PHOTO><BINVAL>{large}</BINVAL></PHOTO>")).picture.is_empty());
        assert_eq!(card("<PHOTO><BINVAL>?</BINVAL></PHOTO>"), Profile::default());
        assert_eq!(read_card(&answer("")), Profile::default());
    }

    #[test]
    fn of_a_published_picture_that_form_is_taken_which_can_be_had_here() {
        let metadata = |infos: &str| {
            answer(&format!(
                "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'><item id='a'>\
                 <metadata xmlns='urn:xmpp:avatar:metadata'>{infos}</metadata></item></items></pubsub>"
            ))
        };
        let there = "<info id='web' type='image/png' bytes='9' url='https://x.test/a.png'/>\
                     <info id='svg' type='image/svg+xml' bytes='9'/><info id='big' type='image/png' bytes='9999999'/>\
                     <info id='good' type='image/png' bytes='9'/>";
        assert_eq!(published(&metadata(there)).as_deref(), Some("good"));
        assert_eq!(published(&metadata("")), None);
        let data = answer(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'><item id='good'>\
             <data xmlns='urn:xmpp:avatar:data'>R0lGODg=</data></item></items></pubsub>",
        );
        assert_eq!(&read_picture(&data)[..], b"GIF88");
    }
}
