use super::*;
use std::collections::BTreeSet;

fn keys(text: &str) -> BTreeSet<(&str, BTreeSet<&str>)> {
    let entries = text.lines().filter_map(|line| line.split_once(" = "));
    entries.map(|(key, value)| (key, value.split(['{', '}']).skip(1).step_by(2).collect())).collect()
}

#[test]
fn both_languages_have_the_same_sentences_with_the_same_values() {
    assert_eq!(keys(include_str!("../../../locales/de.ftl")), keys(include_str!("../../../locales/en.ftl")));
}

/// The code, without comments and unit tests.
fn sources(folder: &std::path::Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, into);
        } else if entry.extension().is_some_and(|end| end == "rs") && !entry.ends_with("tests.rs") {
            let text = std::fs::read_to_string(entry).unwrap();
            into.push_str(text.split("#[cfg(test)]").next().unwrap());
        }
    }
}

#[test]
fn every_sentence_that_the_code_asks_for_is_there_and_no_other() {
    let mut code = String::new();
    sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut code);
    let known: BTreeSet<&str> = keys(include_str!("../../../locales/de.ftl")).into_iter().map(|(key, _)| key).collect();
    let asked: Vec<&str> = code.split("look_up(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(asked.len() > 50, "the code is not where this test looks for it");
    let missing: Vec<&&str> = asked.iter().filter(|key| !known.contains(**key)).collect();
    assert!(missing.is_empty(), "not in locales/: {missing:?}");
    // Some keys are put together: `format!("reason-{}", ...)`.
    let is_named = |key: &str| {
        let prefixes = key.match_indices('-').map(|(at, _)| format!("\"{}-{{", &key[..at]));
        let counted = key.strip_suffix("-one").or(key.strip_suffix("-many")).unwrap_or(key);
        code.contains(&format!("\"{counted}\"")) || prefixes.into_iter().any(|prefix| code.contains(&prefix))
    };
    let unused: Vec<&&str> = known.iter().filter(|key| !is_named(key)).collect();
    assert!(unused.is_empty(), "only in locales/: {unused:?}");
}

#[test]
fn a_sentence_is_kept_in_every_language_and_an_old_one_as_it_was() {
    let sentence = Sentence::new(&Text::NotAnAddress);
    let kept: Sentence = serde_json::from_str(&serde_json::to_string(&sentence).unwrap()).unwrap();
    assert_eq!(kept, sentence);
    assert!(kept.in_language(Language::En).starts_with("This"), "{kept:?}");
    assert!(kept.in_language(Language::De).starts_with("Das"), "{kept:?}");
    let old: Sentence = serde_json::from_str("\"Guten Tag\"").unwrap();
    assert_eq!(old.in_language(Language::En), "Guten Tag");
}

#[test]
fn every_reason_has_a_sentence() {
    for reason in Reason::ALL {
        for language in [Language::De, Language::En] {
            let said = language.say(&Text::DeliveryFailed { recipient: "bob@example.org", reason });
            assert!(said.contains("bob@example.org") && !said.contains("nknown local"), "{said}");
            assert!(said.ends_with('.'), "{said}");
        }
    }
}

#[test]
fn german_is_german() {
    let said = Language::De.say(&Text::DeliveryFailed { recipient: "bob@example.org", reason: Reason::MailboxFull });
    assert_eq!(
        said,
        "Die Nachricht an bob@example.org wurde nicht zugestellt: Das Postfach ist voll. \
         Reagieren Sie mit 🔁 auf Ihre Nachricht, um sie noch einmal zu senden."
    );
}
