//! Messages that were held up on their way.

use super::{Bridge, Text};
use crate::{failure::Failure, message::Arrival, store::Row};
use ruma::{RoomId, UserId};

/// Below this nobody needs to know.
const LATE_MS: i64 = 5 * 60 * 1000;

impl Bridge {
    /// The line that says how long before its arrival a message was written, if that is long. It stands in the message:
    /// an office must be able to tell when something was written from when it came.
    pub(super) async fn late_line(
        &self,
        row: &Row,
        arrival: &Arrival,
        room: &RoomId,
        ghost: &UserId,
    ) -> Result<Option<String>, Failure> {
        let Some(minutes) = arrival.written_at.and_then(|written| late(written, row.created_at)) else {
            return Ok(None);
        };
        let language = self.language_in(room, &self.homeserver.intent(ghost), None).await?;
        Ok(Some(language.say(&Text::WrittenBefore { minutes })))
    }
}

/// By how many minutes. Clocks that go wrong make nothing late that is to come.
fn late(written: i64, arrived: i64) -> Option<u64> {
    let late = arrived.checked_sub(written).filter(|late| *late >= LATE_MS)?;
    u64::try_from(late / 60_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Language;

    #[test]
    fn only_what_took_long_is_called_late() {
        assert_eq!(late(0, LATE_MS), Some(5));
        assert_eq!(late(0, LATE_MS - 1), None);
        assert_eq!(late(LATE_MS, 0), None);
        assert_eq!(late(i64::MIN, i64::MAX), None);
    }

    #[test]
    fn the_time_is_said_in_the_unit_that_fits() {
        let said = |minutes| Language::En.say(&Text::WrittenBefore { minutes });
        assert_eq!(said(5), "Written 5 minutes before it arrived.");
        assert_eq!(said(119), "Written 119 minutes before it arrived.");
        assert_eq!(said(120), "Written 2 hours before it arrived.");
        assert_eq!(said(2879), "Written 47 hours before it arrived.");
        assert_eq!(said(2880), "Written 2 days before it arrived.");
        assert_eq!(
            Language::De.say(&Text::WrittenBefore { minutes: 180 }),
            "Geschrieben 3 Stunden vor dem Eintreffen."
        );
    }
}
