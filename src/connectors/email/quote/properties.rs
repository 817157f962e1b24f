//! What holds for any text whatever.

use super::{Taken, cut, html, page};
use crate::connectors::email::text::clean;
use proptest::prelude::*;

/// Lines that begin, end or look like something.
const LINES: &[&str] = &[
    "",
    "",
    "Ja, das passt.",
    "Wann kommen Sie?",
    "> Passt es?",
    ">> \u{e4}lter",
    "Am 12.11.2026 um 10:00 schrieb Anna <anna@amt.example>:",
    "Anna <anna@amt.example> schrieb am 12.11.2026:",
    "Von: Anna <anna@amt.example>",
    "Gesendet: heute",
    "An: Bob",
    "Betreff: x",
    "-----Original Message-----",
    "---------- Forwarded message ---------",
    "________________________________",
    "_______________________________________________\nx mailing list",
    "-- ",
    "--",
    "Von meinem iPhone gesendet",
    "Diese E-Mail ist vertraulich. Empf\u{e4}nger: l\u{f6}schen.",
    "Mit freundlichen Gr\u{fc}\u{df}en",
    "Bob Beispiel",
    "Tel. 04371 1",
    "www.example.org",
    "23769 Fehmarn",
    "siehe unten",
    "\u{1f44d}",
    "\u{1f5bc}",
    "\u{200b}",
    "\u{a0}",
];
const HTML: &[&str] = &[
    "<div>",
    "</div>",
    "<p>",
    "<p class=MsoNormal>",
    "<br>",
    "<blockquote type=cite>",
    "<blockquote>",
    "</blockquote>",
    "<div class=gmail_attr>",
    "<div id=divRplyFwdMsg>",
    "<div class=gmail_signature>",
    "<div class=yahoo_quoted>",
    "<pre>",
    "</pre>",
    "<style>",
    "</style>",
    "<!--",
    "-->",
    "<img src=x>",
    "<hr",
    "&gt; ",
    "&nbsp;",
    "\n",
];

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![4 => prop::sample::select(LINES).prop_map(str::to_owned), 1 => "\\PC{0,30}"];
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

fn markup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![prop::sample::select(LINES), prop::sample::select(HTML)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Whether these lines stand among those, in this order.
fn stand_in<'x>(mut kept: impl Iterator<Item = &'x str>, mut all: impl Iterator<Item = &'x str>) -> bool {
    kept.all(|line| all.any(|other| other.trim_end() == line.trim_end()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_text_that_somebody_wrote_is_never_cut_to_nothing(text in text()) {
        let (kept, taken) = cut(&text);
        prop_assert!(!kept.trim().is_empty() || clean::lines(&text).trim().is_empty());
        if taken > Taken::Nothing {
            prop_assert!(kept.lines().any(|line| page::is_own(line) || line.contains(page::PICTURE)));
        }
    }

    #[test]
    fn no_line_is_made_up_or_moved(text in text()) {
        let all = clean::lines(&text);
        let (kept, _) = cut(&text);
        prop_assert!(stand_in(kept.lines().filter(|line| !line.is_empty()), all.lines()), "{all}\n---\n{kept}");
    }

    #[test]
    fn what_was_cut_is_cut_no_further(text in text()) {
        // Empty lines count where something is looked for near the end: those that nobody is shown are gone before.
        let (once, _) = cut(&clean::lines(&text));
        let (twice, _) = cut(&once);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn the_kept_html_is_a_piece_of_it_and_is_never_nothing(html in markup()) {
        let (kept, taken) = html::cut(&html);
        prop_assert!(html.contains(kept));
        prop_assert_eq!(taken == Taken::Nothing, kept.len() == html.len());
        prop_assert!(html.trim().is_empty() || !kept.trim().is_empty());
    }
}

/// How long it takes is bounded by construction; a step that looks at everything for each line would not come to an end.
#[test]
fn texts_made_to_be_slow_come_to_an_end() {
    let texts = [
        ">".repeat(1_000_000),
        "> ".repeat(1_000_000),
        ">\n".repeat(500_000),
        "x".repeat(4_000_000),
        " ".repeat(4_000_000),
        "\u{a0}\n".repeat(500_000),
        "--\n".repeat(300_000),
        "-".repeat(2_000_000),
        "_____\n".repeat(300_000),
        "on 1 x@y wrote:\n".repeat(200_000),
        "> Am 1.1.2026 um 10:00 schrieb x:\nx\n".repeat(100_000),
        "Von: x\n".repeat(300_000),
        "Von meinem iPhone gesendet\n".repeat(100_000),
        "Diese E-Mail ist vertraulich, Empf\u{e4}nger, l\u{f6}schen. ".repeat(50_000),
        "Diese E-Mail ist vertraulich, Empf\u{e4}nger, l\u{f6}schen.\n\n".repeat(50_000),
        "Mit freundlichen Gr\u{fc}\u{df}en\nTel. 1\n".repeat(100_000),
        format!("Ja.\n{}", "Am 1.1.2026 um 10:00 schrieb x@y:\n> x\n".repeat(50_000)),
    ];
    for text in texts {
        assert!(!cut(&text).0.is_empty() || text.trim().is_empty());
    }
}

#[test]
fn html_made_to_be_slow_comes_to_an_end() {
    for unit in [
        "<blockquote type=cite>",
        "<blockquote><br>",
        "<div style=border-top:solid>",
        "<div class=gmail_signature>x",
        "<div class=gmail_signature></div>x",
        "<div class=gmail_attr></div>x",
        "<div id=divRplyFwdMsg>",
        "<style>",
        "<!--",
        "<br>",
        "<pre>\n",
        "<img>",
        "<p class=",
        "&#",
        "&",
        "<",
        "x",
    ] {
        let html = format!("Ja.{}", unit.repeat(512 * 1024 / unit.len()));
        assert!(html.contains(html::cut(&html).0), "{unit}");
    }
}
