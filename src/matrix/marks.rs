//! What a portal says of itself in its state, for clients: which network it leads to, and who in it is no person. Pure.

use ruma::{UserId, events::AnyInitialStateEvent, serde::Raw};
use serde_json::{Value, json};

/// A piece of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub kind: &'static str,
    pub key: String,
    pub content: Value,
}

/// Where a portal leads.
#[derive(Clone, Copy, Debug)]
pub struct Leads<'a> {
    pub bot: &'a UserId,
    /// Who brought the network into the room.
    pub ghost: &'a UserId,
    pub network: &'a str,
    /// Whom or what it reaches there, as people call it.
    pub to: &'a str,
}

impl Leads<'_> {
    /// MSC2346 under its own name and the one that came before it, and the list by which clients see that a chat with the
    /// bot in it is still one of two people.
    pub fn marks(&self) -> Vec<Mark> {
        let Self { bot, ghost, network, to } = self;
        let key = format!("org.fehmarn.{network}");
        let content = json!({
            "bridgebot": bot, "creator": ghost,
            "protocol": { "id": network, "displayname": network },
            "channel": { "id": to, "displayname": to },
        });
        let bridge = |kind| Mark { kind, key: key.clone(), content: content.clone() };
        let service_members = json!({ "service_members": [bot] });
        let functional = Mark { kind: "io.element.functional_members", key: String::new(), content: service_members };
        vec![functional, bridge("m.bridge"), bridge("uk.half-shot.bridge")]
    }
}

impl Mark {
    pub(super) fn initial(&self) -> Option<Raw<AnyInitialStateEvent>> {
        let event = json!({ "type": self.kind, "state_key": self.key, "content": self.content });
        Raw::new(&event).ok().map(Raw::cast_unchecked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::user_id;

    #[test]
    fn a_portal_names_its_network_and_who_is_no_person() {
        let (bot, ghost) = (user_id!("@fehmarn:x"), user_id!("@_email_bob:x"));
        let marks = Leads { bot, ghost, network: "email", to: "bob@example.org" }.marks();
        let kinds: Vec<_> = marks.iter().map(|mark| (mark.kind, mark.key.as_str())).collect();
        let key = "org.fehmarn.email";
        assert_eq!(kinds, [("io.element.functional_members", ""), ("m.bridge", key), ("uk.half-shot.bridge", key)]);
        assert_eq!(marks[0].content, json!({ "service_members": ["@fehmarn:x"] }));
        assert_eq!(marks[1].content["channel"]["id"], "bob@example.org");
        assert_eq!(marks[1].content, marks[2].content);
    }
}
