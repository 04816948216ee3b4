//! Replication against the kernels that it uses: `cargo bench -p atomik-benches --bench stream [-- [--record]]`.
//! Exits with 1 if a ratio misses its target by more than 15 %.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use atomik_benches::measure::{Random, VISITS, pin, race};
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{Add, Algebra, DeltaBatch, TableFanIn, Xor, kernel};
use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};

const NOW: Duration = Duration::ZERO;
/// The length of the header before the words of a frame.
const HEADER: usize = 80;
const SHARD: usize = 4_096;

fn replica<A: Algebra>(node: u64, len: usize) -> (Replica<A>, Arc<TableFanIn<A>>) {
    let local = Arc::new(TableFanIn::new(len));
    let id = ReplicaId { node, incarnation: 1 };
    // Each frame gets a packet of its own.
    let cluster = ClusterConfig::new("bench", len).with_packet_len(1);
    (Replica::new(&cluster, Arc::clone(&local), id).expect("the configuration matches the table"), local)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

fn nanoseconds<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_nanos() as f64, result)
}

/// New frames, which are checked and applied, against `apply_wire` on the same messages, and frames that are
/// already known.
fn frames() -> [Ratio; 2] {
    let (mut sender, local) = replica::<Xor>(1, SHARD);
    let (mut receiver, _local) = replica::<Xor>(2, SHARD);
    let mut producer = local.producer();
    let mut words = vec![0; SHARD];
    let mut random = Random(1);
    let (mut new, mut known, mut wire) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2_000 {
        for addr in 0..SHARD {
            producer.accum(addr, random.next_u64());
        }
        sender.tick();
        let (_, frame) = sender.poll_transmit().expect("every word changed");
        assert_eq!(frame.len(), HEADER + 16 * SHARD);

        let (time, received) = nanoseconds(|| receiver.receive(NOW, Peer(1), &frame));
        assert_eq!(received.map(|received| received.applied), Ok(1));
        new.push(time);
        let (time, applied) = nanoseconds(|| kernel::apply_wire::<Xor>(&mut words, &frame[HEADER..]));
        assert_eq!(applied, Ok(()));
        wire.push(time);
        let (time, received) = nanoseconds(|| {
            (0..100)
                .map(|_| receiver.receive(NOW, Peer(1), &frame).expect("it is whole").known)
                .sum::<usize>()
        });
        assert_eq!(received, 100);
        known.push(time / 100.0);
    }
    assert_eq!(receiver.merged(), sender.merged());
    let each = |times| median(times) / SHARD as f64;
    let (new, wire, known) = (each(new), each(wire), each(known));
    [
        Ratio::new("receive, new frames, a word", "kernel::apply_wire", [new, wire], 0.25),
        Ratio::new("receive, known frames, a word", "new frames", [known, new], 10.0),
    ]
}

/// A tick that finds no change, against the kernel that compares.
fn unchanged_tick() -> Ratio {
    const LEN: usize = 1_000_000;
    let (mut replica, local) = replica::<Xor>(1, LEN);
    let mut producer = local.producer();
    let mut random = Random(2);
    let state: Vec<u64> = (0..LEN).map(|_| random.next_u64()).collect();
    for (addr, &word) in state.iter().enumerate() {
        producer.accum(addr, word);
    }
    replica.tick();
    let reference = state.clone();
    let mut batch = DeltaBatch::new();
    let mut tick = || assert_eq!(replica.tick(), 0);
    let mut diff = || {
        kernel::diff::<Xor>(&reference, &state, &mut batch);
        assert!(batch.is_empty());
    };
    let [ours, theirs] = race(VISITS, 8, [&mut tick, &mut diff]);
    let each = [ours / LEN as f64, theirs / LEN as f64];
    Ratio::new("tick, a million unchanged words, a word", "kernel::diff", each, 0.7)
}

/// A start folds an earlier one, of which each of a million words was written; against `kernel::accum` of as many words.
/// It wrote some words of its own, or as many as the earlier one.
fn folding(name: &str, own_words: usize) -> Ratio {
    const LEN: usize = 1 << 20;
    let start = |incarnation, words| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let cluster = ClusterConfig::new("bench", LEN);
        let id = ReplicaId { node: 1, incarnation };
        let mut replica =
            Replica::new(&cluster, Arc::clone(&local), id).expect("the configuration matches the table");
        let mut producer = local.producer();
        (0..words).for_each(|addr| producer.accum(addr, incarnation));
        replica.tick();
        replica
    };
    let mut earlier = start(1, LEN);
    let mut packets = Vec::new();
    while let Some((_, packet)) = earlier.poll_transmit() {
        packets.push(packet);
    }
    let (mut words, deltas) = (vec![1u64; LEN], vec![2u64; LEN]);
    let (mut folds, mut accums) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let mut later = start(2, own_words);
        while later.poll_transmit().is_some() {}
        for packet in &packets {
            later.receive(NOW, Peer(1), packet).expect("it is whole");
        }
        assert_eq!(later.origins(), 2);
        // Nobody else is a member, so everything is folded at once.
        folds.push(nanoseconds(|| later.set_members([1])).0);
        assert_eq!((later.origins(), later.merged()[5]), (1, 3));
        accums.push(nanoseconds(|| kernel::accum::<Add>(&mut words, &deltas)).0);
    }
    let each = [folds, accums].map(|times| times.into_iter().fold(f64::INFINITY, f64::min) / LEN as f64);
    Ratio::new(name, "kernel::accum", each, 0.5)
}

