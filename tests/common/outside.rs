//! Somebody outside: an address, a mailbox, and nothing else.

use super::{
    Letter, Mail, servers,
    wait::{unique, until},
};
use imap::{Client, Session};
use lettre::{SmtpTransport, Transport, address::Envelope};
use std::{net::TcpStream, sync::Mutex, time::Duration};
use tokio::task::block_in_place;

pub struct Outside {
    pub name: String,
    pub address: String,
    mailbox: Mutex<Mailbox>,
}

struct Mailbox {
    session: Option<Session<TcpStream>>,
    mails: Vec<Mail>,
}

impl Outside {
    /// With an address that nobody had before.
    pub fn new(name: &str) -> Self {
        let local = unique(&name.to_lowercase().replace(' ', "."));
        Self::with_address(name, &format!("{local}@{}", servers().outside_domain))
    }

    pub fn with_address(name: &str, address: &str) -> Self {
        let mailbox = Mutex::new(Mailbox { session: None, mails: Vec::new() });
        Self { name: name.to_owned(), address: address.to_owned(), mailbox }
    }

    /// Hands a mail to the mail server outside.
    pub async fn send(&self, letter: Letter<'_>) {
        let to = letter.to.clone();
        self.send_raw(&to.iter().map(String::as_str).collect::<Vec<_>>(), &letter.bytes()).await;
    }

    pub async fn send_raw(&self, to: &[&str], mail: &[u8]) {
        hand_over(Some(&self.address), to, mail);
    }

    /// What has come, in the order in which the mail server accepted it.
    pub async fn mails(&self) -> Vec<Mail> {
        block_in_place(|| {
            let mut mailbox = self.mailbox.lock().unwrap();
            mailbox.read(&self.address);
            let mut mails = mailbox.mails.clone();
            mails.sort_by_cached_key(Mail::accepted);
            mails
        })
    }

    pub async fn wait_for_mail(&self, what: &str, wanted: impl Fn(&Mail) -> bool) -> Mail {
        let what = format!("{what} in the mailbox of {}", self.name);
        until(&what, async || self.mails().await.into_iter().find(&wanted)).await
    }

    /// Waits for a mail whose text is this.
    pub async fn wait_for_text(&self, text: &str) -> Mail {
        self.wait_for_mail(&format!("{text:?}"), |mail| mail.text() == text).await
    }

    /// All mails, once there are so many.
    pub async fn wait_for_count(&self, count: usize) -> Vec<Mail> {
        let what = format!("{count} mails in the mailbox of {}", self.name);
        until(&what, async || Some(self.mails().await).filter(|mails| mails.len() >= count)).await
    }
}

/// Gives a mail to the mail server; reports have no sender.
pub fn hand_over(from: Option<&str>, to: &[&str], mail: &[u8]) {
    let to = to.iter().map(|to| to.parse().unwrap()).collect();
    let envelope = Envelope::new(from.map(|from| from.parse().unwrap()), to).unwrap();
    let server = SmtpTransport::builder_dangerous(&servers().host).port(servers().mail_ports.smtp).build();
    block_in_place(|| server.send_raw(&envelope, mail)).unwrap();
}

impl Mailbox {
    fn read(&mut self, address: &str) {
        let session = self.session.get_or_insert_with(|| sign_in(address));
        let count = session.examine("INBOX").unwrap().exists as usize;
        let known = self.mails.len();
        if count > known {
            let mails = session.fetch(format!("{}:{count}", known + 1), "BODY.PEEK[]").unwrap();
            self.mails.extend(mails.iter().map(|mail| Mail { raw: mail.body().unwrap().to_vec() }));
        }
    }
}

/// A session of its own in a mailbox.
pub fn sign_in(address: &str) -> Session<TcpStream> {
    let stream = TcpStream::connect((servers().host.as_str(), servers().mail_ports.imap)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut client = Client::new(stream);
    client.read_greeting().unwrap();
    client.login(address, &servers().password).map_err(|(error, _)| error).unwrap()
}

/// The flags of a fetched mail, without `\Recent`: that one says who looked first, and nobody can change it.
pub fn flags_of(mail: &imap::types::Fetch<'_>) -> String {
    let flags = mail.flags().iter().filter(|flag| **flag != imap::types::Flag::Recent);
    flags.map(|flag| flag.to_string()).collect::<Vec<_>>().join(" ")
}
