//! Time zones: by the rules that an invitation brings along, else by their names in Windows and elsewhere.

use super::{
    fields::Field,
    time::{self, DAY, Date},
};

/// When clocks are turned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Summer {
    /// In the European Union: the last Sundays of March and October, 01:00 UTC everywhere.
    Europe,
    /// In the USA and Canada: the second Sunday of March, the first of November, 02:00 of the wall clock.
    America,
    Never,
}
use Summer::{America, Europe, Never};

/// Names in lower case, minutes east of Greenwich in winter. Programs that send other zones send their rules too.
const NAMES: &[(&str, i64, Summer)] = &[
    ("w. europe standard time", 60, Europe),
    ("central europe standard time", 60, Europe),
    ("central european standard time", 60, Europe),
    ("romance standard time", 60, Europe),
    ("gmt standard time", 0, Europe),
    ("greenwich standard time", 0, Never),
    ("fle standard time", 120, Europe),
    ("gtb standard time", 120, Europe),
    ("e. europe standard time", 120, Europe),
    ("turkey standard time", 180, Never),
    ("russian standard time", 180, Never),
    ("eastern standard time", -300, America),
    ("central standard time", -360, America),
    ("mountain standard time", -420, America),
    ("pacific standard time", -480, America),
    ("india standard time", 330, Never),
    ("china standard time", 480, Never),
    ("tokyo standard time", 540, Never),
    ("europe/london", 0, Europe),
    ("europe/dublin", 0, Europe),
    ("europe/lisbon", 0, Europe),
    ("europe/athens", 120, Europe),
    ("europe/bucharest", 120, Europe),
    ("europe/helsinki", 120, Europe),
    ("europe/kiev", 120, Europe),
    ("europe/kyiv", 120, Europe),
    ("europe/riga", 120, Europe),
    ("europe/sofia", 120, Europe),
    ("europe/tallinn", 120, Europe),
    ("europe/vilnius", 120, Europe),
    ("europe/istanbul", 180, Never),
    ("europe/minsk", 180, Never),
    ("europe/moscow", 180, Never),
    ("europe/", 60, Europe),
    ("america/new_york", -300, America),
    ("america/toronto", -300, America),
    ("america/chicago", -360, America),
    ("america/denver", -420, America),
    ("america/los_angeles", -480, America),
    ("asia/kolkata", 330, Never),
    ("asia/shanghai", 480, Never),
    ("asia/tokyo", 540, Never),
    ("utc", 0, Never),
    ("etc/utc", 0, Never),
    ("gmt", 0, Never),
    ("mez", 60, Europe),
    ("cet", 60, Europe),
];

/// Minutes that clocks in Germany are ahead of UTC: staff read all times as these clocks show them.
pub fn german(utc: i64) -> i64 {
    offset(60, Europe, utc)
}

fn offset(winter: i64, summer: Summer, utc: i64) -> i64 {
    let year = Date::of_days(utc.div_euclid(DAY)).year;
    let at = |month, nth, minute: i64| Date::nth(year, month, 7, nth).days() * DAY + minute;
    let (begin, end) = match summer {
        Europe => (at(3, -1, 60), at(10, -1, 60)),
        America => (at(3, 2, 120 - winter), at(11, 1, 60 - winter)),
        Never => return winter,
    };
    if (begin..end).contains(&utc) { winter + 60 } else { winter }
}

/// The zones whose rules stand in a calendar (RFC 5545 section 3.6.5).
#[derive(Debug, Default)]
pub struct Zones {
    rules: Vec<Rule>,
}

/// From when on which offset holds.
#[derive(Debug, Default)]
struct Rule {
    zone: String,
    /// Of the wall clock before.
    start: i64,
    /// Month, weekday and which of them, where it comes every year.
    yearly: Option<(i64, i64, i64)>,
    offset: Option<i64>,
}

impl Zones {
    pub fn read(fields: &[Field]) -> Self {
        const RULES: usize = 200;
        let mut zones = Self::default();
        let (mut zone, mut rule) = (String::new(), None);
        for field in fields {
            match (field.name.as_str(), field.value.as_str(), &mut rule) {
                ("TZID", id, None) => zone = id.to_owned(),
                ("BEGIN", "STANDARD" | "DAYLIGHT", _) => rule = Some(Rule { zone: zone.clone(), ..Rule::default() }),
                ("END", "STANDARD" | "DAYLIGHT", _) if zones.rules.len() < RULES => zones.rules.extend(rule.take()),
                ("DTSTART", value, Some(rule)) => rule.start = time::minutes(value).unwrap_or_default().0,
                ("TZOFFSETTO", value, Some(rule)) => rule.offset = hours(value),
                ("RRULE", value, Some(rule)) => rule.yearly = yearly(value),
                _ => {}
            }
        }
        zones
    }

