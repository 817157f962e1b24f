//! The beginning of what a message answers.

use super::html;
use crate::{
    connectors::email::text::{clean, html as convert},
    message::Quote,
};

/// A hint at what is meant; the whole of it stands in the same thread.
const LINES: usize = 3;
const LENGTH: usize = 200;

/// A quote as it is shown: `Bob: Wann haben Sie geöffnet?`. No "wrote", which would have a language.
pub struct Shown {
    author: String,
    lines: Vec<String>,
}

impl Shown {
    /// `None` if there are no words.
    pub fn of(quote: &Quote) -> Option<Self> {
        let lines = quote.text.lines().map(|line| clean::line(line.trim_start_matches(['>', ' ']), usize::MAX));
        let mut lines = lines.filter(|line| !line.is_empty());
        let mut shown: Vec<String> = lines.by_ref().take(LINES).map(shortened).collect();
        if lines.next().is_some()
            && let Some(last) = shown.last_mut().filter(|last| !last.ends_with('\u{2026}'))
        {
            last.push_str(" \u{2026}");
        }
        let author = clean::line(&quote.author, clean::NAME);
        (!shown.is_empty()).then_some(Self { author, lines: shown })
    }

    pub fn text(&self) -> String {
        let author = if self.author.is_empty() { String::new() } else { format!("{}: ", self.author) };
        format!("> {author}{}", self.lines.join("\n> "))
    }

    pub fn html(&self) -> String {
        let lines = convert::from_text(&self.lines.join("\n"));
        let author = convert::from_text(&self.author);
        let author = if author.is_empty() { author } else { format!("<b>{author}:</b> ") };
        html::quoted(&format!("{author}{lines}"))
    }
}

fn shortened(line: String) -> String {
    if line.chars().count() <= LENGTH {
        return line;
    }
    let start: String = line.chars().take(LENGTH).collect();
    format!("{} \u{2026}", start.trim_end())
}
