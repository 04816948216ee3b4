//! The recorder, and what it holds.

#[cfg(feature = "shared")]
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use metrics::{Key, KeyName, Label, Metadata, SharedString, Unit};

use crate::activity::Activity;
use crate::catalog::{Catalog, SeriesList};
use crate::counter::{Counter, CounterCell};
use crate::counter_table::CounterTable;
use crate::gauge::{Gauge, GaugeCell};
use crate::handle_cache::HandleCaches;
use crate::histogram::{Histogram, HistogramCell};
use crate::settings::Settings;
use crate::storage::{Description, Descriptions, Kind, Registry, SeriesStorage};

/// The name of the counter by which [`install`](crate::install()) finds out whether events arrive.
#[doc(hidden)]
pub const PROBE: &str = "atomik_metrics_probe";

/// A recorder for the [`metrics`] facade.
///
/// [`install`](crate::install()) makes a recorder and installs it for the whole process. A separate recorder is useful
/// in tests (with [`metrics::with_local_recorder`]), below the layers of `metrics-util`, and in a process that needs
/// several.
///
/// ```
/// let recorder = atomik_metrics::Recorder::new();
/// metrics::with_local_recorder(&recorder, || {
///     metrics::counter!("requests_total", "route" => "/").increment(1);
/// });
/// assert!(recorder.handle().render().contains("requests_total{route=\"/\"} 1\n"));
/// ```
#[derive(Debug)]
pub struct Recorder {
    handle: Handle,
}

impl Recorder {
    pub(crate) fn with_settings(settings: Settings) -> Self {
        Self { handle: Handle { inner: Arc::new(Inner::new(settings)) } }
    }

    /// A handle of this recorder, which keeps its series alive. A handle is cheap to clone.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// Access to what a [`Recorder`] has recorded, and to its series without the facade.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) inner: Arc<Inner>,
}

impl Handle {
    /// The counter with this name and these labels. It is worth keeping: to look a series up takes far longer than to
    /// increment a counter.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        Counter(self.inner.counter(&key(name, labels)))
    }

    /// The gauge with this name and these labels.
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge(self.inner.gauge(&key(name, labels)))
    }

    /// The histogram with this name and these labels.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Histogram {
        Histogram(self.inner.histogram(&key(name, labels)))
    }

    /// The number of series.
    #[must_use]
    pub fn series(&self) -> usize {
        let mut series = 0;
        self.inner.registry.visit_counters(|_, _| series += 1);
        self.inner.registry.visit_gauges(|_, _| series += 1);
        self.inner.registry.visit_histograms(|_, _| series += 1);
        series
    }
}

pub(crate) fn key(name: &str, labels: &[(&str, &str)]) -> Key {
    let label = |&(name, value): &(&str, &str)| Label::new(name.to_owned(), value.to_owned());
    Key::from_parts(name.to_owned(), labels.iter().map(label).collect::<Vec<_>>())
}

/// Where series come from that are recorded elsewhere.
#[cfg(feature = "shared")]
pub(crate) trait Source: core::fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Brings a recorder's series up to date, before they are read.
    fn refresh(&self, inner: &Inner);
}

#[derive(Debug)]
pub(crate) struct Inner {
    registry: Registry,
    settings: Settings,
    descriptions: Descriptions,
    known: Mutex<Known>,
    caches: HandleCaches,
    /// The counter of the probe. It is not in the registry, so that no scrape and no observer sees it.
    probe: Mutex<Option<Arc<CounterCell>>>,
    #[cfg(feature = "shared")]
    source: std::sync::OnceLock<Box<dyn Source>>,
    /// When the recorder last looked for idle series, in nanoseconds since its start.
    last_sweep: AtomicU64,
}

/// The series that the last scrape and the last observer found. It holds references to them, as handles do.
#[derive(Debug, Default)]
struct Known {
    catalog: Catalog,
    list: SeriesList,
    /// How many lists there were.
    lists: u64,
}

