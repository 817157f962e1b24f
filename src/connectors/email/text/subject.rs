//! Subjects, without the marks that mail programs put before them.

use super::clean;

/// What mail programs write before the colon of an answer.
const ANSWER: &[&str] =
    &["re", "aw", "antw", "antwort", "sv", "vs", "betr", "rv", "rif", "odp", "\u{56de}\u{590d}", "\u{7b54}\u{590d}"];
/// The same for mail that was passed on.
const FORWARD: &[&str] = &["fwd", "fw", "wg", "tr", "weitergeleitet", "vb", "doorst", "\u{8f6c}\u{53d1}"];
/// The same where it may be the sender's own word: it stays to be read, and two subjects are one with or without it.
const AMBIGUOUS: &[&str] = &["r", "ref", "i"];
/// What mail servers put before the subject of mail from outside, or of mail that they distrust, without its frame.
const GATEWAY: &[&str] = &[
    "extern",
    "ext",
    "external",
    "external email",
    "external mail",
    "externe mail",
    "externe e-mail",
    "external sender",
    "caution external",
    "spam",
    "spam?",
    "suspected spam",
    "spamverdacht",
    "spam-verdacht",
    "junk",
];
/// How such a frame begins, and how it ends.
const FRAMES: &[(char, &str)] = &[('[', "]"), ('(', ")"), ('{', "}"), ('*', "***"), ('#', "###")];

/// The subject of the conversation: one clean line of at most [`clean::SUBJECT`] characters, without any `Re:`, `AW:`,
/// `WG:` and the like before it; `None` if nothing is left.
pub fn bare(text: &str) -> Option<String> {
    let line = clean::line(text, clean::SUBJECT);
    let rest = without_marks(&line, &[ANSWER, FORWARD]);
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// What two subjects of one conversation have in common: small letters, single spaces, without the marks of programs,
/// also behind the `[name]` of a list. At most [`clean::SUBJECT`] characters; empty if nothing is left.
// A room without an earlier mail to name is found by this; who looks for rooms has yet to ask.
#[allow(dead_code)]
pub fn normal(text: &str) -> String {
    const MARKS: &[&[&str]] = &[ANSWER, FORWARD, AMBIGUOUS];
    let line = clean::line(text, clean::SUBJECT).to_lowercase();
    let mut rest = without_marks(&line, MARKS);
    let mut lists = String::new();
    while let Some((name, after)) = list_name(rest) {
        lists.push_str(name);
        lists.push(' ');
        rest = without_marks(after.trim_start(), MARKS);
    }
    clean::line(&format!("{lists}{rest}"), clean::SUBJECT)
}

/// `[name]`, as mailing lists put it before a subject, and what follows.
fn list_name(text: &str) -> Option<(&str, &str)> {
    text.starts_with('[').then(|| text.split_at_checked(text.find(']')? + 1)).flatten()
}

/// Whether the outermost mark says that somebody else's mail was passed on.
pub fn is_forward(text: &str) -> bool {
    mark(without_gateways(text.trim()), &[ANSWER, FORWARD]).is_some_and(|(mark, _)| FORWARD.contains(&mark.as_str()))
}

fn without_marks<'x>(text: &'x str, known: &[&[&str]]) -> &'x str {
    let mut rest = without_gateways(text);
    while let Some((_, after)) = mark(rest, known) {
        rest = without_gateways(after);
    }
    rest
}

/// The mark before the first colon, in small letters and without its count (`Re[2]:`, `AW^3:`), and what follows it.
fn mark<'x>(text: &'x str, known: &[&[&str]]) -> Option<(String, &'x str)> {
    let (mark, rest) = text.split_once([':', '\u{ff1a}'])?;
    let letters = mark.trim().trim_end_matches(|c: char| c.is_ascii_digit() || "[](){}^ ".contains(c)).to_lowercase();
    known.iter().any(|marks| marks.contains(&letters.as_str())).then(|| (letters, rest.trim_start()))
}

fn without_gateways(text: &str) -> &str {
    let mut rest = text;
    while let Some(after) = without_gateway(rest) {
        rest = after.trim_start();
    }
    rest
}

/// What follows `[EXTERN]`, `*** Spam ***` and the like.
fn without_gateway(text: &str) -> Option<&str> {
    let (open, close) = FRAMES.iter().find(|(open, _)| text.starts_with(*open))?;
    let (word, after) = text.trim_start_matches(*open).split_once(close)?;
    let word: String = word.trim().to_lowercase().chars().filter(|c| *c != ':').collect();
    GATEWAY.contains(&word.as_str()).then(|| after.trim_start_matches([':', ' ']))
}

/// What a conversation is about: `subject`, else the first words of `text`, about 60 characters to a word's end;
/// without words, `otherwise`.
pub fn topic(subject: Option<&str>, text: &str, otherwise: &str) -> String {
    subject.and_then(bare).or_else(|| first_words(text)).unwrap_or_else(|| clean::line(otherwise, 60))
}

/// The subject of mail about `topic`, an answer or not.
pub fn of(topic: &str, answers: bool) -> String {
    if answers { format!("Re: {topic}") } else { topic.to_owned() }
}

