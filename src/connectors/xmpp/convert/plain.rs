//! HTML as words with signs around them (XEP-0393, Message Styling). Pure.

use html2text::{
    config,
    render::{TaggedLine, TextDecorator},
};

/// HTML longer than this, in bytes, is not read: the time for it grows with the square of how deep elements are nested.
const LONGEST: usize = 64 * 1024;
/// No line is broken: whoever shows the text does that.
const WIDTH: usize = 100_000;

/// The words of HTML; `None` if it cannot be read, or says nothing.
pub fn styled(html: &str) -> Option<String> {
    if html.len() > LONGEST {
        return None;
    }
    let config = config::with_decorator(Signs::default()).raw_mode(true).no_link_wrapping().unicode_strikeout(false);
    let text = config.string_from_read(html.as_bytes(), WIDTH).ok()?;
    let lines: Vec<&str> = text.trim_matches('\n').lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    (!text.trim().is_empty()).then_some(text)
}

/// What is written for each element.
#[derive(Clone, Debug, Default)]
struct Signs {
    targets: Vec<String>,
}

impl TextDecorator for Signs {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        self.targets.push(url.to_owned());
        Default::default()
    }

    fn decorate_link_end(&mut self) -> String {
        match self.targets.pop() {
            Some(target) if !target.is_empty() => format!(" ({target})"),
            _ => String::new(),
        }
    }

    fn decorate_em_start(&self) -> (String, ()) {
        ("_".to_owned(), ())
    }

    fn decorate_em_end(&self) -> String {
        "_".to_owned()
    }

    fn decorate_strong_start(&self) -> (String, ()) {
        ("*".to_owned(), ())
    }

    fn decorate_strong_end(&self) -> String {
        "*".to_owned()
    }

    fn decorate_strikeout_start(&self) -> (String, ()) {
        ("~".to_owned(), ())
    }

    fn decorate_strikeout_end(&self) -> String {
        "~".to_owned()
    }

    fn decorate_code_start(&self) -> (String, ()) {
        ("`".to_owned(), ())
    }

    fn decorate_code_end(&self) -> String {
        "`".to_owned()
    }

    fn decorate_preformat_first(&self) {}

    fn decorate_preformat_cont(&self) {}

    fn decorate_image(&mut self, _source: &str, _title: &str) -> (String, ()) {
        Default::default()
    }

    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }

    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }

    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }

    fn ordered_item_prefix(&self, number: i64) -> String {
        format!("{number}. ")
    }

    fn make_subblock_decorator(&self) -> Self {
        self.clone()
    }

    fn decorate_superscript_start(&self) -> (String, ()) {
        Default::default()
    }

    fn decorate_superscript_end(&self) -> String {
        String::new()
    }

    fn finalise(&mut self, _urls: Vec<String>) -> Vec<TaggedLine<()>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_words_lists_quotes_and_links_get_signs() {
        let html = "<p>Bitte <strong>heute</strong> <em>noch</em>, <del>morgen</del> <code>x</code>:</p><ul><li>Ausweis</li></ul>\
                    <blockquote>alt</blockquote><p><a href=\"https://example.org/t\">Termin</a></p>";
        let expected = "Bitte *heute* _noch_, ~morgen~ `x`:\n- Ausweis\n\n> alt\n\nTermin (https://example.org/t)";
        assert_eq!(styled(html).unwrap(), expected);
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        assert_eq!(styled("<p> </p>"), None);
        assert_eq!(styled(&"<b>x</b>".repeat(LONGEST)), None);
    }
}
