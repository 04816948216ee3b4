//! Uses everything in the core at once, round after round, with a known outcome: producers that come and go, threads
//! without a handle that begin and end, observers that keep accounts, tables, levels, and undo stacks.
//!
//! `atomik-soak SECONDS` panics if an account does not add up. Two faults are planted for a sanitizer to find:
//! `atomik-soak race` has a data race, and `atomik-soak use-after-free` reads freed memory.

use atomik_core::{
    Add, AtomikContext, AtomikTable, Counter, Epoch, FanIn, Rollback, TableEpoch, TableFanIn, UpDown,
};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: u64 = 4;
const EACH: u64 = 20_000;
const ADDRESSES: usize = 700;

/// A cell that one thread writes before a delta, and that others read after they saw the delta. Only the library orders
/// these accesses. If it does not, ThreadSanitizer reports a race.
struct Past(UnsafeCell<u64>);
// SAFETY: it is written once, before a delta, and read only by threads that saw the delta.
unsafe impl Sync for Past {}

struct Shared {
    context: AtomikContext,
    counter: Counter,
    fan_in: Arc<FanIn<Add>>,
    table: AtomikTable,
    planes: Arc<TableFanIn<Add>>,
    level: UpDown,
    announced: FanIn<Add>,
    past: Past,
    done: AtomicBool,
}

/// What one writer does. It undoes its stack except for one level.
fn write(shared: &Arc<Shared>, writer: u64) {
    let mut chain = Rollback::new(&shared.context);
    let mut producer = shared.fan_in.producer_owned();
    let mut plane = shared.planes.producer_owned();
    // Claimed early: an observer that sees a slot being claimed sees what its owner did before that.
    let mut announcer = (writer == 0).then(|| shared.announced.producer());
    for i in 0..EACH {
        let addr = (i * 31 + writer) as usize % ADDRESSES;
        shared.counter.accum(1);
        producer.accum(1);
        shared.fan_in.accum(1);
        plane.accum(addr, 1);
        shared.planes.accum(addr, 1);
        shared.level.up(1);
        shared.level.down(1);
        shared.table[addr].accum(1 << writer);
        chain.apply((i + 1) << 8 | writer);
        match i % 64 {
            0 => producer = shared.fan_in.producer_owned(),
            1 => plane = shared.planes.producer_owned(),
            2 => {
                chain.undo();
                chain.redo();
            }
            // A thread that lives for one delta.
            3 if i % 4096 == 3 => {
                let shared = shared.clone();
                thread::spawn(move || shared.fan_in.accum(1)).join().unwrap();
                // One that the writer makes up for: the account stays EACH * 2.
                producer.accum(0u64.wrapping_sub(1));
            }
            _ => {}
        }
    }
    while chain.undo_levels() > 1 {
        chain.undo();
    }
    if let Some(announcer) = &mut announcer {
        // SAFETY: nobody reads before the delta below is seen.
        unsafe { *shared.past.0.get() = 42 };
        announcer.accum(1);
    }
}

/// What one observer sees: its epochs compose to the final state, for each source.
fn observe(shared: &Arc<Shared>) {
    let mut context = Epoch::new(&shared.context);
    let mut counter = Epoch::new(&shared.counter);
    let mut fan_in = Epoch::new(&*shared.fan_in);
    let mut table = TableEpoch::new(&shared.table);
    let mut planes = TableEpoch::new(&*shared.planes);
    let (mut state, mut count, mut sum) = (context.reference(), counter.reference(), fan_in.reference());
    let (mut words, mut states) = (table.reference().to_vec(), planes.reference().to_vec());
    loop {
        // Read before the epochs: the last ones come after all writers.
        let last = shared.done.load(Ordering::Acquire);
        if shared.announced.read() == 1 {
            // SAFETY: the delta was seen, so its writer's past is.
            assert_eq!(unsafe { *shared.past.0.get() }, 42);
        }
        state ^= context.swap().delta;
        for (addr, delta) in table.swap().iter() {
            words[addr as usize] ^= delta;
        }
        let delta = counter.swap().delta;
        assert!(delta <= WRITERS * EACH, "the counter went backwards");
        count += delta;
        sum = sum.wrapping_add(fan_in.swap().delta);
        assert!(shared.level.read() >= 0, "a level was read below zero");
        for (addr, delta) in planes.swap().iter() {
            assert!(delta <= WRITERS * EACH * 2, "address {addr} went backwards");
            states[addr as usize] += delta;
        }
        if last {
            break;
        }
    }
    assert_eq!((count, sum), (WRITERS * EACH, WRITERS * EACH * 2), "a delta is in two epochs or in none");
    assert_eq!(states.iter().sum::<u64>(), WRITERS * EACH * 2, "a table's delta is in two epochs or in none");
    let left = (shared.context.read(), shared.table.iter().map(|context| context.read()).collect());
    assert_eq!((state, words), left, "a delta is in no epoch or in two");
}

fn round() {
    let shared = Arc::new(Shared {
        context: AtomikContext::new(0xCAFE),
        counter: Counter::new(0),
        fan_in: Arc::new(FanIn::new(0)),
        table: AtomikTable::new(ADDRESSES),
        planes: Arc::new(TableFanIn::new(ADDRESSES)),
        level: UpDown::new(0),
        announced: FanIn::new(0),
        past: Past(UnsafeCell::new(0)),
        done: AtomicBool::new(false),
    });
    thread::scope(|scope| {
        let observers = [(); 2].map(|()| scope.spawn(|| observe(&shared)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let shared = &shared;
                scope.spawn(move || write(shared, writer))
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        shared.done.store(true, Ordering::Release);
        observers.into_iter().for_each(|observer| observer.join().unwrap());
    });
    // The oldest level of each chain is left.
    assert_eq!(shared.context.read(), (0..WRITERS).fold(0xCAFE, |state, writer| state ^ (1 << 8 | writer)));
    for (addr, context) in shared.table.iter().enumerate() {
        let expected = (0..WRITERS).fold(0, |state, writer| {
            let times = (0..EACH).filter(|i| (i * 31 + writer) as usize % ADDRESSES == addr).count() as u64;
            state ^ (times % 2) << writer
        });
        assert_eq!(context.read(), expected, "address {addr}");
    }
}

fn planted_race() {
    let past = Past(UnsafeCell::new(0));
    // Both threads run before either writes. Otherwise the first could end before the second is made, and its end
    // would order their writes.
    let both_run = Barrier::new(2);
    thread::scope(|scope| {
        for i in 0..2 {
            let (past, both_run) = (&past, &both_run);
            scope.spawn(move || {
                both_run.wait();
                // SAFETY: none; the race is the purpose.
                (0..1_000).for_each(|_| unsafe { *past.0.get() += i });
            });
        }
    });
}

fn planted_use_after_free() -> u64 {
    let freed = Box::into_raw(Box::new(42u64));
    // SAFETY: none in the read; that is the point.
    unsafe {
        drop(Box::from_raw(freed));
        std::ptr::read_volatile(freed)
    }
}

fn main() {
    let given = std::env::args().nth(1).unwrap_or_default();
    match given.as_str() {
        "race" => planted_race(),
        "use-after-free" => println!("{}", planted_use_after_free()),
        seconds => {
            let seconds = seconds.parse().expect("the first argument is a number of seconds");
            let (start, mut rounds) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_secs(seconds) || rounds == 0 {
                round();
                rounds += 1;
            }
            println!("{rounds} rounds of {} deltas, all accounted for", WRITERS * EACH * 10);
        }
    }
}
