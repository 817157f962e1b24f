//! The words of a sender in HTML: read as lines, with the marks of mail programs as the marks of plain text, so that one
//! set of rules serves both.

use super::{
    Taken, contact, footer, head,
    marks::{self, Mark},
    page::{self, PICTURE, SIGNATURE_END, is_own},
};
use crate::connectors::email::text::{
    references,
    tags::{self, Tag},
};

/// Elements that stand in lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "body",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tbody",
    "tr",
    "ul",
];
/// Elements whose content nobody sees.
const UNSEEN: &[&str] = &["head", "style", "script", "title", "template", "noscript"];
/// How many lines of a signature are looked at.
const SIGNATURE: usize = 30;

/// The HTML of the sender's own words, and what was taken away. The result may open and close elements that it does not
/// close and open. What would leave nothing is not cut.
pub fn cut(html: &str) -> (&str, Taken) {
    let lines = lines(html);
    let words: Vec<&str> = lines.iter().map(|line| line.words.as_str()).collect();
    let page::Kept { lines: kept, taken } = page::keep(&words);
    if taken == Taken::Nothing {
        return (html, taken);
    }
    let start = if kept.start == 0 { Some(0) } else { lines.get(kept.start).map(|line| line.start) };
    // Empty lines above what was cut go with it.
    let shown = words.get(kept.clone()).unwrap_or_default();
    let last = shown.iter().rposition(|line| is_own(line) || page::is_quoted(line) || line.contains(PICTURE));
    let end = kept.start + last.map_or(shown.len(), |last| last + 1);
    let end = lines.get(end).map_or(html.len(), |line| line.start);
    (start.and_then(|start| html.get(start..end)).unwrap_or(html), taken)
}

/// A line as a reader sees it.
struct Line {
    words: String,
    /// Where what belongs to it begins, in bytes of the HTML.
    start: usize,
}

fn lines(html: &str) -> Vec<Line> {
    let mut reader = Reader::default();
    let mut at = 0;
    while let Some(tag) = tags::next(html, at) {
        reader.text(html.get(at..tag.start).unwrap_or_default(), at);
        reader.tag(&tag);
        at = tag.end;
    }
    reader.text(html.get(at..).unwrap_or_default(), at);
    reader.end_line(html.len());
    reader.end_signature();
    reader.lines
}

/// An element that is open: its name, and how many of that name are.
struct Open {
    name: String,
    depth: usize,
}

impl Open {
    fn new(tag: &Tag<'_>) -> Self {
        Self { name: tag.name.clone(), depth: 1 }
    }

    /// Whether this tag is its end.
    fn ends_with(&mut self, tag: &Tag<'_>) -> bool {
        if tag.name == self.name {
            self.depth = if tag.closes { self.depth.saturating_sub(1) } else { self.depth + 1 };
        }
        self.depth == 0
    }
}

#[derive(Default)]
struct Reader {
    lines: Vec<Line>,
    /// The line that is being read, and where it starts.
    words: String,
    start: usize,
    unseen: Option<Open>,
    quote: Option<Open>,
    /// With the line that stands for its beginning.
    signature: Option<(Open, usize)>,
    /// Line breaks in the text are line breaks.
    preformatted: bool,
}

impl Reader {
    /// Text between tags; `at` is where it stands.
    fn text(&mut self, text: &str, mut at: usize) {
        if self.unseen.is_some() {
            return;
        }
        for line in text.split_inclusive('\n') {
            at += line.len();
            self.push(line);
            if self.preformatted && line.ends_with('\n') {
                self.force_line(at);
            }
        }
    }

