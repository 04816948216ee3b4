//! Many threads at work at once: everything is counted once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use atomik_metrics::Recorder;

#[test]
fn threads_that_record_register_and_scrape_at_once_lose_nothing() {
    const THREADS: u64 = 4;
    const EVENTS: u64 = 20_000;
    let recorder = Recorder::new();
    let handle = recorder.handle();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let recorder = &recorder;
                scope.spawn(move || {
                    metrics::with_local_recorder(recorder, || {
                        for i in 0..EVENTS {
                            let shard = ((i * 7 + worker) % 50).to_string();
                            metrics::counter!("events_total", "shard" => shard).increment(1);
                            metrics::counter!("all_total").increment(1);
                            metrics::histogram!("value").record((i % 100) as f64);
                        }
                    });
                })
            })
            .collect();
        // Observers see counters that never go backwards, and every delta once.
        scope.spawn(|| {
            let counter = handle.counter("all_total", &[]);
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let value = counter.value();
                assert!(value >= last, "{value} after {last}");
                last = value;
                let _ = handle.render();
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let mut total = 0;
    for shard in 0..50 {
        total += handle.counter("events_total", &[("shard", &shard.to_string())]).value();
    }
    let values = handle.histogram("value", &[]).snapshot();
    assert_eq!(total, THREADS * EVENTS);
    assert_eq!(handle.counter("all_total", &[]).value(), THREADS * EVENTS);
    assert_eq!(values.count(), THREADS * EVENTS);
    assert_eq!(values.sum(), (THREADS * EVENTS / 100 * 4_950) as f64);
}

#[test]
fn observers_beside_writers_see_every_event_once() {
    const EVENTS: u64 = 200_000;
    let handle = Recorder::new().handle();
    let mut epochs = [handle.epoch(), handle.epoch()];
    let seen = thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (counter, histogram) = (handle.counter("c", &[]), handle.histogram("h", &[]));
                    for i in 0..EVENTS {
                        counter.increment(1);
                        histogram.record(i as f64);
                    }
                })
            })
            .collect();
        let (mut seen, mut looks) = ([(0, 0); 2], 0);
        loop {
            let is_last = writers.iter().all(|writer| writer.is_finished());
            // The second looks less often than the first.
            for (i, epoch) in
                epochs.iter_mut().enumerate().filter(|&(i, _)| is_last || i == 0 || looks % 7 == 0)
            {
                let changes = epoch.swap();
                seen[i].0 += changes.counter("c", &[]);
                seen[i].1 += changes.histogram("h").map_or(0, |delta| delta.count());
            }
            looks += 1;
            if is_last {
                return seen;
            }
        }
    });
    assert_eq!(seen, [(2 * EVENTS, 2 * EVENTS); 2]);
}

#[test]
fn a_handle_holds_no_lock() {
    let (done, wait) = std::sync::mpsc::channel();
    let handle = Recorder::builder().idle_timeout(std::time::Duration::from_nanos(1)).build().handle();
    // In a thread of its own, so that a deadlock fails the test.
    thread::spawn(move || {
        let first = handle.counter("c", &[("i", "1")]);
        let mut epoch = handle.epoch();
        // Another series of the family, a scrape and a swap, while the first handle is in use.
        first.increment(handle.counter("c", &[("i", "2")]).value() + 1);
        let text = handle.render();
        done.send((text.contains("c_total{i=\"1\"} 1\n"), epoch.swap().counter("c", &[("i", "1")]))).unwrap();
    });
    assert_eq!(wait.recv_timeout(std::time::Duration::from_secs(20)), Ok((true, 1)));
}

#[test]
fn a_storm_of_registrations_makes_each_series_once() {
    const THREADS: usize = 8;
    let handle = Recorder::new().handle();
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for i in 0..500 {
                    handle.counter("c", &[("i", &i.to_string())]).increment(1);
                    handle.gauge("g", &[("i", &i.to_string())]).increment(1.0);
                    handle.histogram("h", &[("i", &i.to_string())]).record(1.0);
                }
            });
        }
    });
    assert_eq!(handle.series(), 1_500);
    for i in 0..500 {
        let i = i.to_string();
        assert_eq!(handle.counter("c", &[("i", &i)]).value(), THREADS as u64);
        assert_eq!(handle.gauge("g", &[("i", &i)]).value(), THREADS as f64);
        assert_eq!(handle.histogram("h", &[("i", &i)]).snapshot().count(), THREADS as u64);
    }
}

#[test]
fn threads_that_panic_leave_what_they_counted() {
    let handle = Recorder::new().handle();
    let (counter, histogram) = (handle.counter("c", &[]), handle.histogram("h", &[]));
    thread::scope(|scope| {
        for thread in 0..100u64 {
            let (counter, histogram) = (&counter, &histogram);
            let dies = scope.spawn(move || {
                for i in 0.. {
                    counter.increment(1);
                    histogram.record_many(2.0, 3);
                    // Without the panic hook, which would print.
                    if i == thread {
                        std::panic::resume_unwind(Box::new("dead"));
                    }
                }
            });
            assert!(dies.join().is_err());
        }
    });
    assert_eq!(counter.value(), 5_050);
    assert_eq!((histogram.snapshot().count(), histogram.snapshot().sum()), (3 * 5_050, 6.0 * 5_050.0));
}

#[test]
fn an_absolute_counter_ends_at_the_largest_value_whoever_sets_it() {
    let handle = Recorder::new().handle();
    let counter = handle.counter("c", &[]);
    thread::scope(|scope| {
        for thread in 0..4 {
            let counter = &counter;
            scope.spawn(move || {
                let mut last = 0;
                for i in 0..10_000 {
                    counter.absolute(i * 4 + thread);
                    let value = counter.value();
                    assert!(value >= last && value >= i * 4 + thread, "{value} after {last}");
                    last = value;
                }
            });
        }
    });
    assert_eq!(counter.value(), 39_999);
    counter.absolute(7);
    counter.increment(1);
    assert_eq!(counter.value(), 40_000);
}
