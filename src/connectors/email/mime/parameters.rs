//! Parameters that are continued over several pieces (RFC 2231 section 3), put together before they are decoded.
//! `mail-parser` decodes each piece alone, so a character in two pieces, or an old character set, would be lost.

use super::{charset, words};
use crate::connectors::email::address::unhex;

/// The most pieces of one value that are put together.
const PIECES: usize = 100;

/// The value of `name`, from the pieces `name*0*`, `name*1*`, ...; `None` if there are none.
pub fn continued(header: &str, name: &str) -> Option<String> {
    let mut pieces: Vec<(usize, bool, &str)> =
        split(header).filter_map(|parameter| piece(parameter, name)).take(PIECES).collect();
    pieces.sort_by_key(|(number, _, _)| *number);
    let mut charset = "utf-8";
    let mut bytes = Vec::new();
    for (index, (_, is_encoded, value)) in pieces.iter().enumerate() {
        let mut value = *value;
        if index == 0 && *is_encoded {
            let mut parts = value.splitn(3, '\'');
            (charset, _, value) = (parts.next()?, parts.next()?, parts.next()?);
        }
        bytes.extend(unhex(value, b'%').filter(|_| *is_encoded).unwrap_or_else(|| value.as_bytes().to_vec()));
    }
    let value = (!bytes.is_empty()).then(|| charset::decode(&bytes, charset))?;
    // Some programs cut a name in encoded words into such pieces.
    Some(if pieces.iter().any(|(_, is_encoded, _)| *is_encoded) { value } else { words::decoded(&value) })
}

/// `filename*1*=abc` as its number, whether it is encoded, and its value without quotes.
fn piece<'x>(parameter: &'x str, name: &str) -> Option<(usize, bool, &'x str)> {
    let (key, value) = parameter.split_once('=')?;
    let mut key = key.trim().split('*');
    if !key.next()?.eq_ignore_ascii_case(name) {
        return None;
    }
    let number = key.next()?.parse().ok()?;
    Some((number, key.next().is_some(), value.trim().trim_matches('"')))
}

/// What stands between the semicolons that are not in quotes.
fn split(header: &str) -> impl Iterator<Item = &str> {
    let mut in_quotes = false;
    header.split(move |c| {
        in_quotes ^= c == '"';
        c == ';' && !in_quotes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_in_two_pieces_is_one_character() {
        let header = "attachment;\r\n filename*0*=UTF-8''Gr%C3;\r\n filename*1*=%BC%C3%9Fe;\r\n filename*2=\"; x.pdf\"";
        assert_eq!(continued(header, "filename").as_deref(), Some("Gr\u{fc}\u{df}e; x.pdf"));
    }

    #[test]
    fn the_character_set_of_the_first_piece_is_that_of_all() {
        assert_eq!(
            continued("x/y; Name*1*=S%FCd; NAME*0*=iso-8859-1'de'Nord%20", "name").as_deref(),
            Some("Nord S\u{fc}d")
        );
    }

    #[test]
    fn encoded_words_in_pieces_are_a_name() {
        let header = "attachment; filename*0=\"=?utf-8?Q?Ma=C3=9Fnahmen_?=\";\r\n filename*1=\"=?utf-8?B?T2t0?=.html\"";
        assert_eq!(continued(header, "filename").as_deref(), Some("Ma\u{df}nahmen Okt.html"));
        assert_eq!(continued("x; filename*0*=utf-8''%3D%3Fx;filename*1=y", "filename").as_deref(), Some("=?xy"));
    }

    #[test]
    fn a_value_in_one_piece_or_in_broken_ones_is_not_read_here() {
        for header in [
            "attachment; filename=x.pdf",
            "attachment; filename*=UTF-8''x.pdf",
            "attachment; filename*0*=x.pdf",
            "",
            ";;=",
            "a; filename*x*=y",
        ] {
            assert_eq!(continued(header, "filename"), None, "{header}");
        }
    }
}
