//! Observers of a whole table.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::ops::Range;

use super::{COPY_WORDS, Table, TableRead, Touched};
use crate::algebra::Algebra;
use crate::delta::DeltaBatch;
use crate::kernel;

/// An observer of a table. It holds a reference state for each address, and [`swap`](Self::swap) returns what
/// changed since.
///
/// It is to a table what [`Epoch`](crate::Epoch) is to one state: any number of observers can watch one table,
/// each with its own epochs, and every delta is in exactly one epoch of each observer. An epoch does not end at
/// one instant for all addresses. A delta to one address may be in the epoch, and a delta that was made before
/// it, to another address, in the next epoch.
///
/// **Cost.** A swap of a [`Table`] reads the whole table, at the speed of memory. A swap of a
/// [`TableFanIn`](crate::TableFanIn) reads a mark of 8 bytes for each 64 addresses of each plane, and from all planes the
/// blocks of 64 addresses that a writer touched since this observer's last swap. In a table of at most 512 addresses, and
/// in the first swap of an observer that did not start with [`new`](Self::new), it reads everything.
///
/// An observer holds 8 bytes for each address, and 0.125 for each address of each plane that has marks. All methods
/// that read the table are wait-free, with Acquire ordering, except for the allocator, where a batch grows, and for the
/// [first kernel call](crate::kernel) of the process. Formatting an observer with `Debug` does not read the table.
///
/// ```
/// use atomik_core::AtomikTable;
///
/// let table = AtomikTable::new(1_000);
/// let mut epoch = table.epoch();
/// table[3].accum(5);
/// table[700].accum(6);
/// assert!(epoch.swap().iter().eq([(3, 5), (700, 6)]));
/// assert!(epoch.swap().is_empty());
/// ```
#[derive(Clone)]
pub struct TableEpoch<S> {
    source: S,
    reference: Box<[u64]>,
    touched: Touched,
    number: u64,
}

impl<S: TableRead> TableEpoch<S> {
    /// Starts to observe a source. Its present states are the reference, and epoch 0 is open.
    #[must_use]
    pub fn new(source: S) -> Self {
        let mut reference = vec![0; source.table_len()].into_boxed_slice();
        // Before the states are copied, so that what is touched meanwhile is in the first epoch.
        let mut touched = all_touched(&source);
        touched.clear();
        source.copy_states(0, &mut reference);
        Self { source, reference, touched, number: 0 }
    }

    /// Starts to observe a source from the identity: the reference is the identity at every address, and epoch 0 is
    /// open. The first epoch therefore holds all states that differ from the identity, and the deltas of all epochs
    /// compose to the states themselves.
    ///
    /// Use this for an observer that needs the deltas from before it was created, such as one that fills an empty copy
    /// of the table.
    ///
    /// ```
    /// use atomik_core::{AtomikTable, TableEpoch};
    ///
    /// let table = AtomikTable::from_iter([0, 7, 0]);
    /// let mut epoch = TableEpoch::from_identity(&table);
    /// table[2].accum(5);
    /// assert!(epoch.swap().iter().eq([(1, 7), (2, 5)]));
    /// ```
    #[must_use]
    pub fn from_identity(source: S) -> Self {
        let reference = vec![S::Algebra::IDENTITY; source.table_len()].into_boxed_slice();
        let touched = all_touched(&source);
        Self { source, reference, touched, number: 0 }
    }