impl Inner {
    fn new(settings: Settings) -> Self {
        Self {
            registry: Registry::new(SeriesStorage::new(settings.schema)),
            settings,
            descriptions: Descriptions::default(),
            known: Mutex::default(),
            caches: HandleCaches::new(),
            probe: Mutex::default(),
            #[cfg(feature = "shared")]
            source: std::sync::OnceLock::new(),
            last_sweep: AtomicU64::new(0),
        }
    }

    pub(crate) fn counters(&self) -> &CounterTable {
        &self.registry.storage().counters
    }

    pub(crate) fn now(&self) -> Duration {
        self.registry.storage().start.elapsed()
    }

    /// Shows what a source has, from now on. The first source stays.
    #[cfg(feature = "shared")]
    pub(crate) fn set_source(&self, source: Box<dyn Source>) {
        let _ = self.source.set(source);
    }

    pub(crate) fn counter(&self, key: &Key) -> Arc<CounterCell> {
        self.registry.get_counter(key).unwrap_or_else(|| match key.name() {
            PROBE => self.probe(),
            _ => self.created(|| self.registry.get_or_create_counter(&key.to_retained(), Arc::clone)),
        })
    }

    #[cold]
    fn probe(&self) -> Arc<CounterCell> {
        let make = || {
            let activity = Activity::new(self.now());
            Arc::new(CounterCell::new(&self.registry.storage().counters, activity))
        };
        Arc::clone(self.probe.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(make))
    }

    pub(crate) fn gauge(&self, key: &Key) -> Arc<GaugeCell> {
        self.registry.get_gauge(key).unwrap_or_else(|| {
            self.created(|| self.registry.get_or_create_gauge(&key.to_retained(), Arc::clone))
        })
    }

    pub(crate) fn histogram(&self, key: &Key) -> Arc<HistogramCell> {
        self.registry.get_histogram(key).unwrap_or_else(|| {
            self.created(|| self.registry.get_or_create_histogram(&key.to_retained(), Arc::clone))
        })
    }

