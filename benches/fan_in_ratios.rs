//! Fan-in against its rivals, taking turns in one run: `cargo bench -p atomik-benches --bench fan_in_ratios`.
//! Exits with 1 where a ratio misses its target by more than 15 %.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use atomik_benches::fan_in::{
    BareStore, Contatori, Context, FetchXor, Hytra, InMemory, InRegister, Method, ParkingLot, StdMutex,
    WithoutHandle, run,
};
use atomik_benches::measure::{VISITS, race};
use atomik_benches::record::{Ratio, Ratios};
use atomik_core::{FanIn, Xor};
use crossbeam::utils::CachePadded;

/// How often the contestants take turns.
const ROUNDS: usize = 15;

/// Nanoseconds a delta and thread, of one run of about 2 ms.
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

/// The best of two methods that take turns.
fn against<Ours: Method, Theirs: Method>(threads: usize, target: f64) -> Ratio {
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        ours = ours.min(time::<Ours>(threads));
        theirs = theirs.min(time::<Theirs>(threads));
    }
    let threads = if threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    Ratio {
        work: format!("{}, {threads}", Ours::NAME),
        rival: Theirs::NAME.into(),
        ours,
        theirs,
        target,
        ..Ratio::default()
    }
}

/// `FanIn::read` over 16 slots against 16 bare loads.
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
        // Acquire: what a read has to pay for.
        let total = cells.iter().fold(0, |total, cell| total ^ cell.load(Ordering::Acquire));
        assert_eq!(total, 0xFFFF);
    };
    let [ours, theirs] = race(VISITS, 15, [&mut read, &mut bare]);
    Ratio {
        work: "FanIn::read, 16 slots".into(),
        rival: "16 bare loads".into(),
        ours,
        theirs,
        target: 0.74,
        ..Ratio::default()
    }
}

/// A producer beside a reader in a tight loop against one by itself.
fn beside_a_reader() -> Ratio {
    const DELTAS: u64 = 10_000_000;
    let produce = |read: bool| {
        let fan_in = FanIn::<Xor>::new(0);
        let (reading, done) = (AtomicBool::new(!read), AtomicBool::new(!read));
        thread::scope(|scope| {
            scope.spawn(|| {
                // A producer exists by now or soon; reads see its slot either way.
                while !done.load(Ordering::Relaxed) {
                    std::hint::black_box(fan_in.read());
                    reading.store(true, Ordering::Relaxed);
                }
            });
            let mut producer = fan_in.producer();
            while !reading.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            let start = std::time::Instant::now();
            for delta in 0..DELTAS {
                producer.accum(delta);
            }
            let time = start.elapsed();
            done.store(true, Ordering::Relaxed);
            // The XOR of 0 to n - 1 is 0 for n a multiple of 4.
            assert_eq!(fan_in.read(), 0);
            time.as_nanos() as f64 / DELTAS as f64
        })
    };
    // Medians: the fastest run would be one in which the reader was kept off its core.
    let median = |read| {
        let mut times = [(); ROUNDS].map(|()| produce(read));
        times.sort_unstable_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let (ours, theirs) = (median(true), median(false));
    let work = "Producer::accum beside a tight reader".into();
    Ratio { work, rival: "without the reader".into(), ours, theirs, target: 0.1, ..Ratio::default() }
}

fn main() -> ExitCode {
    let mut ratios = Ratios::default();
    ratios.push(against::<Context, FetchXor>(1, 0.95));
    ratios.push(against::<InRegister, BareStore>(1, 0.95));
    ratios.push(against::<InRegister, FetchXor>(2, 40.0));
    ratios.push(against::<InMemory, FetchXor>(2, 0.0));
    ratios.push(against::<InRegister, StdMutex>(2, 150.0));
    ratios.push(against::<InMemory, StdMutex>(2, 0.0));
    ratios.push(against::<InRegister, ParkingLot>(2, 0.0));
    ratios.push(against::<InRegister, Hytra>(2, 3.0));
    ratios.push(against::<InMemory, Hytra>(2, 0.0));
    ratios.push(against::<InRegister, Contatori>(2, 12.0));
    ratios.push(against::<InMemory, Contatori>(2, 0.0));
    ratios.push(against::<WithoutHandle, Hytra>(2, 0.95));
    ratios.push(reading());
    ratios.push(beside_a_reader());
    ratios.save("fan_in");
    if ratios.all_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
