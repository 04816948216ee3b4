//! The same events to this recorder and to `metrics-exporter-prometheus`, and what both show, read by a parser of
//! Prometheus' text format.

// The example's service and load.
#[path = "../examples/service"]
mod service {
    pub(crate) mod account;
    pub(crate) mod app;
    pub(crate) mod load;
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use atomik_metrics::Recorder;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use prometheus_parse::{Scrape, Value};

/// A recorder that passes everything on to two.
struct Both {
    ours: Recorder,
    theirs: PrometheusRecorder,
}

/// A handle that does so.
struct BothHandles<T>(T, T);

impl metrics::CounterFn for BothHandles<Counter> {
    fn increment(&self, value: u64) {
        self.0.increment(value);
        self.1.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.0.absolute(value);
        self.1.absolute(value);
    }
}

impl metrics::GaugeFn for BothHandles<Gauge> {
    fn increment(&self, value: f64) {
        self.0.increment(value);
        self.1.increment(value);
    }

    fn decrement(&self, value: f64) {
        self.0.decrement(value);
        self.1.decrement(value);
    }

    fn set(&self, value: f64) {
        self.0.set(value);
        self.1.set(value);
    }
}

impl metrics::HistogramFn for BothHandles<Histogram> {
    fn record(&self, value: f64) {
        self.0.record(value);
        self.1.record(value);
    }
}

impl metrics::Recorder for Both {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.ours.describe_counter(name.clone(), unit, help.clone());
        self.theirs.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.ours.describe_gauge(name.clone(), unit, help.clone());
        self.theirs.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.ours.describe_histogram(name.clone(), unit, help.clone());
        self.theirs.describe_histogram(name, unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let handles = BothHandles(
            self.ours.register_counter(key, metadata),
            self.theirs.register_counter(key, metadata),
        );
        Counter::from_arc(Arc::new(handles))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let handles =
            BothHandles(self.ours.register_gauge(key, metadata), self.theirs.register_gauge(key, metadata));
        Gauge::from_arc(Arc::new(handles))
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let handles = BothHandles(
            self.ours.register_histogram(key, metadata),
            self.theirs.register_histogram(key, metadata),
        );
        Histogram::from_arc(Arc::new(handles))
    }
}

/// What a text says, in an order that doesn't depend on the text's.
fn read(text: &str) -> BTreeMap<String, Vec<(f64, f64)>> {
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let mut samples = BTreeMap::new();
    for sample in scrape.samples {
        let labels: BTreeMap<_, _> = sample.labels.iter().collect();
        let value = match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => vec![(0.0, value)],
            Value::Histogram(buckets) => {
                buckets.iter().map(|bucket| (bucket.less_than, bucket.count)).collect()
            }
            Value::Summary(_) => panic!("{} is a summary", sample.metric),
        };
        assert!(samples.insert(format!("{} {labels:?}", sample.metric), value).is_none());
    }
    samples
}

/// Two readings of the same events: sums of floating-point numbers differ by their order.
fn compare(ours: &str, theirs: &str) {
    let (ours, theirs) = (read(ours), read(theirs));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (series, value) in &ours {
        if series.contains("_sum ") {
            let (ours, theirs) = (value[0].1, theirs[series][0].1);
            assert!((ours - theirs).abs() <= 1e-12 * theirs.abs(), "{series}: {ours} and {theirs}");
        } else {
            assert_eq!(value, &theirs[series], "{series}");
        }
    }
}

fn both() -> Both {
    let powers: Vec<f64> = (-13..=6).map(|exponent| 2f64.powi(exponent)).collect();
    let theirs = PrometheusBuilder::new().set_buckets(&powers).unwrap().build_recorder();
    Both { ours: Recorder::new(), theirs }
}

#[test]
fn the_same_events_are_the_same_series() {
    let both = both();
    metrics::with_local_recorder(&both, || {
        for i in 0..5_000u32 {
            metrics::counter!("events_total", "kind" => (i % 7).to_string(), "x" => "a\"b\\c")
                .increment(u64::from(i));
            metrics::gauge!("level", "kind" => (i % 3).to_string()).set(f64::from(i) / 3.0);
            metrics::gauge!("balance").decrement(1.5);
            // Powers of two, and numbers beside them.
            let power = 2f64.powi((i % 24) as i32 - 15);
            metrics::histogram!("seconds")
                .record([power, power.next_up(), power.next_down(), 0.0][i as usize % 4]);
        }
    });
    compare(&both.ours.handle().render(), &both.theirs.handle().render());
}

#[test]
fn the_service_under_load_is_counted_exactly_and_as_by_the_exporter() {
    let both = both();
    let (ours, theirs) = (both.ours.handle(), both.theirs.handle());
    metrics::set_global_recorder(both).map_err(|_| "a recorder is installed").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    service::app::describe();
    let (account, text) = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = service::app::router(ours.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let load = tokio::spawn(service::load::run(address, 8, stopped));
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send(true).unwrap();
        let account = load.await.unwrap().unwrap();
        (account, service::load::get(address, "/metrics").await.unwrap().body)
    });
    assert!(account.requests() > 100, "{account:?}");
    assert_eq!(account.compare(&text), [""; 0]);
    compare(&text, &theirs.render());
}
