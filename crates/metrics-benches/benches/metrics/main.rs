//! Recording and rendering against the rivals, all in one process, taking turns:
//! `cargo bench -p atomik-metrics-benches [-- [--record] [SUBJECT...]]`.

mod by_macro;
mod rendering;

use std::process::ExitCode;

use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_metrics_benches::{Contestant, counters, histograms, race, race_beside_a_scraper};

fn main() -> ExitCode {
    let mut run = Run::from_args("metrics");
    run.subject("metrics_counter", |subject| against_all(subject, "increment", &counter_contestants(), 5.0));
    run.subject("metrics_histogram", |subject| against_all(subject, "record", &histogram_contestants(), 5.0));
    run.subject("metrics_macro", by_macro::by_macro);
    run.subject("metrics_render", rendering::rendering);
    run.subject("metrics_threads", threads);
    run.subject("metrics_scraped", scraped);
    run.finish()
}

type Contestants = Vec<Box<dyn Contestant>>;

/// This library without and with the facade, and then the rivals.
fn counter_contestants() -> Contestants {
    vec![
        Box::new(counters::Ours::default()),
        Box::new(counters::OursByFacade::default()),
        Box::new(counters::Exporter::default()),
        Box::new(counters::IntCounter::default()),
        Box::new(counters::LocalIntCounter::default()),
        Box::new(counters::PrometheusClient::default()),
        Box::new(counters::OpenTelemetry::default()),
    ]
}

fn histogram_contestants() -> Contestants {
    vec![
        Box::new(histograms::Ours::default()),
        Box::new(histograms::OursByFacade::default()),
        Box::new(histograms::Exporter::default()),
        Box::new(histograms::Prometheus::default()),
        Box::new(histograms::PrometheusClient::default()),
        Box::new(histograms::OpenTelemetry::default()),
        Box::new(histograms::Hdr::default()),
    ]
}

fn refs(contestants: &Contestants) -> Vec<&dyn Contestant> {
    contestants.iter().map(AsRef::as_ref).collect()
}

/// Two threads with cached handles of one series, against each rival.
fn against_all(subject: &mut Subject, work: &str, contestants: &Contestants, target: f64) {
    let contestants = refs(contestants);
    let times = race(&contestants, 2, false, if subject.short { 10 } else { 60 });
    for ours in 0..2 {
        for rival in 2..contestants.len() {
            // What is flushed now and then isn't there when a scrape comes, so it is no target.
            let has_target = !contestants[rival].name().contains("flushed");
            let work = format!("{}, {work}, 2 threads", contestants[ours].name());
            let target = if has_target { target } else { 0.0 };
            subject.push(Ratio::new(work, contestants[rival].name(), [times[ours], times[rival]], target));
        }
    }
}

/// Threads from 1 to 8, with one series and with a series each, against each rival.
fn threads(subject: &mut Subject) {
    for (work, contestants) in [("increment", counter_contestants()), ("record", histogram_contestants())] {
        let contestants = refs(&contestants);
        for threads in [1, 2, 4, 8] {
            for distinct in [false, true] {
                let times = race(&contestants, threads, distinct, if subject.short { 3 } else { 10 });
                let which = if distinct { "a series each" } else { "one series" };
                for rival in 1..contestants.len() {
                    let place = format!("{threads} threads, {which}");
                    let work = format!("{}, {work}", contestants[0].name());
                    let times = [times[0], times[rival]];
                    subject.push(Ratio::new(work, contestants[rival].name(), times, 0.0).at(place));
                }
            }
        }
    }
}

/// Two threads with one series, scraped once a second.
fn scraped(subject: &mut Subject) {
    for (work, contestants) in [("increment", counter_contestants()), ("record", histogram_contestants())] {
        let contestants = refs(&contestants);
        let times = race_beside_a_scraper(&contestants, 2, if subject.short { 1 } else { 3 });
        for rival in 2..contestants.len() {
            let work = format!("{}, {work}, 2 threads, scraped at 1 Hz", contestants[0].name());
            subject.push(Ratio::new(work, contestants[rival].name(), [times[0], times[rival]], 0.0));
        }
    }
}
