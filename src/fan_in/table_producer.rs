//! The owner of one plane.

use core::fmt;
use core::ptr::NonNull;

use super::table_fan_in::{TableFanIn, past_the_end};
use crate::algebra::Algebra;
use crate::context::Context;
use crate::slots::lease::{FanInRef, Lease};

/// A writer of a [`TableFanIn`] with a plane of its own.
///
/// It works as a [`Producer`](crate::Producer) does. It is the only writer of its plane, and it may be moved to another
/// thread. When it is dropped, its plane goes back with the totals in it.
pub struct TableProducer<'a, A: Algebra> {
    plane: NonNull<[Context<A>]>,
    pub(super) lease: Lease<'a, TableFanIn<A>>,
}

// SAFETY: any thread may use the contexts of the plane. `lease` keeps them alive, and may be sent itself.
unsafe impl<A: Algebra> Send for TableProducer<'_, A> {}
// SAFETY: as above. A shared reference to a producer can only be used to format it.
unsafe impl<A: Algebra> Sync for TableProducer<'_, A> {}

impl<'a, A: Algebra> TableProducer<'a, A> {
    #[track_caller]
    pub(super) fn claim(fan_in: FanInRef<'a, TableFanIn<A>>) -> Self {
        let (index, _) = fan_in.producers.claim();
        // From here on the slot is returned, even if there is no memory for the plane.
        let lease = Lease::new(fan_in, index);
        let plane = match lease.producers.slot(index).get_or_try_make(lease.len) {
            Ok(plane) => NonNull::from(plane),
            Err(error) => panic!("{error}"),
        };
        Self { plane, lease }
    }

    /// ACCUM: the state at `addr` becomes state ∘ `delta`. A load and a store, Release. Wait-free where a
    /// 64-bit store is one instruction.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[inline]
    #[track_caller]
    pub fn accum(&mut self, addr: usize, delta: u64) {
        // SAFETY: planes are freed or moved only when their fan-in is dropped, and `lease` keeps the fan-in alive.
        let plane = unsafe { self.plane.as_ref() };
        match plane.get(addr) {
            Some(context) => context.accum_alone(delta),
            None => past_the_end(addr, plane.len()),
        }
    }
}

impl<A: Algebra> fmt::Debug for TableProducer<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableProducer")
            .field("plane", &self.lease.index)
            .field("len", &self.lease.len)
            .finish()
    }
}
