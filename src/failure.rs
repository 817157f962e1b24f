//! Why something did not work, and whether to try again. Decided where the failure is born; unknown is transient.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A step that did not work. `detail` is for operators (no secret, no body); people get the sentence of `reason`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Failure {
    pub retry: Retry,
    pub reason: Reason,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// May work later; not before the given time, where the other side named one.
    Transient(Option<Duration>),
    /// Will never work.
    Permanent,
}

/// What a person is told; each has a sentence `reason-...` in `locales/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Nobody has this address.
    UnknownRecipient,
    /// Nobody has this address, or nobody takes messages there: the other side does not say which.
    NobodyThere,
    /// A server on the way does not know letters like those of the address.
    AddressLetters,
    MailboxFull,
    /// The other side does not want this message.
    Refused,
    TooLarge,
    /// The other side cannot be reached or does not answer.
    Unreachable,
    /// The other side answered that it is not able to now.
    Busy,
    /// The writer is not in the remote room, and is not let in.
    NotInRoom,
    /// Our own access was not accepted: an admin must act.
    AccessDenied,
    /// What was written or received cannot be carried over.
    Unreadable,
    /// Something in Fehmarn itself.
    Internal,
}

impl Reason {
    pub const ALL: [Self; 12] = [
        Self::UnknownRecipient,
        Self::NobodyThere,
        Self::AddressLetters,
        Self::MailboxFull,
        Self::Refused,
        Self::TooLarge,
        Self::Unreachable,
        Self::Busy,
        Self::NotInRoom,
        Self::AccessDenied,
        Self::Unreadable,
        Self::Internal,
    ];

    /// By its name; the error: the names that there are.
    pub fn from_name(name: &str) -> Result<Self, Vec<&'static str>> {
        let known = Self::ALL.into_iter();
        known.clone().find(|reason| reason.key() == name).ok_or_else(|| known.map(Self::key).collect())
    }

    /// The reason with which the text of a failure begins, as the database keeps it.
    pub fn read(failure: &str) -> Option<Self> {
        let key = failure.split(':').next()?;
        Self::ALL.into_iter().find(|reason| reason.key() == key)
    }

    /// The name in `locales/`, in the logs and in the database.
    pub fn key(self) -> &'static str {
        match self {
            Self::UnknownRecipient => "unknown-recipient",
            Self::NobodyThere => "nobody-there",
            Self::AddressLetters => "address-letters",
            Self::MailboxFull => "mailbox-full",
            Self::Refused => "refused",
            Self::TooLarge => "too-large",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::NotInRoom => "not-in-room",
            Self::AccessDenied => "access-denied",
            Self::Unreadable => "unreadable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl Failure {
    pub fn transient(reason: Reason, detail: impl fmt::Display) -> Self {
        Self { retry: Retry::Transient(None), reason, detail: detail.to_string() }
    }

    pub fn permanent(reason: Reason, detail: impl fmt::Display) -> Self {
        Self { retry: Retry::Permanent, reason, detail: detail.to_string() }
    }

    /// The same failure, not to be tried again before `wait` has passed.
    pub fn after(mut self, wait: Duration) -> Self {
        if let Retry::Transient(after) = &mut self.retry {
            *after = Some(wait);
        }
        self
    }

    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Permanent
    }
}

/// The wait before attempt `attempts + 1`: 5 s doubling to half an hour, plus up to a quarter of `jitter` (0 to 1) so
/// that what failed together does not come back together.
pub fn back_off(attempts: u32, jitter: f64) -> Duration {
    const FIRST: f64 = 5.0;
    const LONGEST: f64 = 1800.0;
    let wait = (FIRST * 2f64.powi(attempts.saturating_sub(1).min(20) as i32)).min(LONGEST);
    Duration::from_secs_f64(wait * (1.0 + jitter.clamp(0.0, 1.0) / 4.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_have_an_end() {
        let seconds: Vec<u64> = [1, 2, 3, 10, 10_000].map(|n| back_off(n, 0.0).as_secs()).into();
        assert_eq!(seconds, [5, 10, 20, 1800, 1800]);
        assert_eq!(back_off(1, 1.0).as_secs_f64(), 6.25);
    }

    #[test]
    fn the_text_of_a_failure_tells_its_reason() {
        for reason in Reason::ALL {
            assert_eq!(Reason::read(&Failure::transient(reason, "a: b").to_string()), Some(reason));
        }
        assert_eq!(Reason::read("something else"), None);
    }

    #[test]
    fn a_permanent_failure_stays_permanent_whatever_wait_is_named() {
        assert!(Failure::permanent(Reason::Refused, "no").after(Duration::from_secs(1)).is_permanent());
    }
}
