//! The parts of a mail, taken apart into words and files.

use super::{
    attachment,
    body::Piece,
    calendar, forwarded,
    pictures::{self, File},
    reaction,
    sealed::{self, Sealed},
    tnef,
};
use crate::{
    connectors::email::{
        mime::{self, Part},
        text::tags,
    },
    language::Language,
};

/// How deep parts may be nested; mail programs need four levels.
const DEPTH: usize = 20;
/// How many parts are shown as words; further ones are files. Apple Mail writes one before and after every picture.
const WORDS: usize = 20;
/// How many mails that hang at a mail are shown as words too.
const MAILS: usize = 3;

/// Where a part stands.
#[derive(Clone, Default)]
pub struct Place {
    depth: usize,
    /// The media type of the multipart around it; empty for the mail itself.
    around: String,
    is_first: bool,
}

/// What the walk through the parts of a mail found.
pub struct Walk {
    language: Language,
    parts: usize,
    words: usize,
    mails: usize,
    /// What is said above the words of the sender: an invitation, that nobody here can read the mail.
    pub first: Vec<Piece>,
    /// What is said below them: mails that hang at this one, that it was signed.
    pub last: Vec<Piece>,
    /// What the mail says, should it have no words of its own.
    pub otherwise: Option<Piece>,
    pub files: Vec<File>,
    pub reaction: Option<String>,
    /// The reaction came as RFC 9078 has it.
    pub reacts: bool,
    pub is_signed: bool,
    pub is_sealed: bool,
    /// Invitations that were read: several forms of one stand in one mail.
    events: Vec<String>,
    /// Texts that stand where a picture stood between two texts.
    marks: Vec<String>,
}

