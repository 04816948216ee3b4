//! Counts and digests the lines of a file with many threads, and survives being killed at any moment.
//!
//! Each checkpoint saves the totals together with the ranges of the file that are not processed yet. A run that is
//! killed and started again continues from the last checkpoint, and its totals are those of a run that was never
//! interrupted:
//!
//! ```text
//! cargo run --release -p atomik-checkpoint --example exactly_once -- --input FILE --store PATH [--threads N] [--json]
//! ```
//!
//! The totals must contain the input up to the saved offsets and no more. So the threads pause while the epoch is
//! closed, between two pieces of their input: a thread holds the gate, a read-write lock, for reading while it works on
//! a piece. Writing the checkpoint to the disk then goes on beside them.

mod job;
mod position;

use std::error::Error;
use std::iter::successors;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use atomik_checkpoint::CheckpointStore;
use clap::Parser;
use fan_in_demo::histogram;
use fan_in_demo::input::Input;
use serde_json::json;

use job::Job;

/// Counts and digests the lines of a file, and survives being killed at any moment.
#[derive(Parser)]
struct Args {
    /// The file whose lines are counted.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The file of the checkpoints. If it exists, the run continues from its last checkpoint.
    #[arg(long, value_name = "PATH")]
    store: PathBuf,
    /// The number of threads [default: the number of cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The time between two checkpoints, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    every: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprint!("exactly_once: {error}");
            successors(error.source(), |&cause| cause.source()).for_each(|cause| eprint!(": {cause}"));
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<String, Box<dyn Error>> {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let threads = args.threads.unwrap_or_else(cores) as usize;
    let input = Input::open(&args.input)?;
    let mut store = CheckpointStore::open(&args.store)?;
    let mut job = Job::recover(&mut store, &input, threads)?;
    let saved = job.run(&mut store, &input, Duration::from_millis(args.every))?;

    let totals = job.totals();
    if args.json {
        let report = json!({
            "lines": totals.lines,
            "bytes": totals.bytes,
            "digest": format!("{:#018x}", totals.digest),
            "histogram": totals.histogram.as_slice(),
            "restarts": job.restarts(),
            "checkpoints": saved.checkpoints,
        });
        return Ok(report.to_string());
    }
    Ok(format!(
        "{}\n  lines        {}\n  bytes        {}\n  digest       {:#018x}\n  restarts     {}\n  checkpoints  {}\n\n\
         Line lengths, in bytes\n{}",
        input.name(),
        totals.lines,
        totals.bytes,
        totals.digest,
        job.restarts(),
        saved.checkpoints,
        histogram::draw(&totals.histogram),
    ))
}
