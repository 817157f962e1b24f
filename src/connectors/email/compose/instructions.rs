//! What a writer says about a mail in its first lines: `Betreff: ...` and `Cc: a@example.org, b@example.org`.
//!
//! The lines may come in any order and any case, each kind once, only at the very start, and with an empty line behind
//! them. A line that does not say what it should, with an address in it that is none, is no instruction: it stays, and so
//! does everything below it. Nothing that was written is lost.

use crate::{
    connectors::email::{
        address,
        text::{clean, html, subject},
    },
    ids::RemoteUserId,
    message::{Body, Instructions},
};
use std::collections::HashSet;

/// A line that says something about the mail.
enum Line {
    Subject(String),
    Copies(Vec<RemoteUserId>),
}

/// Reads what stands behind the colon.
type Value = fn(&str) -> Option<Line>;

/// What stands before the colon, in lower case.
const LABELS: &[(&str, Value)] = &[("betreff", about), ("subject", about), ("cc", copies), ("kopie", copies)];

/// Takes the instructions out of both forms. HTML that does not begin with the same lines is dropped: it would repeat
/// them.
pub fn take(body: &mut Body) -> Instructions {
    let mut instructions = Instructions::default();
    let (mut rest, mut taken) = (body.text.as_str(), Vec::new());
    while let Some((line, after)) = first_line(rest)
        && let Some(read) = read(line)
        && add(&mut instructions, read)
    {
        taken.push(line);
        rest = after;
    }
    if taken.is_empty() {
        return instructions;
    }
    let (empty, after) = rest.split_once('\n').unwrap_or((rest, ""));
    let text = if empty.trim().is_empty() { after } else { rest };
    let html = body.html.as_deref().and_then(|html| html_without(html, &taken));
    *body = Body { text: text.to_owned(), html };
    instructions
}

fn first_line(text: &str) -> Option<(&str, &str)> {
    (!text.is_empty()).then(|| text.split_once('\n').unwrap_or((text, "")))
}

fn read(line: &str) -> Option<Line> {
    let (label, value) = line.split_once(':')?;
    let label = label.trim().to_lowercase();
    let (_, read) = LABELS.iter().find(|(known, _)| *known == label)?;
    read(value.trim())
}

fn about(value: &str) -> Option<Line> {
    subject::bare(value).map(Line::Subject)
}

fn copies(value: &str) -> Option<Line> {
    let addresses = value.split([',', ';']).map(str::trim).filter(|address| !address.is_empty());
    let copies: Option<Vec<RemoteUserId>> = addresses.map(address::remote).collect();
    copies.filter(|copies| !copies.is_empty()).map(Line::Copies)
}

/// `false` if the same was said before.
fn add(instructions: &mut Instructions, line: Line) -> bool {
    match line {
        Line::Subject(subject) if instructions.subject.is_none() => instructions.subject = Some(subject),
        Line::Copies(mut copies) if instructions.copies.is_empty() => {
            let mut seen = HashSet::new();
            copies.retain(|copy| seen.insert(copy.clone()));
            instructions.copies = copies;
        }
        _ => return false,
    }
    true
}

/// What ends a line in HTML; a line break in the source does where a paragraph was typed with one.
const BREAKS: &[&str] = &["<br>", "<br/>", "<br />", "</p>", "</div>", "\n"];

/// The HTML without its first lines; `None` if they are not these.
fn html_without(html: &str, lines: &[&str]) -> Option<String> {
    let mut rest = html.trim_start().to_owned();
    for line in lines {
        rest = without_line(&rest, line)?;
    }
    Some(without_breaks(&rest).to_owned()).filter(|html| !html.is_empty())
}

/// The paragraph that the line opened stays open if more of it follows.
fn without_line(html: &str, line: &str) -> Option<String> {
    let inside = ["<p>", "<div>"].iter().find_map(|tag| html.strip_prefix(tag)).unwrap_or(html);
    let opening = html.strip_suffix(inside)?;
    let first = BREAKS.iter().filter_map(|end| Some((inside.find(end)?, *end))).min();
    let (at, end) = first.unwrap_or((inside.len(), ""));
    let (content, after) = inside.split_at_checked(at)?;
    let after = after.strip_prefix(end)?;
    (letters(&html::to_text(content)) == letters(line)).then_some(())?;
    if end.starts_with("</") {
        return Some(after.trim_start().to_owned());
    }
    Some(format!("{opening}{}", after.trim_start_matches(['\r', '\n'])))
}

/// The empty line behind the instructions, as programs write it.
fn without_breaks(html: &str) -> &str {
    let mut html = html.trim();
    while let Some(rest) = ["<br>", "<br/>", "<br />", "<p></p>", "<p><br></p>", "<div></div>"]
        .iter()
        .find_map(|empty| html.strip_prefix(empty))
    {
        html = rest.trim_start();
    }
    html
}

