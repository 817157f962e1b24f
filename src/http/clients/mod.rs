//! What clients may ask of us: the Identity Service API v2, by which an address typed into a client's own box becomes a
//! ghost, and the search for users. Apart from what the homeserver asks, and on a listener of its own: this one stands in
//! the open, behind a reverse proxy.

mod account;
mod invite;
mod limit;
mod lookup;
mod search;
mod terms;

use super::{
    access,
    answer::{self, Refusal},
    query::fields,
};
use crate::{bridge::Bridge, store::now};
use axum::{
    Json, Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use data_encoding::HEXLOWER;
use limit::Limit;
use ruma::OwnedUserId;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{fmt::Display, net::SocketAddr, sync::Arc};
use tower_http::cors::CorsLayer;

/// A thousand hashed addresses are about 50 KiB.
const BODY_LIMIT: usize = 256 << 10;
/// A token is good for so long; clients then fetch another one without a word.
pub const TOKENS_FOR_MS: i64 = 30 * 86_400 * 1000;

/// The section `identity` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub listen: SocketAddr,
    /// How clients and the homeserver get there: `https://id.example.org`.
    pub url: String,
    /// Where the homeserver answers its federation API; where it answers clients, if this is missing.
    pub federation_url: Option<String>,
    #[serde(default)]
    pub lookup: Algorithm,
    pub terms: Option<Terms>,
}

/// How addresses are written in a lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Hashed: only people who are known already are found.
    #[default]
    Sha256,
    /// Plainly: everybody is found who could be written to.
    None,
}

impl Algorithm {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::None => "none",
        }
    }
}

/// What has to be accepted before the service is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    pub name: String,
    pub url: String,
    pub version: String,
}

/// What the handlers share.
pub struct Clients {
    bridge: Arc<Bridge>,
    settings: Settings,
    /// The host of our URL: who signs.
    name: String,
    addresses: Limit,
    invitations: Limit,
}

impl Clients {
    pub fn new(bridge: Arc<Bridge>, settings: Settings) -> Self {
        // An address book at once; then as many addresses as somebody types.
        let (addresses, invitations) = (Limit::new(2000.0, 5.0), Limit::new(20.0, 0.2));
        let name = url::Url::parse(&settings.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        Self { bridge, settings, name: name.unwrap_or_default(), addresses, invitations }
    }

    /// An address below our public URL.
    fn public(&self, path: &str) -> String {
        format!("{}{path}", self.settings.url.trim_end_matches('/'))
    }

    /// Who asks, having accepted the terms.
    async fn user(&self, headers: &HeaderMap, query: Option<&str>) -> Result<OwnedUserId, Refusal> {
        let user = self.signed_in(headers, query).await?;
        if let Some(terms) = &self.settings.terms
            && !self.bridge.store.has_accepted(&user, &terms.id()).await.map_err(failed)?
        {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "M_TERMS_NOT_SIGNED", "the terms are not accepted yet"));
        }
        Ok(user)
    }

    /// Who asks.
    async fn signed_in(&self, headers: &HeaderMap, query: Option<&str>) -> Result<OwnedUserId, Refusal> {
        let unknown = || Refusal::new(StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED", "this token is not known");
        let hash = token_hash(&token(headers, query).ok_or_else(unknown)?);
        let owner = self.bridge.store.token_owner(&hash, now() - TOKENS_FOR_MS).await.map_err(failed)?;
        owner.ok_or_else(unknown)
    }
}

pub(super) fn routes(clients: Arc<Clients>) -> Router {
    let identity = Router::new()
        .route("/account", get(account::who))
        .route("/account/register", post(account::register))
        .route("/account/logout", post(account::log_out))
        .route("/terms", get(terms::show).post(terms::accept))
        .route("/hash_details", get(lookup::details))
        .route("/lookup", post(lookup::look_up))
        .route("/store-invite", post(invite::store))
        .route("/pubkey/isvalid", get(invite::is_valid))
        .route("/pubkey/ephemeral/isvalid", get(invite::is_valid_once))
        .route("/pubkey/{key}", get(invite::public_key));
    Router::new()
        .nest("/_matrix/identity/v2", identity)
        .route("/_matrix/identity/v2", get(hello))
        .route("/_matrix/identity/v2/", get(hello))
        .route("/_matrix/identity/versions", get(versions))
        .route("/_matrix/client/v3/user_directory/search", post(search::search))
        .route("/_matrix/client/r0/user_directory/search", post(search::search))
        .fallback(any(answer::unrecognized))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        // Clients in a browser come from another origin ("Web Browser Clients"). All headers by name: to a browser, `*`
        // means all but Authorization.
        .layer(CorsLayer::very_permissive().allow_credentials(false))
        .with_state(clients)
}

/// There is an identity service here.
async fn hello() -> Response {
    answer::done()
}

async fn versions() -> Response {
    Json(json!({ "versions": ["v1.11"] })).into_response()
}

fn token(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    access::bearer(headers).map(str::to_owned).or_else(|| fields(query).remove("access_token"))
}

/// Tokens are 256 random bits: a plain hash is enough.
fn token_hash(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() { "M_BAD_JSON" } else { "M_NOT_JSON" };
        Refusal::new(StatusCode::BAD_REQUEST, code, "the body is not what the specification has here")
    })
}

/// Something of our own did not work.
fn failed(error: impl Display) -> Refusal {
    tracing::error!(%error, "a client cannot be answered");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "Fehmarn cannot answer now")
}
