//! Pictures of ghosts.

use super::{Error, Intent};
use ruma::{OwnedMxcUri, api::client::profile::set_avatar_url};

/// What a picture is by its first bytes; `None` for what not every client shows as one.
pub fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        _ if is_webp => Some("image/webp"),
        _ => None,
    }
}

impl Intent<'_> {
    /// Each later change is an event in every room of the user. `None`: there is no picture any more.
    pub async fn set_avatar(&self, uri: Option<OwnedMxcUri>) -> Result<(), Error> {
        // As clients do it: homeservers take an empty text for none, and nothing else.
        let uri = uri.unwrap_or_else(|| OwnedMxcUri::from(""));
        #[allow(deprecated)]
        let request = set_avatar_url::v3::Request::new(self.user().to_owned(), Some(uri));
        self.send(request).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::picture_type;

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        assert_eq!(picture_type(b"\x89PNG\r\n"), Some("image/png"));
        assert_eq!(picture_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(picture_type(b"GIF89a"), Some("image/gif"));
        assert_eq!(picture_type(b"RIFF\0\0\0\0WEBPVP8"), Some("image/webp"));
        for none in [&b""[..], b"<svg/>", b"<html>", b"RIFF\0\0\0\0WAVE", b"RIFF"] {
            assert_eq!(picture_type(none), None);
        }
    }
}
