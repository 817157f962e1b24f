//! Whose words they are: senders that are proved and others, machines, and mail that goes round.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff, dns,
    events::{bodies, text},
    lmtp, until,
};
use data_encoding::BASE64;
use fehmarn::{
    connector::Connector,
    connectors::email,
    ids::{LocalUser, SourceId},
    message::{Arrival, Inbound, RawArrival},
    yaml::Document,
};
use mail_auth::{
    common::{crypto::Ed25519Key, headers::HeaderWriter},
    dkim::DkimSigner,
};
use std::{path::Path, sync::Arc};

/// RFC 8463 appendix A.2
const SECRET: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RECEIVED: &str = "Received: from mail (mail.example.org [192.0.2.25])\r\n\tby mx.amt.example (Postfix) with ESMTPS id 1;\r\n\tThu, 12 Nov 2026 10:00:09 +0100\r\n";

fn connector(senders: &str) -> Arc<dyn Connector> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let section = format!(
        "connectors:\n  email:\n    domain: amt.example\n    smtp: {{ host: 127.0.0.1, tls: none }}\n    \
         lmtp: {{ listen: '127.0.0.1:0' }}\n    {senders}\n"
    );
    (email::KIND.build)(&Document::new(Path::new("config.yaml"), section), &|_| None).unwrap()
}

async fn checking(texts: &[(&str, Option<&str>)]) -> Arc<dyn Connector> {
    let server = dns::serve(texts).await;
    connector(&format!("senders: {{ check: true, mx: mx.amt.example, dns: '{server}' }}"))
}

async fn attempt(connector: &Arc<dyn Connector>, mail: &str, attempt: u32) -> Option<Arrival> {
    let (source, to) = (SourceId::new("source"), LocalUser::new("anna"));
    let raw = RawArrival { also: None, source, lane: String::new(), to, raw: mail.to_owned().into() };
    match connector.read(&raw, attempt).await {
        Ok(Inbound::Message(arrival)) => Some(*arrival),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => {
            assert!(!failure.is_permanent(), "{failure}");
            None
        }
    }
}

/// Who is seen to have written it.
async fn author(connector: &Arc<dyn Connector>, mail: &str) -> String {
    let arrival = attempt(connector, mail, 1).await.expect("it is to be tried again");
    assert_eq!(arrival.verified, !arrival.from.is_unverified());
    arrival.from.to_string()
}

fn mail(from: &str) -> String {
    format!("From: {from}\r\nTo: anna@amt.example\r\nSubject: Termin\r\nMessage-ID: <1@x.example>\r\n\r\nGuten Tag\r\n")
}

/// The mail with a signature of this domain over these fields.
fn signed(domain: &str, fields: &[&str], mail: &str) -> String {
    let bytes = |text: &str| BASE64.decode(text.as_bytes()).unwrap();
    let key = Ed25519Key::from_seed_and_public_key(&bytes(SECRET), &bytes(PUBLIC)).unwrap();
    let signer = DkimSigner::from_key(key).domain(domain).selector("s").headers(fields.iter().copied());
    let signature = signer.sign(mail.as_bytes()).unwrap();
    format!("{}{mail}", signature.to_header())
}

const BOB: &str = "bob@example.org";
const ANYBODY: &str = "unverified:bob@example.org";
const ALL: &[&str] = &["From", "To", "Subject"];

