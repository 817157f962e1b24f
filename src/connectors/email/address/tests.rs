use super::{
    identity::{DELIMITERS, Identity, Sender},
    *,
};
use crate::{
    ids::{DeliveryId, LocalUser},
    message::Writer,
};
use proptest::prelude::*;

fn identity() -> Identity {
    Identity::new("chat.example.org", "{localpart}@chat.example.org").unwrap()
}

fn user(name: &str) -> LocalUser {
    LocalUser::new(name)
}

fn delivery() -> DeliveryId {
    DeliveryId::new("mzxw6ytboi2dkmbrgq4tqmzxga")
}

fn sender(identity: &Identity, name: &str) -> Option<Sender> {
    identity.sender(&Writer { user: user(name), name: "Anna Muster".into() }, &delivery())
}

fn address_of(identity: &Identity, name: &str) -> Option<String> {
    sender(identity, name).map(|sender| sender.address)
}

fn return_path(identity: &Identity, name: &str) -> Option<String> {
    sender(identity, name).map(|sender| sender.return_path)
}

#[test]
fn an_ordinary_name_stands_in_the_address_as_it_is() {
    for name in ["anna", "anna.muster", "a_b-c", "0815"] {
        assert_eq!(address_of(&identity(), name).unwrap(), format!("{name}@chat.example.org"));
    }
}

#[test]
fn every_matrix_name_comes_back_from_its_address() {
    let names = ["anna", "a=b", "a/b", "a+b", ".a", "a.", "a..b", "..", "Anna", "=2f", "anna+x", "m\u{fc}ller", "a b"];
    for template in [
        "{localpart}@h.example",
        "amt-{localpart}@h.example",
        "x+{localpart}@h.example",
        "{localpart}+y@h.example",
        "{localpart}-z@h.example",
    ] {
        let identity = Identity::new("h.example", template).unwrap();
        for name in names {
            let address = address_of(&identity, name).unwrap();
            assert!(remote(&address).is_some_and(|r| r.as_str() == address), "{address} is no plain address");
            assert_eq!(identity.user_of(&address), Some(user(name)), "{template} {address}");
            assert_eq!(identity.user_of(&address.to_ascii_uppercase()), Some(user(name)), "{template} {address}");
        }
    }
}

#[test]
fn a_detail_after_a_plus_does_not_change_whom_an_address_reaches() {
    for template in
        ["{localpart}@h.example", "x+{localpart}@h.example", "{localpart}+y@h.example", "{localpart}-z@h.example"]
    {
        let identity = Identity::new("h.example", template).unwrap();
        let path = return_path(&identity, "a+b").unwrap();
        assert!(path.contains("+mzxw6ytboi2dkmbrgq4tqmzxga@"), "{path}");
        assert_eq!(identity.user_of(&path), Some(user("a+b")), "{path}");
    }
    assert_eq!(identity().user_of("Anna+Rechnung+2@CHAT.example.org."), Some(user("anna")));
}

#[test]
fn a_name_too_long_for_a_detail_keeps_its_plain_return_path() {
    let name = "a".repeat(60);
    assert_eq!(return_path(&identity(), &name), address_of(&identity(), &name));
    assert_eq!(address_of(&identity(), &"a".repeat(65)), None);
    assert_eq!(address_of(&identity(), ""), None);
}

#[test]
fn a_foreign_or_unclean_address_is_nobody_of_ours() {
    for address in [
        "anna@example.org",
        "anna",
        "@chat.example.org",
        "+x@chat.example.org",
        "a=2@chat.example.org",
        "a=zz@chat.example.org",
        "=61nna@chat.example.org",
        "a=ff@chat.example.org",
        "anna@chat.example.org.evil.example",
    ] {
        assert_eq!(identity().user_of(address), None, "{address}");
    }
}

