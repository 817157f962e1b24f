//! What the homeserver, and whoever watches over Fehmarn, may ask of us.

mod access;
mod answer;
mod clients;
mod fault;
mod health;
mod metrics;
mod ping;
mod queries;
mod query;
mod third_party;
mod transactions;

pub use clients::{Clients, Settings, TOKENS_FOR_MS};
pub use health::Readiness;
pub use metrics::{MetricsSettings, Watch};

use crate::{bridge::Bridge, matrix::Registration};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    routing::{any, get, post, put},
};
use std::{future::IntoFuture, io, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

/// A transaction has at most 100 room events of 65,536 bytes, and as much again of what we do not use.
const BODY_LIMIT: usize = 32 << 20;
/// The homeserver gives up after this time and tries again; what is half done by then is undone.
const REQUEST_TIME: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What the handlers share.
pub struct Site {
    pub bridge: Arc<Bridge>,
    pub registration: Registration,
    pub readiness: Readiness,
}

/// Serves the homeserver until `stop`, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, site: Arc<Site>, stop: CancellationToken) -> io::Result<()> {
    serve_routes(listener, routes(site), stop).await
}

/// The same for what clients may reach, on a listener of its own.
pub async fn serve_clients(listener: TcpListener, clients: Arc<Clients>, stop: CancellationToken) -> io::Result<()> {
    serve_routes(listener, clients::routes(clients), stop).await
}

/// The same for Prometheus, on a third one.
pub async fn serve_metrics(listener: TcpListener, watch: Arc<Watch>, stop: CancellationToken) -> io::Result<()> {
    serve_routes(listener, metrics::routes(watch), stop).await
}

async fn serve_routes(listener: TcpListener, routes: Router, stop: CancellationToken) -> io::Result<()> {
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // A short answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    });
    let stopping = stop.clone();
    let routes = routes.layer(middleware::from_fn(fault::catch));
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).into_future();
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
        .route("/thirdparty/protocol/{name}", get(third_party::protocol))
        .route("/thirdparty/user", get(third_party::user_by_id))
        .route("/thirdparty/user/{name}", get(third_party::user))
        .route("/thirdparty/location", get(third_party::location_by_alias))
        .route("/thirdparty/location/{name}", get(third_party::location))
        .route_layer(middleware::from_fn_with_state(site.clone(), access::homeserver_only));
    Router::new()
        .nest("/_matrix/app/v1", homeserver)
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(any(answer::unrecognized))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIME))
        .with_state(site)
}
