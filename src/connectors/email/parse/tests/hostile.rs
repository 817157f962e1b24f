//! Mails that were made to be read wrong, slowly or not at all.

use super::*;

/// A small generator, so that a failure comes back with the same numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn mutated(mail: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const BITS: &[&[u8]] = &[
        b"\r\n",
        b"\n\n",
        b"--b",
        b"=",
        b"\"",
        b"<",
        b">",
        b"multipart/",
        b"message/rfc822",
        b"\0",
        b"\xff",
        b"=?utf-8?B?",
        b"charset=utf-7",
        b";",
        b"Content-Type: ",
    ];
    let mut mail = mail.to_vec();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(mail.len());
        match numbers.below(5) {
            0 => mail.truncate(at),
            1 => drop(mail.drain(at..(at + numbers.below(60)).min(mail.len()))),
            2 => drop(mail.splice(at..at, BITS[numbers.below(BITS.len())].iter().copied())),
            3 if !mail.is_empty() => mail[at] = numbers.below(256) as u8,
            _ => {
                let copy = mail[at..(at + numbers.below(200)).min(mail.len())].to_vec();
                let to = numbers.below(mail.len());
                drop(mail.splice(to..to, copy));
            }
        }
    }
    mail
}

#[test]
fn no_bytes_whatever_make_it_panic() {
    let mut numbers = Numbers(4711);
    for mail in fixture::all() {
        for round in 0..150 {
            let mail = if round == 0 { mail.to_vec() } else { mutated(&mail, &mut numbers) };
            let raw = raw(mail);
            arrival::recipients(
                &crate::connectors::email::address::Identity::new("x.example", "{localpart}@x.example").unwrap(),
                &raw.raw,
            );
            let mail = fixture::read(&raw);
            assert!(
                mail.attachments.iter().all(|file| !file.name.is_empty() && !file.name.contains(['/', '\\', '\n']))
            );
            assert!(mail.from_name.is_none_or(|name| !name.contains(char::is_control)));
            assert!(mail.subject.is_none_or(|subject| !subject.contains(char::is_control)));
        }
    }
}

#[test]
fn a_mail_made_to_be_slow_is_read_to_its_end() {
    let head = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n";
    let mails = [
        format!("{head}\r\n{}", "--b\r\nContent-Type: multipart/mixed; boundary=nope\r\n\r\n".repeat(50_000)),
        format!("{head}\r\n{}", "--b\r\nContent-Type: message/rfc822\r\n\r\n".repeat(50_000)),
        format!("From: a@b.example\r\n{}", "Content-Type: message/rfc822\r\n\r\n".repeat(100_000)),
        format!("From: a@b.example\r\n{}\r\nx", "References: <a@b>\r\n".repeat(200_000)),
        format!("From: a@b.example\r\nTo: {}\r\n\r\nx", "a@b.example, ".repeat(300_000)),
        format!("From: {}\r\n\r\nx", "(".repeat(1_000_000)),
        format!("From: a@b.example\r\nSubject: {}\r\n\r\nx", "=?utf-8?Q?a?= ".repeat(200_000)),
        format!("From: a@b.example\r\nSubject: {}\r\n\r\nx", "=?utf-8?Q?a ".repeat(18_000)),
        format!("From: a@b.example\r\nContent-Type: text/html\r\n\r\n{}", "<img src=cid:x ".repeat(30_000)),
        format!("From: a@b.example\r\nContent-Type: text/html\r\n\r\n{}", "<div style=display:none>".repeat(20_000)),
        format!(
            "From: a@b.example\r\nContent-Type: text/calendar\r\n\r\n{}",
            "BEGIN:VEVENT\r\nATTENDEE:x\r\n".repeat(100_000)
        ),
        format!("From: a@b.example\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VEVENT\r\n{}", " x\r\n".repeat(500_000)),
        format!("From: a@b.example\r\nContent-Type: application/pkcs7-mime\r\n\r\n{}", "0\u{80}".repeat(200_000)),
        format!("From: a@b.example\r\n\r\n{}", "> x\r\nAm 1.1.2026 um 10:00 schrieb x:\r\n".repeat(30_000)),
        format!("From: a@b.example\r\n\r\n{}", "Von: x\r\n".repeat(50_000)),
        format!("From: a@b.example\r\n\r\n{}", "\r\n".repeat(1_000_000)),
        format!("From: a@b.example\r\nContent-Type: text/html\r\n\r\n{}", "<blockquote type=cite>".repeat(23_000)),
        format!(
            "From: a@b.example\r\nContent-Type: text/html\r\n\r\n{}",
            "<div style=border-top:solid>".repeat(18_000)
        ),
    ];
    for mail in mails {
        let start_of_mail = mail.get(..120).unwrap_or_default().to_owned();
        let mail = fixture::read(&raw(mail));
        assert!(!mail.body.text.is_empty() || !mail.attachments.is_empty(), "{start_of_mail}");
    }
}
