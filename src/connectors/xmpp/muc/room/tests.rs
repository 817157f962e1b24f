use super::*;

/// Anna and Tom of ours, in a room at rooms.test.
struct Hall {
    identity: Identity,
    bare: BareJid,
    room: Room,
    said_back: SaidBack,
}

fn user(name: &str) -> LocalUser {
    LocalUser::new(name)
}

impl Hall {
    fn new() -> Self {
        let (identity, bare) = (Identity::new("m.test").unwrap(), BareJid::new("bau@rooms.test").unwrap());
        Self { identity, bare, room: Room::default(), said_back: SaidBack::default() }
    }

    fn entering(mut self, name: &str, nick: &str) -> Self {
        let own = Ours {
            name: nick.into(),
            nick: nick.into(),
            next: None,
            attempt: 0,
            history: History::None,
            stage: Stage::Entering,
            heard: Instant::now(),
        };
        self.room.ours.insert(user(name), own);
        self
    }

    /// With Anna in it.
    fn with_anna() -> Self {
        let mut stage = Self::new().entering("anna", "Anna");
        stage.presence("anna", "Anna", "", "110");
        stage.said("anna", "bau@rooms.test", "<subject/>");
        stage
    }

    fn take(&mut self, to: &str, from: &str, stanza: &str) -> Taken {
        let (stanza, from, to): (Element, _, _) = (stanza.parse().unwrap(), Jid::new(from).unwrap(), user(to));
        let Self { identity, bare, room, said_back } = self;
        let mut place = Place { identity, bare, room, user: &to };
        match (stanza.name(), stanza.attr("type")) {
            ("presence", Some("error")) => place.refused(&stanza),
            ("presence", _) => place.presence(&stanza, &from),
            _ => place.message(&stanza, &from, said_back),
        }
    }

    fn presence(&mut self, to: &str, nick: &str, kind: &str, code: &str) -> Option<String> {
        let from = format!("bau@rooms.test/{nick}");
        let stanza = format!(
            "<presence xmlns='jabber:component:accept' from='{from}' {kind}>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item nick='Anders'/><status code='{code}'/></x></presence>"
        );
        what(&self.take(to, &from, &stanza))
    }

    fn said(&mut self, to: &str, from: &str, content: &str) -> Option<String> {
        let stanza = format!(
            "<message xmlns='jabber:component:accept' type='groupchat' from='{from}' id='aaaaaaaaaaaaaaaaaaaaaaaaaa'>{content}</message>"
        );
        what(&self.take(to, from, &stanza))
    }
}

/// What is written down: its kind, and whom it names.
fn what(taken: &Taken) -> Option<String> {
    let raw = &taken.arrival.as_ref()?.raw;
    let element: Element = std::str::from_utf8(raw).unwrap().parse().unwrap();
    let names: Vec<&str> = element
        .attr("who")
        .or(element.attr("user"))
        .into_iter()
        .chain(element.children().filter_map(|it| it.attr("name")))
        .collect();
    Some(format!("{} {}", element.attr("what").unwrap(), names.join(",")).trim().to_owned())
}

const GONE: &str = "type='unavailable'";
const BOB: &str = "went bau@rooms.test/Bob";

#[test]
fn everybody_is_told_of_once_however_many_of_ours_are_told() {
    let mut stage = Hall::new().entering("anna", "Anna");
    assert_eq!(stage.presence("anna", "Bob", "", "100"), None, "the list is not complete yet");
    assert_eq!(stage.presence("anna", "Anna", "", "110").unwrap(), "present Bob");
    let mut stage = stage.entering("tom", "Tom");
    assert_eq!(stage.presence("anna", "Tom", "", "100"), None, "Tom is one of ours");
    for to in ["tom", "anna"] {
        let came = stage.presence(to, "Eve", "", "100");
        assert_eq!(came.as_deref(), (to == "tom").then_some("came bau@rooms.test/Eve"));
    }
    assert_eq!(stage.presence("tom", "Bob", "", "100"), None, "he is known");
    assert_eq!(stage.presence("tom", "Tom", "", "110"), None);
    assert_eq!(stage.presence("anna", "Bob", GONE, "100").unwrap(), BOB);
    assert_eq!(stage.presence("tom", "Bob", GONE, "100"), None);
}

