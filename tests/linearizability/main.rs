//! Histories from real threads against the sequential specifications: a context's operations are linearizable,
//! and a fan-in's reads hold what its docs promise.

mod checker;

use atomik_core::{Add, Algebra, Context, FanIn, Xor};
use checker::{Operation, Recorded, check};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Instants that all threads agree on: a later one is a larger number.
static CLOCK: AtomicU64 = AtomicU64::new(0);

fn now() -> u64 {
    CLOCK.fetch_add(1, Ordering::SeqCst)
}

/// The states and deltas of a thread: no two are equal, nor do compositions of few of them collide.
fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        // splitmix64
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The operations that are checked. Some are wrong on purpose, to see the checker fail.
trait Operations: Sync {
    fn load(&self, v: u64);
    fn accum(&self, d: u64);
    fn rollback(&self, d: u64);
    fn read(&self) -> u64;
    fn swap(&self, v: u64) -> u64;
}

impl<A: Algebra> Operations for Context<A> {
    fn load(&self, v: u64) {
        self.load(v);
    }
    fn accum(&self, d: u64) {
        self.accum(d);
    }
    fn rollback(&self, d: u64) {
        self.rollback(d);
    }
    fn read(&self) -> u64 {
        self.read()
    }
    fn swap(&self, v: u64) -> u64 {
        self.swap(v)
    }
}

