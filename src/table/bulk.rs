//! Operations on whole tables.

#[cfg(not(atomik_loom))]
use core::slice;

use super::Table;
use crate::algebra::Algebra;
use crate::delta::{AddressOutOfRange, DeltaBatch};
#[cfg(not(atomik_loom))]
use crate::kernel;

/// Deltas to many addresses, while other threads use the table.
impl<A: Algebra> Table<A> {
    /// Accumulates each delta of a batch into the context at its address, with one RMW for each delta.
    ///
    /// Other threads can see a part of the batch. Progress and ordering are those of
    /// [`Context::accum`](crate::Context::accum), address by address. With exclusive access,
    /// [`accum_batch_mut`](Self::accum_batch_mut) is faster.
    ///
    /// # Errors
    ///
    /// [`AddressOutOfRange`] if the batch has an address past the end of the table. Nothing is accumulated then.
    ///
    /// ```
    /// use atomik_core::{AtomikTable, DeltaBatch};
    ///
    /// let table = AtomikTable::new(4);
    /// table.accum_batch(&DeltaBatch::from_iter([(1, 0xCAFE), (3, 7)]))?;
    /// assert_eq!(table[3].read(), 7);
    ///
    /// let past_the_end = DeltaBatch::from_iter([(1, 0xCAFE), (4, 7)]);
    /// assert!(table.accum_batch(&past_the_end).is_err());
    /// assert_eq!(table[1].read(), 0xCAFE);
    /// # Ok::<(), atomik_core::AddressOutOfRange>(())
    /// ```
    pub fn accum_batch(&self, batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
        batch.check_fits(self.len())?;
        for (addr, delta) in batch.iter() {
            self[addr as usize].accum(delta);
        }
        Ok(())
    }

    /// Accumulates a delta into every context: `deltas[addr]` into the context at `addr`.
    ///
    /// Takes one RMW for each delta that is not the identity, and skips the others eight at a time. Other threads can
    /// see a part of the deltas. Progress and ordering are those of [`Context::accum`](crate::Context::accum), address
    /// by address. With exclusive access, [`accum_dense_mut`](Self::accum_dense_mut) is faster.
    ///
    /// # Panics
    ///
    /// If `deltas` is not as long as the table.
    ///
    /// ```
    /// use atomik_core::{Add, Table};
    ///
    /// let table = Table::<Add>::from_iter([1, 2, 3]);
    /// table.accum_dense(&[10, 0, 30]);
    /// assert!(table.iter().map(|context| context.read()).eq([11, 2, 33]));
    /// ```
    #[track_caller]
    pub fn accum_dense(&self, deltas: &[u64]) {
        self.check_len(deltas.len());
        for (contexts, deltas) in self.chunks(8).zip(deltas.chunks(8)) {
            // The identity is 0 in both algebras.
            if deltas.iter().fold(0, |any, delta| any | delta) == 0 {
                continue;
            }
            for (context, &delta) in contexts.iter().zip(deltas) {
                if delta != A::IDENTITY {
                    context.accum(delta);
                }
            }
        }
    }

    /// A slice with a word for each context is as long as the table.
    #[track_caller]
    pub(super) fn check_len(&self, len: usize) {
        assert!(len == self.len(), "{len} words for a table of {}", self.len());
    }
}

/// Operations with exclusive access. They use no atomic instructions and run on the [`kernel`]s.
#[cfg(not(atomik_loom))]
impl<A: Algebra> Table<A> {
    /// Accumulates each delta of a batch into the context at its address: [`kernel::apply`].
    ///
    /// # Errors
    ///
    /// [`AddressOutOfRange`] if the batch has an address past the end of the table. Nothing is accumulated then.
    pub fn accum_batch_mut(&mut self, batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
        kernel::apply(self.as_mut_words(), batch)
    }

    /// Accumulates a delta into every context, at the speed of the memory: `deltas[addr]` into the context at `addr`.
    /// See [`kernel::accum`].
    ///
    /// # Panics
    ///
    /// If `deltas` is not as long as the table.
    #[track_caller]
    pub fn accum_dense_mut(&mut self, deltas: &[u64]) {
        self.check_len(deltas.len());
        kernel::accum::<A>(self.as_mut_words(), deltas);
    }

    /// Accumulates 16-byte messages as they came from a socket or file, all of them or none: [`kernel::apply_wire`].
    ///
    /// # Errors
    ///
    /// [`ApplyWireError`](kernel::ApplyWireError) if the bytes are not a whole number of messages, or if the address of
    /// one is past the end of the table. Nothing is accumulated then.
    pub fn apply_wire(&mut self, bytes: &[u8]) -> Result<(), kernel::ApplyWireError> {
        kernel::apply_wire::<A>(self.as_mut_words(), bytes)
    }

    /// Fills `batch` with the changes from `reference` to the states: [`kernel::diff`].
    ///
    /// For a table that other threads use, and to compare with one reference after another, there is
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
        self.check_len(reference.len());
        kernel::diff(reference, self.as_mut_words(), batch);
    }

    /// The value of a [`Fingerprint`](crate::Fingerprint) with the fixed seed, over the states as little-endian words.
    ///
    /// Tables on different machines can be compared by it: equal states give equal values everywhere. Takes O(n).
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
        let mut fingerprint = crate::Fingerprint::new();
        let (chunks, rest) = words.as_chunks::<64>();
        chunks.iter().for_each(|words| fingerprint.write(words.map(u64::to_le_bytes).as_flattened()));
        rest.iter().for_each(|word| fingerprint.write(&word.to_le_bytes()));
        fingerprint.finish()
    }
}

