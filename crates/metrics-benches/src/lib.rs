//! Contestants that record events in many threads, and the time that they take.

pub mod counters;
mod exposition;
pub mod histograms;
mod open_telemetry;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use atomik_benches::measure::pin;

/// Records so many events, one after another.
pub type Work = Box<dyn FnMut(u64) + Send>;

/// Work that also counts its events, for contestants that can't be asked for them.
pub(crate) fn counted(mut work: Work, recorded: &Arc<AtomicU64>) -> Work {
    let recorded = Arc::clone(recorded);
    Box::new(move |events| {
        work(events);
        recorded.fetch_add(events, Ordering::Relaxed);
    })
}

/// A library that records events.
pub trait Contestant: Sync {
    /// Its name in the tables.
    fn name(&self) -> &'static str;

    /// What a thread does, which keeps its handle of the series with this number.
    fn work(&self, series: usize) -> Work;

    /// How many events were recorded in all. It is called between runs, and takes away what piled up.
    fn total(&self) -> u64;

    /// What a scrape costs the contestant.
    fn scrape(&self);
}

/// The nanoseconds an event and thread of a run in which each thread records so many events.
///
/// # Panics
///
/// If events are lost.
pub fn run(contestant: &dyn Contestant, threads: usize, distinct: bool, events: u64) -> Duration {
    let before = contestant.total();
    let barrier = Barrier::new(threads);
    let longest = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let mut work = contestant.work(if distinct { thread } else { 0 });
                let barrier = &barrier;
                scope.spawn(move || {
                    pin(thread);
                    // The first event of a thread allocates.
                    work(1);
                    barrier.wait();
                    let start = Instant::now();
                    work(events);
                    start.elapsed()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it doesn't panic")).max()
    });
    let recorded = contestant.total() - before;
    assert_eq!(recorded, threads as u64 * (events + 1), "{} lost events", contestant.name());
    longest.unwrap_or_default()
}

/// How long one turn should take.
const TURN: Duration = Duration::from_millis(3);

/// The median nanoseconds an event and thread of contestants that take turns. Not the least: of threads that contend, the
/// best turn is one in which they happened not to meet.
pub fn race(contestants: &[&dyn Contestant], threads: usize, distinct: bool, rounds: usize) -> Vec<f64> {
    let events: Vec<u64> = contestants
        .iter()
        .map(|&contestant| {
            let mut events = 1_000;
            loop {
                let time = run(contestant, threads, distinct, events);
                if time >= TURN {
                    break events;
                }
                events *= 2;
            }
        })
        .collect();
    let mut times = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for ((&contestant, &events), times) in contestants.iter().zip(&events).zip(&mut times) {
            times.push(run(contestant, threads, distinct, events).as_nanos() as f64 / events as f64);
        }
        // A core of a shared machine can be slow for seconds at a time.
        std::thread::sleep(Duration::from_millis(50));
    }
    times.into_iter().map(median).collect()
}

/// The middle one of some times.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The median nanoseconds an event and thread of contestants that take turns of a second, in each of which a thread
/// scrapes once.
pub fn race_beside_a_scraper(contestants: &[&dyn Contestant], threads: usize, rounds: usize) -> Vec<f64> {
    let mut times = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for (&contestant, times) in contestants.iter().zip(&mut times) {
            // As many events as take about a second.
            let sample = run(contestant, threads, false, 100_000).as_nanos() as f64 / 1e5;
            let events = (1e9 / sample) as u64;
            let time = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(500));
                    contestant.scrape();
                });
                run(contestant, threads, false, events)
            });
            times.push(time.as_nanos() as f64 / events as f64);
        }
    }
    times.into_iter().map(median).collect()
}

/// The metadata that macros pass on.
pub(crate) const METADATA: metrics::Metadata<'static> =
    metrics::Metadata::new("benches", metrics::Level::INFO, None);

/// The key of a series by its number.
pub(crate) fn key(series: usize) -> metrics::Key {
    metrics::Key::from_parts("events_total", vec![metrics::Label::new("series", series.to_string())])
}

/// How many series threads may have.
pub const SERIES: usize = 8;
