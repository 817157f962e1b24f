//! How often a date comes again (RFC 5545 section 3.3.10), in words where that is simple.

use super::{day_in_words, time::Date, weekday};
use crate::language::Language;

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// `-1SU` as which and what weekday; `SU` has no "which".
pub fn day(text: &str) -> Option<(Option<i64>, i64)> {
    let (nth, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = DAYS.iter().position(|day| *day == name)?;
    let nth = if nth.is_empty() { None } else { Some(nth.parse().ok().filter(|nth| (-5..=5).contains(nth))?) };
    Some((nth, i64::try_from(weekday).ok()? + 1))
}

/// The rule in words; for what is not simple, only that there is one.
pub fn in_words(rule: &str, language: Language) -> String {
    let part = |name: &str| rule.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let other = || language.look_up("repeat-other", &[]);
    let is_known = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        ["FREQ", "INTERVAL", "BYDAY", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY"].contains(&name)
    };
    if !rule.split(';').filter(|part| !part.is_empty()).all(is_known) {
        return other();
    }
    let Some(frequency) = part("FREQ").and_then(|name| {
        [("DAILY", "daily"), ("WEEKLY", "weekly"), ("MONTHLY", "monthly"), ("YEARLY", "yearly")]
            .iter()
            .find(|it| it.0 == name)
    }) else {
        return other();
    };
    // The day of the month or year is the one that the date itself names.
    if [part("BYMONTH"), part("BYMONTHDAY")].into_iter().flatten().any(|list| list.contains([',', '-'])) {
        return other();
    }
    let every =
        part("INTERVAL").filter(|count| *count != "1" && count.len() <= 3 && count.bytes().all(|b| b.is_ascii_digit()));
    let mut words = match every {
        Some(count) => language.look_up(&format!("repeat-{}-every", frequency.1), &[("count", count)]),
        None => language.look_up(&format!("repeat-{}", frequency.1), &[]),
    };
    if let Some(list) = part("BYDAY") {
        let Some(days) = days(list, language) else { return other() };
        words = language.look_up("repeat-on", &[("rule", &words), ("days", &days)]);
    }
    if let Some(count) = part("COUNT").filter(|count| count.len() <= 5 && count.bytes().all(|b| b.is_ascii_digit())) {
        words = language.look_up("repeat-count", &[("rule", &words), ("count", count)]);
    }
    match part("UNTIL").and_then(|until| Date::parse(until.get(..8)?)) {
        Some(last) => language.look_up("repeat-until", &[("rule", &words), ("date", &day_in_words(last, language))]),
        None => words,
    }
}

fn days(list: &str, language: Language) -> Option<String> {
    let words = list.split(',').map(|text| {
        let (nth, day) = day(text.trim())?;
        let day = weekday(day, language);
        Some(match nth {
            None => day,
            Some(-1) => language.look_up("repeat-last", &[("day", &day)]),
            Some(nth @ 1..) => language.look_up("repeat-nth", &[("nth", &nth.to_string()), ("day", &day)]),
            Some(_) => return None,
        })
    });
    Some(words.take(7).collect::<Option<Vec<String>>>()?.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_rules_are_said_in_words() {
        for (rule, words) in [
            ("FREQ=DAILY;COUNT=5", "jeden Tag, 5 Mal"),
            ("FREQ=WEEKLY;BYDAY=TU,TH;WKST=MO", "jede Woche am Di., Do."),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;UNTIL=20261218T230000Z", "alle 2 Wochen am Fr. bis Fr., 18.12.2026"),
            ("FREQ=MONTHLY;BYDAY=1MO", "jeden Monat am 1. Mo."),
            ("FREQ=MONTHLY;BYDAY=-1FR", "jeden Monat am letzten Fr."),
            ("FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1", "jedes Jahr"),
            ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "nach einer eigenen Regel, siehe Datei"),
            ("FREQ=SECONDLY", "nach einer eigenen Regel, siehe Datei"),
            ("", "nach einer eigenen Regel, siehe Datei"),
        ] {
            assert_eq!(in_words(rule, Language::De), words, "{rule}");
        }
        assert_eq!(in_words("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", Language::En), "every 2 weeks on Fri");
    }
}
