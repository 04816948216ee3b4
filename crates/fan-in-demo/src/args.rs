//! The command line.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, value_parser};

/// Each thread has its own read buffer, so the number is bounded; few machines have more cores than this.
const MOST_THREADS: u64 = 1024;

pub(crate) struct Args {
    /// The file whose lines are the events. Without one, lines are generated.
    pub(crate) input: Option<PathBuf>,
    pub(crate) threads: usize,
    pub(crate) json: bool,
}

/// What the command line asks for.
pub(crate) enum Request {
    Run(Args),
    /// The text to print for `--help` or `--version`.
    Print(String),
    /// The command line is invalid; one line says why.
    Refuse(String),
}

impl Args {
    /// Parses the command line of this process.
    pub(crate) fn parse() -> Request {
        let mut matches = match command().try_get_matches() {
            Ok(matches) => matches,
            Err(error) => return refusal(&error),
        };
        let threads = matches.remove_one::<u64>("threads");
        Request::Run(Self {
            input: matches.remove_one("input"),
            threads: threads.map_or_else(default_threads, |threads| threads as usize),
            json: matches.get_flag("json"),
        })
    }
}

fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS as usize)
}

fn command() -> Command {
    Command::new("fan-in-demo")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Counts and digests the lines of a log with many threads, and compares four ways to add them up",
        )
        .arg(
            Arg::new("input")
                .long("input")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Read events from FILE, one a line [default: 2 million lines generated in memory]"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=MOST_THREADS))
                .help("Divide the work among N threads [default: the number of cores]"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print one JSON object instead of the tables"),
        )
}

/// Reduces an error of clap's to one line. It has several paragraphs; the first says what is wrong.
fn refusal(error: &clap::Error) -> Request {
    let text = error.to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Request::Print(text);
    }
    let first = text.split("\n\n").next().unwrap_or(&text);
    let line: Vec<&str> = first.trim_start_matches("error: ").split_whitespace().collect();
    Request::Refuse(format!("{} (try --help)", line.join(" ")))
}
