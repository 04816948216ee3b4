//! What is shown, in each format, compared with what was recorded.

mod support;

use atomik_metrics::{Format, Handle, HistogramSnapshot, Recorder, Schema};
use metrics::Unit;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use support::parse;

fn sample_handle() -> Handle {
    let recorder = Recorder::builder().classic_buckets(-2..=1).build();
    metrics::with_local_recorder(&recorder, || {
        metrics::describe_counter!("http.requests", "Requests\nserved \\ \"all\".");
        metrics::describe_histogram!("request_seconds", Unit::Seconds, "How long.");
        metrics::describe_gauge!("temperature", Unit::Bytes, "No unit that the name has.");
        metrics::counter!("http.requests", "route" => "/", "code" => "200").increment(3);
        metrics::counter!("http.requests", "code" => "404", "route" => "/\"\\\n").increment(1);
        metrics::gauge!("temperature").set(-2.5);
        let histogram = metrics::histogram!("request_seconds", "route" => "/");
        for value in [0.25, 0.3, 0.5, 1.0, 1.1, 2.0, 5.0, 0.0, -1.0, f64::NAN] {
            histogram.record(value);
        }
    });
    recorder.handle()
}

#[test]
fn text_is_as_the_specification_says() {
    let expected = r#"# HELP http_requests_total Requests\nserved \\ "all".
# TYPE http_requests_total counter
http_requests_total{code="200",route="/"} 3
http_requests_total{code="404",route="/\"\\\n"} 1
# HELP request_seconds How long.
# TYPE request_seconds histogram
request_seconds_bucket{route="/",le="0.25"} 3
request_seconds_bucket{route="/",le="0.5"} 5
request_seconds_bucket{route="/",le="1.0"} 6
request_seconds_bucket{route="/",le="2.0"} 8
request_seconds_bucket{route="/",le="+Inf"} 9
request_seconds_sum{route="/"} 9.15
request_seconds_count{route="/"} 9
# HELP temperature No unit that the name has.
# TYPE temperature gauge
temperature -2.5
"#;
    assert_eq!(sample_handle().render(), expected);
}

#[test]
fn openmetrics_is_as_the_specification_says() {
    let expected = r#"# HELP http_requests Requests\nserved \\ \"all\".
# TYPE http_requests counter
http_requests_total{code="200",route="/"} 3
http_requests_total{code="404",route="/\"\\\n"} 1
# HELP request_seconds How long.
# TYPE request_seconds histogram
# UNIT request_seconds seconds
request_seconds_bucket{route="/",le="0.25"} 3
request_seconds_bucket{route="/",le="0.5"} 5
request_seconds_bucket{route="/",le="1.0"} 6
request_seconds_bucket{route="/",le="2.0"} 8
request_seconds_bucket{route="/",le="+Inf"} 9
request_seconds_sum{route="/"} 9.15
request_seconds_count{route="/"} 9
# HELP temperature No unit that the name has.
# TYPE temperature gauge
temperature -2.5
# EOF
"#;
    assert_eq!(String::from_utf8(sample_handle().render_as(Format::OpenMetrics)).unwrap(), expected);
}

#[test]
fn an_empty_recorder_shows_nothing() {
    let handle = Recorder::new().handle();
    assert_eq!(handle.render(), "");
    assert_eq!(handle.render_as(Format::OpenMetrics), b"# EOF\n");
    assert_eq!(handle.render_as(Format::Protobuf), b"");
}

/// The messages of `io.prometheus.client` that are used here, with the numbers of their fields.
mod client {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct MetricFamily {
        #[prost(string, optional, tag = "1")]
        pub name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub help: Option<String>,
        #[prost(int32, optional, tag = "3")]
        pub kind: Option<i32>,
        #[prost(message, repeated, tag = "4")]
        pub metric: Vec<Metric>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Metric {
        #[prost(message, repeated, tag = "1")]
        pub label: Vec<LabelPair>,
        #[prost(message, optional, tag = "2")]
        pub gauge: Option<Number>,
        #[prost(message, optional, tag = "3")]
        pub counter: Option<Number>,
        #[prost(message, optional, tag = "7")]
        pub histogram: Option<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct LabelPair {
        #[prost(string, optional, tag = "1")]
        pub name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub value: Option<String>,
    }

    /// A `Gauge` or a `Counter`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Number {
        #[prost(double, optional, tag = "1")]
        pub value: Option<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub bucket: Vec<Bucket>,
        #[prost(sint32, optional, tag = "5")]
        pub schema: Option<i32>,
        #[prost(double, optional, tag = "6")]
        pub zero_threshold: Option<f64>,
        #[prost(uint64, optional, tag = "7")]
        pub zero_count: Option<u64>,
        #[prost(message, repeated, tag = "9")]
        pub negative_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "10")]
        pub negative_delta: Vec<i64>,
        #[prost(message, repeated, tag = "12")]
        pub positive_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "13")]
        pub positive_delta: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Bucket {
        #[prost(uint64, optional, tag = "1")]
        pub cumulative_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub upper_bound: Option<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct BucketSpan {
        #[prost(sint32, optional, tag = "1")]
        pub offset: Option<i32>,
        #[prost(uint32, optional, tag = "2")]
        pub length: Option<u32>,
    }
}

fn decode(bytes: &[u8]) -> Vec<client::MetricFamily> {
    let (mut bytes, mut families) = (bytes, Vec::new());
    while !bytes.is_empty() {
        families.push(client::MetricFamily::decode_length_delimited(&mut bytes).unwrap());
    }
    families
}

