use super::*;

const TOP: &str = "Ja, das passt.\n\nGru\u{df}\nBob\n\n";
const HTML: &str = "<html><head><style>.x{color:red}</style></head><body><div>Ja, das passt.</div>";

fn left(below: &str) -> String {
    let (text, taken) = cut(&format!("{TOP}{below}"));
    assert_eq!(taken, Taken::Quote, "{below}");
    text
}

fn whole(text: &str) {
    assert_eq!(cut(text), (text.to_owned(), Taken::Nothing));
}

#[test]
fn the_quotes_of_every_program_are_cut() {
    for below in [
        "________________________________\nVon: Anna Muster <anna@amt.example>\nGesendet: Donnerstag, 12. November 2026 10:00\nAn: bob@example.org\nBetreff: Termin\n\nPasst es?\n",
        "Von: Anna Muster\nGesendet: Donnerstag, 12. November 2026 10:00\nAn: 'bob@example.org' <bob@example.org>\nCc: Tom\nBetreff: Termin\n\nPasst es?",
        "From: Anna Muster\nSent: Thursday, November 12, 2026 10:00 AM\nTo: Bob\nSubject: Termin\n\nPasst es?",
        "Von: Anna Muster <anna@amt.example>\nDatum: Donnerstag, 12. November 2026 um 10:00\nAn: Bob <bob@example.org>\nBetreff: Termin\n\nPasst es?",
        "Gesendet: Donnerstag, 12. November 2026 um 10:00 Uhr\nVon: \"Anna Muster\" <anna@amt.example>\nAn: bob@example.org\nBetreff: Termin\nPasst es?",
        "*Von:* Anna Muster\n*Gesendet:* Donnerstag\n\n*An:* Bob\n*Betreff:* Termin\n\nPasst es?",
        "-----Urspr\u{fc}ngliche Nachricht-----\nVon: Anna\nPasst es?",
        "-------- Urspr\u{fc}ngliche Nachricht --------\nPasst es?",
        "-------- Urspr\u{fc}ngliche Nachricht --------Von: Anna <anna@amt.example> Datum: heute  An: Bob Betreff: x Passt es?",
        "-----Original-Nachricht-----\nBetreff: Termin\nDatum: 2026-11-12T10:00:00+0100\nVon: Anna\n\nPasst es?",
        "\u{2010}\u{2010}\u{2010}\u{2010}\u{2010} Original Message \u{2010}\u{2010}\u{2010}\u{2010}\u{2010}\nPasst es?",
        "-----\"Anna Muster\" <anna@amt.example> schrieb: -----\nAn: bob@example.org\nVon: \"Anna Muster\"\nPasst es?",
        "Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n>\n> Anna Muster\n",
        "Am Do., 12. Nov. 2026 um 10:00 Uhr schrieb Anna Muster <\nanna@amt.example>:\n\n> Passt es?\n",
        "Am Donnerstag, 12. November 2026 um 10:00:05 MEZ hat Anna Muster <anna@amt.example> Folgendes geschrieben: \n\n Passt es?",
        "Anna Muster <anna@amt.example> hat am 12.11.2026 10:00 CET geschrieben:\n\n\nPasst es?",
        "Anna Muster <anna@amt.example> schrieb am Do., 12. Nov. 2026, 10:00:\n\n> Passt es?",
        "Am 12. November 2026 10:00:05 MEZ schrieb Anna Muster <anna@amt.example>:\n>Passt es?",
        "On Thu, Nov 12, 2026 at 10:00\u{202f}AM Anna Muster <anna@amt.example> wrote:\n\n> Passt es?\n",
        "> Am 12.11.2026 um 10:00 schrieb Anna Muster <anna@amt.example>:\n> \n> Passt es?",
        "\"Anna Muster\" <anna@amt.example> schrieb am 12.11.2026 10:00:05:\n\n> Passt es?",
    ] {
        assert_eq!(left(below), TOP.trim_end(), "{below}");
    }
}

