//! Counters.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::Recorder as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;

use crate::open_telemetry::Provider;
use crate::{Contestant, METADATA, SERIES, Work, counted, exposition, key};

fn by_facade(counter: metrics::Counter) -> Work {
    Box::new(move |events| {
        for _ in 0..events {
            black_box(&counter).increment(1);
        }
    })
}

/// This library, without the facade.
#[derive(Debug)]
pub struct Ours(atomik_metrics::Handle, [atomik_metrics::Counter; SERIES]);

impl Default for Ours {
    fn default() -> Self {
        let handle = atomik_metrics::Recorder::new().handle();
        let counters = std::array::from_fn(|i| handle.counter("events_total", &[("series", &i.to_string())]));
        Self(handle, counters)
    }
}

impl Contestant for Ours {
    fn name(&self) -> &'static str {
        "Counter"
    }

    fn work(&self, series: usize) -> Work {
        let counter = self.1[series].clone();
        Box::new(move |events| {
            for _ in 0..events {
                black_box(&counter).increment(1);
            }
        })
    }

    fn total(&self) -> u64 {
        self.1.iter().map(atomik_metrics::Counter::value).sum()
    }

    fn scrape(&self) {
        black_box(self.0.render());
    }
}

/// This library, by handles of the facade.
#[derive(Debug)]
pub struct OursByFacade(pub atomik_metrics::Recorder);

impl Default for OursByFacade {
    fn default() -> Self {
        Self(atomik_metrics::Recorder::new())
    }
}

impl Contestant for OursByFacade {
    fn name(&self) -> &'static str {
        "metrics::Counter of this recorder"
    }

    fn work(&self, series: usize) -> Work {
        by_facade(self.0.register_counter(&key(series), &METADATA))
    }

    fn total(&self) -> u64 {
        let handle = self.0.handle();
        (0..SERIES).map(|i| handle.counter("events_total", &[("series", &i.to_string())]).value()).sum()
    }

    fn scrape(&self) {
        black_box(self.0.handle().render());
    }
}

/// `metrics-exporter-prometheus`.
#[derive(Debug)]
pub struct Exporter(PrometheusRecorder, PrometheusHandle);

impl Default for Exporter {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        Self(recorder, handle)
    }
}

impl Contestant for Exporter {
    fn name(&self) -> &'static str {
        "metrics-exporter-prometheus"
    }

    fn work(&self, series: usize) -> Work {
        by_facade(self.0.register_counter(&key(series), &METADATA))
    }

    fn total(&self) -> u64 {
        exposition::sum(&self.1.render(), "events_total")
    }

    fn scrape(&self) {
        black_box(self.1.render());
    }
}

/// `prometheus`'s `IntCounter`.
#[derive(Debug)]
pub struct IntCounter(prometheus::Registry, prometheus::IntCounterVec);

impl Default for IntCounter {
    fn default() -> Self {
        let counters =
            prometheus::IntCounterVec::new(prometheus::Opts::new("events_total", "Events"), &["series"]);
        let (registry, counters) = (prometheus::Registry::new(), counters.expect("the name is valid"));
        registry.register(Box::new(counters.clone())).expect("it is the first");
        Self(registry, counters)
    }
}

impl Contestant for IntCounter {
    fn name(&self) -> &'static str {
        "prometheus IntCounter"
    }

    fn work(&self, series: usize) -> Work {
        let counter = self.1.with_label_values(&[series.to_string()]);
        Box::new(move |events| {
            for _ in 0..events {
                black_box(&counter).inc();
            }
        })
    }

    fn total(&self) -> u64 {
        (0..SERIES).map(|i| self.1.with_label_values(&[i.to_string()]).get()).sum()
    }

    fn scrape(&self) {
        exposition::show_prometheus(&self.0);
    }
}

/// `prometheus`'s `LocalIntCounter`, which is flushed after 1,000 events: until then a scrape doesn't see them.
#[derive(Debug, Default)]
pub struct LocalIntCounter(IntCounter);

impl Contestant for LocalIntCounter {
    fn name(&self) -> &'static str {
        "prometheus LocalIntCounter, flushed every 1,000"
    }

    fn work(&self, series: usize) -> Work {
        let counter = self.0.1.with_label_values(&[series.to_string()]).local();
        Box::new(move |events| {
            let counter = black_box(&counter);
            for event in 0..events {
                counter.inc();
                if event % 1_000 == 999 {
                    counter.flush();
                }
            }
            counter.flush();
        })
    }

    fn total(&self) -> u64 {
        self.0.total()
    }

    fn scrape(&self) {
        self.0.scrape();
    }
}

/// `prometheus-client`'s `Counter`.
#[derive(Debug)]
pub struct PrometheusClient {
    registry: prometheus_client::registry::Registry,
    counters: [prometheus_client::metrics::counter::Counter; SERIES],
}

impl Default for PrometheusClient {
    fn default() -> Self {
        let counters = <[prometheus_client::metrics::counter::Counter; SERIES]>::default();
        let mut registry = prometheus_client::registry::Registry::default();
        for (i, counter) in counters.iter().enumerate() {
            registry.register(format!("events_{i}"), "Events", counter.clone());
        }
        Self { registry, counters }
    }
}

impl Contestant for PrometheusClient {
    fn name(&self) -> &'static str {
        "prometheus-client Counter"
    }

    fn work(&self, series: usize) -> Work {
        let counter = self.counters[series].clone();
        Box::new(move |events| {
            for _ in 0..events {
                black_box(&counter).inc();
            }
        })
    }

    fn total(&self) -> u64 {
        self.counters.iter().map(prometheus_client::metrics::counter::Counter::get).sum()
    }

    fn scrape(&self) {
        exposition::show_prometheus_client(&self.registry);
    }
}

/// `opentelemetry_sdk`'s bound counter.
#[derive(Debug)]
pub struct OpenTelemetry {
    provider: Provider,
    counter: opentelemetry::metrics::Counter<u64>,
    /// The data model can't be asked for one value cheaply, so events are counted by the contestant itself.
    recorded: Arc<AtomicU64>,
}

impl Default for OpenTelemetry {
    fn default() -> Self {
        let provider = Provider::default();
        let counter = provider.meters.meter("benches").u64_counter("events").build();
        Self { provider, counter, recorded: Arc::default() }
    }
}

impl Contestant for OpenTelemetry {
    fn name(&self) -> &'static str {
        "opentelemetry_sdk BoundCounter"
    }

    fn work(&self, series: usize) -> Work {
        let counter = self.counter.bind(&[KeyValue::new("series", series as i64)]);
        let work = move |events| {
            for _ in 0..events {
                black_box(&counter).add(1);
            }
        };
        counted(Box::new(work), &self.recorded)
    }

    fn total(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    fn scrape(&self) {
        self.provider.read();
    }
}
