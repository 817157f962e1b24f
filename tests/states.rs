//! What becomes of each message, as its writer sees it.

use crate::common::{
    Conversation, Fehmarn, Letter, Outside, Setup, Staff, body,
    events::{event_id, text},
    forgetful::Forgetful,
    gate::Gate,
    homeserver::{Homeserver, message, user},
    lmtp, sender, servers, until,
    wait::unique,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

const STATUS: &str = "com.beeper.message_send_status";

fn bot(fehmarn: &Fehmarn) -> String {
    user(&fehmarn.slot().bot())
}

/// The states of a message so far.
pub async fn states(anna: &Staff, room: &str, message: &str) -> Vec<Value> {
    let is_it =
        |event: &Value| text(event, "/type") == STATUS && text(event, "/content/m.relates_to/event_id") == message;
    anna.events(room).await.into_iter().filter(is_it).collect()
}

/// Waits for the newest state of a message.
pub async fn wait_for_state(anna: &Staff, room: &str, message: &str, state: &str) -> Value {
    until(state, async || {
        states(anna, room, message).await.pop().filter(|event| text(event, "/content/status") == state)
    })
    .await
}

/// Notices without those that change another one, and the changes.
async fn notices(anna: &Staff, room: &str) -> (Vec<Value>, Vec<Value>) {
    let notices = anna.messages(room).await.into_iter().filter(|event| text(event, "/content/msgtype") == "m.notice");
    notices.partition(|event| text(event, "/content/m.relates_to/rel_type") != "m.replace")
}

/// A mail server reports on a mail of ours.
pub async fn report(talk: &Conversation, id: &str, action: &str, status: &str) {
    let boundary = unique("boundary");
    let report = format!(
        "From: MAILER-DAEMON@example.org\r\nTo: {to}\r\nSubject: Bericht\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary={boundary}\r\n\r\n\
         --{boundary}\r\n\r\nBericht.\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; example.org\r\n\r\nFinal-Recipient: rfc822; {bob}\r\nAction: {action}\r\n\
         Status: {status}\r\n\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Message-ID: <{id}>\r\n\r\n--{boundary}--\r\n",
        to = talk.address(),
        bob = talk.bob.address,
    );
    let port = talk.fehmarn.slot().lmtp_port;
    let answer = lmtp::hand_over(port, "", &talk.address(), report.as_bytes()).await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
}

/// With a mail server of which nobody is told what becomes of mails.
async fn without_reports() -> Conversation {
    let mut setup = Setup::new();
    setup.smtp.push("reports: failures".into());
    Conversation::begin(setup.start().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_marked_by_the_bot_and_the_chat_stays_one_of_two_people() {
    let talk = without_reports().await;
    let bot = bot(&talk.fehmarn);
    let said = talk.anna.say(&talk.room, "Ist das raus?").await;
    let state = wait_for_state(&talk.anna, &talk.room, &said, "SUCCESS").await;
    assert_eq!(sender(&state), bot, "a ghost would seem to have read what it sends something after");
    let relates_to = json!({ "rel_type": "m.reference", "event_id": said });
    assert_eq!(state["content"], json!({ "network": "email", "m.relates_to": relates_to, "status": "SUCCESS" }));

    let of_kind = async |kind: &str| {
        let event = talk.anna.wait_for(&talk.room, kind, |event| text(event, "/type") == kind).await;
        event["content"].clone()
    };
    assert_eq!(of_kind("io.element.functional_members").await, json!({ "service_members": [bot] }));
    for kind in ["m.bridge", "uk.half-shot.bridge"] {
        let bridge = of_kind(kind).await;
        assert_eq!(text(&bridge, "/channel/id"), talk.bob.address, "{kind}");
        assert_eq!((text(&bridge, "/protocol/id"), text(&bridge, "/bridgebot")), ("email", bot.as_str()));
    }
    // Nobody gets a second room because there are three in this one.
    talk.bob.send(Letter::new(&talk.bob, &talk.address()).subject("Neu").text("Ja.")).await;
    talk.anna.wait_for_words(&talk.room, &talk.ghost, "Ja.").await;
    assert_eq!(talk.anna.invitations().await, 0);

    // Who does not want the bot there is not asked again, and messages cross all the same.
    talk.anna.kick(&talk.room, &bot).await;
    let said = talk.anna.say(&talk.room, "Ohne den Bot.").await;
    talk.bob.wait_for_text("Ohne den Bot.").await;
    talk.tell("Bis morgen.").await;
    assert_eq!(states(&talk.anna, &talk.room, &said).await, [] as [Value; 0]);
    assert_eq!(talk.anna.wait_for_member(&talk.room, &bot, "leave").await["sender"], talk.anna.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_a_mail_opens_says_where_it_leads() {
    let mut setup = Setup::new();
    setup.smtp.push("reports: failures".into());
    let fehmarn = setup.start().await;
    let (anna, eva) = (Staff::new("Anna Muster").await, Outside::new("Eva Fremd"));
    let (bot, ghost) = (bot(&fehmarn), fehmarn.slot().ghost(&eva.address));
    eva.send(Letter::new(&eva, &anna.address(&fehmarn.slot().domain)).subject("Frage").text("Sind Sie da?")).await;
    let room = anna.wait_for_invitation(&ghost).await;
    anna.join(&room).await;
    let state = anna.events(&room).await;
    let content = |kind: &str| state.iter().find(|event| text(event, "/type") == kind).unwrap()["content"].clone();
    assert_eq!(content("m.room.name"), json!({ "name": "Eva Fremd" }));
    assert_eq!(text(&content("m.room.topic"), "/topic"), format!("Was Sie hier schreiben, geht an {}.", eva.address));
    assert_eq!(content("io.element.functional_members"), json!({ "service_members": [bot] }));
    assert_eq!(text(&content("m.bridge"), "/channel/id"), eva.address);
    let is_hers =
        |event: &&Value| text(event, "/state_key") == anna.id && text(event, "/content/membership") == "invite";
    let invitation = state.iter().find(is_hers).unwrap();
    assert_eq!(invitation["content"]["is_direct"], true, "clients show it among people");
    let said = anna.say(&room, "Ja, bis vier.").await;
    let mail = eva.wait_for_text("Ja, bis vier.").await;
    assert_eq!(mail.subject(), "Re: Frage");
    assert_eq!(sender(&wait_for_state(&anna, &room, &said, "SUCCESS").await), bot);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_told_in_one_notice_and_sent_again_when_its_writer_asks() {
    let mut setup = Setup::new();
    let mut gate = Gate::new(setup.slot.spare_ports[0], servers().mail_ports.smtp);
    setup.smtp_port = gate.port;
    setup.smtp.push("reports: failures".into());
    setup.top.push("give_up: 1s".into());
    gate.open().await;
    let talk = Conversation::begin(setup.start().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let gave_up = format!(
        "Die Nachricht an {} wurde nach vielen Versuchen nicht zugestellt: Die Gegenseite ist nicht erreichbar. \
         Reagieren Sie mit 🔁 auf Ihre Nachricht, um sie noch einmal zu senden.",
        talk.bob.address
    );
    let tom = Staff::new("Tom Beispiel").await;
    anna.invite(room, &tom.id).await;
    tom.join(room).await;
    for (n, words) in ["Mit einem Zeichen", "Mit Worten"].into_iter().enumerate() {
        gate.close().await;
        let said = anna.say(room, words).await;
        let failed = wait_for_state(anna, room, &said, "FAIL_RETRIABLE").await;
        assert_eq!(
            (text(&failed, "/content/reason"), text(&failed, "/content/message")),
            ("m.event_too_old", &*gave_up)
        );
        let (told, _) = notices(anna, room).await;
        let told = told.last().unwrap();
        assert_eq!((body(told), text(told, "/content/m.relates_to/m.in_reply_to/event_id")), (&*gave_up, &*said));
        gate.open().await;
        if n == 0 {
            // Somebody else's sign is a reaction like all others.
            tom.react(room, &said, "🔁").await;
            anna.react(room, &said, "🔁").await;
        } else {
            anna.reply(room, event_id(told), "Erneut senden").await;
        }
        talk.bob.wait_for_mail(words, |mail| mail.text().starts_with(words)).await;
        wait_for_state(anna, room, &said, "SUCCESS").await;
        let history: Vec<Value> =
            states(anna, room, &said).await.iter().map(|e| e["content"]["status"].clone()).collect();
        assert_eq!(history, ["FAIL_RETRIABLE", "PENDING", "SUCCESS"]);
        let (all, changes) = notices(anna, room).await;
        let about = all.iter().filter(|it| text(it, "/content/m.relates_to/m.in_reply_to/event_id") == said);
        assert_eq!(about.count(), 1, "what comes later takes its place");
        let changes = changes.iter().filter(|it| text(it, "/content/m.relates_to/event_id") == event_id(told));
        let changes: Vec<&str> = changes.map(|it| text(it, "/content/m.new_content/body")).collect();
        let again = format!("Die Nachricht an {} wird noch einmal gesendet.", talk.bob.address);
        assert_eq!(changes, [again, format!("Die Nachricht an {} ist jetzt verschickt.", talk.bob.address)]);
    }
    let told = "Mit Worten\n\nTom Beispiel: 🔁 (zu „Mit einem Zeichen“)";
    assert_eq!(talk.mailed().await, ["Guten Tag", "Mit einem Zeichen", told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_is_sent_anew_when_its_writer_asks() {
    let talk = without_reports().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let said = anna.say(room, "Passt Montag?").await;
    let mail = talk.bob.wait_for_text("Passt Montag?").await.message_id();
    wait_for_state(anna, room, &said, "SUCCESS").await;
    report(&talk, &mail, "failed", "5.2.2").await;
    wait_for_state(anna, room, &said, "FAIL_PERMANENT").await;
    let (told, _) = notices(anna, room).await;
    let returned = format!(
        "Die Nachricht an {} kam zurück: Das Postfach ist voll. \
         Reagieren Sie mit 🔁 auf Ihre Nachricht, um sie noch einmal zu senden.",
        talk.bob.address
    );
    assert_eq!(body(&told[0]), returned);
    anna.react(room, &said, "🔁").await;
    let mails = talk.bob.wait_for_count(3).await;
    assert_eq!(mails.iter().filter(|mail| mail.text() == "Passt Montag?").count(), 2);
    assert_ne!(mails[2].message_id(), mail, "it is another mail");
    let again = format!("Die Nachricht an {} wird noch einmal gesendet.", talk.bob.address);
    let is_said = |event: &Value| text(event, "/content/m.new_content/body") == again;
    let changed = anna.wait_for(room, &again, is_said).await;
    assert_eq!(text(&changed, "/content/m.relates_to/event_id"), event_id(&told[0]));
    // What is said of the new mail is said of the message.
    report(&talk, &mails[2].message_id(), "delivered", "2.0.0").await;
    assert_eq!(anna.wait_for_read(room, &talk.ghost).await, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_change_one_notice() {
    let talk = without_reports().await;
    let (anna, room) = (&talk.anna, &talk.room);
    let said = anna.say(room, "Das dauert.").await;
    let mail = talk.bob.wait_for_text("Das dauert.").await.message_id();
    wait_for_state(anna, room, &said, "SUCCESS").await;
    report(&talk, &mail, "delayed", "4.0.0").await;
    wait_for_state(anna, room, &said, "PENDING").await;
    report(&talk, &mail, "delivered", "2.0.0").await;
    wait_for_state(anna, room, &said, "SUCCESS").await;
    let (told, changes) = notices(anna, room).await;
    assert_eq!((told.len(), changes.len()), (1, 1));
    assert!(body(&told[0]).contains("noch nicht angekommen"), "{told:?}");
    let arrived = format!("Die Nachricht an {} ist jetzt angekommen.", talk.bob.address);
    assert_eq!(text(&changes[0], "/content/m.new_content/body"), arrived);
    assert_eq!(anna.wait_for_read(room, &talk.ghost).await, said);

    // Servers do not report in order.
    report(&talk, &mail, "delayed", "4.0.0").await;
    until("an empty inbox", async || talk.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    assert_eq!(states(anna, room, &said).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_a_mail_was_handed_on_is_a_state_and_one_that_it_is_there_a_read_receipt() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    let (anna, room) = (&talk.anna, &talk.room);
    let said = anna.say(room, "Das kommt an.").await;
    // Postfix reports that the next server, which makes no reports, has taken it.
    wait_for_state(anna, room, &said, "SUCCESS").await;
    let mail = talk.bob.wait_for_text("Das kommt an.").await.message_id();
    report(&talk, &mail, "delivered", "2.0.0").await;
    assert_eq!(anna.wait_for_read(room, &talk.ghost).await, said);
    assert_eq!(states(anna, room, &said).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_faster_than_its_message_is_written_down_is_not_lost() {
    let talk = without_reports().await;
    let path = talk.fehmarn.setup().database_path();
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let said = talk.anna.say(&talk.room, "Kommt an").await;
    let mail = talk.bob.wait_for_text("Kommt an").await.message_id();
    wait_for_state(&talk.anna, &talk.room, &said, "SUCCESS").await;
    let mut name = async |now: &str, before: &str| {
        let renamed = sqlx::query("UPDATE messages SET remote_message = $1 WHERE remote_message = $2");
        renamed.bind(now).bind(before).execute(&mut database).await.unwrap().rows_affected()
    };
    assert_eq!(name("not yet", &mail).await, 1);
    report(&talk, &mail, "delivered", "2.0.0").await;
    until("another look", async || (talk.fehmarn.rows("report").len() == 1).then_some(())).await;
    assert_eq!(name(&mail, "not yet").await, 1);
    assert_eq!(talk.anna.wait_for_read(&talk.room, &talk.ghost).await, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_does_nothing_after_the_first_message_that_looks_as_if_it_was_read() {
    let mut setup = Setup::new();
    setup.smtp.push("reports: failures".into());
    let fehmarn = setup.start().await;
    let (anna, bob, bot) = (Staff::new("Anna Muster").await, Outside::new("Bob"), bot(&fehmarn));
    let ghost = fehmarn.slot().ghost(&bob.address);
    let room = anna.direct_chat(&ghost).await;
    anna.wait_for_member(&room, &ghost, "join").await;
    // The last that the ghost does for the bot.
    anna.wait_for_member(&room, &bot, "join").await;
    let said = anna.say(&room, "Guten Tag").await;
    let first = bob.wait_for_text("Guten Tag").await;
    wait_for_state(&anna, &room, &said, "SUCCESS").await;
    let later = anna.events(&room).await.into_iter().skip_while(|event| event_id(event) != said).skip(1);
    let later: Vec<Value> = later.filter(|event| sender(event) == ghost).collect();
    assert_eq!(later, [] as [Value; 0], "clients take it for a read receipt");
    let talk = Conversation { fehmarn, anna, bob, ghost, room, first };
    report(&talk, &talk.first.message_id(), "delivered", "2.0.0").await;
    assert_eq!(talk.anna.wait_for_read(&talk.room, &talk.ghost).await, said);
}

/// Between a homeserver that counts and real mail servers.
struct Counted {
    homeserver: Forgetful,
    push: Homeserver,
    fehmarn: Fehmarn,
    /// The name of the only member of staff here, and the only person outside.
    anna: String,
    bob: Outside,
}

impl Counted {
    /// `reports`: those that the mail server is asked for.
    async fn new(reports: &str) -> Self {
        let homeserver = Forgetful::start().await;
        let mut setup = Setup::new();
        setup.homeserver = homeserver.url();
        setup.listen_port = setup.slot.spare_ports[1];
        setup.smtp.push(format!("reports: {reports}"));
        let push = Homeserver::asking(&setup.slot, setup.listen_port);
        let fehmarn = setup.start_without_waiting();
        fehmarn.wait_for_log("the homeserver reaches us").await;
        fehmarn.wait_for_log("were read back").await;
        Self { homeserver, push, fehmarn, anna: unique("anna"), bob: Outside::new("Bob") }
    }

    async fn push(&self, events: &[Value]) {
        assert_eq!(self.push.push(&unique("txn"), events).await, StatusCode::OK);
    }

    /// Waits until so many requests of a kind were made; all that were.
    async fn requests(&self, kind: &str, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        until(&format!("{count} {kind}"), async || {
            all.extend(self.homeserver.requests());
            (all.iter().filter(|request| *request == kind).count() >= count).then_some(())
        })
        .await;
        until("empty queues", async || self.fehmarn.rows("").is_empty().then_some(())).await;
        all.extend(self.homeserver.requests());
        // Mail of a test before may come late, and is of others.
        let (bob, _) = self.bob.address.split_once('@').unwrap();
        let is_of_these = |user: &str| user.contains(&self.anna) || user.contains(bob);
        all.retain(|request| request.strip_prefix("GET profile/").is_none_or(is_of_these));
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_long_run_each_message_costs_the_homeserver_one_request_either_way() {
    count("failures").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_reports_are_promised_nothing_is_shown_before_them() {
    count("all").await;
}

async fn count(reports: &str) {
    const MESSAGES: usize = 20;
    let counted = Counted::new(reports).await;
    let (room, anna, bob) = (format!("!{}:x", unique("room")), user(&counted.anna), &counted.bob);
    let mut invitation = message(&room, &anna, "");
    invitation["type"] = json!("m.room.member");
    invitation["state_key"] = json!(counted.fehmarn.slot().ghost(&bob.address));
    invitation["content"] = json!({ "membership": "invite", "is_direct": true });
    counted.homeserver.add(&invitation);
    counted.homeserver.let_in(&room, &anna);
    counted.push(&[invitation]).await;
    until("the ghost", async || counted.fehmarn.rows("inbox:").is_empty().then_some(())).await;
    let status = format!("PUT send/{STATUS}");
    counted.push(&[message(&room, &anna, "Guten Tag")]).await;
    counted.requests(&status, 1).await;

    for n in 0..MESSAGES {
        counted.push(&[message(&room, &anna, &format!("Nachricht {n}"))]).await;
    }
    assert_eq!(counted.requests(&status, MESSAGES).await, vec![status; MESSAGES]);
    bob.wait_for_count(MESSAGES + 1).await;

    let words = "PUT send/m.room.message";
    let to = format!("{}@{}", &anna[1..anna.find(':').unwrap()], counted.fehmarn.slot().domain);
    let port = counted.fehmarn.slot().lmtp_port;
    let write = async |n: usize| {
        let letter = Letter::new(bob, &to).subject("Antwort").text(&format!("Antwort {n}")).bytes();
        assert!(lmtp::hand_over(port, &bob.address, &to, &letter).await.unwrap().starts_with("250"));
    };
    write(0).await;
    // Whether she exists, and the ghost's name: homeservers tell the room of that when they have the time, else.
    let first = counted.requests(words, 1).await;
    let (renamed, said) = ("PUT profile", [words]);
    let begin = first.iter().position(|request| request == renamed).expect("a new name");
    assert_eq!(first[begin..], [renamed, "POST join"].into_iter().chain(said).collect::<Vec<_>>());
    for n in 1..=MESSAGES {
        write(n).await;
    }
    assert_eq!(counted.requests(words, MESSAGES).await, vec![words.to_owned(); MESSAGES]);
}
