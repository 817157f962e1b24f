//! Requests to the homeserver: authenticated, bounded in number, size and time.

use super::transport::{Transport, read};
use crate::{
    failure::{Failure, Reason},
    metrics::{self, Connection},
    yaml::Secret,
};
use bytes::{Bytes, BytesMut};
use ruma::{
    DeviceId, UserId,
    api::{
        AppserviceUserIdentity, IncomingResponse, MatrixVersion, OutgoingRequest, SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        client::{appservice::request_ping, discovery::get_supported_versions},
        path_builder::{PathBuilder, SinglePath, VersionHistory},
    },
};
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};

/// The homeserver serves rooms in parallel and one room in order; more requests at once only queue up there.
const REQUESTS_AT_ONCE: usize = 8;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// Largest answer that is not media.
const ANSWER_LIMIT: u64 = 32 << 20;

/// A request that did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("the homeserver cannot be reached: {0}")]
    Unreachable(String),
    #[error("the homeserver answered {status} {code}: {message}")]
    Refused { status: u16, code: String, message: String, retry_after: Option<Duration> },
    #[error("the homeserver's answer is not as the specification has it: {0}")]
    Unreadable(String),
    #[error("the homeserver's answer is longer than {0} bytes")]
    TooLong(u64),
}

impl Error {
    /// The `errcode` of the answer; empty if there was none.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            _ => "",
        }
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 403, .. })
    }

    /// Whether the homeserver itself has answered, and to this very request: another one may well succeed. What a proxy
    /// says has no `errcode`, and whoever is told to wait or to sign in knows nothing about the request.
    pub fn is_about_the_request(&self) -> bool {
        matches!(self, Self::Refused { status, code, .. } if !code.is_empty() && !matches!(status, 401 | 429))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Unreachable(_) => Failure::transient(Reason::Unreachable, error),
            Error::Unreadable(_) => Failure::transient(Reason::Internal, error),
            Error::TooLong(_) => Failure::permanent(Reason::TooLarge, error),
            Error::Refused { status, code, retry_after, .. } => match (status, code.as_str()) {
                // An admin can mend the registration; what waits is not lost meanwhile.
                (401, _) => Failure::transient(Reason::AccessDenied, error),
                (413, _) | (_, "M_TOO_LARGE") => Failure::permanent(Reason::TooLarge, error),
                (429, _) => {
                    let wait = *retry_after;
                    let failure = Failure::transient(Reason::Busy, error);
                    wait.map_or(failure.clone(), |wait| failure.after(wait))
                }
                (400..=499, code) if !code.is_empty() => Failure::permanent(Reason::Refused, error),
                // A proxy in front of the homeserver speaks HTML: it says nothing about the request.
                _ => Failure::transient(Reason::Unreachable, error),
            },
        }
    }
}

/// The client side of the application service. Cheap to clone.
#[derive(Clone)]
pub struct Homeserver(Arc<Inner>);

struct Inner {
    transport: Transport,
    base: String,
    token: Secret,
    versions: SupportedVersions,
    slots: Semaphore,
    connection: Arc<Connection>,
}

/// How the path of an endpoint is chosen. Fehmarn asks for what specification 1.11 has (authenticated media).
pub trait Path: PathBuilder {
    fn input(versions: &SupportedVersions) -> Self::Input<'_>;
}

impl Path for VersionHistory {
    fn input(versions: &SupportedVersions) -> Cow<'_, SupportedVersions> {
        Cow::Borrowed(versions)
    }
}

impl Path for SinglePath {
    fn input(_: &SupportedVersions) -> Self::Input<'_> {}
}

/// A request that an application service can make.
pub trait Request:
    OutgoingRequest<Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>, PathBuilder: Path>
{
}
impl<R> Request for R where
    R: OutgoingRequest<Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>, PathBuilder: Path>
{
}

impl Homeserver {
    /// `base`: the URL of the client-server API, without `/_matrix`. `token`: the registration's `as_token`.
    pub fn new(base: &str, token: Secret) -> Result<Self, Error> {
        let versions =
            SupportedVersions { versions: BTreeSet::from([MatrixVersion::V1_11]), features: BTreeSet::new() };
        let base = base.trim_end_matches('/').to_owned();
        let connection = Connection::new("homeserver", &base);
        let (transport, slots) = (Transport::new()?, Semaphore::new(REQUESTS_AT_ONCE));
        Ok(Self(Arc::new(Inner { transport, base, token, versions, slots, connection })))
    }

    /// Whether it answers.
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Which versions of the specification the homeserver speaks. Asked without a token: to one that it does not know
    /// it would answer 401, and nothing of itself.
    pub async fn spec_versions(&self) -> Result<Vec<String>, Error> {
        let request = self.build(get_supported_versions::Request::new(), SendAccessToken::None)?;
        let response = self.execute(request, ANSWER_LIMIT).await?;
        let answer = get_supported_versions::Response::try_from_http_response(response);
        Ok(answer.map_err(|e| Error::Unreadable(chain(&e)))?.versions)
    }

    /// Asks the homeserver to ping us back; ends its back-off. Returns how long that took.
    pub async fn ping(&self, appservice_id: &str) -> Result<Duration, Error> {
        let request = request_ping::v1::Request::new(appservice_id.to_owned());
        Ok(self.send(request, None, None).await?.duration)
    }

