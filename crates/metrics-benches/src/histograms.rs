//! Histograms.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hdrhistogram::sync::SyncHistogram;
use metrics::Recorder as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;

use crate::open_telemetry::Provider;
use crate::{Contestant, METADATA, SERIES, Work, counted, exposition, key};

/// Latencies in seconds, from 30 microseconds to a second, most of them about a millisecond.
fn latencies() -> [f64; 256] {
    std::array::from_fn(|i| {
        // Numbers from 0 to 3, whose sum is distributed like a bell.
        let digits = [i % 4, i / 4 % 4, i / 16 % 4, i / 64];
        let place = digits.into_iter().sum::<usize>() as f64 / 12.0 + (i * 37 % 256) as f64 / 4096.0;
        3e-5 * 10f64.powf(place * 4.5)
    })
}

/// A loop over the latencies.
macro_rules! each_latency {
    ($handle:ident, $latency:ident => $record:expr) => {{
        let latencies = latencies();
        Box::new(move |events| {
            let $handle = black_box(&$handle);
            for event in 0..events {
                let $latency = latencies[(event % 256) as usize];
                $record;
            }
        })
    }};
}

/// This library, without the facade.
#[derive(Debug)]
pub struct Ours(atomik_metrics::Handle, [atomik_metrics::Histogram; SERIES]);

impl Default for Ours {
    fn default() -> Self {
        let handle = atomik_metrics::Recorder::new().handle();
        let histograms = std::array::from_fn(|i| handle.histogram("seconds", &[("series", &i.to_string())]));
        Self(handle, histograms)
    }
}

impl Contestant for Ours {
    fn name(&self) -> &'static str {
        "Histogram"
    }

    fn work(&self, series: usize) -> Work {
        let histogram = self.1[series].clone();
        each_latency!(histogram, latency => histogram.record(latency))
    }

    fn total(&self) -> u64 {
        self.1.iter().map(|histogram| histogram.snapshot().count()).sum()
    }

    fn scrape(&self) {
        black_box(self.0.render());
    }
}

/// This library, by handles of the facade.
#[derive(Debug)]
pub struct OursByFacade(atomik_metrics::Recorder);

impl Default for OursByFacade {
    fn default() -> Self {
        Self(atomik_metrics::Recorder::new())
    }
}

impl Contestant for OursByFacade {
    fn name(&self) -> &'static str {
        "metrics::Histogram of this recorder"
    }

    fn work(&self, series: usize) -> Work {
        let histogram = self.0.register_histogram(&key(series), &METADATA);
        each_latency!(histogram, latency => histogram.record(latency))
    }

    fn total(&self) -> u64 {
        let handle = self.0.handle();
        let histogram = |i: usize| handle.histogram("events_total", &[("series", &i.to_string())]);
        (0..SERIES).map(|i| histogram(i).snapshot().count()).sum()
    }

    fn scrape(&self) {
        black_box(self.0.handle().render());
    }
}

/// `metrics-exporter-prometheus`, with buckets. It keeps each value until a scrape or its upkeep.
#[derive(Debug)]
pub struct Exporter(PrometheusRecorder, PrometheusHandle);

impl Default for Exporter {
    fn default() -> Self {
        let powers: Vec<f64> = (-13..=6).map(|exponent| 2f64.powi(exponent)).collect();
        let builder = PrometheusBuilder::new().set_buckets(&powers).expect("there are buckets");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Self(recorder, handle)
    }
}

impl Contestant for Exporter {
    fn name(&self) -> &'static str {
        "metrics-exporter-prometheus"
    }

    fn work(&self, series: usize) -> Work {
        let histogram = self.0.register_histogram(&key(series), &METADATA);
        each_latency!(histogram, latency => histogram.record(latency))
    }

    fn total(&self) -> u64 {
        exposition::sum(&self.1.render(), "events_total_count")
    }

    fn scrape(&self) {
        black_box(self.1.render());
    }
}

/// `prometheus`'s `Histogram`.
#[derive(Debug)]
pub struct Prometheus(prometheus::Registry, prometheus::HistogramVec);

impl Default for Prometheus {
    fn default() -> Self {
        let powers: Vec<f64> = (-13..=6).map(|exponent| 2f64.powi(exponent)).collect();
        let opts = prometheus::HistogramOpts::new("seconds", "Latencies").buckets(powers);
        let histograms = prometheus::HistogramVec::new(opts, &["series"]).expect("the name is valid");
        let registry = prometheus::Registry::new();
        registry.register(Box::new(histograms.clone())).expect("it is the first");
        Self(registry, histograms)
    }
}