#[tokio::test]
async fn a_signature_proves_its_own_domain_and_those_below() {
    let fehmarn = checking(&[
        ("s._domainkey.example.org", Some(KEY)),
        ("s._domainkey.evil.example", Some(KEY)),
        ("s._domainkey.mail.example.org", Some(KEY)),
        ("s._domainkey.mail.example.com", Some(KEY)),
        ("_dmarc.example.com", Some("v=DMARC1; p=none")),
    ])
    .await;
    for (name, raw, expected) in [
        ("signed", signed("example.org", ALL, &mail(BOB)), BOB),
        ("not signed", mail(BOB), ANYBODY),
        ("changed", signed("example.org", ALL, &mail(BOB)).replace("Guten", "Schlechten"), ANYBODY),
        ("signed by another", signed("evil.example", ALL, &mail(BOB)), ANYBODY),
        ("the author is not signed", signed("example.org", &["To", "Subject"], &mail(BOB)), ANYBODY),
        ("signed from below, no rule", signed("mail.example.org", ALL, &mail(BOB)), ANYBODY),
        ("signed from below, by DMARC", signed("mail.example.com", ALL, &mail("bob@example.com")), "bob@example.com"),
        ("signed from above", signed("example.org", ALL, &mail("bob@a.example.org")), "bob@a.example.org"),
        ("no key", signed("example.net", ALL, &mail("bob@example.net")), "unverified:bob@example.net"),
        ("two authors", signed("example.org", ALL, &mail("bob@example.org, eve@evil.example")), ANYBODY),
        (
            "two From",
            format!("From: bob@example.org\r\n{}", signed("evil.example", ALL, &mail("eve@evil.example"))),
            ANYBODY,
        ),
        (
            "two From, one signed",
            format!("From: carla@example.org\r\n{}", signed("example.org", ALL, &mail(BOB))),
            "unverified:carla@example.org",
        ),
        ("only a Sender", signed("example.org", ALL, &mail(BOB)).replace("From: bob", "Sender: bob"), ANYBODY),
        ("ours, from outside", mail("tom@amt.example"), "unverified:tom@amt.example"),
        (
            "a result that nobody of ours wrote",
            format!("Authentication-Results: mx.amt.example; dmarc=pass\r\n{}", mail(BOB)),
            ANYBODY,
        ),
    ] {
        assert_eq!(author(&fehmarn, &raw).await, expected, "{name}");
    }
}

#[tokio::test]
async fn spf_counts_for_the_client_that_our_own_server_saw() {
    let fehmarn = checking(&[("example.org", Some("v=spf1 ip4:192.0.2.25 -all"))]).await;
    let path = "Return-Path: <bob@example.org>\r\n";
    let forged = RECEIVED.replace("192.0.2.25", "203.0.113.66");
    let foreign = RECEIVED.replace("mx.amt", "mx.evil");
    for (name, raw, expected) in [
        ("from its server", format!("{path}{RECEIVED}{}", mail(BOB)), BOB),
        ("from elsewhere", format!("{path}{forged}{}", mail(BOB)), ANYBODY),
        ("forged below ours", format!("{path}{forged}{RECEIVED}{}", mail(BOB)), ANYBODY),
        ("not by our server", format!("{path}{foreign}{}", mail(BOB)), ANYBODY),
        ("for another", format!("{path}{RECEIVED}{}", mail("eve@evil.example")), "unverified:eve@evil.example"),
        ("from nobody", format!("Return-Path: <>\r\n{RECEIVED}{}", mail(BOB)), ANYBODY),
    ] {
        assert_eq!(author(&fehmarn, &raw).await, expected, "{name}");
    }
}

#[tokio::test]
async fn while_the_dns_does_not_answer_a_mail_waits_and_then_its_sender_is_not_verified() {
    let fehmarn = checking(&[("s._domainkey.example.org", None)]).await;
    let raw = signed("example.org", ALL, &mail(BOB));
    for number in 1..=3 {
        assert_eq!(attempt(&fehmarn, &raw, number).await, None, "attempt {number}");
    }
    assert_eq!(attempt(&fehmarn, &raw, 4).await.unwrap().from.as_str(), ANYBODY);
    assert_eq!(author(&fehmarn, &mail(BOB)).await, ANYBODY, "what has nothing to check need not wait");
}

