//! Numbers with their units.

use serde::{Deserialize, Deserializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes, written as `25MB`, `20MiB`, `500 kB` or as a plain number.
pub struct Size(pub u64);

impl Default for Size {
    fn default() -> Self {
        Self(25_000_000)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Below this no mail fits, above it no mail server takes one.
        const BOUNDS: std::ops::RangeInclusive<u64> = 100_000..=1_000_000_000;
        let (number, unit) = split_unit(text);
        let factor = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => Some(1),
            "kb" => Some(1000),
            "mb" => Some(1_000_000),
            "gb" => Some(1_000_000_000),
            "kib" => Some(1 << 10),
            "mib" => Some(1 << 20),
            "gib" => Some(1 << 30),
            _ => None,
        };
        let bytes = number.parse().ok().zip(factor).and_then(|(number, factor): (u64, u64)| number.checked_mul(factor));
        match bytes {
            Some(bytes) if BOUNDS.contains(&bytes) => Ok(Self(bytes)),
            Some(_) => Err(format!("{text:?} is not between 100kB and 1GB")),
            None => Err(format!("{text:?} is not a size; write 25MB")),
        }
    }
}

/// A time between `LEAST` and `MOST` seconds, written as `10s` or `5m`.
pub struct Span<const LEAST: u64, const MOST: u64>(pub Duration);

impl<const LEAST: u64, const MOST: u64> FromStr for Span<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let factor = match unit {
            "" | "s" => Some(1),
            "m" | "min" => Some(60),
            _ => None,
        };
        let seconds =
            number.parse().ok().zip(factor).and_then(|(number, factor): (u64, u64)| number.checked_mul(factor));
        match seconds {
            Some(seconds) if (LEAST..=MOST).contains(&seconds) => Ok(Self(Duration::from_secs(seconds))),
            Some(_) => Err(format!("{text:?} is not between {LEAST}s and {MOST}s")),
            None => Err(format!("{text:?} is not a time; write 60s")),
        }
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    (number, unit.trim())
}

/// Takes any scalar, so that `max_size: 25000000` is good too. An error names its line.
pub struct Scalar<T>(pub std::marker::PhantomData<T>);

impl<T: FromStr<Err = String>> de::Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(std::marker::PhantomData))
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Span<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_the_ways_people_write_them() {
        for (text, bytes) in [("25MB", 25_000_000), ("25 mb", 25_000_000), ("1MiB", 1 << 20), ("200000", 200_000)] {
            assert_eq!(text.parse::<Size>().map(|size| size.0), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-5MB", "25XB", "99999999999999999999MB", "18446744073709551615GB", "1.5MB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
