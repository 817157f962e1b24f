use super::*;
use crate::{connectors::email::fixture, failure::Reason};

const ID: &str = "mzxw6ytboi2dkmbrgq4tqmzxga";

fn report(top: &str, status: &str, returned: &str) -> Option<Receipt> {
    let raw = format!(
        "From: x@y.example\r\n{top}Content-Type: multipart/report; report-type=\"delivery-status\"; boundary=b\r\n\r\n\
         --b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; y\r\n\r\n{status}\r\n{returned}--b--\r\n"
    );
    read_mail(&raw)
}

fn read_mail(raw: &str) -> Option<Receipt> {
    let identity = Identity::new("chat.example.org", "{localpart}@chat.example.org").unwrap();
    read(&Part::parse(raw.as_bytes()), &Fields::of_mail(raw.as_bytes()), &identity)
}

fn returned(id: &str) -> String {
    format!("--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID: <{id}>\r\n")
}

fn ours() -> String {
    returned(&format!("{ID}@chat.example.org"))
}

#[test]
fn a_failed_delivery_is_told_with_the_reason_and_the_servers_words() {
    let receipt = fixture::receipt("dsn-failed");
    assert_eq!(receipt.message.as_str(), format!("{ID}@chat.example.org"));
    assert_eq!(receipt.to.unwrap().as_str(), "bob+x@example.org");
    assert_eq!(receipt.state, ReceiptState::Failed(Reason::UnknownRecipient));
    assert_eq!(receipt.detail, "550 5.1.1 <bob+x@example.org>: Recipient address rejected: User unknown");
}

#[test]
fn a_delay_is_no_failure() {
    let receipt = fixture::receipt("dsn-delayed");
    assert_eq!(receipt.message.as_str(), format!("{ID}@chat.example.org"));
    assert_eq!((receipt.state, receipt.to.unwrap().as_str()), (ReceiptState::Delayed, "bob@example.org"));
    assert!(receipt.detail.contains("Connection timed out"), "{}", receipt.detail);
}

#[test]
fn every_action_has_its_state() {
    let state = |action: &str| report("", &format!("Action: {action}\r\n"), &ours()).map(|receipt| receipt.state);
    for action in ["delivered", "expanded (to a list)"] {
        assert_eq!(state(action), Some(ReceiptState::Delivered), "{action}");
    }
    assert_eq!(state("Relayed"), Some(ReceiptState::Relayed));
    assert_eq!(state("delayed"), Some(ReceiptState::Delayed));
    assert_eq!(state("failed"), Some(ReceiptState::Failed(Reason::Refused)));
    assert_eq!(state("eaten"), None);
}

#[test]
fn of_several_recipients_the_first_that_failed_counts() {
    let status = "Final-Recipient: rfc822; a@x.example\r\nAction: delayed\r\n\r\nFinal-Recipient: rfc822; b@x.example\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\n\
        Final-Recipient: rfc822; c@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n";
    let receipt = report("", status, &ours()).unwrap();
    assert_eq!(
        (receipt.to.unwrap().as_str(), receipt.state),
        ("b@x.example", ReceiptState::Failed(Reason::MailboxFull))
    );
}

#[test]
fn a_report_without_headers_is_known_by_what_it_answers_or_by_its_recipient() {
    let status = "Action: failed\r\n";
    for top in [
        format!("In-Reply-To: <{ID}@chat.example.org>\r\n"),
        format!("References: <root@x> <{ID}@chat.example.org>\r\n"),
        format!("To: <anna+{ID}@chat.example.org>\r\n"),
        format!("To: x@y.example\r\nDelivered-To: anna+{ID}@Chat.example.org\r\n"),
    ] {
        assert_eq!(report(&top, status, "").unwrap().message.as_str(), format!("{ID}@chat.example.org"), "{top}");
    }
}

#[test]
fn a_report_on_somebody_elses_mail_is_a_message() {
    assert_eq!(report("To: anna@chat.example.org\r\n", "Action: failed\r\n", &returned("abc@example.org")), None);
    assert_eq!(report("", "Action: failed\r\n", ""), None);
    assert_eq!(report("", "nothing\r\n", &ours()), None);
    let plain = format!("From: x@y.example\r\nTo: anna+{ID}@chat.example.org\r\n\r\nAction: failed\r\n");
    assert_eq!(read_mail(&plain), None);
}

#[test]
fn headers_that_end_without_a_line_break_are_read() {
    let returned = format!("--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{ID}@x.example>\r\n");
    assert!(report("", "Action: failed\r\n", &returned).is_some());
}

#[test]
fn the_servers_words_have_an_end_and_no_controls() {
    let status = format!("Action: failed\r\nDiagnostic-Code: smtp; 550 \u{1b}[31m{}\r\n", "x".repeat(2000));
    let detail = report("", &status, &ours()).unwrap().detail;
    assert!(detail.chars().count() == DETAIL && detail.starts_with("550 [31mx"), "{detail}");
}

const TEXT: &str = "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net\r\n";

/// A text-only report to the envelope sender of the delivery.
fn text_report(subject: &str, words: &str) -> Option<Receipt> {
    read_mail(&format!("{TEXT}To: anna+{ID}@chat.example.org\r\nSubject: {subject}\r\n\r\n{words}"))
}

