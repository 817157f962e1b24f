//! The sentences of the bridge.

use super::{
    Changed, Untold,
    limit::{Deed, Reached},
};
use crate::{
    failure::Reason,
    message::{Form, Parting},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::language::Language;

/// A sentence with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    DeliveryFailed {
        recipient: &'a str,
        reason: Reason,
    },
    DeliveryReturned {
        recipient: &'a str,
        reason: Reason,
    },
    DeliveryDelayed {
        recipient: &'a str,
    },
    DeliveryWaits {
        recipient: &'a str,
        reason: Reason,
        /// For how many days it is tried.
        days: u64,
    },
    DeliveryAgain {
        recipient: &'a str,
    },
    DeliverySentAfterAll {
        recipient: &'a str,
    },
    DeliveryArrived {
        recipient: &'a str,
    },
    DeliveryGaveUp {
        recipient: &'a str,
        reason: Reason,
    },
    DeliveryUnwanted {
        recipient: &'a str,
    },
    /// Of what somebody outside wrote to the others.
    NotPassedOn {
        recipient: &'a str,
        reason: Reason,
    },
    /// That it is passed on, and what it begins with.
    PassesOn,
    Wrote {
        author: &'a str,
    },
    FileTooLarge {
        name: &'a str,
    },
    /// Stands above a machine's words.
    Automatic,
    /// Stands above what was held up on its way.
    WrittenBefore {
        minutes: u64,
    },
    /// The name of somebody whom nobody vouches for.
    UnverifiedName {
        name: &'a str,
    },
    UnverifiedSender,
    AnswersForSomebodyElse {
        person: &'a str,
    },
    OriginalOnDemand {
        key: &'a str,
    },
    FileTooLargeToSend {
        name: &'a str,
        megabytes: u64,
    },
    FilesCannotCross {
        name: &'a str,
    },
    FileEncrypted {
        name: &'a str,
    },
    CannotCross(Untold),
    AlreadySent,
    /// What people outside read of a message that was taken back, should their program not hide it.
    TakenBack,
    /// What a correction begins with, with and without the words that it corrects.
    CorrectionOf {
        quote: &'a str,
    },
    Correction,
    /// A reaction in words.
    ReactionTo {
        emoji: &'a str,
        quote: &'a str,
    },
    /// What a voice message is called as a file.
    VoiceMessage,
    NotAllowedToWrite,
    NotAllowedToInvite,
    NotAllowedToBegin,
    NotAllowedToUse,
    /// There is a direct room of the two already.
    ConversationElsewhere {
        link: &'a str,
    },
    /// The same, said in that room.
    ConversationHere,
    TooMuch(Deed, Reached),
    NotAnAddress,
    /// The person has another ghost.
    OtherSpelling {
        link: &'a str,
    },
    ClaimFailed {
        address: &'a str,
    },
    EncryptedRoom,
    /// What a direct room is about.
    Topic {
        person: &'a str,
    },
    Changed(Changed),
    NoSuchRoom,
    /// The remote room has a portal already.
    RoomElsewhere {
        link: &'a str,
    },
    /// Under which name somebody in a remote room goes on.
    NowCalled {
        name: &'a str,
    },
    /// A remote room has sent a member of staff away, or does not let them in.
    ShutOut {
        name: &'a str,
        parting: &'a Parting,
    },
    /// A remote room is no more, with the words of whoever has closed it.
    RoomClosed {
        words: Option<&'a str>,
    },
    /// What staff have done in a remote room was not done there. `is_back`: whether the one is in this room again.
    NotSentAway {
        name: &'a str,
        reason: Reason,
        is_back: bool,
    },
    NotLetIn {
        name: &'a str,
        reason: Reason,
    },
    NotTakenAway {
        reason: Reason,
    },
    /// Of the bot.
    BotOnlyAlone,
    BotEncrypted,
}

/// A text in every language: which one is used is decided when it is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sentence {
    Each(BTreeMap<Language, String>),
    /// From a row of an older Fehmarn.
    One(String),
}

impl Sentence {
    pub fn new(text: &Text<'_>) -> Self {
        Self::Each(Language::ALL.into_iter().map(|language| (language, language.say(text))).collect())
    }

    pub fn in_language(&self, language: Language) -> &str {
        match self {
            Self::Each(texts) => texts.get(&language).or_else(|| texts.values().next()).map_or("", String::as_str),
            Self::One(text) => text,
        }
    }
}