/// The same on rayon's threads, for tables larger than the caches.
#[cfg(all(feature = "rayon", not(atomik_loom)))]
impl<A: Algebra> Table<A> {
    /// [`accum_batch_mut`](Self::accum_batch_mut) on rayon's threads: [`kernel::par::apply`].
    ///
    /// # Errors
    ///
    /// Those of [`accum_batch_mut`](Self::accum_batch_mut).
    pub fn par_accum_batch_mut(&mut self, batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
        kernel::par::apply(self.as_mut_words(), batch)
    }

    /// [`accum_dense_mut`](Self::accum_dense_mut) on rayon's threads: [`kernel::par::accum`].
    ///
    /// # Panics
    ///
    /// If `deltas` is not as long as the table.
    #[track_caller]
    pub fn par_accum_dense_mut(&mut self, deltas: &[u64]) {
        self.check_len(deltas.len());
        kernel::par::accum::<A>(self.as_mut_words(), deltas);
    }

    /// [`apply_wire`](Self::apply_wire) on rayon's threads: [`kernel::par::apply_wire`].
    ///
    /// # Errors
    ///
    /// Those of [`apply_wire`](Self::apply_wire).
    pub fn par_apply_wire(&mut self, bytes: &[u8]) -> Result<(), kernel::ApplyWireError> {
        kernel::par::apply_wire::<A>(self.as_mut_words(), bytes)
    }

    /// [`diff`](Self::diff) on rayon's threads: [`kernel::par::diff`].
    ///
    /// # Panics
    ///
    /// If `reference` is not as long as the table.
    #[track_caller]
    pub fn par_diff(&mut self, reference: &[u64], batch: &mut DeltaBatch<A>) {
        self.check_len(reference.len());
        kernel::par::diff(reference, self.as_mut_words(), batch);
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
        dense.accum_dense_mut(&deltas);
        prop_assert_eq!(states(&dense), expected.clone());

        let shared = new();
        shared.accum_dense(&deltas);
        prop_assert_eq!(states(&shared), expected.clone());

        let mut batch = DeltaBatch::new();
        dense.diff(&before, &mut batch);
        let mut sparse = new();
        sparse.accum_batch_mut(&batch).unwrap();
        prop_assert_eq!(states(&sparse), expected.clone());
        let sparse_shared = new();
        sparse_shared.accum_batch(&batch).unwrap();
        prop_assert_eq!(states(&sparse_shared), expected.clone());

        let mut wired = new();
        wired.apply_wire(&batch.to_wire(0)).unwrap();
        prop_assert_eq!(states(&wired), expected);
        prop_assert_eq!(wired.digest(), dense.digest());

        #[cfg(feature = "rayon")]
        {
            let mut parallel = new();
            parallel.par_accum_dense_mut(&deltas);
            prop_assert_eq!(states(&parallel), states(&dense));
            let mut again = DeltaBatch::new();
            parallel.par_diff(&before, &mut again);
            prop_assert_eq!(&again, &batch);
            let (mut applied, mut wired) = (new(), new());
            applied.par_accum_batch_mut(&batch).unwrap();
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
    fn deltas_that_are_equal_in_pairs_are_not_skipped() {
        let table = Table::<Add>::from_iter([1, 2, 3]);
        table.accum_dense(&[5, 5, 0]);
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
    fn a_batch_past_the_end_changes_nothing() {
        let mut table = Table::<Xor>::new(4);
        let batch: DeltaBatch = [(0, 1), (4, 1)].into_iter().collect();
        let error = Err(AddressOutOfRange { addr: 4, len: 4 });
        assert_eq!(table.accum_batch(&batch), error);
        assert_eq!(table.accum_batch_mut(&batch), error);
        #[cfg(feature = "rayon")]
        assert_eq!(table.par_accum_batch_mut(&batch), error);
        assert_eq!(states(&table), [0; 4]);
    }

    /// Each call panics on a slice of another length, with this message and at the line of the caller.
    #[test]
    #[cfg(feature = "std")]
    fn slices_of_another_length_panic_where_they_are_given() {
        use std::panic;
        use std::string::String;
        use std::sync::Mutex;

        static SEEN: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());
        let other = |call: fn(&mut Table<Add>)| {
            panic::catch_unwind(|| call(&mut Table::new(2))).unwrap_err();
        };
        let before = panic::take_hook();
        panic::set_hook(alloc::boxed::Box::new(|info| {
            let message = info.payload().downcast_ref::<String>().cloned().unwrap_or_default();
            let location = info.location().unwrap();
            if location.file() == file!() {
                SEEN.lock().unwrap().push((message, location.line()));
            }
        }));
        let first = line!() + 1;
        other(|table| table.accum_dense(&[0; 3]));
        other(|table| table.accum_dense_mut(&[0; 3]));
        other(|table| table.diff(&[0; 3], &mut DeltaBatch::new()));
        other(|table| table.snapshot(&mut [0; 3]));
        #[cfg(feature = "rayon")]
        other(|table| table.par_accum_dense_mut(&[0; 3]));
        #[cfg(feature = "rayon")]
        other(|table| table.par_diff(&[0; 3], &mut DeltaBatch::new()));
        panic::set_hook(before);

        let seen = SEEN.lock().unwrap();
        assert!(seen.iter().all(|(message, _)| message == "3 words for a table of 2"), "{seen:?}");
        let lines = [0, 1, 2, 3, 5, 7].map(|line| first + line);
        let calls = if cfg!(feature = "rayon") { 6 } else { 4 };
        assert!(seen.iter().map(|&(_, line)| line).eq(lines.into_iter().take(calls)), "{seen:?}");
    }
}
