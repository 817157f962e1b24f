//! What somebody wants who writes to the bot. Pure.

use super::Network;

/// What is asked of the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request<'t> {
    Help,
    Status,
    /// The name of the language, if there is one.
    Language(Option<&'t str>),
    /// The portal of the remote room with this address, which may be anything; and what lets people in there.
    Room {
        address: &'t str,
        password: Option<&'t str>,
    },
    /// A conversation with whoever has this address: on a network, or on the one to which it fits. It may be anything.
    Write {
        network: Option<&'static str>,
        address: &'t str,
    },
}

const HELP: &[&str] = &["help", "hilfe", "?", "hallo", "hello", "hi", "moin"];
const STATUS: &[&str] = &["status", "stand"];
const ROOM: &[&str] = &["room", "raum"];
const PASSWORD: &[&str] = &["password", "kennwort", "passwort"];
const LANGUAGE: &[&str] = &["language", "sprache"];
/// What may stand between the word for a network and the address.
const FILLERS: &[&str] = &["an", "to"];

/// Reads what somebody has written, in any case; people who come from other bridges put a mark before it.
pub(super) fn read<'t>(text: &'t str, networks: &[Network]) -> Request<'t> {
    let text = text.trim().trim_start_matches(['!', '/']).trim_start();
    let (first, rest) = split(text);
    let first = first.trim_end_matches(':').to_lowercase();
    let is = |words: &[&str]| words.contains(&first.as_str());
    if let Some(network) = networks.iter().find(|it| first == it.name || is(it.spoken.words)) {
        return Request::Write { network: Some(network.name), address: without_filler(rest) };
    }
    match rest {
        room if is(ROOM) => with_password(without_filler(room)),
        "" if is(HELP) => Request::Help,
        "" if is(STATUS) => Request::Status,
        "" if is(LANGUAGE) => Request::Language(None),
        language if is(LANGUAGE) => Request::Language(Some(language)),
        _ => Request::Write { network: None, address: text },
    }
}

/// The first word, and what follows it.
fn split(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(first, rest)| (first, rest.trim()))
}

fn with_password(room: &str) -> Request<'_> {
    let (address, rest) = split(room);
    let (word, password) = split(rest);
    let is_password = PASSWORD.contains(&word.trim_end_matches(':').to_lowercase().as_str()) && !password.is_empty();
    match is_password {
        true => Request::Room { address, password: Some(password) },
        false => Request::Room { address: room, password: None },
    }
}

fn without_filler(text: &str) -> &str {
    let (first, rest) = split(text);
    if FILLERS.contains(&first.to_lowercase().as_str()) { rest } else { text }
}

#[cfg(test)]
mod tests {
    use super::{super::Spoken, *};

    fn read_it(text: &str) -> Request<'_> {
        let network = |name, words| Network { name, spoken: Spoken { words, ..Spoken::default() } };
        read(text, &[network("post", &["mail", "e-mail"]), network("phone", &["sms"])])
    }

    fn write<'t>(network: Option<&'static str>, address: &'t str) -> Request<'t> {
        Request::Write { network, address }
    }

    #[test]
    fn help_status_and_language_are_understood_in_both_languages_and_any_case() {
        for help in ["help", "Hilfe", " HILFE ", "?", "!help", "/hilfe", "Hallo"] {
            assert_eq!(read_it(help), Request::Help, "{help}");
        }
        assert_eq!(read_it("Status"), Request::Status);
        assert_eq!(read_it("sprache"), Request::Language(None));
        for text in ["sprache en", "Language  en", "!language en", "Sprache: en"] {
            assert_eq!(read_it(text), Request::Language(Some("en")), "{text}");
        }
    }

    #[test]
    fn a_room_is_asked_for_in_both_languages() {
        for text in ["room bau@rooms.test", "Raum: bau@rooms.test", "!raum bau@rooms.test"] {
            assert_eq!(read_it(text), Request::Room { address: "bau@rooms.test", password: None }, "{text}");
        }
        assert_eq!(read_it("raum"), Request::Room { address: "", password: None });
        for text in ["room bau@rooms.test password Zwei Worte", "Raum bau@rooms.test  Kennwort:  Zwei Worte "] {
            assert_eq!(
                read_it(text),
                Request::Room { address: "bau@rooms.test", password: Some("Zwei Worte") },
                "{text}"
            );
        }
        let none = Request::Room { address: "bau@rooms.test kennwort", password: None };
        assert_eq!(read_it("raum bau@rooms.test kennwort"), none);
    }

    #[test]
    fn a_network_is_called_as_people_call_it() {
        for text in
            ["mail bob@example.org", "Mail: bob@example.org", "E-Mail an bob@example.org", "post TO bob@example.org"]
        {
            assert_eq!(read_it(text), write(Some("post"), "bob@example.org"), "{text}");
        }
        assert_eq!(read_it("sms +49 431 988-12"), write(Some("phone"), "+49 431 988-12"));
        assert_eq!(read_it("sms"), write(Some("phone"), ""));
    }

    #[test]
    fn everything_else_may_be_an_address() {
        for text in [
            "bob@example.org",
            "Bob <bob@example.org>",
            "help@example.org",
            "mailto:bob@example.org",
            "+49 431 988-12",
            "Hilfe <hilfe@example.org>",
            "",
        ] {
            assert_eq!(read_it(text), write(None, text), "{text}");
        }
    }
}
