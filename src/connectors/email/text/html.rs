//! HTML as text and text as HTML.

use super::clean;
use html2text::{
    config,
    render::{TaggedLine, TextDecorator},
};

/// HTML longer than this, in bytes, is read by the simpler of two readers: the time of the better one grows with the
/// square of how deep elements are nested, and of this length nothing takes it a second.
const PRETTY: usize = 64 * 1024;
/// No line is broken: whoever shows the text does that.
const WIDTH: usize = 100_000;

// Private characters around a link while it is rendered; none can come from the mail, see `to_text`.
const LINK: char = '\u{f8f0}';
const TARGET: char = '\u{f8f1}';
const END: char = '\u{f8f2}';

/// The words of an HTML document, with lists, quotes (`> `) and the targets of links (in parentheses).
pub fn to_text(html: &str) -> String {
    let html: String = html.chars().filter(|c| ![LINK, TARGET, END].contains(c)).collect();
    let pretty = (html.len() <= PRETTY)
        .then(|| config::with_decorator(Plain::default()).raw_mode(true).no_link_wrapping().unicode_strikeout(false))
        .and_then(|config| config.string_from_read(html.as_bytes(), WIDTH).ok());
    let text = pretty.map(|text| links(&text)).unwrap_or_else(|| plainly(&html));
    clean::lines(&text)
}

/// The words alone. `mail-parser` knows no line ends but those of paragraphs and `<br>`.
fn plainly(html: &str) -> String {
    let mut html = html.to_owned();
    for end in ["</div>", "</tr>", "</li>", "</h1>", "</h2>", "</h3>", "</table>", "</blockquote>"] {
        html = html.replace(end, "<br>");
    }
    mail_parser::decoders::html::html_to_text(&html)
}

/// Text as HTML that looks the same.
pub fn from_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push_str("<br>\n"),
            c => out.push(c),
        }
    }
    out
}

/// Writes the target behind a link's words, unless they already say it.
fn links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(LINK) {
        out.push_str(before);
        let Some((link, after)) = after.split_once(END) else { break };
        rest = after;
        let (words, target) = link.split_once(TARGET).unwrap_or((link, ""));
        out.push_str(words);
        if is_worth_showing(words.trim(), target) {
            out.push_str(&format!(" ({})", target.strip_prefix("mailto:").unwrap_or(target)));
        }
    }
    out.push_str(&rest.replace([LINK, TARGET, END], ""));
    out
}

fn is_worth_showing(words: &str, target: &str) -> bool {
    let Some(bare) = ["https://", "http://", "mailto:", "tel:"].iter().find_map(|scheme| target.strip_prefix(scheme))
    else {
        return false;
    };
    let same = |a: &str, b: &str| a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'));
    !words.is_empty() && !same(words, target) && !same(words, bare)
}

/// What `html2text` writes for each element: nothing but links, lists, quotes and what is struck out is marked.
#[derive(Clone, Debug, Default)]
struct Plain {
    targets: Vec<String>,
}

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        self.targets.push(url.to_owned());
        (LINK.to_string(), ())
    }

    fn decorate_link_end(&mut self) -> String {
        format!("{TARGET}{}{END}", self.targets.pop().unwrap_or_default())
    }

    fn decorate_em_start(&self) -> (String, ()) {
        Default::default()
    }

    fn decorate_em_end(&self) -> String {
        String::new()
    }

    fn decorate_strong_start(&self) -> (String, ()) {
        Default::default()
    }

    fn decorate_strong_end(&self) -> String {
        String::new()
    }

    /// Without a mark what no longer holds would be said as if it did.
    fn decorate_strikeout_start(&self) -> (String, ()) {
        ("~~".to_owned(), ())
    }

    fn decorate_strikeout_end(&self) -> String {
        "~~".to_owned()
    }

    fn decorate_code_start(&self) -> (String, ()) {
        Default::default()
    }

    fn decorate_code_end(&self) -> String {
        String::new()
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
    fn words_lists_quotes_and_links_are_readable() {
        let html = "<html><head><title>T</title><style>p{}</style></head><body><p>Guten <b>Tag</b>,</p><ul><li>eins</li><li>zwei</li></ul>\
            <blockquote>alt</blockquote><p>siehe <a href=\"https://example.org/x\">hier</a> und <a href=\"https://example.org/\">example.org</a></p>H<sub>2</sub>O &amp; m<sup>2</sup></body></html>";
        assert_eq!(
            to_text(html),
            "Guten Tag,\n- eins\n- zwei\n\n> alt\n\nsiehe hier (https://example.org/x) und example.org\n\nH2O & m\u{b2}"
        );
    }

    #[test]
    fn a_layout_of_tables_is_plain_text() {
        let html =
            "<table><tr><td><table><tr><td>Name</td><td>Anna</td></tr></table></td></tr><tr><td>Ende</td></tr></table>";
        let text = to_text(html);
        assert!(!text.contains('\u{2500}') && !text.contains('|'), "{text}");
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["Name", "Anna", "Ende"]);
    }

    #[test]
    fn a_link_without_words_or_with_a_strange_target_shows_no_target() {
        assert_eq!(
            to_text(
                "<a href=\"https://x.example/\"><img src=x></a><a href=\"javascript:x\">y</a> <a href=\"mailto:bob@x.example\">Bob</a>"
            ),
            "y Bob (bob@x.example)"
        );
    }

    #[test]
    fn long_lines_stay_whole() {
        let line = "Wort ".repeat(200);
        assert_eq!(to_text(&format!("<p>{line}</p>")), line.trim());
    }

    #[test]
    fn text_becomes_html_that_says_the_same() {
        assert_eq!(from_text("a < b & c\nd"), "a &lt; b &amp; c<br>\nd");
    }

    #[test]
    fn a_very_long_document_keeps_its_lines() {
        let html = format!("<style>{}</style><div>eins</div><div>zwei &amp; drei</div>", "p{}".repeat(PRETTY));
        assert_eq!(to_text(&html), "eins\nzwei & drei");
    }

    #[test]
    fn deep_wide_and_broken_documents_are_read_in_time() {
        for unit in [
            "<div>",
            "<table><tr><td>",
            "<b>x",
            "<p>x",
            "<a href=x>",
            "<ul><li></q>",
            "<blockquote></q>",
            "<td>x",
            "<font><i>",
            "<",
            "<td><tr>",
            "<o:p>",
            "<!--",
        ] {
            for length in [PRETTY / 8, PRETTY * 8] {
                let text = to_text(&unit.repeat(length / unit.len()));
                assert!(text.len() <= length * 4, "{unit} {length}");
            }
        }
    }
}
