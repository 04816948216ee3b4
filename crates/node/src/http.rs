//! Metrics and health over HTTP.

use std::fmt::Write;
use std::sync::Arc;

use atomik_core::Algebra;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::session::Cache;

/// The number that is no counter: it goes down, too.
const GAUGE: &str = "connections";

/// Serves for ever.
pub(crate) async fn serve<A: Algebra>(listener: TcpListener, cache: Arc<Cache<A>>) -> std::io::Result<()> {
    let health = Arc::clone(&cache);
    let metrics = move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], render(&cache)) };
    let healthz = move || async move {
        // Whether the task of the replica still answers.
        match health.node.answers().await {
            Ok(()) => (StatusCode::OK, "ok\n"),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node has ended\n"),
        }
    };
    let router = Router::new().route("/metrics", get(metrics)).route("/healthz", get(healthz));
    axum::serve(listener, router).await
}

/// The counters of a node in the text format of Prometheus.
fn render<A: Algebra>(cache: &Cache<A>) -> String {
    let mut text = String::new();
    for (name, count) in cache.node.stats().iter() {
        let (kind, suffix) = if name == GAUGE { ("gauge", "") } else { ("counter", "_total") };
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "# TYPE atomik_node_{name}{suffix} {kind}\natomik_node_{name}{suffix} {count}");
    }
    let peers = cache.node.peers().len();
    let _ = writeln!(text, "# TYPE atomik_node_peers gauge\natomik_node_peers {peers}");
    text
}
