//! A service of several worker processes on one port, whose metrics are one scrape.
//!
//! ```sh
//! cargo run --release -p atomik-metrics --features axum,shared --example prefork
//! cargo run --release -p atomik-metrics --features axum,shared --example prefork -- --seconds 5 --json
//! ```
//!
//! The master starts the workers, sends requests, and every second kills a worker with SIGKILL and starts another one.
//! All workers count in one file, so any of them answers a scrape for all, and for those that were killed. At the end
//! the master compares the counts with the answers that it got, and fails on a difference.

mod args;
mod load;
mod worker;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use args::Args;
use load::Load;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    let result = match args.worker {
        Some(port) => worker::run(&args.path, port).map(|()| true),
        None => master(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The workers, which are killed when this is dropped.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Runs the workers and the load. Returns whether the counts are those of the answers.
fn master(args: &Args) -> Result<bool, Box<dyn Error>> {
    // It reserves the port, and listens to nothing.
    let reserved = worker::bind(args.port)?;
    let address = reserved.local_addr()?;
    let start = || start(&args.path, address);
    let mut workers = Workers((0..args.workers).map(|_| start()).collect::<Result<_, _>>()?);
    load::wait_until_ready(address)?;
    if !args.json {
        println!("http://{address}/metrics, counted in {}", args.path.display());
    }

    let load = Load::start(address);
    let end = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut kills = 0;
    while end.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(Duration::from_secs(1));
        let worker = &mut workers.0[kills % args.workers];
        worker.kill()?;
        worker.wait()?;
        *worker = start()?;
        kills += 1;
        if !args.json {
            let handle = atomik_metrics::shared::read(&args.path)?;
            println!("{kills} workers killed\n{}", handle.render());
        }
    }
    let requests = load.stop();

    // What a scrape shows, from whichever worker answers it.
    load::wait_until_ready(address)?;
    let text = load::get(address, "/metrics")?;
    let counted: u64 = text
        .lines()
        .filter(|line| line.starts_with("http_requests_total{"))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum();
    // A worker counts a request before it answers. A request without an answer may have been counted or not.
    let is_exact = (requests.answered..=requests.sent).contains(&counted);
    let files = std::fs::metadata(&args.path)?.len();
    println!(
        "{{\"sent\": {}, \"answered\": {}, \"counted\": {counted}, \"workers\": {}, \"kills\": {kills}, \
         \"bytes\": {files}, \"exact\": {is_exact}}}",
        requests.sent, requests.answered, args.workers
    );
    Ok(is_exact)
}

fn start(path: &Path, address: SocketAddr) -> Result<Child, Box<dyn Error>> {
    let mut worker = Command::new(std::env::current_exe()?);
    worker.arg("--worker").arg(address.port().to_string()).arg("--path").arg(path);
    Ok(worker.stdin(Stdio::null()).spawn()?)
}
