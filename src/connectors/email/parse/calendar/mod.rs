//! Invitations (RFC 5545, 5546) in words.

mod fields;
mod repeat;
mod time;
mod zones;

use crate::{connectors::email::text::clean, language::Language};
use fields::Field;
use time::{DAY, Date};
use zones::Zones;

/// How many of those invited are named.
const ATTENDEES: usize = 10;

/// What Outlook puts before the titles of answers and cancellations.
const MARKS: &[&str] = &[
    "zugesagt",
    "abgelehnt",
    "abgesagt",
    "mit vorbehalt",
    "mit vorbehalt zugesagt",
    "vorl\u{e4}ufig",
    "neuer zeitvorschlag",
    "accepted",
    "declined",
    "tentative",
    "canceled",
    "cancelled",
    "new time proposed",
];

/// When something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Day(Date),
    /// Minutes of a clock in Germany, and whether they were not those of the clock that the sender named.
    Clock {
        local: i64,
        moved: bool,
    },
}

/// One date in a calendar.
#[derive(Debug, Default)]
pub struct Event {
    method: String,
    uid: String,
    title: String,
    place: String,
    description: String,
    start: Option<Moment>,
    end: Option<Moment>,
    /// The zone that nobody knows; the times are those of its clocks.
    zone: Option<String>,
    rule: Option<String>,
    organizer: Option<String>,
    attendees: Vec<String>,
    attendee_count: usize,
    /// What the first of them says: `ACCEPTED`, `DECLINED`, `TENTATIVE`.
    answer: String,
    sequence: u32,
    is_cancelled: bool,
    link: Option<String>,
}

