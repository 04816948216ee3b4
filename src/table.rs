//! Tables of contexts, and observers of whole tables.

mod bulk;
mod entry;
mod epoch;
mod source;
pub(crate) mod states;
mod touched;

pub use entry::TableEntry;
pub use epoch::TableEpoch;
pub use source::{TableRead, TableSource};
pub(crate) use touched::{BLOCK_WORDS, COPY_WORDS, RUN_BLOCKS, SMALL_WORDS, Touched};

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::ops::Deref;

use crate::algebra::{Algebra, Xor};
use crate::context::Context;

/// Many [`Context`]s in one block of memory, aligned to 64 bytes: `table[addr]` is a context.
///
/// A table derefs to `[Context<A>]`, so it has the methods of a slice: `len`, `get(addr)` (the checked form of
/// indexing), `iter`. Each context keeps its own guarantees of progress and ordering; nothing is atomic
/// across addresses. A table takes 8 bytes for each context and at most 64 more.
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
    /// More contexts than the table has, so that an aligned one is among the first of them.
    contexts: Box<[Context<A>]>,
    /// The index of the first aligned context.
    first: usize,
    len: usize,
}

/// A [`Table`] on [`Xor`].
pub type AtomikTable = Table<Xor>;

/// The alignment of a table in bytes: an x86-64 or AArch64 cache line, and the widest vector.
const ALIGN: usize = 64;

/// The contexts that a table has beyond its length.
const EXTRA: usize = ALIGN / 8 - 1;

impl<A: Algebra> Table<A> {
    /// The greatest length of a table: addresses are 32 bits wide.
    pub const MAX_LEN: usize = (u32::MAX as usize).saturating_add(1);

    /// Creates a table of `len` contexts, each in the identity state.
    ///
    /// The memory comes zeroed from the allocator, so the operating system need not provide a page of it until the
    /// page is first used.
    ///
    /// # Panics
    ///
    /// If `len` is more than [`MAX_LEN`](Self::MAX_LEN), or if there is no memory for the table. To get an error
    /// instead, use [`try_new`](Self::try_new).
    #[must_use]
    #[track_caller]
    pub fn new(len: usize) -> Self {
        match Self::try_new(len) {
            Ok(table) => table,
            Err(error) => panic!("{error}"),
        }
    }

    /// Creates a table as [`new`](Self::new) does, or returns an error if that is impossible.
    ///
    /// An operating system that overcommits memory may grant more than it has, and end the process when the pages
    /// are used. No allocation can detect that.
    ///
    /// # Errors
    ///
    /// - [`TableAllocError::TooLong`] if `len` is more than [`MAX_LEN`](Self::MAX_LEN).
    /// - [`TableAllocError::OutOfMemory`] if the allocator has no memory for the table.
    ///
    /// ```
    /// use atomik_core::{AtomikTable, TableAllocError};
    ///
    /// let table = AtomikTable::try_new(1 << 20)?;
    /// table[7].accum(0xCAFE);
    ///
    /// # #[cfg(target_pointer_width = "64")]
    /// # {
    /// let len = AtomikTable::MAX_LEN + 1;
    /// let error = AtomikTable::try_new(len).unwrap_err();
    /// assert_eq!(error, TableAllocError::TooLong { len });
    /// # }
    /// # Ok::<(), TableAllocError>(())
    /// ```
    pub fn try_new(len: usize) -> Result<Self, TableAllocError> {
        if len > Self::MAX_LEN {
            return Err(TableAllocError::TooLong { len });
        }
        let contexts =
            Self::allocate(len.saturating_add(EXTRA)).ok_or(TableAllocError::OutOfMemory { len })?;
        // The address decides, and not `align_offset`, which may decline to answer. Contexts are aligned to their own
        // size, so one of the first eight is aligned to 64 bytes.
        let past = contexts.as_ptr().addr() % ALIGN;
        let first = if cfg!(atomik_loom) { 0 } else { (ALIGN - past) % ALIGN / 8 };
        Ok(Self { contexts, first, len })
    }

    fn allocate(len: usize) -> Option<Box<[Context<A>]>> {
        #[cfg(not(atomik_loom))]
        return Context::zeroed(len);
        #[cfg(atomik_loom)]
        return Some((0..len).map(|_| Context::default()).collect());
    }

    /// The states as plain words, aligned to 64 bytes. The exclusive borrow makes atomic access unnecessary.
    ///
    /// ```
    /// let mut table = atomik_core::AtomikTable::new(4);
    /// table.as_mut_words().copy_from_slice(&[1, 2, 3, 4]);
    /// assert_eq!(table[2].read(), 3);
    /// ```
    #[cfg(not(atomik_loom))]
    #[must_use]
    pub fn as_mut_words(&mut self) -> &mut [u64] {
        Context::words_mut(&mut self.contexts[self.first..][..self.len])
    }

    /// Copies all states to `out`. Wait-free.
    ///
    /// Each state is read as [`Context::read`] would read it, with Acquire: what the writer of a delta did before, is
    /// visible after `snapshot` has copied a state with that delta. The states are not of one instant.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    #[track_caller]
    pub fn snapshot(&self, out: &mut [u64]) {
        self.check_len(out.len());
        states::copy(self, out);
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
    ///
    /// # Panics
    ///
    /// If there are more than [`Table::MAX_LEN`] states, or if there is no memory for them.
    #[track_caller]
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

/// Why a table could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableAllocError {
    /// The table would be longer than [`Table::MAX_LEN`].
    TooLong {
        /// The length asked for.
        len: usize,
    },
    /// There is no memory for the table.
    OutOfMemory {
        /// The length asked for.
        len: usize,
    },
}

impl fmt::Display for TableAllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => {
                write!(f, "a table of {len} contexts is longer than 32-bit addresses reach")
            }
            Self::OutOfMemory { len } => write!(f, "there is no memory for a table of {len} contexts"),
        }
    }
}

impl Error for TableAllocError {}

#[cfg(test)]
mod tests;