#[test]
fn quotes_are_found_below_what_a_program_or_a_list_adds() {
    for below in [
        "> Passt es?\n\n-- \nBob Beispiel\n",
        "-- \nBob Beispiel\n\nAm 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n",
        "Von meinem iPhone gesendet\n\n> Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n",
        "> Passt es?\n\n_______________________________________________\nBuerger mailing list\nbuerger@example.org\n",
        "Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n\n-- \nDiese E-Mail wurde von Avast-Antivirussoftware auf Viren gepr\u{fc}ft.\nwww.avast.com\n",
    ] {
        assert_eq!(left(below), TOP.trim_end(), "{below}");
    }
}

#[test]
fn the_line_above_an_attribution_stays() {
    assert_eq!(cut("Danke!\nAm 12.11.2026 um 10:00 schrieb Anna:\n> x\n").0, "Danke!");
    assert_eq!(cut("Am Montag komme ich.\nAm 12.11.2026 um 10:00 schrieb Anna:\n> x\n").0, "Am Montag komme ich.");
    assert_eq!(cut(":-)\n\nAm 12.11.2026 um 10:00 schrieb Anna:\n> x\n").0, ":-)");
}

#[test]
fn answers_between_quotes_stay_with_what_they_answer() {
    let text = "Am 12.11.2026 um 10:00 schrieb Anna Muster:\n> Passt es?\n\nJa.\n\n> Wer kommt?\n\nIch.";
    whole(text);
    assert_eq!(cut(&format!("{text}\n\n> Anna Muster\n> Amt")), (text.to_owned(), Taken::Quote));
    assert_eq!(cut(&format!("{text}\n-- \nBob")), (text.to_owned(), Taken::Signature));
}

#[test]
fn answers_in_a_mail_that_is_repeated_without_marks_stay_where_the_sender_says_so() {
    let original = "Von: Anna <anna@amt.example>\nGesendet: heute\nAn: Bob\nBetreff: x\n\nPasst es? Ja!";
    for words in ["Siehe unten.", "Meine Antworten in rot.", "Please see my comments inline."] {
        whole(&format!("{words}\n\n{original}"));
    }
    assert_eq!(cut(&format!("Danke, alles gut.\n\n{original}")).0, "Danke, alles gut.");
    let new_outlook = format!("<p>Siehe unten.</p><div id=mail-editor-reference-message-container>{original}</div>");
    assert_eq!(html::cut(&new_outlook), (new_outlook.as_str(), Taken::Nothing));
}

#[test]
fn a_long_quote_above_an_answer_is_cut_and_a_short_one_says_what_is_meant() {
    let quoted =
        |lines: usize| format!("Am 12.11.2026 um 10:00 schrieb Anna:\n{}\nJa, gern.", "> Zeile\n".repeat(lines));
    assert_eq!(cut(&quoted(6)), ("Ja, gern.".to_owned(), Taken::Quote));
    whole(&quoted(5));
    assert_eq!(cut(&quoted(2).replacen("> Zeile", "> Zeile\n> -- ", 1)).0, "Ja, gern.");
    let between = quoted(6).replacen("> Zeile\n> Zeile", "> Zeile\nNein.\n> Zeile", 1);
    assert_eq!(cut(&between).1, Taken::Nothing);
}

#[test]
fn an_older_original_inside_a_quote_ends_nothing() {
    for quote in [
        "> Von: Anna\n> Gesendet: heute\n> An: Bob\n> Betreff: x",
        "> -----Original Message-----\n> Passt es?",
        "> Am 12.11.2026 um 10:00 schrieb Anna:",
    ] {
        whole(&format!("{quote}\n\nJa, das passt."));
    }
}

#[test]
fn what_was_passed_on_stays() {
    for mark in [
        "---------- Forwarded message ---------",
        "-------- Weitergeleitete Nachricht --------",
        "Anfang der weitergeleiteten Nachricht:",
        "----- Weitergeleitet von Bob Beispiel/Firma am 12.11.2026 10:00 -----",
    ] {
        whole(&format!(
            "Zur Kenntnis.\n\n{mark}\nVon: Ida <ida@example.net>\nDatum: heute\nAn: Bob\nBetreff: x\n\nDie Laterne brummt."
        ));
    }
}

