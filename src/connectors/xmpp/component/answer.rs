//! What other programs ask of us, and what they are told. Pure.

use crate::{
    connector::Profile,
    connectors::xmpp::{
        address::Identity,
        convert::error::Refusal,
        xml::{Build, child_text, element, ns, stanza},
    },
    ids::LocalUser,
    language::Language,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use xmpp_parsers::{
    caps::{Caps, compute_disco, hash_caps},
    disco::DiscoInfoResult,
    hashes::Algo,
    jid::Jid,
    minidom::Element,
};

const NODE: &str = "https://fehmarn.org";

/// What the address of a member of staff understands.
const FEATURES: &[&str] = &[
    ns::CHAT_STATES,
    ns::DISCO_INFO,
    ns::XHTML_IM,
    ns::NICK,
    ns::OOB,
    ns::CORRECT,
    ns::MARKERS,
    ns::FALLBACK,
    ns::RETRACT_1,
    ns::PING,
    ns::REACTIONS,
    ns::RECEIPTS,
    ns::REPLY,
    ns::SID,
    ns::STYLING,
    ns::VCARD,
];
const GATEWAY_FEATURES: &[&str] = &[ns::DISCO_INFO, ns::DISCO_ITEMS, ns::ESCAPING, ns::GATEWAY, ns::REGISTER, ns::PING];

/// What an iq stanza asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Ping,
    Info,
    Items,
    VCard,
    /// Whether one must sign up (XEP-0077), or wants to.
    Register {
        set: bool,
    },
    /// How an address is made from what people know (XEP-0100).
    Gateway {
        set: bool,
    },
    Other,
    /// It is an answer itself.
    Nothing,
}

pub fn asked(iq: &Element) -> Asked {
    let set = match iq.attr("type") {
        Some("get") => false,
        Some("set") => true,
        _ => return Asked::Nothing,
    };
    let Some(what) = iq.children().next() else { return Asked::Other };
    match (what.ns().as_str(), set) {
        (ns::PING, false) => Asked::Ping,
        (ns::DISCO_INFO, false) => Asked::Info,
        (ns::DISCO_ITEMS, false) => Asked::Items,
        (ns::VCARD, false) => Asked::VCard,
        (ns::REGISTER, set) => Asked::Register { set },
        (ns::GATEWAY, set) => Asked::Gateway { set },
        _ => Asked::Other,
    }
}

/// `user`: who is asked; `None`: the gateway itself.
pub fn to(
    iq: &Element,
    asked: Asked,
    identity: &Identity,
    user: Option<&LocalUser>,
    language: Language,
) -> Option<Element> {
    let query = iq.children().next();
    let gateway = user.is_none();
    let answer = match asked {
        Asked::Ping => return Some(result(iq)),
        Asked::Info => {
            let mut info = info(gateway);
            if let Some(node) = query.and_then(|query| query.attr("node")) {
                info = info.with("node", node);
            }
            info
        }
        Asked::Items => element("query", ns::DISCO_ITEMS),
        // Nobody signs up: whoever can write to us may.
        Asked::Register { set: true } if gateway => return Some(result(iq)),
        Asked::Register { set: false } if gateway => {
            let words = language.look_up("xmpp-register", &[]);
            element("query", ns::REGISTER)
                .holding(element("registered", ns::REGISTER))
                .holding(element("instructions", ns::REGISTER).saying(&words))
        }
        Asked::Gateway { set: false } if gateway => {
            let words = language.look_up("xmpp-gateway", &[]);
            element("query", ns::GATEWAY).holding(element("prompt", ns::GATEWAY).saying(&words))
        }
        Asked::Gateway { set: true } if gateway => {
            let name = query.and_then(|query| child_text(query, "prompt", ns::GATEWAY)).unwrap_or_default();
            let name = name.trim().trim_start_matches('@').split(':').next().unwrap_or_default().to_lowercase();
            match identity.address_of(&LocalUser::new(name)) {
                Some(jid) => element("query", ns::GATEWAY).holding(element("jid", ns::GATEWAY).saying(jid.as_str())),
                None => return Refusal::Unknown.of(iq, None),
            }
        }
        _ => return Refusal::NotOffered.of(iq, None),
    };
    Some(result(iq).holding(answer))
}

