//! Whatever is written, by whomever: the mail has the header that was meant, and nothing else.

use super::{tests::*, *};
use crate::{
    connectors::email::{
        address::{People, Person},
        arrival, fixture,
    },
    ids::{LocalUser, RemoteUserId},
    message::{Body, Quote},
};
use mail_parser::{Message, MessageParser, MimeHeaders};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

/// Anything, with what does harm more often than chance would have it.
fn words() -> impl Strategy<Value = String> {
    const EVIL: &[&str] = &[
        "\r\n",
        "\n",
        "\r",
        "\0",
        "=?",
        "?=",
        "\"",
        "\\",
        "<",
        ">",
        ",",
        ";",
        ":",
        "(",
        ")",
        "@",
        " ",
        "\t",
        "\r\nBcc: eve@example.org",
        "\r\n\r\n",
        "=?utf-8?Q?x?=",
        "--",
        "-- \n",
        "%0D%0A",
        "'",
        "*",
        "\u{202e}",
        "\u{2028}",
        "\u{85}",
        "From ",
        ".\r\n",
        "{name}",
        "&amp;",
        "</div>",
        "&",
        "\u{e4}\u{f6}",
        "Muster",
        "https://x.example",
    ];
    let piece = prop_oneof![
        proptest::sample::select(EVIL).prop_map(str::to_owned),
        "\\PC{1,8}",
        any::<char>().prop_map(String::from),
        "[a-z]{1,90}"
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

prop_compose! {
    fn deliveries()(
        name in words(), subject in proptest::option::of(words()), text in words(), html in proptest::option::of(words()),
        quote in proptest::option::of((words(), words())), files in vec((words(), words()), 0..3),
        parent in proptest::option::of(words()), reaction in proptest::option::of(words()), copies in vec(words(), 0..2),
    ) -> Delivery {
        let mut delivery = delivery(&text);
        delivery.writer.name = name;
        delivery.thread.subject = subject;
        delivery.thread.parent = parent.map(RemoteMessageId::new);
        delivery.body.html = html;
        delivery.quote = quote.map(|(author, text)| Quote { author, text });
        delivery.reaction = reaction;
        delivery.copies = copies.into_iter().map(RemoteUserId::new).collect();
        delivery.attachments = files.iter().map(|(name, kind)| file(name, kind, b"a\r.\r\nb")).collect();
        delivery
    }
}

/// Somebody with an office, who writes from elsewhere.
fn identity_of(office: String, signature: &str) -> Identity {
    let anna = Person {
        address: Some("amt@kiel.example".into()),
        office: Some(office),
        signature: Some(signature.replace(['{', '}'], "").parse().unwrap()),
        ..Person::default()
    };
    let table = BTreeMap::from([(LocalUser::new("anna"), anna)]);
    let people = People::new("{name} ({office})".parse().unwrap(), table, Person::default());
    identity().with_people(people).unwrap()
}

/// The names of the fields of a header, read as RFC 5322 says and by nothing else.
fn fields(header: &str) -> Vec<&str> {
    header
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(':').unwrap().0)
        .collect()
}

fn check_form(mail: &Mail) {
    let text = std::str::from_utf8(&mail.bytes).unwrap();
    assert!(text.ends_with("\r\n"));
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(body.is_ascii(), "{body}");
    assert_eq!(header.is_ascii(), !mail.needs_utf8);
}

fn parsed(mail: &Mail) -> Message<'_> {
    MessageParser::new().parse(&mail.bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_mail_has_the_header_that_was_meant_and_nothing_else(
        delivery in deliveries(), office in words(), signature in words(),
    ) {
        let identity = identity_of(office, &signature);
        let mail = compose(&identity, &delivery).unwrap();
        check_form(&mail);
        let sender = identity.sender(&delivery.writer, &delivery.id).unwrap();
        let header = std::str::from_utf8(&mail.bytes).unwrap().split_once("\r\n\r\n").unwrap().0;
        let mut expected = vec!["From", "Reply-To", "To", "Subject", "Date", "Message-ID"];
        if delivery.thread.parent.as_ref().is_some_and(|id| clean::is_message_id(id.as_str())) {
            expected.extend(["In-Reply-To", "References"]);
        }
        expected.extend(["MIME-Version", "Content-Type"]);
        if !header.contains("multipart/") {
            // Not even a signature.
            expected.push("Content-Transfer-Encoding");
        }
        prop_assert_eq!(fields(header), expected);
        let parsed = parsed(&mail);
        let from = parsed.from().unwrap().first().unwrap();
        prop_assert_eq!((from.name().unwrap_or_default(), from.address().unwrap()), (sender.name.as_str(), "amt@kiel.example"));
        let to = parsed.to().unwrap();
        prop_assert_eq!((to.iter().count(), to.first().unwrap().address().unwrap()), (1, "bob@example.org"));
        let subject = subject::of(&mail.topic, delivery.thread.parent.is_some());
        prop_assert_eq!(parsed.subject().unwrap_or_default(), subject.trim());
        if Reaction::of(&delivery).is_none() {
            prop_assert_eq!(parsed.attachment_count(), delivery.attachments.len());
        }
        for (n, (found, file)) in parsed.attachments().zip(&delivery.attachments).enumerate() {
            let name = clean::file_name(&file.name).unwrap_or_else(|| format!("file-{}", n + 1));
            // `mail-parser` leaves the fold in a quoted string that has an escape in it.
            let found_name = clean::line(found.attachment_name().unwrap_or_default(), usize::MAX);
            prop_assert_eq!((found_name, found.contents()), (name, file.bytes.as_ref()));
        }
    }

    #[test]
    fn what_was_composed_is_read_as_it_was_meant(delivery in deliveries(), office in words()) {
        let identity = identity_of(office, "x");
        let mail = compose(&identity, &delivery).unwrap();
        let sender = identity.sender(&delivery.writer, &delivery.id).unwrap();
        let raw = arrival::arrival(&self::identity(), LocalUser::new("bob"), mail.bytes.clone().into());
        let read = fixture::read(&raw);
        let name = sender.name.trim_matches(['\'', '"', ' ']);
        let read_name = read.from_name.unwrap_or_default();
        prop_assert_eq!((read.from.as_str(), read_name.as_str()), ("amt@kiel.example", name));
        prop_assert_eq!(&read.message, &mail.message);
        let subject = subject::of(&mail.topic, delivery.thread.parent.is_some());
        prop_assert_eq!(read.subject, subject::bare(&subject));
        // Nobody's program writes an encoded word into an id; the reader would write it in its own way.
        let is_plain = |id: &&RemoteMessageId| !id.as_str().contains("=?");
        let parent = delivery.thread.parent.iter().filter(|id| clean::is_message_id(id.as_str()));
        prop_assert_eq!(
            read.answers.iter().filter(is_plain).collect::<Vec<_>>(),
            parent.filter(is_plain).collect::<Vec<_>>()
        );
        prop_assert!(read.others.iter().all(|other| other.as_str() == "bob@example.org"), "{:?}", read.others);
        if Reaction::of(&delivery).is_none() {
            let names = delivery.attachments.iter().enumerate();
            let names = names.map(|(n, file)| clean::file_name(&file.name).unwrap_or_else(|| format!("file-{}", n + 1)));
            let found = read.attachments.iter().map(|file| (file.name.clone(), file.bytes.as_ref()));
            prop_assert_eq!(found.collect::<Vec<_>>(), names.map(|name| (name, &b"a\r.\r\nb"[..])).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_in_the_words_becomes_an_element(text in words(), author in words(), quoted in words(), signature in words()) {
        let mut delivery = delivery(&text);
        delivery.quote = Some(Quote { author, text: quoted });
        let mail = compose(&identity_of("x".into(), &signature), &delivery).unwrap();
        let parsed = parsed(&mail);
        let Some(html) = parsed.html_bodies().find(|part| part.is_text_html()).and_then(|part| part.text_contents()) else {
            return Ok(());
        };
        let known = ["!DOCTYPE", "html", "head", "meta", "body", "div", "blockquote", "b", "br", "a"];
        for tag in html.split('<').skip(1) {
            let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next().unwrap();
            prop_assert!(known.contains(&name), "{}", html);
        }
        prop_assert!(!html.contains("<div>") && html.matches("<div").count() == html.matches("</div>").count());
    }

    #[test]
    fn an_address_beyond_ascii_is_seen_only_by_who_can_have_it(local in "[a-z\u{e4}\u{f6}\u{fc}]{1,9}") {
        let mut delivery = delivery("x");
        let other = format!("{local}@example.org");
        delivery.audience.push(RemoteUserId::new(other.as_str()));
        for to in ["bob@example.org", &other] {
            delivery.to = RemoteUserId::new(to);
            let mail = compose(&identity(), &delivery).unwrap();
            check_form(&mail);
            prop_assert_eq!(mail.needs_utf8, !to.is_ascii());
            prop_assert_eq!(fields(std::str::from_utf8(&mail.bytes).unwrap().split_once("\r\n\r\n").unwrap().0).len(), 7);
        }
    }

    #[test]
    fn text_that_flows_is_joined_again(lines in vec("[ >a-z\u{e4}-]{0,160}", 0..6)) {
        let text: String = lines.iter().map(|line| format!("{}\n", line.trim_end_matches(' '))).collect();
        let encoded = crate::connectors::email::text::flowed::encode(&text);
        prop_assert_eq!(crate::connectors::email::text::flowed::decode(&encoded, false), text);
    }
}

#[test]
fn a_body_of_any_form_is_seen_in_the_text() {
    for (text, html, seen) in [("x", None, true), ("", Some("<p>x</p>"), true), (" \n", None, false)] {
        let mut delivery = delivery(text);
        delivery.body = Body { text: text.into(), html: html.map(str::to_owned) };
        let mail = compose(&identity(), &delivery).unwrap();
        assert_eq!(parsed(&mail).body_text(0).unwrap_or_default().trim() == "x", seen, "{text:?} {html:?}");
    }
}
