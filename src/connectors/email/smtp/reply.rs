//! What a mail server answers, and what it means for a delivery.

use super::status;
use crate::failure::{Failure, Reason};
use bytes::Bytes;
use lettre::transport::smtp::{Error, response::Response};
use std::{error::Error as _, fmt};

/// An answer (RFC 5321 section 4.2), one line or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// Code and words. Of several lines lettre makes one.
    pub raw: Bytes,
}

/// Where in the talk an answer was given: the same code means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Greeting,
    Hello,
    StartTls,
    SignIn,
    Reset,
    Sender,
    Recipient,
    Data,
    Content,
}

impl Stage {
    fn words(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::SignIn => "AUTH",
            Self::Reset => "RSET",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Content => "content",
        }
    }

    /// Before any mail: whatever is wrong here is no fault of a mail.
    fn is_opening(self) -> bool {
        matches!(self, Self::Greeting | Self::Hello | Self::StartTls | Self::SignIn)
    }
}

impl Reply {
    /// The answer in what lettre gives back: a refusal is an error to it.
    ///
    /// # Errors
    /// The given one, if no answer is behind it.
    pub fn of(result: Result<Response, Error>) -> Result<Self, Error> {
        let (code, text) = match result {
            Ok(response) => (u16::from(response.code()), response.message().collect::<Vec<_>>().join(" ")),
            Err(error) => match error.status() {
                Some(code) => (u16::from(code), words(&error)),
                None => return Err(error),
            },
        };
        Ok(Self { code, raw: Bytes::from(format!("{code} {text}\r\n")) })
    }

    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The server is about to hang up (RFC 5321 section 3.8).
    pub fn is_goodbye(&self) -> bool {
        self.code == 421
    }

    /// The failure that this answer means when it is not the one that was hoped for.
    pub fn refusal(&self, stage: Stage) -> Failure {
        let detail = format!("{}: {self}", stage.words());
        let permanent = (500..600).contains(&self.code);
        if !permanent && !(400..500).contains(&self.code) {
            return Failure::transient(Reason::Unreachable, format!("unexpected answer to {detail}"));
        }
        let words = String::from_utf8_lossy(&self.raw);
        let words = words.split_once(' ').map_or("", |(_, words)| words);
        if stage.is_opening() || self.asks_for_sign_in() {
            // An admin must mend this, and then the mail goes out: never its writer's problem.
            let reason = if permanent { Reason::AccessDenied } else { Reason::Busy };
            return Failure::transient(reason, detail);
        }
        if status::denies_relaying(stage, words) {
            return Failure::transient(Reason::AccessDenied, detail);
        }
        let reason = status::reason(stage, self.code, words);
        if permanent { Failure::permanent(reason, detail) } else { Failure::transient(reason, detail) }
    }

    /// RFC 4954 section 6: no or not enough authentication.
    fn asks_for_sign_in(&self) -> bool {
        matches!(self.code, 530 | 534 | 535 | 538)
    }
}

/// Why a connection failed, for operators: may hold what the server said.
pub fn cause(error: &Error) -> impl fmt::Display {
    let words = words(error);
    OneLine(if error.is_response() { format!("an answer that is not SMTP: {words}") } else { words })
}

/// What is behind an error; the error itself says the same after words of lettre's.
fn words(error: &Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The server's own words.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OneLine(String::from_utf8_lossy(&self.raw)).fmt(f)
    }
}

/// A text on one line of bounded length, for operators.
struct OneLine<T>(T);

impl<T: AsRef<str>> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 300;
        let mut words =
            self.0.as_ref().split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let mut left = LONGEST;
        if let Some(first) = words.next() {
            f.write_str(&first.chars().take(LONGEST).collect::<String>())?;
        }
        for word in words {
            left = left.saturating_sub(word.chars().count() + 1);
            if left == 0 {
                return f.write_str(" ...");
            }
            write!(f, " {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reason::*;

    fn reply(text: &str) -> Reply {
        Reply { code: text[..3].parse().unwrap(), raw: Bytes::from(format!("{text}\r\n")) }
    }

    #[test]
    fn every_kind_of_answer_becomes_the_failure_that_people_can_act_on() {
        for (stage, text, reason, permanent) in [
            (Stage::Recipient, "550 5.1.1 no such user here", UnknownRecipient, true),
            (Stage::Recipient, "450 4.1.1 not yet verified", Busy, false),
            (Stage::Recipient, "450 4.7.1 greylisted", Busy, false),
            (Stage::Recipient, "452 4.2.2 mailbox full", MailboxFull, false),
            (Stage::Recipient, "552 5.2.2 over quota", MailboxFull, true),
            (Stage::Content, "552 too big", TooLarge, true),
            (Stage::Content, "554 5.7.1 rejected as spam", Refused, true),
            (Stage::Sender, "421 4.3.2 closing", Busy, false),
            (Stage::Greeting, "554 5.7.1 go away", AccessDenied, false),
            (Stage::Greeting, "421 too many connections", Busy, false),
            (Stage::SignIn, "535 5.7.8 authentication failed", AccessDenied, false),
            (Stage::SignIn, "454 4.7.0 try later", Busy, false),
            (Stage::Sender, "530 5.7.0 authentication required", AccessDenied, false),
            (Stage::Recipient, "554 5.7.1 <bob@example.org>: Relay access denied", AccessDenied, false),
            (Stage::Recipient, "454 4.7.1 <bob@example.org>: Relay access denied", AccessDenied, false),
            (Stage::Data, "250 what", Unreachable, false),
        ] {
            let failure = reply(text).refusal(stage);
            assert_eq!((failure.reason, failure.is_permanent()), (reason, permanent), "{stage:?} {text}");
            assert!(failure.detail.ends_with(text), "{}", failure.detail);
        }
    }

    #[test]
    fn the_words_of_the_server_are_one_short_line_whatever_it_says() {
        let raw = Bytes::from(format!("550-5.7.1 no\r\n550 5.7.1 \u{1b}[2J{}\r\n", "x ".repeat(5000)));
        let words = Reply { code: 550, raw }.to_string();
        assert!(words.starts_with("550-5.7.1 no 550 5.7.1 [2Jx x"), "{words}");
        assert!(words.chars().count() < 320 && !words.contains(['\n', '\u{1b}']), "{words}");
    }
}