    /// Sends a request as a user (or as the application service itself) and that user's device.
    pub(super) async fn send<R: Request>(
        &self,
        request: R,
        user: Option<&UserId>,
        device: Option<&DeviceId>,
    ) -> Result<R::IncomingResponse, Error> {
        let response = self.exchange(request, user, device, ANSWER_LIMIT).await?;
        R::IncomingResponse::try_from_http_response(response).map_err(|e| Error::Unreadable(chain(&e)))
    }

    /// As `send`, for an endpoint whose answer may be up to `limit` bytes long.
    pub(super) async fn exchange<R: Request>(
        &self,
        request: R,
        user: Option<&UserId>,
        device: Option<&DeviceId>,
        limit: u64,
    ) -> Result<http::Response<Bytes>, Error> {
        let request = self.build_as(request, user, device)?;
        self.execute(request, limit).await
    }

    /// As `send`, for a request that only waits: it takes no slot from those that work.
    pub(super) async fn send_beside<R: Request>(
        &self,
        request: R,
        user: &UserId,
    ) -> Result<R::IncomingResponse, Error> {
        let request = self.build_as(request, Some(user), None)?;
        let response = self.execute_now(request, ANSWER_LIMIT).await?;
        R::IncomingResponse::try_from_http_response(response).map_err(|e| Error::Unreadable(chain(&e)))
    }

    fn build_as<R: Request>(
        &self,
        request: R,
        user: Option<&UserId>,
        device: Option<&DeviceId>,
    ) -> Result<http::Request<BytesMut>, Error> {
        // Always: what the specification gives to everybody, a homeserver may be told to keep from strangers (Synapse:
        // require_auth_for_profile_requests).
        let mut request = self.build(request, SendAccessToken::Always(self.0.token.expose()))?;
        let mut identity = AppserviceUserIdentity::default();
        identity.user_id = user;
        identity.device_id = device;
        identity.maybe_add_to_uri(request.uri_mut()).map_err(|e| Error::Unreadable(chain(&e)))?;
        Ok(request)
    }

    fn build<R: Request>(&self, request: R, token: SendAccessToken<'_>) -> Result<http::Request<BytesMut>, Error> {
        let versions = R::PathBuilder::input(&self.0.versions);
        request.try_into_http_request(&self.0.base, token, versions).map_err(|e| Error::Unreadable(chain(&e)))
    }

    async fn execute(&self, request: http::Request<BytesMut>, limit: u64) -> Result<http::Response<Bytes>, Error> {
        let _slot = self.0.slots.acquire().await.map_err(|_| Error::Unreachable("stopping".into()))?;
        let began = Instant::now();
        let result = self.execute_now(request, limit).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Error::Unreachable(_)) => "unreachable",
            Err(_) => "refused",
        };
        metrics::request(outcome, began.elapsed());
        result
    }

    pub(super) async fn execute_now(
        &self,
        request: http::Request<BytesMut>,
        limit: u64,
    ) -> Result<http::Response<Bytes>, Error> {
        let response = self.pass_on(request.map(BytesMut::freeze), limit).await?;
        if response.status().is_success() { Ok(response) } else { Err(refused(&response)) }
    }

    /// Of an endpoint of the client-server API.
    pub(super) fn client_url(&self, path: &str) -> String {
        format!("{}/_matrix/client/v3/{path}", self.0.base)
    }

    /// The answer to a request, whatever it says. Takes no slot.
    pub(super) async fn pass_on(
        &self,
        request: http::Request<Bytes>,
        limit: u64,
    ) -> Result<http::Response<Bytes>, Error> {
        match timeout(REQUEST_TIMEOUT, self.ask(request, limit)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.0.connection.is_broken();
                Err(Error::Unreachable(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())))
            }
        }
    }

    async fn ask(&self, request: http::Request<Bytes>, limit: u64) -> Result<http::Response<Bytes>, Error> {
        let response = self.0.transport.send(request).await.inspect_err(|_| self.0.connection.is_broken())?;
        // A proxy before a homeserver that is away; Synapse itself answers 502 to a ping that did not come back.
        let is_json =
            response.headers().get(http::header::CONTENT_TYPE).is_some_and(|it| it.as_bytes().ends_with(b"json"));
        match response.status().as_u16() {
            502..=504 if !is_json => self.0.connection.is_broken(),
            _ => self.0.connection.works(),
        }
        read(response, limit).await
    }
}

fn refused(response: &http::Response<Bytes>) -> Error {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        errcode: String,
        error: String,
        retry_after_ms: Option<u64>,
    }
    let body: Body = serde_json::from_slice(response.body()).unwrap_or_default();
    let header = response.headers().get(http::header::RETRY_AFTER);
    let seconds = header.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    Error::Refused {
        status: response.status().as_u16(),
        code: body.errcode,
        message: body.error.chars().take(200).collect(),
        retry_after: body.retry_after_ms.map(Duration::from_millis).or(seconds.map(Duration::from_secs)),
    }
}

/// An error with its causes; the outermost text alone often says only "client error".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
