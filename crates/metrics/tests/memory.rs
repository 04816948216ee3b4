//! What series take up, by an allocator that counts. This file is a process of its own, with one test at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use atomik_metrics::{Handle, Recorder};

/// The system's allocator, counting the bytes that are allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: only the number matters; the tests read it where no other thread allocates.
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Held by each test, since all of them share the counter.
static ALONE: Mutex<()> = Mutex::new(());

/// How many more bytes are allocated after some work than before.
fn growth(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    work();
    LIVE.load(Ordering::Relaxed).saturating_sub(before)
}

/// Runs some work in so many threads that are alive at once.
fn in_threads(threads: usize, work: impl Fn() + Sync) {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let work = || {
            barrier.wait();
            work();
            barrier.wait();
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // The end of the scope alone would not wait until the threads have returned their memory.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// The threads' own memory in the runtime, such as their names and handles, is not a series'.
const RUNTIME: usize = 16 << 10;

fn counters(handle: &Handle, series: usize) -> Vec<atomik_metrics::Counter> {
    (0..series).map(|i| handle.counter("requests_total", &[("route", &i.to_string())])).collect()
}

#[test]
fn a_counter_takes_8_bytes_a_thread() {
    const SERIES: usize = 4_096;
    let _alone = ALONE.lock();
    let handle = Recorder::new().handle();
    let counters = counters(&handle, SERIES);
    let count = || counters.iter().for_each(|counter| counter.increment(1));
    in_threads(1, count);
    // Seven threads more than there were at once.
    let grown = growth(|| in_threads(8, count));
    // 8 bytes, and for each chunk of 512 counters the 88 bytes of a plane's head, its alignment and its place in a list.
    let bound = 7 * SERIES * 8 * 5 / 4 + RUNTIME;
    assert!(grown <= bound, "{grown} bytes for 7 threads and {SERIES} series, of {bound}");
}

#[test]
fn a_counter_takes_400_bytes_without_threads() {
    const SERIES: usize = 10_000;
    let _alone = ALONE.lock();
    let handle = Recorder::new().handle();
    let grown = growth(|| drop(counters(&handle, SERIES)));
    assert!(grown / SERIES <= 400, "{} bytes a series", grown / SERIES);
}

#[test]
fn a_histogram_of_latencies_takes_3_kib_a_thread() {
    const SERIES: usize = 256;
    let _alone = ALONE.lock();
    let handle = Recorder::new().handle();
    let histograms: Vec<_> =
        (0..SERIES).map(|i| handle.histogram("request_seconds", &[("route", &i.to_string())])).collect();
    // From a microsecond to ten seconds.
    let latencies = || (-6..=1).flat_map(|digit| [1.0, 2.0, 5.0].map(|value| value * 10f64.powi(digit)));
    let record =
        || histograms.iter().for_each(|histogram| latencies().for_each(|value| histogram.record(value)));
    in_threads(1, record);
    let grown = growth(|| in_threads(8, record));
    let bound = 7 * SERIES * 3_072 + RUNTIME;
    assert!(grown <= bound, "{} bytes a thread and series", grown / (7 * SERIES));
}

#[test]
fn a_histogram_takes_1_700_bytes_without_threads() {
    const SERIES: usize = 1_000;
    let _alone = ALONE.lock();
    let handle = Recorder::new().handle();
    let histogram = |i: usize| handle.histogram("request_seconds", &[("route", &i.to_string())]);
    let grown = growth(|| (0..SERIES).for_each(|i| drop(histogram(i))));
    assert!(grown / SERIES <= 1_700, "{} bytes a series", grown / SERIES);
}

#[test]
fn memory_does_not_grow_with_records_when_nobody_scrapes() {
    let _alone = ALONE.lock();
    let recorder = Recorder::new();
    let handle = recorder.handle();
    let record = |times: u32| {
        let (counter, gauge, histogram) =
            (handle.counter("c", &[]), handle.gauge("g", &[]), handle.histogram("h", &[]));
        for i in 0..times {
            counter.increment(1);
            gauge.set(f64::from(i));
            histogram.record(1.0 + f64::from(i % 1_000));
            metrics::with_local_recorder(&recorder, || metrics::counter!("by_macro").increment(1));
        }
    };
    record(1_000);
    // An hour's worth: a thousand records a second.
    let grown = growth(|| record(3_600_000));
    assert!(grown <= RUNTIME, "{grown} bytes for 14 million records");
}

#[test]
fn label_sets_that_come_and_go_do_not_pile_up() {
    let _alone = ALONE.lock();
    let handle = Recorder::builder().idle_timeout(Duration::from_millis(2)).build().handle();
    let churn = |round: usize| {
        for i in 0..100 {
            let user = format!("{round}/{i}");
            handle.counter("requests_total", &[("user", &user)]).increment(1);
            handle.histogram("request_seconds", &[("user", &user)]).record(1.0);
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    // Nobody scrapes; and series are looked for when there are new ones.
    (0..20).for_each(churn);
    let grown = growth(|| (20..120).for_each(churn));
    assert!(handle.series() < 2_000, "{} of 24,000 series are left", handle.series());
    // 20,000 series more than before, if all were kept.
    assert!(grown < 1_000_000, "{grown} bytes");
}

#[test]
fn ten_thousand_threads_one_after_another_share_their_memory() {
    let _alone = ALONE.lock();
    let handle = Recorder::new().handle();
    let (counter, histogram) = (handle.counter("c", &[]), handle.histogram("h", &[]));
    let threads = |number: usize| {
        for _ in 0..number {
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    counter.increment(1);
                    histogram.record(0.5);
                });
                // As in `in_threads`.
                thread.join().unwrap();
            });
        }
    };
    threads(100);
    let grown = growth(|| threads(9_900));
    assert!(grown <= RUNTIME, "{grown} bytes");
    assert_eq!((counter.value(), histogram.snapshot().count()), (10_000, 10_000));
    assert_eq!(histogram.snapshot().sum(), 5_000.0);
}