impl Walk {
    pub fn new(language: Language) -> Self {
        Self {
            language,
            parts: 0,
            words: 0,
            mails: 0,
            first: Vec::new(),
            last: Vec::new(),
            otherwise: None,
            files: Vec::new(),
            reaction: None,
            reacts: false,
            is_signed: false,
            is_sealed: false,
            events: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// The words of a part; what else it holds is kept in `self`. `None` beyond the limits.
    pub fn pieces(&mut self, part: &Part<'_>, place: &Place) -> Option<Vec<Piece>> {
        self.parts += 1;
        if self.parts > mime::PARTS || place.depth > DEPTH {
            return None;
        }
        let media_type = part.media_type();
        if media_type == "multipart/encrypted" {
            self.is_sealed = true;
            return Some(Vec::new());
        }
        let children = if media_type.starts_with("multipart/") { part.children() } else { Vec::new() };
        if !children.is_empty() {
            return self.multipart(part, &media_type, &children, place.depth + 1);
        }
        if is_noise(part, &media_type, &place.around) {
            self.is_signed |= media_type.ends_with("-signature");
            return Some(Vec::new());
        }
        if self.react(part, &media_type) {
            return Some(Vec::new());
        }
        if self.words < WORDS && is_words(part, &media_type, place) {
            self.words += 1;
            return Some(vec![self.piece(part, &media_type)]);
        }
        self.file(part, &media_type, place)
    }

    fn multipart(
        &mut self,
        part: &Part<'_>,
        media_type: &str,
        children: &[Part<'_>],
        depth: usize,
    ) -> Option<Vec<Piece>> {
        let mut each = Vec::new();
        for (index, child) in children.iter().enumerate() {
            let place = Place { depth, around: media_type.to_owned(), is_first: index == 0 };
            // A multipart with the boundary of the one around it: what follows is what it should hold.
            if child.is_empty() && child.parameter("boundary").is_some_and(|it| part.parameter("boundary") == Some(it))
            {
                let rest = children.get(index + 1..).filter(|rest| !rest.is_empty());
                each.push(self.multipart(child, &child.media_type(), rest.unwrap_or_default(), depth)?);
                break;
            }
            each.push(self.pieces(child, &place)?);
        }
        if media_type == "multipart/alternative" {
            return Some(vec![Piece::of_alternatives(each)]);
        }
        let mut pieces: Vec<Piece> = each.into_iter().flatten().collect();
        // A picture that no words follow comes right behind the message.
        while pieces
            .last()
            .is_some_and(|last| last.html.is_none() && last.text.as_ref().is_some_and(|it| self.marks.contains(it)))
        {
            pieces.pop();
        }
        Some(pieces)
    }

    fn piece(&mut self, part: &Part<'_>, media_type: &str) -> Piece {
        if media_type == "text/html" {
            let (html, pictures) = pictures::without_data(part.text(), self.files.len());
            self.files.extend(pictures);
            return Piece::of_html(&tags::without_hidden(&html));
        }
        let piece = Piece::plain(part);
        let Some(text) = &piece.text else { return piece };
        match sealed::armour(text) {
            Sealed::Open(signed) => {
                self.is_signed = true;
                Piece::of_text(signed)
            }
            Sealed::Closed => {
                self.is_sealed = true;
                Piece::default()
            }
            Sealed::Neither => piece,
        }
    }

    fn react(&mut self, part: &Part<'_>, media_type: &str) -> bool {
        let Some(found) = reaction::of(part, media_type) else { return false };
        self.reacts |= media_type == "text/plain";
        self.reaction.get_or_insert(found);
        true
    }

    /// What is no words by itself.
    fn file(&mut self, part: &Part<'_>, media_type: &str, place: &Place) -> Option<Vec<Piece>> {
        let name = part.headers.file_name().unwrap_or_default().to_ascii_lowercase();
        let ends = |end: &str| name.ends_with(end);
        let deeper = Place { depth: place.depth + 1, ..Place::default() };
        match media_type {
            "message/rfc822" | "message/global" if place.around != "multipart/report" && self.mails < MAILS => {
                self.mails += 1;
                self.keep(part);
                return self.mail(&part.bytes(), &deeper);
            }
            "text/calendar" | "application/ics" => self.calendar(part),
            _ if ends(".ics") => self.calendar(part),
            "application/ms-tnef" | "application/vnd.ms-tnef" => self.tnef(part),
            _ if ends("winmail.dat") => self.tnef(part),
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => return self.sealed(part, &deeper),
            _ if ends(".p7m") => return self.sealed(part, &deeper),
            _ => self.keep(part),
        }
        Some(self.picture_between(part, media_type, place))
    }

    fn keep(&mut self, part: &Part<'_>) {
        let attachment = attachment::of(part, self.files.len() + 1);
        let content_id = part.headers.content_id();
        let (is_inline, is_attached) = (part.is_inline(), part.is_attached());
        self.files.push(File { attachment, content_id, is_inline, is_attached });
    }

    /// The mark of a picture that stands between two texts as Apple Mail writes them.
    fn picture_between(&mut self, part: &Part<'_>, media_type: &str, place: &Place) -> Vec<Piece> {
        let is_between = place.around == "multipart/mixed" && !place.is_first && part.is_inline();
        if !is_between || !media_type.starts_with("image/") || part.headers.content_id().is_some() {
            return Vec::new();
        }
        let Some(name) = self.files.last().map(|file| file.attachment.name.clone()) else { return Vec::new() };
        let mark = pictures::mark(self.language, &name);
        self.marks.push(mark.clone());
        vec![Piece::of_text(mark)]
    }

    /// A mail inside of the mail: its header and its words below the sender's own.
    fn mail(&mut self, raw: &[u8], place: &Place) -> Option<Vec<Piece>> {
        let inner = Part::parse(raw);
        let words = self.pieces(&inner, place)?;
        self.last.push(forwarded::head(&inner.headers, self.language));
        self.last.extend(words);
        Some(Vec::new())
    }

    fn calendar(&mut self, part: &Part<'_>) {
        let Some(event) = calendar::read(&part.text()) else { return self.keep(part) };
        if self.events.contains(&event.key()) {
            return;
        }
        self.events.push(event.key());
        self.first.push(Piece::of_text(event.summary(self.language)));
        let description = event.description().map(Piece::of_text);
        self.otherwise = self.otherwise.take().or(description);
        self.keep(part);
        if let (None, Some(file)) = (part.headers.file_name(), self.files.last_mut()) {
            file.attachment.name = event.file_name();
        }
    }

    fn tnef(&mut self, part: &Part<'_>) {
        let Some(found) = tnef::read(&part.bytes()) else { return self.keep(part) };
        self.otherwise = self.otherwise.take().or(found.words);
        for file in found.files {
            let number = self.files.len() + 1;
            let attachment = attachment::named(&file.name, &file.media_type, file.bytes.into(), number);
            self.files.push(File { attachment, content_id: file.content_id, is_inline: false, is_attached: false });
        }
    }

    fn sealed(&mut self, part: &Part<'_>, place: &Place) -> Option<Vec<Piece>> {
        match sealed::cms(&part.bytes()) {
            Sealed::Open(content) => {
                self.is_signed = true;
                return self.pieces(&Part::parse(&content), place);
            }
            Sealed::Closed => self.is_sealed = true,
            Sealed::Neither => self.keep(part),
        }
        Some(Vec::new())
    }
}

/// Whether a part without parts of its own is something to read rather than a file.
fn is_words(part: &Part<'_>, media_type: &str, place: &Place) -> bool {
    // A multipart in which no boundary can be found is shown as it is.
    let is_text = media_type == "text/plain" || media_type == "text/html" || media_type.starts_with("multipart/");
    let is_sole = place.around.is_empty() || place.around == "multipart/alternative";
    // Some programs give the first text a name; a later one with a name is a file.
    let has_name = part.headers.file_name().is_some();
    is_text && !part.is_attached() && (is_sole || place.is_first || !has_name)
}

/// Forms, signatures and keys that say nothing to a person.
fn is_noise(part: &Part<'_>, media_type: &str, around: &str) -> bool {
    let is_form = ["text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext"].contains(&media_type);
    let is_signature = ["application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"]
        .contains(&media_type);
    // Thunderbird hangs the writer's key at every signed mail.
    let is_key = media_type == "application/pgp-keys"
        && part.headers.file_name().is_some_and(|name| name.starts_with("OpenPGP_0x"));
    (is_form && around == "multipart/alternative") || is_signature || is_key
}
