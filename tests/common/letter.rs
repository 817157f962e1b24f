//! What somebody outside writes.

use super::{Mail, Outside, wait::unique};
use mail_builder::{
    MessageBuilder,
    headers::{address::Address, message_id::MessageId},
};
use std::iter;

/// A mail that is being written.
pub struct Letter<'x> {
    pub to: Vec<String>,
    builder: MessageBuilder<'x>,
}

impl<'x> Letter<'x> {
    pub fn new(from: &Outside, to: &str) -> Self {
        Self::to_all(from, &[to])
    }

    pub fn to_all(from: &Outside, to: &[&str]) -> Self {
        let header: Vec<Address<'x>> =
            to.iter().map(|to| Address::new_address(None::<String>, to.to_string())).collect();
        let builder = MessageBuilder::new()
            .from((from.name.clone(), from.address.clone()))
            .to(Address::new_list(header))
            .message_id(format!("{}@example.org", unique("letter")));
        Self { to: to.iter().map(|to| to.to_string()).collect(), builder }
    }

    /// An answer, with what mail programs write into its header.
    pub fn answering(from: &Outside, mail: &Mail) -> Self {
        Self::answering_all(from, mail, &[&mail.from().1])
    }

    /// An answer to whoever wrote and to all the others who got it.
    pub fn answering_everybody(from: &Outside, mail: &Mail) -> Self {
        let (writer, others) = (mail.from().1, mail.to());
        let others = others.iter().map(String::as_str).filter(|address| *address != from.address);
        Self::answering_all(from, mail, &iter::once(&*writer).chain(others).collect::<Vec<_>>())
    }

    /// An answer to these people.
    pub fn answering_all(from: &Outside, mail: &Mail, to: &[&str]) -> Self {
        let mut letter = Self::to_all(from, to);
        let references: Vec<String> = [mail.references(), vec![mail.message_id()]].concat();
        let subject = mail.subject();
        let subject = if subject.starts_with("Re: ") { subject } else { format!("Re: {subject}") };
        letter.builder = letter
            .builder
            .in_reply_to(mail.message_id())
            .references(MessageId::new_list(references.into_iter()))
            .subject(subject);
        letter
    }

    pub fn subject(mut self, subject: &'x str) -> Self {
        self.builder = self.builder.subject(subject);
        self
    }

    pub fn text(mut self, text: &'x str) -> Self {
        self.builder = self.builder.text_body(text);
        self
    }

    pub fn html(mut self, html: &'x str) -> Self {
        self.builder = self.builder.html_body(html);
        self
    }

    pub fn file(mut self, media_type: &'x str, name: &'x str, bytes: &'x [u8]) -> Self {
        self.builder = self.builder.attachment(media_type, name, bytes);
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.builder.write_to_vec().unwrap()
    }
}
