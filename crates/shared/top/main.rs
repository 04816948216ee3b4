//! `atomik-top FILE` shows the totals, rates and lanes of a file of atomik-shared while other processes write to it.

mod report;
mod sample;
mod screen;

use std::error::Error;
use std::io;
use std::iter::successors;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;

use sample::Watch;

/// Shows the totals, rates and lanes of a file of atomik-shared while other processes write to it.
///
/// It only reads, and nobody waits for it. If the file is shrunk meanwhile, the kernel kills it with SIGBUS.
#[derive(Parser)]
#[command(name = "atomik-top", version)]
struct Args {
    /// The file of a SharedTable or a SharedFanIn.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The time between two looks at the file, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    interval: u64,
    /// Look twice, an interval apart, print what is seen, and end.
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of text.
    #[arg(long, requires = "once")]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let chain: Vec<_> =
                successors(Some(&*error), |&error| error.source()).map(ToString::to_string).collect();
            eprintln!("atomik-top: {}", chain.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut watch = Watch::open(&args.file)?;
    let interval = Duration::from_millis(args.interval);
    if !args.once {
        return screen::run(&mut watch, interval);
    }
    thread::sleep(interval);
    let report = watch.look()?;
    let printed = if args.json {
        report::write_json(&report, io::stdout().lock())
    } else {
        report::write_text(&report, io::stdout().lock())
    };
    match printed {
        // The program that reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}
