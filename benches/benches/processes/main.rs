//! Processes against threads, and against other ways in which processes count together:
//! `cargo bench -p atomik-benches --bench processes [-- [--record]]`. Exits with 1 if a ratio misses its target by more
//! than 15 %.

mod mutex;
mod redis;
mod workers;

use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use atomik_benches::measure::{VISITS, pin, race};
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{Add, Table, TableFanIn};
use atomik_shared::{SharedFanIn, SharedTable};
use crossbeam::utils::CachePadded;

use mutex::MutexTable;
use redis::Server;
use workers::{ADDRESSES, Kind, WORKERS, Workers};

/// The number of turns of each contestant.
const TURNS: usize = 15;

fn main() -> ExitCode {
    if let Some(worker) = workers::asked_for() {
        worker.run();
        return ExitCode::SUCCESS;
    }
    let mut run = Run::from_args("processes");
    run.subject("processes", |subject| {
        // Where stores never wait for a disk.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(parent).expect("the folder can be written");
        tables(subject, folder.path());
        producers(subject, folder.path());
        lanes(subject, folder.path());
        reads(subject, folder.path());
    });
    run.finish()
}

/// The best times of two contestants that take turns.
fn best(mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) -> [f64; 2] {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..TURNS {
        best[0] = best[0].min(ours());
        best[1] = best[1].min(theirs());
    }
    best
}

/// Two processes on one shared table, each with words of its own, against two threads on a table.
fn tables(subject: &mut Subject, folder: &Path) {
    const DELTAS: u64 = 1_000_000;
    let shared = SharedTable::<Add>::create(folder.join("table"), WORKERS * ADDRESSES).expect("it is new");
    let table = Table::<Add>::new(WORKERS * ADDRESSES);
    let mut processes = Workers::start(Kind::Table, folder);
    let times = best(|| processes.turn(DELTAS), || threads(&table, DELTAS));
    let expected = TURNS as u64 * DELTAS * WORKERS as u64;
    assert_eq!(shared.iter().map(|context| context.read()).sum::<u64>(), expected);
    assert_eq!(table.iter().map(|context| context.read()).sum::<u64>(), expected);
    subject.push(Ratio::new("two processes on a SharedTable", "two threads on a Table", times, 0.95));
}

/// The nanoseconds of a delta of each of two threads, the slower of the two.
fn threads(table: &Table<Add>, deltas: u64) -> f64 {
    let waiting = AtomicUsize::new(WORKERS);
    let work = |worker: usize| {
        pin(worker);
        waiting.fetch_sub(1, Ordering::AcqRel);
        while waiting.load(Ordering::Acquire) > 0 {
            spin_loop();
        }
        let start = Instant::now();
        workers::on_table(table, worker, deltas);
        start.elapsed().as_nanos() as f64 / deltas as f64
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it only counts")).fold(0.0, f64::max)
    })
}

/// The producer of a lane against the producer of a plane, both in a loop over the same addresses.
fn producers(subject: &mut Subject, folder: &Path) {
    let shared = SharedFanIn::<Add>::create(folder.join("producer"), ADDRESSES, 2).expect("it is new");
    let fan_in = TableFanIn::<Add>::new(ADDRESSES);
    let (mut lane, mut plane) = (shared.producer().expect("a lane is free"), fan_in.producer());
    let (mut ours, mut theirs) = (0u64, 0u64);
    let times = race(
        VISITS,
        TURNS,
        [
            &mut || {
                (0..ADDRESSES).for_each(|addr| lane.accum(addr, 1));
                ours += 1;
            },
            &mut || {
                (0..ADDRESSES).for_each(|addr| plane.accum(addr, 1));
                theirs += 1;
            },
        ],
    );
    assert!((0..ADDRESSES).all(|addr| shared.read(addr) == ours && fan_in.read(addr) == theirs));
    let each = times.map(|time| time / ADDRESSES as f64);
    subject.push(Ratio::new("SharedProducer::accum", "TableProducer::accum", each, 0.95));
}

/// Two processes through lanes, against the same counts through a lock and through a server.
fn lanes(subject: &mut Subject, folder: &Path) {
    const DELTAS: u64 = 4_000_000;
    let shared = SharedFanIn::<Add>::create(folder.join("lanes"), ADDRESSES, WORKERS).expect("it is new");
    let mut processes = Workers::start(Kind::Lanes, folder);
    let mut turns = 0;
    let mut ours = || {
        turns += 1;
        processes.turn(DELTAS)
    };

    const LOCKED: u64 = 200_000;
    let table = MutexTable::create(&folder.join("mutex"));
    let mut lockers = Workers::start(Kind::Mutex, folder);
    let times = best(&mut ours, || lockers.turn(LOCKED));
    assert_eq!(table.total(), TURNS as u64 * LOCKED * WORKERS as u64);
    subject.push(Ratio::new("two processes through lanes", "a pthread mutex in shared memory", times, 20.0));

    match Server::start(&folder.join("redis")) {
        Ok(mut server) => {
            const SENT: u64 = 100_000;
            let mut clients = Workers::start(Kind::Redis, folder);
            let times = best(&mut ours, || clients.turn(SENT));
            drop(clients);
            assert_eq!(server.total(), TURNS as u64 * SENT * WORKERS as u64);
            let rival = "Redis, INCRBY pipelined by 1,000";
            subject.push(Ratio::new("two processes through lanes", rival, times, 20.0));
        }
        Err(error) => println!("not measured: two processes against a Redis server: {error}"),
    }
    let total: u64 = (0..ADDRESSES).map(|addr| shared.read(addr)).sum();
    assert_eq!(total, turns * DELTAS * WORKERS as u64);
}

/// A read of one address over 64 lanes, against 64 bare loads at the distance of lanes of one address.
fn reads(subject: &mut Subject, folder: &Path) {
    const LANES: usize = 64;
    let shared = SharedFanIn::<Add>::create(folder.join("reads"), 1, LANES).expect("it is new");
    let mut producers = Vec::new();
    for _ in 0..LANES {
        let mut producer = shared.producer().expect("there are as many lanes");
        producer.accum(0, 1);
        producers.push(producer);
    }
    let words = [(); LANES].map(|()| CachePadded::new(AtomicU64::new(1)));
    let mut read = || assert_eq!(black_box(&shared).read(0), LANES as u64);
    // The number of lanes is known when a file is opened. Acquire, since a read has to pay for it too.
    let lanes = black_box(&words[..]);
    let mut bare = || {
        let total: u64 = black_box(lanes).iter().map(|word| word.load(Ordering::Acquire)).sum();
        assert_eq!(total, LANES as u64);
    };
    let mut unrolled = || {
        let total: u64 = black_box(&words).iter().map(|word| word.load(Ordering::Acquire)).sum();
        assert_eq!(total, LANES as u64);
    };
    let times = race(VISITS, TURNS, [&mut read, &mut bare]);
    let unrolled_times = race(VISITS, TURNS, [&mut read, &mut unrolled]);
    drop(producers);
    // At most 1.5 times the time, of both.
    subject.push(Ratio::new("SharedFanIn::read, 64 lanes", "64 bare loads", times, 0.67));
    let unrolled = "64 bare loads without a loop";
    subject.push(Ratio::new("SharedFanIn::read, 64 lanes", unrolled, unrolled_times, 0.67));
}
