//! What stays of the lines of a mail.

use super::{
    Taken, footer,
    head::{self, Attribution},
};
use crate::connectors::email::text::clean;
use std::ops::Range;

/// What stands for a picture in a line that was made from HTML.
pub const PICTURE: char = '\u{1f5bc}';
/// Stands where a signature ends that a program marked.
pub const SIGNATURE_END: &str = "\u{200b}";
/// One thing is cut in each round; more than a quote, a signature and two notices below it is rare. A long text is looked at
/// so often, a short one as often as comes to so many lines.
const ROUNDS: usize = 6;
const SHORT: usize = 10_000;
/// A quote above the answer stays if it is not longer, in lines with words: it was left there to say what is meant.
const LEADING_QUOTE: usize = 5;
/// How far above a quote the sender may say that they answer in it, in lines.
const REFERENCE: usize = 40;
/// How people say that their answers stand in the mail below, where no mark tells them from it.
const ANSWERS_BELOW: &[&str] = &[
    " in rot",
    " rot markiert",
    " in blau",
    " in gr\u{fc}n",
    " farbig",
    " farblich",
    "siehe unten",
    " s. unten",
    " s. u.",
    " s.u.",
    "antworten unten",
    "antwort unten",
    "weiter unten",
    "unter ihren fragen",
    "in ihrer mail",
    "in ihre mail",
    "im text unten",
    "direkt im text",
    " inline",
    "see below",
    " in red",
    " in blue",
    " in green",
    "answers below",
    "comments below",
];

/// The lines that stay, and what was taken away.
pub struct Kept {
    pub lines: Range<usize>,
    pub taken: Taken,
}

/// What to keep of a mail. A quoted line begins with `>`. Time grows with the length of the text, not faster.
pub fn keep(lines: &[&str]) -> Kept {
    let mut kept = Kept { lines: 0..lines.len(), taken: Taken::Nothing };
    let mut to_look_at = (lines.len() * ROUNDS).max(SHORT);
    while to_look_at >= kept.lines.len() {
        to_look_at -= kept.lines.len();
        let Range { start, end } = kept.lines;
        let Some((less, taken)) = lines.get(start..end).and_then(shorter) else { break };
        kept = Kept { lines: start + less.start..start + less.end, taken: kept.taken.max(taken) };
    }
    kept
}

/// The same without one thing.
fn shorter(lines: &[&str]) -> Option<(Range<usize>, Taken)> {
    let page = Page::new(lines);
    match page.quote() {
        Found::Forward => return None,
        Found::Quote(at) if page.is_own_above(at) => {
            return (!page.answers_stand_below(at)).then_some((0..at, Taken::Quote));
        }
        _ => {}
    }
    if let Some(at) = page.leading_quote() {
        return Some((at..lines.len(), Taken::Quote));
    }
    let at = page.footer.filter(|at| page.is_own_above(*at))?;
    Some((0..at, Taken::Signature))
}

/// What begins in the middle of a mail.
enum Found {
    Nothing,
    /// Somebody else's mail, passed on: it is what the sender has to say.
    Forward,
    /// Quotes with nothing of the sender's below, or a mail that is repeated as it was.
    Quote(usize),
}

pub fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// Whether somebody wrote this; a line that only divides is not written.
pub fn is_own(line: &str) -> bool {
    !is_quoted(line) && line.chars().any(|c| c.is_alphanumeric() || !(is_rule(c) || is_empty(c)))
}

fn is_empty(c: char) -> bool {
    c.is_whitespace() || c.is_control() || clean::is_unseen(c) || c == PICTURE
}

pub fn is_rule(c: char) -> bool {
    matches!(c, '-' | '_' | '=' | '*' | '~' | '#' | '|' | '\u{2010}'..='\u{2015}' | '\u{2500}' | '\u{2501}')
}

/// The lines of a mail and what is asked about them again and again.
struct Page<'x> {
    lines: &'x [&'x str],
    first_quoted: Option<usize>,
    last_quoted: Option<usize>,
    /// What stands below every mail of the sender.
    footer: Option<usize>,
    /// The lines before what stands below every mail of the sender.
    end: usize,
    /// The last line before `end` that the sender wrote.
    last_own: Option<usize>,
}

