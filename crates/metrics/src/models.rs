//! What the models in `loom-tests` reach: the storage of series. The registry is that of `metrics-util`, whose locks
//! loom can't see.

use std::sync::Arc;
use std::time::Duration;

use crate::activity::Activity;
use crate::counter::CounterCell;
use crate::counter_table::CounterTable;
use crate::histogram::HistogramCell;
use crate::schema::Schema;
use crate::snapshot::HistogramSnapshot;

/// A table of counters, as a recorder has it.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<CounterTable>);

impl Counters {
    /// Registers a counter. Under loom each is the first of a chunk, so that the table grows.
    #[must_use]
    pub fn register(&self) -> Counter {
        Counter(Arc::new(CounterCell::new(&self.0, Activity::new(Duration::ZERO))))
    }

    /// The words of all counters that were ever registered, as a scrape reads them.
    #[must_use]
    pub fn scrape(&self) -> Vec<u64> {
        self.0.snapshot().into_iter().flatten().collect()
    }
}

/// A counter of a table.
#[derive(Clone, Debug)]
pub struct Counter(Arc<CounterCell>);

impl Counter {
    /// Adds to the counter.
    pub fn increment(&self, count: u64) {
        metrics::CounterFn::increment(&*self.0, count);
    }

    /// Raises the counter.
    pub fn absolute(&self, value: u64) {
        metrics::CounterFn::absolute(&*self.0, value);
    }

    /// The count.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.value()
    }
}

/// A histogram, with one bucket an octave.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<HistogramCell>);

impl Default for Histogram {
    fn default() -> Self {
        let schema = Schema::new(0).expect("it is the lowest");
        Self(Arc::new(HistogramCell::new(schema, Activity::new(Duration::ZERO))))
    }
}

impl Histogram {
    /// Counts a value.
    pub fn record(&self, value: f64) {
        self.0.add(value, 1, value);
    }

    /// Counts a value so many times.
    pub fn record_many(&self, value: f64, count: u64) {
        self.0.add(value, count, value * count as f64);
    }

    /// What has been counted.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        self.0.snapshot()
    }
}
