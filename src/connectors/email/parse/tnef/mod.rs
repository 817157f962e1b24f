//! `winmail.dat`: how Outlook packs a mail that it believes to go to Outlook (MS-OXTNEF).

mod package;
mod properties;
mod rtf;

use super::body::Piece;
use crate::connectors::email::{
    mime::charset,
    text::{clean, html},
};
use properties::{Properties, Value};

const SIGNATURE: [u8; 4] = 0x223e_9f78_u32.to_le_bytes();
/// How many attributes are looked at, and how many files are unpacked.
const ATTRIBUTES: usize = 5_000;
const FILES: usize = 200;
/// How deep messages in messages are unpacked.
const DEPTH: usize = 3;

// MS-OXTNEF section 2.1.3.2: the attributes that matter. Some programs write other types before them.
const CODE_PAGE: u16 = 0x9007;
const MESSAGE_PROPERTIES: u16 = 0x9003;
const PLAIN_BODY: u16 = 0x800c;
const FILE_BEGINS: u16 = 0x9002;
const FILE_TITLE: u16 = 0x8010;
const FILE_DATA: u16 = 0x800f;
const FILE_PROPERTIES: u16 = 0x9005;

// MS-OXPROPS.
const BODY: u16 = 0x1000;
const COMPRESSED_RTF: u16 = 0x1009;
const HTML: u16 = 0x1013;
const SUBJECT: u16 = 0x0037;
const DISPLAY_NAME: u16 = 0x3001;
const FILE_OBJECT: u16 = 0x3701;
const SHORT_NAME: u16 = 0x3704;
const LONG_NAME: u16 = 0x3707;
const MEDIA_TYPE: u16 = 0x370e;
const CONTENT_ID: u16 = 0x3712;
const INTERNET_CODE_PAGE: u16 = 0x3fde;

/// What a `winmail.dat` holds.
#[derive(Debug, Default)]
pub struct Found {
    pub words: Option<Piece>,
    pub files: Vec<Packed>,
}

/// A file in it.
#[derive(Debug, Default)]
pub struct Packed {
    pub name: String,
    /// Empty if none is named.
    pub media_type: String,
    pub content_id: Option<String>,
    pub bytes: Vec<u8>,
    /// The files of the message that it is, if it is one.
    inner: Vec<Packed>,
}

/// Unpacks it; `None` for what is none. What is broken is read as far as it goes.
pub fn read(bytes: &[u8]) -> Option<Found> {
    unpack(bytes, 0)
}

fn unpack(bytes: &[u8], depth: usize) -> Option<Found> {
    let mut reader = Reader(bytes);
    // The signature and a key that means nothing.
    if reader.take(4)? != SIGNATURE || reader.take(2).is_none() || depth > DEPTH {
        return None;
    }
    let mut found = Found::default();
    let mut code_page = String::new();
    for _ in 0..ATTRIBUTES {
        let Some((name, data)) = reader.attribute() else { break };
        match name {
            CODE_PAGE => code_page = charset_of(Reader(data).number().unwrap_or_default()),
            PLAIN_BODY => {
                found.words = found.words.take().or_else(|| plain(&charset::decode(until_zero(data), &code_page)))
            }
            MESSAGE_PROPERTIES => found.words = message(data, &code_page).or(found.words.take()),
            FILE_BEGINS if found.files.len() < FILES => found.files.push(Packed::default()),
            _ => {
                if let Some(file) = found.files.last_mut() {
                    file.take(name, data, &code_page, depth);
                }
            }
        }
    }
    let flat = found.files.into_iter().flat_map(|mut file| {
        let inner = std::mem::take(&mut file.inner);
        [file].into_iter().chain(inner)
    });
    found.files = flat.filter(|file| !file.bytes.is_empty()).take(FILES).collect();
    Some(found)
}

impl Packed {
    fn take(&mut self, name: u16, data: &[u8], code_page: &str, depth: usize) {
        match name {
            FILE_TITLE if self.name.is_empty() => self.name = charset::decode(until_zero(data), code_page),
            FILE_DATA if self.bytes.is_empty() => self.bytes = data.to_vec(),
            FILE_PROPERTIES => self.take_properties(&Properties::read(data, code_page), code_page, depth),
            _ => {}
        }
    }