impl<'x> Page<'x> {
    fn new(lines: &'x [&'x str]) -> Self {
        let first_quoted = lines.iter().position(|line| is_quoted(line));
        let last_quoted = lines.iter().rposition(|line| is_quoted(line));
        let footer = footer::start(lines);
        let end = footer.filter(|at| last_quoted.is_none_or(|last| last < *at)).unwrap_or(lines.len());
        let last_own = lines.iter().take(end).rposition(|line| is_own(line));
        Self { lines, first_quoted, last_quoted, footer, end, last_own }
    }

    fn from(&self, at: usize) -> &'x [&'x str] {
        self.lines.get(at..).unwrap_or_default()
    }

    fn is_own_above(&self, at: usize) -> bool {
        let is_word = |line: &str| is_own(line) && !head::is_original_mark(&[line]);
        self.lines.iter().take(at).any(|line| is_word(line) || line.contains(PICTURE))
    }

    fn quote(&self) -> Found {
        for at in 0..self.lines.len() {
            let rest = self.from(at);
            if head::is_forward(rest) {
                return Found::Forward;
            }
            if head::is_original_mark(rest) || head::is_header_block(rest) {
                return Found::Quote(self.with_rule_above(at));
            }
            if let Some(found) = self.quote_head(at) {
                return found;
            }
        }
        self.trailing_quotes().or_else(|| self.left_over()).map_or(Found::Nothing, Found::Quote)
    }

    /// An attribution with nothing but quotes below it; or, if it is beyond doubt, with nothing that is marked as a
    /// quote, since some programs repeat a mail as it is.
    fn quote_head(&self, at: usize) -> Option<Found> {
        let found = head::attribution(self.from(at))?;
        let below = at + found.lines;
        // "Am Montag komme ich." right above another line that begins with "Am" is no part of the attribution.
        if (at + 1..below).any(|later| head::attribution(self.from(later)).is_some_and(|it| it.full)) {
            return None;
        }
        let is_marked = self.last_quoted >= Some(below) && self.last_own < Some(below);
        let is_unmarked = found.certain && self.last_quoted < Some(at);
        (is_marked || is_unmarked).then(|| Found::Quote(self.with_rule_above(at)))
    }

    /// A line that divides, right above an original, belongs to it.
    fn with_rule_above(&self, at: usize) -> usize {
        let is_divider = |line: &str| line.len() >= 5 && line.chars().all(is_rule);
        let above = self.lines.iter().take(at).rposition(|line| !line.trim().is_empty());
        above.filter(|above| self.lines.get(*above).is_some_and(|line| is_divider(line.trim()))).unwrap_or(at)
    }

    /// The quotes below the last own words. Where there are quotes above as well, these stand between answers and stay.
    fn trailing_quotes(&self) -> Option<usize> {
        let is_picture = |line: &&str| !is_quoted(line) && line.contains(PICTURE);
        let below = self.last_own.or_else(|| self.lines.iter().position(is_picture))? + 1;
        (self.last_quoted >= Some(below) && self.last_quoted < Some(self.end)).then_some(below)
    }

    /// An attribution at the very end: its quote was no text.
    fn left_over(&self) -> Option<usize> {
        let end = self.lines.iter().rposition(|line| !line.trim().is_empty())? + 1;
        let lines = self.lines.get(..end)?;
        (end.saturating_sub(head::ATTRIBUTION_LINES)..end).find(|at| {
            let found = lines.get(*at..).and_then(head::attribution);
            found.is_some_and(|Attribution { lines, certain, .. }| certain && at + lines == end)
        })
    }

    /// Where the answer begins below one quote of a whole mail: a long one, or one with its signature.
    fn leading_quote(&self) -> Option<usize> {
        let (first, last) = self.first_quoted.zip(self.last_quoted)?;
        let above = self.lines.get(..first)?;
        let is_attributed = above.iter().enumerate().find(|(_, line)| !line.trim().is_empty()).is_none_or(|(at, _)| {
            head::attribution(self.from(at)).is_some_and(|it| above.iter().skip(at + it.lines).all(|l| !is_own(l)))
        });
        let quote = self.lines.get(first..=last)?;
        let unmarked = |line: &str| line.trim_start_matches(['>', ' ']).trim_end().to_owned();
        let all = quote.iter().filter(|line| !unmarked(line).is_empty()).count() > LEADING_QUOTE
            || quote.iter().any(|line| unmarked(line) == "--");
        let whole = quote.iter().all(|line| !is_own(line));
        (is_attributed && all && whole && self.last_own > Some(last)).then_some(last + 1)
    }

    fn answers_stand_below(&self, at: usize) -> bool {
        let above = self.lines.get(at.saturating_sub(REFERENCE)..at).unwrap_or_default();
        above.iter().filter(|line| !is_quoted(line)).any(|line| {
            let line = format!(" {}", head::folded(line));
            ANSWERS_BELOW.iter().any(|words| line.contains(words))
        })
    }
}
