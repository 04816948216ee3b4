//! What series take up, by an allocator that counts: `cargo bench -p atomik-metrics-benches --bench memory [-- [--record]]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use metrics::Recorder;
use metrics_exporter_prometheus::PrometheusBuilder;

/// The system's allocator, counting the bytes that are allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: it is read only while no other thread runs.
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Relaxed: as above.
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let mut run = Run::from_args("metrics_memory");
    run.subject("metrics_memory", memory);
    run.finish()
}

const SERIES: usize = 2_000;

fn memory(subject: &mut Subject) {
    for threads in [1, 8] {
        let count = |i: usize| metrics::counter!("requests_total", "route" => i.to_string()).increment(1);
        push(subject, "counter", threads, 1, count);
        let record = |i: usize| {
            // From 100 microseconds to a second.
            let latencies = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
            let histogram = metrics::histogram!("request_seconds", "route" => i.to_string());
            latencies.into_iter().for_each(|latency| histogram.record(latency));
        };
        push(subject, "histogram", threads, 1, record);
        push(subject, "histogram of 100 times as many values", threads, 100, record);
    }
}

/// The bytes of a series in which so many threads that are alive at once record `events` times, and nobody scrapes.
fn push(subject: &mut Subject, kind: &str, threads: usize, events: usize, event: impl Fn(usize) + Sync) {
    let powers: Vec<f64> = (-13..=6).map(|exponent| 2f64.powi(exponent)).collect();
    let exporter = || {
        let builder = PrometheusBuilder::new().set_buckets(&powers).expect("there are buckets");
        builder.build_recorder()
    };
    let ours = bytes(atomik_metrics::Recorder::new, threads, events, &event);
    let theirs = bytes(exporter, threads, events, &event);
    let work = format!("a {kind}, {threads} thread{}", if threads == 1 { "" } else { "s" });
    subject.push(Ratio::new(work, "metrics-exporter-prometheus", [ours, theirs], 0.0));
}

fn bytes<R: Recorder + Sync>(
    recorder: impl Fn() -> R,
    threads: usize,
    events: usize,
    event: impl Fn(usize) + Sync,
) -> f64 {
    let before = LIVE.load(Ordering::Relaxed);
    let recorder = recorder();
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                barrier.wait();
                metrics::with_local_recorder(&recorder, || {
                    (0..events).for_each(|_| (0..SERIES).for_each(&event));
                });
                barrier.wait();
            });
        }
    });
    LIVE.load(Ordering::Relaxed).saturating_sub(before) as f64 / SERIES as f64
}
