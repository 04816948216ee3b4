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
mod tests;