#[test]
fn our_own_names_are_nobody_else_s() {
    let mut stage = Hall::with_anna();
    assert_eq!(stage.room.ours[&user("anna")].stage, Stage::Settled);
    assert_eq!(stage.presence("anna", "Anna", GONE, "303"), None);
    assert_eq!(stage.presence("anna", "Anders", "", "110"), None);
    assert_eq!(stage.room.ours[&user("anna")].nick, "Anders");
    assert!(stage.room.people.is_empty());
}

#[test]
fn a_name_that_is_taken_belongs_to_somebody_who_is_there() {
    let mut stage = Hall::with_anna().entering("tom", "Bob");
    assert_eq!(stage.presence("anna", "Bob", "", "100"), None, "it could be Tom");
    let conflict = "<presence xmlns='jabber:component:accept' type='error' from='bau@rooms.test/Bob'>\
        <error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>";
    let taken = stage.take("tom", "bau@rooms.test/Bob", conflict);
    assert_eq!(what(&taken).unwrap(), "came bau@rooms.test/Bob");
    assert_eq!(taken.answers[0].attr("to"), Some("bau@rooms.test/Bob (tom)"));
}

#[test]
fn whoever_was_sent_away_is_shut_out_and_whoever_was_lost_comes_back() {
    for (code, news, is_shut) in
        [("307", Some("shut anna"), true), ("301", Some("shut anna"), true), ("332", None, false), ("110", None, false)]
    {
        let mut stage = Hall::with_anna();
        assert_eq!(stage.presence("anna", "Anna", GONE, code).as_deref(), news, "{code}");
        let own = stage.room.ours.get(&user("anna"));
        assert_eq!(own.is_some_and(|own| matches!(own.stage, Stage::Shut(_))), is_shut, "{code}");
    }
}

#[test]
fn a_room_that_is_closed_is_news_once_and_nobody_makes_it_anew() {
    let mut stage = Hall::with_anna().entering("tom", "Tom");
    stage.presence("tom", "Tom", "", "110");
    let mut gone = |to: &str, nick: &str| {
        let from = format!("bau@rooms.test/{nick}");
        let stanza = format!(
            "<presence xmlns='jabber:component:accept' from='{from}' type='unavailable'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/><destroy/></x></presence>"
        );
        what(&stage.take(to, &from, &stanza))
    };
    assert_eq!(gone("anna", "Anna").unwrap(), "closed");
    assert_eq!(gone("tom", "Tom"), None);
    assert!(stage.room.ours.values().all(|own| matches!(own.stage, Stage::Shut(_))));
}

#[test]
fn a_room_that_was_closed_meanwhile_is_news_to_whoever_comes_back() {
    let mut stage = Hall::new().entering("anna", "Anna");
    let refusal = "<presence xmlns='jabber:component:accept' from='bau@rooms.test/Anna' type='error'><error type='cancel'>\
        <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Fertig</text>\
        </error></presence>";
    let closed = stage.take("anna", "bau@rooms.test/Anna", refusal);
    assert_eq!(what(&closed).unwrap(), "closed");
    assert!(String::from_utf8_lossy(&closed.arrival.unwrap().raw).contains("Fertig"));
}

