//! What the observers and the undo stacks of tables work on.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{Table, Touched, states};
use crate::algebra::Algebra;
use crate::context::Context;

/// States at the addresses 0, 1, … that can be read through a shared reference: a [`Table`], a
/// [`TableFanIn`](crate::TableFanIn), a slice of [`Context`]s, or a reference, an `Arc` or a `Box` of one.
///
/// [`TableEpoch`](crate::TableEpoch) works on each of them. Other crates may implement it. For every delta to be in
/// exactly one epoch, the reads of one address by one thread must only move forward, as those of an atomic word do.
pub trait TableRead {
    /// How deltas compose.
    type Algebra: Algebra;

    /// The number of addresses, which never changes.
    fn table_len(&self) -> usize;

    /// READ: the present state at `addr`. Acquire.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    fn read(&self, addr: usize) -> u64;

    /// Copies the states from address `start` on into `out`, which it fills. Acquire for each state copied.
    ///
    /// # Panics
    ///
    /// If the source ends before `out` is full.
    fn copy_states(&self, start: usize, out: &mut [u64]);

    /// A cheap comparison, which may give up: `true` only if each state from address `start` on equalled the
    /// one in `states` when it was read. Where a comparison would cost as much as a copy, the source does not
    /// compare and returns `false`. Relaxed.
    ///
    /// # Panics
    ///
    /// May panic if the source ends before `states`.
    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        let _ = (start, states);
        false
    }

    /// Adds the blocks that may have been touched since the last call for this observer. Reads after the call see the
    /// deltas that were found. A source that does not know what was touched adds all blocks.
    #[doc(hidden)]
    fn look(&self, touched: &mut Touched) {
        touched.insert_all();
    }
}

/// A table that can also be accumulated into through a shared reference. [`TableEntry`](crate::TableEntry) and
/// [`TableRollback`](crate::TableRollback) work on each of them.
pub trait TableSource: TableRead {
    /// ACCUM: the state at `addr` becomes state ∘ `delta`. Release.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    fn accum(&self, addr: usize, delta: u64);
}

impl<A: Algebra> TableRead for [Context<A>] {
    type Algebra = A;

    #[inline]
    fn table_len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self[addr].read()
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        states::copy(&self[start..][..out.len()], out);
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        states::are_equal(&self[start..][..states.len()], states)
    }
}

impl<A: Algebra> TableSource for [Context<A>] {
    #[inline]
    fn accum(&self, addr: usize, delta: u64) {
        self[addr].accum(delta);
    }
}

/// What leads to a table is one too.
macro_rules! forward_table_source {
    ($([$($parameter:tt)*] $pointer:ty => $table:ty),* $(,)?) => {$(
        impl<$($parameter)*> TableRead for $pointer
        where
            $table: TableRead,
        {
            type Algebra = <$table as TableRead>::Algebra;

            #[inline]
            fn table_len(&self) -> usize {
                <$table as TableRead>::table_len(self)
            }

            #[inline]
            fn read(&self, addr: usize) -> u64 {
                <$table as TableRead>::read(self, addr)
            }

            fn copy_states(&self, start: usize, out: &mut [u64]) {
                <$table as TableRead>::copy_states(self, start, out);
            }

            fn are_states(&self, start: usize, states: &[u64]) -> bool {
                <$table as TableRead>::are_states(self, start, states)
            }

            fn look(&self, touched: &mut Touched) {
                <$table as TableRead>::look(self, touched);
            }
        }

        impl<$($parameter)*> TableSource for $pointer
        where
            $table: TableSource,
        {
            #[inline]
            fn accum(&self, addr: usize, delta: u64) {
                <$table as TableSource>::accum(self, addr, delta);
            }
        }
    )*};
}
forward_table_source!(
    [A: Algebra] Table<A> => [Context<A>],
    [T: ?Sized] &T => T,
    [T: ?Sized] Box<T> => T,
    [T: ?Sized] Arc<T> => T,
);