#[tokio::test]
async fn the_word_of_our_own_mail_server_counts_and_a_forged_one_does_not() {
    let fehmarn = connector("senders: { trust: [MX.amt.example] }");
    let result = |server: &str| {
        format!("Authentication-Results: {server};\r\n\tdmarc=pass (p=none) header.from=example.org\r\n")
    };
    let (ours, foreign) = (result("mx.amt.example"), result("mx.evil.example"));
    for (name, raw, expected) in [
        ("ours", format!("{ours}{RECEIVED}{}", mail(BOB)), BOB),
        ("none", format!("{RECEIVED}{}", mail(BOB)), ANYBODY),
        ("another's", format!("{foreign}{RECEIVED}{}", mail(BOB)), ANYBODY),
        ("forged", format!("{RECEIVED}Received: from a by b; today\r\n{ours}{}", mail(BOB)), ANYBODY),
        ("of another domain", format!("{ours}{RECEIVED}{}", mail("eve@evil.example")), "unverified:eve@evil.example"),
        ("two authors", format!("{ours}{RECEIVED}{}", mail("bob@example.org, carla@example.org")), ANYBODY),
    ] {
        assert_eq!(author(&fehmarn, &raw).await, expected, "{name}");
    }
}

#[tokio::test]
async fn unless_it_is_configured_nobody_is_marked_but_who_poses_as_us() {
    let fehmarn = connector("");
    assert_eq!(author(&fehmarn, &mail(BOB)).await, BOB);
    assert_eq!(author(&fehmarn, &mail("tom@arnt.example")).await, "unverified:tom@arnt.example");
    let poser = attempt(&fehmarn, &mail("\"Tom (tom@amt.example)\" <bob@example.org>"), 1).await.unwrap();
    assert_eq!((poser.from.as_str(), poser.from_name), (BOB, None));
}