/// What `threads` threads do to a context at once, `each` times `ROW` operations a thread.
///
/// They wait for one another again and again: left alone, a thread may be through before the next one runs.
fn record<A: Algebra>(on: &dyn Operations, threads: u64, each: usize) -> Vec<Vec<Recorded>> {
    const ROW: usize = 3;
    const ROUND: usize = 500;
    let arrived = AtomicU64::new(0);
    let meet = |round: usize| {
        arrived.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0u32;
        while arrived.load(Ordering::SeqCst) < (round as u64 + 1) * threads {
            spins += 1;
            if spins.is_multiple_of(1_000) { thread::yield_now() } else { std::hint::spin_loop() }
        }
    };
    let operate = |thread: u64| {
        let mut number = numbers(thread << 32);
        let one = |(kind, v): (u64, u64)| match kind % 8 {
            0 => {
                on.load(v);
                Operation::Load(v)
            }
            1 => Operation::Swap(v, on.swap(v)),
            2 | 3 => Operation::Read(on.read()),
            4 => {
                on.rollback(v);
                Operation::Accum(A::invert(v))
            }
            _ => {
                on.accum(v);
                Operation::Accum(v)
            }
        };
        let mut row = || {
            let chosen = [(); ROW].map(|()| (number(), number()));
            let call = now();
            let made = chosen.map(one);
            Recorded { call, ret: now(), operations: made.to_vec() }
        };
        let record = |at: usize| {
            if at.is_multiple_of(ROUND) {
                meet(at / ROUND);
            }
            row()
        };
        (0..each).map(record).collect()
    };
    thread::scope(|scope| {
        let operate = &operate;
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || operate(thread))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn a_context_is_linearizable<A: Algebra>() {
    let context = Context::<A>::new(7);
    let mut history = record::<A>(&context, 3, 120_000);
    let (call, operations) = (now(), vec![Operation::Read(context.read())]);
    history[0].push(Recorded { call, ret: now(), operations });
    assert_eq!(check(7, &history, A::compose), Ok(()));
}

#[test]
fn a_context_on_xor_is_linearizable() {
    a_context_is_linearizable::<Xor>();
}

#[test]
fn a_context_on_add_is_linearizable() {
    a_context_is_linearizable::<Add>();
}

/// A context whose `accum` is a load and a store.
struct Torn(Context<Xor>);

impl Operations for Torn {
    fn load(&self, v: u64) {
        self.0.load(v);
    }
    fn accum(&self, d: u64) {
        let state = self.0.read();
        thread::yield_now();
        self.0.load(state ^ d);
    }
    fn rollback(&self, d: u64) {
        self.accum(d);
    }
    fn read(&self) -> u64 {
        self.0.read()
    }
    fn swap(&self, v: u64) -> u64 {
        self.0.swap(v)
    }
}

#[test]
fn an_accum_of_a_load_and_a_store_is_refuted() {
    let history = record::<Xor>(&Torn(Context::new(7)), 3, 20_000);
    assert!(check(7, &history, Xor::compose).is_err());
}

#[test]
fn the_checker_knows_right_from_wrong() {
    use Operation::{Accum, Load, Read, Swap};
    let at = |call, ret, operation| Recorded { call, ret, operations: vec![operation] };
    let xor = |threads: &[Vec<Recorded>]| check(1, threads, Xor::compose);
    // One after the other.
    assert_eq!(
        xor(&[vec![at(0, 1, Accum(2)), at(2, 3, Read(3)), at(4, 5, Swap(9, 3)), at(6, 7, Read(9))]]),
        Ok(())
    );
    assert_eq!(xor(&[vec![at(0, 1, Accum(2)), at(2, 3, Read(1))]]), Err((0, 1)));
    // A read beside an accum may see it or not; one after it must see it, also in another thread.
    for result in [1, 3] {
        assert_eq!(xor(&[vec![at(0, 5, Accum(2))], vec![at(1, 4, Read(result))]]), Ok(()));
    }
    assert_eq!(xor(&[vec![at(0, 1, Accum(2))], vec![at(2, 3, Read(1))]]), Err((1, 0)));
    // What was seen stays seen.
    let seen_and_gone = vec![at(1, 2, Read(3)), at(3, 4, Read(1))];
    assert_eq!(xor(&[vec![at(0, 5, Accum(2))], seen_and_gone]), Err((1, 1)));
    // Two swaps can't both take the same state.
    let swaps = [vec![at(0, 3, Swap(5, 1))], vec![at(1, 2, Swap(6, 1))]];
    assert_eq!(xor(&swaps), Err((0, 0)));
    // An accum beside a load is gone or counts; the load is never lost.
    for (result, expected) in [(4, Ok(())), (6, Ok(())), (3, Err((0, 1)))] {
        let history = [vec![at(0, 3, Load(4)), at(5, 6, Read(result))], vec![at(1, 4, Accum(2))]];
        assert_eq!(xor(&history), expected);
    }
    // Of operations in a row, another thread's may come between, but they keep their order.
    for (seen, expected) in [([1, 3], Ok(())), ([3, 7], Ok(())), ([1, 7], Ok(())), ([7, 3], Err((1, 0)))] {
        let row = Recorded { call: 1, ret: 2, operations: seen.map(Read).to_vec() };
        let accums = Recorded { call: 0, ret: 3, operations: vec![Accum(2), Accum(4)] };
        assert_eq!(xor(&[vec![accums.clone()], vec![row]]), expected);
    }
}

/// The most operations of a record are checked; one more would be counted as none.
#[test]
#[should_panic = "a count of pending operations has 8 bits"]
fn the_checker_refuses_what_it_cannot_count() {
    let record =
        |operations| vec![Recorded { call: 0, ret: 1, operations: vec![Operation::Accum(0); operations] }];
    assert_eq!(check(1, &[record(255)], Xor::compose), Ok(()));
    let _ = check(1, &[record(256)], Xor::compose);
}

/// A fan-in's reads are not linearizable, but each holds every delta that came before it and none that comes
/// after, and one observer's reads only go forward, writer by writer: so each delta is in exactly one epoch.
///
/// Writer w adds 2^(16w), so that a state tells how many deltas of each writer are in it.
#[test]
fn reads_of_a_fan_in_hold_what_came_before() {
    const WRITERS: usize = 3;
    const EACH: u64 = 60_000;
    let lane = |state: u64, writer: usize| state >> (16 * writer) & 0xFFFF;
    let fan_in = FanIn::<Add>::new(0);
    // How many deltas each writer has begun and how many it has completed.
    let begun = [const { AtomicU64::new(0) }; WRITERS];
    let completed = [const { AtomicU64::new(0) }; WRITERS];
    let writing = AtomicBool::new(true);
    let counts = |of: &[AtomicU64; WRITERS]| [0, 1, 2].map(|writer| of[writer].load(Ordering::SeqCst));

    let write = |writer: usize| {
        for round in 0..EACH / 100 {
            // Writer 0 has no handle; the others' producers come and go.
            let mut producer = (writer != 0).then(|| fan_in.producer());
            for i in 0..100 {
                begun[writer].store(round * 100 + i + 1, Ordering::SeqCst);
                match &mut producer {
                    Some(producer) => producer.accum(1 << (16 * writer)),
                    None => fan_in.accum(1 << (16 * writer)),
                }
                completed[writer].store(round * 100 + i + 1, Ordering::SeqCst);
            }
        }
    };
    let observe = || {
        let mut epoch = fan_in.epoch();
        let mut total = epoch.reference();
        while writing.load(Ordering::SeqCst) {
            let (before, last) = (counts(&completed), epoch.reference());
            let checkpoint = epoch.swap();
            let after = counts(&begun);
            total = total.wrapping_add(checkpoint.delta);
            for writer in 0..WRITERS {
                let seen = lane(checkpoint.state, writer);
                assert!(before[writer] <= seen, "a delta that came before the read is missing");
                assert!(seen <= after[writer], "a delta was seen twice, or before it was made");
                assert!(lane(last, writer) <= seen, "a delta that was seen is gone");
            }
        }
        assert_eq!(
            total.wrapping_add(epoch.swap().delta),
            fan_in.read(),
            "a delta is in two epochs or in none"
        );
    };
    thread::scope(|scope| {
        let observers = [(); 2].map(|()| scope.spawn(observe));
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        writing.store(false, Ordering::SeqCst);
        observers.into_iter().for_each(|observer| observer.join().unwrap());
    });
    assert_eq!(fan_in.read(), EACH | EACH << 16 | EACH << 32);
}
