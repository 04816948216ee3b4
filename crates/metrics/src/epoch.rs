//! Observers of a recorder.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::Key;

use crate::recorder::Handle;
use crate::snapshot::HistogramSnapshot;

/// An observer of a recorder: it tells what changed since it last looked, for alerts and rates without a database.
///
/// Any number of observers watch a recorder, each with epochs of its own. An observer only reads: it resets nothing and
/// takes nothing away from another observer or from a scrape. Each increment and each value is in exactly one epoch of
/// each observer. An observer that looks less often than the recorder's [idle timeout](crate::Builder::idle_timeout) may
/// miss the last changes of series that were dropped in between.
///
/// Threads that hold a handle never wait for an observer. A thread that makes a series may wait while the observer reads
/// the list of series. With an idle timeout, a thread that looks a series up may also wait while idle ones are dropped.
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
    /// By the series' ids: one that takes the place of a dropped one starts from zero.
    counters: HashMap<u64, u64>,
    histograms: HashMap<u64, HistogramSnapshot>,
}

impl MetricsEpoch {
    /// Starts an observer: epoch 0 begins now.
    pub(crate) fn new(handle: Handle) -> Self {
        let mut epoch = Self {
            handle,
            number: 0,
            since: Instant::now(),
            counters: HashMap::new(),
            histograms: HashMap::new(),
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

    /// SWAP: closes the epoch, opens the next one, and tells what changed.
    ///
    /// Costs a read of all series, and allocates for those that changed.
    #[must_use = "the changes are in no later epoch"]
    pub fn swap(&mut self) -> Changes {
        let inner = &self.handle.inner;
        inner.sweep_before_observation();
        let now = Instant::now();
        let mut changes = Changes {
            epoch: self.number,
            duration: now - self.since,
            counters: Vec::new(),
            gauges: Vec::new(),
            histograms: Vec::new(),
        };
        inner.registry().visit_gauges(|key, cell| changes.gauges.push((Series::new(key), cell.value())));
        changes.gauges.sort_by(|a, b| a.0.cmp(&b.0));
        self.swap_counters(&mut changes.counters);
        self.swap_histograms(&mut changes.histograms);
        (self.number, self.since) = (self.number + 1, now);
        changes
    }

    fn swap_counters(&mut self, changes: &mut Vec<(Series, u64)>) {
        let inner = &self.handle.inner;
        // The cells come before the snapshot. A cell keeps its word, so the snapshot has what the cell itself counted. In
        // an older snapshot the word could still have the sum of a counter that was dropped since. A sweep that runs
        // meanwhile takes the references for handles, and leaves idle counters to the next sweep.
        let mut cells = Vec::new();
        inner.registry().visit_counters(|key, cell| cells.push((key.clone(), Arc::clone(cell))));
        let words = inner.counters().snapshot();
        // Made anew each time, so that dropped series leave nothing here.
        let mut counters = HashMap::with_capacity(cells.len());
        for (key, cell) in &cells {
            let (id, value) = (cell.activity.id, cell.value_in(&words));
            let delta = value.wrapping_sub(self.counters.get(&id).copied().unwrap_or(0));
            if delta != 0 {
                changes.push((Series::new(key), delta));
            }
            counters.insert(id, value);
        }
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        self.counters = counters;
    }

    fn swap_histograms(&mut self, changes: &mut Vec<(Series, HistogramSnapshot)>) {
        // Made anew, as for counters. A histogram has words of its own, so it needs no snapshot.
        let mut histograms = HashMap::new();
        self.handle.inner.registry().visit_histograms(|key, cell| {
            let (id, value) = (cell.activity.id, cell.snapshot());
            let delta = match self.histograms.get(&id) {
                Some(earlier) => value.since(earlier),
                None => value.clone(),
            };
            if !delta.is_empty() {
                changes.push((Series::new(key), delta));
            }
            histograms.insert(id, value);
        });
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        self.histograms = histograms;
    }
}

impl Handle {
    /// An observer, which tells what changed since it last looked. See [`MetricsEpoch`].
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

    /// By how much a counter grew, modulo 2^64; 0 if it didn't or doesn't exist.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        // Counters of the recorder that differ in the order of labels of one name are one series here.
        let of_series = self.counters.iter().filter(|(series, _)| series.is(name, labels));
        of_series.fold(0, |grown, &(_, delta)| grown.wrapping_add(delta))
    }

    /// By how much all counters of a name together grew per second.
    #[must_use]
    pub fn rate(&self, name: &str) -> f64 {
        let of_name = self.counters.iter().filter(|(series, _)| series.name == name);
        let grown: f64 = of_name.map(|&(_, delta)| delta as f64).sum();
        if self.duration.is_zero() { 0.0 } else { grown / self.duration.as_secs_f64() }
    }

    /// What was recorded in all histograms of a name, merged. `None` if nothing was.
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
    /// In ascending order.
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