fn result(iq: &Element) -> Element {
    let [from, to, id] = ["to", "from", "id"].map(|name| iq.attr(name).unwrap_or_default());
    stanza("iq", "result", from, to).with("id", id)
}

fn info(gateway: bool) -> Element {
    let (category, kind, features) =
        if gateway { ("gateway", "matrix", GATEWAY_FEATURES) } else { ("client", "web", FEATURES) };
    let identity =
        element("identity", ns::DISCO_INFO).with("category", category).with("type", kind).with("name", "Fehmarn");
    let mut info = element("query", ns::DISCO_INFO).holding(identity);
    for feature in features {
        info.append_child(element("feature", ns::DISCO_INFO).with("var", feature));
    }
    info
}

/// What says in every presence what we understand (XEP-0115).
fn caps() -> Option<Element> {
    let disco = DiscoInfoResult::try_from(info(false)).ok()?;
    let hash = hash_caps(&compute_disco(&disco), Algo::Sha_1).ok()?;
    Some(Caps::new(NODE, hash).into())
}

/// To somebody who wants to see whether staff are there. `photo`: the hash of their picture (XEP-0153).
pub fn presence(
    identity: &Identity,
    kind: &str,
    to: &Jid,
    user: &LocalUser,
    known: bool,
    photo: Option<&str>,
) -> Vec<Element> {
    let (Some(bare), Some(full)) = (identity.address_of(user), identity.full_address_of(user)) else {
        return Vec::new();
    };
    let to_bare = to.to_bare();
    let say = |kind| stanza("presence", kind, bare.as_str(), to_bare.as_str());
    if !known {
        return if kind == "unsubscribe" { Vec::new() } else { vec![say("unsubscribed")] };
    }
    if kind == "unsubscribe" {
        return vec![say("unsubscribed"), stanza("presence", "unavailable", &full, to_bare.as_str())];
    }
    let photo = element("photo", ns::VCARD_UPDATE).saying(photo.unwrap_or_default());
    let mut here = stanza("presence", "", &full, to.as_str()).holding(element("x", ns::VCARD_UPDATE).holding(photo));
    if let Some(caps) = caps() {
        here.append_child(caps);
    }
    if kind == "subscribe" { vec![say("subscribed"), here] } else { vec![here] }
}

/// The gateway itself in somebody's contact list.
pub fn gateway_presence(identity: &Identity, presence: &Element, from: &Jid) -> Vec<Element> {
    let domain = identity.domain.as_str();
    let say = |kind| stanza("presence", kind, domain, from.to_bare().as_str());
    match presence.attr("type") {
        Some("subscribe") => vec![say("subscribed"), say("")],
        Some("probe") => vec![say("")],
        Some("unsubscribe") => vec![say("unsubscribed")],
        _ => Vec::new(),
    }
}

/// The card of a member of staff (XEP-0054).
pub fn vcard(iq: &Element, profile: &Profile) -> Option<Element> {
    let mut card = element("vCard", ns::VCARD)
        .holding(element("FN", ns::VCARD).saying(&profile.name))
        .holding(element("NICKNAME", ns::VCARD).saying(&profile.name));
    if let Some((kind, bytes)) = picture(profile) {
        let photo = element("PHOTO", ns::VCARD)
            .holding(element("TYPE", ns::VCARD).saying(kind))
            .holding(element("BINVAL", ns::VCARD).saying(&STANDARD.encode(bytes)));
        card.append_child(photo);
    }
    Some(result(iq).holding(card))
}

/// The hash of a picture in hexadecimal (XEP-0153 section 3.1).
pub fn photo_hash(profile: &Profile) -> Option<String> {
    let (_, bytes) = picture(profile)?;
    Some(hash_caps(bytes, Algo::Sha_1).ok()?.to_hex())
}

