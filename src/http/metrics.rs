//! For Prometheus, on a listener of its own: how much there is, how long it takes, what works.

use crate::{
    bridge::{Bridge, Counted},
    metrics::{self, Connection},
    store::now,
};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use serde::Deserialize;
use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The section `metrics`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Where Prometheus finds us. There is no sign-in.
    pub listen: SocketAddr,
}

/// What is shown beside what is counted.
pub struct Watch {
    bridge: Arc<Bridge>,
    counted: Registry,
    started_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rows {
    queue: &'static str,
    connector: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    queue: &'static str,
    connector: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    connector: &'static str,
    connection: &'static str,
    peer: String,
}

type Seconds = Gauge<f64, AtomicU64>;

impl Watch {
    pub fn new(bridge: Arc<Bridge>) -> Self {
        metrics::begin(bridge.connectors.keys().copied().chain(["matrix"]));
        Self { bridge, counted: metrics::registry(), started_at: now() }
    }

    async fn page(&self) -> Result<String, fmt::Error> {
        let mut now = Registry::default();
        let depths = self.bridge.depths().await;
        let database = Gauge::<i64>::default();
        database.set(depths.is_ok().into());
        now.register("fehmarn_database_up", "Whether the database answers", database);
        if let Ok(counted) = &depths {
            register_queues(&mut now, counted);
        }
        self.register_connections(&mut now);
        let doubt = Gauge::<i64>::default();
        doubt.set(self.bridge.reconcile.is_in_doubt().into());
        let help = "Whether the homeserver may have forgotten to push something";
        now.register("fehmarn_homeserver_in_doubt", help, doubt);
        self.register_process(&mut now);
        let mut page = String::new();
        text::encode_registry(&mut page, &self.counted)?;
        text::encode_registry(&mut page, &now)?;
        text::encode_eof(&mut page)?;
        Ok(page)
    }

    fn register_connections(&self, registry: &mut Registry) {
        let up = Family::<To, Gauge>::default();
        let add = |connector: &'static str, connection: &Connection| {
            let Some(state) = connection.state() else { return };
            let to = To { connector, connection: connection.kind, peer: connection.peer.clone() };
            up.get_or_create(&to).set(state.into());
        };
        add("matrix", self.bridge.homeserver.connection());
        for (name, connector) in &self.bridge.connectors {
            connector.connections().iter().for_each(|connection| add(name, connection));
        }
        registry.register("fehmarn_connection_up", "Whether a connection worked when it was used last", up);
    }

    fn register_process(&self, registry: &mut Registry) {
        let started = Gauge::<i64>::default();
        started.set(self.started_at / 1000);
        registry.register("process_start_time_seconds", "When it was started, since 1970", started);
        let Some(process) = metrics::process() else { return };
        let mut add = |name: &str, help: &str, value: i64| {
            let gauge = Gauge::<i64>::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        add("process_open_fds", "Files and connections that are open", process.open_files);
        add("process_max_fds", "How many may be open", process.most_files.unwrap_or(-1));
        add("process_resident_memory_bytes", "Memory in use", process.resident_bytes);
    }
}

fn register_queues(registry: &mut Registry, counted: &Counted) {
    let (rows, oldest, age) = (Family::<Rows, Gauge>::default(), Family::<Of, Seconds>::default(), Seconds::default());
    for (queue, depths) in &counted.queues {
        let queue = queue.table();
        for (connector, depth) in depths {
            let states = [("waiting", depth.waiting), ("held", depth.held), ("dead", depth.dead)];
            for (state, count) in states {
                rows.get_or_create(&Rows { queue, connector, state }).set(count);
            }
            let seconds = depth.oldest.map_or(0.0, |at| (now() - at).max(0) as f64 / 1000.0);
            oldest.get_or_create(&Of { queue, connector }).set(seconds);
        }
    }
    age.set(counted.at.elapsed().as_secs_f64());
    registry.register("fehmarn_queue_rows", "Rows in a queue", rows);
    registry.register("fehmarn_queue_oldest_seconds", "Age of the oldest row that is not dead", oldest);
    registry.register("fehmarn_queue_count_age_seconds", "How long ago the rows were counted", age);
}

pub(super) fn routes(watch: Arc<Watch>) -> Router {
    Router::new().route("/metrics", get(show)).with_state(watch)
}

async fn show(State(watch): State<Arc<Watch>>) -> Response {
    match watch.page().await {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