#[test]
fn only_what_passes_is_tried_again() {
    for (condition, kind, news) in [
        ("registration-required", "auth", Some("shut tom")),
        ("not-authorized", "auth", Some("shut tom")),
        ("forbidden", "auth", Some("shut tom")),
        ("service-unavailable", "wait", None),
        ("remote-server-not-found", "cancel", None),
        ("remote-server-timeout", "wait", None),
    ] {
        let mut stage = Hall::with_anna().entering("tom", "Tom");
        let stanza = format!(
            "<presence xmlns='jabber:component:accept' type='error' from='bau@rooms.test/Tom'>\
             <error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        );
        assert_eq!(what(&stage.take("tom", "bau@rooms.test/Tom", &stanza)).as_deref(), news, "{condition}");
    }
}

#[test]
fn what_we_have_said_comes_back_as_proof_and_nothing_else_does() {
    let mut stage = Hall::with_anna();
    stage.presence("anna", "Bob", "", "100");
    let body = "<body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='bau@rooms.test' id='s1'/>";
    assert_eq!(stage.said("anna", "bau@rooms.test/Bob", body).unwrap(), "said", "Bob may use any id");
    assert_eq!(stage.said_back.get("aaaaaaaaaaaaaaaaaaaaaaaaaa"), None);
    assert_eq!(stage.said("anna", "bau@rooms.test/Anna", body), None);
    let echo = Echo { nick: "Anna".into(), id: Some("s1".into()) };
    assert_eq!(stage.said_back.get("aaaaaaaaaaaaaaaaaaaaaaaaaa"), Some(&Ok(echo)));
}

#[test]
fn a_topic_is_news_once_and_an_empty_one_is_none() {
    let mut stage = Hall::with_anna();
    assert_eq!(stage.said("anna", "bau@rooms.test/Bob", "<subject>Antrag</subject>").unwrap(), "topic");
    assert_eq!(stage.said("tom", "bau@rooms.test/Bob", "<subject>Antrag</subject>"), None);
    assert_eq!(stage.said("anna", "bau@rooms.test/Bob", "<subject/>").unwrap(), "topic");
}

#[test]
fn the_room_itself_says_nothing_that_is_shown() {
    let mut stage = Hall::with_anna();
    assert_eq!(stage.said("anna", "bau@rooms.test", "<body>Dieser Raum ist nicht anonym</body>"), None);
    let moderated = "<retract xmlns='urn:xmpp:message-retract:1' id='s1'><moderated xmlns='urn:xmpp:message-moderate:1'/></retract>";
    assert_eq!(stage.said("anna", "bau@rooms.test", moderated).unwrap(), "said");
}

#[test]
fn just_those_are_there_who_are_to_be() {
    let mut stage = Hall::with_anna().entering("tom", "Tom");
    stage.room.ours.get_mut(&user("anna")).unwrap().name = "Anna Alt".into();
    let attendee = |name: &str, shown: &str| crate::connector::Attendee { user: user(name), name: shown.into() };
    let staff = vec![attendee("anna", "Anna"), attendee("ina", "Ina")];
    let attendance = Attendance { room: RemoteRoomId::new("bau@rooms.test"), password: None, staff };
    let steps = stage.room.steps(Some(&attendance));
    let expected = [
        Step::Leave { user: user("tom"), nick: "Tom".into() },
        Step::Rename { user: user("anna"), name: "Anna".into() },
        Step::Enter { user: user("ina"), name: "Ina".into() },
    ];
    assert_eq!(steps, expected);
}

/// ejabberd keeps in the room whoever was there when the stream ended, and talks to them before they have said anything.
#[test]
fn what_a_room_says_before_ours_have_come_in_again_waits_for_what_was_missed() {
    let words = |stage: &mut Hall, id: &str, more: &str| {
        let from = "bau@rooms.test/Bob";
        let stanza = format!(
            "<message xmlns='jabber:component:accept' type='groupchat' from='{from}' id='{id}'><body>Ja</body>{more}\
             <stanza-id xmlns='urn:xmpp:sid:0' by='bau@rooms.test' id='{id}'/></message>"
        );
        let Taken { earlier, arrival, .. } = stage.take("anna", from, &stanza);
        let ids: Vec<String> = earlier.iter().chain(&arrival).map(|it| it.source.to_string()).collect();
        ids.iter().map(|id| id.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    const PAST: &str = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>";
    let none: [&str; 0] = [];
    let entered = || {
        let mut stage = Hall::new();
        assert_eq!(words(&mut stage, "3", ""), none, "nobody is there");
        let mut stage = stage.entering("anna", "Anna");
        assert_eq!(words(&mut stage, "4", ""), none, "and now she is on her way");
        stage.presence("anna", "Anna", "", "110");
        assert_eq!(words(&mut stage, "2", PAST), ["2"], "what was missed is told");
        stage
    };
    let mut stage = entered();
    let end = "<message xmlns='jabber:component:accept' type='groupchat' from='bau@rooms.test'><subject/></message>";
    assert_eq!(stage.take("anna", "bau@rooms.test", end).earlier.len(), 2);
    assert_eq!(words(&mut stage, "5", ""), ["5"]);
    // There are rooms without a topic to end with.
    let mut stage = entered();
    assert_eq!(words(&mut stage, "5", ""), ["3", "4", "5"]);
    assert_eq!(words(&mut stage, "6", ""), ["6"]);
}

/// ejabberd 23.01 has no status code for whoever was unreachable, and says so only when they are back already.
#[test]
fn whom_a_room_has_dropped_as_unreachable_comes_back_and_is_not_shut_out() {
    let kick = "<presence xmlns='jabber:component:accept' to='anna@m.test/fehmarn' from='bau@rooms.test/Anna' type='unavailable'>\
        <x xmlns='http://jabber.org/protocol/muc#user'><item jid='anna@m.test/fehmarn' role='none' affiliation='none'/>\
        <status code='110'/></x><status xml:lang='en'>It is not allowed to send error messages to the room. The participant \
        (Anna) has sent an error message (remote-server-not-found) and got kicked from the room</status></presence>";
    let mut nowhere = Hall::new();
    assert_eq!(nowhere.take("anna", "bau@rooms.test/Anna", kick), Taken::default(), "she has not come in yet");
    for mut stage in [Hall::new().entering("anna", "Anna"), Hall::with_anna()] {
        assert_eq!(stage.take("anna", "bau@rooms.test/Anna", kick).arrival, None, "nobody is told anything");
        assert!(stage.room.ours.is_empty(), "the keeper brings her in again");
    }
}

#[test]
fn what_ejabberd_tells_from_its_archive_is_the_same_as_what_it_has_said_at_once() {
    let words = "<archived by='bau@rooms.test' id='1795999850493608' xmlns='urn:xmpp:mam:tmp'/>\
        <stanza-id by='bau@rooms.test' id='1795999850493608' xmlns='urn:xmpp:sid:0'/><body>Zeile 0</body>";
    let mut stage = Hall::with_anna();
    let at_once = format!(
        "<message xmlns='jabber:component:accept' to='anna@m.test/fehmarn' from='bau@rooms.test/Bob' type='groupchat' \
         id='id-Zeile 0'>{words}</message>"
    );
    let told = format!(
        "<message xmlns='jabber:component:accept' to='anna@m.test/fehmarn' from='bau@rooms.test'>\
         <result id='1795999850493608' queryid='q1' xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'>\
         <message from='bau@rooms.test/Bob' type='groupchat' id='id-Zeile 0' xmlns='jabber:client'>{words}</message>\
         <delay from='rooms.test' stamp='2026-11-30T00:50:50.493608Z' xmlns='urn:xmpp:delay'/></forwarded></result></message>"
    );
    let at_once = stage.take("anna", "bau@rooms.test/Bob", &at_once).arrival.unwrap();
    stage.room.archive = Some("q1".into());
    let Hall { identity, bare, room, said_back } = &mut stage;
    let mut place = Place { identity, bare, room, user: &user("anna") };
    let told = place.told(&told.parse().unwrap(), said_back).arrival.unwrap();
    assert_eq!((told.source, told.also), (at_once.source, at_once.also));
}

#[test]
fn nobody_goes_in_while_the_archive_may_answer_yet() {
    let rooms = super::super::rooms::Rooms::new(std::sync::Arc::new(Identity::new("m.test").unwrap()));
    let room = BareJid::new("bau@rooms.test").unwrap();
    rooms.plan(&[Attendance { room: RemoteRoomId::new(room.as_str()), staff: Vec::new(), password: None }]);
    let keeps_none = Failure::permanent(Reason::NobodyThere, "service-unavailable (cancel)");
    assert!(!rooms.is_archive_asked_again(&room, &keeps_none));
    let late = Failure::transient(Reason::Unreachable, "the XMPP server does not answer");
    let again: Vec<bool> = (0..6).map(|_| rooms.is_archive_asked_again(&room, &late)).collect();
    assert_eq!(again, [true, true, true, true, false, true], "for ever is too long");
}
