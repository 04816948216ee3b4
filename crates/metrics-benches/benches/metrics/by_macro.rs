//! Counters by the facade's macro, which looks the series up each time.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use atomik_benches::measure::pin;
use atomik_benches::ratio::Ratio;
use atomik_benches::run::Subject;
use atomik_metrics_benches::median;
use metrics::Recorder;
use metrics_exporter_prometheus::PrometheusBuilder;

const EVENTS: u64 = 50_000;

pub(crate) fn by_macro(subject: &mut Subject) {
    let (ours, theirs) = (atomik_metrics::Recorder::new(), PrometheusBuilder::new().build_recorder());
    for threads in [1, 2] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..if subject.short { 10 } else { 60 } {
            times[0].push(time(&ours, threads));
            times[1].push(time(&theirs, threads));
        }
        // The order of labels may differ.
        let count = |text: String| {
            let sample = text.lines().find(|line| line.starts_with("events_total")).map(str::to_owned);
            sample.and_then(|line| line.rsplit_once(' ').map(|(_, count)| count.to_owned()))
        };
        assert_eq!(count(ours.handle().render()), count(theirs.handle().render()));
        let place = if threads == 1 { "1 thread" } else { "2 threads" };
        let target = if threads == 2 { 1.5 } else { 0.0 };
        let work = format!("counter! with static labels, {place}");
        subject.push(Ratio::new(work, "metrics-exporter-prometheus", times.map(median), target));
    }
}

/// The nanoseconds an event and thread.
fn time(recorder: &(dyn Recorder + Sync), threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let longest = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let barrier = &barrier;
                scope.spawn(move || {
                    pin(thread);
                    metrics::with_local_recorder(recorder, || {
                        barrier.wait();
                        let start = Instant::now();
                        for _ in 0..EVENTS {
                            metrics::counter!("events_total", "route" => "/", "code" => "200").increment(1);
                        }
                        start.elapsed()
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it doesn't panic")).max()
    });
    longest.unwrap_or(Duration::ZERO).as_nanos() as f64 / EVENTS as f64
}
