//! Observers of a whole table.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use super::{Table, TableSource};
use crate::algebra::Algebra;
use crate::delta::DeltaBatch;
use crate::kernel;

/// The number of words that are copied out of a source at a time: 4 KiB, which stays in L1.
pub(crate) const COPY_WORDS: usize = 512;

/// An observer of a table. It holds a reference state for each address, and [`swap`](Self::swap) returns what
/// changed since.
///
/// It is to a table what [`Epoch`](crate::Epoch) is to one state: any number of observers can watch one table,
/// each with its own epochs, and every delta is in exactly one epoch of each observer. An epoch does not end at
/// one instant for all addresses. A delta to one address may be in the epoch, and a delta that was made before
/// it, to another address, in the next epoch.
///
/// An observer holds 8 bytes for each address. All methods that read the table are wait-free, with Acquire
/// ordering. Formatting an observer with `Debug` does not read the table.
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
    /// Starts to observe a source. Its present states are the reference, and epoch 0 is open.
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
        Self { source, reference: states.into(), number }
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
        let mut copy = [0; COPY_WORDS];
        for (start, reference) in (0..).step_by(COPY_WORDS).zip(self.reference.chunks_mut(COPY_WORDS)) {
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
}

impl<S: TableSource> fmt::Debug for TableEpoch<S> {
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
    fn a_resumed_observer_continues_the_epochs() {
        let table = Table::<Add>::from_iter([1, 2, 3]);
        let mut before = table.epoch();
        table[0].accum(10);
        let _ = before.swap();
        table[1].accum(20);
        let mut resumed = TableEpoch::resume(&table, before.reference(), before.number());
        assert_eq!((resumed.number(), resumed.reference()), (1, &[11, 2, 3][..]));
        assert_eq!(resumed.swap(), before.swap());
        assert_eq!(resumed.number(), before.number());
    }

    #[test]
    #[should_panic(expected = "2 states for a table of 3")]
    fn resuming_with_too_few_states_panics() {
        let _ = TableEpoch::resume(AtomikTable::new(3), &[0, 0], 0);
    }

    #[test]
    #[should_panic(expected = "4 states for a table of 3")]
    fn resuming_with_too_many_states_panics() {
        let _ = TableEpoch::resume(AtomikTable::new(3), &[0; 4], 0);
    }

    /// A source that panics when it is read.
    struct Unreadable;

    impl crate::context::sealed::Sealed for Unreadable {}

    impl TableSource for Unreadable {
        type Algebra = Add;

        fn table_len(&self) -> usize {
            3
        }

        fn read(&self, _: usize) -> u64 {
            panic!("the source was read");
        }

        fn accum(&self, _: usize, _: u64) {}

        fn copy_states(&self, _: usize, _: &mut [u64]) {
            panic!("the source was read");
        }

        fn are_states(&self, _: usize, _: &[u64]) -> bool {
            panic!("the source was read");
        }
    }

    #[test]
    fn debug_does_not_read_the_source() {
        let epoch = TableEpoch::resume(Unreadable, &[0; 3], 7);
        assert_eq!(std::format!("{epoch:?}"), "TableEpoch { number: 7, len: 3, .. }");
    }
}