#[test]
fn a_bad_template_is_refused_with_the_reason() {
    for (template, word) in [
        ("anna@h.example", "exactly once"),
        ("{localpart}{localpart}@h.example", "exactly once"),
        ("{localpart}", "no @"),
        ("x@{localpart}.example", "left of the @"),
        (".{localpart}@h.example", "dots"),
        ("{localpart} x@h.example", "characters"),
        ("{localpart}@h_h.example", "domain name"),
    ] {
        let error = Identity::new("h.example", template).unwrap_err();
        assert!(error.contains(word), "{template}: {error}");
    }
    assert!(Identity::new("", "{localpart}@h.example").unwrap_err().contains("domain name"));
    assert_eq!(Identity::new("Chat.Example.", "{localpart}@h.example").unwrap().domain(), "chat.example");
}

#[test]
fn an_address_is_read_as_people_paste_it() {
    for text in [
        "bob@example.org",
        "Bob@Example.ORG",
        "  <bob@example.org>\n",
        "mailto:bob@example.org",
        "MAILTO:bob@example.org?subject=x",
        "\"Bob\" <bob@example.org>",
        "Meier, Bob <BOB@example.org>",
        "bob@example.org.",
        "\u{200b}bob@example.org\u{202c}",
        "mailto:%62ob@example.org",
        "<mailto:bob@example.org>;",
    ] {
        assert_eq!(remote(text).unwrap().as_str(), "bob@example.org", "{text:?}");
    }
    assert_eq!(remote("bob+x.y@example.org").unwrap().as_str(), "bob+x.y@example.org");
    assert_eq!(remote("info@B\u{fc}rgeramt.example").unwrap().as_str(), "info@xn--brgeramt-65a.example");
}

#[test]
fn what_cannot_be_written_to_is_no_address() {
    let long = format!("{}@example.org", "a".repeat(65));
    let longer = format!("a@{}example.org", "abcdefgh.".repeat(30));
    for text in [
        "",
        "bob",
        "@",
        "bob@",
        "@example.org",
        "bob@localhost",
        "bob@example..org",
        "bob@-x.org",
        "b ob@example.org",
        "bob@exa mple.org",
        "\"b b\"@example.org",
        "bob.@example.org",
        "b..b@example.org",
        "bob@[192.0.2.1]",
        "bob@192.0.2.1",
        "bob@ex%61mple.org",
        "bob\n@example.org",
        "bob@example.org\r\nBcc: x@example.org",
        "bob\u{0}@example.org",
        "bob\u{200b}x@example.org",
        "bob\u{1f600}@example.org",
        "bob\u{ff20}x@example.org",
        "b\u{fc} b@example.org",
        "\"j\u{fc}rgen\"@example.org",
        "a@b@c d.org",
        "bob,eve@example.org",
        "bob@example.org> x <",
        "+49431988120",
        "#room:example.org",
        "@anna:example.org",
        "mailto:%zz@example.org",
        &long,
        &longer,
    ] {
        assert_eq!(remote(text), None, "{text:?}");
    }
}

#[test]
fn letters_of_all_scripts_are_read_in_one_form() {
    for (text, address) in [
        ("J\u{dc}RGEN@M\u{fc}ller.example", "j\u{fc}rgen@xn--mller-kva.example"),
        ("ju\u{308}rgen@example.org", "j\u{fc}rgen@example.org"),
        ("\u{930}\u{94d}\u{930}@example.org", "\u{930}\u{94d}\u{930}@example.org"),
        ("mailto:j%C3%BCrgen@example.org", "j\u{fc}rgen@example.org"),
        ("\u{7528}\u{6237}@example.org", "\u{7528}\u{6237}@example.org"),
    ] {
        assert_eq!(remote(text).map(|it| it.to_string()).as_deref(), Some(address), "{text}");
    }
    assert_eq!(remote(&format!("{}@example.org", "\u{fc}".repeat(33))), None, "66 octets");
}

fn person(address: &str) -> Person {
    Person { address: Some(address.to_owned()), ..Person::default() }
}

