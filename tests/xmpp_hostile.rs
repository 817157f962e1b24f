//! Stanzas that nobody expects, through a real Prosody: none of them ends the stream, and what can be answered is.

use crate::common::talk::Talk;
use serde_json::Value;

/// How often Fehmarn has opened a stream.
fn streams(talk: &Talk) -> usize {
    talk.fehmarn.log().matches("connected to the XMPP server").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stanza_ends_the_stream_and_what_is_nested_without_end_is_given_back() {
    let talk = Talk::begin().await;
    assert_eq!(streams(&talk), 1);
    let (address, domain) = (talk.address(), &talk.fehmarn.slot().xmpp_domain);
    let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
    let id = talk.bob.send(&address, &format!("<body>Zu tief</body><x xmlns='urn:example:deep'>{deep}</x>"));
    let is_back = |told: &Value| told["type"] == "error" && told["id"] == *id;
    let back = talk.bob.wait_for("what is too deep", is_back).await;
    assert!(back["xml"].as_str().unwrap().contains("policy-violation"), "{back}");

    for (n, stanza) in [
        format!("<iq to='{address}' type='get'/>"),
        format!("<iq to='{domain}' type='set'><query xmlns='jabber:iq:gateway'><prompt/><prompt/></query></iq>"),
        format!("<iq to='{address}' type='set'><vCard xmlns='vcard-temp'/></iq>"),
        format!("<iq to='{domain}' type='result'><ping xmlns='urn:xmpp:ping'/></iq>"),
        format!("<presence to='{address}' type='dancing'/>"),
        format!("<presence to='{domain}' type='error'/>"),
        format!("<message to='{address}'/>"),
        format!("<message to='{domain}' type='chat'><body>An niemanden</body></message>"),
        format!("<message to='{address}' type='groupchat'><body>In keinem Raum</body></message>"),
        format!("<message to='{address}' type='error'/>"),
        format!("<message to='{address}'><reactions xmlns='urn:xmpp:reactions:0'/></message>"),
        format!("<message to='{address}'><retract xmlns='urn:xmpp:message-retract:1'/></message>"),
        format!("<message to='{address}'><received xmlns='urn:xmpp:receipts' id=''/></message>"),
        format!("<message to='{address}'><displayed xmlns='urn:xmpp:chat-markers:0'/></message>"),
        format!("<message to='{address}'><x xmlns='jabber:x:oob'><url>file:///etc/passwd</url></x></message>"),
    ]
    .iter()
    .enumerate()
    {
        let id = format!("odd-{n}");
        talk.bob.send_xml(&stanza.replacen(" to=", &format!(" id='{id}' to="), 1));
        if stanza.starts_with("<iq") && !stanza.contains("result") {
            talk.bob.wait_for(stanza, |told| told["id"] == *id && told["stanza"] == "iq").await;
        }
    }
    talk.hear("Noch da?").await;
    talk.tell("Noch da").await;
    assert_eq!(streams(&talk), 1);
    let said = talk.anna.messages(&talk.room).await;
    for never in ["Zu tief", "In keinem Raum", "root:"] {
        assert!(!said.iter().any(|event| event.to_string().contains(never)), "{never}");
    }
}
