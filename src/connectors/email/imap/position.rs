//! How far a mailbox was read.

use std::fmt;

/// Kept as the cursor `uidvalidity:last_uid:seen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Names the life of the mailbox in which the UIDs hold (RFC 3501 section 2.3.1.1).
    pub validity: u32,
    /// The last UID that is dealt with; 0 for none.
    pub last: u32,
    /// When that was, in seconds since 1970 by our own clock. If the mailbox is made anew with new UIDs, mail that came
    /// after this may not have been read.
    pub seen: i64,
}

impl Position {
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let validity = parts.next()?.parse().ok()?;
        let last = parts.next()?.parse().ok()?;
        Some(Self { validity, last, seen: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.validity, self.last, self.seen)
    }
}

/// A day as IMAP writes it: `5-Nov-2026`. `time` is in seconds since 1970.
pub fn day(time: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = mail_parser::DateTime::from_timestamp(time);
    let month = MONTHS.get(usize::from(date.month).saturating_sub(1)).unwrap_or(&"Jan");
    format!("{}-{month}-{}", date.day, date.year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let position = Position { validity: 1_700_000_000, last: u32::MAX, seen: 1_793_836_800 };
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for text in ["", "1", "1:2", "1:2:x", "1:2:3:4", "-1:2:3", "1:4294967296:3"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_written_as_imap_wants_them() {
        assert_eq!(day(0), "1-Jan-1970");
        assert_eq!(day(1_793_836_800), "5-Nov-2026");
    }
}