fn people(persons: &[(&str, Person)]) -> People {
    let table = persons.iter().map(|(name, person)| (user(name), person.clone())).collect();
    People::new(Template::default(), table, Person::default())
}

#[test]
fn an_address_in_the_table_goes_before_the_rule_and_leads_to_its_owner() {
    let identity = identity()
        .with_people(people(&[("anna", person("bauamt@chat.example.org")), ("tom", person("ordnung@kiel.example"))]))
        .unwrap();
    assert_eq!(address_of(&identity, "anna").unwrap(), "bauamt@chat.example.org");
    assert_eq!(address_of(&identity, "eva").unwrap(), "eva@chat.example.org");
    for (address, owner) in [
        ("bauamt@chat.example.org", Some("anna")),
        ("Bauamt+Rechnung@CHAT.example.org", Some("anna")),
        ("anna@chat.example.org", Some("anna")),
        ("Ordnung@Kiel.example", Some("tom")),
        ("tom@chat.example.org", Some("tom")),
        ("eva@chat.example.org", Some("eva")),
        ("tom@kiel.example", None),
    ] {
        assert_eq!(identity.user_of(address), owner.map(user), "{address}");
    }
    assert_eq!(sender(&identity, "bauamt"), None, "nobody writes under the address of somebody else");
}

#[test]
fn two_people_under_one_address_are_an_error_that_names_both() {
    let same = [("anna", person("amt@kiel.example")), ("tom", person("amt@kiel.example"))];
    // Tom's answers come to tom@chat.example.org, which the table gives to Anna.
    let hidden = [("anna", person("tom@chat.example.org")), ("tom", person("amt@kiel.example"))];
    for table in [same, hidden] {
        let error = identity().with_people(people(&table)).unwrap_err();
        assert!(error.contains("anna and tom") && error.contains('@'), "{error}");
    }
    let moved = [("anna", person("tom@chat.example.org")), ("tom", person("thomas@chat.example.org"))];
    assert!(identity().with_people(people(&moved)).is_ok());
}

#[test]
fn only_who_writes_from_elsewhere_has_answers_sent_here() {
    for delimiter in DELIMITERS {
        let identity = identity()
            .with_delimiter(*delimiter)
            .with_people(people(&[("anna", person("bauamt@kiel.example")), ("tom", person("amt@chat.example.org"))]))
            .unwrap();
        let anna = sender(&identity, "anna").unwrap();
        let path = format!("anna{delimiter}{}@chat.example.org", delivery());
        assert_eq!((anna.reply_to.as_deref(), anna.return_path.as_str()), (Some(path.as_str()), path.as_str()));
        assert_eq!(identity.user_of(&path.to_uppercase()), Some(user("anna")));
        assert_eq!(identity.delivery_of(&path), Some(delivery()));
        assert_eq!(identity.answered(&path), Some(identity.message_id(&delivery())));
        let tom = sender(&identity, "tom").unwrap();
        assert_eq!((tom.reply_to, tom.return_path), (None, format!("amt{delimiter}{}@chat.example.org", delivery())));
        assert_eq!(sender(&identity, "eva").unwrap().reply_to, None);
    }
}

#[test]
fn what_only_looks_like_a_delivery_is_a_name() {
    let identity = identity();
    for address in [
        "anna-mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org",
        "anna+mzxw6ytboi2dkmbrgq4tqmzxg@chat.example.org",
        "anna+mzxw6ytboi2dkmbrgq4tqmzxg1@chat.example.org",
        "+mzxw6ytboi2dkmbrgq4tqmzxga@chat.example.org",
        "anna+mzxw6ytboi2dkmbrgq4tqmzxga@kiel.example",
        "anna@chat.example.org",
    ] {
        assert_eq!(identity.delivery_of(address), None, "{address}");
    }
    let name = "anna-mzxw6ytboi2dkmbrgq4tqmzxga";
    assert_eq!(identity.user_of(&format!("{name}@chat.example.org")), Some(user(name)));
}