/// A picture that every program shows, with its type.
fn picture(profile: &Profile) -> Option<(&'static str, &[u8])> {
    const KINDS: &[(&[u8], &str)] =
        &[(b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif")];
    let (_, kind) = KINDS.iter().find(|(start, _)| profile.picture.starts_with(start))?;
    Some((kind, &profile.picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::new("m.test").unwrap()
    }

    fn ask(kind: &str, query: &str, user: Option<&str>) -> Option<Element> {
        let xml =
            format!("<iq xmlns='jabber:component:accept' from='b@x/y' to='m.test' id='1' type='{kind}'>{query}</iq>");
        let iq: Element = xml.parse().unwrap();
        to(&iq, asked(&iq), &identity(), user.map(LocalUser::new).as_ref(), Language::De)
    }

    fn kind(answer: &Element) -> &str {
        answer.attr("type").unwrap()
    }

    #[test]
    fn every_question_is_answered_and_no_answer() {
        let ping = ask("get", "<ping xmlns='urn:xmpp:ping'/>", Some("anna")).unwrap();
        assert_eq!([kind(&ping), ping.attr("to").unwrap(), ping.attr("id").unwrap()], ["result", "b@x/y", "1"]);
        let unknown = ask("get", "<query xmlns='jabber:iq:last'/>", Some("anna")).unwrap();
        assert_eq!(kind(&unknown), "error");
        assert_eq!(kind(&ask("set", "", None).unwrap()), "error");
        let result: Element =
            "<iq xmlns='jabber:component:accept' type='result' from='b@x' to='m.test'/>".parse().unwrap();
        assert_eq!(asked(&result), Asked::Nothing);
    }

    #[test]
    fn what_staff_understand_is_said_and_its_hash_is_the_same() {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info' node='n#v'/>";
        let answer = ask("get", query, Some("anna")).unwrap();
        let info = answer.get_child("query", ns::DISCO_INFO).unwrap();
        assert_eq!(info.attr("node"), Some("n#v"));
        let features: Vec<&str> = info.children().filter_map(|child| child.attr("var")).collect();
        assert!(features.contains(&ns::REACTIONS) && features.contains(&ns::RECEIPTS));
        assert!(caps().is_some());
        let gateway = ask("get", query, None).unwrap();
        let identity = gateway.get_child("query", ns::DISCO_INFO).unwrap().children().next().unwrap();
        assert_eq!(identity.attr("category"), Some("gateway"));
    }

    #[test]
    fn the_gateway_makes_an_address_from_a_name() {
        for typed in ["Anna", "@anna:example.org", " anna "] {
            let query = format!("<query xmlns='jabber:iq:gateway'><prompt>{typed}</prompt></query>");
            let answer = ask("set", &query, None).unwrap();
            let jid = answer.get_child("query", ns::GATEWAY).unwrap().get_child("jid", ns::GATEWAY).unwrap().text();
            assert_eq!(jid, "anna@m.test", "{typed}");
        }
    }

    #[test]
    fn only_who_exists_can_be_seen() {
        let (bob, anna) = (Jid::new("bob@x/y").unwrap(), LocalUser::new("anna"));
        let kinds = |kind, known| {
            let said = presence(&identity(), kind, &bob, &anna, known, None);
            said.iter().map(|it| it.attr("type").unwrap_or("here").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(kinds("subscribe", true), ["subscribed", "here"]);
        assert_eq!(kinds("probe", true), ["here"]);
        assert_eq!(kinds("unsubscribe", true), ["unsubscribed", "unavailable"]);
        assert_eq!(kinds("subscribe", false), ["unsubscribed"]);
        assert_eq!(kinds("probe", false), ["unsubscribed"]);
    }

    #[test]
    fn a_card_has_name_and_picture_and_nothing_that_is_no_picture() {
        let iq: Element =
            "<iq xmlns='jabber:component:accept' from='b@x' to='anna@m.test' id='1' type='get'/>".parse().unwrap();
        let card = |picture: &'static [u8]| {
            let profile = Profile { name: "Anna Muster".into(), picture: picture.into() };
            let answer = vcard(&iq, &profile).unwrap();
            (answer.get_child("vCard", ns::VCARD).unwrap().clone(), photo_hash(&profile))
        };
        let (with, hash) = card(b"\x89PNG...");
        assert_eq!(child_text(&with, "FN", ns::VCARD).unwrap(), "Anna Muster");
        let photo = with.get_child("PHOTO", ns::VCARD).unwrap();
        assert_eq!(child_text(photo, "BINVAL", ns::VCARD).unwrap(), STANDARD.encode(b"\x89PNG..."));
        assert_eq!(hash.unwrap().len(), 40);
        let (without, hash) = card(b"<svg/>");
        assert!(!without.has_child("PHOTO", ns::VCARD) && hash.is_none());
    }
}
