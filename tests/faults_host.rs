//! When the machine fails: no answer before a commit, nothing lost afterwards, and a line in the log that names the cause.

use crate::{
    common::{Conversation, Fehmarn, Outside, Setup, Staff, process::run, servers, until},
    faults::Attempt,
};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn without_file_descriptors_nothing_is_acknowledged_and_all_goes_on_when_there_are_some() {
    let mut talk = Conversation::begin(Fehmarn::new().await).await;
    talk.hear("Hallo").await;
    let attempt = Attempt::new(&talk, "eins");
    talk.fehmarn.limit_files(Some(3));
    // Nobody is let in: there is no answer at all, and so none that says yes.
    let answer = timeout(Duration::from_secs(4), attempt.make(&talk)).await;
    assert!(answer.is_err(), "{answer:?}");
    talk.anna.say(&talk.room, "zwei").await;
    talk.fehmarn.wait_for_log("Too many open files").await;
    talk.fehmarn.limit_files(None);
    talk.bob.wait_for_text("zwei").await;
    until("an answer", async || (attempt.make(&talk).await == (200, "2".to_owned())).then_some(())).await;
    talk.bob.wait_for_text("eins").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
    talk.hear("Ende").await;
    let mut mailed = talk.mailed().await;
    mailed.sort();
    assert_eq!(mailed, ["Guten Tag", "eins", "zwei"]);
    assert_eq!(talk.heard().await, ["Hallo", "Danke", "Ende"]);
}

/// A disk of its own, for those who may mount one.
struct Disk(PathBuf);

impl Disk {
    /// `None`: only root may mount.
    fn new(folder: &Path, options: &str) -> Option<Self> {
        let path = folder.join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output().ok()?;
        if !mounted.status.success() {
            eprintln!("not tried: {}", String::from_utf8_lossy(&mounted.stderr));
            return None;
        }
        Some(Self(path))
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has files there may close them later.
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_is_acknowledged_and_all_goes_on_without_a_restart() {
    let mut setup = Setup::new();
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path(), "size=8m") else { return };
    setup.database = format!("sqlite:{}/fehmarn.db", disk.0.display());
    let talk = Conversation::begin(setup.start().await).await;
    talk.hear("Hallo").await;
    let attempt = Attempt::new(&talk, "eins");
    let filler = disk.fill();
    // The pages that the database has already take a little more.
    until("an answer that says no", async || {
        let answer = Attempt::new(&talk, "zu viel").make(&talk).await;
        (answer == (503, "4".to_owned())).then_some(())
    })
    .await;
    assert_eq!(attempt.make(&talk).await, (503, "4".to_owned()));
    talk.fehmarn.wait_for_log("disk is full").await;
    talk.anna.say(&talk.room, "zwei").await;
    fs::remove_file(filler).unwrap();
    talk.bob.wait_for_text("zwei").await;
    assert_eq!(attempt.make(&talk).await, (200, "2".to_owned()));
    talk.bob.wait_for_text("eins").await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Danke").await;
    talk.tell("Ende").await;
    let mailed = talk.mailed().await;
    for words in ["Guten Tag", "eins", "zwei", "Ende"] {
        assert_eq!(mailed.iter().filter(|text| *text == words).count(), 1, "{words} in {mailed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_cannot_be_written_to_it_does_not_start_and_says_why() {
    let mut setup = Setup::new();
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path(), "size=1m,ro") else { return };
    setup.database = format!("sqlite:{}/fehmarn.db", disk.0.display());
    setup.write_config();
    for command in ["run", "check"] {
        let done = tokio::task::block_in_place(|| setup.run(&[command]));
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success(), "{said}");
        assert!(said.contains("fehmarn.db: Read-only file system"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_whose_name_is_not_found_delays_only_what_goes_there() {
    const NOWHERE: &str = "mail.fehmarn.invalid";
    let mut setup = Setup::new();
    setup.smtp.push(format!("routes: {{ kiel.example: {{ host: {NOWHERE} }} }}"));
    let mut fehmarn = setup.start().await;
    let (anna, bob) = (Staff::new("Anna Muster").await, Outside::new("Bob"));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    let away = anna.direct_chat(&fehmarn.slot().ghost("eve@kiel.example")).await;
    anna.say(&away, "Wartet").await;
    fehmarn.wait_for_log(NOWHERE).await;
    let row = until("a row that waits", async || fehmarn.rows("eve@kiel.example").pop()).await;
    anna.say(&room, "Kommt an").await;
    bob.wait_for_text("Kommt an").await;
    let line = fehmarn.log().lines().find(|line| line.contains("did not work")).unwrap().to_owned();
    for part in [NOWHERE, "no connection", "dead=false"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // The name is put right: what waited goes there.
    fehmarn.stop().await;
    let path = fehmarn.setup().config_path();
    let config = fs::read_to_string(&path).unwrap().replace(NOWHERE, &servers().host);
    fs::write(path, config).unwrap();
    fehmarn.start_again().await;
    let name = row.split_whitespace().next().unwrap();
    fehmarn.queue(&["retry", name]);
    // The test's Postfix was asked: it says that it sends nothing so far away.
    fehmarn.wait_for_log("no mail leaves this machine").await;
}
