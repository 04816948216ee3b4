//! The handles that each thread looked up last.
//!
//! The facade's macros look a series up for each event. In the registry, a look-up takes four read-modify-writes on cache
//! lines that threads share. Where two threads count at once, this is most of the cost of an event. So each thread caches
//! the handles of some series, and the references that it hands out have a count of their own. The cache of a thread is
//! behind a lock, because idle series are taken out of it. Apart from that, only the thread itself takes the lock.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key};

use crate::counter::CounterCell;
use crate::gauge::GaugeCell;
use crate::histogram::HistogramCell;

/// How many series of each kind a thread caches.
const ENTRIES: usize = 64;
/// For how many recorders a thread caches series.
const RECORDERS: usize = 4;

thread_local! {
    /// The cache for each recorder, with the recorder's id, in the order of first use.
    static CACHES: RefCell<Vec<(u64, Arc<ThreadCache>)>> = const { RefCell::new(Vec::new()) };
}

/// The caches of all threads for one recorder.
#[derive(Debug)]
pub(crate) struct HandleCaches {
    recorder: u64,
    threads: Mutex<Vec<Weak<ThreadCache>>>,
}

impl HandleCaches {
    pub(crate) fn new() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the ids only have to be distinct.
        Self { recorder: NEXT_ID.fetch_add(1, Ordering::Relaxed), threads: Mutex::default() }
    }

    /// The calling thread's handle of a series. If the thread has not cached it, `look_up` finds or makes it.
    #[inline]
    pub(crate) fn get<T: Cacheable>(&self, key: &Key, look_up: impl FnOnce() -> Arc<T>) -> Arc<Cached<T>> {
        self.find(key).unwrap_or_else(|| {
            let handle = Arc::new(Cached(look_up()));
            self.keep(key.to_retained(), Arc::clone(&handle));
            handle
        })
    }

    #[inline]
    fn find<T: Cacheable>(&self, key: &Key) -> Option<Arc<Cached<T>>> {
        let find = |caches: &RefCell<Vec<(u64, Arc<ThreadCache>)>>| {
            let caches = caches.try_borrow().ok()?;
            let (_, cache) = caches.iter().find(|(recorder, _)| *recorder == self.recorder)?;
            // It is locked only while idle series are being taken out of it.
            let tables = cache.0.try_lock().ok()?;
            T::table(&tables)
                .get(place(key))?
                .as_ref()
                .filter(|(other, _)| other == key)
                .map(|(_, handle)| Arc::clone(handle))
        };
        // An error while the thread's locals are being destroyed.
        CACHES.try_with(find).ok()?
    }

    #[cold]
    fn keep<T: Cacheable>(&self, key: Key, handle: Arc<Cached<T>>) {
        let cache = CACHES.try_with(|caches| {
            let mut caches = caches.try_borrow_mut().ok()?;
            if let Some((_, cache)) = caches.iter().find(|(recorder, _)| *recorder == self.recorder) {
                return Some(Arc::clone(cache));
            }
            let cache = Arc::new(ThreadCache::default());
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.retain(|thread| thread.strong_count() > 0);
            threads.push(Arc::downgrade(&cache));
            let oldest = (caches.len() == RECORDERS).then(|| caches.remove(0));
            caches.push((self.recorder, Arc::clone(&cache)));
            drop(threads);
            drop(caches);
            drop(oldest);
            Some(cache)
        });
        let Ok(Some(cache)) = cache else { return };
        let mut tables = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = T::table_mut(&mut tables);
        if table.is_empty() {
            table.resize_with(ENTRIES, || None);
        }
        let replaced = table[place(&key)].replace((key, handle));
        drop(tables);
        drop(replaced);
    }

    /// Removes the handles that nobody uses from all caches.
    pub(crate) fn release_unused(&self) {
        let threads: Vec<_> = {
            let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.iter().filter_map(Weak::upgrade).collect()
        };
        for cache in threads {
            let mut tables = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut unused = (Vec::new(), Vec::new(), Vec::new());
            take_unused(&mut tables.counters, &mut unused.0);
            take_unused(&mut tables.gauges, &mut unused.1);
            take_unused(&mut tables.histograms, &mut unused.2);
            drop(tables);
        }
    }
}

impl Drop for HandleCaches {
    fn drop(&mut self) {
        self.release_unused();
    }
}

fn take_unused<T>(table: &mut Table<T>, unused: &mut Vec<(Key, Arc<Cached<T>>)>) {
    let is_unused = |(_, handle): &mut (Key, Arc<Cached<T>>)| Arc::strong_count(handle) == 1;
    unused.extend(table.iter_mut().filter_map(|entry| entry.take_if(is_unused)));
}

fn place(key: &Key) -> usize {
    // The lowest bits choose the registry's shard.
    (key.get_hash() >> 16) as usize % ENTRIES
}

#[derive(Debug, Default)]
struct ThreadCache(Mutex<Tables>);

#[derive(Debug, Default)]
pub(crate) struct Tables {
    counters: Table<CounterCell>,
    gauges: Table<GaugeCell>,
    histograms: Table<HistogramCell>,
}

/// Either empty, or with `ENTRIES` places.
type Table<T> = Vec<Option<(Key, Arc<Cached<T>>)>>;

/// What a cache can hold.
pub(crate) trait Cacheable: Sized {
    fn table(tables: &Tables) -> &Table<Self>;
    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;
}

macro_rules! cacheable {
    ($cell:ty, $field:ident) => {
        impl Cacheable for $cell {
            fn table(tables: &Tables) -> &Table<Self> {
                &tables.$field
            }

            fn table_mut(tables: &mut Tables) -> &mut Table<Self> {
                &mut tables.$field
            }
        }
    };
}

cacheable!(CounterCell, counters);
cacheable!(GaugeCell, gauges);
cacheable!(HistogramCell, histograms);

/// A handle with its own count of references, which mostly one thread changes.
#[derive(Debug)]
pub(crate) struct Cached<T>(Arc<T>);

impl CounterFn for Cached<CounterCell> {
    #[inline]
    fn increment(&self, count: u64) {
        CounterFn::increment(&*self.0, count);
    }

    fn absolute(&self, value: u64) {
        CounterFn::absolute(&*self.0, value);
    }
}

impl GaugeFn for Cached<GaugeCell> {
    fn increment(&self, value: f64) {
        GaugeFn::increment(&*self.0, value);
    }

    fn decrement(&self, value: f64) {
        GaugeFn::decrement(&*self.0, value);
    }

    fn set(&self, value: f64) {
        GaugeFn::set(&*self.0, value);
    }
}

impl HistogramFn for Cached<HistogramCell> {
    #[inline]
    fn record(&self, value: f64) {
        HistogramFn::record(&*self.0, value);
    }

    #[inline]
    fn record_many(&self, value: f64, count: usize) {
        HistogramFn::record_many(&*self.0, value, count);
    }
}
