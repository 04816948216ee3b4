//! The owner of one slot.

use core::fmt;
use core::ptr::NonNull;

use super::FanIn;
use crate::algebra::{Algebra, DisplayWord};
use crate::context::Context;
use crate::slots::lease::{FanInRef, Lease};

/// A writer of a [`FanIn`] with a slot of its own: the fastest way to accumulate.
///
/// A producer is the only writer of its slot. So [`accum`](Self::accum) keeps the slot's value in the handle and stores
/// it: there is no RMW and no line that writers share. A producer may be moved to another thread. When it is dropped,
/// its slot goes back with the value in it, and the next producer continues from that value. When it is forgotten
/// ([`core::mem::forget`]), its deltas still count, but its slot stays claimed.
///
/// Made by [`FanIn::producer`] for as long as a borrow lasts, or by [`FanIn::producer_owned`] for `'static`.
pub struct Producer<'a, A: Algebra> {
    /// The value that the slot holds.
    value: u64,
    slot: NonNull<Context<A>>,
    pub(super) lease: Lease<'a, FanIn<A>>,
}

// SAFETY: the slot is a `Context`, which any thread may use. `lease` keeps it alive, and may be sent itself.
unsafe impl<A: Algebra> Send for Producer<'_, A> {}
// SAFETY: as above. A shared reference to a producer can only be used to format it.
unsafe impl<A: Algebra> Sync for Producer<'_, A> {}

impl<'a, A: Algebra> Producer<'a, A> {
    // Inlined, and the function that it calls returns in registers, for the same reason as `Lease::drop`.
    #[inline]
    pub(super) fn claim(fan_in: FanInRef<'a, FanIn<A>>) -> Self {
        let (index, slot) = fan_in.producers.claim();
        // Nobody else writes to the slot from now on, so its value is known.
        let (value, slot) = (slot.read(), NonNull::from(&**slot));
        Self { value, slot, lease: Lease::new(fan_in, index) }
    }

    /// ACCUM: the fan-in's state becomes state ∘ `delta`. One store, Release, and no RMW. Wait-free where a 64-bit store
    /// is one instruction.
    ///
    /// A reader of a state that includes this delta sees what this thread did before the call.
    #[inline]
    pub fn accum(&mut self, delta: u64) {
        self.value = A::compose(self.value, delta);
        // SAFETY: slots are freed or moved only when their fan-in is dropped, and `lease` keeps the fan-in alive.
        let slot = unsafe { self.slot.as_ref() };
        // Release: pairs with the Acquire in `FanIn::read`.
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
