//! Starts producing processes on one shared file, kills one of them at random every second, and shows that every delta is
//! accounted for.
//!
//! ```text
//! cargo run --release -p atomik-shared --example processes -- [--producers N] [--seconds S] [--path FILE] [--json]
//! ```
//!
//! Each process accumulates in batches, at addresses of its own, and reports through a pipe how many calls of `accum`
//! had returned and up to where it goes on. When it is killed, its addresses must hold the deltas of its first calls,
//! all that it has reported and at most the batch that was under way, each once.

mod account;
mod child;
mod view;

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use atomik_core::Add;
use atomik_shared::SharedFanIn;
use clap::Parser;
use serde_json::json;

use account::{ADDRESSES, Account};
use child::Child;
use view::View;

/// Kills processes that count, and shows that their counts are exact.
#[derive(Parser)]
struct Args {
    /// The number of processes that count at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    producers: u64,
    /// How long they count.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// The mean time between two kills, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    kill_every: u64,
    /// The file, which is created [default: one in /dev/shm, which is removed at the end].
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// Print one JSON object instead of a live view.
    #[arg(long)]
    json: bool,
    /// Counts as one of the processes: its number, and for how many milliseconds.
    #[arg(long, hide = true, num_args = 2)]
    child: Option<Vec<u64>>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match (&args.child, &args.path) {
        (Some(child), Some(path)) => child::produce(path, child[0], Duration::from_millis(child[1])),
        _ => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("processes: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Removes the file at the end.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let temporary = || Removed(PathBuf::from(format!("/dev/shm/atomik-processes-{}", process::id())));
    let removed = if args.path.is_none() { Some(temporary()) } else { None };
    let path = args.path.as_deref().or(removed.as_ref().map(|removed| &*removed.0)).expect("one of both");
    // Twice as many as are expected, since the time between two kills is random.
    let children = args.producers + 2 * (args.seconds * 1_000 / args.kill_every) + 16;
    SharedFanIn::<Add>::create(path, children as usize * ADDRESSES, args.producers as usize)?;
    let mut view = View::open(path)?;
    let account = count(args, path, children, &mut view)?;
    if args.json {
        let text = json!({
            "producers": args.producers,
            "seconds": args.seconds,
            "started": account.started,
            "killed": account.killed,
            "reported": account.reported,
            "found": account.found,
            "under_way": account.found - account.reported,
            "exact": account.wrong.is_empty(),
            "takeovers": view.takeovers()?,
        });
        println!("{text}");
    } else {
        println!("{account}");
    }
    if account.wrong.is_empty() { Ok(()) } else { Err(account.wrong.join("; ").into()) }
}

/// Starts and kills processes until the time is over.
fn count(args: &Args, path: &Path, most: u64, view: &mut View) -> Result<Account, Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let left = || end.saturating_duration_since(Instant::now());
    let mut started = 0;
    let mut start = || {
        started += 1;
        Child::start(path, started - 1, left())
    };
    let mut living = Vec::new();
    for _ in 0..args.producers {
        living.push(start()?);
    }
    let mut account = Account::default();
    let mut next_kill = Instant::now() + between_kills(args);
    while !left().is_zero() {
        if !args.json {
            view.show()?;
        }
        let pause = next_kill.saturating_duration_since(Instant::now()).min(view::EVERY);
        thread::sleep(pause.min(left()));
        // The last moments belong to those that end by themselves.
        let is_over = left() < Duration::from_millis(20) || account.started + living.len() as u64 >= most;
        if Instant::now() >= next_kill && !is_over {
            next_kill = Instant::now() + between_kills(args);
            let killed = living.swap_remove(random(living.len() as u64) as usize).kill()?;
            account.add(view, &killed, true);
            living.push(start()?);
        }
    }
    for child in living {
        let ended = child.wait()?;
        account.add(view, &ended, false);
    }
    Ok(account)
}

fn between_kills(args: &Args) -> Duration {
    Duration::from_micros(random(2_000 * args.kill_every))
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}