    /// Continues where another observer stopped: `states` are the reference, and the epoch of this `number` is
    /// open. Pass what that observer returned last from [`reference`](Self::reference) and
    /// [`number`](Self::number). Everything that happened to the source since then is in the open epoch.
    ///
    /// The source must be the one that was observed, or a new one in the same states: after a restart,
    /// `Table::from_iter(states)`. If it starts elsewhere, the next epoch also contains the way from the old
    /// states to the new ones.
    ///
    /// The last swap of the other observer must happen before this call, as for
    /// [`Epoch::resume`](crate::Epoch::resume).
    ///
    /// # Panics
    ///
    /// If `states` is not as long as the table.
    ///
    /// ```
    /// use atomik_core::{Add, Table, TableEpoch};
    ///
    /// // What the previous process stored last.
    /// let (states, number): (&[u64], u64) = (&[10, 0, 30], 4);
    ///
    /// let table: Table<Add> = states.iter().copied().collect();
    /// let mut epoch = TableEpoch::resume(&table, states, number);
    /// table[1].accum(7);
    /// assert!(epoch.swap().iter().eq([(1, 7)]));
    /// assert_eq!(epoch.number(), 5);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn resume(source: S, states: &[u64], number: u64) -> Self {
        let len = source.table_len();
        assert!(states.len() == len, "{} states for a table of {len}", states.len());
        let touched = all_touched(&source);
        Self { source, reference: states.into(), touched, number }
    }

    /// The states at the start of the open epoch, by address.
    #[must_use]
    pub fn reference(&self) -> &[u64] {
        &self.reference
    }

    /// Whether all present states equal the reference. The check stops at the first difference.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let mut copy = [0; COPY_WORDS];
        (0..).step_by(COPY_WORDS).zip(self.reference.chunks(COPY_WORDS)).all(|(start, reference)| {
            let states = &mut copy[..reference.len()];
            self.source.copy_states(start, states);
            kernel::equal(states, reference)
        })
    }

    /// The number of the open epoch. The first one has the number 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The source that is observed.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Stops observing and returns the source.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.source
    }

    /// SWAP: closes the epoch, opens the next one and returns what changed. The table does not change.
    #[must_use = "the deltas of a closed epoch can't be had again"]
    pub fn swap(&mut self) -> DeltaBatch<S::Algebra> {
        let mut batch = DeltaBatch::new();
        self.swap_into(&mut batch);
        batch
    }

    /// Does what [`swap`](Self::swap) does, into a batch whose memory is reused. The batch is cleared first.
    pub fn swap_into(&mut self, batch: &mut DeltaBatch<S::Algebra>) {
        batch.clear();
        self.source.look(&mut self.touched);
        let mut copy = [0; COPY_WORDS];
        for Range { start, end } in self.touched.take() {
            let end = end.min(self.reference.len());
            let reference = &mut self.reference[start..end];
            // Nothing is copied or written where nothing changed, so a quiet table costs one read of its memory.
            if self.source.are_states(start, reference) {
                continue;
            }
            let states = &mut copy[..reference.len()];
            self.source.copy_states(start, states);
            let before = batch.len();
            kernel::diff_more(start as u32, reference, states, false, batch);
            if batch.len() > before {
                reference.copy_from_slice(states);
            }
        }
        self.number = self.number.wrapping_add(1);
    }

    /// SWAP at one address: returns what changed there since the reference, which moves on. The epoch stays open, and
    /// does not have this delta any more. The cost is that of a read of the address.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    ///
    /// ```
    /// let table = atomik_core::AtomikTable::new(8);
    /// let mut epoch = table.epoch();
    /// table[3].accum(5);
    /// table[7].accum(6);
    /// assert_eq!(epoch.swap_at(3), 5);
    /// assert!(epoch.swap().iter().eq([(7, 6)]));
    /// ```
    #[track_caller]
    #[must_use = "the delta can't be had again"]
    pub fn swap_at(&mut self, addr: usize) -> u64 {
        let state = self.source.read(addr);
        S::Algebra::delta(core::mem::replace(&mut self.reference[addr], state), state)
    }
}

/// All blocks of a source. The observer has seen their marks.
fn all_touched<S: TableRead>(source: &S) -> Touched {
    let mut touched = Touched::new(source.table_len());
    source.look(&mut touched);
    touched.insert_all();
    touched
}

impl<S: TableRead> fmt::Debug for TableEpoch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableEpoch")
            .field("number", &self.number)
            .field("len", &self.reference.len())
            .finish_non_exhaustive()
    }
}

impl<A: Algebra> Table<A> {
    /// An observer of this table, with its own epochs.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }
}

#[cfg(test)]
mod tests;