#[test]
fn a_story_that_tells_who_wrote_what_is_no_quote() {
    for text in [
        "Hallo,\n\nmein Nachbar schrieb mir am 3. Mai:\n\nDer Zaun muss weg.\n\nWas nun?",
        "Hallo,\n\nAm 3. Mai um 10:15 Uhr schrieb er mir:\n\nDer Zaun muss weg.\n\nWas nun?",
        "Bitte an:\nVon: K\u{f6}ln\nnach Bonn",
        "Ich reise:\nVon: K\u{f6}ln\nAn: Bonn\nDatum: 3.5.2026\nBitte buchen.",
        "Preise:\n---\nBus 3 Euro\nBahn 5 Euro",
    ] {
        whole(text);
    }
}

#[test]
fn a_signature_is_cut_and_a_letter_below_a_dash_is_not() {
    assert_eq!(cut("Hallo\n-- \nBob\nFirma"), ("Hallo".to_owned(), Taken::Signature));
    let letter = format!("Hallo\n--\n{}", "Zeile\n".repeat(20));
    assert_eq!(cut(&letter).1, Taken::Nothing);
}

#[test]
fn what_a_program_adds_is_cut() {
    for line in [
        "Von meinem iPhone gesendet",
        "Von meinem/meiner Galaxy gesendet",
        "Gesendet von Outlook f\u{fc}r iOS<https://aka.ms/o0ukef>",
        "Gesendet von Outlook f\u{fc}r Android<https://aka.ms/AAb9ysg>",
        "Outlook f\u{fc}r iOS<https://aka.ms/o0ukef> beziehen",
        "Holen Sie sich Outlook f\u{fc}r Android<https://aka.ms/AAb9ysg>",
        "Gesendet von Mail<https://go.microsoft.com/fwlink/?LinkId=550986> f\u{fc}r Windows",
        "Gesendet mit der mobilen Mail App",
        "Gesendet mit der Telekom Mail App",
        "Gesendet mit der WEB.DE iPhone App",
        "Gesendet mit Proton Mail sicheren E-Mail.",
        "Diese Nachricht wurde von meinem Android-Ger\u{e4}t mit K-9 Mail gesendet.",
        "--\nDiese Nachricht wurde von meinem Android Mobiltelefon mit WEB.DE Mail\ngesendet.",
        "Sent from my iPhone",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Sent from Outlook for Android",
        "Sent from Yahoo Mail on Android",
        "Virenfrei.www.avast.com",
        "Bitte denken Sie an die Umwelt, bevor Sie diese E-Mail ausdrucken.",
        "Informationen zum Datenschutz: https://amt.example/datenschutz",
    ] {
        assert_eq!(cut(&format!("{TOP}{line}\n")), (TOP.trim_end().to_owned(), Taken::Signature), "{line}");
    }
}

#[test]
fn what_the_sender_says_of_sending_is_not_a_programs_line() {
    for words in [
        "Von meinem Anwalt wurde Ihnen das Schreiben gestern gesendet.",
        "Von meinem iPhone gesendet\nIch komme um f\u{fc}nf.",
        "Get Outlook for iOS\nDanke",
        "Bitte pr\u{fc}fen Sie den Ausdruck.",
        "Punkt 1\n\u{2014}\nPunkt 2",
    ] {
        whole(&format!("{TOP}{words}"));
    }
}

