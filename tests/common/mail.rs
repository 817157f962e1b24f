//! A mail that somebody outside has got.

use mail_parser::{Message, MessageParser, MimeHeaders};

#[derive(Clone)]
pub struct Mail {
    pub raw: Vec<u8>,
}

impl Mail {
    pub fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.raw).expect("the mailbox holds something that is no mail")
    }

    pub fn subject(&self) -> String {
        self.parsed().subject().unwrap_or_default().to_owned()
    }

    /// The lines of this header as they stand in the mail, unfolded.
    pub fn header(&self, name: &str) -> Vec<String> {
        let parsed = self.parsed();
        let lines = parsed.headers_raw().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Name and address.
    pub fn from(&self) -> (String, String) {
        let parsed = self.parsed();
        let from = parsed.from().and_then(|from| from.first()).expect("a mail without From");
        (from.name().unwrap_or_default().to_owned(), from.address().unwrap_or_default().to_owned())
    }

    pub fn to(&self) -> Vec<String> {
        let parsed = self.parsed();
        let addresses = parsed.to().into_iter().flat_map(|to| to.iter());
        addresses.filter_map(|address| address.address()).map(str::to_owned).collect()
    }

    /// Without its angle brackets.
    pub fn message_id(&self) -> String {
        self.parsed().message_id().expect("a mail without Message-ID").to_owned()
    }

    pub fn in_reply_to(&self) -> Vec<String> {
        ids(self.parsed().in_reply_to())
    }

    pub fn references(&self) -> Vec<String> {
        ids(self.parsed().references())
    }

    /// Sorts mails in the order in which the mail server outside accepted them: its queue id begins with the time
    /// (Postfix, `enable_long_queue_ids`). It delivers them at the same time, so that a mailbox has no order.
    pub fn accepted(&self) -> String {
        let received = self.header("Received");
        let by_postfix = received.iter().find(|line| line.contains("(Postfix)")).expect("a mail that took another way");
        let id = by_postfix.split(" id ").nth(1).expect("a line of Postfix without its id");
        let id = id.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        assert!(id.len() >= 14, "{id} is a short queue id: set enable_long_queue_ids");
        id.to_owned()
    }

    pub fn text(&self) -> String {
        self.parsed().body_text(0).unwrap_or_default().trim_end().replace("\r\n", "\n")
    }

    /// The HTML part; `None` if there is only text.
    pub fn html(&self) -> Option<String> {
        let parsed = self.parsed();
        let part = parsed.html_bodies().find(|part| part.is_text_html())?;
        part.text_contents().map(str::to_owned)
    }

    /// Name, type and bytes of each file.
    pub fn files(&self) -> Vec<(String, String, Vec<u8>)> {
        let parsed = self.parsed();
        let file = |part: &mail_parser::MessagePart<'_>| {
            let kind = part.content_type().map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()));
            (part.attachment_name().unwrap_or_default().to_owned(), kind.unwrap_or_default(), part.contents().to_vec())
        };
        parsed.attachments().map(file).collect()
    }
}

fn ids(value: &mail_parser::HeaderValue<'_>) -> Vec<String> {
    value.as_text_list().into_iter().flatten().map(|id| id.to_string()).collect()
}
