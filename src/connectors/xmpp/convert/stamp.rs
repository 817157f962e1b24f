//! Times as XMPP writes them (XEP-0082), and messages that were held up on their way (XEP-0203). Pure.

use crate::connectors::xmpp::xml::{Build, element, ns};
use std::time::Duration;
use xmpp_parsers::{date::DateTime, minidom::Element};

/// Below this nobody needs to know.
const LATE_MS: i64 = 5 * 60 * 1000;

/// When a message was written, in milliseconds since 1970, if it says that it was held up. Every server on the way may
/// say so; the first one knows best.
pub fn written_at(message: &Element) -> Option<i64> {
    let delays = message.children().filter(|child| child.is("delay", ns::DELAY));
    let stamps = delays.filter_map(|delay| delay.attr("stamp")?.trim().parse::<DateTime>().ok());
    stamps.map(|stamp| stamp.0.timestamp_millis()).min()
}

/// What says that a message of ours is late, if it is. `by`: who has held it up.
pub fn delay(written_at: i64, now: i64, by: &str) -> Option<Element> {
    if written_at < 0 || now.saturating_sub(written_at) < LATE_MS {
        return None;
    }
    let epoch: DateTime = "1970-01-01T00:00:00Z".parse().ok()?;
    // It lies in the past, so that it can be written.
    let seconds = Duration::from_secs(u64::try_from(written_at).ok()? / 1000);
    let stamp = DateTime(epoch.0 + seconds);
    Some(element("delay", ns::DELAY).with("from", by).with("stamp", &stamp.0.to_rfc3339()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> Element {
        format!("<message xmlns='jabber:component:accept'>{content}</message>").parse().unwrap()
    }

    fn stamped(stamp: &str) -> String {
        format!("<delay xmlns='urn:xmpp:delay' from='x' stamp='{stamp}'/>")
    }

    #[test]
    fn the_first_who_held_a_message_up_counts() {
        let both = stamped("2026-03-01T12:00:00Z") + &stamped("2026-03-01T11:00:00.5+01:00");
        assert_eq!(written_at(&message(&both)), Some(1_772_359_200_500));
        assert_eq!(written_at(&message("<body>x</body>")), None);
        for wrong in ["", "gestern", "2026-13-01T12:00:00Z", "99999999-01-01T00:00:00Z"] {
            assert_eq!(written_at(&message(&stamped(wrong))), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_is_late_is_called_so() {
        let written = 1_772_366_400_000;
        assert!(delay(written, written + LATE_MS - 1, "m.test").is_none());
        assert!(delay(-1, written, "m.test").is_none());
        assert!(delay(i64::MAX, written, "m.test").is_none());
        let delay = delay(written, written + LATE_MS, "m.test").unwrap();
        assert_eq!(delay.attr("from"), Some("m.test"));
        assert_eq!(written_at(&message("").holding(delay)), Some(written));
    }
}
