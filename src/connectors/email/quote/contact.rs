//! Address and numbers below a greeting. The greeting and the name are the sender's words and stay.

use super::{
    head::folded,
    page::{is_own, is_quoted},
};

/// How people end a letter.
const GREETINGS: &[&str] = &[
    "mit freundlichen gr\u{fc}\u{df}en",
    "mit freundlichen gr\u{fc}ssen",
    "mit freundlichem gru\u{df}",
    "mit besten gr\u{fc}\u{df}en",
    "mit vielen gr\u{fc}\u{df}en",
    "freundliche gr\u{fc}\u{df}e",
    "freundliche gr\u{fc}sse",
    "viele gr\u{fc}\u{df}e",
    "beste gr\u{fc}\u{df}e",
    "liebe gr\u{fc}\u{df}e",
    "herzliche gr\u{fc}\u{df}e",
    "sch\u{f6}ne gr\u{fc}\u{df}e",
    "mfg",
    "kind regards",
    "best regards",
    "with kind regards",
    "regards",
    "best wishes",
    "yours sincerely",
    "sincerely",
];
/// What shows that a line belongs to an address, by kind.
const SIGNS: [&[&str]; 4] = [
    &["tel.", "tel:", "telefon", "phone", "fon:", "fon ", "fax", "mobil", "t: ", "m: ", "f: ", "+49"],
    &["@", "www.", "http", "e-mail:"],
    &["stra\u{df}e ", "strasse ", "str. ", "weg ", "platz ", "allee ", "postfach", "street", "road"],
    &["gmbh", " ag", " e.v.", "e. v.", " kg", "hrb", "amtsgericht", "gesch\u{e4}ftsf\u{fc}hr", "ust-id", "ltd", "inc."],
];
/// Where the sender speaks of such things, they are no ornament.
const MEANT: &[&str] = &[
    "anruf",
    "rufen sie",
    "ruf mich",
    "telefon",
    "erreich",
    "nummer",
    "anschrift",
    "adresse",
    "kontakt",
    "call me",
    "phone",
    "reach me",
    "address",
    "contact",
];
/// The longest line with one, in bytes.
const GREETING: usize = 60;
/// How many lines must show one, and how many the whole may have.
const LEAST: usize = 3;
const MOST: usize = 25;
/// The longest line of an address, in bytes.
const LINE: usize = 160;
/// What stays below the greeting: a name and what the person is.
const NAME: usize = 2;

/// The first line of an address that goes to the end of the mail.
pub fn start(lines: &[&str]) -> Option<usize> {
    let tail = lines.len().saturating_sub(2 * MOST);
    let greeting = tail + lines.get(tail..)?.iter().rposition(|line| is_greeting(line))?;
    let at = below_name(lines, greeting + 1);
    let block: Vec<&str> = lines.get(at..)?.iter().copied().filter(|line| is_own(line) || is_quoted(line)).collect();
    let is_address = block.len() <= MOST && block.iter().all(|line| can_stand_in_address(line));
    let letter = lines.get(greeting.saturating_sub(2 * MOST)..greeting)?;
    (is_address && signs(&block) && !letter.iter().any(|line| speaks_of_contact(line))).then_some(at)
}

pub fn is_greeting(line: &str) -> bool {
    let line = line.trim();
    if line.len() > GREETING {
        return false;
    }
    let line = folded(line);
    line.len() <= GREETING && GREETINGS.iter().any(|words| line.starts_with(words))
}

/// Behind the name below a greeting.
fn below_name(lines: &[&str], from: usize) -> usize {
    let mut at = from;
    let mut named = 0;
    while let Some(line) = lines.get(at) {
        let is_empty = !is_own(line);
        if (is_empty && named > 0) || named == NAME || (!is_empty && sign(line).is_some()) {
            break;
        }
        named += usize::from(!is_empty);
        at += 1;
    }
    at
}

fn can_stand_in_address(line: &str) -> bool {
    let text = folded(line.trim());
    let is_sentence = text.split_whitespace().count() >= 5 && text.ends_with(['.', '!']) && sign(line).is_none();
    let is_postscript = text.starts_with("ps") || text.starts_with("p.s");
    !is_quoted(line) && line.len() <= LINE && !text.contains('?') && !is_sentence && !is_postscript
}

/// Enough lines, of more than one kind.
fn signs(block: &[&str]) -> bool {
    let mut kinds: Vec<usize> = block.iter().filter_map(|line| sign(line)).collect();
    let lines = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    lines >= LEAST && kinds.len() >= 2
}

fn sign(line: &str) -> Option<usize> {
    let text = format!("{} ", folded(line.trim()));
    let known = SIGNS.iter().position(|signs| signs.iter().any(|sign| text.contains(sign)));
    known.or_else(|| is_town(&text).then_some(2))
}

/// "23769 Fehmarn", with or without a "D-".
fn is_town(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.len() == 5 && word.bytes().all(|b| b.is_ascii_digit()))
}

fn speaks_of_contact(line: &str) -> bool {
    let text = folded(line);
    MEANT.iter().any(|words| text.contains(words))
}

/// Whether this is said, rather than printed on a card.
pub fn is_sentence(line: &str) -> bool {
    let line = line.trim();
    line.split_whitespace().count() >= 5 && line.ends_with(['.', '!', '?'])
}
