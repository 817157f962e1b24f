//! What stands below every mail of a sender: signature, greetings of the program, notices of the firm, the list's footer.

use super::{
    contact,
    head::{folded, folded_start, small},
    page::{PICTURE, SIGNATURE_END, is_own, is_quoted, is_rule},
};

/// The longest signature, in lines; what is longer may be a letter with a dash in it.
const SIGNATURE_LINES: usize = 15;
/// How far from the end a notice may begin, in lines.
const NOTICE_LINES: usize = 60;
/// How much of a line is looked at for one, in characters.
const NOTICE_LINE: usize = 2000;
/// One thing is found in each round.
const ROUNDS: usize = 8;
/// The longest line that a program adds, in bytes, and in how many lines it may be broken.
const PROGRAM: usize = 220;
const PROGRAM_LINES: usize = 3;
/// So many characters tell nearly every line that somebody wrote from what a program adds.
const BEGIN: usize = 8;
/// How what a program adds begins, what one of it contains, and its most words: a sentence of the sender is longer.
const PROGRAMS: &[(&str, &[&str], usize)] = &[
    ("von meinem", &["gesendet"], 6),
    ("von meiner", &["gesendet"], 6),
    ("diese nachricht wurde von meine", &["gesendet"], 16),
    ("diese e-mail wurde von meine", &["gesendet"], 16),
    ("gesendet von ", &["outlook", "windows", "meinem", "meiner", "yahoo", "iphone", "ipad", "proton"], 8),
    ("gesendet mit ", &[" app", "outlook", "mail", "proton", "tuta", "delta chat", "blackberry"], 9),
    ("gesendet \u{fc}ber ", &["outlook", "mail"], 7),
    ("gesendet aus ", &["app", "outlook"], 7),
    ("outlook f\u{fc}r ", &["beziehen", "herunterladen", "abrufen"], 6),
    ("holen sie sich outlook", &["ios", "android"], 8),
    ("laden sie outlook", &["ios", "android"], 8),
    ("get outlook for ", &["ios", "android", "mac"], 6),
    ("sent from ", &["my ", "outlook", "mail", "proton", "samsung", "a mobile"], 8),
    ("sent from my ", &["brevity"], 16),
    ("sent with ", &["proton", "tuta", "delta chat", "outlook", "my ", "mail"], 9),
    ("sent via ", &["mail", "outlook", "phone", "proton"], 7),
    ("virenfrei", &["avast", "avg", "www."], 6),
    ("virus-free", &["avast", "avg", "www."], 6),
    ("diese e-mail wurde von avast", &["viren"], 16),
    ("diese e-mail wurde ", &["viren gepr\u{fc}ft", "viren \u{fc}berpr\u{fc}ft"], 16),
    ("diese nachricht wurde ", &["viren gepr\u{fc}ft", "viren \u{fc}berpr\u{fc}ft"], 16),
    ("this email has been checked for viruses", &[""], 16),
    ("this e-mail has been checked for viruses", &[""], 16),
    ("please consider the environment", &["print"], 16),
    ("bitte denken sie an die umwelt", &["druck"], 20),
    ("denken sie an die umwelt", &["druck"], 20),
    ("bitte pr\u{fc}fen sie", &["wirklich ausgedruckt", "wirklich gedruckt"], 20),
    ("informationen zum datenschutz", &["http", "www."], 20),
    ("hinweise zum datenschutz", &["http", "www."], 20),
    ("datenschutzhinweise", &["http", "www."], 20),
    ("you received this message because you are subscribed", &[""], 20),
    ("sie erhalten diese nachricht, weil sie", &["gruppe", "groups", "liste", "abonn"], 20),
    ("to unsubscribe from this group", &[""], 20),
];
/// What the footer of a mailing list contains, below a line of underscores.
const LISTS: &[&str] = &["mailing list", "mailingliste", "listinfo", "unsubscribe", "abbestellen", "abmelden"];
/// What a notice of confidentiality says of itself.
const THIS_MAIL: &[&str] = &[
    "diese e-mail",
    "dieser e-mail",
    "diese email",
    "dieser email",
    "diese mail",
    "dieser mail",
    "diese nachricht",
    "dieser nachricht",
    "this e-mail",
    "this email",
    "this mail",
    "this message",
    "this communication",
    "this transmission",
];
/// What such a notice speaks of; three of these are one.
const NOTICE: &[&[&str]] = &[
    &["vertraulich", "confidential"],
    &["rechtlich gesch\u{fc}tzt", "privileged", "legally protected"],
    &["empf\u{e4}nger", "adressat", "intended", "addressee", "recipient"],
    &["irrt\u{fc}mlich", "versehentlich", "in error", "by mistake"],
    &["vernichten", "l\u{f6}schen", "delete", "destroy"],
    &["unbefugt", "unerlaubt", "unauthori", "nicht gestattet", "untersagt", "prohibited", "forbidden"],
    &["weitergabe", "kopieren", "vervielf\u{e4}ltigung", "disclosure", "copying", "distribution", "dissemination"],
    &["absender", "the sender"],
    &["viren", "virus"],
];
const NOTICES: usize = 3;
/// What follows a notice goes on with it if it speaks of so many.
const GOES_ON: usize = 2;
/// What may stand above such a notice.
const NOTICE_TITLES: &[&str] =
    &["vertraulichkeitshinweis", "disclaimer", "confidentiality", "wichtiger hinweis", "hinweis", "important"];