impl Contestant for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus Histogram"
    }

    fn work(&self, series: usize) -> Work {
        let histogram = self.1.with_label_values(&[series.to_string()]);
        each_latency!(histogram, latency => histogram.observe(latency))
    }

    fn total(&self) -> u64 {
        (0..SERIES).map(|i| self.1.with_label_values(&[i.to_string()]).get_sample_count()).sum()
    }

    fn scrape(&self) {
        exposition::show_prometheus(&self.0);
    }
}

/// `prometheus-client`'s `Histogram`.
#[derive(Debug)]
pub struct PrometheusClient {
    registry: prometheus_client::registry::Registry,
    histograms: [prometheus_client::metrics::histogram::Histogram; SERIES],
    /// It can't be asked for its count, so events are counted by the contestant itself.
    recorded: Arc<AtomicU64>,
}

impl Default for PrometheusClient {
    fn default() -> Self {
        let powers = || (-13..=6).map(|exponent| 2f64.powi(exponent));
        let histograms: [_; SERIES] =
            std::array::from_fn(|_| prometheus_client::metrics::histogram::Histogram::new(powers()));
        let mut registry = prometheus_client::registry::Registry::default();
        for (i, histogram) in histograms.iter().enumerate() {
            registry.register(format!("seconds_{i}"), "Latencies", histogram.clone());
        }
        Self { registry, histograms, recorded: Arc::default() }
    }
}

impl Contestant for PrometheusClient {
    fn name(&self) -> &'static str {
        "prometheus-client Histogram"
    }

    fn work(&self, series: usize) -> Work {
        let histogram = self.histograms[series].clone();
        counted(each_latency!(histogram, latency => histogram.observe(latency)), &self.recorded)
    }

    fn total(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    fn scrape(&self) {
        exposition::show_prometheus_client(&self.registry);
    }
}

/// `opentelemetry_sdk`'s bound histogram, with its default buckets.
#[derive(Debug)]
pub struct OpenTelemetry {
    provider: Provider,
    histogram: opentelemetry::metrics::Histogram<f64>,
    /// The data model can't be asked for one count cheaply, so events are counted by the contestant itself.
    recorded: Arc<AtomicU64>,
}

impl Default for OpenTelemetry {
    fn default() -> Self {
        let provider = Provider::default();
        let histogram = provider.meters.meter("benches").f64_histogram("seconds").build();
        Self { provider, histogram, recorded: Arc::default() }
    }
}

impl Contestant for OpenTelemetry {
    fn name(&self) -> &'static str {
        "opentelemetry_sdk BoundHistogram"
    }

    fn work(&self, series: usize) -> Work {
        let histogram = self.histogram.bind(&[KeyValue::new("series", series as i64)]);
        counted(each_latency!(histogram, latency => histogram.record(latency)), &self.recorded)
    }

    fn total(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    fn scrape(&self) {
        self.provider.read();
    }
}

/// HdrHistogram's synchronised recorder, with two significant digits, in nanoseconds.
#[derive(Debug)]
pub struct Hdr([Mutex<SyncHistogram<u64>>; SERIES]);

impl Default for Hdr {
    fn default() -> Self {
        let histogram =
            || hdrhistogram::Histogram::new_with_bounds(1, 100_000_000_000, 2).expect("2 is allowed");
        Self(std::array::from_fn(|_| Mutex::new(histogram().into_sync())))
    }
}

impl Contestant for Hdr {
    fn name(&self) -> &'static str {
        "hdrhistogram sync Recorder"
    }

    fn work(&self, series: usize) -> Work {
        let mut recorder = self.0[series].lock().expect("nobody panics").recorder();
        let latencies = latencies().map(|latency| (latency * 1e9) as u64);
        Box::new(move |events| {
            let recorder = black_box(&mut recorder);
            for event in 0..events {
                recorder.record(latencies[(event % 256) as usize]).expect("it is in range");
            }
        })
    }

    fn total(&self) -> u64 {
        self.0
            .iter()
            .map(|histogram| {
                let mut histogram = histogram.lock().expect("nobody panics");
                histogram.refresh();
                histogram.len()
            })
            .sum()
    }

    fn scrape(&self) {
        black_box(self.total());
    }
}
