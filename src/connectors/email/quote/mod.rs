//! Where in a plain text the words of the sender end and what they answer begins.

pub(super) mod html;

use super::text::clean;

/// What was taken away from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Nothing,
    /// Only a signature.
    Signature,
    Quote,
}

/// What stands, behind dashes, over an original that is repeated below.
const ORIGINAL: &[&str] = &[
    "original message",
    "original email",
    "original mail",
    "originalnachricht",
    "original-nachricht",
    "urspr\u{fc}ngliche nachricht",
    "urspr\u{fc}ngliche mail",
    "message d'origine",
];
/// The header lines that Outlook and GMX write over an original, by kind.
const HEADER: [&[&str]; 4] =
    [&["von:", "from:"], &["gesendet:", "sent:", "datum:", "date:"], &["an:", "to:"], &["betreff:", "subject:"]];
/// How an attribution begins, in full, and what it contains.
const ATTRIBUTION: &[(&str, &str)] =
    &[("am ", " schrieb"), ("on ", " wrote"), ("le ", " a \u{e9}crit"), ("den ", " skrev"), ("op ", " schreef")];
/// What one contains that begins with the name.
const NAMED_ATTRIBUTION: &[&str] = &[" schrieb", " wrote", " a \u{e9}crit"];
/// The longest attribution, in lines: programs break it where they like.
const ATTRIBUTION_LINES: usize = 4;
/// The longest signature, in lines; what is longer may be a letter with a dash in it.
const SIGNATURE_LINES: usize = 15;

/// Cuts what the sender did not write now: quotes below their words, and a signature. Answers between quotes stay with
/// the quotes that they answer. What would leave nothing is not cut.
pub fn cut(text: &str) -> (String, Taken) {
    let lines: Vec<&str> = text.lines().collect();
    let (kept, quote) = shortened(&lines, Page::new(&lines).quote_start());
    let (kept, signature) = shortened(kept, signature_start(kept));
    let taken = match (quote, signature) {
        (true, _) => Taken::Quote,
        (false, true) => Taken::Signature,
        (false, false) => Taken::Nothing,
    };
    (clean::lines(&kept.join("\n")), taken)
}

/// The lines above `at`, and whether that is a cut; all of them if none above is the sender's.
fn shortened<'x, 'y>(lines: &'x [&'y str], at: Option<usize>) -> (&'x [&'y str], bool) {
    match at.and_then(|at| lines.get(..at)) {
        Some(above) if above.iter().any(|line| !is_quoted(line) && has_words(line)) => (above, true),
        _ => (lines, false),
    }
}

fn has_words(line: &str) -> bool {
    line.chars().any(|c| c.is_alphanumeric() || (!c.is_ascii() && !c.is_whitespace()))
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// A text and what is looked for in it again and again.
struct Page<'x> {
    lines: &'x [&'x str],
    /// The lines before a signature at the very end.
    end: usize,
    last_quoted: Option<usize>,
    /// The last line before `end` with something in it that is not a quote.
    last_own: Option<usize>,
}

impl<'x> Page<'x> {
    fn new(lines: &'x [&'x str]) -> Self {
        let last_quoted = lines.iter().rposition(|line| is_quoted(line));
        let end = signature_start(lines).filter(|at| last_quoted.is_none_or(|last| last < *at)).unwrap_or(lines.len());
        let last_own = lines.iter().take(end).rposition(|line| !line.trim().is_empty() && !is_quoted(line));
        Self { lines, end, last_quoted, last_own }
    }

    fn from(&self, at: usize) -> &'x [&'x str] {
        self.lines.get(at..).unwrap_or_default()
    }

    /// The first line that is not the sender's: of an original that is repeated as a whole, or of the quotes at the end.
    fn quote_start(&self) -> Option<usize> {
        let start = (0..self.lines.len()).find(|at| {
            let rest = self.from(*at);
            is_original_mark(rest) || is_header_block(rest) || self.is_quote_head(*at)
        });
        start.map(|at| self.with_rule_above(at)).or_else(|| self.trailing_quotes())
    }

    /// An attribution with nothing but quotes below it; or, if it is beyond doubt, with nothing that is marked as a
    /// quote, since some programs repeat the original as it is.
    fn is_quote_head(&self, at: usize) -> bool {
        let Some(found) = attribution(self.from(at)) else { return false };
        let below = at + found.lines;
        let only_quotes = self.last_quoted >= Some(below) && self.last_own < Some(below);
        let unmarked = found.certain && self.last_quoted < Some(at);
        // "Am Montag komme ich." right above another line that begins with "Am" is no part of the attribution.
        let begins_later = (at + 1..below).any(|later| attribution(self.from(later)).is_some_and(|a| a.full));
        (only_quotes || unmarked) && !begins_later
    }

    /// A line of underscores right above an original belongs to it.
    fn with_rule_above(&self, at: usize) -> usize {
        let is_rule = |line: &str| line.len() >= 5 && line.chars().all(|c| matches!(c, '_' | '-' | '=' | '\u{2500}'));
        let above = self.lines.iter().take(at).rposition(|line| !line.trim().is_empty());
        above.filter(|above| self.lines.get(*above).is_some_and(|line| is_rule(line.trim()))).unwrap_or(at)
    }

    /// The quotes below the last own words. Where there are quotes above as well, these stand between answers and stay.
    fn trailing_quotes(&self) -> Option<usize> {
        let below = self.last_own? + 1;
        (self.last_quoted >= Some(below) && self.last_quoted < Some(self.end)).then_some(below)
    }
}

