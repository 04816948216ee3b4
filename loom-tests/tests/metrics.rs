//! Models of a metrics recorder's storage: the growing table of counters, and the growing blocks of a histogram. The
//! locks of the registry itself are not modelled.

use atomik_core::models::end_thread;
use atomik_core::{Add, TableFanIn};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join};
use atomik_metrics::models::{Counters, Histogram};
use loom::thread;
use std::sync::Arc;

/// A scrape and a registration load many atomics, so the whole space of these models takes hours.
const BOUND: Preemptions = Preemptions { ordinary: 2, deep: Some(3) };

/// A counter is registered, which grows the table, while another is incremented and a scrape reads all: a scrape has
/// each increment once or not yet, and who sees an increment sees what its thread did before.
///
/// Rules out: a chunk that a scrape sees before it is made; a table that moves its words when it grows.
#[test]
fn registration_beside_recording_beside_a_scrape() {
    bounded_model(BOUND, || {
        let (counters, pasts) = (Counters::default(), [Past::new(), Past::new()]);
        let first = counters.register();
        let recording = {
            let (first, past) = (first.clone(), pasts[0].clone());
            thread::spawn(move || {
                past.happen();
                first.increment(0b01);
            })
        };
        let registering = {
            let (counters, past) = (counters.clone(), pasts[1].clone());
            thread::spawn(move || {
                let second = counters.register();
                past.happen();
                second.increment(0b10);
            })
        };
        let scraping = {
            let (counters, pasts) = (counters.clone(), pasts.clone());
            thread::spawn(move || check_pasts(counters.scrape().iter().sum(), &pasts))
        };
        join([recording, registering, scraping]);
        assert_eq!(counters.scrape(), [0b01, 0b10]);
    });
}

/// A counter takes over the word of one that was dropped, while a scrape reads: it starts from zero, and counts only its
/// own increments.
///
/// Rules out: a word that is handed out with what its last owner left in it.
#[test]
fn a_word_is_used_again_beside_a_scrape() {
    bounded_model(BOUND, || {
        let counters = Counters::default();
        let old = counters.register();
        let replacing = {
            let counters = counters.clone();
            thread::spawn(move || {
                old.increment(0b01);
                drop(old);
                let new = counters.register();
                assert_eq!(new.value(), 0);
                new.increment(0b10);
                new
            })
        };
        let scraping = {
            let counters = counters.clone();
            thread::spawn(move || assert!(matches!(counters.scrape()[..], [0b00 | 0b01 | 0b11])))
        };
        let new = replacing.join().unwrap();
        join([scraping]);
        assert_eq!((new.value(), counters.scrape().len()), (0b10, 1));
    });
}

/// Two threads raise a counter that a third increments: it ends at the larger value or above, by no more than the
/// increment, and never goes back.
///
/// Rules out: a raise by more than is missing, which two threads at once would add up; a raise that overwrites another.
#[test]
fn a_counter_is_raised_beside_an_increment() {
    bounded_model(BOUND, || {
        let counter = Counters::default().register();
        let raising = [5, 8].map(|value| {
            let counter = counter.clone();
            thread::spawn(move || {
                counter.absolute(value);
                assert!(counter.value() >= value);
            })
        });
        counter.increment(1);
        join(raising);
        assert!(matches!(counter.value(), 8 | 9), "{}", counter.value());
    });
}

/// Two threads record the first values of a histogram at once, beside a scrape: one of the values chooses the window, the
/// other is outside it, and both are counted. A counted value is in the sum.
///
/// Rules out: a window that is chosen twice; a count that is stored before the sum.
#[test]
fn a_window_is_chosen_beside_a_scrape() {
    let histogram = Histogram::default;
    values_beside_a_scrape(histogram, [2.0, 3.0]);
}

/// Two threads record the first values of a block of buckets outside the window at once, beside a scrape: both are
/// counted, and a counted value is in the sum.
///
/// Rules out: a block that one of two threads loses; a block seen before it is made.
#[test]
fn a_block_of_buckets_is_made_beside_a_scrape() {
    let histogram = || {
        let histogram = Histogram::default();
        // This chooses the window, and adds nothing to the sum.
        histogram.record_many(1.0, 0);
        histogram
    };
    values_beside_a_scrape(histogram, [1.5 * 2f64.powi(64), 1.5 * 2f64.powi(65)]);
}

fn values_beside_a_scrape(make: impl Fn() -> Histogram + Send + Sync + 'static, values: [f64; 2]) {
    let [first, second] = values;
    bounded_model(Preemptions { ordinary: 1, deep: Some(2) }, move || {
        let (histogram, past) = (make(), Past::new());
        let recording = {
            let (histogram, past) = (histogram.clone(), past.clone());
            thread::spawn(move || {
                past.happen();
                histogram.record(second);
            })
        };
        let scraping = {
            let (histogram, past) = (histogram.clone(), past.clone());
            thread::spawn(move || {
                let snapshot = histogram.snapshot();
                let has = |value| {
                    let index = snapshot.schema().index(value);
                    snapshot.positive_buckets().any(|(other, _)| Some(other) == index)
                };
                if has(second) {
                    past.must_have_happened();
                }
                let counted: f64 = values.into_iter().filter(|&value| has(value)).sum();
                assert!(snapshot.sum() >= counted, "{snapshot:?}");
            })
        };
        histogram.record(first);
        join([recording, scraping]);
        let snapshot = histogram.snapshot();
        let index = |value| snapshot.schema().index(value).unwrap();
        assert!(snapshot.positive_buckets().eq(values.map(|value| (index(value), 1))), "{snapshot:?}");
        assert_eq!(snapshot.sum(), first + second);
    });
}

/// Two threads add to a sum after the end of their thread-locals, when they share a plane: nothing is lost, and who
/// sees a value sees the past of its thread.
///
/// Rules out: an addition made of a load and a store; one that is not Release.
#[test]
fn sums_of_threads_after_their_ends() {
    bounded_model(BOUND, || {
        let (table, pasts) = (Arc::new(TableFanIn::<Add>::new(2)), [Past::new(), Past::new()]);
        let adding = [0, 1].map(|i| {
            let (table, past) = (table.clone(), pasts[i].clone());
            thread::spawn(move || {
                end_thread();
                past.happen();
                table.accum_with_f64(0, 1, 1, f64::from(1 << i));
            })
        });
        let reading = {
            let (table, pasts) = (table.clone(), pasts.clone());
            thread::spawn(move || check_pasts(table.read_f64(1) as u64, &pasts))
        };
        join(adding.into_iter().chain([reading]));
        assert_eq!((table.read(0), table.read_f64(1)), (2, 3.0));
    });
}