#[test]
fn notices_of_confidentiality_are_cut_and_confidential_words_are_not() {
    for notice in [
        "Diese E-Mail enth\u{e4}lt vertrauliche und/oder rechtlich gesch\u{fc}tzte Informationen. Wenn Sie nicht der richtige Adressat sind, vernichten Sie diese Mail.\nDas unerlaubte Kopieren ist nicht gestattet.",
        "This e-mail may contain confidential and/or privileged information. If you are not the intended recipient, please delete it.",
        "________________\nVertraulichkeitshinweis\n\nDiese Nachricht ist vertraulich und nur f\u{fc}r den Adressaten bestimmt. Sind Sie nicht der Empf\u{e4}nger, l\u{f6}schen Sie sie.\n\nThis message is confidential. If you are not the intended recipient, please delete it.",
    ] {
        assert_eq!(cut(&format!("{TOP}{notice}")), (TOP.trim_end().to_owned(), Taken::Signature), "{notice}");
    }
    for words in [
        "Bitte l\u{f6}schen Sie diese E-Mail, ich habe sie irrt\u{fc}mlich gesendet.",
        "Die Unterlagen sind vertraulich und nur f\u{fc}r den Empf\u{e4}nger bestimmt, bitte keine Weitergabe.",
        "Diese E-Mail ist vertraulich. Bitte l\u{f6}schen Sie sie nach dem Lesen.\n\nUnd rufen Sie mich danach an.",
    ] {
        whole(&format!("{TOP}{words}"));
    }
}

#[test]
fn an_address_below_a_greeting_goes_and_the_name_stays() {
    let letter = "der Plan liegt bei.\n\nMit freundlichen Gr\u{fc}\u{df}en\n\nBob Beispiel\nGesch\u{e4}ftsleitung";
    let card = "Beispiel GmbH\nMusterweg 1\n23769 Fehmarn\n\nTel. 04371 12345\nwww.example.org";
    assert_eq!(cut(&format!("{letter}\n\n{card}")), (letter.to_owned(), Taken::Signature));
    for text in [
        format!("Rufen Sie mich an: {letter}\n\n{card}"),
        format!("{letter}\n\n{card}\n\nPS: Der Schl\u{fc}ssel liegt unter der Matte."),
        format!("{letter}\n\n{card}\n\nHaben Sie den Plan bekommen?"),
        format!("{letter}\n\nTel. 04371 12345"),
        format!("{letter}\n\nEi\nMehl\nMilch\nButter"),
    ] {
        whole(&text);
    }
}

#[test]
fn what_would_leave_nothing_is_not_cut() {
    for text in [
        "> nur zitiert",
        "--\nBob",
        "-----Original Message-----\nHallo",
        "> a\n\n--\nBob",
        "Am 12.11.2026 um 10:00 schrieb Anna:\n> x",
        "Von meinem iPhone gesendet",
    ] {
        assert!(!cut(text).0.is_empty(), "{text}");
        assert!(text.starts_with(&cut(text).0), "{text}");
    }
    assert_eq!(cut("\u{1f44d}\n\n> Passt es?").0, "\u{1f44d}");
    assert_eq!(cut("Von meinem iPhone gesendet\n\n> Passt es?").0, "Von meinem iPhone gesendet");
}

#[test]
fn the_marks_of_every_program_are_known() {
    for below in [
        "<div id=\"appendonsend\"></div><hr style=\"width:98%\"><div id=\"divRplyFwdMsg\"><b>Von:</b> Anna</div><div>Passt es?</div>",
        "<hr tabindex=\"-1\"><div id=\"x_divRplyFwdMsg\" dir=\"ltr\"><b>Von:</b> Anna</div>Passt es?",
        "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal><b><span lang=DE>Von:</span></b> Anna</p></div><p>Passt es?</p>",
        "<div style=\"padding: 3pt 0in 0in; border-width: 1pt medium medium; border-style: solid none none;\">Anna</div><p>Passt es?</p>",
        "<p class=MsoNormal>Von: Anna<br>Gesendet: heute<br>An: Bob<br>Betreff: x</p><p>Passt es?</p>",
        "<br><div class=\"gmail_quote gmail_quote_container\"><div dir=\"ltr\" class=\"gmail_attr\">Am 12.11. schrieb Anna:<br></div><blockquote class=\"gmail_quote\">Passt es?<div>x</div></blockquote></div>",
        "<div class=\"moz-cite-prefix\">Am 12.11. schrieb Anna:<br></div><blockquote type=\"cite\" cite=\"mid:x\"><div>Passt es?</div></blockquote><p><br>&nbsp;</p><div class=\"moz-signature\">-- <br>Bob</div>",
        "<div><br><blockquote type='cite'><div>Am 12.11. schrieb Anna:</div><br class=\"x\">Passt es?</blockquote></div><br>",
        "<div name=\"quote\" style=\"margin:10px\"><b>Gesendet:</b> x<div name=\"quoted-content\">Passt es?</div></div>",
        "<div class=yahoo_quoted>Anna</div><blockquote class=iosymail>Passt es?</blockquote>",
        "<p>Am 12.11.2026 schrieb Anna:</p><blockquote style=x>Passt es?</blockquote>",
        "<!-- > --><blockquote type=cite>Passt es?",
        "<div id=Signature><div>Anna</div></div><hr><div id=divRplyFwdMsg>x</div>Passt es?",
    ] {
        let html = format!("{HTML}{below}</body></html>");
        let (kept, taken) = html::cut(&html);
        assert!(kept == HTML && taken == Taken::Quote, "{below}\n{kept}");
    }
}

