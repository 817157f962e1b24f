//! The words of a mail, put together from its parts.

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
}

impl Piece {
    /// Reads a `text/plain` part. `format=flowed` (RFC 3676) is joined to paragraphs.
    pub fn plain(part: &Part<'_>) -> Self {
        let is = |name: &str, value: &str| part.parameter(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
        let text = part.text();
        let text = if is("format", "flowed") { flowed::decode(&text, is("delsp", "yes")) } else { text };
        Self { text: Some(clean::lines(&text)), html: None }
    }

    /// Reads an HTML document. Of a very long one only the words are kept.
    pub fn of_html(html: &str) -> Self {
        let html = clean::without_controls(html);
        if html.len() > HTML {
            return Self { text: Some(html::to_text(&html)), html: None };
        }
        Self { text: None, html: Some(html) }
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

    /// Without the quotes at the end, in both forms. A form that cannot be cut like the other is dropped.
    pub fn without_quotes(self) -> Self {
        let text = self.text.filter(|text| !text.trim().is_empty());
        match (text, self.html) {
            (Some(text), None) => Self { text: Some(quote::cut(&text).0), html: None },
            (Some(text), Some(html)) => {
                let (text, taken) = quote::cut(&text);
                let html = if taken == Taken::Nothing { Some(html) } else { cut_alike(html, taken) };
                Self { text: Some(text), html }
            }
            (None, Some(html)) => {
                let html = quote::html::cut(&html).map_or(html.clone(), str::to_owned);
                let (text, taken) = quote::cut(&html::to_text(&html));
                // A quote that only its words show.
                let is_whole = taken != Taken::Quote && !quote::ends_in_attribution(&text);
                Self { text: Some(text), html: is_whole.then_some(html) }
            }
            (None, None) => Self::default(),
        }
    }
}

/// The HTML without what was taken from the text; `None` if it would show more than the text.
fn cut_alike(html: String, taken: Taken) -> Option<String> {
    match quote::html::cut(&html) {
        Some(kept) if !quote::ends_in_attribution(&html::to_text(kept)) => Some(kept.to_owned()),
        // A signature without a mark does no harm.
        None if taken == Taken::Signature => Some(html),
        _ => None,
    }
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
        Piece { text: Some(text.to_owned()), html: None }
    }

    fn html(html: &str) -> Piece {
        Piece { text: None, html: Some(html.to_owned()) }
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
        let piece = Piece { text: Some(" \n".into()), html: Some("<p>Hallo</p>".into()) };
        assert_eq!(joined(vec![piece.without_quotes()]).text, "Hallo");
    }

    #[test]
    fn both_forms_lose_the_quote_or_only_the_text_is_left() {
        let quoted =
            |html: &str| Piece { text: Some("Ja.\n\n> Passt es?".into()), html: Some(html.into()) }.without_quotes();
        assert_eq!(quoted("Ja.<blockquote type=cite>Passt es?</blockquote>").html.as_deref(), Some("Ja."));
        assert_eq!(quoted("Ja.<div>Passt es?</div>").html, None);
        assert_eq!(
            quoted("Ja.<p>Am 1.2.2026 schrieb Anna:</p><blockquote type=cite>Passt es?</blockquote>").html,
            None
        );
        assert_eq!(quoted("x").text.as_deref(), Some("Ja."));
    }

    #[test]
    fn html_alone_is_cut_by_its_marks_or_shown_as_the_cut_text() {
        let cut = |text: &str| html(text).without_quotes();
        assert_eq!(cut("Ja.<div class=gmail_quote>x</div>").html.as_deref(), Some("Ja."));
        let unmarked = cut("<p>Ja.</p><p>-----Original Message-----</p><p>Passt es?</p>");
        assert_eq!((unmarked.text.as_deref(), unmarked.html), (Some("Ja."), None));
        let plain = cut("<p>Ja.</p>");
        assert_eq!((plain.text.as_deref(), plain.html.as_deref()), (Some("Ja."), Some("<p>Ja.</p>")));
    }

    #[test]
    fn huge_html_is_text() {
        let body = joined(vec![Piece { text: Some("a".into()), html: Some("x".repeat(HTML + 1)) }]);
        assert_eq!((body.text.as_str(), body.html), ("a", None));
    }
}
