//! What Fehmarn itself says: plain text in which links can be followed and `words to type` stand out.

use ruma::events::room::message::RoomMessageEventContent;

/// `text`: lines, with links (`https://...`) as they are and words to type between backticks.
pub fn announcement(text: &str) -> RoomMessageEventContent {
    let plain = text.replace('`', "");
    if plain == text && !text.contains("https://") {
        return RoomMessageEventContent::notice_plain(plain);
    }
    let lines: Vec<String> = text.lines().map(line).collect();
    RoomMessageEventContent::notice_html(plain, lines.join("<br>"))
}

fn line(text: &str) -> String {
    let pieces = text.split('`').enumerate().map(|(n, piece)| match n % 2 {
        0 => piece.split_inclusive(' ').map(word).collect(),
        _ => format!("<code>{}</code>", escape(piece)),
    });
    pieces.collect()
}

/// A word with the space behind it.
fn word(text: &str) -> String {
    let link = text.trim_end();
    if !link.starts_with("https://") {
        return escape(text);
    }
    let (link, end) = (link.trim_end_matches(['.', ',']), text);
    format!("<a href=\"{0}\">{0}</a>{1}", escape(link), escape(end.strip_prefix(link).unwrap_or_default()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> (String, String) {
        let content = serde_json::to_value(announcement(text)).unwrap();
        let field = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
        (field("body"), field("formatted_body"))
    }

    #[test]
    fn links_can_be_followed_and_words_to_type_stand_out() {
        assert_eq!(html("Nichts wartet."), ("Nichts wartet.".into(), String::new()));
        let (plain, html) = html("Hier: https://matrix.to/#/!r%3Ax?via=x.\nOder `mail <x> & y`.");
        assert_eq!(plain, "Hier: https://matrix.to/#/!r%3Ax?via=x.\nOder mail <x> & y.");
        let link = "<a href=\"https://matrix.to/#/!r%3Ax?via=x\">https://matrix.to/#/!r%3Ax?via=x</a>.";
        assert_eq!(html, format!("Hier: {link}<br>Oder <code>mail &lt;x&gt; &amp; y</code>."));
    }

    #[test]
    fn what_people_have_typed_never_becomes_html() {
        let (_, html) = html("`a` <script> https://x\"onclick=\"y");
        assert!(!html.contains("<script") && !html.contains("x\"on"), "{html}");
    }
}
