//! Observers of a recorder.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::Key;

use crate::counter::CounterCell;
use crate::histogram::HistogramCell;
use crate::recorder::Handle;
use crate::snapshot::HistogramSnapshot;

/// An observer of a recorder. It tells what changed since it last looked, so that a program can compute rates and raise
/// alerts without a database.
///
/// Any number of observers can watch a recorder, each with its own epochs. An observer only reads. It resets nothing,
/// and it takes nothing away from other observers or from scrapes. Each increment and each value is in exactly one
/// epoch of each observer. If an observer looks less often than the recorder's [idle
/// timeout](crate::Builder::idle_timeout), it may miss the last changes of series that were dropped in the meantime.
///
/// A thread that has a handle never waits for an observer. A thread that adds a series may wait while the observer
/// reads the list of series. With an idle timeout, a thread that looks a series up may also wait while idle series are
/// dropped.
///
/// ```
/// let handle = atomik_metrics::Recorder::new().handle();
/// let errors = handle.counter("errors_total", &[("code", "500")]);
/// let mut alerts = handle.epoch();
///
/// errors.increment(12);
/// let changes = alerts.swap();
/// assert_eq!(changes.counter("errors_total", &[("code", "500")]), 12);
/// if changes.rate("errors_total") > 10.0 {
///     println!("more than ten errors a second");
/// }
/// assert_eq!(alerts.swap().counter("errors_total", &[("code", "500")]), 0);
/// ```
#[derive(Debug)]
pub struct MetricsEpoch {
    handle: Handle,
    number: u64,
    since: Instant,
    counters: LastValues<u64>,
    histograms: LastValues<HistogramSnapshot>,
}

/// The values that an observer saw last, each with the id of its series, in the order of the recorder's list with this
/// number.
#[derive(Debug)]
struct LastValues<T> {
    list: u64,
    values: Vec<(u64, T)>,
}

impl MetricsEpoch {
    /// Starts an observer: epoch 0 begins now.
    pub(crate) fn new(handle: Handle) -> Self {
        let mut epoch = Self {
            handle,
            number: 0,
            since: Instant::now(),
            counters: LastValues::default(),
            histograms: LastValues::default(),
        };
        let _ = epoch.swap();
        epoch.number = 0;
        epoch
    }

    /// The number of the epoch that is open, from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// SWAP: closes the epoch, opens the next one, and tells what changed in the closed one.
    ///
    /// It reads all series, and allocates memory for those that changed. Scrapes and swaps take turns.
    #[must_use = "the changes are in no later epoch"]
    pub fn swap(&mut self) -> Changes {
        let Self { handle, counters, histograms, .. } = self;
        let (now, mut changes) = handle.inner.with_list(|list, words| {
            let value = |cell: &CounterCell| (cell.activity.id, cell.value_in(words));
            let changed = counters.update(list.number, &list.counters, value, |value, last| {
                let delta = value.wrapping_sub(last.copied().unwrap_or(0));
                (delta != 0).then_some(delta)
            });
            let gauges = list.gauges.iter().map(|(key, cell)| (Series::new(key), cell.value()));
            let value = |cell: &HistogramCell| (cell.activity.id, cell.snapshot());
            let recorded = histograms.update(list.number, &list.histograms, value, |value, last| {
                let delta = last.map_or_else(|| value.clone(), |last| value.since(last));
                (!delta.is_empty()).then_some(delta)
            });
            (Instant::now(), (changed, gauges.collect::<Vec<_>>(), recorded))
        });
        changes.0.sort_by(|a, b| a.0.cmp(&b.0));
        changes.1.sort_by(|a, b| a.0.cmp(&b.0));
        changes.2.sort_by(|a, b| a.0.cmp(&b.0));
        let changes = Changes {
            epoch: self.number,
            duration: now - self.since,
            counters: changes.0,
            gauges: changes.1,
            histograms: changes.2,
        };
        (self.number, self.since) = (self.number + 1, now);
        changes
    }
}

impl<T> Default for LastValues<T> {
    fn default() -> Self {
        // No list has this number.
        Self { list: 0, values: Vec::new() }
    }
}

