//! An axum service under load from its own generator, with `/metrics` and a live view of rate and latency.
//!
//! ```sh
//! cargo run --release -p atomik-metrics --features axum --example service
//! cargo run --release -p atomik-metrics --features axum --example service -- --seconds 5 --json
//! ```
//!
//! At the end it compares what the recorder counted with what the generator got, and fails on a difference.

mod account;
mod app;
mod args;
mod load;
mod view;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use atomik_metrics::Handle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use args::Args;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&args))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the service and the load. Returns whether the recorder's counts are those of the generator.
async fn run(args: &Args) -> Result<bool, Box<dyn std::error::Error>> {
    let handle: Handle = atomik_metrics::install!()?;
    app::describe();
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app::router(handle)).await });
    if !args.json {
        println!("http://{address}/metrics");
    }

    let handle = atomik_metrics::handle();
    let start = Instant::now();
    let end = args.seconds.map(|seconds| start + Duration::from_secs_f64(seconds));
    let (stop, stopped) = watch::channel(false);
    let load = tokio::spawn(load::run(address, args.connections, stopped));
    let mut view = view::View::new(handle.clone(), args.json);
    while end.is_none_or(|end| Instant::now() < end) {
        let rest = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        tokio::time::sleep(rest.min(Duration::from_millis(500))).await;
        view.update();
    }
    stop.send(true)?;
    let account = load.await??;
    let seconds = start.elapsed().as_secs_f64();

    // What the recorder shows, fetched as a scraper would.
    let text = load::get(address, "/metrics").await?.body;
    let mismatches = account.compare(&text);
    for mismatch in &mismatches {
        eprintln!("{mismatch}");
    }
    let latency = view.total();
    let quantile = |q| latency.quantile(q).unwrap_or(0.0);
    if args.json {
        println!(
            "{{\"seconds\": {seconds:.3}, \"requests\": {}, \"per_second\": {:.0}, \"p50\": {:e}, \"p90\": {:e}, \
             \"p99\": {:e}, \"series\": {}, \"exact\": {}}}",
            account.requests(),
            account.requests() as f64 / seconds,
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            handle.series(),
            mismatches.is_empty()
        );
    } else if mismatches.is_empty() {
        println!(
            "\nThe recorder's counts are those of the {} requests that were answered.",
            account.requests()
        );
    }
    Ok(mismatches.is_empty())
}
