//! The sentences of the bridge.

mod say;

use super::{
    Changed, Untold,
    limit::{Deed, Reached},
};
use crate::{failure::Reason, message::Parting};
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

#[cfg(test)]
mod tests;