    /// Minutes since 1970 in UTC of a wall clock in this zone; `None` if nobody knows the zone.
    pub fn utc(&self, zone: &str, local: i64) -> Option<i64> {
        Some(local - self.offset(zone, local).or_else(|| by_name(zone, local))?)
    }

    /// The offset of the rule that began last.
    fn offset(&self, zone: &str, local: i64) -> Option<i64> {
        let year = Date::of_days(local.div_euclid(DAY)).year;
        let begun = self.rules.iter().filter(|rule| rule.zone == zone && rule.offset.is_some()).flat_map(|rule| {
            let of_year = |year: i64| match rule.yearly {
                Some((month, weekday, nth)) => {
                    Date::nth(year, month, weekday, nth).days() * DAY + rule.start.rem_euclid(DAY)
                }
                None => rule.start,
            };
            [of_year(year), of_year(year - 1)].into_iter().filter(|at| *at <= local).map(|at| (at, rule.offset))
        });
        begun.max_by_key(|(at, _)| *at)?.1
    }
}

/// `+0130` as minutes.
fn hours(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-'])?;
    let number = |from: usize| digits.get(from..from + 2)?.parse::<i64>().ok();
    let minutes = number(0)? * 60 + number(2)?;
    Some(if text.starts_with('-') { -minutes } else { minutes })
}

/// `FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU` as month, weekday and which of them.
fn yearly(rule: &str) -> Option<(i64, i64, i64)> {
    let part = |name: &str| rule.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let month = part("BYMONTH")?.parse().ok().filter(|month| (1..=12).contains(month))?;
    let (nth, weekday) = super::repeat::day(part("BYDAY")?)?;
    Some((month, weekday, nth.unwrap_or(1)))
}

fn by_name(zone: &str, local: i64) -> Option<i64> {
    let zone = zone.trim_matches(['"', ' ']).to_ascii_lowercase();
    // Some programs put a registry before the name: /freeassociation.sourceforge.net/Europe/Berlin
    let name = zone.find("europe/").and_then(|at| zone.get(at..)).unwrap_or(&zone);
    let known =
        |(known, ..): &&(&str, i64, Summer)| *known == name || (known.ends_with('/') && name.starts_with(known));
    let (winter, summer) =
        NAMES.iter().find(known).map(|(_, winter, summer)| (*winter, *summer)).or_else(|| spelled_out(&zone))?;
    Some(offset(winter, summer, local - winter))
}

/// `(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien`
fn spelled_out(zone: &str) -> Option<(i64, Summer)> {
    let (start, places) = zone.strip_prefix("(utc")?.split_once(')')?;
    let winter = hours(&start.replace(':', ""))?;
    let in_union =
        ["berlin", "br\u{fc}ssel", "brussels", "prag", "sarajevo", "belgrad", "athen", "helsinki", "dublin", "london"];
    Some((winter, if in_union.iter().any(|place| places.contains(place)) { Europe } else { Never }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::email::parse::calendar::fields;

    fn at(text: &str) -> i64 {
        time::minutes(text).unwrap().0
    }

    #[test]
    fn german_clocks_are_turned_in_march_and_october() {
        for (utc, offset) in
            [("20260329T005900", 60), ("20260329T010000", 120), ("20261025T005900", 120), ("20261025T010000", 60)]
        {
            assert_eq!(german(at(utc)), offset, "{utc}");
        }
    }

    #[test]
    fn a_zone_is_known_by_its_name_in_windows_and_elsewhere() {
        let zones = Zones::default();
        for (zone, local, utc) in [
            ("W. Europe Standard Time", "20260715T100000", "20260715T080000"),
            ("Europe/Berlin", "20261120T100000", "20261120T090000"),
            ("/freeassociation.sourceforge.net/Europe/Berlin", "20261120T100000", "20261120T090000"),
            ("Europe/London", "20260715T100000", "20260715T090000"),
            ("GMT Standard Time", "20261120T100000", "20261120T100000"),
            ("Eastern Standard Time", "20261120T100000", "20261120T150000"),
            ("Eastern Standard Time", "20260715T100000", "20260715T140000"),
            ("(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien", "20260715T100000", "20260715T080000"),
        ] {
            assert_eq!(zones.utc(zone, at(local)), Some(at(utc)), "{zone} {local}");
        }
        assert_eq!(zones.utc("Mars/Olympus", 0), None);
    }

    #[test]
    fn the_rules_that_come_along_count_before_the_name() {
        let text = "BEGIN:VTIMEZONE\nTZID:Mein Amt\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
            RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\n\
            TZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE";
        let zones = Zones::read(&fields::fields(text));
        for (local, utc) in [
            ("20260101T100000", "20260101T090000"),
            ("20260715T100000", "20260715T080000"),
            ("20261120T100000", "20261120T090000"),
        ] {
            assert_eq!(zones.utc("Mein Amt", at(local)), Some(at(utc)), "{local}");
        }
    }
}