impl<T> LastValues<T> {
    /// Replaces the last values by the present ones, which `value` reads together with the id of the series. Returns the
    /// changes that `change` finds between the present and the last value.
    ///
    /// A series that was dropped and added again has a new id, and therefore no last value. The last values of dropped
    /// series are forgotten.
    fn update<C, D>(
        &mut self,
        number: u64,
        list: &[(Key, Arc<C>)],
        value: impl Fn(&C) -> (u64, T),
        change: impl Fn(&T, Option<&T>) -> Option<D>,
    ) -> Vec<(Series, D)> {
        let mut changes = Vec::new();
        if self.list == number {
            for ((key, cell), last) in list.iter().zip(&mut self.values) {
                let value = value(cell);
                changes.extend(change(&value.1, Some(&last.1)).map(|change| (Series::new(key), change)));
                *last = value;
            }
            return changes;
        }
        let last: HashMap<u64, T> = self.values.drain(..).collect();
        for (key, cell) in list {
            let value = value(cell);
            let change = change(&value.1, last.get(&value.0));
            changes.extend(change.map(|change| (Series::new(key), change)));
            self.values.push(value);
        }
        self.values.shrink_to_fit();
        self.list = number;
        changes
    }
}

impl Handle {
    /// An observer, whose first epoch begins now. See [`MetricsEpoch`].
    #[must_use]
    pub fn epoch(&self) -> MetricsEpoch {
        MetricsEpoch::new(self.clone())
    }
}

/// What changed in an epoch of a [`MetricsEpoch`].
#[derive(Clone, Debug)]
pub struct Changes {
    epoch: u64,
    duration: Duration,
    counters: Vec<(Series, u64)>,
    gauges: Vec<(Series, f64)>,
    histograms: Vec<(Series, HistogramSnapshot)>,
}

impl Changes {
    /// The number of the epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How long the epoch lasted.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The counters that changed, by how much, in the order of their names and labels.
    pub fn counters(&self) -> impl Iterator<Item = (&Series, u64)> {
        self.counters.iter().map(|(series, delta)| (series, *delta))
    }

    /// All gauges with their values at the epoch's end, in the order of their names and labels.
    pub fn gauges(&self) -> impl Iterator<Item = (&Series, f64)> {
        self.gauges.iter().map(|(series, value)| (series, *value))
    }

    /// The histograms that changed, with what was recorded in the epoch, in the order of their names and labels.
    pub fn histograms(&self) -> impl Iterator<Item = (&Series, &HistogramSnapshot)> {
        self.histograms.iter().map(|(series, delta)| (series, delta))
    }

    /// By how much a counter grew, modulo 2^64. This is 0 if it did not grow or does not exist.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        // A label name may occur twice. Counters that differ only in the order of such labels are one series here.
        let of_series = self.counters.iter().filter(|(series, _)| series.is(name, labels));
        of_series.fold(0, |grown, &(_, delta)| grown.wrapping_add(delta))
    }

    /// By how much all counters with this name grew in a second, on average and taken together.
    #[must_use]
    pub fn rate(&self, name: &str) -> f64 {
        let of_name = self.counters.iter().filter(|(series, _)| series.name == name);
        let grown: f64 = of_name.map(|&(_, delta)| delta as f64).sum();
        if self.duration.is_zero() { 0.0 } else { grown / self.duration.as_secs_f64() }
    }

    /// What was recorded in the histograms with this name, merged. `None` if nothing was recorded.
    #[must_use]
    pub fn histogram(&self, name: &str) -> Option<HistogramSnapshot> {
        let of_name = self.histograms.iter().filter(|(series, _)| series.name == name);
        of_name.map(|(_, delta)| delta.clone()).reduce(|mut merged, delta| {
            merged.merge(&delta);
            merged
        })
    }
}

/// The name and labels of a series, as they were recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    name: String,
    /// In ascending order of name and value.
    labels: Vec<(String, String)>,
}

impl Series {
    fn new(key: &Key) -> Self {
        let mut labels: Vec<_> =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        labels.sort();
        Self { name: key.name().to_owned(), labels }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels in ascending order.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        self.name == name && self.labels().eq(labels)
    }
}
