//! The folder of the servers on which all this is tried: it outlives the version of the scripts that made it.

use serde_json::{Value, json};
use std::process::Command;

/// The servers of a folder that was noted so, in the order of the scripts.
fn servers_of(noted: Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut known = json!({
        "run": folder.path().join("run"), "port_base": 21000, "server_name": "fehmarn.test", "slots": [],
        "synapse": { "registration_shared_secret": "secret" }, "identity": "identity",
    });
    known.as_object_mut().unwrap().extend(noted.as_object().unwrap().clone());
    std::fs::write(folder.path().join("servers.json"), known.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers/servers.py");
    let asked = Command::new("python3").args([script, "status", "--dir"]).arg(folder.path()).output().unwrap();
    let told = String::from_utf8(asked.stdout).unwrap();
    let mut servers: Vec<String> =
        told.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    servers.sort();
    servers
}

#[test]
fn a_folder_in_which_nothing_was_chosen_gets_the_servers_of_later_versions() {
    let all = servers_of(json!({ "services": [], "chosen": null }));
    assert!(["synapse", "prosody", "web"].iter().all(|name| all.contains(&(*name).to_owned())), "{all:?}");
    // From before it was noted whether anything was chosen.
    assert_eq!(servers_of(json!({ "services": ["synapse", "postfix", "dovecot", "postgres"] })), all);
    assert_eq!(servers_of(json!({ "services": ["synapse", "postfix", "dovecot", "postgres", "prosody"] })), all);
}

#[test]
fn a_folder_with_chosen_servers_keeps_to_them() {
    let chosen = ["postfix", "synapse"];
    assert_eq!(servers_of(json!({ "services": chosen, "chosen": chosen })), chosen);
    assert_eq!(servers_of(json!({ "services": chosen })), chosen, "from before that was noted");
}