#[tokio::test]
async fn check_says_whether_senders_are_checked_and_how_to_switch_it_on() {
    let finding = async |senders: &str| {
        let findings = connector(senders).check().await;
        findings.into_iter().find(|finding| finding.what == "senders").unwrap().result
    };
    assert!(finding("").await.unwrap().contains("connectors.email.senders"));
    assert_eq!(finding("senders: { trust: [mx.amt.example] }").await.unwrap(), "checked by mx.amt.example");
    let server = dns::serve(&[("amt.example", None)]).await;
    let silent = finding(&format!("senders: {{ check: true, dns: '{server}' }}")).await;
    assert!(silent.unwrap_err().contains("connectors.email.senders.dns"));
    let server = dns::serve(&[]).await;
    assert!(finding(&format!("senders: {{ check: true, dns: '{server}' }}")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_claims_an_address_does_not_speak_through_its_ghost() {
    let mut setup = Setup::new();
    setup.senders = Some("{ trust: [mx.amt.example] }".into());
    let talk = Conversation::begin(setup.start().await).await;
    let hand_over = async |header: &str, words: &str| {
        let mail = [header.as_bytes(), &talk.answer(words).bytes()].concat();
        let port = talk.fehmarn.slot().lmtp_port;
        let answer = lmtp::hand_over(port, &talk.bob.address, &talk.address(), &mail).await.unwrap();
        assert!(answer.starts_with("250"), "{answer}");
    };
    hand_over("Authentication-Results: mx.amt.example; dmarc=pass\r\n", "Ich bin es.").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ich bin es.").await;

    hand_over("Authentication-Results: mx.evil.example; dmarc=pass\r\n", "Ich bin es auch.").await;
    let other = talk.fehmarn.slot().ghost(&format!("unverified:{}", talk.bob.address));
    let room = talk.anna.wait_for_invitation(&other).await;
    assert_ne!(room, talk.room);
    talk.anna.join(&room).await;
    talk.anna.wait_for_words(&room, &other, "Ich bin es auch.").await;

    // What is written to them goes to the address that they claim.
    talk.anna.say(&room, "Wer sind Sie?").await;
    talk.bob.wait_for_text("Wer sind Sie?").await;
    hand_over("Authentication-Results: mx.amt.example; dmarc=pass\r\n", "Ende").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ende").await;
    assert_eq!(talk.heard().await, ["Ich bin es.", "Ende"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_finds_the_message_to_somebody_who_only_claims_an_address() {
    let mut setup = Setup::new();
    setup.senders = Some("{ trust: [mx.amt.example] }".into());
    let (fehmarn, anna) = (setup.start().await, Staff::new("Anna Muster").await);
    let dead = Outside::with_address("Bob", "bounce@example.org");
    let address = anna.address(&fehmarn.slot().domain);
    let mail = Letter::new(&dead, &address).text("Sind Sie da?").bytes();
    let answer = lmtp::hand_over(fehmarn.slot().lmtp_port, &dead.address, &address, &mail).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    let ghost = fehmarn.slot().ghost("unverified:bounce@example.org");
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    let message = anna.say(&room, "Ja.").await;
    let about = |event: &serde_json::Value| text(event, "/content/m.relates_to/m.in_reply_to/event_id") == message;
    let told = anna.wait_for(&room, "a notice at the message", about).await;
    assert!(text(&told, "/content/body").contains("kam zurück"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_notice_is_shown_and_never_answered() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let notice = String::from_utf8(talk.answer("Ich bin im Urlaub.").bytes()).unwrap();
    let header = "Auto-Submitted: auto-replied (vacation)\r\nX-Auto-Response-Suppress: All\r\n";
    // To the writer, and as programs do that follow RFC 3834: to the envelope sender, from nobody.
    let envelope = talk.first.header("Return-Path").first().cloned().unwrap_or_default();
    let envelope = envelope.trim_matches(['<', '>']);
    assert!(envelope.contains('+'), "{envelope}");
    let port = talk.fehmarn.slot().lmtp_port;
    for (words, sender, to) in [("eins", talk.bob.address.as_str(), talk.address().as_str()), ("zwei", "", envelope)] {
        let notice = format!("{header}{}", notice.replace("Urlaub", words).replace("letter", words));
        let answer = lmtp::hand_over(port, sender, to, notice.as_bytes()).await.unwrap();
        assert!(answer.starts_with("250"), "{answer}");
        let shown = format!("Automatische Nachricht:\n\nIch bin im {words}.");
        talk.anna.wait_for_words(&talk.room, &talk.ghost, &shown).await;
    }
    until("an empty queue", async || talk.fehmarn.rows("box:").is_empty().then_some(())).await;
    talk.tell("Gute Reise").await;
    assert_eq!(talk.mailed().await, ["Guten Tag", "Gute Reise"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_mail_that_comes_back_is_refused_and_a_loop_ends() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (port, raw) = (talk.fehmarn.slot().lmtp_port, talk.first.raw.clone());
    let answer = lmtp::hand_over(port, &talk.bob.address, &talk.address(), &raw).await.unwrap();
    assert!(answer.starts_with("554 5.4.6"), "{answer}");
    talk.fehmarn.wait_for_log("goes round in circles").await;
    // Over a real mail server, whoever sent it back is told.
    talk.bob.send_raw(&[&talk.address()], &raw).await;
    talk.bob.wait_for_mail("a report", |mail| mail.text().contains("5.4.6")).await;
    talk.hear("Weiter").await;
    assert_eq!(bodies(&talk.anna.messages(&talk.room).await), ["Guten Tag", "Weiter"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_somebody_elses_mail_is_shown_to_whom_it_was_sent() {
    let fehmarn = Fehmarn::new().await;
    let (anna, daemon) = (Staff::new("Anna Muster").await, Outside::with_address("", "mailer-daemon@example.org"));
    let address = anna.address(&fehmarn.slot().domain);
    let report =
        Letter::new(&daemon, &address).subject("Undelivered Mail Returned to Sender").text("Das war nicht Ihre Mail.");
    let answer = lmtp::hand_over(fehmarn.slot().lmtp_port, "", &address, &report.bytes()).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    let ghost = fehmarn.slot().ghost(&daemon.address);
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    anna.wait_for_words(&room, &ghost, "Automatische Nachricht:\n\nDas war nicht Ihre Mail.").await;
}
