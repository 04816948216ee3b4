//! Fan-in against its rivals: `cargo bench -p atomik-benches --bench fan_in_ratios [-- [--record]]`. Exits with 1
//! if a ratio misses its target by more than 15 %.

use std::hint::{black_box, spin_loop};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use atomik_benches::measure::{VISITS, pin, race};
use atomik_benches::methods::{
    BareStore, Contatori, Context, FetchXor, Hytra, InMemory, InRegister, Method, ParkingLot, StdMutex,
    TableWithoutHandle, WithoutHandle, run,
};
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{FanIn, Xor};
use crossbeam::utils::CachePadded;

/// The number of turns of each contestant.
const ROUNDS: usize = 15;

fn main() -> ExitCode {
    let mut run = Run::from_args("fan_in_ratios");
    run.subject("fan_in", fan_in);
    run.subject("fan_in_locks", locks);
    run.finish()
}

fn fan_in(subject: &mut Subject) {
    subject.push(against::<Context, FetchXor>(1, 0.95));
    subject.push(against::<InRegister, BareStore>(1, 0.95));
    subject.push(against::<InRegister, FetchXor>(2, 40.0));
    subject.push(against::<InMemory, FetchXor>(2, 0.0));
    subject.push(against::<InRegister, Hytra>(2, 3.0));
    subject.push(against::<InMemory, Hytra>(2, 0.0));
    subject.push(against::<InRegister, Contatori>(2, 12.0));
    subject.push(against::<InMemory, Contatori>(2, 0.0));
    subject.push(against::<WithoutHandle, Hytra>(2, 0.95));
    // At most 1.5 times the cost.
    for threads in [1, 2] {
        subject.push(against::<TableWithoutHandle, WithoutHandle>(threads, 0.67));
    }
    subject.push(reading());
    subject.push(beside_a_reader());
}

/// With one thread, nobody else ever holds the lock; with two, both want it all the time.
fn locks(subject: &mut Subject) {
    for (threads, contended, target) in [(1, "uncontended", 0.0), (2, "contended", 150.0)] {
        for row in [
            against::<InRegister, StdMutex>(threads, target),
            against::<InMemory, StdMutex>(threads, 0.0),
            against::<InRegister, ParkingLot>(threads, 0.0),
            against::<InMemory, ParkingLot>(threads, 0.0),
            against::<WithoutHandle, StdMutex>(threads, 0.0),
        ] {
            subject.push(Ratio { rival: format!("{}, {contended}", row.rival), ..row });
        }
    }
}

/// The nanoseconds of one delta of each thread, in a run of at least 2 ms.
fn time<M: Method>(threads: usize) -> f64 {
    let mut deltas = 10_000;
    loop {
        let nanoseconds = run::<M>(threads, deltas).as_nanos() as f64;
        if nanoseconds > 2e6 {
            return nanoseconds / deltas as f64;
        }
        deltas *= if nanoseconds > 4e5 { 4 } else { 16 };
    }
}

/// The best times of two methods that take turns.
fn against<Ours: Method, Theirs: Method>(threads: usize, target: f64) -> Ratio {
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        ours = ours.min(time::<Ours>(threads));
        theirs = theirs.min(time::<Theirs>(threads));
    }
    let threads = if threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    Ratio::new(format!("{}, {threads}", Ours::NAME), Theirs::NAME, [ours, theirs], target)
}

/// `FanIn::read` of 16 slots against 16 bare loads.
fn reading() -> Ratio {
    const SLOTS: usize = 16;
    let fan_in = FanIn::<Xor>::new(0);
    let mut producers = [(); SLOTS].map(|()| fan_in.producer());
    let cells = [(); SLOTS].map(|()| CachePadded::new(AtomicU64::new(0)));
    for (i, (producer, cell)) in producers.iter_mut().zip(&cells).enumerate() {
        producer.accum(1 << i);
        cell.store(1 << i, Ordering::Relaxed);
    }
    let mut read = || assert_eq!(fan_in.read(), 0xFFFF);
    let mut bare = || {
        // Acquire, since a read has to pay for it too.
        let total = cells.iter().fold(0, |total, cell| total ^ cell.load(Ordering::Acquire));
        assert_eq!(total, 0xFFFF);
    };
    let times = race(VISITS, 15, [&mut read, &mut bare]);
    Ratio::new("FanIn::read, 16 slots", "16 bare loads", times, 0.74)
}

/// A producer beside a reader in a tight loop, against one without a reader.
fn beside_a_reader() -> Ratio {
    // Medians, since in the fastest run the reader may have been kept off its core.
    let median = |read| {
        let mut times = [(); ROUNDS].map(|()| produce(read));
        times.sort_unstable_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    Ratio::new(
        "Producer::accum beside a tight reader",
        "without the reader",
        [median(true), median(false)],
        0.1,
    )
}

/// The nanoseconds of a producer's delta, with or without a thread that keeps reading.
fn produce(read: bool) -> f64 {
    const DELTAS: u64 = 10_000_000;
    let fan_in = FanIn::<Xor>::new(0);
    let (reading, done) = (AtomicBool::new(!read), AtomicBool::new(!read));
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while !done.load(Ordering::Relaxed) {
                black_box(fan_in.read());
                reading.store(true, Ordering::Relaxed);
            }
        });
        let producer = scope.spawn(|| {
            pin(0);
            let mut producer = fan_in.producer();
            while !reading.load(Ordering::Relaxed) {
                spin_loop();
            }
            let start = Instant::now();
            for delta in 0..DELTAS {
                producer.accum(delta);
            }
            let time = start.elapsed();
            done.store(true, Ordering::Relaxed);
            time.as_nanos() as f64 / DELTAS as f64
        });
        let time = producer.join().expect("the thread doesn't panic");
        // The XOR of 0 to n - 1 is 0 for n a multiple of 4.
        assert_eq!(fan_in.read(), 0);
        time
    })
}