fn is_original_mark(rest: &[&str]) -> bool {
    let line = rest.first().map_or("", |line| line.trim());
    line.starts_with("--") && ORIGINAL.contains(&line.trim_matches(['-', '_', ' ']).to_lowercase().as_str())
}

/// At least three kinds of header lines close together, beginning with "Von:" or "Gesendet:".
fn is_header_block(rest: &[&str]) -> bool {
    let kind = |line: &&str| {
        let line: String = line.trim_start().chars().take(16).filter(|c| !"* \u{a0}".contains(*c)).collect();
        let line = line.to_lowercase();
        HEADER.iter().position(|names| names.iter().any(|name| line.starts_with(name)))
    };
    if rest.first().and_then(kind).is_none_or(|kind| kind > 1) {
        return false;
    }
    // Ten lines, since header lines may be wrapped or set apart by empty ones.
    let mut kinds: Vec<usize> = rest.iter().take(10).filter_map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len() >= 3
}

/// The line that says who wrote the quoted text and when: "Am ... schrieb Anna Muster <anna@...>:".
struct Attribution {
    lines: usize,
    /// It begins as one, with the day; not with a name, as any sentence may.
    full: bool,
    /// It has an address or a time of day as well.
    certain: bool,
}

fn attribution(rest: &[&str]) -> Option<Attribution> {
    let mut text = String::new();
    for (count, line) in rest.iter().take(ATTRIBUTION_LINES).enumerate() {
        let line = line.trim_start_matches(['>', ' ']).trim();
        if line.is_empty() || text.len() + line.len() > 400 {
            return None;
        }
        text.push_str(&line.to_lowercase().replace('\u{a0}', " "));
        text.push(' ');
        if line.ends_with(':') {
            let first_has_address = rest.first().is_some_and(|line| line.contains(['@', '<']));
            return is_attribution(&text, count + 1, count == 0 || first_has_address);
        }
    }
    None
}

/// Whether the last lines are an attribution whose quote is gone.
pub fn ends_in_attribution(text: &str) -> bool {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let start = lines.len().saturating_sub(ATTRIBUTION_LINES);
    (start..lines.len())
        .filter_map(|at| lines.get(at..))
        .any(|rest| attribution(rest).is_some_and(|found| found.lines == rest.len()))
}

fn is_attribution(text: &str, lines: usize, may_begin_with_name: bool) -> Option<Attribution> {
    let mut chars = text.chars().peekable();
    let mut time = false;
    while let Some(c) = chars.next() {
        time |= c == ':' && chars.peek().is_some_and(char::is_ascii_digit);
    }
    let address = text.contains('@');
    let day = text.chars().any(|c| c.is_ascii_digit());
    let full = day && ATTRIBUTION.iter().any(|(start, verb)| text.starts_with(start) && text.contains(verb));
    let named = (day || address) && may_begin_with_name && NAMED_ATTRIBUTION.iter().any(|verb| text.contains(verb));
    (full || named).then_some(Attribution { lines, full, certain: full && (address || time) })
}

