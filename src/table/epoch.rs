//! Observers of a whole table.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use super::Table;
use crate::algebra::Algebra;
use crate::context::sealed::Sealed;
use crate::delta::DeltaBatch;
use crate::kernel;
use alloc::sync::Arc;

/// How many words are copied out of a source at a time: 4 KiB, which stays in L1.
pub(crate) const BLOCK: usize = 512;

/// States at addresses 0, 1, … that can be copied out: a [`Table`], a
/// [`TableFanIn`](crate::TableFanIn), or a reference, an `Arc` or a `Box` of one.
///
/// Sealed. It lets [`TableEpoch`] work on each of them.
pub trait TableSource: Sealed {
    /// How deltas compose.
    type Algebra: Algebra;

    /// How many addresses there are.
    fn table_len(&self) -> usize;

    /// Copies the states from address `start` on, as many as `out` takes. Acquire, as a read of each.
    ///
    /// # Panics
    ///
    /// If the source ends before `out` is full.
    fn copy_states(&self, start: usize, out: &mut [u64]);

    /// A first look: `true` only if the states from address `start` on were these when it read them. Where
    /// looking would cost as much as copying, it doesn't look, and returns `false`. Relaxed.
    ///
    /// # Panics
    ///
    /// May panic if the source ends before `states`.
    fn are_states(&self, start: usize, states: &[u64]) -> bool;
}

impl<A: Algebra> Sealed for Table<A> {}

impl<A: Algebra> TableSource for Table<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len()
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        self.copy_block(start, out);
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        self.is_block(start, states)
    }
}

macro_rules! forward_table_state {
    ($($pointer:ty),*) => {$(
        impl<T: TableSource + ?Sized> TableSource for $pointer {
            type Algebra = T::Algebra;

            fn table_len(&self) -> usize {
                (**self).table_len()
            }

            fn copy_states(&self, start: usize, out: &mut [u64]) {
                (**self).copy_states(start, out);
            }

            fn are_states(&self, start: usize, states: &[u64]) -> bool {
                (**self).are_states(start, states)
            }
        }
    )*};
}
forward_table_state!(&T, Box<T>, Arc<T>);

/// An observer of a table: a reference for each address, and [`swap`](Self::swap) tells what changed.
///
/// What [`Epoch`](crate::Epoch) is to one state: any number of observers, each with its own epochs, and
/// every delta in exactly one epoch of each. The end of an epoch is not one instant for all addresses: a
/// delta to one may fall into the epoch and a delta made before it, to another, into the next.
///
/// Holds 8 bytes an address. Wait-free, Acquire.
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
    number: u64,
}

impl<S: TableSource> TableEpoch<S> {
    /// Starts to observe a source: its states now are the reference, and epoch 0 is open.
    #[must_use]
    pub fn new(source: S) -> Self {
        let mut reference = vec![0; source.table_len()].into_boxed_slice();
        source.copy_states(0, &mut reference);
        Self { source, reference, number: 0 }
    }

