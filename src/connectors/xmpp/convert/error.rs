//! Stanza errors (RFC 6120 section 8.3), both ways.

use crate::{
    connectors::xmpp::xml::{Build, child_text, element, ns},
    failure::{Failure, Reason},
};
use xmpp_parsers::minidom::Element;

/// What a stanza that was given back says. The detail names the condition only: the text beside it is anybody's.
pub fn failure(stanza: &Element) -> Failure {
    let error = stanza.children().find(|child| child.name() == "error");
    let kind = error.and_then(|error| error.attr("type")).unwrap_or("cancel");
    let is_condition = |child: &&Element| child.ns() == ns::STANZA_ERRORS && child.name() != "text";
    let condition = error.and_then(|error| error.children().find(is_condition)).map_or("undefined", Element::name);
    let detail = format!("{condition} ({kind})");
    let (reason, transient) = match condition {
        "item-not-found" | "jid-malformed" | "gone" => (Reason::UnknownRecipient, false),
        // Servers say the same of accounts that do not exist, that are closed to us, and that nobody is at.
        "service-unavailable" => (Reason::NobodyThere, false),
        "remote-server-not-found" => (Reason::Unreachable, false),
        "remote-server-timeout" => (Reason::Unreachable, true),
        "resource-constraint" | "internal-server-error" | "recipient-unavailable" => (Reason::Busy, true),
        _ if kind == "wait" => (Reason::Busy, true),
        _ => (Reason::Refused, false),
    };
    if transient { Failure::transient(reason, detail) } else { Failure::permanent(reason, detail) }
}

/// What an error says to people beside its condition.
pub fn text(stanza: &Element) -> Option<String> {
    const LONGEST: usize = 300;
    let error = stanza.children().find(|child| child.name() == "error")?;
    let text = child_text(error, "text", ns::STANZA_ERRORS)?;
    Some(text.trim().chars().take(LONGEST).collect()).filter(|text: &String| !text.is_empty())
}

/// Why we give a stanza back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such member of staff.
    Unknown,
    /// Try again later.
    NotNow,
    TooLarge,
    /// Encrypted for somebody who could read it.
    Sealed,
    NotOffered,
}

impl Refusal {
    fn condition(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => ("cancel", "item-not-found"),
            Self::NotNow => ("wait", "internal-server-error"),
            Self::TooLarge => ("modify", "policy-violation"),
            Self::Sealed => ("modify", "not-acceptable"),
            Self::NotOffered => ("cancel", "service-unavailable"),
        }
    }

    /// Gives a stanza back. `None` for what must not be answered: an error, or the answer to a question of ours. `words`:
    /// for whoever has sent it.
    pub fn of(self, stanza: &Element, words: Option<&str>) -> Option<Element> {
        if matches!(stanza.attr("type"), Some("error" | "result")) {
            return None;
        }
        let (kind, condition) = self.condition();
        let mut error = element("error", ns::COMPONENT).with("type", kind);
        error.append_child(element(condition, ns::STANZA_ERRORS));
        if let Some(words) = words {
            error.append_child(element("text", ns::STANZA_ERRORS).saying(words));
        }
        let mut answer = element(stanza.name(), ns::COMPONENT).with("type", "error").holding(error);
        for (ours, theirs) in [("from", "to"), ("to", "from"), ("id", "id")] {
            if let Some(value) = stanza.attr(theirs) {
                answer = answer.with(ours, value);
            }
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Retry;

    fn given_back(kind: &str, condition: &str) -> Failure {
        let xml = format!(
            "<message xmlns='jabber:component:accept' type='error'><error type='{kind}'>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>anything</text>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        );
        failure(&xml.parse().unwrap())
    }

    #[test]
    fn every_condition_is_a_reason_and_says_whether_it_passes() {
        for (kind, condition, reason, transient) in [
            ("cancel", "item-not-found", Reason::UnknownRecipient, false),
            ("modify", "jid-malformed", Reason::UnknownRecipient, false),
            ("cancel", "service-unavailable", Reason::NobodyThere, false),
            ("cancel", "remote-server-not-found", Reason::Unreachable, false),
            ("modify", "gone", Reason::UnknownRecipient, false),
            ("wait", "remote-server-timeout", Reason::Unreachable, true),
            ("cancel", "remote-server-timeout", Reason::Unreachable, true),
            ("wait", "resource-constraint", Reason::Busy, true),
            ("cancel", "resource-constraint", Reason::Busy, true),
            ("cancel", "internal-server-error", Reason::Busy, true),
            ("cancel", "recipient-unavailable", Reason::Busy, true),
            ("modify", "not-acceptable", Reason::Refused, false),
            ("auth", "forbidden", Reason::Refused, false),
            ("wait", "something-new", Reason::Busy, true),
        ] {
            let failure = given_back(kind, condition);
            assert_eq!((failure.reason, failure.retry == Retry::Transient(None)), (reason, transient), "{condition}");
        }
        let bare: Element = "<message xmlns='jabber:component:accept' type='error'/>".parse().unwrap();
        assert!(failure(&bare).is_permanent());
    }

    #[test]
    fn what_is_given_back_goes_to_whom_it_came_from_and_errors_do_not() {
        let stanza: Element =
            "<message xmlns='jabber:component:accept' from='b@x' to='a@y' id='7'><body/></message>".parse().unwrap();
        let answer = Refusal::Sealed.of(&stanza, Some("nein")).unwrap();
        assert_eq!(
            ["from", "to", "id", "type"].map(|it| answer.attr(it)),
            [Some("a@y"), Some("b@x"), Some("7"), Some("error")]
        );
        assert!(Refusal::Unknown.of(&answer, None).is_none());
    }

    #[test]
    fn each_refusal_has_the_condition_that_programs_know() {
        let stanza: Element =
            "<message xmlns='jabber:component:accept' from='b@x' to='a@y' id='7'><body/></message>".parse().unwrap();
        for (refusal, kind, condition) in [
            (Refusal::Unknown, "cancel", "item-not-found"),
            (Refusal::NotNow, "wait", "internal-server-error"),
            (Refusal::TooLarge, "modify", "policy-violation"),
            (Refusal::Sealed, "modify", "not-acceptable"),
            (Refusal::NotOffered, "cancel", "service-unavailable"),
        ] {
            let answer = refusal.of(&stanza, None).unwrap();
            let error = answer.get_child("error", ns::COMPONENT).unwrap();
            assert_eq!(error.attr("type"), Some(kind), "{condition}");
            assert!(error.has_child(condition, ns::STANZA_ERRORS), "{condition}");
        }
    }
}