/// Reads the first event of a calendar; `None` if there is none.
pub fn read(text: &str) -> Option<Event> {
    let fields = fields::fields(text);
    let zones = Zones::read(&fields);
    let begin = fields.iter().position(|field| field.name == "BEGIN" && field.value.eq_ignore_ascii_case("VEVENT"))?;
    let mut event = Event::default();
    let method = fields.iter().find(|field| field.name == "METHOD");
    event.method = method.map(|field| field.value.to_ascii_uppercase()).unwrap_or_default();
    let mut depth = 0usize;
    let mut duration = None;
    for field in fields.get(begin..)? {
        match field.name.as_str() {
            "BEGIN" => depth += 1,
            "END" => depth = depth.saturating_sub(1),
            // An alarm inside of the event has fields of the same names.
            "DURATION" if depth == 1 => duration = time::duration(&field.value),
            _ if depth == 1 => event.take(field, &zones),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    if let (None, Some(duration)) = (event.end, duration) {
        event.end = event.start.map(|start| later(start, duration));
    }
    Some(event)
}

fn later(start: Moment, minutes: i64) -> Moment {
    match start {
        Moment::Day(day) => Moment::Day(Date::of_days(day.days() + minutes.div_euclid(DAY))),
        Moment::Clock { local, moved } => Moment::Clock { local: local + minutes, moved },
    }
}

impl Event {
    fn take(&mut self, field: &Field, zones: &Zones) {
        let line = || clean::line(&fields::text(&field.value), clean::SUBJECT);
        match field.name.as_str() {
            "UID" => self.uid = line(),
            "SUMMARY" => self.title = line(),
            "LOCATION" => self.place = line(),
            "DESCRIPTION" => self.description = clean::lines(&fields::text(&field.value)),
            "DTSTART" => self.start = self.moment(field, zones),
            "DTEND" => self.end = self.moment(field, zones),
            "RRULE" => self.rule = Some(field.value.to_ascii_uppercase()),
            "ORGANIZER" => self.organizer = person(field),
            "ATTENDEE" => {
                self.attendee_count += 1;
                if self.attendees.len() < ATTENDEES {
                    self.attendees.extend(person(field));
                }
                if self.answer.is_empty() {
                    self.answer = field.parameter("PARTSTAT").unwrap_or_default().to_ascii_uppercase();
                }
            }
            "SEQUENCE" => self.sequence = field.value.parse().unwrap_or_default(),
            "STATUS" => self.is_cancelled = field.value.eq_ignore_ascii_case("CANCELLED"),
            "X-MICROSOFT-SKYPETEAMSMEETINGURL" | "X-GOOGLE-CONFERENCE" | "CONFERENCE" if self.link.is_none() => {
                let is_link = field.value.starts_with("https://") && field.value.len() < 2_000;
                self.link = Some(field.value.clone()).filter(|it| is_link && !it.contains(char::is_whitespace));
            }
            _ => {}
        }
    }

    fn moment(&mut self, field: &Field, zones: &Zones) -> Option<Moment> {
        let value = field.value.as_str();
        let Some((minutes, is_utc)) = time::minutes(value) else { return Date::parse(value).map(Moment::Day) };
        if is_utc {
            return Some(Moment::Clock { local: minutes + zones::german(minutes), moved: false });
        }
        let Some(zone) = field.parameter("TZID") else { return Some(Moment::Clock { local: minutes, moved: false }) };
        match zones.utc(zone, minutes) {
            Some(utc) => {
                let local = utc + zones::german(utc);
                Some(Moment::Clock { local, moved: local != minutes })
            }
            None => {
                self.zone = Some(clean::line(zone, clean::NAME));
                Some(Moment::Clock { local: minutes, moved: false })
            }
        }
    }

    /// The same for two forms of one invitation.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.uid)
    }

    /// A name for the file that it came in.
    pub fn file_name(&self) -> String {
        let title: String = self.title.chars().map(|c| if "/\\:*?\"<>|".contains(c) { ' ' } else { c }).collect();
        clean::file_name(&title).map_or_else(|| "invite.ics".to_owned(), |title| format!("{title}.ics"))
    }

    /// What it says to people beyond title, time and place.
    pub fn description(&self) -> Option<String> {
        Some(self.description.clone()).filter(|text| !text.is_empty())
    }

    /// A few lines: what, when, where, how often, who.
    pub fn summary(&self, language: Language) -> String {
        let title = self.bare_title();
        let title = if title.is_empty() { language.look_up("event-untitled", &[]) } else { title.to_owned() };
        let mut lines = vec![language.look_up(self.kind(), &[("title", &title)])];
        let mut line = |key: &str, value: Option<String>| {
            lines.extend(value.filter(|it| !it.is_empty()).map(|value| language.look_up(key, &[("value", &value)])));
        };
        line("event-when", self.when(language));
        line("event-repeats", self.rule.as_ref().map(|rule| repeat::in_words(rule, language)));
        line("event-where", Some(self.place.clone()));
        line("event-link", self.link.clone());
        if self.method != "REPLY" {
            line("event-organizer", self.organizer.clone());
            line("event-attendees", self.with(language));
        }
        lines.join("\n")
    }

    /// The title without what Outlook puts before it in answers.
    fn bare_title(&self) -> &str {
        match self.title.split_once(": ") {
            Some((mark, title)) if self.method != "REQUEST" && MARKS.contains(&mark.to_lowercase().as_str()) => title,
            _ => &self.title,
        }
    }

    fn kind(&self) -> &'static str {
        match (self.method.as_str(), self.answer.as_str()) {
            ("CANCEL", _) => "event-cancelled",
            ("REPLY", "ACCEPTED") => "event-accepted",
            ("REPLY", "DECLINED") => "event-declined",
            ("REPLY", "TENTATIVE") => "event-tentative",
            ("REPLY", _) => "event-answered",
            ("COUNTER", _) => "event-counter",
            ("DECLINECOUNTER", _) => "event-counter-declined",
            _ if self.is_cancelled => "event-cancelled",
            ("REQUEST", _) if self.sequence > 0 => "event-changed",
            ("REQUEST", _) => "event-invitation",
            _ => "event-entry",
        }
    }

    fn with(&self, language: Language) -> Option<String> {
        let names = self.attendees.join("; ");
        let more = self.attendee_count.saturating_sub(self.attendees.len());
        if more == 0 {
            return Some(names);
        }
        Some(language.look_up("event-more", &[("names", &names), ("count", &more.to_string())]))
    }

    fn when(&self, language: Language) -> Option<String> {
        let date = |date: Date| day_in_words(date, language);
        let look = |key: &str, values: &[(&'static str, &str)]| language.look_up(key, values);
        let (local, end, moved) = match (self.start?, self.end) {
            (Moment::Day(first), end) => {
                // The end of whole days is the day after the last one (RFC 5545 section 3.6.1).
                let last = match end {
                    Some(Moment::Day(end)) if end.days() > first.days() + 1 => Date::of_days(end.days() - 1),
                    _ => return Some(look("event-day", &[("date", &date(first))])),
                };
                return Some(look("event-days", &[("date", &date(first)), ("last", &date(last))]));
            }
            (Moment::Clock { local, moved }, Some(Moment::Clock { local: end, .. })) if end > local => {
                (local, Some(end), moved)
            }
            (Moment::Clock { local, moved }, _) => (local, None, moved),
        };
        let day = |local: i64| date(Date::of_days(local.div_euclid(DAY)));
        let words = match end {
            None => look("event-time", &[("date", &day(local)), ("from", &clock(local))]),
            Some(end) if end.div_euclid(DAY) == local.div_euclid(DAY) => {
                look("event-hours", &[("date", &day(local)), ("from", &clock(local)), ("to", &clock(end))])
            }
            Some(end) => look(
                "event-long",
                &[("date", &day(local)), ("from", &clock(local)), ("last", &day(end)), ("to", &clock(end))],
            ),
        };
        Some(match &self.zone {
            Some(zone) => look("event-zone", &[("when", &words), ("zone", zone)]),
            None if moved => look("event-moved", &[("when", &words)]),
            None => words,
        })
    }
}

fn clock(local: i64) -> String {
    format!("{:02}:{:02}", local.rem_euclid(DAY) / 60, local.rem_euclid(60))
}

fn weekday(day: i64, language: Language) -> String {
    language.look_up(&format!("weekday-{day}"), &[])
}

fn day_in_words(date: Date, language: Language) -> String {
    let (day, month) = (format!("{:02}", date.day), format!("{:02}", date.month));
    let weekday = weekday(date.weekday(), language);
    language
        .look_up("date", &[("weekday", &weekday), ("day", &day), ("month", &month), ("year", &date.year.to_string())])
}

/// A time on a clock in Germany. `utc`: minutes since 1970.
pub fn time_in_words(utc: i64, language: Language) -> String {
    let local = utc + zones::german(utc);
    let date = day_in_words(Date::of_days(local.div_euclid(DAY)), language);
    language.look_up("event-time", &[("date", &date), ("from", &clock(local))])
}

/// The name of somebody, else the address.
fn person(field: &Field) -> Option<String> {
    let address = field.value.split_once(':').map_or(field.value.as_str(), |(_, address)| address);
    let name = field.parameter("CN").filter(|name| !name.is_empty()).unwrap_or(address);
    Some(clean::line(name, clean::NAME)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
