//! The processes that count: this program, started again.

use std::env;
use std::hint::spin_loop;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use atomik_benches::measure::pin;
use atomik_core::{Add, Context};
use atomik_shared::{SharedFanIn, SharedTable};

use crate::mutex::MutexTable;
use crate::redis::Client;

/// The number of processes.
pub(crate) const WORKERS: usize = 2;
/// The addresses at which a process counts in turn: 4 KiB, which L1 holds easily.
pub(crate) const ADDRESSES: usize = 512;

/// How a process is told what it is to do: kind, number and folder.
const WORKER: &str = "ATOMIK_BENCH_WORKER";

/// How a process counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Table,
    Lanes,
    Mutex,
    Redis,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Table, "table"), (Kind::Lanes, "lanes"), (Kind::Mutex, "mutex"), (Kind::Redis, "redis")];

/// Two processes that count when they are told to.
pub(crate) struct Workers(Vec<Worker>);

struct Worker {
    process: Child,
    orders: Option<ChildStdin>,
    times: Lines<BufReader<ChildStdout>>,
}

impl Workers {
    /// Starts the processes on what is in a folder.
    pub(crate) fn start(kind: Kind, folder: &Path) -> Self {
        let (_, name) = KINDS.into_iter().find(|(known, _)| *known == kind).expect("each has a name");
        // Each pair waits for each other at a word of a table of its own.
        SharedTable::<Add>::create(folder.join(format!("{name}-start")), 1).expect("it is new");
        let program = env::current_exe().expect("this program has a file");
        let start = |number| {
            let mut process = Command::new(&program)
                .env(WORKER, format!("{name} {number} {}", folder.display()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("this program can be started again");
            let times = BufReader::new(process.stdout.take().expect("it is piped")).lines();
            Worker { orders: process.stdin.take(), times, process }
        };
        Self((0..WORKERS).map(start).collect())
    }

    /// Each counts so many deltas. Returns the nanoseconds of a delta of each, of the slower one.
    pub(crate) fn turn(&mut self, deltas: u64) -> f64 {
        for worker in &mut self.0 {
            let orders = worker.orders.as_mut().expect("it is taken at the end alone");
            writeln!(orders, "{deltas}").expect("the process waits for it");
        }
        let time = |worker: &mut Worker| {
            let line = worker.times.next().expect("the process ended early").expect("it can be read");
            line.parse::<f64>().expect("it is a time")
        };
        self.0.iter_mut().map(time).fold(0.0, f64::max) / deltas as f64
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ends when there are no more orders.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

/// What this process was started for, if it is one of those that count.
pub(crate) fn asked_for() -> Option<Asked> {
    let asked = env::var(WORKER).ok()?;
    let mut parts = asked.splitn(3, ' ');
    let (name, number, folder) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.into());
    let (kind, name) = KINDS.into_iter().find(|known| known.1 == name)?;
    Some(Asked { kind, name, number, folder })
}

pub(crate) struct Asked {
    kind: Kind,
    name: &'static str,
    number: usize,
    folder: PathBuf,
}

impl Asked {
    /// Counts as often as it is told to.
    pub(crate) fn run(&self) {
        pin(self.number);
        let path = self.folder.join(self.name);
        match self.kind {
            Kind::Table => {
                let table = SharedTable::<Add>::open(path).expect("it was created");
                self.obey(|deltas| on_table(&table, self.number, deltas));
            }
            Kind::Lanes => {
                let counts = SharedFanIn::<Add>::open(path).expect("it was created");
                let mut producer = counts.producer().expect("there are as many lanes");
                self.obey(|deltas| (0..deltas).for_each(|i| producer.accum(i as usize % ADDRESSES, 1)));
            }
            Kind::Mutex => {
                let table = MutexTable::open(&path);
                self.obey(|deltas| (0..deltas).for_each(|i| table.add(i as usize % ADDRESSES, 1)));
            }
            Kind::Redis => {
                let mut client = Client::connect(&path).expect("the server was started");
                self.obey(|deltas| client.count(deltas));
            }
        }
    }

    /// Waits for orders, then for the other process, and tells the nanoseconds of each turn.
    fn obey(&self, mut work: impl FnMut(u64)) {
        let start = SharedTable::<Add>::open(self.folder.join(format!("{}-start", self.name)));
        let start = start.expect("it was created");
        for (turn, line) in (1..).zip(std::io::stdin().lines()) {
            let deltas = line.expect("it can be read").parse().expect("it is a number");
            start[0].accum(1);
            // It spins, since a process that sleeps would start late.
            while start[0].read() < turn * WORKERS as u64 {
                spin_loop();
            }
            let begin = Instant::now();
            work(deltas);
            println!("{}", begin.elapsed().as_nanos());
        }
    }
}

/// Counts at the addresses of one worker.
pub(crate) fn on_table(contexts: &[Context<Add>], worker: usize, deltas: u64) {
    let own = &contexts[worker * ADDRESSES..][..ADDRESSES];
    (0..deltas).for_each(|i| own[i as usize % ADDRESSES].accum(1));
}
