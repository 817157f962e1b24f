//! What servers ask of a homeserver without signing it (Server-Server API 1.11): who holds an OpenID token, and that it
//! make an invitation of one that was written to an address.

use super::{Error, Homeserver};
use bytes::BytesMut;
use http::{Method, header::CONTENT_TYPE};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// More is none of the answers.
const ANSWER_LIMIT: u64 = 64 << 10;

/// Strangers can make us ask: they take no slot from messages that cross, and do not flood the homeserver.
const REQUESTS_AT_ONCE: usize = 4;

/// The federation API of our own homeserver.
pub struct Federation {
    homeserver: Homeserver,
    base: String,
    slots: Semaphore,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: OwnedUserId,
}

impl Federation {
    /// `base`: its URL, without `/_matrix`.
    pub fn new(homeserver: Homeserver, base: &str) -> Self {
        let slots = Semaphore::new(REQUESTS_AT_ONCE);
        Self { homeserver, base: base.trim_end_matches('/').to_owned(), slots }
    }

    /// Who holds this OpenID token.
    pub async fn token_holder(&self, token: &str) -> Result<OwnedUserId, Error> {
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("access_token", token).finish();
        let answer = self.ask(Method::GET, &format!("openid/userinfo?{query}"), None).await?;
        let info: UserInfo = serde_json::from_slice(&answer).map_err(|e| Error::Unreadable(e.to_string()))?;
        Ok(info.sub)
    }

    /// Tells that an address is somebody's, and so claims the invitations. POST, as Synapse, Dendrite and Sydent have
    /// it; the specification has PUT.
    pub async fn bound(&self, content: &Value) -> Result<(), Error> {
        self.ask(Method::POST, "3pid/onbind", Some(content)).await.map(drop)
    }

    /// Tries whether both can be asked.
    pub async fn probe(&self) -> Result<(), Error> {
        match self.token_holder("none").await {
            Err(error) if error.code() == "M_UNKNOWN_TOKEN" => {}
            Err(error) => return Err(error),
            Ok(user) => return Err(Error::Unreadable(format!("any token is taken for that of {user}"))),
        }
        self.bound(&json!({})).await
    }

    async fn ask(&self, method: Method, path: &str, content: Option<&Value>) -> Result<bytes::Bytes, Error> {
        let body = content.map(Value::to_string).unwrap_or_default();
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/_matrix/federation/v1/{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(BytesMut::from(body.as_bytes()))
            .map_err(|e| Error::Unreadable(e.to_string()))?;
        let _slot = self.slots.acquire().await.map_err(|_| Error::Unreachable("stopping".into()))?;
        Ok(self.homeserver.execute_now(request, ANSWER_LIMIT).await?.into_body())
    }
}