    /// Makes a series, and then looks for idle ones, so that label sets which come and go do not pile up if nobody
    /// scrapes.
    #[cold]
    fn created<V>(&self, create: impl FnOnce() -> V) -> V {
        let created = create();
        if self.sweep_is_due(self.now()) {
            // If another thread scrapes or sweeps, this is left to the next new series, because a thread that records
            // must not wait.
            match self.known.try_lock() {
                Ok(mut known) => self.sweep_if_due(&mut known),
                Err(TryLockError::Poisoned(known)) => self.sweep_if_due(&mut known.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        created
    }

    /// Reads the series in the order in which they are shown, with the sums of the counters' words.
    pub(crate) fn with_catalog<V>(&self, read: impl FnOnce(&Catalog, &[Vec<u64>]) -> V) -> V {
        let mut known = self.known();
        let version = self.registry.storage().version();
        if known.catalog.version != version {
            known.catalog = Catalog::new(&self.registry, &self.descriptions, &self.settings, version);
        }
        // The words are read after the series were found. A counter keeps its word, so the snapshot has what the counter
        // itself counted; in an older one the word could still have the sum of a counter that was dropped since.
        read(&known.catalog, &self.counters().snapshot())
    }

    /// Reads the series as they were recorded, with the sums of the counters' words.
    pub(crate) fn with_list<V>(&self, read: impl FnOnce(&SeriesList, &[Vec<u64>]) -> V) -> V {
        let mut known = self.known();
        let version = self.registry.storage().version();
        if known.list.version != version {
            known.lists += 1;
            known.list = SeriesList::new(&self.registry, version, known.lists);
        }
        // As in `with_catalog`.
        read(&known.list, &self.counters().snapshot())
    }

    /// The known series, after idle ones were dropped.
    fn known(&self) -> MutexGuard<'_, Known> {
        #[cfg(feature = "shared")]
        if let Some(source) = self.source.get() {
            source.refresh(self);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.sweep_if_due(&mut known);
        known
    }

    fn sweep_if_due(&self, known: &mut Known) {
        let now = self.now();
        if self.sweep_is_due(now) {
            self.sweep(known, now);
        }
    }

    fn sweep_is_due(&self, now: Duration) -> bool {
        // Relaxed: this is only a hint. The sweep itself is made under the lock of `known`.
        let last = Duration::from_nanos(self.last_sweep.load(Ordering::Relaxed));
        self.settings.idle_timeout.is_some_and(|timeout| now.saturating_sub(last) >= timeout / 4)
    }

    /// Drops the series that have not changed for the idle timeout and have no handle left.
    fn sweep(&self, known: &mut Known, now: Duration) {
        let Some(timeout) = self.settings.idle_timeout else { return };
        // Relaxed: see `sweep_is_due`.
        self.last_sweep.store(now.as_nanos() as u64, Ordering::Relaxed);
        let mut idle = false;
        self.registry.visit_counters(|_, cell| idle |= cell.activity.look(cell.value(), now) >= timeout);
        let bits = |cell: &GaugeCell| cell.value().to_bits();
        self.registry.visit_gauges(|_, cell| idle |= cell.activity.look(bits(cell), now) >= timeout);
        self.registry.visit_histograms(|_, cell| idle |= cell.activity.look(cell.state(), now) >= timeout);
        if !idle {
            return;
        }
        // These references and those of the caches would look like handles.
        (known.catalog, known.list) = Default::default();
        self.caches.release_unused();
        let storage = self.registry.storage();
        let drop_idle = |handles: usize, unchanged: Duration| {
            let is_dropped = handles == 1 && unchanged >= timeout;
            if is_dropped {
                storage.change();
            }
            !is_dropped
        };
        // Nobody can get another handle between the count and the removal, because the registry is locked. The series is
        // looked at again after its handles were counted, so that a change by its last handle is not missed.
        self.registry.retain_counters(|_, cell| {
            let handles = handles(cell);
            drop_idle(handles, cell.activity.look(cell.value(), now))
        });
        self.registry.retain_gauges(|_, cell| {
            let handles = handles(cell);
            drop_idle(handles, cell.activity.look(bits(cell), now))
        });
        self.registry.retain_histograms(|_, cell| {
            let handles = handles(cell);
            drop_idle(handles, cell.activity.look(cell.state(), now))
        });
    }

    /// Takes the probe's counter away. Returns `false` if nothing was counted in it.
    pub(crate) fn take_probe(&self) -> bool {
        let probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A cached handle of it would count the next probe where nobody looks.
        self.caches.release_unused();
        probe.is_some_and(|cell| cell.value() > 0)
    }

    fn describe(&self, kind: Kind, name: &KeyName, unit: Option<Unit>, help: SharedString) {
        self.descriptions.set(kind, name.as_str(), Description { unit, help });
        self.registry.storage().change();
    }
}

/// The number of references to a series, including that of the registry.
fn handles<T>(cell: &Arc<T>) -> usize {
    let handles = Arc::strong_count(cell);
    // Acquire: pairs with the Release by which an `Arc` is dropped, so that the changes of the dropping thread are seen.
    std::sync::atomic::fence(Ordering::Acquire);
    handles
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.handle.inner.describe(Kind::Counter, &name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.handle.inner.describe(Kind::Gauge, &name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.handle.inner.describe(Kind::Histogram, &name, unit, help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let inner = &self.handle.inner;
        metrics::Counter::from_arc(inner.caches.get(key, || inner.counter(key)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let inner = &self.handle.inner;
        metrics::Gauge::from_arc(inner.caches.get(key, || inner.gauge(key)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let inner = &self.handle.inner;
        metrics::Histogram::from_arc(inner.caches.get(key, || inner.histogram(key)))
    }
}

#[cfg(test)]
mod tests;
