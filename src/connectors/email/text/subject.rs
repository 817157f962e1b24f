//! Subjects, without the marks that mail programs put before them.

use super::clean;

/// What mail programs write before the colon of an answer.
const ANSWER: &[&str] = &["re", "aw", "antw", "antwort", "sv", "vs", "betr"];
/// The same for mail that was passed on.
const FORWARD: &[&str] = &["fwd", "fw", "wg", "tr", "weitergeleitet"];

/// The subject of the conversation: one clean line of at most [`clean::SUBJECT`] characters, without any `Re:`, `AW:`,
/// `WG:` and the like before it; `None` if nothing is left.
pub fn bare(text: &str) -> Option<String> {
    let line = clean::line(text, clean::SUBJECT);
    let mut rest = line.as_str();
    while let Some((_, after)) = mark(rest) {
        rest = after;
    }
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// Whether the outermost mark says that somebody else's mail was passed on.
pub fn is_forward(text: &str) -> bool {
    mark(text.trim()).is_some_and(|(mark, _)| FORWARD.contains(&mark.as_str()))
}

/// The mark before the first colon, lower-case and without its count (`Re[2]:`, `AW^3:`), and what follows it.
fn mark(text: &str) -> Option<(String, &str)> {
    let (mark, rest) = text.split_once([':', '\u{ff1a}'])?;
    let mark = mark.trim();
    let letters = mark.trim_end_matches(|c: char| c.is_ascii_digit() || "[](){}^".contains(c)).to_ascii_lowercase();
    let known = ANSWER.contains(&letters.as_str()) || FORWARD.contains(&letters.as_str());
    known.then(|| (letters, rest.trim_start()))
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
    fn other_words_before_a_colon_stay() {
        for text in ["Frage: wann?", "Reise: Plan", "12: 30", "re-Antrag: x", ": x"] {
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
