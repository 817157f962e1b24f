//! Files in a mail.

use crate::connectors::email::{
    mime::{Part, headers::Headers},
    text::clean,
};
use crate::message::Attachment;
use bytes::Bytes;

/// What a file is called that has no name, by its type.
const EXTENSIONS: &[(&str, &str)] = &[
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("image/svg+xml", "svg"),
    ("image/heic", "heic"),
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("application/json", "json"),
    ("application/xml", "xml"),
    ("application/msword", "doc"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/pkcs7-mime", "p7m"),
    ("application/pkcs7-signature", "p7s"),
    ("application/pgp-encrypted", "asc"),
    ("text/plain", "txt"),
    ("text/html", "html"),
    ("text/csv", "csv"),
    ("text/calendar", "ics"),
    ("text/vcard", "vcf"),
    ("text/rfc822-headers", "txt"),
    ("message/rfc822", "eml"),
    ("message/global", "eml"),
    ("message/delivery-status", "txt"),
    ("message/disposition-notification", "txt"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/ogg", "ogg"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
];

const ANY: &str = "application/octet-stream";

/// The file that a part holds. `number` tells nameless ones apart.
pub fn of(part: &Part<'_>, number: usize) -> Attachment {
    let name = part.headers.file_name().unwrap_or_default();
    named(&name, &part.media_type(), Bytes::from(part.bytes().into_owned()), number)
}

/// A file of this name, which may be empty, and of this type, which may be none.
pub fn named(name: &str, media_type: &str, bytes: Bytes, number: usize) -> Attachment {
    let given = clean::file_name(name);
    let media_type =
        Some(media_type.to_owned()).filter(|it| is_media_type(it) && it != ANY).or_else(|| by_name(given.as_deref()?));
    let media_type = media_type.unwrap_or_else(|| ANY.to_owned());
    let name = given.or_else(|| mail_name(&media_type, &bytes)).unwrap_or_else(|| nameless(&media_type, number));
    Attachment { name, media_type, location: String::new(), bytes }
}

/// The type of a file of which nothing is known but its name: many programs send every file as "any bytes".
fn by_name(name: &str) -> Option<String> {
    let (_, end) = name.rsplit_once('.')?;
    let end = end.to_ascii_lowercase();
    let end = if end == "jpeg" { "jpg" } else { end.as_str() };
    EXTENSIONS.iter().find(|(_, extension)| *extension == end).map(|(known, _)| (*known).to_owned())
}

/// A whole mail as a file.
pub fn of_mail(raw: Bytes) -> Attachment {
    let media_type = "message/rfc822".to_owned();
    let name = mail_name(&media_type, &raw).unwrap_or_else(|| nameless(&media_type, 1));
    Attachment { name, media_type, location: String::new(), bytes: raw }
}

/// A mail is called by its subject.
fn mail_name(media_type: &str, raw: &[u8]) -> Option<String> {
    if media_type != "message/rfc822" && media_type != "message/global" {
        return None;
    }
    let (headers, _) = Headers::parse(raw);
    // A colon and the like are no letters of a file name on some systems.
    let subject: String = headers.subject().chars().map(|c| if "/\\:*?\"<>|".contains(c) { ' ' } else { c }).collect();
    clean::file_name(&clean::line(&subject, 80)).map(|subject| format!("{subject}.eml"))
}

fn nameless(media_type: &str, number: usize) -> String {
    let extension = EXTENSIONS.iter().find(|(known, _)| *known == media_type).map_or("bin", |(_, extension)| extension);
    let kind = media_type.split('/').next().unwrap_or_default();
    let stem = if ["image", "audio", "video", "message"].contains(&kind) { kind } else { "file" };
    format!("{stem}-{number}.{extension}")
}

/// `type/subtype`, each a token in lower case (RFC 2045 section 5.1) of bounded length.
pub fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text.len() <= 127
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&^_.+-".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Attachment {
        of(&Part::parse(raw.as_bytes()), 3)
    }

    #[test]
    fn a_name_is_read_however_it_is_encoded() {
        for header in [
            "Content-Disposition: attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf",
            "Content-Disposition: attachment; filename*0*=UTF-8''Gr%C3%BC; filename*1*=%C3%9Fe.pdf",
            "Content-Disposition: attachment; filename=\"=?utf-8?B?R3LDvMOfZS5wZGY=?=\"",
            "Content-Type: application/pdf; name=\"=?iso-8859-1?Q?Gr=FC=DFe=2Epdf?=\"",
        ] {
            assert_eq!(read(&format!("{header}\r\n\r\nx")).name, "Gr\u{fc}\u{df}e.pdf", "{header}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert_eq!(read("Content-Disposition: attachment; filename=\"../../.ssh/config\"\r\n\r\nx").name, "config");
    }

    #[test]
    fn a_file_without_a_name_is_called_by_what_it_is() {
        assert_eq!(read("Content-Type: image/png\r\n\r\nx").name, "image-3.png");
        assert_eq!(read("Content-Type: application/x-unknown; name=\"/\"\r\n\r\nx").name, "file-3.bin");
        assert_eq!(
            read("Content-Type: message/rfc822\r\n\r\nSubject: AW: =?utf-8?Q?B=C3=BCro?=/x\r\n\r\ny").name,
            "AW B\u{fc}ro x.eml"
        );
        assert_eq!(read("Content-Type: message/rfc822\r\n\r\ny").name, "message-3.eml");
    }

    #[test]
    fn a_strange_type_is_any_bytes() {
        assert_eq!(read("Content-Type: foo<script>/x y\r\n\r\nx").media_type, "application/octet-stream");
        assert_eq!(read("Content-Type: Application/PDF\r\n\r\nx").media_type, "application/pdf");
    }
}
