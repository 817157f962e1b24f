//! Who may import whom: the table is the architecture.

use std::{collections::BTreeSet, fs, path::Path};

/// Layer (a module of `src/`) and what it may import. `main`, `lib`, `config` and `command` wire things and may import
/// everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("http", &["bridge", "store", "matrix", "metrics"]),
    (
        "bridge",
        &["matrix", "store", "connector", "message", "ids", "failure", "language", "memory", "metrics", "supervise"],
    ),
    ("connectors", &["connector", "message", "ids", "failure", "language", "tls", "yaml"]),
    ("connector", &["store", "message", "ids", "failure", "yaml", "metrics"]),
    ("matrix", &["message", "ids", "failure", "yaml", "metrics"]),
    ("store", &["message", "ids", "failure", "memory", "metrics"]),
    ("message", &["ids", "failure"]),
    ("supervise", &["metrics"]),
    ("log", &["metrics"]),
    ("metrics", &["failure"]),
    ("failure", &[]),
    ("ids", &[]),
    ("language", &[]),
    ("tls", &["failure"]),
    ("memory", &[]),
    ("yaml", &[]),
];
const FREE: &[&str] = &["main", "lib", "config", "command"];

fn rust_files(folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
            into.push((name.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    assert!(files.len() > 30, "the sources are not where this test looks for them");
    files
}

/// The first part of a path in `src/`: `bridge` of `bridge/router.rs`.
fn layer(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The code without comments, and without the unit tests, which stand last.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The modules named right behind `crate::`, alone or in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let first_word =
        |text: &str| text.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => drop(found.insert(first_word(rest))),
            Some(list) => {
                let mut depth = 0;
                for part in list.split_inclusive(['{', '}', ',']) {
                    if depth == 0 {
                        found.insert(first_word(part));
                    }
                    depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                    if depth < 0 {
                        break;
                    }
                }
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_go_downwards() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let own = layer(&file).to_owned();
        if FREE.contains(&own.as_str()) {
            continue;
        }
        let (_, allowed) =
            MAY_IMPORT.iter().find(|(name, _)| *name == own).unwrap_or_else(|| panic!("{file} is in no layer"));
        for import in imports(&code(&text)) {
            if import != own && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{file} imports {import}; {own} may import {allowed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_test_sees_imports_in_every_form() {
    let code = "use crate::{store::{Queue, Row}, ids::RemoteUserId};\nlet x = crate::http::serve(); use crate::matrix;";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["http", "ids", "matrix", "store"]);
}

#[test]
fn sql_stands_only_in_the_store() {
    for (file, text) in sources() {
        let code = code(&text);
        let sql =
            ["sqlx::", "SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"].iter().find(|word| code.contains(**word));
        assert!(layer(&file) == "store" || sql.is_none(), "{file} has {sql:?}");
    }
}

#[test]
fn the_bridge_names_no_network_and_networks_name_neither_matrix_nor_each_other() {
    for (file, text) in sources() {
        let code = code(&text).to_lowercase();
        let forbidden: &[&str] = match layer(&file) {
            "bridge" | "store" | "http" | "matrix" => &["\"email", "smtp", "imap", "lmtp", "xmpp", "smpp", "irc"],
            "connectors" if file.starts_with("connectors/email") => &["ruma", "xmpp", "smpp", "irc:"],
            "connectors" if file.starts_with("connectors/xmpp") => &["ruma", "email", "smtp", "lmtp", "smpp", "irc:"],
            _ => &[],
        };
        let found = forbidden.iter().find(|word| code.contains(**word));
        assert!(found.is_none(), "{file} names {found:?}");
    }
}

#[test]
fn a_network_is_one_folder_and_one_line() {
    for (file, text) in sources() {
        let is_its_own = file.starts_with("connectors/xmpp/") || file == "connectors/mod.rs";
        assert!(is_its_own || !code(&text).to_lowercase().contains("xmpp"), "{file} names XMPP");
    }
}