    fn push(&mut self, text: &str) {
        let mut decoded = String::with_capacity(text.len());
        references::decode(&mut decoded, text);
        for c in decoded.chars() {
            if !c.is_whitespace() {
                self.words.push(c);
            } else if !self.words.is_empty() && !self.words.ends_with(' ') {
                self.words.push(' ');
            }
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        if let Some(open) = &mut self.unseen {
            if open.ends_with(tag) {
                self.unseen = None;
            }
            return;
        }
        if !tag.closes && UNSEEN.contains(&tag.name.as_str()) {
            self.unseen = Some(Open::new(tag));
            return;
        }
        self.leave(tag);
        self.layout(tag);
        self.enter(tag);
    }

    /// Ends lines where a reader sees an end.
    fn layout(&mut self, tag: &Tag<'_>) {
        match tag.name.as_str() {
            "br" => self.force_line(tag.end),
            "td" | "th" if !tag.closes => self.words.push(' '),
            "img" => self.words.push(PICTURE),
            "pre" => self.preformatted = !tag.closes,
            _ => {}
        }
        if BLOCKS.contains(&tag.name.as_str()) {
            self.end_line(if tag.closes { tag.end } else { tag.start });
        }
        // Word writes every line as a paragraph, without a gap between them.
        let has_gap = tag.name == "p" && !tag.closes && !tag.attributes.to_ascii_lowercase().contains("mso");
        if has_gap && self.lines.last().is_some_and(|line| !line.words.is_empty()) {
            self.force_line(tag.start);
        }
    }

    fn enter(&mut self, tag: &Tag<'_>) {
        let mark = marks::of(tag).or_else(|| self.is_attributed(tag).then_some(Mark::Quote));
        let Some(mark) = mark.filter(|_| self.quote.is_none()) else { return };
        match mark {
            Mark::Quote => {
                self.end_line(tag.start);
                self.quote = Some(Open::new(tag));
            }
            Mark::Below => self.stand_in(tag, "-----Original Message-----"),
            Mark::Signature if self.signature.is_none() => {
                self.stand_in(tag, "--");
                self.signature = Some((Open::new(tag), self.lines.len() - 1));
            }
            Mark::Signature => {}
        }
    }

    fn leave(&mut self, tag: &Tag<'_>) {
        if self.quote.as_mut().is_some_and(|open| open.ends_with(tag)) {
            self.end_line(tag.end);
            self.quote = None;
        }
        if self.signature.as_mut().is_some_and(|(open, _)| open.ends_with(tag)) {
            self.end_line(tag.end);
            self.end_signature();
        }
    }

    /// A bare `blockquote` is a quote below "Am ... schrieb Anna Muster:". Elsewhere people quote laws with it.
    fn is_attributed(&self, tag: &Tag<'_>) -> bool {
        if tag.name != "blockquote" || tag.closes {
            return false;
        }
        let near = self.lines.iter().rev().take(2 * head::ATTRIBUTION_LINES).map(|line| line.words.as_str());
        let mut above: Vec<&str> = near.filter(|words| !words.is_empty()).take(head::ATTRIBUTION_LINES).collect();
        above.reverse();
        (0..above.len()).any(|at| {
            let rest = above.get(at..).unwrap_or_default();
            head::attribution(rest).is_some_and(|found| found.lines == rest.len())
        })
    }

    /// Programs let people write into what they mark as a signature. The greeting is theirs, too.
    fn end_signature(&mut self) {
        let Some((_, first)) = self.signature.take() else { return };
        let inside = self.lines.get(first + 1..).unwrap_or_default().iter().take(SIGNATURE);
        let is_said = |line: &Line| {
            !footer::is_of_program(&line.words)
                && (contact::is_greeting(&line.words) || contact::is_sentence(&line.words))
        };
        if !inside.into_iter().any(is_said) {
            self.lines.push(Line { words: SIGNATURE_END.to_owned(), start: self.start });
        } else if let Some(line) = self.lines.get_mut(first) {
            line.words.clear();
        }
    }

    /// A line that is not in the text, for a mark.
    fn stand_in(&mut self, tag: &Tag<'_>, words: &str) {
        self.end_line(tag.start);
        self.lines.push(Line { words: words.to_owned(), start: self.start });
    }

    /// Ends the line if there is something in it; the next one starts at `next`.
    fn end_line(&mut self, next: usize) {
        if !self.words.trim().is_empty() {
            self.force_line(next);
        }
        self.words.clear();
    }

    fn force_line(&mut self, next: usize) {
        let mark = if self.quote.is_some() { "> " } else { "" };
        let words = format!("{mark}{}", self.words.trim());
        self.lines.push(Line { words, start: self.start });
        self.words.clear();
        self.start = next;
    }
}
