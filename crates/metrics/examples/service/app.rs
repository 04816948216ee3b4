//! The service.

use std::time::{Duration, Instant};

use atomik_metrics::Handle;
use axum::Router;
use axum::extract::{MatchedPath, Path, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use metrics::Unit;

/// Says what the series are.
pub(crate) fn describe() {
    metrics::describe_counter!("http_requests_total", "Requests that were answered.");
    metrics::describe_gauge!("http_requests_in_flight", "Requests that are being answered.");
    metrics::describe_histogram!("http_request_seconds", Unit::Seconds, "How long answers take.");
}

pub(crate) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/items/{id}", get(item))
        .route("/slow", get(slow))
        .layer(from_fn(record))
        // Not recorded: behind the layer.
        .route("/metrics", atomik_metrics::http::route(handle))
}

async fn item(Path(id): Path<u32>) -> Result<String, StatusCode> {
    match id % 10 {
        9 => Err(StatusCode::NOT_FOUND),
        _ => Ok(format!("item {id}")),
    }
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(5)).await;
    "done"
}

/// Records every request, with the usual macros.
async fn record(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let in_flight = metrics::gauge!("http_requests_in_flight");
    in_flight.increment(1.0);
    let start = Instant::now();
    let response = next.run(request).await;
    let seconds = start.elapsed().as_secs_f64();
    in_flight.decrement(1.0);
    let code = response.status().as_u16().to_string();
    metrics::counter!("http_requests_total", "route" => route.clone(), "code" => code).increment(1);
    metrics::histogram!("http_request_seconds", "route" => route).record(seconds);
    response
}
