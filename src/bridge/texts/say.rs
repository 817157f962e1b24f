//! How each sentence is said. The words stand in `locales/`.

use super::{Language, Text};
use crate::{
    bridge::{
        Changed, Untold,
        limit::{Deed, Reached},
    },
    failure::Reason,
    message::{Form, Parting},
};

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