/// Finds the first line of something that goes to the end, looking at the last lines only.
type Rule = fn(&[&str]) -> Option<usize>;
const RULES: &[Rule] = &[of_program, of_notice, of_list, of_signature, contact::start];

/// The first line of all that stands below every mail of this sender.
pub fn start(lines: &[&str]) -> Option<usize> {
    let whole = without_dividers(lines);
    let mut rest = whole;
    for _ in 0..ROUNDS {
        let Some(less) = RULES.iter().filter_map(|rule| rule(rest)).min().and_then(|at| rest.get(..at)) else { break };
        rest = without_dividers(less);
    }
    (rest.len() < whole.len()).then_some(rest.len())
}

/// Without the lines at the end that nobody wrote.
fn without_dividers<'x, 'y>(lines: &'x [&'y str]) -> &'x [&'y str] {
    let end =
        lines.iter().rposition(|line| is_own(line) || is_quoted(line) || is_dashes(line)).map_or(0, |last| last + 1);
    lines.get(..end).unwrap_or_default()
}

/// The line `-- ` (RFC 3676 section 4.3), also where its space was lost.
fn is_dashes(line: &str) -> bool {
    line.trim_end() == "--"
}

fn of_signature(lines: &[&str]) -> Option<usize> {
    let tail = lines.len().saturating_sub(SIGNATURE_LINES + 1);
    let at = tail + lines.get(tail..)?.iter().rposition(|line| is_dashes(line))?;
    lines.get(at..)?.iter().all(|line| !is_quoted(line) && *line != SIGNATURE_END).then_some(at)
}

fn of_program(lines: &[&str]) -> Option<usize> {
    let ends_at = |at: &usize| lines.get(*at..).is_some_and(is_broken_program);
    (1..=PROGRAM_LINES.min(lines.len())).map(|count| lines.len() - count).find(ends_at)
}

/// Whether these lines are one that a program wrote, broken or with its link below; not with words of the sender below.
fn is_broken_program(lines: &[&str]) -> bool {
    let Some((last, above)) = lines.split_last() else { return false };
    let is_link = !last.trim().contains(' ') && (last.contains("www.") || last.contains("://"));
    is_of_program(&lines.join(" ")) && (is_link || !is_of_program(&above.join(" ")))
}

