//! Arbitrary names, labels and texts: both text formats are valid by a strict parser, show each event once, and agree;
//! the protobuf format is well-formed. And arbitrary bytes as snapshots of histograms.
#![no_main]

#[path = "../../crates/metrics/tests/support/mod.rs"]
mod support;

use arbitrary::Arbitrary;
use atomik_metrics::{Format, HistogramSnapshot, Recorder};
use libfuzzer_sys::fuzz_target;
use metrics::{Label, Unit};

#[derive(Arbitrary, Debug)]
struct Series {
    kind: u8,
    name: String,
    labels: Vec<(String, String)>,
    help: Option<String>,
    value: f64,
}

fuzz_target!(|input: (Vec<Series>, Vec<u8>)| {
    let (series, bytes) = input;
    if let Ok(snapshot) = HistogramSnapshot::from_bytes(&bytes) {
        assert_eq!(snapshot.to_bytes(), bytes);
    }
    let recorder = Recorder::builder().classic_buckets(-2..=2).build();
    let mut counted = 0.0;
    metrics::with_local_recorder(&recorder, || {
        for Series { kind, name, labels, help, value } in series {
            let labels: Vec<Label> =
                labels.into_iter().map(|(name, value)| Label::new(name, value)).collect();
            if let Some(help) = help {
                metrics::describe_counter!(name.clone(), help.clone());
                metrics::describe_gauge!(name.clone(), Unit::Bytes, help.clone());
                metrics::describe_histogram!(name.clone(), Unit::Seconds, help);
            }
            match kind % 3 {
                0 => {
                    counted += 1.0;
                    metrics::counter!(name, labels).increment(1);
                }
                1 => metrics::gauge!(name, labels).set(value),
                _ => metrics::histogram!(name, labels).record(value),
            }
        }
    });
    let handle = recorder.handle();
    let text = support::parse(&handle.render(), false).expect("the text format is valid");
    let openmetrics = String::from_utf8(handle.render_as(Format::OpenMetrics)).expect("it is text");
    let openmetrics = support::parse(&openmetrics, true).expect("OpenMetrics is valid");
    // Compared as text, since gauges may be NaN.
    assert_eq!(format!("{:?}", text.samples), format!("{:?}", openmetrics.samples));
    let is_counter = |name: &str| text.families.get(name).is_some_and(|family| family.kind == "counter");
    let shown: f64 =
        text.samples.iter().filter(|((name, _), _)| is_counter(name)).map(|(_, value)| value).sum();
    assert_eq!(shown, counted, "every count is shown once");

    let mut messages = &handle.render_as(Format::Protobuf)[..];
    let mut families = 0;
    while !messages.is_empty() {
        let len = varint(&mut messages) as usize;
        check_message(&messages[..len]);
        messages = &messages[len..];
        families += 1;
    }
    assert_eq!(families, text.families.len());
});

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return number;
        }
    }
    panic!("a number has no end")
}

/// Fields with known wire types fill the message.
fn check_message(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        assert_ne!(key >> 3, 0, "field 0");
        let len = match key & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            other => panic!("wire type {other}"),
        };
        bytes = &bytes[len..];
    }
}
