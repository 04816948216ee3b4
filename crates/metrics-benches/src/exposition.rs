//! What rivals show to a scrape.

use std::hint::black_box;

/// Shows all of a registry of the crate `prometheus`.
pub(crate) fn show_prometheus(registry: &prometheus::Registry) {
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather());
    black_box(text.expect("it is text"));
}

/// Shows all of a registry of the crate `prometheus-client`.
pub(crate) fn show_prometheus_client(registry: &prometheus_client::registry::Registry) {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("it is text");
    black_box(text);
}

/// The sum of all samples in the text whose names begin like this.
pub(crate) fn sum(text: &str, name: &str) -> u64 {
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<u64>().ok());
    text.lines().filter(|line| line.starts_with(name)).filter_map(value).sum()
}
