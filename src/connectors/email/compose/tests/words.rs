//! The words of a mail in both forms, with quote and signature.

use super::*;

#[test]
fn words_come_back_in_both_forms() {
    let text = "Guten Tag Herr Beispiel,\n\nvielen Dank f\u{fc}r Ihre Nachricht vom letzten Dienstag, die wir an das Bauamt weitergegeben haben.\n\n  - Punkt\n>5 St\u{fc}ck\nFrom here\n.\n\u{1f600} \u{65e5}\u{672c}";
    let mut delivery = delivery(text);
    assert_eq!(read(&delivery).body.text, text);
    assert!(forms(&identity(), &delivery).1.contains("haben.<br>\n<br>\n&nbsp; - Punkt<br>\n&gt;5 St\u{fc}ck<br>\n"));
    delivery.body = Body {
        text: "Gr\u{fc}\u{df}e\n\n= \u{1f600}".into(),
        html: Some("<p>Gr\u{fc}\u{df}e</p>\n<p>= \u{1f600}</p>".into()),
    };
    let raw = mail(&delivery);
    assert!(raw.find("text/plain") < raw.find("text/html") && raw.contains("multipart/alternative"), "{raw}");
    let (text, html) = forms(&identity(), &delivery);
    assert_eq!(text, "Gr\u{fc}\u{df}e\n\n= \u{1f600}\n");
    let p = "<p style=\"margin:0 0 8pt 0\">";
    assert_eq!(html, format!("{p}Gr\u{fc}\u{df}e</p>\n{p}= \u{1f600}</p>"));
}

