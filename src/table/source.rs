//! What the observers and the undo stacks of tables work on.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{Table, states};
use crate::algebra::Algebra;
use crate::context::sealed::Sealed;

/// States at the addresses 0, 1, … that can be read and accumulated into through a shared reference: a [`Table`],
/// a [`TableFanIn`](crate::TableFanIn), or a reference, an `Arc` or a `Box` of one.
///
/// This trait is sealed. It exists so that [`TableEpoch`](crate::TableEpoch), [`TableEntry`](crate::TableEntry) and
/// [`TableRollback`](crate::TableRollback) work on each of them.
pub trait TableSource: Sealed {
    /// How deltas compose.
    type Algebra: Algebra;

    /// The number of addresses.
    fn table_len(&self) -> usize;

    /// READ: the present state at `addr`.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    fn read(&self, addr: usize) -> u64;

    /// ACCUM: the state at `addr` becomes state ∘ `delta`.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    fn accum(&self, addr: usize, delta: u64);

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
    fn are_states(&self, start: usize, states: &[u64]) -> bool;
}

impl<A: Algebra> Sealed for Table<A> {}

impl<A: Algebra> TableSource for Table<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self[addr].read()
    }

    #[inline]
    fn accum(&self, addr: usize, delta: u64) {
        self[addr].accum(delta);
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        states::copy(&self[start..][..out.len()], out);
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        states::are_equal(&self[start..][..states.len()], states)
    }
}

macro_rules! forward_table_source {
    ($($pointer:ty),*) => {$(
        impl<T: TableSource + ?Sized> TableSource for $pointer {
            type Algebra = T::Algebra;

            fn table_len(&self) -> usize {
                (**self).table_len()
            }

            #[inline]
            fn read(&self, addr: usize) -> u64 {
                (**self).read(addr)
            }

            #[inline]
            fn accum(&self, addr: usize, delta: u64) {
                (**self).accum(addr, delta);
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
forward_table_source!(&T, Box<T>, Arc<T>);
