//! Attachments.

use crate::{
    connectors::email::{parse::attachment::is_media_type, text::clean},
    message::Attachment,
};
use mail_builder::{
    encoders::Base64Encoder,
    headers::content_type::ContentType,
    mime::{BodyPart, MimePart},
};

/// A file. Its name stands there by RFC 2231, and by RFC 2047 for Outlook, which wants it so.
pub fn attached(file: &Attachment, number: usize) -> MimePart<'_> {
    let name = clean::file_name(&file.name).unwrap_or_else(|| format!("file-{number}"));
    let media_type = file.media_type.to_ascii_lowercase();
    // Only any bytes may be in base64 where a mail or a multipart may not (RFC 2046 section 5.2.1).
    let is_composite = media_type.starts_with("message/") || media_type.starts_with("multipart/");
    let media_type =
        if is_media_type(&media_type) && !is_composite { media_type } else { "application/octet-stream".to_owned() };
    let is_text = media_type.starts_with("text/");
    let kind = ContentType::new(media_type).attribute("name", encoded_words(&name));
    let part = if is_text {
        // Left alone, text is sent as it is, and servers on the way cut blanks off and put ">" before "From".
        let mut encoded = Vec::new();
        Base64Encoder::new().wrap_lines().encode_into(&file.bytes, &mut encoded);
        MimePart::new(kind, BodyPart::from(encoded)).transfer_encoding("base64")
    } else {
        MimePart::new(kind, BodyPart::from(file.bytes.as_ref()))
    };
    part.attachment(name)
}

/// RFC 2047 section 2: words of at most 75 characters, never a character in two of them.
fn encoded_words(text: &str) -> String {
    const BYTES: usize = 45;
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut chunks = vec![String::new()];
    for c in text.chars() {
        match chunks.last_mut() {
            Some(last) if last.len() + c.len_utf8() <= BYTES => last.push(c),
            _ => chunks.push(c.to_string()),
        }
    }
    let encode = |chunk: &String| format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(chunk.as_bytes()));
    chunks.iter().map(encode).collect::<Vec<_>>().join(" ")
}
