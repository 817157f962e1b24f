//! The words of a mail, put together from its parts.

use super::original;
use crate::{
    connectors::email::{
        mime::Part,
        quote::{self, Taken},
        text::{clean, flowed, html},
    },
    message::Body,
};

/// HTML longer than this, in bytes, is not passed on: nobody formats that much by hand, and the text says the same.
const HTML: usize = 512 * 1024;

/// What one part, or the alternatives of one, says, in one or both forms.
#[derive(Debug, Default)]
pub struct Piece {
    pub text: Option<String>,
    pub html: Option<String>,
    /// A quote, a signature or a whole form was left out.
    pub is_cut: bool,
}

impl Piece {
    /// Reads a `text/plain` part. `format=flowed` (RFC 3676) is joined to paragraphs.
    pub fn plain(part: &Part<'_>) -> Self {
        let is = |name: &str, value: &str| part.parameter(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
        let text = part.text();
        let text = if is("format", "flowed") { flowed::decode(&text, is("delsp", "yes")) } else { text };
        Self { text: Some(clean::lines(&text)), ..Self::default() }
    }

    /// Reads an HTML document. Of a very long one only the words are kept.
    pub fn of_html(html: &str) -> Self {
        let html = clean::without_controls(html);
        if html.len() > HTML {
            return Self { text: Some(html::to_text(&html)), html: None, is_cut: true };
        }
        Self { html: Some(html), ..Self::default() }
    }

    pub fn of_text(text: String) -> Self {
        Self { text: Some(text), ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.text.as_ref().is_none_or(|text| text.trim().is_empty()) && self.html.is_none()
    }

    /// The alternatives of one content (RFC 2046 section 5.1.4) as one piece; each list is what one of them holds.
    pub fn of_alternatives(alternatives: Vec<Vec<Piece>>) -> Self {
        let mut one = Self::default();
        for pieces in alternatives {
            let has_html = pieces.iter().any(|piece| piece.html.is_some());
            let has_text = pieces.iter().any(|piece| piece.text.is_some());
            one.is_cut |= pieces.iter().any(|piece| piece.is_cut);
            let Body { text, html } = joined(pieces);
            if has_html {
                one.html = html;
            }
            // A text that was made from the HTML is worth less than one that the sender's program wrote.
            if has_text && !(has_html && one.text.is_some()) {
                one.text = Some(text);
            }
        }
        one
    }

    /// Without quotes and signature, in both forms. The HTML has marks for them and decides; where only the other form
    /// shows a quote, the HTML is dropped rather than shown with it.
    pub fn without_quotes(self) -> Self {
        let text = self.text.filter(|text| !text.trim().is_empty()).map(|text| quote::cut(&text));
        let Some(html) = self.html else {
            let is_cut = self.is_cut || text.as_ref().is_some_and(|(_, taken)| *taken > Taken::Nothing);
            return Self { text: text.map(|(text, _)| text), html: None, is_cut };
        };
        let (kept, taken) = quote::html::cut(&html);
        let by_words = text.as_ref().map_or(taken, |(_, taken)| *taken);
        // What is set apart and not marked as a quote may be a law or a poem.
        let decides = taken == Taken::Quote || by_words < Taken::Quote || has_citation(kept);
        let text = match text {
            Some((text, by_words)) if by_words == taken || !decides => text,
            _ => html::to_text(kept),
        };
        let is_cut = self.is_cut || taken > Taken::Nothing || !decides;
        Self { text: Some(text), html: decides.then(|| kept.to_owned()), is_cut }
    }

    /// Whether nothing is left out that somebody could miss.
    pub fn is_whole(&self) -> bool {
        !self.is_cut && !self.html.as_deref().is_some_and(original::is_simplified)
    }
}

fn has_citation(html: &str) -> bool {
    html.to_ascii_lowercase().contains("<blockquote")
}

/// All pieces, one below the other. There is always text where there are words; there is HTML if any piece has some.
pub fn joined(pieces: Vec<Piece>) -> Body {
    let any_html = pieces.iter().any(|piece| piece.html.is_some());
    let (mut texts, mut htmls) = (Vec::new(), Vec::new());
    for piece in pieces {
        let text = piece.text.filter(|text| !text.trim().is_empty());
        let text = text.unwrap_or_else(|| piece.html.as_deref().map(html::to_text).unwrap_or_default());
        if any_html {
            htmls.push(piece.html.unwrap_or_else(|| format!("<p>{}</p>", html::from_text(&text))));
        }
        if !text.is_empty() {
            texts.push(text);
        }
    }
    let html = any_html.then(|| htmls.join("\n")).filter(|html| html.len() <= HTML);
    Body { text: texts.join("\n\n"), html }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece { text: Some(text.to_owned()), ..Piece::default() }
    }

    fn html(html: &str) -> Piece {
        Piece { html: Some(html.to_owned()), ..Piece::default() }
    }

    #[test]
    fn alternatives_are_two_forms_of_one_piece() {
        let piece = Piece::of_alternatives(vec![vec![text("a")], vec![html("<b>a</b>")]]);
        assert_eq!((piece.text.as_deref(), piece.html.as_deref()), (Some("a"), Some("<b>a</b>")));
    }

    #[test]
    fn an_alternative_of_several_parts_keeps_all_of_them() {
        let piece = Piece::of_alternatives(vec![vec![text("a b")], vec![html("<b>a</b>"), text("b & c")]]);
        assert_eq!(piece.text.as_deref(), Some("a b"));
        assert_eq!(piece.html.as_deref(), Some("<b>a</b>\n<p>b &amp; c</p>"));
    }

    #[test]
    fn both_forms_hold_all_pieces() {
        let body = joined(vec![html("<p>eins</p>"), text("zwei <3"), text("  ")]);
        assert_eq!(body.text, "eins\n\nzwei <3");
        assert_eq!(body.html.unwrap(), "<p>eins</p>\n<p>zwei &lt;3</p>\n<p></p>");
    }

    #[test]
    fn an_empty_text_beside_html_is_made_from_it() {
        let piece = Piece { text: Some(" \n".into()), ..html("<p>Hallo</p>") };
        assert_eq!(joined(vec![piece.without_quotes()]).text, "Hallo");
    }

    #[test]
    fn both_forms_lose_the_quote_or_only_the_text_is_left() {
        let quoted = |form: &str| Piece { text: Some("Ja.\n\n> Passt es?".into()), ..html(form) }.without_quotes();
        for both in [
            "Ja.<blockquote type=cite>Passt es?</blockquote>",
            "Ja.<p>Am 1.2.2026 schrieb Anna:</p><blockquote>Passt es?</blockquote>",
        ] {
            assert_eq!(quoted(both).html.as_deref(), Some("Ja."), "{both}");
        }
        assert_eq!(quoted("Ja.<div>Passt es?</div>").html, None);
        let found = quoted("x");
        assert!(found.text.as_deref() == Some("Ja.") && !found.is_whole());
    }

    #[test]
    fn a_text_that_shows_more_than_the_marks_of_the_html_is_made_from_it() {
        let unmarked =
            Piece { text: Some("Ja.\nPasst es?".into()), ..html("Ja.<div class=yahoo_quoted>Passt es?</div>") };
        assert_eq!(unmarked.without_quotes().text.as_deref(), Some("Ja."));
    }

    #[test]
    fn what_the_sender_cites_is_not_what_they_answer() {
        let law = "<p>Im Gesetz steht:</p><blockquote>Es ist verboten.</blockquote>";
        let both = Piece { text: Some("Im Gesetz steht:\n\n> Es ist verboten.".into()), ..html(law) };
        for piece in [html(law), both] {
            let kept = piece.without_quotes();
            assert_eq!(kept.text.as_deref(), Some("Im Gesetz steht:\n\n> Es ist verboten."));
            assert!(kept.html.as_deref() == Some(law) && kept.is_whole());
        }
    }

    #[test]
    fn a_chat_line_is_whole() {
        for piece in [text("Ja, gerne"), html("<p>Ja, <b>gerne</b></p>")] {
            assert!(piece.without_quotes().is_whole());
        }
        assert!(!text("Ja\n--\nBob").without_quotes().is_whole());
        assert!(!html("<p>Ja <span style='color:red'>nein</span></p>").without_quotes().is_whole());
    }

    #[test]
    fn html_alone_is_cut_by_its_marks_or_shown_as_the_cut_text() {
        let cut = |text: &str| html(text).without_quotes();
        assert_eq!(cut("Ja.<div class=yahoo_quoted>x</div>").html.as_deref(), Some("Ja."));
        let unmarked = cut("<p>Ja.</p><p>-----Original Message-----</p><p>Passt es?</p>");
        assert_eq!((unmarked.text.as_deref(), unmarked.html.as_deref()), (Some("Ja."), Some("<p>Ja.</p>")));
        let plain = cut("<p>Ja.</p>");
        assert_eq!((plain.text.as_deref(), plain.html.as_deref()), (Some("Ja."), Some("<p>Ja.</p>")));
    }

    #[test]
    fn huge_html_is_text() {
        let body = joined(vec![Piece { text: Some("a".into()), ..html(&"x".repeat(HTML + 1)) }]);
        assert_eq!((body.text.as_str(), body.html), ("a", None));
    }
}
