//! Asking the homeserver for somebody who has asked us, with their own token.

use super::{Error, Homeserver};
use bytes::Bytes;
use http::{
    HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use ruma::OwnedUserId;
use serde::Deserialize;

const ANSWER_LIMIT: u64 = 4 << 20;

/// A request of somebody else.
pub struct Caller {
    homeserver: Homeserver,
    /// As they have sent it.
    authorization: HeaderValue,
}

#[derive(Deserialize)]
struct WhoAmI {
    user_id: OwnedUserId,
}

impl Homeserver {
    pub fn caller(&self, authorization: HeaderValue) -> Caller {
        Caller { homeserver: self.clone(), authorization }
    }
}

impl Caller {
    /// Who they are; `None` if the homeserver does not know them.
    pub async fn user(&self) -> Result<Option<OwnedUserId>, Error> {
        let answer = self.ask(Method::GET, "account/whoami", Bytes::new()).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let who: WhoAmI = serde_json::from_slice(answer.body()).map_err(|e| Error::Unreadable(e.to_string()))?;
        Ok(Some(who.user_id))
    }

    /// The homeserver's own answer to a search for users, whatever it says.
    pub async fn search_users(&self, body: Bytes) -> Result<http::Response<Bytes>, Error> {
        self.ask(Method::POST, "user_directory/search", body).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<http::Response<Bytes>, Error> {
        let request = http::Request::builder()
            .method(method)
            .uri(self.homeserver.client_url(path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| Error::Unreadable(e.to_string()))?;
        self.homeserver.pass_on(request, ANSWER_LIMIT).await
    }
}
