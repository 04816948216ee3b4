//! The contents of a recorder's registry.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metrics::{Key, SharedString, Unit};
use metrics_util::registry::Storage;

use crate::activity::Activity;
use crate::counter::CounterCell;
use crate::counter_table::CounterTable;
use crate::gauge::GaugeCell;
use crate::histogram::HistogramCell;
use crate::schema::Schema;

/// The series of a recorder by their keys.
pub(crate) type Registry = metrics_util::registry::Registry<Key, SeriesStorage>;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The arguments of [`metrics::describe_counter!`] and its like.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) unit: Option<Unit>,
    pub(crate) help: SharedString,
}

/// Descriptions by the kind and name of the metric.
#[derive(Debug, Default)]
pub(crate) struct Descriptions(Mutex<HashMap<(Kind, String), Description>>);

impl Descriptions {
    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<Description> {
        let descriptions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        descriptions.get(&(kind, name.to_owned())).cloned()
    }

    pub(crate) fn set(&self, kind: Kind, name: &str, description: Description) {
        let mut descriptions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        descriptions.insert((kind, name.to_owned()), description);
    }
}

/// Makes the series of a registry.
#[derive(Debug)]
pub(crate) struct SeriesStorage {
    schema: Schema,
    pub(crate) counters: Arc<CounterTable>,
    pub(crate) start: Instant,
    /// A number that changes whenever a series is made or dropped, and with each description.
    version: AtomicU64,
}

impl SeriesStorage {
    pub(crate) fn new(schema: Schema) -> Self {
        Self { schema, counters: Arc::default(), start: Instant::now(), version: AtomicU64::new(1) }
    }

    fn activity(&self) -> Activity {
        self.change();
        Activity::new(self.start.elapsed())
    }

    /// Records that the set of series has changed, so that the next scrape makes a new catalog.
    pub(crate) fn change(&self) {
        // Release: pairs with the Acquire in `version`, so that a catalog of the new version has the change.
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn version(&self) -> u64 {
        // Acquire: pairs with the Release in `change`.
        self.version.load(Ordering::Acquire)
    }
}

impl Storage<Key> for SeriesStorage {
    type Counter = Arc<CounterCell>;
    type Gauge = Arc<GaugeCell>;
    type Histogram = Arc<HistogramCell>;

    fn counter(&self, _: &Key) -> Self::Counter {
        Arc::new(CounterCell::new(&self.counters, self.activity()))
    }

    fn gauge(&self, _: &Key) -> Self::Gauge {
        Arc::new(GaugeCell::new(self.activity()))
    }

    fn histogram(&self, _: &Key) -> Self::Histogram {
        Arc::new(HistogramCell::new(self.schema, self.activity()))
    }
}