#[test]
fn a_report_is_known_by_the_envelope_id_that_we_gave_the_mail() {
    let status = format!("Final-Recipient: rfc822; b@x.example\r\nAction: failed\r\nOriginal-Envelope-Id: {ID}\r\n");
    let receipt = report("To: x@y.example\r\n", &status, "").unwrap();
    assert_eq!(receipt.message.as_str(), format!("{ID}@chat.example.org"));
    assert_eq!(report("To: x@y.example\r\n", &status.replace(ID, "somebody-elses"), ""), None);
}

#[test]
fn a_report_is_known_by_what_it_says_of_the_mail() {
    let named = |status: &str, returned: &str| {
        let receipt = report("To: x@y.example\r\n", status, returned);
        receipt.map(|receipt| receipt.message.as_str().to_owned())
    };
    let ours = Some(format!("{ID}@chat.example.org"));
    let failed = "Final-Recipient: rfc822; b@x.example\r\nAction: failed\r\n";
    assert_eq!(named(failed, ""), None);
    assert_eq!(named(&format!("{failed}Original-Message-ID: <{ID}@chat.example.org>\r\n"), ""), ours);
    let words = format!("--b\r\nContent-Type: text/plain\r\n\r\n> Message-ID: <{ID}@chat.example.org>\r\n");
    let raw = format!(
        "From: x@y.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n{words}\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n{failed}\r\n--b--\r\n"
    );
    assert_eq!(read_mail(&raw).map(|receipt| receipt.message.as_str().to_owned()), ours);
    let complaint = format!("Feedback-Type: abuse\r\nOriginal-Mail-From: <anna+{ID}@chat.example.org>\r\n");
    let raw = format!(
        "From: x@y.example\r\nTo: abuse@chat.example.org\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n{complaint}\r\n--b--\r\n"
    );
    let receipt = read_mail(&raw).unwrap();
    assert_eq!((receipt.state, Some(receipt.message.as_str().to_owned())), (ReceiptState::Complaint, ours));
}

#[test]
fn a_report_names_whom_we_wrote_to_and_not_where_others_have_sent_it() {
    let status = "Final-Recipient: rfc822; robert@inside.example\r\n\
        Original-Recipient: rfc822; bob+2Bx@example.org\r\nAction: failed\r\n";
    assert_eq!(report("", status, &ours()).unwrap().to.unwrap().as_str(), "bob+x@example.org");
}

#[test]
fn a_report_of_text_alone_fails_the_delivery_that_it_was_sent_to() {
    let words = "Hi. This is the qmail-send program at mx.example.net.\r\nI'm afraid I wasn't able to deliver your message.\r\n\r\n\
        <bob@example.org>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\nSubject: x\r\n";
    let receipt = text_report("failure notice", words).unwrap();
    assert_eq!(
        (receipt.to.unwrap().as_str(), receipt.state),
        ("bob@example.org", ReceiptState::Failed(Reason::UnknownRecipient))
    );
    assert_eq!(receipt.detail, "Sorry, no mailbox here by that name. (#5.1.1)");
}

#[test]
fn a_warning_in_text_is_a_delay() {
    let words = "A message that you sent has not yet been delivered to all of its recipients.\r\n\r\n  bob@example.org\r\n    Delay reason: timed out\r\n\r\n\
        No action is required on your part.\r\n";
    let receipt = text_report("Warning: message 1abc-00 delayed 24 hours", words).unwrap();
    assert_eq!((receipt.state, receipt.detail.as_str()), (ReceiptState::Delayed, "Delay reason: timed out"));
}

#[test]
fn an_absence_notice_or_an_answer_to_the_envelope_sender_is_a_message() {
    for (subject, words) in [
        ("Automatische Antwort: Unzustellbar: Termin", "Ich bin im Urlaub."),
        ("Automatische Antwort: Termin", "Ihre Nachricht konnte nicht zugestellt werden, da ich im Urlaub bin."),
        ("AW: Termin", "Mein Fax konnte nicht zugestellt werden."),
        ("Urlaub", "Ich bin bis Montag nicht da. Ihre Nachricht wird nicht weitergeleitet."),
    ] {
        let mail = format!(
            "Return-Path: <>\r\nFrom: Bob <bob@example.org>\r\nTo: anna+{ID}@chat.example.org\r\nSubject: {subject}\r\n\r\n{words}"
        );
        assert_eq!(read_mail(&mail), None, "{subject}");
    }
}

#[test]
fn what_a_person_writes_about_a_failure_is_a_message() {
    let mail = format!(
        "Return-Path: <bob@example.org>\r\nFrom: Bob <bob@example.org>\r\nTo: anna+{ID}@chat.example.org\r\nSubject: Undeliverable\r\n\r\nMail delivery failed!"
    );
    assert_eq!(read_mail(&mail), None);
    // They pass a report on.
    let status = format!("Final-Recipient: rfc822; b@x.example\r\nAction: failed\r\nOriginal-Envelope-Id: {ID}\r\n");
    let mail = format!(
        "From: Bob <bob@example.org>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSehen Sie selbst\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
    );
    assert_eq!(read_mail(&mail), None);
    assert!(
        read_mail(&mail.replace("From: Bob <bob@", "From: <mailer-daemon@")).is_some(),
        "a server on the way has made a multipart/mixed of it"
    );
}

#[test]
fn a_deep_or_endless_report_is_not_followed() {
    let deep = "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n".repeat(5000);
    assert_eq!(read_mail(&format!("Return-Path: <>\r\n{deep}")), None);
    let many = format!(
        "Return-Path: <>\r\nContent-Type: multipart/report; boundary=b\r\n\r\n{}",
        "--b\r\n\r\nx\r\n".repeat(50_000)
    );
    assert_eq!(read_mail(&many), None);
}
