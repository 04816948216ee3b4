//! Counts and digests the lines of a log with many threads, while one reader watches the totals.
//!
//! The same job runs on a fan-in, on two mutexes and on shared atomics, so the ratios that are printed
//! hold for this machine and this file:
//!
//! ```text
//! cargo run --release -p fan-in-demo -- [--input FILE] [--threads N] [--json]
//! ```
//!
//! `methods` is the part to copy into your own program: a fan-in and its producers. The input, its events and the
//! histogram are public, for other programs of this workspace that do the same job.

mod args;
pub mod events;
mod generate;
pub mod histogram;
pub mod input;
mod methods;
mod progress;
mod race;
mod report;
mod work;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use args::{Args, Request};
use input::Input;
use progress::Progress;
use race::Race;
use report::Report;
use work::{Job, Replay};

/// How many lines are generated when no file is named.
const GENERATED_LINES: u64 = 2_000_000;

/// The exit status when the methods disagree on the totals.
const DISAGREE: u8 = 1;
/// The exit status when the command line or the input is invalid.
const BAD_INPUT: u8 = 2;

/// The program: parses the command line, runs the job and prints the report. Returns the exit status.
pub fn main() -> ExitCode {
    let done = match Args::parse() {
        Request::Run(args) => run(&args),
        Request::Print(text) => print(&text).map(|()| ExitCode::SUCCESS),
        Request::Refuse(why) => Err(io::Error::new(ErrorKind::InvalidInput, why)),
    };
    done.unwrap_or_else(|error| {
        complain(&error.to_string());
        ExitCode::from(BAD_INPUT)
    })
}

fn run(args: &Args) -> io::Result<ExitCode> {
    // One step to open or generate the input, then the turns of two races.
    let progress = Progress::new(1 + 2 * Race::MOST_TURNS);
    let input = match &args.input {
        Some(path) => Input::open(path)?,
        None => Input::generated(GENERATED_LINES, &progress.step(0, "generate", GENERATED_LINES)),
    };
    let job = Race::run(&Job::new(&input, args.threads)?, &progress, 1)?;
    let replay = Replay::new(&input, args.threads, job.totals.lines)?;
    let accumulation = Race::run(&replay, &progress, 1 + Race::MOST_TURNS)?;
    progress.clear();

    let report = Report { input: &input, job: &job, accumulation: &accumulation };
    print(&if args.json { report.json() } else { report.to_string() })?;
    if report.agree() {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("{}: the methods disagree; did the file change while it was read?", input.name()));
    Ok(ExitCode::from(DISAGREE))
}

/// Writes to standard output. A reader that closes the pipe early (`| head -1`) is not an error.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints one line on standard error. If that fails too, the exit status still tells.
fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "fan-in-demo: {what}");
}
