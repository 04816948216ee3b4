//! Counters.

use core::fmt;
use std::sync::Arc;

use metrics::CounterFn;

use crate::activity::Activity;
use crate::counter_table::{CounterTable, Word};
use crate::sync::{AtomicU64, Ordering};

/// A counter of a recorder. All clones add to the same count. A counter is not dropped from its recorder while it has a
/// handle.
///
/// ```
/// let handle = atomik_metrics::Recorder::new().handle();
/// let requests = handle.counter("requests_total", &[("route", "/")]);
/// requests.increment(1);
/// assert_eq!(requests.value(), 1);
/// assert!(handle.render().contains("requests_total{route=\"/\"} 1\n"));
/// ```
#[derive(Clone)]
pub struct Counter(pub(crate) Arc<CounterCell>);

impl Counter {
    /// Adds to the counter with a load and a store, on a cache line that no other thread writes. Release: a thread that
    /// sees the increment also sees what the calling thread did before it.
    ///
    /// Wait-free, except that it may allocate: counters are kept in chunks of 64 to 512, and the first increment by a
    /// thread in a chunk allocates 768 to 4,352 bytes. So it must not be called in signal handlers or global
    /// allocators.
    #[inline]
    pub fn increment(&self, count: u64) {
        self.0.word.add(count);
    }

    /// Raises the counter to a value that was counted elsewhere. If the counter has reached that value, nothing
    /// happens: a counter never goes backwards. Lock-free. It reads the parts of all threads.
    pub fn absolute(&self, value: u64) {
        self.0.raise_to(value);
    }

    /// The count, which includes every increment that happened before this call. Wait-free.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.value()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.value()).finish()
    }
}

#[derive(Debug)]
pub(crate) struct CounterCell {
    word: Word,
    /// What must be added to the word to get the count: what `raise_to` added, minus what an earlier counter left in the
    /// word.
    offset: AtomicU64,
    pub(crate) activity: Activity,
}

impl CounterCell {
    pub(crate) fn new(table: &Arc<CounterTable>, activity: Activity) -> Self {
        let word = table.claim();
        let offset = AtomicU64::new(word.read().wrapping_neg());
        Self { word, offset, activity }
    }

    pub(crate) fn value(&self) -> u64 {
        self.offset().wrapping_add(self.word.read())
    }

    /// The value, with the sum of the word taken from a snapshot of the table. The snapshot must be younger than the
    /// counter: in an older one, the word may hold less than the offset subtracts.
    pub(crate) fn value_in(&self, snapshot: &[Vec<u64>]) -> u64 {
        self.offset().wrapping_add(self.word.read_in(snapshot))
    }

    fn offset(&self) -> u64 {
        // Acquire: pairs with the Release in `raise_to`, so that a reader sees what its caller did before.
        self.offset.load(Ordering::Acquire)
    }

    pub(crate) fn raise_to(&self, value: u64) {
        let mut offset = self.offset();
        loop {
            let missing = value.checked_sub(offset.wrapping_add(self.word.read()));
            let Some(missing @ 1..) = missing else { return };
            // Release: pairs with the Acquire in `offset`. Another thread's raise is taken into account on the next
            // turn: Acquire, as in `offset`.
            let raised = self.offset.compare_exchange_weak(
                offset,
                offset.wrapping_add(missing),
                Ordering::Release,
                Ordering::Acquire,
            );
            match raised {
                Ok(_) => return,
                Err(current) => offset = current,
            }
        }
    }
}

impl CounterFn for CounterCell {
    #[inline]
    fn increment(&self, count: u64) {
        self.word.add(count);
    }

    fn absolute(&self, value: u64) {
        self.raise_to(value);
    }
}
