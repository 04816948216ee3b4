//! Whole tables at once, through the kernels.

#[cfg(not(atomik_loom))]
use core::slice;

use super::Table;
use crate::algebra::Algebra;
#[cfg(not(atomik_loom))]
use crate::{
    delta::{AddressOutOfRange, DeltaBatch},
    kernel,
};

impl<A: Algebra> Table<A> {
    /// Accumulates a delta into every context: `deltas[addr]` into address `addr`. One RMW for each delta
    /// that is not the identity, and a glance at the others, eight at a time. Progress and ordering are
    /// [`Context::accum`](crate::Context::accum)'s, word by word.
    ///
    /// # Panics
    ///
    /// If `deltas` is not as long as the table.
    ///
    /// ```
    /// use atomik_core::{Add, Table};
    ///
    /// let table = Table::<Add>::from_iter([1, 2, 3]);
    /// table.accum_dense_shared(&[10, 0, 30]);
    /// assert!(table.iter().map(|context| context.read()).eq([11, 2, 33]));
    /// ```
    #[track_caller]
    pub fn accum_dense_shared(&self, deltas: &[u64]) {
        self.same_length(deltas.len());
        for (contexts, deltas) in self.chunks(8).zip(deltas.chunks(8)) {
            // The identity is 0 in both algebras.
            if deltas.iter().fold(0, |all, delta| all | delta) == 0 {
                continue;
            }
            for (context, &delta) in contexts.iter().zip(deltas) {
                if delta != A::IDENTITY {
                    context.accum(delta);
                }
            }
        }
    }

    #[track_caller]
    fn same_length(&self, len: usize) {
        assert!(len == self.len(), "{len} words for a table of {}", self.len());
    }
}

/// For whoever has the table alone: no atomic access.
#[cfg(not(atomik_loom))]
impl<A: Algebra> Table<A> {
    /// Accumulates a delta into every context: `deltas[addr]` into address `addr`. Runs at the speed of the
    /// memory: [`kernel::accum`].
    ///
    /// # Panics
    ///
    /// If `deltas` is not as long as the table.
    #[track_caller]
    pub fn accum_dense(&mut self, deltas: &[u64]) {
        self.same_length(deltas.len());
        kernel::accum::<A>(self.as_mut_words(), deltas);
    }

    /// [`accum_dense`](Self::accum_dense) on rayon's threads, for tables larger than the caches:
    /// [`kernel::par::accum`].
    ///
    /// # Panics
    ///
    /// As [`accum_dense`](Self::accum_dense).
    #[cfg(feature = "rayon")]
    #[track_caller]
    pub fn par_accum_dense(&mut self, deltas: &[u64]) {
        self.same_length(deltas.len());
        kernel::par::accum::<A>(self.as_mut_words(), deltas);
    }

    /// Fills `batch` with what leads from `reference` to the states: [`kernel::diff`].
    ///
    /// For a table that others use meanwhile, and for one reference after another, there is
    /// [`epoch`](Self::epoch).
    ///
    /// # Panics
    ///
    /// If `reference` is not as long as the table.
    ///
    /// ```
    /// use atomik_core::{AtomikTable, DeltaBatch};
    ///
    /// let mut table = AtomikTable::from_iter([1, 2, 3]);
    /// let mut batch = DeltaBatch::new();
    /// table.diff(&[1, 2, 7], &mut batch);
    /// assert!(batch.iter().eq([(2, 4)]));
    /// ```
    #[track_caller]
    pub fn diff(&mut self, reference: &[u64], batch: &mut DeltaBatch<A>) {
        self.same_length(reference.len());
        kernel::diff(reference, self.as_mut_words(), batch);
    }

    /// [`diff`](Self::diff) on rayon's threads: [`kernel::par::diff`].
    ///
    /// # Panics
    ///
    /// As [`diff`](Self::diff).
    #[cfg(feature = "rayon")]
    #[track_caller]
    pub fn par_diff(&mut self, reference: &[u64], batch: &mut DeltaBatch<A>) {
        self.same_length(reference.len());
        kernel::par::diff(reference, self.as_mut_words(), batch);
    }

    /// Accumulates a batch, whole or not at all: [`kernel::apply`]. Through a shared reference it is
    /// [`accum_batch`](Self::accum_batch).
    ///
    /// # Errors
    ///
    /// [`AddressOutOfRange`] if the batch has an address past the table's end; the states are then as they
    /// were.
    pub fn apply(&mut self, batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
        kernel::apply(self.as_mut_words(), batch)
    }

    /// Accumulates 16-byte messages as they came from a socket or file, all or none:
    /// [`kernel::apply_wire`].
    ///
    /// # Errors
    ///
    /// [`ApplyWireError`](kernel::ApplyWireError) if the bytes are not whole messages, or one's address lies
    /// past the table's end; the states are then as they were.
    pub fn apply_wire(&mut self, bytes: &[u8]) -> Result<(), kernel::ApplyWireError> {
        kernel::apply_wire::<A>(self.as_mut_words(), bytes)
    }

    /// [`apply`](Self::apply) on rayon's threads: [`kernel::par::apply`].
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    #[cfg(feature = "rayon")]
    pub fn par_apply(&mut self, batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
        kernel::par::apply(self.as_mut_words(), batch)
    }

