//! OpenTelemetry's reader, which is read by hand.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};

/// A provider of meters that can be read from outside.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) meters: SdkMeterProvider,
    reader: Reader,
    read: Mutex<ResourceMetrics>,
}

impl Default for Provider {
    fn default() -> Self {
        let reader = Reader(Arc::new(ManualReader::builder().build()));
        let meters = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        Self { meters, reader, read: Mutex::default() }
    }
}

impl Provider {
    pub(crate) fn read(&self) {
        let mut read = self.read.lock().expect("nobody panics");
        self.reader.collect(&mut read).expect("the provider lives");
    }
}

#[derive(Clone, Debug)]
struct Reader(Arc<ManualReader>);

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}
