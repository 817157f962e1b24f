//! What the bot says.

use super::{Language, Network};
use crate::failure::Reason;

pub(super) fn welcome(language: Language, networks: &[Network], room: Option<&str>) -> String {
    format!("{}\n\n{}", language.look_up("bot-welcome", &[]), help(language, networks, room))
}

/// `room`: an address of a remote room, should there be any.
pub(super) fn help(language: Language, networks: &[Network], room: Option<&str>) -> String {
    let write = networks.iter().map(|it| language.look_up("bot-help-write", &[("example", &it.example())]));
    let about_rooms = ["bot-help-room", "bot-help-room-password"];
    let rooms =
        room.into_iter().flat_map(|example| about_rooms.map(|key| language.look_up(key, &[("example", example)])));
    let write = write.chain(rooms);
    let rest = ["bot-help-address", "bot-help-status", "bot-help-language", "bot-help-help"];
    let rest = rest.into_iter().map(|key| language.look_up(key, &[]));
    write.chain(rest).collect::<Vec<_>>().join("\n")
}

pub(super) fn not_understood(language: Language, networks: &[Network], room: Option<&str>) -> String {
    format!("{}\n\n{}", language.look_up("bot-not-understood", &[]), help(language, networks, room))
}

pub(super) fn which_language(language: Language) -> String {
    language.look_up("bot-which-language", &[])
}

pub(super) fn language_chosen(language: Language) -> String {
    language.look_up("bot-language-chosen", &[])
}

pub(super) fn failed(language: Language, reason: Reason) -> String {
    let reason = language.look_up(&format!("reason-{}", reason.key()), &[]);
    language.look_up("bot-failed", &[("reason", &reason)])
}

/// What was typed is no address of any network, or not of the one that was named.
pub(super) fn not_an_address(language: Language, typed: &str, networks: &[Network]) -> String {
    let typed: String = typed.chars().take(100).collect();
    let examples: Vec<String> = networks.iter().map(|it| format!("`{}`", it.example())).collect();
    match typed.as_str() {
        "" => language.look_up("bot-address-missing", &[("example", &examples.join(", "))]),
        typed => language.look_up("bot-not-an-address", &[("address", typed), ("example", &examples.join(", "))]),
    }
}

/// Several networks have such an address.
pub(super) fn which_network(language: Language, address: &str, networks: &[Network]) -> String {
    let word = |it: &Network| it.spoken.words.first().copied().unwrap_or(it.name);
    let choices: Vec<String> = networks.iter().map(|it| format!("`{} {address}`", word(it))).collect();
    language.look_up("bot-which-network", &[("choices", &choices.join(", "))])
}

pub(super) fn conversation_ready(language: Language, person: &str, link: &str) -> String {
    language.look_up("bot-conversation-ready", &[("person", person), ("link", link)])
}

pub(super) fn conversation_known(language: Language, person: &str, link: &str) -> String {
    language.look_up("bot-conversation-known", &[("person", person), ("link", link)])
}

pub(super) fn room_missing(language: Language, example: &str) -> String {
    language.look_up("bot-room-missing", &[("example", &format!("`{example}`"))])
}

pub(super) fn room_ready(language: Language, room: &str, link: &str) -> String {
    language.look_up("bot-room-ready", &[("room", room), ("link", link)])
}

pub(super) fn room_known(language: Language, room: &str, link: &str) -> String {
    language.look_up("bot-room-known", &[("room", room), ("link", link)])
}

pub(super) fn room_needs_password(language: Language, room: &str) -> String {
    language.look_up("bot-room-needs-password", &[("room", room)])
}

pub(super) fn password_gone(language: Language) -> String {
    language.look_up("bot-password-gone", &[])
}

pub(super) fn password_remains(language: Language) -> String {
    language.look_up("bot-password-remains", &[])
}