/// The line `-- ` (also where its space was lost) over the last few lines.
fn signature_start(lines: &[&str]) -> Option<usize> {
    let at = lines.iter().rposition(|line| *line == "-- " || *line == "--")?;
    (lines.len() - at <= SIGNATURE_LINES + 1).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of an answer with this below it.
    fn left(below: &str) -> String {
        cut(&format!("Ja, das passt.\n\nGru\u{df}\nBob\n\n{below}")).0
    }

    #[test]
    fn what_is_answered_is_cut_below_the_marks_of_every_program() {
        for below in [
            "Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n>\n> Anna\n",
            "Am Do., 12. Nov. 2026 um 10:00 Uhr schrieb Anna Muster <\nanna@chat.example.org>:\n\n> Passt es?\n",
            "> Am 12.11.2026 um 10:00 schrieb Anna Muster <anna@chat.example.org>:\n> \n> Passt es?\n",
            "On Thu, Nov 12, 2026 at 10:00 AM Anna Muster <anna@chat.example.org> wrote:\n\n> Passt es?\n",
            "Anna Muster <anna@chat.example.org> schrieb am Do., 12. Nov. 2026, 10:00:\n\n> Passt es?\n",
            "Am 12.11.26 um 10:00 schrieb Anna Muster:\n\nPasst es?\n\nAnna\n",
            "-----Urspr\u{fc}ngliche Nachricht-----\nVon: Anna\nPasst es?\n",
            "-----Original Message-----\nFrom: Anna\n\nPasst es?\n",
            "________________________________\nVon: Anna Muster <anna@chat.example.org>\nGesendet: Donnerstag, 12. November 2026 10:00\nAn: Bob\nBetreff: Termin\n\nPasst es?\n",
            "Gesendet: Donnerstag, 12. November 2026 um 10:00 Uhr\nVon: \"Anna\" <anna@chat.example.org>\nAn: bob@example.org\nBetreff: Termin\nPasst es?\n",
            "*From:* Anna\n*Sent:* Thursday\n*To:* Bob\n*Subject:* Termin\n\nPasst es?\n",
            "> Passt es?\n> Anna\n",
            "Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n\n-- \nBob Beispiel\n",
            "-- \nBob Beispiel\n\nAm 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n",
        ] {
            assert_eq!(left(below), "Ja, das passt.\n\nGru\u{df}\nBob", "{below}");
        }
    }

    #[test]
    fn the_line_above_an_attribution_stays() {
        assert_eq!(cut("Danke!\nAm 12.11.2026 um 10:00 schrieb Anna:\n> x\n").0, "Danke!");
        assert_eq!(cut("Am Montag komme ich.\nAm 12.11.2026 um 10:00 schrieb Anna:\n> x\n").0, "Am Montag komme ich.");
    }

    #[test]
    fn answers_between_quotes_stay_with_what_they_answer() {
        let text = "Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n\nJa.\n\n> Wer kommt?\n\nIch.";
        assert_eq!(cut(text), (text.to_owned(), Taken::Nothing));
        assert_eq!(cut(&format!("{text}\n\n> Anna Muster\n> Amt")), (text.to_owned(), Taken::Quote));
        assert_eq!(cut(&format!("{text}\n-- \nBob")), (text.to_owned(), Taken::Signature));
    }

    #[test]
    fn an_older_original_inside_a_quote_ends_nothing() {
        for quote in [
            "> Von: Anna\n> Gesendet: heute\n> An: Bob\n> Betreff: x",
            "> -----Original Message-----\n> Passt es?",
            "> Am 12.11.2026 um 10:00 schrieb Anna:",
        ] {
            let text = format!("{quote}\n\nJa, das passt.");
            assert_eq!(cut(&text), (text, Taken::Nothing));
        }
    }

    #[test]
    fn a_story_that_tells_who_wrote_what_is_no_quote() {
        for text in [
            "Hallo,\n\nmein Nachbar schrieb mir am 3. Mai:\n\nDer Zaun muss weg.\n\nWas nun?",
            "Hallo,\n\nAm 3. Mai schrieb er mir:\n\nDer Zaun muss weg.\n\nWas nun?",
            "Bitte an:\nVon: K\u{f6}ln\nnach Bonn",
            "Preise:\n--\nBus 3 Euro\nBahn 5 Euro".replace("--", "---").as_str(),
        ] {
            assert_eq!(cut(text), (text.to_owned(), Taken::Nothing));
        }
    }

    #[test]
    fn a_signature_is_cut_and_a_letter_below_a_dash_is_not() {
        assert_eq!(cut("Hallo\n-- \nBob\nFirma"), ("Hallo".to_owned(), Taken::Signature));
        let letter = format!("Hallo\n--\n{}", "Zeile\n".repeat(20));
        assert_eq!(cut(&letter).1, Taken::Nothing);
    }

    #[test]
    fn what_would_leave_nothing_is_not_cut() {
        for text in [
            "> nur zitiert",
            "--\nBob",
            "-----Original Message-----\nHallo",
            "> a\n\n--\nBob",
            "Am 12.11.2026 um 10:00 schrieb Anna:\n> x",
        ] {
            assert_eq!(cut(text), (text.to_owned(), Taken::Nothing));
        }
        assert_eq!(cut("\u{1f44d}\n\n> Passt es?").0, "\u{1f44d}");
    }

    #[test]
    fn a_text_of_nothing_but_marks_stays_as_it_is() {
        let text = "on 1 x@y wrote:\n".repeat(200_000);
        assert_eq!(cut(&text).0.lines().count(), 200_000);
    }
}