#[test]
fn signatures_with_a_mark_are_cut_unless_somebody_wrote_into_them() {
    for below in [
        "<div class=gmail_signature>Bob<br>Firma</div>",
        "<pre class=\"moz-signature\">-- \nBob</pre>",
        "<div id=\"ms-outlook-mobile-signature\">Gesendet von <a href=x>Outlook f&uuml;r iOS</a></div>",
        "<div class=\"k9mail-signature\">-- <br>Bob",
    ] {
        let html = format!("{HTML}{below}");
        assert_eq!(html::cut(&html), (HTML, Taken::Signature), "{below}");
    }
    for below in [
        "<div id=\"ms-outlook-mobile-signature\"><div>Bis Freitag</div></div>",
        "<div id=Signature><div>Ich komme am Freitag um zehn Uhr.</div></div>",
        "<div id=Signature>Mit freundlichen Gr&uuml;&szlig;en<br>Bob</div>",
        "<div class=gmail_signature>x</div><p>Ich auch.</p>",
    ] {
        let html = format!("{HTML}{below}");
        assert_eq!(html::cut(&html), (html.as_str(), Taken::Nothing), "{below}");
    }
}

#[test]
fn answers_below_or_between_marked_quotes_are_not_cut() {
    for below in [
        "<blockquote type=\"cite\">Passt es?</blockquote><p>Ja.</p>",
        "<div class=\"gmail_quote\"><blockquote class=gmail_quote>alt</blockquote></div>&uuml;<br>",
        "<div class=gmail_quote><div class=gmail_attr>Anna:</div><blockquote class=gmail_quote>alt</blockquote><div>Ja.</div></div>",
    ] {
        let html = format!("{HTML}{below}");
        assert_eq!(html::cut(&html), (html.as_str(), Taken::Nothing), "{below}");
    }
    let html = format!("{HTML}<blockquote type=cite>a</blockquote>Ja.<blockquote type=cite>b</blockquote>");
    assert_eq!(html::cut(&html).0, html.strip_suffix("<blockquote type=cite>b</blockquote>").unwrap());
}

#[test]
fn html_that_would_be_empty_is_not_cut() {
    for html in [
        "<p>&nbsp;</p><blockquote type=cite>x</blockquote>",
        "<style>x</style><div class=yahoo_quoted>x</div>",
        "<p>Hallo</p>",
        "",
        "<",
        "<div class=",
        "<div class='gmail_quote",
    ] {
        assert_eq!(html::cut(html), (html, Taken::Nothing), "{html}");
    }
    assert_eq!(html::cut("<img src=cid:x><div class=yahoo_quoted>x</div>").0, "<img src=cid:x>");
}

#[test]
fn however_many_quotes_stand_below_each_other_none_stays() {
    let below = "Am 12.11.2026 um 10:00 schrieb Anna <anna@amt.example>:\nJa.\n> Passt es?\n".repeat(20);
    assert_eq!(left(&format!("{below}Am 12.11.2026 um 10:00 schrieb Anna <anna@amt.example>:")), TOP.trim_end());
}
