//! HTML of mails, of which the homeserver gets what clients may show and nothing else.

use crate::common::{
    Conversation, Fehmarn, Letter, body,
    events::{html, text},
    wait::unique,
};
use serde_json::Value;

/// What runs, what loads, what asks for something, and what covers or imitates a client.
const HOSTILE: &str = "<html><head><title>Titel</title><style>p { color: red }</style></head><body onload=\"alert(1)\">\
    <p onclick=\"alert(2)\" style=\"position:fixed;top:0\" class=\"mx_EventTile\" id=\"x\">Guten <b onmouseover=alert(3)>Tag</b></p>\
    <script>alert(4)</script><svg onload=alert(5)><script>alert(6)</script></svg>\
    <math><a xlink:href=\"javascript:alert(7)\">m</a></math>\
    <p><a href=\"javascript:alert(8)\">eins</a> <a href=\" JaVaScRiPt:alert(9)\">zwei</a> \
    <a href=\"data:text/html,alert(10)\">drei</a> <a href=\"vbscript:alert(11)\">vier</a> <a href=\"/hier\">elf</a> \
    <a href=\"https://example.org/x\" target=_top onclick=alert(12)>zwölf</a></p>\
    <form action=\"https://evil.example/\"><input name=password value=geheim><button>Anmelden</button></form>\
    <iframe srcdoc=\"<script>alert(13)</script>\"></iframe><img src=x onerror=alert(14)><object data=x></object>\
    <mx-reply>falsch</mx-reply><font color=red data-mx-bg-color=\"#000\">Ende</font></body></html>";
/// All tags that may be left of it.
const TAGS: &[&str] = &["p", "/p", "b", "/b", "a", "/a", "a href=\"https://example.org/x\""];

#[tokio::test(flavor = "multi_thread")]
async fn what_could_run_load_or_imitate_in_a_mail_does_not_reach_the_room_and_its_words_do() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    talk.bob.send(Letter::answering(&talk.bob, &talk.first).html(HOSTILE)).await;
    let message = talk.anna.wait_for(&talk.room, "the words", |event| body(event).contains("zwölf")).await;
    let (shown, words) = (html(&message), body(&message));
    for part in shown.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        assert!(TAGS.contains(&tag), "<{tag}> in {shown}");
    }
    for text in [shown, words] {
        for bad in ["alert", "color: red", "evil.example", "geheim", "Titel"] {
            assert!(!text.contains(bad), "{bad:?} in {text}");
        }
        for good in ["eins", "zwei", "drei", "vier", "elf", "https://example.org/x", "Ende"] {
            assert!(text.contains(good), "{good:?} in {text}");
        }
    }
    assert!(!shown.contains("falsch"), "{shown}");
    assert!(shown.contains("<p>Guten <b>Tag</b></p>") && words.starts_with("Guten Tag"), "{message}");
}

/// One dot, as those who count readers send it, and a picture.
const DOT: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAYAAAAf8/9h";

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_readers_falls_out_and_what_is_hidden_is_not_shown() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let picture = |id: &str, kind: &str, data: &str| {
        format!(
            "--b\r\nContent-Type: image/{kind}\r\nContent-ID: <{id}>\r\nContent-Disposition: inline; filename={id}.{kind}\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{data}\r\n"
        )
    };
    let mail = format!(
        "From: Bob <{}>\r\nTo: {}\r\nMessage-ID: <{}@example.org>\r\nIn-Reply-To: <{}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <div style=\"display:none\">Nur im Posteingang zu sehen</div><p>Unser <b>Plan</b>:</p><img src=\"cid:plan\">\
         <img src=\"cid:dot\"><img src=\"data:image/gif;base64,{DOT}\">\
         <img src=\"https://track.example.com/o.gif?u=1\" width=1 height=1>\r\n{}{}--b--\r\n",
        talk.bob.address,
        talk.address(),
        unique("pixel"),
        talk.first.message_id(),
        picture("plan", "png", PICTURE),
        picture("dot", "gif", DOT),
    );
    talk.bob.send_raw(&[&talk.address()], mail.as_bytes()).await;
    let message = talk.anna.wait_for(&talk.room, "the words", |event| body(event).starts_with("Unser Plan:")).await;
    talk.hear("Ende").await;
    let said = talk.anna.messages(&talk.room).await;
    let from_bob = said.iter().filter(|event| text(event, "/sender") == talk.ghost);
    let is_file = |event: &&Value| !["m.text", "m.notice"].contains(&text(event, "/content/msgtype"));
    assert_eq!(from_bob.filter(is_file).map(body).collect::<Vec<_>>(), ["plan.png"]);
    let shown = message["content"].to_string();
    assert!(!shown.contains("track.example.com") && !shown.contains("Posteingang"), "{shown}");
}
