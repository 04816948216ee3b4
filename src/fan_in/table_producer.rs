//! The owner of one plane.

use core::fmt;

use super::plane::Plane;
use super::table_fan_in::{TableFanIn, past_the_end};
use crate::algebra::Algebra;
use crate::slots::lease::{FanInRef, Lease};

/// A writer of a [`TableFanIn`] with a plane of its own.
///
/// It works as a [`Producer`](crate::Producer) does. It is the only writer of its plane, and it may be moved to another
/// thread. When it is dropped, its plane goes back with the totals in it.
pub struct TableProducer<'a, A: Algebra> {
    /// As long as `lease` is there, and not for `'a`.
    plane: Plane<'a, A>,
    pub(super) lease: Lease<'a, TableFanIn<A>>,
}

impl<'a, A: Algebra> TableProducer<'a, A> {
    // Inlined, so that the compiler can keep a producer that is used in a loop in registers, as it does a `Producer`.
    #[inline]
    #[track_caller]
    pub(super) fn claim(fan_in: FanInRef<'a, TableFanIn<A>>) -> Self {
        let (index, _) = fan_in.producers.claim();
        // From here on the slot is returned, even if there is no memory for the plane.
        let lease = Lease::new(fan_in, index);
        // SAFETY: planes are freed or moved only when their fan-in is dropped, and `lease` keeps the fan-in alive.
        let plane = unsafe { lease.producer_plane(index).outlive() };
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
        if !self.plane.accum_alone(addr, delta) {
            past_the_end(addr, self.lease.len);
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
