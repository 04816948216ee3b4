//! A worker process.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use atomik_metrics::shared::{SharedRecorder, SharedSize};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpSocket;

/// Serves until it is killed.
pub(crate) fn run(path: &Path, port: u16) -> Result<(), Box<dyn Error>> {
    let handle = SharedRecorder::open(path, SharedSize::default())?.install()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = bind(port)?.listen(128)?;
        let router = Router::new()
            .route("/", get(async || "hello"))
            .layer(from_fn(record))
            // Not recorded: behind the layer.
            .route("/metrics", atomik_metrics::http::route(handle));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// A socket on a port that all workers share. The kernel gives each connection to one of those who listen.
pub(crate) fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

/// Records every request, with the usual macros, before it is answered.
async fn record(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let response = next.run(request).await;
    metrics::counter!("http_requests_total", "code" => response.status().as_u16().to_string()).increment(1);
    metrics::histogram!("http_request_seconds").record(start.elapsed().as_secs_f64());
    response
}
