//! Many threads count and digest the lines of a log, and one reader wants the totals.
//!
//! The same job runs on a fan-in, on two mutexes and on shared atomics, so that the ratios printed are
//! those of this machine and this file:
//!
//! ```text
//! cargo run --release --example fan_in -- [--input FILE] [--threads N] [--json]
//! ```
//!
//! [`methods`] holds the part to copy into a program of one's own: a fan-in and its producers.

mod args;
mod events;
mod generate;
mod histogram;
mod input;
mod methods;
mod race;
mod report;
mod work;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use args::{Args, Request};
use input::Input;
use race::Race;
use report::Report;
use work::{Job, Replay};

/// The lines made up when no file is named.
const GENERATED_LINES: u64 = 2_000_000;

/// The exit status when the methods come to different totals.
const DISAGREE: u8 = 1;
/// The exit status when the command line or the input is no good.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
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
    let bar = race::progress_bar();
    let input = match &args.input {
        Some(path) => Input::open(path)?,
        None => Input::generated(GENERATED_LINES, &bar),
    };
    let job = Race::run(&Job::new(&input, args.threads)?, &bar)?;
    let (report, agree) = if args.json {
        (report::json(&job), job.agree)
    } else {
        let replay = Replay::new(&input, args.threads, job.totals.lines)?;
        let accumulation = Race::run(&replay, &bar)?;
        let report = Report { input: &input, job: &job, accumulation: &accumulation };
        (report.to_string(), report.agree())
    };
    bar.finish_and_clear();
    print(&report)?;
    if agree {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("{}: the methods disagree; did it change while it was read?", input.name()));
    Ok(ExitCode::from(DISAGREE))
}

/// Writes to standard output; a reader that has seen enough (`| head -1`) is no error.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// One line on standard error. Should that be closed, the exit status still tells.
fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "fan_in: {what}");
}
