//! Files on the homeserver, by the authenticated endpoints (Client-Server API 1.11, section 11.7).

use super::{Error, Homeserver, Intent};
use bytes::Bytes;
use ruma::{
    MxcUri, OwnedMxcUri,
    api::client::{authenticated_media::get_content, media::create_content},
};

impl Homeserver {
    /// The bytes of a file, at most `limit` of them.
    pub async fn download(&self, uri: &MxcUri, limit: u64) -> Result<Bytes, Error> {
        let request = get_content::v1::Request::from_uri(uri).map_err(|e| Error::Unreadable(format!("{uri}: {e}")))?;
        Ok(self.exchange(request, None, None, limit).await?.into_body())
    }
}

impl Intent<'_> {
    pub async fn upload(&self, name: &str, media_type: &str, bytes: &Bytes) -> Result<OwnedMxcUri, Error> {
        let mut request = create_content::v3::Request::new(bytes.to_vec());
        request.filename = Some(name.to_owned());
        request.content_type = Some(media_type.to_owned());
        Ok(self.homeserver().send(request, Some(self.user()), None).await?.content_uri)
    }
}
