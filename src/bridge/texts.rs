//! The sentences of the bridge.

use super::Untold;
use crate::failure::Reason;

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
    DeliveryGaveUp {
        recipient: &'a str,
        reason: Reason,
    },
    DeliveryUnwanted {
        recipient: &'a str,
    },
    FileTooLarge {
        name: &'a str,
    },
    /// Stands above a machine's words.
    Automatic,
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
    NotAnAddress,
    EncryptedRoom,
}

impl Language {
    pub fn say(self, text: &Text<'_>) -> String {
        let reason = |reason: &Reason| self.look_up(&format!("reason-{}", reason.key()), &[]);
        match text {
            Text::DeliveryFailed { recipient, reason: r } => {
                self.look_up("delivery-failed", &[("recipient", recipient), ("reason", &reason(r))])
            }
            Text::DeliveryReturned { recipient, reason: r } => {
                self.look_up("delivery-returned", &[("recipient", recipient), ("reason", &reason(r))])
            }
            Text::DeliveryDelayed { recipient } => self.look_up("delivery-delayed", &[("recipient", recipient)]),
            Text::DeliveryGaveUp { recipient, reason: r } => {
                self.look_up("delivery-gave-up", &[("recipient", recipient), ("reason", &reason(r))])
            }
            Text::DeliveryUnwanted { recipient } => self.look_up("delivery-unwanted", &[("recipient", recipient)]),
            Text::Automatic => self.look_up("automatic", &[]),
            Text::UnverifiedName { name } => self.look_up("unverified-name", &[("name", name)]),
            Text::UnverifiedSender => self.look_up("unverified-sender", &[]),
            Text::AnswersForSomebodyElse { person } => self.look_up("answers-for-somebody-else", &[("person", person)]),
            Text::OriginalOnDemand { key } => self.look_up("original-on-demand", &[("key", key)]),
            Text::FileTooLarge { name } => self.look_up("file-too-large", &[("name", name)]),
            Text::FileTooLargeToSend { name, megabytes } => {
                self.look_up("file-too-large-to-send", &[("name", name), ("limit", &megabytes.to_string())])
            }
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
            Text::NotAnAddress => self.look_up("not-an-address", &[]),
            Text::EncryptedRoom => self.look_up("encrypted-room", &[]),
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

    #[test]
    fn every_reason_has_a_sentence() {
        use Reason::*;
        for reason in
            [UnknownRecipient, MailboxFull, Refused, TooLarge, Unreachable, Busy, AccessDenied, Unreadable, Internal]
        {
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
        assert_eq!(said, "Die Nachricht an bob@example.org wurde nicht zugestellt: Das Postfach ist voll.");
    }
}
