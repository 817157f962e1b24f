//! What the homeserver, and whoever watches over Fehmarn, may ask of us.

mod access;
mod answer;
mod health;
mod ping;
mod queries;
mod transactions;

pub use health::Readiness;

use crate::{bridge::Bridge, matrix::Registration};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, post, put},
};
use std::{future::IntoFuture, io, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A transaction has at most 100 room events of 65,536 bytes, and as much again of what we do not use.
const BODY_LIMIT: usize = 32 << 20;
/// The homeserver gives up after 60 s and tries again.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What the handlers share.
pub struct Site {
    pub bridge: Arc<Bridge>,
    pub registration: Registration,
    pub readiness: Readiness,
}

/// Serves until `stop`, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, site: Arc<Site>, stop: CancellationToken) -> io::Result<()> {
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // A short answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    });
    let stopping = stop.clone();
    let serving = axum::serve(listener, routes(site)).with_graceful_shutdown(stop.cancelled_owned()).into_future();
    tokio::select! {
        served = serving => served,
        () = async { stopping.cancelled().await; tokio::time::sleep(STOP_WITHIN).await } => Ok(()),
    }
}

fn routes(site: Arc<Site>) -> Router {
    let homeserver = Router::new()
        .route("/transactions/{txn}", put(transactions::take))
        .route("/users/{user}", get(queries::user))
        .route("/rooms/{alias}", get(queries::room))
        .route("/ping", post(ping::pong))
        .route("/thirdparty/{*what}", get(queries::third_party))
        .route_layer(middleware::from_fn_with_state(site.clone(), access::homeserver_only));
    Router::new()
        .nest("/_matrix/app/v1", homeserver)
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(any(answer::unrecognized))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(site)
}