/// Whether a program wrote this line.
pub fn is_of_program(line: &str) -> bool {
    let is_frame = |c: char| is_rule(c) || c.is_whitespace() || c == PICTURE || "<>()[]".contains(c);
    let line = line.trim_matches(is_frame);
    if line.len() > PROGRAM {
        return false;
    }
    let begin = folded_start(line, BEGIN);
    let begins = |start: &str| start.bytes().zip(begin.bytes()).all(|(a, b)| a == b);
    let mut likely = PROGRAMS.iter().filter(|(start, ..)| begins(start)).peekable();
    if likely.peek().is_none() {
        return false;
    }
    let line = folded(line);
    let words = line.split_whitespace().count();
    likely.any(|(start, any, most)| {
        words <= *most && line.strip_prefix(start).is_some_and(|rest| any.iter().any(|words| rest.contains(words)))
    })
}

fn of_list(lines: &[&str]) -> Option<usize> {
    let tail = lines.len().saturating_sub(SIGNATURE_LINES);
    let is_line = |line: &&str| line.trim().len() >= 20 && line.trim().bytes().all(|b| b == b'_');
    let at = tail + lines.get(tail..)?.iter().rposition(is_line)?;
    let below = lines.get(at + 1..)?;
    let says = below.iter().any(|line| LISTS.iter().any(|words| folded(line).contains(words)));
    (says && below.iter().all(|line| !is_quoted(line))).then_some(at)
}

fn of_notice(lines: &[&str]) -> Option<usize> {
    let tail = lines.len().saturating_sub(NOTICE_LINES);
    let paragraphs = paragraphs(lines, tail);
    let first = paragraphs.iter().position(|range| may_be_notice(lines, range) && is_notice(&text(lines, range)))?;
    let rest = paragraphs.get(first..)?;
    let goes_on = |range: &std::ops::Range<usize>| {
        let text = text(lines, range);
        topics(&text) >= GOES_ON || is_of_program(&text)
    };
    if !rest.iter().all(goes_on) {
        return None;
    }
    // Words of the sender may stand right above, without an empty line.
    let range = rest.first()?;
    let at = range.clone().find(|at| lines.get(*at).is_some_and(|line| topics(&folded(line)) > 0))?;
    Some(with_title(lines, at))
}

fn with_title(lines: &[&str], at: usize) -> usize {
    let title = lines.iter().take(at).rposition(|line| is_own(line) || is_quoted(line));
    let is_title =
        |line: &&str| line.len() <= 40 && NOTICE_TITLES.iter().any(|title| folded(line).trim().starts_with(title));
    title.filter(|title| lines.get(*title).is_some_and(is_title)).unwrap_or(at)
}

/// The runs of lines without an empty one among them, from `tail` on.
fn paragraphs(lines: &[&str], tail: usize) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, line) in lines.iter().enumerate().skip(tail) {
        match found.last_mut() {
            _ if !is_own(line) => {}
            Some(last) if last.end == at => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

fn text(lines: &[&str], range: &std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for line in lines.get(range.clone()).unwrap_or_default() {
        // The whole of a notice in one line, but not of a book.
        if line.len() <= NOTICE_LINE {
            text.push_str(line)
        } else {
            text.extend(line.chars().take(NOTICE_LINE))
        }
        text.push(' ');
    }
    small(text)
}

/// Whether "diese" or "this" stands there at all, in whatever letters: few people's words need a closer look.
fn may_be_notice(lines: &[&str], range: &std::ops::Range<usize>) -> bool {
    let lines = lines.get(range.clone()).unwrap_or_default();
    let is_this = |word: &[u8]| match word.first() {
        Some(b'd' | b'D') => word.eq_ignore_ascii_case(b"dies"),
        Some(b't' | b'T') => word.eq_ignore_ascii_case(b"this"),
        _ => false,
    };
    lines.iter().any(|line| line.as_bytes().windows(4).any(is_this))
}

fn is_notice(text: &str) -> bool {
    THIS_MAIL.iter().any(|words| text.contains(words)) && topics(text) >= NOTICES
}

fn topics(text: &str) -> usize {
    NOTICE.iter().filter(|topic| topic.iter().any(|words| text.contains(words))).count()
}
