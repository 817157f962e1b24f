//! Mail in the character sets of this world, and with wrong words on which one it is, through a real mail server.

use crate::common::{Conversation, Fehmarn, wait::unique};

/// What stands in the header of a mail, its bytes, and what they say.
const MAILS: &[(&str, &[u8], &str)] = &[
    (
        "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
        b"Gr=C3=BC=\r\n=C3=9Fe, 5 =E2=82=AC",
        "Grüße, 5 €",
    ),
    ("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", b"R3LDvMOfZQ==", "Grüße"),
    ("text/plain; charset=iso-8859-15", b"F\xfcr 5 \xa4", "Für 5 €"),
    ("text/plain; charset=\"Windows-1252\"", b"\x84Gr\xfc\xdfe\x93 f\xfcr 5 \x80", "„Grüße“ für 5 €"),
    ("text/plain; charset=koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
    ("text/plain; charset=windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
    ("text/plain; charset=iso-2022-jp", b"\x1b$BF|K\\8l\x1b(B", "日本語"),
    ("text/plain; charset=shift_jis", b"\x93\xfa\x96\x7b", "日本"),
    ("text/plain; charset=gb2312", b"\xc4\xe3\xba\xc3", "你好"),
    ("text/plain; charset=big5", b"\xa7\x41\xa6\x6e", "你好"),
    ("text/plain; charset=euc-kr", b"\xbe\xc8\xb3\xe7", "안녕"),
    ("text/plain; charset=utf-7", b"Gr+APwA3w-e", "Grüße"),
    // Wrong words, unknown words, and none.
    ("text/plain; charset=iso-8859-1", "Grüße".as_bytes(), "Grüße"),
    ("text/plain; charset=utf-8", b"Gr\xfc\xdfe", "Grüße"),
    ("text/plain; charset=klingon", b"Gr\xfc\xdfe", "Grüße"),
    ("text/plain", "Grüße".as_bytes(), "Grüße"),
    ("text/html", b"<html><head><meta charset=\"iso-8859-2\"></head><body>\xa3\xf3d\xbc</body></html>", "Łódź"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_read_in_whatever_character_set_it_is_and_whatever_it_says_of_it() {
    let talk = Conversation::begin(Fehmarn::new().await).await;
    for (number, (kind, bytes, words)) in MAILS.iter().enumerate() {
        let header = format!(
            "From: Bob <{}>\r\nTo: {}\r\nMessage-ID: <{}@example.org>\r\nIn-Reply-To: <{}>\r\nMIME-Version: 1.0\r\n\
             Content-Type: {kind}\r\n\r\n",
            talk.bob.address,
            talk.address(),
            unique("charset"),
            talk.first.message_id()
        );
        talk.bob.send_raw(&[&talk.address()], &[header.as_bytes(), bytes, b"\r\n"].concat()).await;
        let are_there = async || Some(talk.heard().await).filter(|heard| heard.len() > number);
        let heard = talk.anna.wait(&format!("{words:?} in {kind}"), are_there).await;
        assert_eq!(heard.last().unwrap(), words, "{kind}");
    }
}
