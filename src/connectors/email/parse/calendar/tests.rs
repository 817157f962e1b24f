use super::*;

fn event(lines: &str) -> Event {
    read(&format!("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Ortstermin\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")).unwrap()
}

fn when(lines: &str) -> String {
    event(lines).when(Language::De).unwrap_or_default()
}

#[test]
fn a_date_is_said_as_people_here_say_it() {
    for (lines, words) in [
        ("DTSTART:20261120T090000Z\r\nDTEND:20261120T100000Z", "Fr., 20.11.2026, 10:00\u{2013}11:00 Uhr"),
        ("DTSTART:20260715T080000Z\r\nDURATION:PT1H30M", "Mi., 15.07.2026, 10:00\u{2013}11:30 Uhr"),
        ("DTSTART;TZID=Europe/Berlin:20261120T100000", "Fr., 20.11.2026, 10:00 Uhr"),
        ("DTSTART:20261120T100000\r\nDTEND:20261120T110000", "Fr., 20.11.2026, 10:00\u{2013}11:00 Uhr"),
        ("DTSTART;TZID=GMT Standard Time:20261120T100000", "Fr., 20.11.2026, 11:00 Uhr (deutsche Zeit)"),
        ("DTSTART;TZID=Mars/Olympus:20261120T100000", "Fr., 20.11.2026, 10:00 Uhr (Zeitzone Mars/Olympus)"),
        ("DTSTART;VALUE=DATE:20261120\r\nDTEND;VALUE=DATE:20261121", "Fr., 20.11.2026, ganzt\u{e4}gig"),
        (
            "DTSTART;VALUE=DATE:20261120\r\nDTEND;VALUE=DATE:20261123",
            "Fr., 20.11.2026 bis So., 22.11.2026, ganzt\u{e4}gig",
        ),
        (
            "DTSTART:20261120T190000Z\r\nDTEND:20261121T080000Z",
            "Fr., 20.11.2026, 20:00 Uhr bis Sa., 21.11.2026, 09:00 Uhr",
        ),
        ("DTSTART:20261120T090000Z\r\nDTEND:20261120T080000Z", "Fr., 20.11.2026, 10:00 Uhr"),
        ("DTSTART:morgen", ""),
    ] {
        assert_eq!(when(lines), words, "{lines}");
    }
}

#[test]
fn a_summary_says_what_when_where_and_who() {
    let people: String = (0..14).map(|n| format!("ATTENDEE;CN=P{n}:mailto:p{n}@example.org\r\n")).collect();
    let event = event(&format!(
        "DTSTART:20261120T090000Z\r\nLOCATION:Rathaus\\, Zimmer 12\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nORGANIZER;CN=Bob:mailto:b@example.org\r\n{people}\
         X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.example/x\r\nBEGIN:VALARM\r\nDESCRIPTION:Reminder\r\nDURATION:PT5M\r\nEND:VALARM"
    ));
    assert_eq!(
        event.summary(Language::De),
        "\u{1f4c5} Einladung: Ortstermin\nWann: Fr., 20.11.2026, 10:00 Uhr\nWiederholung: jede Woche, 3 Mal\nWo: Rathaus, Zimmer 12\n\
         Online: https://teams.example/x\nVon: Bob\nMit: P0; P1; P2; P3; P4; P5; P6; P7; P8; P9 und 4 weiteren"
    );
    assert_eq!(event.description(), None);
}

#[test]
fn what_kind_of_message_it_is_stands_first() {
    let kind = |method: &str, lines: &str| {
        let event = read(&format!("METHOD:{method}\nBEGIN:VEVENT\nSUMMARY:T\n{lines}\nEND:VEVENT")).unwrap();
        event.summary(Language::De).lines().next().unwrap_or_default().to_owned()
    };
    for (method, lines, words) in [
        ("REQUEST", "SEQUENCE:2", "\u{1f4c5} Ge\u{e4}nderter Termin: T"),
        ("CANCEL", "", "\u{1f4c5} Abgesagter Termin: T"),
        ("PUBLISH", "STATUS:CANCELLED", "\u{1f4c5} Abgesagter Termin: T"),
        ("PUBLISH", "", "\u{1f4c5} Termin: T"),
        ("reply", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:x@example.org", "\u{1f4c5} Zugesagt: T"),
        ("REPLY", "ATTENDEE;PARTSTAT=DECLINED:mailto:x@example.org", "\u{1f4c5} Nicht zugesagt: T"),
        ("REPLY", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:x@example.org", "\u{1f4c5} Unter Vorbehalt zugesagt: T"),
        ("REPLY", "SUMMARY:Zugesagt: T\nATTENDEE;PARTSTAT=ACCEPTED:mailto:x@example.org", "\u{1f4c5} Zugesagt: T"),
        ("REQUEST", "SUMMARY:Abgesagt: T", "\u{1f4c5} Einladung: Abgesagt: T"),
        ("COUNTER", "", "\u{1f4c5} Anderer Terminvorschlag: T"),
    ] {
        assert_eq!(kind(method, lines), words);
    }
}

#[test]
fn a_calendar_without_an_event_says_nothing() {
    for text in ["", "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\nEND:VTODO", "BEGIN:VEVENT2"] {
        assert!(read(text).is_none());
    }
    assert_eq!(read("BEGIN:VEVENT").unwrap().summary(Language::De), "\u{1f4c5} Termin: (ohne Titel)");
}
