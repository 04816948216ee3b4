//! The owner of one lane.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomik_core::{Algebra, Context};

use crate::claim::accum_alone;
use crate::handle::Handle;
use crate::planes::past_the_end;

/// A writer of a [`SharedFanIn`](crate::SharedFanIn) with a lane of its own.
///
/// It is the only writer of its lane in all processes, and may be moved to another thread. When it is dropped it returns
/// the lane with the totals in it. If its process ends in any other way, the kernel drops its lock, and the next producer
/// takes the lane over. A producer that is forgotten keeps its lane for as long as its process has the fan-in open.
///
/// **Forks.** In a child of `fork` the producers of the parent refuse to work: `accum` panics. A child opens the file
/// itself.
pub struct SharedProducer<A: Algebra> {
    plane: NonNull<Context<A>>,
    /// The number of addresses, on a page that the kernel wipes in children of `fork`.
    len: NonNull<AtomicUsize>,
    lane: usize,
    handle: Arc<Handle<A>>,
}

// SAFETY: any thread may use the contexts of the plane and the length. `handle` keeps them mapped, and may be sent itself.
unsafe impl<A: Algebra> Send for SharedProducer<A> {}
// SAFETY: as above. A shared reference to a producer can only be used to look at its lane's number.
unsafe impl<A: Algebra> Sync for SharedProducer<A> {}

impl<A: Algebra> SharedProducer<A> {
    /// The producer of a lane that was claimed.
    pub(crate) fn new(handle: Arc<Handle<A>>, lane: usize) -> Self {
        let plane = NonNull::from(handle.planes.plane(lane)).cast();
        Self { plane, len: NonNull::from(handle.mark.len()), lane, handle }
    }

    /// ACCUM: the state at `addr` becomes state ∘ `delta`. A load and a store, Release. Wait-free.
    ///
    /// Once it has returned, the delta is in the file, whatever happens to the process.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end, or in a child of `fork` that inherited the producer.
    #[inline]
    #[track_caller]
    pub fn accum(&mut self, addr: usize, delta: u64) {
        // Relaxed: it changes only by a fork, in the child.
        // SAFETY: the page is mapped as long as `handle` lives.
        let len = unsafe { self.len.as_ref() }.load(Ordering::Relaxed);
        if addr >= len {
            self.refuse(addr);
        }
        // SAFETY: the address is in the plane, which is mapped as long as `handle` lives.
        let context = unsafe { self.plane.add(addr).as_ref() };
        accum_alone(context, delta);
    }

    /// The number of the lane.
    #[must_use]
    pub fn lane(&self) -> usize {
        self.lane
    }

    #[cold]
    #[track_caller]
    fn refuse(&self, addr: usize) -> ! {
        assert!(
            !self.handle.mark.is_forked(),
            "this producer belongs to the process from which this one was forked"
        );
        past_the_end(addr, self.handle.planes.len())
    }
}

impl<A: Algebra> Drop for SharedProducer<A> {
    fn drop(&mut self) {
        // In a child the lane is the parent's.
        if !self.handle.mark.is_forked() {
            self.handle.locks.give_back(self.lane, self.handle.descriptor(self.lane));
        }
    }
}

impl<A: Algebra> fmt::Debug for SharedProducer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedProducer")
            .field("lane", &self.lane)
            .field("len", &self.handle.planes.len())
            .finish_non_exhaustive()
    }
}