    /// [`apply_wire`](Self::apply_wire) on rayon's threads: [`kernel::par::apply_wire`].
    ///
    /// # Errors
    ///
    /// As [`apply_wire`](Self::apply_wire).
    #[cfg(feature = "rayon")]
    pub fn par_apply_wire(&mut self, bytes: &[u8]) -> Result<(), kernel::ApplyWireError> {
        kernel::par::apply_wire::<A>(self.as_mut_words(), bytes)
    }

    /// The [`Fingerprint`](crate::Fingerprint) value, with the fixed seed, of the states as little-endian
    /// words. Tables are compared by it without being sent: equal states give equal values everywhere. O(n).
    ///
    /// ```
    /// use atomik_core::{AtomikTable, Fingerprint};
    ///
    /// let mut table = AtomikTable::from_iter([1, 2]);
    /// let mut other = AtomikTable::from_iter([2, 1]);
    /// assert_ne!(table.digest(), other.digest());
    /// assert_eq!(table.digest(), Fingerprint::new().load(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]));
    /// ```
    pub fn digest(&mut self) -> u64 {
        let words = self.as_mut_words();
        if cfg!(target_endian = "little") {
            // SAFETY: words are initialised bytes, and they are borrowed for as long as `bytes`.
            let bytes = unsafe { slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) };
            return crate::Fingerprint::new().load(bytes);
        }
        let bytes: alloc::vec::Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        crate::Fingerprint::new().load(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::{Add, Xor};
    use crate::{Context, DeltaMessage};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn states<A: Algebra>(table: &Table<A>) -> Vec<u64> {
        table.iter().map(Context::read).collect()
    }

    fn ways_to_accumulate_agree<A: Algebra>(pairs: &[(u64, u64)]) -> Result<(), TestCaseError> {
        let before: Vec<u64> = pairs.iter().map(|pair| pair.0).collect();
        let deltas: Vec<u64> = pairs.iter().map(|pair| pair.1).collect();
        let expected: Vec<u64> = pairs.iter().map(|&(state, delta)| A::compose(state, delta)).collect();
        let new = || before.iter().copied().collect::<Table<A>>();

        let mut dense = new();
        dense.accum_dense(&deltas);
        prop_assert_eq!(states(&dense), expected.clone());

        let shared = new();
        shared.accum_dense_shared(&deltas);
        prop_assert_eq!(states(&shared), expected.clone());

        let mut batch = DeltaBatch::new();
        dense.diff(&before, &mut batch);
        let mut sparse = new();
        sparse.apply(&batch).unwrap();
        prop_assert_eq!(states(&sparse), expected.clone());

        let mut wired = new();
        wired.apply_wire(&batch.to_wire(0)).unwrap();
        prop_assert_eq!(states(&wired), expected);
        prop_assert_eq!(wired.digest(), dense.digest());

        #[cfg(feature = "rayon")]
        {
            let mut parallel = new();
            parallel.par_accum_dense(&deltas);
            prop_assert_eq!(states(&parallel), states(&dense));
            let mut again = DeltaBatch::new();
            parallel.par_diff(&before, &mut again);
            prop_assert_eq!(&again, &batch);
            let (mut applied, mut wired) = (new(), new());
            applied.par_apply(&batch).unwrap();
            wired.par_apply_wire(&batch.to_wire(0)).unwrap();
            prop_assert_eq!(states(&applied), states(&dense));
            prop_assert_eq!(states(&wired), states(&dense));
        }
        Ok(())
    }

    fn pairs() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((any::<u64>(), prop_oneof![3 => Just(0), 1 => any::<u64>()]), 0..200)
    }

    proptest! {
        #[test]
        fn xor_tables(pairs in pairs()) {
            ways_to_accumulate_agree::<Xor>(&pairs)?;
        }

        #[test]
        fn add_tables(pairs in pairs()) {
            ways_to_accumulate_agree::<Add>(&pairs)?;
        }
    }

    #[test]
    fn deltas_that_cancel_by_xor_count_all_the_same() {
        let table = Table::<Add>::from_iter([1, 2, 3]);
        table.accum_dense_shared(&[5, 5, 0]);
        assert_eq!(states(&table), [6, 7, 3]);
    }

    #[test]
    fn a_digest_is_the_fingerprint_of_the_bytes() {
        let words: Vec<u64> = (0..3_000).collect();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let digest = words.into_iter().collect::<Table<Add>>().digest();
        assert_eq!(digest, crate::Fingerprint::new().load(&bytes));
    }

    #[test]
    fn bad_messages_leave_the_table_alone() {
        let mut table = Table::<Add>::from_iter([1, 2]);
        let mut bytes = DeltaMessage { addr: 0, delta: 5, seq: 0 }.to_bytes().to_vec();
        bytes.extend(DeltaMessage { addr: 2, delta: 5, seq: 1 }.to_bytes());
        let error = table.apply_wire(&bytes).unwrap_err();
        assert_eq!(error, kernel::ApplyWireError::Address { offset: 16, addr: 2, len: 2 });
        assert_eq!(states(&table), [1, 2]);
    }

    #[test]
    #[should_panic(expected = "3 words for a table of 2")]
    fn accum_dense_refuses_another_length() {
        Table::<Xor>::new(2).accum_dense(&[0; 3]);
    }

    #[test]
    #[should_panic(expected = "1 words for a table of 2")]
    fn accum_dense_shared_refuses_another_length() {
        Table::<Xor>::new(2).accum_dense_shared(&[0; 1]);
    }
}