    fn take_properties(&mut self, properties: &Properties, code_page: &str, depth: usize) {
        let names = [LONG_NAME, SHORT_NAME, DISPLAY_NAME].into_iter().filter_map(|id| properties.text(id));
        if let Some(name) = names.into_iter().find(|name| !name.trim().is_empty()) {
            self.name = name;
        }
        self.media_type = properties.text(MEDIA_TYPE).unwrap_or_default().trim().to_ascii_lowercase();
        self.content_id = properties.text(CONTENT_ID).map(|id| id.trim_matches(['<', '>', ' ']).to_owned());
        self.content_id.take_if(|id| id.is_empty());
        match properties.get(FILE_OBJECT) {
            // The content begins behind the identifier of the interface that it has.
            Some(Value::Object(object)) => match object.get(16..).map(|inner| (inner, unpack(inner, depth + 1))) {
                Some((inner, Some(message))) => self.be_message(message, inner),
                Some((inner, None)) if !inner.is_empty() => self.be_object(inner, code_page),
                _ => {}
            },
            Some(Value::Bytes(bytes)) if !bytes.is_empty() => self.bytes = bytes.clone(),
            _ => {}
        }
    }

    /// An object that holds a file is that file; any other stays what it is.
    fn be_object(&mut self, object: &[u8], code_page: &str) {
        let Some((name, file)) = package::unpack(object, code_page) else {
            self.bytes = object.to_vec();
            return;
        };
        (self.bytes, self.media_type) = (file, String::new());
        if !name.trim().is_empty() {
            self.name = name;
        }
    }

    /// A message in the message becomes its words and its files: nobody but Outlook could open it. What has neither, as a
    /// list of people, stays what it is.
    fn be_message(&mut self, message: Found, packed: &[u8]) {
        let words = message.words.unwrap_or_default();
        let text = words.text.or_else(|| words.html.as_deref().map(html::to_text)).unwrap_or_default();
        self.inner = message.files;
        if text.is_empty() && self.inner.is_empty() {
            self.bytes = packed.to_vec();
            return;
        }
        self.bytes = text.into_bytes();
        "text/plain".clone_into(&mut self.media_type);
        if !self.name.to_ascii_lowercase().ends_with(".txt") {
            self.name.push_str(".txt");
        }
    }
}

/// The words of a message: HTML, else what its RTF says, else plain text.
fn message(data: &[u8], code_page: &str) -> Option<Piece> {
    let properties = Properties::read(data, code_page);
    let charset = match properties.get(INTERNET_CODE_PAGE) {
        Some(Value::Number(page)) => charset_of(*page),
        _ => code_page.to_owned(),
    };
    let text = properties.text(BODY).map(|text| clean::lines(&text)).filter(|text| !text.is_empty());
    let html = match properties.get(HTML) {
        Some(Value::Bytes(bytes)) => Some(charset::decode(bytes, &charset)),
        _ => properties.text(HTML),
    };
    let piece = match (html, properties.get(COMPRESSED_RTF)) {
        (Some(html), _) => Piece::of_html(&html),
        (None, Some(Value::Bytes(compressed))) => match rtf::expand(compressed).map(|rtf| rtf::read(&rtf)) {
            Some(rtf::Words::Html(html)) => Piece::of_html(&html),
            Some(rtf::Words::Text(words)) => Piece::of_text(clean::lines(&words)),
            None => Piece::default(),
        },
        _ => Piece::default(),
    };
    let piece = Piece { text: text.or(piece.text), ..piece };
    let subject = || properties.text(SUBJECT).and_then(|subject| plain(&subject));
    if piece.html.is_some() || piece.text.as_ref().is_some_and(|text| !text.is_empty()) {
        Some(piece)
    } else {
        subject()
    }
}

fn plain(text: &str) -> Option<Piece> {
    let text = clean::lines(text);
    (!text.is_empty()).then_some(Piece::of_text(text))
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn charset_of(code_page: u32) -> String {
    match code_page {
        65001 => "utf-8".to_owned(),
        28591..=28606 => format!("iso-8859-{}", code_page - 28590),
        20866 => "koi8-r".to_owned(),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        page => format!("windows-{page}"),
    }
}

/// Numbers are little-endian.
struct Reader<'x>(&'x [u8]);

impl<'x> Reader<'x> {
    fn take(&mut self, length: usize) -> Option<&'x [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Name and data of the next attribute (MS-OXTNEF section 2.1.3.1). Many programs write wrong checksums.
    fn attribute(&mut self) -> Option<(u16, &'x [u8])> {
        self.take(1)?;
        let (name, _kind) = (self.short()?, self.short()?);
        let length = usize::try_from(self.number()?).ok()?;
        // What was cut off is read as far as it goes.
        let data = self.take(length.min(self.0.len()))?;
        self.take(2);
        Some((name, data))
    }
}

#[cfg(test)]
pub mod tests;
