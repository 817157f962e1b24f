//! What is said to a mail server besides the mail: Postfix offers what its own users ask of it.

use crate::common::{Conversation, Mail, Outside, Setup, Staff, servers, until};
use mail_auth::{
    AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
    common::{
        crypto::{Ed25519Key, RsaKey, Sha256},
        parse::TxtRecordParser,
        verify::DomainKey,
    },
    hickory_resolver::TokioResolver,
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use std::{borrow::Borrow, hash::Hash, time::Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_has_arrived_is_reported_with_the_names_that_we_gave() {
    let mut setup = Setup::with_imap();
    setup.smtp.push("reports: all".into());
    let talk = Conversation::begin(setup.start().await).await;
    let delivery = talk.first.message_id().split('@').next().unwrap().to_owned();
    let mailbox = Outside::with_address("all", &talk.fehmarn.slot().imap_login);
    let is_ours = |mail: &Mail| String::from_utf8_lossy(&mail.raw).contains(&delivery);
    let report = mailbox.wait_for_mail("a report", is_ours).await;
    let text = String::from_utf8(report.raw.clone()).unwrap();
    assert!(report.header("Content-Type")[0].starts_with("multipart/report"), "{text}");
    let action = ["Action: delivered", "Action: relayed"].into_iter().any(|action| text.contains(action));
    assert!(action && text.contains(&format!("Original-Envelope-Id: {delivery}\r\n")), "{text}");
    assert!(text.contains(&format!("Original-Recipient: rfc822;{}", talk.bob.address)), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_for_some_domains_take_another_way_with_tls_and_a_sign_in() {
    let mut setup = Setup::new();
    let servers = servers();
    // Nobody listens there: what has no route waits.
    setup.smtp_port = setup.slot.spare_ports[0];
    setup.smtp.push(format!(
        "routes: {{ {:?}: {{ port: {}, tls: starttls, username: \"fehmarn@example.org\", password: {:?}, ca_file: {:?} }} }}",
        servers.outside_domain, servers.mail_ports.submission, servers.password, servers.ca_file
    ));
    let talk = Conversation::begin(setup.start().await).await;
    assert!(way(&talk.first).contains("with ESMTPSA id"), "{}", way(&talk.first));
    let elsewhere = talk.fehmarn.slot().ghost("eve@example.net");
    let room = talk.anna.direct_chat(&elsewhere).await;
    talk.anna.say(&room, "Kommt das an?").await;
    until("a mail that waits", async || talk.fehmarn.rows("no connection").pop()).await;
    talk.tell("Das kommt an.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_encrypted_is_and_the_certificate_does_not_matter() {
    let mut setup = Setup::new();
    setup.smtp.push(format!("routes: {{ {:?}: {{ tls: opportunistic }} }}", servers().outside_domain));
    let talk = Conversation::begin(setup.start().await).await;
    assert!(way(&talk.first).contains("with ESMTPS id"), "{}", way(&talk.first));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tls_is_required_for_a_domain_a_server_that_cannot_show_who_it_is_gets_nothing() {
    let mut setup = Setup::new();
    // Nobody whom this machine trusts has signed its certificate.
    setup.smtp.push(format!("routes: {{ {:?}: {{ tls: starttls }} }}", servers().outside_domain));
    let fehmarn = setup.start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let room = anna.direct_chat(&fehmarn.slot().ghost(&bob.address)).await;
    anna.say(&room, "Vertraulich").await;
    until("a mail that waits", async || fehmarn.rows("no TLS").pop()).await;
    assert!(bob.mails().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_must_never_go_in_the_clear_is_not_given_to_a_server_that_cannot_promise_it() {
    let mut setup = Setup::new();
    let servers = servers();
    setup.smtp.push(format!(
        "routes: {{ {:?}: {{ port: {}, tls: starttls, username: \"fehmarn@example.org\", password: {:?}, ca_file: {:?}, \
         require_tls: true }} }}",
        servers.outside_domain, servers.mail_ports.submission, servers.password, servers.ca_file
    ));
    setup.write_config();
    let check = tokio::task::block_in_place(|| setup.run(&["check"]));
    let lines = String::from_utf8(check.stdout).unwrap();
    assert!(!check.status.success() && lines.contains("does not offer REQUIRETLS"), "{lines}");
    assert!(lines.contains("takes mails up to 52428800 bytes"), "{lines}");

    let fehmarn = setup.start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let room = anna.direct_chat(&fehmarn.slot().ghost(&bob.address)).await;
    anna.say(&room, "Vertraulich").await;
    let row = until("a mail that waits", async || fehmarn.rows("access-denied").pop()).await;
    assert!(row.contains("REQUIRETLS"), "{row}");
    assert!(bob.mails().await.is_empty());
}

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connectors/email/fixtures");

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_signed_here_is_good_there() {
    let mut setup = Setup::new();
    let key = |selector: &str, file: &str| {
        format!("- {{ domain: {:?}, selector: {selector}, key_file: \"{FIXTURES}/{file}\" }}", setup.domain)
    };
    setup.email = vec!["dkim:".into(), key("rsa", "dkim-rsa.pem"), key("ed", "dkim-ed25519.pem")];
    let talk = Conversation::begin(setup.start().await).await;
    let mail = talk.hear("Danke").await;
    assert!(!mail.is_null());
    let answer = talk.tell("Mit freundlichen Grüßen").await;
    for mail in [&talk.first, &answer] {
        let message = AuthenticatedMessage::parse(&mail.raw).unwrap();
        let nobody = TokioResolver::builder_with_config(Default::default(), Default::default()).build().unwrap();
        let dns = Dns { domain: talk.fehmarn.slot().domain.clone() };
        let results = MessageAuthenticator(nobody).verify_dkim(Parameters::new(&message).with_txt_cache(&dns)).await;
        assert_eq!(results.len(), 2);
        for result in results {
            assert_eq!(*result.result(), DkimResult::Pass, "{}", String::from_utf8_lossy(&mail.raw));
        }
    }
}

/// What the DNS says of the keys of the fixtures.
struct Dns {
    domain: String,
}

impl Dns {
    fn record(&self, name: &str) -> Option<String> {
        let encode = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
        let key = |file: &str| PrivateKeyDer::from_pem_file(format!("{FIXTURES}/{file}")).unwrap();
        if name == format!("rsa._domainkey.{}.", self.domain) {
            let key = RsaKey::<Sha256>::from_key_der(key("dkim-rsa.pem")).unwrap();
            return Some(format!("v=DKIM1; k=rsa; p={}", encode(&key.public_key())));
        }
        let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(key("dkim-ed25519.pem").secret_der()).unwrap();
        let known = name == format!("ed._domainkey.{}.", self.domain);
        known.then(|| format!("v=DKIM1; k=ed25519; p={}", encode(&key.public_key())))
    }
}

impl ResolverCache<Box<str>, Txt> for Dns {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        let known = ["rsa", "ed"].map(|selector| format!("{selector}._domainkey.{}.", self.domain).into_boxed_str());
        let name = known.into_iter().find(|known| <Box<str> as Borrow<Q>>::borrow(known) == name)?;
        Some(Txt::DomainKey(DomainKey::parse(self.record(&name)?.as_bytes()).unwrap().into()))
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// How Postfix got it.
fn way(mail: &Mail) -> String {
    mail.header("Received").into_iter().find(|line| line.contains("(Postfix)")).unwrap()
}