#[test]
fn an_old_plus_is_understood_behind_another_delimiter() {
    let identity = identity().with_delimiter('-');
    let path = format!("anna-maria+{}@chat.example.org", delivery());
    assert_eq!((identity.user_of(&path), identity.delivery_of(&path)), (Some(user("anna-maria")), Some(delivery())));
    assert_eq!(identity.user_of("anna-maria+x@chat.example.org"), Some(user("anna-maria")));
}

#[test]
fn a_name_and_a_signature_are_made_from_their_templates() {
    let office = |office: &str| Person { office: Some(office.to_owned()), ..Person::default() };
    let table = [
        ("anna", Person { name: Some("Dr. Anna Muster".into()), ..office("Bauamt") }),
        ("tom", office("{name}")),
        ("eva", Person { signature: Some("Eva".parse().unwrap()), ..Person::default() }),
    ];
    let table = table.into_iter().map(|(name, person)| (user(name), person)).collect();
    let everybody = Person { signature: Some("{name}\n{office}".parse().unwrap()), ..Person::default() };
    let people = People::new("{name} ({office})".parse().unwrap(), table, everybody);
    let identity = identity().with_people(people).unwrap();
    for (name, from, signature) in [
        ("anna", "Dr. Anna Muster (Bauamt)", "Dr. Anna Muster\nBauamt"),
        ("tom", "Anna Muster ({name})", "Anna Muster\n{name}"),
        ("eva", "Anna Muster", "Eva"),
        ("ida", "Anna Muster", "Anna Muster\n"),
    ] {
        let sender = sender(&identity, name).unwrap();
        assert_eq!((sender.name.as_str(), sender.signature.as_deref()), (from, Some(signature)));
    }
}

#[test]
fn a_template_with_an_unknown_place_is_refused() {
    for (text, words) in [("{nme}", "{nme} is not known, known are {name} and {office}"), ("{name", "without its }")] {
        let error = text.parse::<Template>().unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

proptest! {
    #[test]
    fn every_name_has_one_address_that_leads_back_with_every_delimiter(
        name in "[a-z0-9._=/+-]{1,30}", at in 0..DELIMITERS.len(), amount in 0..3usize,
    ) {
        let table = [("zoe", person("zoe@kiel.example")), ("x", person("y@chat.example.org"))];
        let identity = identity().with_delimiter(DELIMITERS[at]).with_people(people(&table[..amount.min(2)])).unwrap();
        if let Some(sender) = sender(&identity, &name) {
            prop_assert_eq!(identity.user_of(&sender.address), Some(user(&name)));
            prop_assert_eq!(identity.user_of(&sender.return_path), Some(user(&name)));
        } else {
            // Its own address is longer than it may be, or Zoe's or X's.
            prop_assert!(name.len() > 20 || name == "y", "{}", name);
        }
    }

    #[test]
    fn the_normal_form_of_an_address_is_its_own(text in "[\\PC@.<> ]{0,12}@[\\PC.]{1,12}\\.[a-z]{2,3}") {
        if let Some(address) = remote(&text) {
            prop_assert_eq!(remote(address.as_str()), Some(address.clone()));
            prop_assert!(!address.as_str().contains(|c: char| c.is_control() || c.is_whitespace()));
        }
    }
}

#[test]
fn who_only_claims_an_address_is_another_person_and_gets_mail_there() {
    let claimed = super::person("unverified:Bob@Example.org").unwrap();
    assert_eq!((claimed.as_str(), claimed.address()), ("unverified:bob@example.org", "bob@example.org"));
    assert_eq!(super::person(claimed.as_str()), Some(claimed.clone()));
    assert_eq!(claimed.unverified(), claimed);
    assert_eq!(remote(claimed.as_str()), remote("bob@example.org"));
    assert!(!super::person("bob@example.org").unwrap().is_unverified());
    for text in ["unverified:", "unverified:bob", "unverified:unverified:bob@example.org", "Unverified:bob@example.org"]
    {
        assert_eq!(super::person(text), None, "{text}");
    }
}
