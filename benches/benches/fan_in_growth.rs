//! The cost of reads by the number of slots and planes: `cargo bench -p atomik-benches --bench fan_in_growth
//! [-- [--record]]`. There are no targets.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use atomik_benches::kernels::random_words;
use atomik_benches::measure::{discard, race};
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{Add, FanIn, Producer, TableFanIn, Xor, kernel};
use crossbeam::utils::CachePadded;

fn main() -> ExitCode {
    let mut run = Run::from_args("fan_in_growth");
    run.subject("fan_in_reads", reads);
    run.subject("fan_in_past_producers", past_producers);
    run.subject("fan_in_snapshots", snapshots);
    run.finish()
}

/// A fan-in whose producers have accumulated 1 each.
fn producers(fan_in: &FanIn<Add>, count: usize) -> Vec<Producer<'_, Add>> {
    let mut producers: Vec<_> = (0..count).map(|_| fan_in.producer()).collect();
    producers.iter_mut().for_each(|producer| producer.accum(1));
    producers
}

/// `FanIn::read` against bare loads of as many padded cells.
fn reads(subject: &mut Subject) {
    for slots in [1, 16, 128, 1_024, 8_192, 100_000] {
        let fan_in = FanIn::<Add>::new(0);
        let _producers = producers(&fan_in, slots);
        let cells: Vec<_> = (0..slots).map(|_| CachePadded::new(AtomicU64::new(1))).collect();
        let mut read = || assert_eq!(fan_in.read(), slots as u64);
        let mut bare = || {
            let total: u64 = cells.iter().map(|cell| cell.load(Ordering::Acquire)).sum();
            assert_eq!(total, slots as u64);
        };
        let times = race(4, 10, [&mut read, &mut bare]);
        subject.push(Ratio::new("FanIn::read", "bare loads", times, 0.0).at(slots.to_string()));
    }
}

/// `FanIn::read` after many producers are gone, against that of a new fan-in.
fn past_producers(subject: &mut Subject) {
    const PRODUCERS: usize = 100_000;
    let (together, in_turn, new) = (FanIn::<Add>::new(0), FanIn::new(0), FanIn::<Add>::new(1));
    drop(producers(&together, PRODUCERS));
    for _ in 0..PRODUCERS {
        in_turn.producer().accum(1);
    }
    for (fan_in, when) in [(&together, "at the same time"), (&in_turn, "one after another")] {
        let mut read = || assert_eq!(fan_in.read(), PRODUCERS as u64);
        let mut read_new = || assert_eq!(new.read(), 1);
        let times = race(4, 10, [&mut read, &mut read_new]);
        let work = format!("FanIn::read after 100,000 producers {when}");
        subject.push(Ratio::new(work, "of a new fan-in", times, 0.0));
    }
}

/// `TableFanIn::snapshot` against `kernel::accum` of as many plain planes.
fn snapshots(subject: &mut Subject) {
    const ADDRESSES: usize = 4_096;
    for planes in [1, 2, 4, 8, 16, 32, 64] {
        let table = TableFanIn::<Xor>::new(ADDRESSES);
        let mut producers: Vec<_> = (0..planes).map(|_| table.producer()).collect();
        let mut plain: Vec<_> = (0..planes as u64).map(|seed| random_words(ADDRESSES, seed)).collect();
        let plain: Vec<&[u64]> = plain.iter_mut().map(|plane| &*plane.as_mut_words()).collect();
        for (producer, plane) in producers.iter_mut().zip(&plain) {
            plane.iter().enumerate().for_each(|(addr, &word)| producer.accum(addr, word));
        }
        let (mut ours, mut theirs) = (vec![0; ADDRESSES], random_words(ADDRESSES, 0));
        let theirs = theirs.as_mut_words();
        let mut snapshot = || table.snapshot(black_box(&mut ours));
        let mut accum = || {
            theirs.fill(0);
            plain.iter().for_each(|plane| kernel::accum::<Xor>(black_box(theirs), plane));
            discard(black_box(theirs[0]));
        };
        let times = race(4, 10, [&mut snapshot, &mut accum]);
        assert!(ours == theirs);
        let work = "TableFanIn::snapshot, 4,096 addresses";
        subject.push(Ratio::new(work, "kernel::accum of each plane", times, 0.0).at(planes.to_string()));
    }
}
