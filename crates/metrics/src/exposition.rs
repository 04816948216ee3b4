//! The formats in which series are shown.

mod negotiation;
mod protobuf;
mod text;

pub use negotiation::Format;

use crate::recorder::Handle;

impl Handle {
    /// All series in Prometheus' [text format]. Families are in the order of their names, and the series of a family in
    /// that of their labels.
    ///
    /// Counters have the suffix `_total`, which they get if their name hasn't got it. Histograms have the buckets set by
    /// [`Builder::classic_buckets`](crate::Builder::classic_buckets).
    ///
    /// It takes the time of adding up all threads' parts and of writing the text; calls take turns. Threads that hold a
    /// handle never wait for it. A thread that makes a series may wait while the list of series is read. With an
    /// [idle timeout](crate::Builder::idle_timeout), a thread that looks a series up may also wait while idle ones are
    /// dropped.
    ///
    /// [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/
    #[must_use]
    pub fn render(&self) -> String {
        self.inner.with_catalog(|catalog, words| text::text(catalog, words, false))
    }

    /// All series in a format, for instance the one that [`Format::negotiate`] found.
    #[must_use]
    pub fn render_as(&self, format: Format) -> Vec<u8> {
        self.inner.with_catalog(|catalog, words| match format {
            Format::Text => text::text(catalog, words, false).into_bytes(),
            Format::OpenMetrics => text::text(catalog, words, true).into_bytes(),
            Format::Protobuf => protobuf::protobuf(catalog, words),
        })
    }
}
