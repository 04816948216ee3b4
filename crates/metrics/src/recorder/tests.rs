use super::*;
use crate::epoch::MetricsEpoch;
use crate::snapshot::HistogramSnapshot;
use proptest::collection::vec;
use proptest::prelude::*;

const TIMEOUT: Duration = Duration::from_secs(60);

fn handle() -> Handle {
    Recorder::builder().idle_timeout(TIMEOUT).build().handle()
}

/// Looks for idle series as if this much time had passed since the start.
fn sweep(handle: &Handle, seconds: u64) {
    let mut known = handle.inner.known.lock().unwrap();
    handle.inner.sweep(&mut known, Duration::from_secs(seconds));
}

#[test]
fn series_without_handles_are_dropped_after_the_timeout() {
    let handle = handle();
    handle.counter("c", &[]).increment(1);
    handle.gauge("g", &[]).set(1.0);
    handle.histogram("h", &[]).record(1.0);
    sweep(&handle, 1);
    sweep(&handle, 60);
    assert_eq!(handle.series(), 3, "a change is an age from when it was first seen");
    sweep(&handle, 61);
    assert_eq!(handle.series(), 0);
    assert_eq!(handle.render(), "");
}

#[test]
fn a_series_with_a_handle_is_kept() {
    let handle = handle();
    let (counter, gauge, histogram) =
        (handle.counter("c", &[]), handle.gauge("g", &[]), handle.histogram("h", &[]));
    for seconds in 1..1_000 {
        sweep(&handle, seconds);
    }
    counter.increment(5);
    gauge.set(6.0);
    histogram.record(7.0);
    let text = handle.render();
    for line in ["c_total 5\n", "g 6.0\n", "h_sum 7.0\n"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn series_that_threads_have_cached_are_dropped_unless_somebody_has_a_handle() {
    let recorder = Recorder::builder().idle_timeout(TIMEOUT).build();
    let handle = recorder.handle();
    let (done, stop) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            metrics::with_local_recorder(&recorder, || {
                metrics::counter!("dropped").increment(1);
                metrics::gauge!("dropped").set(1.0);
                metrics::histogram!("dropped").record(1.0);
                let kept = metrics::counter!("kept");
                done.wait();
                // The thread does nothing while the series are dropped.
                stop.wait();
                kept.increment(5);
                metrics::counter!("dropped").increment(7);
            });
        });
        done.wait();
        sweep(&handle, 1);
        sweep(&handle, 61);
        assert_eq!(handle.series(), 1);
        stop.wait();
    });
    assert_eq!((handle.counter("kept", &[]).value(), handle.counter("dropped", &[]).value()), (5, 7));
}

#[test]
fn threads_keep_nothing_of_a_recorder_that_is_gone() {
    let recorder = Recorder::new();
    let key = Key::from_static_name("c");
    metrics::with_local_recorder(&recorder, || metrics::counter!("c").increment(1));
    let cell = Arc::downgrade(&recorder.handle.inner.counter(&key));
    drop(recorder);
    assert!(cell.upgrade().is_none());
}

#[test]
fn more_series_than_a_thread_caches_are_counted_all_the_same() {
    let recorders = [(); 6].map(|()| Recorder::new());
    for round in 0..3 {
        for recorder in &recorders {
            metrics::with_local_recorder(recorder, || {
                for i in 0..300 {
                    metrics::counter!("c", "i" => i.to_string()).increment(round);
                }
            });
        }
    }
    for recorder in &recorders {
        let handle = recorder.handle();
        assert!((0..300).all(|i| handle.counter("c", &[("i", &i.to_string())]).value() == 3));
    }
}

#[test]
fn a_rendered_series_is_dropped_all_the_same() {
    let handle = handle();
    handle.counter("c", &[]).increment(1);
    sweep(&handle, 1);
    assert_eq!(handle.render(), "# TYPE c_total counter\nc_total 1\n");
    sweep(&handle, 61);
    assert_eq!(handle.series(), 0);
}

#[test]
fn changes_put_the_end_off() {
    let handle = handle();
    for seconds in (0..600).step_by(30) {
        handle.counter("c", &[]).increment(1);
        handle.gauge("g", &[]).set(1.0); // the value that it has already
        handle.histogram("h", &[]).record(0.0);
        sweep(&handle, seconds);
    }
    assert_eq!(handle.series(), 3);
}

#[test]
fn a_series_that_comes_back_starts_from_zero_in_a_word_that_was_used() {
    let handle = handle();
    for round in 0..1_000 {
        let name = round.to_string();
        handle.counter("c", &[("round", &name)]).increment(7);
        sweep(&handle, 100 * round);
        sweep(&handle, 100 * round + 61);
        assert_eq!(handle.series(), 0);
    }
    assert_eq!(handle.inner.counters().capacity(), 64, "words are used again");
    assert_eq!(handle.counter("c", &[]).value(), 0);
}

#[test]
fn an_observer_tells_a_series_from_the_one_that_it_replaced() {
    let handle = handle();
    handle.counter("c", &[]).increment(7);
    let mut epoch = handle.epoch();
    sweep(&handle, 1);
    sweep(&handle, 61);
    handle.counter("c", &[]).increment(8);
    assert_eq!(epoch.swap().counter("c", &[]), 8);
}

