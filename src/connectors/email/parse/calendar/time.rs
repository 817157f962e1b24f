//! Days and hours, counted without a clock. All minutes are since 1970-01-01 00:00, of UTC or of a wall clock.

pub const DAY: i64 = 24 * 60;

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Date {
    /// Reads `20261120`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| {
            text.get(from..to).filter(|it| it.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
        };
        let date = Self { year: number(0, 4)?, month: number(4, 6)?, day: number(6, 8)? };
        ((1..=12).contains(&date.month) && (1..=31).contains(&date.day)).then_some(date)
    }

    /// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    pub fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    pub fn of_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: year + era * 400 + i64::from(month <= 2), month, day }
    }

    /// 1 for Monday to 7 for Sunday.
    pub fn weekday(self) -> i64 {
        (self.days() + 3).rem_euclid(7) + 1
    }

    /// The nth such weekday of a month; counted from its end if `nth` is negative.
    pub fn nth(year: i64, month: i64, weekday: i64, nth: i64) -> Self {
        if nth < 0 {
            let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            let last = Self { year: next.0, month: next.1, day: 1 }.days() - 1;
            let back = (Self::of_days(last).weekday() - weekday).rem_euclid(7);
            return Self::of_days(last - back + 7 * (nth + 1));
        }
        let first = Self { year, month, day: 1 };
        let ahead = (weekday - first.weekday()).rem_euclid(7);
        Self::of_days(first.days() + ahead + 7 * (nth - 1).max(0))
    }
}

/// Reads `20261120T100000` as minutes, and whether a `Z` says that it is UTC.
pub fn minutes(text: &str) -> Option<(i64, bool)> {
    let (date, time) = text.split_once('T')?;
    let number = |from: usize| time.get(from..from + 2)?.parse::<i64>().ok().filter(|it| (0..60).contains(it));
    Some((Date::parse(date)?.days() * DAY + number(0)?.min(23) * 60 + number(2)?, time.ends_with(['Z', 'z'])))
}

/// Reads a duration, `PT1H30M` or `P2D` (RFC 5545 section 3.3.6), as minutes.
pub fn duration(text: &str) -> Option<i64> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (mut sum, mut number) = (0i64, 0i64);
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number =
                    number.checked_mul(10)?.checked_add(i64::from(c.to_digit(10)?)).filter(|it| *it < 1_000_000)?;
                continue;
            }
            'W' => 7 * DAY,
            'D' => DAY,
            'H' => 60,
            'M' => 1,
            'S' | 'T' => 0,
            _ => return None,
        };
        sum += number * unit;
        number = 0;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in (-200_000..200_000).step_by(17) {
            assert_eq!(Date::of_days(days).days(), days);
        }
        assert_eq!(Date::of_days(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(Date::parse("20261120").map(Date::weekday), Some(5));
    }

    #[test]
    fn the_nth_weekday_is_counted_from_both_ends() {
        assert_eq!(Date::nth(2026, 3, 7, -1), Date { year: 2026, month: 3, day: 29 });
        assert_eq!(Date::nth(2026, 11, 7, 1), Date { year: 2026, month: 11, day: 1 });
        assert_eq!(Date::nth(2026, 12, 5, 2), Date { year: 2026, month: 12, day: 11 });
    }

    #[test]
    fn times_and_durations_are_minutes() {
        assert_eq!(minutes("19700102T013000Z"), Some((DAY + 90, true)));
        assert_eq!(minutes("19700102T0130"), Some((DAY + 90, false)));
        assert_eq!(duration("P1DT2H30M"), Some(DAY + 150));
        for text in [
            "",
            "x",
            "2026112",
            "20261340T100000",
            "20261120T",
            "20261120T9",
            "P999999999999999D",
            "\u{e4}\u{e4}\u{e4}\u{e4}",
        ] {
            assert_eq!((minutes(text), duration(text)), (None, None), "{text}");
        }
    }
}
