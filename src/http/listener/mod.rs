//! Whoever connects: how many at once, and how long each of them may take. Nobody holds a place for good.

mod heard;
#[cfg(test)]
mod tests;

use axum::{Router, http::StatusCode};
use heard::Heard;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Whoever comes beyond that waits until one of them ends.
    pub connections: usize,
    /// From the connection, or the last answer, to the end of a request's head.
    pub head: Duration,
    /// From there to our answer: for the request's body and for our work.
    pub request: Duration,
    /// For the other side to take some more of an answer.
    pub answer: Duration,
    /// For what is in flight after the word to stop.
    pub stop: Duration,
}

pub(super) const LIMITS: Limits = Limits {
    connections: 256,
    // Synapse keeps a connection that it does not use for 120 seconds. If we ended it first, that might be just when it
    // pushes a transaction, and that transaction would have failed.
    head: Duration::from_secs(150),
    // The homeserver gives up after this time and tries again; what is half done by then is undone.
    request: Duration::from_secs(60),
    answer: Duration::from_secs(60),
    stop: Duration::from_secs(5),
};

/// Serves until `stop`, then lets requests in flight finish.
pub(super) async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: CancellationToken) {
    let routes = routes.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request));
    let service = TowerToHyperService::new(routes);
    let (places, stopping) = (Arc::new(Semaphore::new(limits.connections)), GracefulShutdown::new());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    while let Some((stream, place)) = stop.run_until_cancelled(next(&listener, &places)).await {
        // A short answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Heard::new(stream, limits.answer));
        let connection = stopping.watch(http.serve_connection(stream, service.clone()));
        tokio::spawn(async move {
            // Whatever ends it, the other side knows as much as we do.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(limits.stop, stopping.shutdown()).await;
}

/// The next connection, as soon as there is a place for it.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                // Out of file descriptors, most likely: there may be some in a moment.
                tracing::warn!(%error, "HTTP cannot take a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
