//! Tables of contexts, and observers of whole tables.

mod bulk;
mod epoch;

pub(crate) use epoch::BLOCK;
pub use epoch::{TableEpoch, TableSource};

use alloc::boxed::Box;
use core::fmt;
use core::ops::Deref;

use crate::algebra::{Algebra, Xor};
use crate::context::Context;
use crate::delta::{AddressOutOfRange, DeltaBatch};
use crate::sync::{Ordering, fence};

/// Many [`Context`]s in one block of memory, 64-byte aligned: `table[addr]` is a context.
///
/// It derefs to `[Context<A>]`, so a slice's methods are there: `len`, `get(addr)` (the checked form of
/// indexing), `iter`. Each context keeps its own promises of progress and ordering; nothing is atomic
/// across addresses. Takes 8 bytes a context and at most 64 more.
///
/// ```
/// use atomik_core::AtomikTable;
///
/// let table = AtomikTable::new(256);
/// std::thread::scope(|scope| {
///     scope.spawn(|| table[7].accum(0xCAFE));
///     scope.spawn(|| table[7].accum(0x00FF));
/// });
/// assert_eq!(table[7].read(), 0xCA01);
/// assert!(table.get(256).is_none());
/// ```
pub struct Table<A: Algebra> {
    /// A line's worth of contexts more than the table has, less one.
    contexts: Box<[Context<A>]>,
    /// The first aligned one.
    first: usize,
    len: usize,
}

/// A [`Table`] on [`Xor`].
pub type AtomikTable = Table<Xor>;

/// The alignment of a table in bytes: an x86-64 or AArch64 cache line, and the widest vector.
const ALIGN: usize = 64;

/// How many words a look at a block takes at once, without a branch between them. With half as many the compiler
/// unrolls all of it, which takes longer than memory does.
const CHUNK: usize = 64;

impl<A: Algebra> Table<A> {
    /// The greatest length of a table: addresses are 32 bits wide.
    pub const MAX_LEN: usize = (u32::MAX as usize).saturating_add(1);

    /// A table of `len` contexts, each in the identity state. The memory comes zeroed from the allocator, so
    /// that pages of it which nobody touches need not exist.
    ///
    /// # Panics
    ///
    /// If `len` is more than [`MAX_LEN`](Self::MAX_LEN), or if memory can't hold it (as `vec![0; len]`
    /// does).
    #[must_use]
    pub fn new(len: usize) -> Self {
        assert!(len <= Self::MAX_LEN, "a table of {len} contexts has more than 32-bit addresses reach");
        let contexts = Self::allocate(len.saturating_add(ALIGN / 8 - 1));
        let first = if cfg!(atomik_loom) { 0 } else { contexts.as_ptr().align_offset(ALIGN) };
        Self { contexts, first, len }
    }

    fn allocate(len: usize) -> Box<[Context<A>]> {
        #[cfg(not(atomik_loom))]
        let made = <[Context<A>] as zerocopy::FromZeros>::new_box_zeroed_with_elems(len).ok();
        #[cfg(atomik_loom)]
        let made = Some((0..len).map(|_| Context::default()).collect());
        made.unwrap_or_else(|| panic!("memory can't hold a table of {len} contexts"))
    }

    /// The states as plain words, for whoever has the table alone; the slice is 64-byte aligned.
    ///
    /// ```
    /// let mut table = atomik_core::AtomikTable::new(4);
    /// table.as_mut_words().copy_from_slice(&[1, 2, 3, 4]);
    /// assert_eq!(table[2].read(), 3);
    /// ```
    #[cfg(not(atomik_loom))]
    #[must_use]
    pub fn as_mut_words(&mut self) -> &mut [u64] {
        use zerocopy::{FromBytes, IntoBytes};
        let contexts = &mut self.contexts[self.first..][..self.len];
        <[u64]>::mut_from_bytes(contexts.as_mut_bytes()).expect("a context is laid out as its word")
    }

    /// Accumulates each delta of a batch into its context, one RMW a delta. Others may read and accumulate
    /// meanwhile and can see a part of the batch. Progress and ordering are
    /// [`Context::accum`]'s, word by word.
    ///
    /// # Errors
    ///
    /// [`AddressOutOfRange`] if the batch has an address past the table's end; then nothing was accumulated.
    pub fn accum_batch(&self, batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
        batch.check_fits(self.len)?;
        for (addr, delta) in batch.iter() {
            self[addr as usize].accum(delta);
        }
        Ok(())
    }

