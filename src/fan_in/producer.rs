//! The owner of one slot.

use core::fmt;
use core::ptr::NonNull;

use super::FanIn;
use crate::algebra::{Algebra, DisplayWord};
use crate::context::Context;
use crate::slots::lease::{FanInRef, Lease};

/// A writer of a [`FanIn`] with a slot of its own: the fastest way to accumulate.
///
/// It is its slot's only writer, so [`accum`](Self::accum) keeps the slot's value in the handle and stores
/// it: no RMW, no shared line. A producer may be moved to another thread. When it is dropped, its slot goes
/// back with the value in it, and the next producer goes on from there; when it is forgotten
/// ([`core::mem::forget`]), its deltas count all the same, but the slot stays claimed.
///
/// Made by [`FanIn::producer`] for as long as a borrow lasts, by [`FanIn::producer_owned`] for `'static`.
pub struct Producer<'a, A: Algebra> {
    /// What the slot holds.
    value: u64,
    slot: NonNull<Context<A>>,
    pub(super) lease: Lease<'a, FanIn<A>>,
}

// SAFETY: the slot is a `Context`, which any thread may use, and `lease` keeps it alive and may be sent
// itself.
unsafe impl<A: Algebra> Send for Producer<'_, A> {}
// SAFETY: as above; a shared producer can only be looked at.
unsafe impl<A: Algebra> Sync for Producer<'_, A> {}

impl<'a, A: Algebra> Producer<'a, A> {
    // Inlined, with what it calls returning in registers, for the same reason as `Lease::drop`.
    #[inline]
    pub(super) fn claim(fan_in: FanInRef<'a, FanIn<A>>) -> Self {
        let (index, slot) = fan_in.producers.claim();
        // The slot is this producer's alone, so it changes no more behind its back.
        let (value, slot) = (slot.read(), NonNull::from(&**slot));
        Self { value, slot, lease: Lease::new(fan_in, index) }
    }

    /// ACCUM: the fan-in's state becomes state ∘ `delta`. One store, Release, and no RMW: wait-free where a
    /// 64-bit store is an instruction.
    ///
    /// Whoever reads a state of the fan-in with this delta in it sees what this thread did before.
    #[inline]
    pub fn accum(&mut self, delta: u64) {
        self.value = A::compose(self.value, delta);
        // SAFETY: slots are freed or moved only when their fan-in is dropped, and `lease` keeps that alive.
        let slot = unsafe { self.slot.as_ref() };
        // Release, paired with the Acquire in `FanIn::read`.
        slot.load(self.value);
    }
}

impl<A: Algebra> fmt::Debug for Producer<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("slot", &self.lease.index)
            .field("value", &DisplayWord::<A>::new(self.value))
            .finish()
    }
}
