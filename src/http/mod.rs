//! What the homeserver, and whoever watches over Fehmarn, may ask of us.

mod access;
mod answer;
mod clients;
mod fault;
mod health;
mod listener;
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
    middleware,
    routing::{any, get, post, put},
};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A transaction has at most 100 room events of 65,536 bytes, and as much again of what we do not use.
const BODY_LIMIT: usize = 32 << 20;

/// What the handlers share.
pub struct Site {
    pub bridge: Arc<Bridge>,
    pub registration: Registration,
    pub readiness: Readiness,
}

/// Serves the homeserver until `stop`, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, site: Arc<Site>, stop: CancellationToken) {
    serve_routes(listener, routes(site), stop).await;
}

/// The same for what clients may reach, on a listener of its own.
pub async fn serve_clients(listener: TcpListener, clients: Arc<Clients>, stop: CancellationToken) {
    serve_routes(listener, clients::routes(clients), stop).await;
}

/// The same for Prometheus, on a third one.
pub async fn serve_metrics(listener: TcpListener, watch: Arc<Watch>, stop: CancellationToken) {
    serve_routes(listener, metrics::routes(watch), stop).await;
}

async fn serve_routes(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let routes = routes.layer(middleware::from_fn(fault::catch));
    listener::serve(listener, routes, listener::LIMITS, stop).await;
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
        .with_state(site)
}