#[test]
fn an_observer_never_sees_less_than_nothing_in_a_word_that_changes_hands() {
    let handle = Recorder::new().handle();
    // So many that reading them takes longer than it takes to make and drop a counter.
    let _others: Vec<_> = (0..2_000).map(|i| handle.counter("other", &[("i", &i.to_string())])).collect();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each counter takes over the word of the one before.
            for name in (0..64).map(|i| i.to_string()).cycle() {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                let key = key("c", &[("i", &name)]);
                metrics::CounterFn::increment(&*handle.inner.counter(&key), 1);
                handle.inner.registry.delete_counter(&key);
            }
        });
        let mut epoch = handle.epoch();
        let mut largest = 0;
        for _ in 0..30 {
            largest = epoch.swap().counters().map(|(_, delta)| delta).fold(largest, u64::max);
        }
        is_done.store(true, Ordering::Relaxed);
        assert!(largest <= 1, "{largest}");
    });
}

#[test]
fn changes_that_add_up_to_2_to_the_64_do_not_panic() {
    let handle = Recorder::new().handle();
    let mut epoch = handle.epoch();
    // A label twice: two counters of the recorder, and one series for an observer, which sorts the labels.
    let labels = [("a", "1"), ("a", "2"), ("b", "")];
    handle.counter("c", &labels).increment(u64::MAX);
    handle.counter("c", &[labels[1], labels[0], labels[2]]).increment(3);
    assert_eq!(handle.series(), 2);
    let changes = epoch.swap();
    assert_eq!(changes.counter("c", &labels), 2);
    let grown = changes.rate("c") * changes.duration().as_secs_f64();
    assert!((grown / 2f64.powi(64) - 1.0).abs() < 1e-9, "{grown}");
}

#[test]
fn a_new_series_does_not_wait_for_a_scrape() {
    let handle = Recorder::builder().idle_timeout(Duration::from_nanos(1)).build().handle();
    let (made, wait) = std::sync::mpsc::channel();
    let scrape = handle.inner.known.lock().unwrap();
    let thread = std::thread::spawn({
        let handle = handle.clone();
        move || {
            let counter = handle.counter("c", &[]);
            made.send(()).unwrap();
            counter
        }
    });
    let is_made = wait.recv_timeout(Duration::from_secs(20)).is_ok();
    drop(scrape);
    assert!(is_made);
    drop(thread.join().unwrap());
}

#[test]
fn series_whose_names_become_one_are_shown_as_one() {
    let handle = handle();
    handle.counter("a.b", &[]).increment(1);
    handle.counter("a_b", &[("x", "")]).increment(2);
    handle.counter("a_b_total", &[]).increment(4);
    handle.histogram("h.", &[("a.", "1")]).record(1.0);
    handle.histogram("h_", &[("a_", "1")]).record(2.0);
    handle.gauge("g.", &[]).set(1.0);
    handle.gauge("g_", &[]).set(2.0);
    let text = handle.render();
    assert!(text.contains("a_b_total 7\n"), "{text}");
    assert!(text.contains("h__sum{a_=\"1\"} 3.0\n"), "{text}");
    assert!(text.contains("g_ 2.0\n"), "{text}");
}

#[test]
fn families_with_clashing_names_are_told_apart() {
    let handle = handle();
    handle.counter("x", &[]).increment(1);
    handle.gauge("x", &[]).set(2.0);
    handle.histogram("x", &[]).record(3.0);
    handle.gauge("y_count", &[]).set(4.0);
    handle.histogram("y", &[]).record(5.0);
    let text = handle.render();
    for line in
        ["x_total 1\n", "x_gauge 2.0\n", "x_histogram_sum 3.0\n", "y_count 4.0\n", "y_histogram_count 1\n"]
    {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

/// Something that a program does with a recorder.
#[derive(Clone, Debug)]
enum Step {
    Increment { series: usize, count: u64 },
    Record { series: usize, value: f64, count: u64 },
    Look { observer: usize },
    Render,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3usize, any::<u64>()).prop_map(|(series, count)| Step::Increment { series, count }),
        4 => (0..3usize, any::<i16>(), 0..1000u64)
            .prop_map(|(series, value, count)| Step::Record { series, value: f64::from(value), count }),
        2 => (0..2usize).prop_map(|observer| Step::Look { observer }),
        1 => Just(Step::Render),
    ]
}

proptest! {
    #[test]
    fn the_epochs_of_every_observer_add_up(steps in vec(step(), 0..60)) {
        let handle = Recorder::new().handle();
        let mut observers = [handle.epoch(), handle.epoch()];
        let names = ["a", "b", "c"];
        let (mut counts, mut seen) = ([0u64; 3], [[0u64; 3]; 2]);
        let empty = || [(); 3].map(|()| HistogramSnapshot::default());
        let (mut values, mut observed) = (empty(), [empty(), empty()]);
        let mut look = |observer: usize, epoch: &mut MetricsEpoch| {
            let changes = epoch.swap();
            for (i, name) in names.iter().enumerate() {
                seen[observer][i] = seen[observer][i].wrapping_add(changes.counter(name, &[]));
                if let Some(delta) = changes.histogram(name) {
                    observed[observer][i].merge(&delta);
                }
            }
        };
        for step in steps {
            match step {
                Step::Increment { series, count } => {
                    counts[series] = counts[series].wrapping_add(count);
                    handle.counter(names[series], &[]).increment(count);
                }
                Step::Record { series, value, count } => {
                    values[series].record_many(value, count);
                    handle.histogram(names[series], &[]).record_many(value, count);
                }
                Step::Look { observer } => look(observer, &mut observers[observer]),
                Step::Render => drop(handle.render()),
            }
        }
        (0..2).for_each(|observer| look(observer, &mut observers[observer]));
        // The values are integers, so that their sums are exact in any order.
        prop_assert_eq!(seen, [counts, counts]);
        prop_assert_eq!(observed, [values.clone(), values]);
    }
}
