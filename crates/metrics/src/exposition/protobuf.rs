//! Prometheus' protobuf format, with native histograms.
//!
//! The messages are those of `io.prometheus.client`, proto2, in `metrics.proto` of Prometheus' client model. The numbers
//! of the fields stand here as they are there.

use std::ops::RangeInclusive;

use crate::catalog::{AllSeries, Catalog, Family};
use crate::snapshot::{Buckets, HistogramSnapshot, write_number};

/// Renders all series as delimited messages `MetricFamily`.
pub(super) fn protobuf(catalog: &Catalog, words: &[Vec<u64>]) -> Vec<u8> {
    let mut out = Vec::new();
    for family in &catalog.families {
        let mut message = metadata(family);
        match &family.series {
            AllSeries::Counters(series) => {
                for series in series {
                    let value = double(1, series.value(words) as f64);
                    message.message(4, &metric(&series.labels, 3, &value));
                }
            }
            AllSeries::Gauges(series) => {
                for series in series {
                    message.message(4, &metric(&series.labels, 2, &double(1, series.value())));
                }
            }
            AllSeries::Histograms { series, classic_exponents } => {
                for series in series {
                    let value = histogram(&series.value(), classic_exponents.clone());
                    message.message(4, &metric(&series.labels, 7, &value));
                }
            }
        }
        write_number(&mut out, message.0.len() as u64);
        out.extend_from_slice(&message.0);
    }
    out
}

/// A `MetricFamily` without its metrics.
fn metadata(family: &Family) -> Message {
    let (kind, suffix) = match family.series {
        AllSeries::Counters(_) => (0, "_total"),
        AllSeries::Gauges(_) => (1, ""),
        AllSeries::Histograms { .. } => (4, ""),
    };
    let mut message = Message::default();
    message.bytes(1, format!("{}{suffix}", family.name).as_bytes());
    if let Some(help) = &family.help {
        message.bytes(2, help.as_bytes());
    }
    message.integer(3, kind);
    message
}

/// A `Metric` with its labels and, in the given field, its value.
fn metric(labels: &[(String, String)], field: u32, value: &Message) -> Message {
    let mut message = Message::default();
    for (name, value) in labels {
        let mut pair = Message::default();
        pair.bytes(1, name.as_bytes());
        pair.bytes(2, value.as_bytes());
        message.message(1, &pair);
    }
    message.message(field, value);
    message
}

fn double(field: u32, value: f64) -> Message {
    let mut message = Message::default();
    message.double(field, value);
    message
}

/// A `Histogram`, native and classic.
fn histogram(value: &HistogramSnapshot, exponents: RangeInclusive<i32>) -> Message {
    let mut message = Message::default();
    message.integer(1, value.count());
    message.double(2, value.sum());
    for (exponent, count) in value.counts_up_to_powers_of_two(exponents) {
        let mut bucket = Message::default();
        bucket.integer(1, count);
        bucket.double(2, 2f64.powi(exponent));
        message.message(3, &bucket);
    }
    message.signed(5, i64::from(value.schema().get()));
    // The largest number that is counted as zero.
    message.double(6, f64::MIN_POSITIVE.next_down());
    message.integer(7, value.zero());
    write_buckets(&mut message, 9, value, &value.negative, value.negative_infinity());
    write_buckets(&mut message, 12, value, &value.positive, value.positive_infinity());
    message
}

/// Writes the buckets of one sign. The field `field` has the spans of adjacent buckets, and the next field has the
/// counts, each as its difference from the one before.
fn write_buckets(
    message: &mut Message,
    field: u32,
    value: &HistogramSnapshot,
    buckets: &Buckets,
    infinite: u64,
) {
    // Infinite values are in the bucket after that of the largest number.
    let infinity = (value.schema().index_of_power(1024) + 1, infinite);
    let buckets = buckets.0.iter().copied().chain((infinite > 0).then_some(infinity));
    let mut spans: Vec<(i32, u64)> = Vec::new();
    let (mut next, mut before, mut deltas) = (0, 0u64, Vec::new());
    for (index, count) in buckets {
        match spans.last_mut() {
            Some((_, len)) if index == next => *len += 1,
            _ => spans.push((index - next, 1)),
        }
        deltas.push(count.wrapping_sub(before) as i64);
        (next, before) = (index + 1, count);
    }
    for (offset, len) in spans {
        let mut span = Message::default();
        span.signed(1, i64::from(offset));
        span.integer(2, len);
        message.message(field, &span);
    }
    deltas.into_iter().for_each(|delta| message.signed(field + 1, delta));
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// The wire types of protobuf.
    const VARINT: u32 = 0;
    const FIXED_64: u32 = 1;
    const DELIMITED: u32 = 2;

    fn key(&mut self, field: u32, wire_type: u32) {
        write_number(&mut self.0, u64::from(field << 3 | wire_type));
    }

    fn integer(&mut self, field: u32, value: u64) {
        self.key(field, Self::VARINT);
        write_number(&mut self.0, value);
    }

    /// An `sint32` or `sint64`: small absolute values take few bytes.
    fn signed(&mut self, field: u32, value: i64) {
        self.integer(field, (value << 1 ^ value >> 63) as u64);
    }

    fn double(&mut self, field: u32, value: f64) {
        self.key(field, Self::FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, Self::DELIMITED);
        write_number(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u32, message: &Self) {
        self.bytes(field, &message.0);
    }
}
