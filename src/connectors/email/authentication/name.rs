//! What a sender calls themself, as far as it may be shown: a name must not pose as somebody's address.

use super::alike::Own;
use crate::ids::RemoteUserId;

/// Characters without a picture that a line may hold: fillers, blanks, tags. Names do not need them.
const BLANK: &[char] =
    &['\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{180e}', '\u{2800}', '\u{3164}', '\u{ffa0}'];
const AT_SIGNS: &[char] = &['@', '\u{ff20}', '\u{fe6b}'];

/// The name; `None` if people are better off with the address. Our own domain only its people may name.
pub fn honest(name: &str, from: &RemoteUserId, own: &Own) -> Option<String> {
    let is_seen = |c: &char| !BLANK.contains(c) && !matches!(c, '\u{e0000}'..='\u{e0fff}');
    let name: String = name.chars().filter(is_seen).collect();
    let name = name.trim();
    let is_own = from.address().rsplit('@').next().is_some_and(|domain| domain == own.domain);
    let names_us = !is_own && own.is_named_in(name);
    (!name.is_empty() && !name.contains(AT_SIGNS) && !names_us).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> Option<String> {
        honest(name, &RemoteUserId::new("eve@evil.example"), &Own::new("amt.example"))
    }

    #[test]
    fn a_name_that_poses_as_an_address_is_not_shown() {
        for name in [
            "anna@amt.example",
            "bob@other.example",
            "Anna Muster (anna@amt.example)",
            "Anna Muster <anna\u{ff20}amt.example>",
            "amt.example",
            "Anna Muster, arnt.example",
            "Anna | \u{430}mt.example",
            "\u{2800}\u{3164}",
            " ",
        ] {
            assert_eq!(shown(name), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_shown_as_they_are() {
        for name in [
            "Eve Beispiel",
            "Dr. J\u{f6}rg Mei\u{df}ner-\u{d8}rsted",
            "Beispiel GmbH & Co. KG",
            "\u{418}\u{432}\u{430}\u{43d}",
            "amt",
        ] {
            assert_eq!(shown(name).as_deref(), Some(name));
        }
        assert_eq!(
            honest("amt.example Poststelle", &RemoteUserId::new("post@amt.example"), &Own::new("amt.example"))
                .as_deref(),
            Some("amt.example Poststelle")
        );
    }
}
