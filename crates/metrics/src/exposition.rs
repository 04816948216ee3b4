//! The formats in which series are rendered.

mod negotiation;
mod protobuf;
mod text;

pub use negotiation::Format;

use crate::recorder::Handle;

impl Handle {
    /// Renders all series in Prometheus' [text format]. Families are in the order of their names, and the series of a
    /// family are in the order of their labels.
    ///
    /// The names of counters end with `_total`, which is appended if necessary. Histograms have the buckets that
    /// [`Builder::classic_buckets`](crate::Builder::classic_buckets) sets.
    ///
    /// A call adds up the parts of all threads and writes the text. Calls take turns. A thread that has a handle never
    /// waits for them. A thread that adds a series may wait while the list of series is read. With an
    /// [idle timeout](crate::Builder::idle_timeout), a thread that looks a series up may also wait while idle series are
    /// dropped.
    ///
    /// [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/
    #[must_use]
    pub fn render(&self) -> String {
        self.inner.with_catalog(|catalog, words| text::text(catalog, words, false))
    }

    /// Renders all series in a format, for instance the one that [`Format::negotiate`] returned.
    #[must_use]
    pub fn render_as(&self, format: Format) -> Vec<u8> {
        self.inner.with_catalog(|catalog, words| match format {
            Format::Text => text::text(catalog, words, false).into_bytes(),
            Format::OpenMetrics => text::text(catalog, words, true).into_bytes(),
            Format::Protobuf => protobuf::protobuf(catalog, words),
        })
    }
}