    /// Starts to observe a source from the identity: the reference is the identity at every address, and epoch 0 is
    /// open. The first epoch therefore holds all states that differ from the identity, and the deltas of all epochs
    /// compose to the states themselves.
    ///
    /// For an observer that is to have what was accumulated before it came, such as one that fills an empty copy of
    /// the table.
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
        Self { source, reference, number: 0 }
    }

    /// The states at the start of the open epoch, by address.
    #[must_use]
    pub fn reference(&self) -> &[u64] {
        &self.reference
    }

    /// Whether all states now equal the reference. Stops at the first that does not.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let mut block = [0; BLOCK];
        (0..).step_by(BLOCK).zip(self.reference.chunks(BLOCK)).all(|(start, reference)| {
            let states = &mut block[..reference.len()];
            self.source.copy_states(start, states);
            kernel::equal(states, reference)
        })
    }

    /// The number of the open epoch; the first is 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What is observed.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Stops observing and gives the source back.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.source
    }

    /// SWAP: closes the epoch, opens the next and returns what changed. The table is left alone.
    pub fn swap(&mut self) -> DeltaBatch<S::Algebra> {
        let mut batch = DeltaBatch::new();
        self.swap_into(&mut batch);
        batch
    }

    /// [`swap`](Self::swap) into a batch whose memory is used again; what was in it is cleared.
    pub fn swap_into(&mut self, batch: &mut DeltaBatch<S::Algebra>) {
        batch.clear();
        let mut block = [0; BLOCK];
        for (start, reference) in (0..).step_by(BLOCK).zip(self.reference.chunks_mut(BLOCK)) {
            // Where nothing changed, nothing is copied or written: reading the memory is all that a quiet table costs.
            if self.source.are_states(start, reference) {
                continue;
            }
            let states = &mut block[..reference.len()];
            self.source.copy_states(start, states);
            let before = batch.len();
            kernel::diff_more(start as u32, reference, states, false, batch);
            if batch.len() > before {
                reference.copy_from_slice(states);
            }
        }
        self.number = self.number.wrapping_add(1);
    }
}

impl<S: TableSource> fmt::Debug for TableEpoch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableEpoch")
            .field("number", &self.number)
            .field("len", &self.reference.len())
            .field("is_clean", &self.is_clean())
            .finish()
    }
}

impl<A: Algebra> Table<A> {
    /// An observer of this table, with epochs of its own.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::{Add, Xor};
    use crate::table::AtomikTable;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn epochs_tell_what_changed<A: Algebra>(
        len: usize,
        epochs: &[Vec<(usize, u64)>],
    ) -> Result<(), TestCaseError> {
        let table = Table::<A>::new(len);
        let mut epoch = table.epoch();
        for (number, changes) in (0..).zip(epochs) {
            prop_assert_eq!(epoch.number(), number);
            let changes = changes.iter().map(|&(addr, delta)| ((addr % len) as u32, delta));
            changes.clone().for_each(|(addr, delta)| table[addr as usize].accum(delta));
            let expected: DeltaBatch<A> = changes.collect();
            prop_assert_eq!(epoch.is_clean(), expected.is_empty());
            prop_assert_eq!(epoch.swap(), expected);
            prop_assert!(epoch.is_clean());
            prop_assert!(table.iter().map(|context| context.read()).eq(epoch.reference().iter().copied()));
        }
        Ok(())
    }

    fn epochs() -> impl Strategy<Value = Vec<Vec<(usize, u64)>>> {
        prop::collection::vec(prop::collection::vec((any::<usize>(), 0..4u64), 0..40), 0..5)
    }

    proptest! {
        #[test]
        fn xor_table_epochs(len in 1..2_000usize, epochs in epochs()) {
            epochs_tell_what_changed::<Xor>(len, &epochs)?;
        }

        #[test]
        fn add_table_epochs(len in 1..2_000usize, epochs in epochs()) {
            epochs_tell_what_changed::<Add>(len, &epochs)?;
        }
    }

    #[test]
    fn observers_do_not_disturb_one_another() {
        let table = AtomikTable::new(3);
        let (mut one, mut other) = (table.epoch(), table.epoch());
        table[1].accum(5);
        assert_eq!(one.swap().deltas(), [5]);
        table[2].accum(7);
        assert_eq!(one.swap().addresses(), [2]);
        assert_eq!(other.swap().addresses(), [1, 2]);
    }

    #[test]
    fn a_quiet_table_is_seen_at_the_first_look() {
        let table = AtomikTable::from_iter(1..=600);
        let epoch = table.epoch();
        assert!(table.are_states(0, epoch.reference()));
        table[599].accum(5);
        assert!(!table.are_states(0, epoch.reference()));
    }

    #[test]
    fn debug_shows_the_open_epoch() {
        let table = AtomikTable::new(3);
        let epoch = table.epoch();
        table[1].accum(5);
        assert_eq!(std::format!("{epoch:?}"), "TableEpoch { number: 0, len: 3, is_clean: false }");
    }
}