/// A thread counts for a tenth of a second, while another one ticks every millisecond and, if it `folds`, goes on as a new
/// start each time and folds the last one. Returns the nanoseconds of an increment and how many starts were folded.
fn count_beside(folds: bool) -> (f64, u64) {
    let (mut replica, local) = replica::<Add>(1, SHARD);
    replica.set_members([1]);
    let done = AtomicBool::new(false);
    let mut starts = 1;
    let each = thread::scope(|scope| {
        let mut producer = local.producer();
        let done = &done;
        let counting = scope.spawn(move || {
            pin(1);
            let (start, mut count) = (Instant::now(), 0);
            while !done.load(Ordering::Relaxed) {
                (0..SHARD).for_each(|addr| producer.accum(addr, 1));
                count += SHARD as u64;
            }
            start.elapsed().as_nanos() as f64 / count as f64
        });
        pin(0);
        let (begin, mut next) = (Instant::now(), Duration::ZERO);
        while begin.elapsed() < Duration::from_millis(100) {
            if begin.elapsed() >= next {
                next += Duration::from_millis(1);
                replica.tick();
            }
            if folds {
                starts += 1;
                replica.renew(starts).expect("each is greater than the last");
                replica.set_members([1]);
            } else {
                thread::sleep(next.saturating_sub(begin.elapsed()));
            }
            while replica.poll_transmit().is_some() {}
        }
        done.store(true, Ordering::Relaxed);
        counting.join().expect("it only counts")
    });
    assert_eq!(replica.origins(), 1, "all earlier starts are folded");
    (each, starts - 1)
}

fn counting_beside_folds() -> Ratio {
    let (mut ours, mut theirs, mut most) = (f64::INFINITY, f64::INFINITY, 0);
    for _ in 0..15 {
        let (each, folds) = count_beside(true);
        (ours, most) = (ours.min(each), most.max(folds));
        theirs = theirs.min(count_beside(false).0);
    }
    println!("  {most} folds in a tenth of a second");
    Ratio::new("a thread on 4,096 counters, beside folds", "without folds", [ours, theirs], 0.95)
}

/// Two threads count at full speed for a quarter of a second, with or without a tick every 10 ms. Returns the
/// nanoseconds of an increment of each thread, the number of increments, and the bytes to send for each tick.
fn count(ticks: bool) -> (f64, u64, f64) {
    let (mut replica, local) = replica::<Add>(1, SHARD);
    let done = AtomicBool::new(false);
    let (mut bytes, mut ticked) = (0, 0);
    let rates: Vec<(f64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let mut producer = local.producer();
                let done = &done;
                scope.spawn(move || {
                    pin(thread);
                    let (start, mut count) = (Instant::now(), 0);
                    while !done.load(Ordering::Relaxed) {
                        for addr in 0..SHARD {
                            producer.accum(addr, 1);
                        }
                        count += SHARD as u64;
                    }
                    (start.elapsed().as_nanos() as f64 / count as f64, count)
                })
            })
            .collect();
        for _ in 0..25 {
            thread::sleep(Duration::from_millis(10));
            if ticks {
                replica.tick();
                ticked += 1;
                while let Some((_, packet)) = replica.poll_transmit() {
                    bytes += packet.len();
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("it only counts")).collect()
    });
    replica.tick();
    let increments: u64 = rates.iter().map(|rate| rate.1).sum();
    assert_eq!(replica.merged().iter().sum::<u64>(), increments);
    let each = rates.iter().map(|rate| rate.0).sum::<f64>() / rates.len() as f64;
    (each, increments, bytes as f64 / f64::from(ticked.max(1)))
}

fn counting() -> Ratio {
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    let (mut most, mut traffic) = (0, 0.0);
    for _ in 0..15 {
        let (each, increments, bytes) = count(true);
        ours = ours.min(each);
        (most, traffic) = (most.max(increments), f64::max(traffic, bytes));
        theirs = theirs.min(count(false).0);
    }
    println!(
        "  {most} increments in a quarter of a second; {traffic:.0} bytes to send a tick, for {SHARD} counters"
    );
    assert!(traffic <= (HEADER + 16 * SHARD) as f64);
    Ratio::new("2 threads on 4,096 counters, a tick each 10 ms", "without ticks", [ours, theirs], 0.9)
}

fn main() -> ExitCode {
    let mut run = Run::from_args("stream");
    run.subject("replication", |subject: &mut Subject| {
        frames().into_iter().for_each(|ratio| subject.push(ratio));
        subject.push(unchanged_tick());
        subject.push(counting());
        subject.push(folding("fold a million words into a new start, a word", 6));
        subject.push(folding("fold a million words into as many, a word", 1 << 20));
        subject.push(counting_beside_folds());
    });
    run.finish()
}