/// The buckets that spans and deltas stand for.
fn buckets(spans: &[client::BucketSpan], deltas: &[i64]) -> Vec<(i32, u64)> {
    let (mut index, mut count, mut deltas) = (0, 0, deltas.iter());
    let mut buckets = Vec::new();
    for span in spans {
        index += span.offset();
        for _ in 0..span.length() {
            count += deltas.next().expect("as many deltas as the spans' lengths say");
            buckets.push((index, count as u64));
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets
}

#[test]
fn protobuf_has_all_that_the_text_has() {
    let families = decode(&sample_handle().render_as(Format::Protobuf));
    let of = |i: usize| (families[i].name(), families[i].help(), families[i].kind());
    assert_eq!(families.len(), 3);
    assert_eq!(of(0), ("http_requests_total", "Requests\nserved \\ \"all\".", 0));
    assert_eq!(of(1), ("request_seconds", "How long.", 4));
    assert_eq!(of(2), ("temperature", "No unit that the name has.", 1));
    let metric = &families[0].metric[1];
    let labels: Vec<_> = metric.label.iter().map(|label| (label.name(), label.value())).collect();
    assert_eq!(labels, [("code", "404"), ("route", "/\"\\\n")]);
    assert_eq!(metric.counter.as_ref().unwrap().value(), 1.0);
    assert_eq!(families[2].metric[0].gauge.as_ref().unwrap().value(), -2.5);
    let histogram = families[1].metric[0].histogram.as_ref().unwrap();
    let classic: Vec<_> =
        histogram.bucket.iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count())).collect();
    assert_eq!(classic, [(0.25, 3), (0.5, 5), (1.0, 6), (2.0, 8)]);
    assert_eq!((histogram.sample_count(), histogram.sample_sum()), (9, 9.15));
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    vec(
        prop_oneof![
            8 => -1e3..1e3f64,
            2 => any::<f64>(),
            1 => Just(0.0),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
            1 => Just(f64::NAN),
        ],
        0..80,
    )
}

proptest! {
    #[test]
    fn native_histograms_are_what_was_recorded(schema in 0u8..=8, values in values()) {
        let schema = Schema::new(schema).unwrap();
        let handle = Recorder::builder().schema(schema).build().handle();
        let histogram = handle.histogram("h", &[]);
        let mut expected = HistogramSnapshot::new(schema);
        for &value in &values {
            histogram.record(value);
            expected.record(value);
        }
        let families = decode(&handle.render_as(Format::Protobuf));
        let native = families[0].metric[0].histogram.as_ref().unwrap();
        // Infinite values are in the bucket above the one of the largest number.
        let infinite = (1024 << schema.get()) + 1;
        let mut positive: Vec<_> = expected.positive_buckets().collect();
        positive.extend((expected.positive_infinity() > 0).then(|| (infinite, expected.positive_infinity())));
        let mut negative: Vec<_> = expected.negative_buckets().collect();
        negative.extend((expected.negative_infinity() > 0).then(|| (infinite, expected.negative_infinity())));
        prop_assert_eq!(buckets(&native.positive_span, &native.positive_delta), positive);
        prop_assert_eq!(buckets(&native.negative_span, &native.negative_delta), negative);
        prop_assert_eq!(native.schema(), i32::from(schema.get()));
        prop_assert_eq!(native.zero_count(), expected.zero());
        prop_assert_eq!(native.zero_threshold(), f64::MIN_POSITIVE.next_down());
        prop_assert_eq!(native.sample_count(), expected.count());
    }

    #[test]
    fn any_names_labels_and_texts_make_a_valid_exposition(
        series in vec((0..3, ".{0,8}|[a-c._:]{0,3}(_total|_sum|_count|_bucket)?", vec(("[a-b._]{0,3}|le|__name__|.{0,3}", ".{0,6}|[\\\\\"\n]{0,3}"), 0..4)), 0..12),
        help in ".{0,8}|[\\\\\"\n]{0,3}",
    ) {
        let recorder = Recorder::builder().classic_buckets(-1..=1).build();
        let mut count = 0;
        metrics::with_local_recorder(&recorder, || {
            for (kind, name, labels) in series {
                metrics::describe_counter!(name.clone(), help.clone());
                metrics::describe_gauge!(name.clone(), Unit::Seconds, help.clone());
                match kind {
                    0 => {
                        count += 1;
                        metrics::counter!(name, &labels).increment(1);
                    }
                    1 => metrics::gauge!(name, &labels).set(1.0),
                    _ => metrics::histogram!(name, &labels).record(1.0),
                }
            }
        });
        let handle = recorder.handle();
        let text = parse(&handle.render(), false).unwrap();
        let openmetrics = parse(std::str::from_utf8(&handle.render_as(Format::OpenMetrics)).unwrap(), true).unwrap();
        prop_assert_eq!(&text.samples, &openmetrics.samples);
        let counters = text.families.iter().filter(|(_, family)| family.kind == "counter");
        let names: Vec<_> = counters.map(|(name, _)| name).collect();
        let shown: f64 =
            text.samples.iter().filter(|((name, _), _)| names.contains(&name)).map(|(_, value)| value).sum();
        prop_assert_eq!(shown, f64::from(count), "every count is shown once");
        prop_assert_eq!(decode(&handle.render_as(Format::Protobuf)).len(), text.families.len());
    }
}