fn first_words(text: &str) -> Option<String> {
    const LENGTH: usize = 60;
    let first = text
        .lines()
        .map(|line| line.trim_start_matches(['>', ' ', '\t']))
        .find(|line| line.chars().any(char::is_alphanumeric))?;
    let line = bare(first)?;
    if line.chars().count() <= LENGTH {
        return Some(line);
    }
    let start: String = line.chars().take(LENGTH).collect();
    // A "word" longer than most of the line is a link, or a script without spaces.
    let end = start.rfind(' ').filter(|end| *end > LENGTH / 2).and_then(|end| start.get(..end)).unwrap_or(&start);
    Some(format!("{}...", end.trim_end_matches([' ', ',', ';', ':', '-'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(subject: Option<&str>, answers: bool, text: &str, otherwise: &str) -> String {
        of(&topic(subject, text, otherwise), answers)
    }

    #[test]
    fn marks_of_answers_and_forwards_are_no_part_of_the_subject() {
        for text in [
            "Antrag",
            "Re: Antrag",
            "RE:AW: Re[2]: Antrag",
            "Antw: Fwd: WG: Antrag",
            "SV: TR: Antrag",
            "AW^3: Antrag",
            "  re :  Antrag ",
            "FW: Antrag\r\n",
        ] {
            assert_eq!(bare(text).as_deref(), Some("Antrag"), "{text:?}");
        }
    }

    #[test]
    fn marks_of_gateways_are_no_part_of_the_subject() {
        for text in [
            "[EXTERN] Antrag",
            "[EXT] AW: [EXTERN] Antrag",
            "Re: [External]: Antrag",
            "*** Spam *** Antrag",
            "***SPAM*** Re: Antrag",
            "[SPAM?] (Extern) WG: Antrag",
            "[CAUTION: EXTERNAL] Re: Antrag",
        ] {
            assert_eq!(bare(text).as_deref(), Some("Antrag"), "{text}");
        }
        for text in ["[Fehmarn] Antrag", "*wichtig* Antrag", "(2) Antrag", "[EXTERN"] {
            assert_eq!(bare(text).as_deref(), Some(text));
        }
        assert!(is_forward("[EXTERN] WG: AW: Antrag"));
    }

    #[test]
    fn subjects_of_one_conversation_are_the_same() {
        for text in [
            "Antrag auf Sondernutzung",
            "RE: AW:  antrag  auf sondernutzung",
            "Re[2]: Antrag auf Sondernutzung",
            "AW(3): Antrag auf Sondernutzung",
            "R: Rif: RV: VS: Antrag auf Sondernutzung",
            "Ref: Antrag auf Sondernutzung",
            "Re\u{ff1a}Antrag auf Sondernutzung",
            "[EXT] Fwd: *** Spam *** ANTRAG AUF SONDERNUTZUNG",
            "Antrag auf\r\n Sondernutzung",
        ] {
            assert_eq!(normal(text), "antrag auf sondernutzung", "{text}");
        }
    }

    #[test]
    fn a_list_s_name_stays_and_marks_behind_it_do_not() {
        for text in ["[Fehmarn] Plan", "AW: [Fehmarn] Re: Plan", "[EXT] [Fehmarn] AW: [EXTERN] Plan"] {
            assert_eq!(normal(text), "[fehmarn] plan", "{text}");
        }
        assert_ne!(normal("Plan"), normal("[Fehmarn] Plan"));
    }

    #[test]
    fn a_normal_subject_is_short_and_may_be_nothing() {
        assert_eq!(normal("Re: AW:"), "");
        let long = normal(&"\u{130}\u{c4}x ".repeat(300));
        assert!(long.chars().count() <= clean::SUBJECT && normal(&long) == long);
        for text in ["[".repeat(100_000), "re:".repeat(100_000), "[a]".repeat(100_000), "***".repeat(100_000)] {
            assert!(normal(&text).len() <= 250);
        }
    }

    #[test]
    fn other_words_before_a_colon_stay() {
        for text in ["Ref: 4711", "R: x", "Frage: wann?", "Reise: Plan", "12: 30", "re-Antrag: x", ": x"] {
            assert_eq!(bare(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_subject_of_nothing_but_marks_is_none() {
        for text in ["", "Re:", "AW: WG: ", "\r\n"] {
            assert_eq!(bare(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_the_outermost_mark_makes_a_forward() {
        assert!(is_forward("WG: AW: Antrag") && is_forward(" Fwd: x"));
        assert!(!is_forward("AW: WG: Antrag") && !is_forward("Antrag"));
    }

    #[test]
    fn an_answer_has_exactly_one_re() {
        assert_eq!(outgoing(Some("AW: Re: Antrag"), true, "x", "y"), "Re: Antrag");
        assert_eq!(outgoing(Some("Antrag"), false, "x", "y"), "Antrag");
        assert_eq!(outgoing(Some("Re:"), true, "Guten Tag", "y"), "Re: Guten Tag");
    }

    #[test]
    fn without_a_subject_the_first_words_serve() {
        assert_eq!(outgoing(None, false, "\n\n  Guten Tag,\nwie geht es?", "y"), "Guten Tag,");
        let long = "K\u{f6}nnen Sie uns bitte noch die fehlenden Unterlagen zum Bauantrag zusenden?";
        assert_eq!(outgoing(None, false, long, "y"), "K\u{f6}nnen Sie uns bitte noch die fehlenden Unterlagen zum...");
        assert_eq!(outgoing(None, false, &"x".repeat(99), "y"), format!("{}...", "x".repeat(60)));
    }

    #[test]
    fn a_subject_is_never_empty() {
        assert_eq!(outgoing(None, false, " \n ", "Foto.jpg"), "Foto.jpg");
        assert_eq!(outgoing(Some(" "), true, "", "Anna Muster"), "Re: Anna Muster");
    }
}