    /// Copies all states to `out`. Wait-free, Acquire: whoever's delta is in a state copied, what it did
    /// before is seen. The states are not of one instant; an address's own is as [`Context::read`] would
    /// give it.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len, "a snapshot is as long as its table");
        self.copy_block(0, out);
    }

    /// Copies the states from address `start` on, as many as `out` takes.
    pub(crate) fn copy_block(&self, start: usize, out: &mut [u64]) {
        let contexts = &self[start..][..out.len()];
        for (word, context) in out.iter_mut().zip(contexts) {
            *word = context.read_relaxed();
        }
        // Acquire: pairs with the Release in `Context`'s `load`, `accum` and `swap`, for all loads above.
        fence(Ordering::Acquire);
    }

    /// Whether the states from address `start` on are these, each when it is read. No delta is found, so no
    /// writer's past need be seen: there is no fence.
    pub(crate) fn is_block(&self, start: usize, states: &[u64]) -> bool {
        let contexts = &self[start..][..states.len()];
        let (chunks, tail) = contexts.as_chunks::<CHUNK>();
        let (chunks_of_states, tail_of_states) = states.as_chunks::<CHUNK>();
        let is_chunk = |(contexts, states): (&[Context<A>; CHUNK], &[u64; CHUNK])| {
            let words = contexts.iter().zip(states);
            words.fold(0, |differences, (context, state)| differences | (context.read_relaxed() ^ state)) == 0
        };
        let is_word = |(context, &state): (&Context<A>, &u64)| context.read_relaxed() == state;
        chunks.iter().zip(chunks_of_states).all(is_chunk) && tail.iter().zip(tail_of_states).all(is_word)
    }

    /// Composes the states from address `start` on with what is in `out`.
    pub(crate) fn compose_block(&self, start: usize, out: &mut [u64]) {
        let contexts = &self[start..][..out.len()];
        for (word, context) in out.iter_mut().zip(contexts) {
            *word = A::compose(*word, context.read_relaxed());
        }
        // Acquire: pairs with the Release in `Context`'s `load`, `accum` and `swap`, for all loads above.
        fence(Ordering::Acquire);
    }
}

impl<A: Algebra> Deref for Table<A> {
    type Target = [Context<A>];

    #[inline]
    fn deref(&self) -> &[Context<A>] {
        &self.contexts[self.first..][..self.len]
    }
}

impl<'a, A: Algebra> IntoIterator for &'a Table<A> {
    type Item = &'a Context<A>;
    type IntoIter = core::slice::Iter<'a, Context<A>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<A: Algebra> FromIterator<u64> for Table<A> {
    /// A table with these states.
    fn from_iter<I: IntoIterator<Item = u64>>(states: I) -> Self {
        let states: alloc::vec::Vec<u64> = states.into_iter().collect();
        let table = Self::new(states.len());
        for (context, state) in table.iter().zip(states) {
            context.load(state);
        }
        table
    }
}

impl<A: Algebra> fmt::Debug for Table<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::Add;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_table_is_aligned_and_of_its_length() {
        for len in [0, 1, 7, 8, 9, 1000, 100_000] {
            let table = AtomikTable::new(len);
            assert_eq!(table.len(), len);
            assert_eq!(table.as_ptr().align_offset(ALIGN), 0);
            assert!(table.iter().all(|context| context.read() == 0));
            assert!(size_of_val(&*table.contexts) <= 8 * len + ALIGN);
        }
    }

    #[test]
    fn words_are_the_states() {
        let mut table = Table::<Add>::from_iter([1, 2, 3]);
        table.as_mut_words()[1] += 40;
        assert!(table.iter().map(Context::read).eq([1, 42, 3]));
        assert_eq!(table.as_mut_words().as_ptr().align_offset(ALIGN), 0);
    }

    #[test]
    fn a_batch_past_the_end_changes_nothing() {
        let table = AtomikTable::new(4);
        let batch: DeltaBatch = [(0, 1), (4, 1)].into_iter().collect();
        assert_eq!(table.accum_batch(&batch), Err(AddressOutOfRange { addr: 4, len: 4 }));
        assert!(table.iter().all(|context| context.read() == 0));
    }

    #[test]
    #[should_panic(expected = "32-bit addresses")]
    #[cfg(target_pointer_width = "64")]
    fn a_table_beyond_its_addresses_panics() {
        let _ = AtomikTable::new(AtomikTable::MAX_LEN + 1);
    }

    proptest! {
        #[test]
        fn a_batch_is_its_deltas(changes in prop::collection::vec((0..50u32, any::<u64>()), 0..100)) {
            let table = Table::<Add>::new(50);
            table.accum_batch(&changes.iter().copied().collect()).unwrap();
            let mut expected = vec![0u64; 50];
            for (addr, delta) in changes {
                expected[addr as usize] = expected[addr as usize].wrapping_add(delta);
            }
            prop_assert_eq!(table.iter().map(Context::read).collect::<Vec<_>>(), expected.clone());
            let mut snapshot = vec![0; 50];
            table.snapshot(&mut snapshot);
            prop_assert_eq!(snapshot, expected);
        }
    }

    #[test]
    fn a_block_is_known_by_every_word() {
        let mut states: Vec<u64> = (1..=150).collect();
        let table = states.iter().copied().collect::<AtomikTable>();
        assert!(table.is_block(0, &states));
        assert!(table.is_block(7, &states[7..]));
        for at in [0, 63, 64, 127, 128, 149] {
            states[at] ^= 1 << 40;
            assert!(!table.is_block(0, &states), "word {at}");
            states[at] ^= 1 << 40;
        }
        // Two differences that would cancel by XOR.
        states[3] ^= 5;
        states[4] ^= 5;
        assert!(!table.is_block(0, &states));
    }

    #[test]
    fn a_reference_to_a_table_iterates_over_its_contexts() {
        let table = Table::<Add>::from_iter([1, 42]);
        let mut states = Vec::new();
        for context in &table {
            states.push(context.read());
        }
        assert_eq!(states, [1, 42]);
    }

    #[test]
    fn debug_shows_all_contexts() {
        assert_eq!(std::format!("{:?}", Table::<Add>::from_iter([1, 42])), "[Context(1), Context(42)]");
    }
}