#[test]
fn all_that_matrix_can_format_is_carried_over_with_its_style() {
    let mut delivery = delivery("x");
    delivery.body.html = Some(
        "<h1>A</h1><p><b>b</b><strong>b</strong><i>i</i><em>e</em><del>d</del><s>s</s><u>u</u>x<sup>2</sup><sub>3</sub><br></p>\
         <ul><li>1<ol start=\"3\"><li>2</li></ol></li></ul><a href=\"https://x.example\">x</a><a>Bob</a><hr>\
         <blockquote><p>q</p></blockquote><pre><code class=\"language-rust\">a\n  b</code></pre><code>c</code>\
         <table><thead><tr><th>h</th></tr></thead><tbody><tr><td>d</td></tr></tbody></table>\
         <img src=\"https://x.example/1.gif\"><script>alert(1)</script><p style=\"x\" onclick=\"x\">p</p><a href=\"javascript:x\">y</a>"
            .into(),
    );
    let (_, html) = forms(&identity(), &delivery);
    for part in [
        "<h1 style=\"",
        "<b>b</b><strong>b</strong><i>i</i><em>e</em><del>d</del><s>s</s><u>u</u>x<sup>2</sup><sub>3</sub><br>",
        "<li>1<ol start=\"3\" style=\"",
        "<a href=\"https://x.example\">x</a><a>Bob</a><hr>",
        "border-left:2pt solid",
        "<pre style=\"",
        "a\n  b</code></pre><code style=\"",
        "<th style=\"",
        "<td style=\"",
        "<p style=\"margin:0 0 8pt 0\">p</p><a>y</a>",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    for part in ["img", "script", "alert", "onclick", "javascript", "class"] {
        assert!(!html.contains(part), "{part}\n{html}");
    }
    delivery.body.html = Some("<ul><li>1<ol><li>2</li></ol></li></ul><ul><li>3</li></ul>".into());
    let margins = forms(&identity(), &delivery).1;
    let margins: Vec<&str> =
        margins.split("margin-bottom:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(margins, ["8pt", "0", "8pt"], "a list in a list has no space below it");
}

#[test]
fn the_text_is_what_was_typed_unless_it_says_less_than_the_html_or_shows_markdown() {
    let list = "<p>Bitte <b>heute</b>:</p><ul><li>Ausweis</li></ul>";
    let link = "<p>Zum <a href=\"https://x.example/termin\">Termin</a></p>";
    for (text, html, expected) in [
        ("Bitte *heute*:\n\n* Ausweis", list, "Bitte *heute*:\n\n* Ausweis\n"),
        ("Bitte **heute**:\n\n* Ausweis", list, "Bitte heute:\n- Ausweis\n"),
        ("2 ** 3", "<p>2 ** 3</p>", "2 ** 3\n"),
        ("", list, "Bitte heute:\n- Ausweis\n"),
        ("Zum Termin", link, "Zum Termin (https://x.example/termin)\n"),
        ("Zum [Termin](https://x.example/termin)", link, "Zum Termin (https://x.example/termin)\n"),
        ("1. a\n1. b", "<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"),
    ] {
        let mut delivery = delivery(text);
        delivery.body.html = Some(html.into());
        assert_eq!(forms(&identity(), &delivery).0, expected);
    }
}

#[test]
fn a_bare_address_is_a_link_however_it_was_written() {
    let link = "<a href=\"https://x.example/?a=1&amp;b=2\">https://x.example/?a=1&amp;b=2</a>.";
    let text = "Siehe https://x.example/?a=1&b=2.";
    for html in [None, Some("<p>Siehe https://x.example/?a=1&amp;b=2.</p>".to_owned())] {
        let delivery = Delivery { body: Body { text: text.into(), html }, ..delivery("") };
        let (plain, html) = forms(&identity(), &delivery);
        assert!(html.contains(link) && plain == format!("{text}\n"), "{html}");
    }
}

#[test]
fn an_answer_stands_above_what_it_answers() {
    let mut delivery = delivery("Ja, das passt.");
    delivery.thread.parent = Some(RemoteMessageId::new("a@x"));
    delivery.quote =
        Some(Quote { author: "Bob <B>".into(), text: "Passt es\r\n\n> am Montag?\nOder Dienstag?\nMittwoch?".into() });
    let (text, html) = forms(&identity(), &delivery);
    assert_eq!(text, "Ja, das passt.\n\n> Bob <B>: Passt es\n> am Montag?\n> Oder Dienstag? \u{2026}\n");
    assert!(html.starts_with("Ja, das passt.\n<blockquote type=\"cite\" style=\"margin:12pt 0 0 0;"), "{html}");
    assert!(
        html.ends_with("\"><b>Bob &lt;B&gt;:</b> Passt es<br>\nam Montag?<br>\nOder Dienstag? \u{2026}</blockquote>"),
        "{html}"
    );
    assert!(header(&delivery).contains("\r\nIn-Reply-To: <a@x>\r\nReferences: <a@x>\r\n"));
    delivery.quote = Some(Quote { author: String::new(), text: "x".repeat(300) });
    assert_eq!(forms(&identity(), &delivery).0.lines().last().unwrap().len(), 200 + "> ".len() + " \u{2026}".len());
}

#[test]
fn a_signature_is_last_in_both_forms() {
    let mut delivery = delivery("Ja.");
    delivery.quote = Some(Quote { author: "Bob".into(), text: "Passt es?".into() });
    let (text, html) = forms(&with_signature(), &delivery);
    assert_eq!(text, "Ja.\n\n> Bob: Passt es?\n\n-- \nAnna Muster\nBauamt <Kiel>\nhttps://kiel.example\n");
    assert!(
        html.ends_with(
            "Anna Muster<br>\nBauamt &lt;Kiel&gt;<br>\n<a href=\"https://kiel.example\">https://kiel.example</a></div>"
        ),
        "{html}"
    );
    assert_eq!(read(&delivery).body.text, "Ja.", "for a chat, answer is all that counts");
    delivery =
        Delivery { attachments: vec![file("Plan.pdf", "application/pdf", b"x")], quote: None, ..self::delivery("") };
    assert!(forms(&with_signature(), &delivery).0.starts_with("-- \nAnna Muster\n"), "a file has a signature too");
}
