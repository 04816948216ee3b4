//! Rendering.

use std::hint::black_box;
use std::sync::Barrier;

use atomik_benches::measure::race;
use atomik_benches::ratio::Ratio;
use atomik_benches::run::Subject;
use metrics::{Label, Recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

/// Threads that have a plane of their own.
const LANES: usize = 8;

pub(crate) fn rendering(subject: &mut Subject) {
    let (ours, theirs) = (atomik_metrics::Recorder::new(), PrometheusBuilder::new().build_recorder());
    for recorder in [&ours as &(dyn Recorder + Sync), &theirs] {
        record(recorder, |i| metrics::counter!("requests_total", labels(i)).increment(i as u64), 10_000);
    }
    let (ours, theirs) = (ours.handle(), theirs.handle());
    let times =
        race(4, 5, [&mut || drop(black_box(ours.render())), &mut || drop(black_box(theirs.render()))]);
    let work = format!("render 10,000 counters, {LANES} lanes");
    subject.push(Ratio::new(work, "metrics-exporter-prometheus", times, 1.0));

    // An observer of the same counters.
    let changed: Vec<_> = (0..10_000)
        .step_by(100)
        .map(|i| ours.counter("requests_total", &[("route", &route(i)), ("code", &code(i))]))
        .collect();
    let mut epoch = ours.epoch();
    let mut observe = || {
        changed.iter().for_each(|counter| counter.increment(1));
        assert_eq!(epoch.swap().counters().count(), changed.len());
    };
    let times = race(4, 5, [&mut observe, &mut || drop(black_box(ours.render()))]);
    let work = "observe 10,000 counters, 100 of them changed";
    subject.push(Ratio::new(work, "this library's render", times, 0.0));

    let powers: Vec<f64> = (-13..=6).map(|exponent| 2f64.powi(exponent)).collect();
    let builder = PrometheusBuilder::new().set_buckets(&powers).expect("there are buckets");
    let (ours, theirs) = (atomik_metrics::Recorder::new(), builder.build_recorder());
    for recorder in [&ours as &(dyn Recorder + Sync), &theirs] {
        let histogram = |i| {
            let histogram = metrics::histogram!("request_seconds", labels(i));
            [1e-4, 1e-3, 1e-2, 1e-1].iter().for_each(|&value| histogram.record(value));
        };
        record(recorder, histogram, 1_000);
    }
    let (ours, theirs) = (ours.handle(), theirs.handle());
    let times =
        race(4, 5, [&mut || drop(black_box(ours.render())), &mut || drop(black_box(theirs.render()))]);
    let work = format!("render 1,000 histograms of 21 buckets, {LANES} lanes");
    subject.push(Ratio::new(work, "metrics-exporter-prometheus", times, 0.0));
}

fn labels(i: usize) -> Vec<Label> {
    vec![Label::new("route", route(i)), Label::new("code", code(i))]
}

fn route(i: usize) -> String {
    format!("/items/{}", i / 4)
}

fn code(i: usize) -> String {
    (200 + i % 4).to_string()
}

/// Records to so many series, in threads that live at once.
fn record(recorder: &(dyn Recorder + Sync), event: impl Fn(usize) + Sync, series: usize) {
    let barrier = Barrier::new(LANES);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                barrier.wait();
                metrics::with_local_recorder(recorder, || (0..series).for_each(&event));
                barrier.wait();
            });
        }
    });
}