/// Marks of formatting stand only in the text.
fn letters(text: &str) -> String {
    clean::line(text, usize::MAX).chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Subject, copies, and what is left.
    fn taken(text: &str, html: Option<&str>) -> (Option<String>, Vec<String>, Body) {
        let mut body = Body { text: text.to_owned(), html: html.map(str::to_owned) };
        let Instructions { subject, copies } = take(&mut body);
        (subject, copies.iter().map(ToString::to_string).collect(), body)
    }

    #[test]
    fn the_first_lines_are_taken_in_any_case_and_order() {
        for text in [
            "Betreff: Antrag 17\nCc: a@example.org, b@example.org\n\nGuten Tag",
            "KOPIE: A@example.org; b@example.org\nsubject : Antrag 17\nGuten Tag",
            "cc: <a@example.org>, Bob <b@example.org>,\nSubject:Re: Antrag 17\r\n\r\nGuten Tag",
        ] {
            let (subject, copies, body) = taken(text, None);
            assert_eq!(subject.as_deref(), Some("Antrag 17"), "{text}");
            assert_eq!(
                (copies, body.text.as_str()),
                (vec!["a@example.org".into(), "b@example.org".into()], "Guten Tag")
            );
        }
    }

    #[test]
    fn what_is_no_instruction_stays_as_it_is() {
        for text in [
            "Guten Tag\nBetreff: x",
            "\nBetreff: x",
            "Betreff:\nGuten Tag",
            "Betreff: Re:\nGuten Tag",
            "Cc: a@example.org, bob\nGuten Tag",
            "Kopie: siehe Anhang",
            "Cc:\nx",
            "Betrifft: x",
            "",
        ] {
            assert_eq!(
                taken(text, Some("<b>x</b>")),
                (None, vec![], Body { text: text.into(), html: Some("<b>x</b>".into()) })
            );
        }
        let (subject, copies, body) = taken("Betreff: x\nCc: bob\nGuten Tag", None);
        assert_eq!((subject.as_deref(), copies.len(), body.text.as_str()), (Some("x"), 0, "Cc: bob\nGuten Tag"));
        let (subject, _, body) = taken("Betreff: x\nBetreff: y", None);
        assert_eq!((subject.as_deref(), body.text.as_str()), (Some("x"), "Betreff: y"));
    }

    #[test]
    fn the_html_loses_the_same_lines() {
        let text = "Betreff: x & *y*\nCc: a@example.org\n\nGuten **Tag**";
        for (html, left) in [
            ("Betreff: x &amp; <em>y</em><br>Cc: a@example.org<br><br>Guten <b>Tag</b>", "Guten <b>Tag</b>"),
            (
                "<p>Betreff: x &amp; <em>y</em><br />\nCc: a@example.org</p>\n<p>Guten <b>Tag</b></p>",
                "<p>Guten <b>Tag</b></p>",
            ),
            (
                "<p>Betreff: x &amp; <em>y</em></p><p>Cc: <a href=\"mailto:a@example.org\">a@example.org</a></p><p>Guten</p>",
                "<p>Guten</p>",
            ),
            ("<p>Betreff: x &amp; <em>y</em>\nCc: a@example.org\nGuten <b>Tag</b></p>", "<p>Guten <b>Tag</b></p>"),
            ("<div>Betreff: x &amp; <em>y</em></div><div>Cc: a@example.org</div><p></p>Guten", "Guten"),
        ] {
            assert_eq!(
                taken(text, Some(html)).2,
                Body { text: "Guten **Tag**".into(), html: Some(left.into()) },
                "{html}"
            );
        }
        // A heading, made by what stands below the line: the text is left, which says it all.
        for html in ["<h2>Betreff: x &amp; y Cc: a@example.org</h2>Guten", "Guten", "<p>Betreff: x &amp; y</p>Guten"] {
            assert_eq!(taken(text, Some(html)).2, Body { text: "Guten **Tag**".into(), html: None }, "{html}");
        }
    }

    proptest! {
        #[test]
        fn no_word_is_lost(
            text in "((Betreff|SUBJECT|Cc|kopie|Von) ?: ?(x|a@example\\.org|a@example\\.org, b@example\\.com|,|Re: )\n|\n|\\PC{0,5}\n){0,5}",
        ) {
            let (subject, copies, body) = taken(&text, None);
            prop_assert!(text.ends_with(&body.text));
            let head = text.strip_suffix(&body.text).unwrap();
            let said = subject.is_some() as usize + !copies.is_empty() as usize;
            prop_assert_eq!(head.lines().filter(|line| !line.trim().is_empty()).count(), said, "{:?}", head);
            prop_assert_eq!(head.is_empty(), said == 0);
        }
    }
}
