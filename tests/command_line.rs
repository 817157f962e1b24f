//! What an admin does: `init`, `check`, `queue`.

use crate::common::{Fehmarn, Setup, Staff, events::text, fehmarn::program, servers, until};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Output};

fn printed(done: &Output) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
}

#[test]
fn init_writes_two_private_files_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new");
    let arguments = ["--homeserver", "http://127.0.0.1:8008", "--server-name", "staat.test"];
    let init = || program(&[&["init", "--dir", dir.to_str().unwrap()], &arguments[..]].concat());
    let done = init();
    assert!(done.status.success(), "{}", printed(&done));
    let files = ["config.yaml", "registration.yaml"].map(|name| dir.join(name));
    for file in &files {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let before = files.each_ref().map(|file| fs::read_to_string(file).unwrap());
    let again = init();
    assert!(!again.status.success() && printed(&again).contains("is there already"), "{}", printed(&again));
    assert_eq!(files.each_ref().map(|file| fs::read_to_string(file).unwrap()), before);

    fs::remove_file(&files[0]).unwrap();
    assert!(!init().status.success(), "a registration alone is enough to refuse");
    assert_eq!(fs::read_to_string(&files[1]).unwrap(), before[1]);
    assert!(!files[0].exists());
}

/// `fehmarn check`: whether all is well, and the lines.
async fn check(setup: &Setup) -> (bool, String) {
    setup.write_config();
    let done = tokio::task::block_in_place(|| setup.run(&["check"]));
    (done.status.success(), printed(&done))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_everything_there_whether_fehmarn_runs_or_not() {
    let setup = Setup::new();
    let (well, lines) = check(&setup).await;
    assert!(well, "{lines}");
    for what in
        ["configuration", "registration", "database", "SMTP", "LMTP", "homeserver", "listen address", "ping back"]
    {
        assert!(lines.lines().any(|line| line.starts_with(&format!("ok      {what}"))), "{what} in\n{lines}");
    }
    assert!(!lines.contains("FAILED"), "{lines}");
    let fehmarn = setup.start().await;
    let done = tokio::task::block_in_place(|| fehmarn.setup().run(&["check"]));
    assert!(done.status.success(), "{}", printed(&done));
    assert!(printed(&done).contains("Fehmarn is running there"), "{}", printed(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_of_each_fault_what_it_is_and_how_to_mend_it() {
    let mut setup = Setup::new();
    let closed = setup.slot.spare_ports[0];
    let (homeserver, smtp, registration) = (setup.homeserver.clone(), setup.smtp_port, setup.slot.registration.clone());

    let fails = async |setup: &Setup, what: &str, words: &[&str]| {
        let (well, lines) = check(setup).await;
        assert!(!well, "{what}:\n{lines}");
        let line = lines.lines().find(|line| line.starts_with(&format!("FAILED  {what}")));
        let line = line.unwrap_or_else(|| panic!("nothing is said of {what}:\n{lines}"));
        assert!(words.iter().all(|word| line.contains(word)), "{words:?} in {line}");
    };

    setup.homeserver = format!("http://127.0.0.1:{closed}");
    fails(&setup, "homeserver http://", &["cannot be reached", "is homeserver.url right?"]).await;
    setup.homeserver = format!("http://127.0.0.1:{}", servers().mail_ports.smtp);
    fails(&setup, "homeserver http://", &["is homeserver.url right?"]).await;
    setup.homeserver = homeserver;

    let stranger = setup.folder().join("other-registration.yaml");
    let lines = fs::read_to_string(&registration).unwrap();
    let lines = lines.lines().map(|line| if line.starts_with("as_token:") { "as_token: unknown" } else { line });
    fs::write(&stranger, lines.collect::<Vec<_>>().join("\n")).unwrap();
    setup.slot.registration = stranger;
    fails(&setup, "registration known", &["other-registration.yaml", "app_service_config_files"]).await;
    setup.slot.registration = registration;

    setup.smtp_port = closed;
    fails(&setup, "SMTP 127.0.0.1", &["no connection", "see host, port and tls in connectors.email.smtp"]).await;
    setup.smtp_port = smtp;

    let other = TcpListener::bind(("127.0.0.1", setup.slot.listen_port)).unwrap();
    fails(&setup, "listen address", &["another program", "appservice.listen"]).await;
    drop(other);
    let other = TcpListener::bind(("127.0.0.1", setup.slot.lmtp_port)).unwrap();
    fails(&setup, "LMTP", &["lmtp.listen"]).await;
    drop(other);

    // Not even root can make a file below a file.
    setup.database = "sqlite:config.yaml/fehmarn.db".into();
    fails(&setup, "database", &["config.yaml/fehmarn.db"]).await;
    setup.database = "sqlite:fehmarn.db".into();

    let (well, lines) = check(&setup).await;
    assert!(well, "with all mended:\n{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_named_with_file_line_and_the_known_keys() {
    let setup = Setup::new();
    for (key, wrong, known) in [
        ("permissions:", "permisions:", "`permissions`"),
        ("max_size:", "maxsize:", "`max_size`"),
        ("smtp:\n      host:", "smtp:\n      hots:", "`host`"),
    ] {
        let config = setup.config();
        assert!(config.contains(key), "{key}");
        let wrong_config = config.replacen(key, wrong, 1);
        let name = wrong.rsplit(['{', ' ']).next().unwrap().trim_end_matches(':');
        let line = wrong_config.lines().position(|line| line.contains(name)).unwrap() + 1;
        fs::write(setup.config_path(), wrong_config).unwrap();
        for command in ["check", "run"] {
            let done = setup.run(&[command]);
            let said = printed(&done);
            assert_eq!(done.status.code(), Some(1), "{said}");
            for part in ["config.yaml", &format!("line {line}"), name, "known are", known] {
                assert!(said.contains(part), "{part} in {said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_row_can_be_seen_tried_again_and_dropped() {
    let fehmarn = Fehmarn::new().await;
    let anna = Staff::new("Anna Muster").await;
    let address = "reject@example.org";
    let room = anna.direct_chat(&fehmarn.slot().ghost(address)).await;
    anna.say(&room, "Sind Sie da?").await;
    let notices = async |count: usize| {
        until(&format!("{count} notices"), async || {
            let said = anna.messages(&room).await;
            (said.iter().filter(|event| text(event, "/content/msgtype") == "m.notice").count() == count).then_some(())
        })
        .await;
    };
    notices(1).await;
    let dead = async || fehmarn.rows(address).into_iter().find(|row| row.contains(" dead: "));
    let row = until("a dead row", dead).await;
    assert!(row.contains("unknown-recipient") && row.contains("1 attempts"), "{row}");
    let name = row.split_whitespace().next().unwrap();
    let shown = fehmarn.queue(&["show", name]);
    for part in [name, address, "dead", "unknown-recipient", "delivery"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("Sind Sie da?"), "words are shown only with --payload");
    assert!(fehmarn.queue(&["show", name, "--payload"]).contains("Sind Sie da?"));

    assert!(fehmarn.queue(&["retry", name]).contains("will be tried again now"));
    notices(2).await;
    until("the row to be dead again", dead).await;
    assert!(fehmarn.queue(&["drop", name]).contains("dropped"));
    assert!(fehmarn.rows(address).is_empty());
    assert!(fehmarn.queue(&["retry", name]).contains("there is no such row"));
}