impl Language {
    pub fn say(self, text: &Text<'_>) -> String {
        let reason = |reason: &Reason| self.look_up(&format!("reason-{}", reason.key()), &[]);
        match text {
            Text::DeliveryFailed { recipient, reason: r } => {
                let said = self.look_up("delivery-failed", &[("recipient", recipient), ("reason", &reason(r))]);
                self.and_next(said, *r)
            }
            Text::DeliveryReturned { recipient, reason: r } => {
                let said = self.look_up("delivery-returned", &[("recipient", recipient), ("reason", &reason(r))]);
                self.and_next(said, *r)
            }
            Text::DeliveryDelayed { recipient } => self.look_up("delivery-delayed", &[("recipient", recipient)]),
            Text::DeliveryGaveUp { recipient, reason: r } => {
                let said = self.look_up("delivery-gave-up", &[("recipient", recipient), ("reason", &reason(r))]);
                self.and_next(said, *r)
            }
            Text::DeliveryWaits { recipient, reason: r, days } => {
                let values = [("recipient", *recipient), ("reason", &reason(r)), ("days", &days.to_string())];
                self.look_up("delivery-waits", &values)
            }
            Text::DeliveryAgain { recipient } => self.look_up("delivery-again", &[("recipient", recipient)]),
            Text::DeliverySentAfterAll { recipient } => {
                self.look_up("delivery-sent-after-all", &[("recipient", recipient)])
            }
            Text::DeliveryArrived { recipient } => self.look_up("delivery-arrived", &[("recipient", recipient)]),
            Text::DeliveryUnwanted { recipient } => self.look_up("delivery-unwanted", &[("recipient", recipient)]),
            Text::WrittenBefore { minutes } => {
                let (key, count) = match minutes {
                    0..120 => ("written-minutes-before", *minutes),
                    120..2880 => ("written-hours-before", minutes / 60),
                    _ => ("written-days-before", minutes / 1440),
                };
                self.look_up(key, &[("count", &count.to_string())])
            }
            Text::NotPassedOn { recipient, reason: r } => {
                let said = self.look_up("not-passed-on", &[("recipient", recipient), ("reason", &reason(r))]);
                self.and_then(said, *r, "pass-on-again")
            }
            Text::PassesOn => self.look_up("passes-on", &[]),
            Text::Wrote { author } => self.look_up("wrote", &[("author", author)]),
            Text::Automatic => self.look_up("automatic", &[]),
            Text::UnverifiedName { name } => self.look_up("unverified-name", &[("name", name)]),
            Text::UnverifiedSender => self.look_up("unverified-sender", &[]),
            Text::AnswersForSomebodyElse { person } => self.look_up("answers-for-somebody-else", &[("person", person)]),
            Text::OriginalOnDemand { key } => self.look_up("original-on-demand", &[("key", key)]),
            Text::FileTooLarge { name } => self.look_up("file-too-large", &[("name", name)]),
            Text::FileTooLargeToSend { name, megabytes } => {
                self.look_up("file-too-large-to-send", &[("name", name), ("limit", &megabytes.to_string())])
            }
            Text::FilesCannotCross { name } => self.look_up("files-cannot-cross", &[("name", name)]),
            Text::FileEncrypted { name } => self.look_up("file-encrypted", &[("name", name)]),
            Text::CannotCross(Untold::Call) => self.look_up("cannot-cross-call", &[]),
            Text::CannotCross(Untold::LiveLocation) => self.look_up("cannot-cross-live-location", &[]),
            Text::AlreadySent => self.look_up("already-sent", &[]),
            Text::TakenBack => self.look_up("taken-back", &[]),
            Text::CorrectionOf { quote } => self.look_up("correction-of", &[("quote", quote)]),
            Text::Correction => self.look_up("correction", &[]),
            Text::ReactionTo { emoji, quote } => self.look_up("reaction-to", &[("emoji", emoji), ("quote", quote)]),
            Text::VoiceMessage => self.look_up("voice-message", &[]),
            Text::NotAllowedToWrite => self.look_up("not-allowed-to-write", &[]),
            Text::NotAllowedToInvite => self.look_up("not-allowed-to-invite", &[]),
            Text::NotAllowedToBegin => self.look_up("not-allowed-to-begin", &[]),
            Text::NotAllowedToUse => self.look_up("not-allowed-to-use", &[]),
            Text::ConversationElsewhere { link } => self.look_up("conversation-elsewhere", &[("link", link)]),
            Text::ConversationHere => self.look_up("conversation-here", &[]),
            Text::TooMuch(Deed::Message, Reached::Minute) => self.look_up("too-many-messages-minute", &[]),
            Text::TooMuch(Deed::Message, Reached::Day(count)) => {
                self.look_up("too-many-messages-day", &[("count", &count.to_string())])
            }
            Text::TooMuch(Deed::Conversation, Reached::Minute) => self.look_up("too-many-conversations-minute", &[]),
            Text::TooMuch(Deed::Conversation, Reached::Day(count)) => {
                self.look_up("too-many-conversations-day", &[("count", &count.to_string())])
            }
            Text::TooMuch(Deed::PassedOn, _) => self.look_up("too-much-passed-on", &[]),
            Text::NoSuchRoom => self.look_up("no-such-room", &[]),
            Text::RoomElsewhere { link } => self.look_up("room-elsewhere", &[("link", link)]),
            Text::NowCalled { name } => self.look_up("now-called", &[("name", name)]),
            Text::ShutOut { name, parting } => self.shut_out(name, parting),
            Text::RoomClosed { words } => {
                let why = words.map(|words| self.look_up("shut-out-words", &[("words", words)]));
                let said = [Some(self.look_up("room-closed", &[])), why, Some(self.look_up("room-closed-next", &[]))];
                said.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
            Text::NotSentAway { name, reason, is_back } => {
                let values = [("name", *name), ("reason", &self.why_not_there(*reason))];
                let said = self.look_up("not-sent-away", &values);
                let next = if *is_back { "not-sent-away-back" } else { "not-sent-away-out" };
                format!("{said} {}", self.look_up(next, &[("name", name)]))
            }
            Text::NotLetIn { name, reason } => {
                self.look_up("not-let-in", &[("name", name), ("reason", &self.why_not_there(*reason))])
            }
            Text::NotTakenAway { reason } => {
                self.look_up("not-taken-away", &[("reason", &self.why_not_there(*reason))])
            }
            Text::BotOnlyAlone => self.look_up("bot-only-alone", &[]),
            Text::BotEncrypted => self.look_up("bot-encrypted", &[]),
            Text::ClaimFailed { address } => self.look_up("claim-failed", &[("address", address)]),
            Text::NotAnAddress => self.look_up("not-an-address", &[]),
            Text::OtherSpelling { link } => self.look_up("other-spelling", &[("link", link)]),
            Text::EncryptedRoom => self.look_up("encrypted-room", &[]),
            Text::Topic { person } => self.look_up("topic", &[("person", person)]),
            Text::Changed(changed) => self.changed(*changed),
        }
    }

    fn changed(self, changed: Changed) -> String {
        match changed {
            Changed::Form(Form::Poll) => self.look_up("poll-as-text", &[]),
            Changed::Form(Form::Place) => self.look_up("place-as-link", &[]),
            Changed::Form(Form::Sticker) => self.look_up("sticker-as-picture", &[]),
            Changed::Form(Form::Voice) => self.look_up("voice-as-file", &[]),
            Changed::Form(Form::Thread) => self.look_up("thread-as-answers", &[]),
            Changed::Reaction => self.look_up("reaction-told-later", &[]),
            Changed::Correction => self.look_up("edit-as-correction", &[]),
        }
    }

    /// Why staff cannot do in a remote room what they may do here.
    fn why_not_there(self, reason: Reason) -> String {
        match reason {
            Reason::Refused => self.look_up("no-rights-there", &[]),
            Reason::UnknownRecipient => self.look_up("not-there-any-more", &[]),
            reason => self.look_up(&format!("reason-{}", reason.key()), &[]),
        }
    }

    fn shut_out(self, name: &str, parting: &Parting) -> String {
        let said = match parting {
            Parting::Banned(_) => self.look_up("shut-out-banned", &[("name", name)]),
            Parting::NotAdmitted => self.look_up("shut-out-not-admitted", &[("name", name)]),
            Parting::NeedsPassword => self.look_up("shut-out-password", &[("name", name)]),
            Parting::Left | Parting::Renamed(_) | Parting::Kicked(_) => {
                self.look_up("shut-out-kicked", &[("name", name)])
            }
        };
        let words = match parting {
            Parting::Kicked(Some(words)) | Parting::Banned(Some(words)) => {
                self.look_up("shut-out-words", &[("words", words)])
            }
            _ => String::new(),
        };
        let next = match parting {
            Parting::NeedsPassword => "shut-out-password-next",
            _ => "shut-out-next",
        };
        format!("{said} {words} {}", self.look_up(next, &[])).replace("  ", " ")
    }

    /// What people can do about a message that was given up; nothing where another attempt would end alike.
    fn and_next(self, said: String, reason: Reason) -> String {
        self.and_then(said, reason, "delivery-try-again")
    }

    fn and_then(self, said: String, reason: Reason, key: &str) -> String {
        match reason {
            Reason::UnknownRecipient | Reason::TooLarge | Reason::Unreadable => said,
            _ => format!("{said} {}", self.look_up(key, &[])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(text: &str) -> BTreeSet<(&str, BTreeSet<&str>)> {
        let entries = text.lines().filter_map(|line| line.split_once(" = "));
        entries.map(|(key, value)| (key, value.split(['{', '}']).skip(1).step_by(2).collect())).collect()
    }

    #[test]
    fn both_languages_have_the_same_sentences_with_the_same_values() {
        assert_eq!(keys(include_str!("../../locales/de.ftl")), keys(include_str!("../../locales/en.ftl")));
    }

    /// The code, without comments and unit tests.
    fn sources(folder: &std::path::Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                sources(&entry, into);
            } else if entry.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(entry).unwrap();
                into.push_str(text.split("#[cfg(test)]").next().unwrap());
            }
        }
    }

    #[test]
    fn every_sentence_that_the_code_asks_for_is_there_and_no_other() {
        let mut code = String::new();
        sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut code);
        let known: BTreeSet<&str> =
            keys(include_str!("../../locales/de.ftl")).into_iter().map(|(key, _)| key).collect();
        let asked: Vec<&str> = code.split("look_up(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(asked.len() > 50, "the code is not where this test looks for it");
        let missing: Vec<&&str> = asked.iter().filter(|key| !known.contains(**key)).collect();
        assert!(missing.is_empty(), "not in locales/: {missing:?}");
        // Some keys are put together: `format!("reason-{}", ...)`.
        let is_named = |key: &str| {
            let prefixes = key.match_indices('-').map(|(at, _)| format!("\"{}-{{", &key[..at]));
            let counted = key.strip_suffix("-one").or(key.strip_suffix("-many")).unwrap_or(key);
            code.contains(&format!("\"{counted}\"")) || prefixes.into_iter().any(|prefix| code.contains(&prefix))
        };
        let unused: Vec<&&str> = known.iter().filter(|key| !is_named(key)).collect();
        assert!(unused.is_empty(), "only in locales/: {unused:?}");
    }

    #[test]
    fn a_sentence_is_kept_in_every_language_and_an_old_one_as_it_was() {
        let sentence = Sentence::new(&Text::NotAnAddress);
        let kept: Sentence = serde_json::from_str(&serde_json::to_string(&sentence).unwrap()).unwrap();
        assert_eq!(kept, sentence);
        assert!(kept.in_language(Language::En).starts_with("This"), "{kept:?}");
        assert!(kept.in_language(Language::De).starts_with("Das"), "{kept:?}");
        let old: Sentence = serde_json::from_str("\"Guten Tag\"").unwrap();
        assert_eq!(old.in_language(Language::En), "Guten Tag");
    }

    #[test]
    fn every_reason_has_a_sentence() {
        for reason in Reason::ALL {
            for language in [Language::De, Language::En] {
                let said = language.say(&Text::DeliveryFailed { recipient: "bob@example.org", reason });
                assert!(said.contains("bob@example.org") && !said.contains("nknown local"), "{said}");
                assert!(said.ends_with('.'), "{said}");
            }
        }
    }

    #[test]
    fn german_is_german() {
        let said =
            Language::De.say(&Text::DeliveryFailed { recipient: "bob@example.org", reason: Reason::MailboxFull });
        assert_eq!(
            said,
            "Die Nachricht an bob@example.org wurde nicht zugestellt: Das Postfach ist voll. \
             Reagieren Sie mit 🔁 auf Ihre Nachricht, um sie noch einmal zu senden."
        );
    }
}
