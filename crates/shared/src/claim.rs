//! How a lane gets an owner.
//!
//! A lane is owned by whoever holds its lock, which the kernel drops when the owner's process ends, however it ends.
//! Nothing else decides: the descriptor says who the owner is, and is believed by people only.

use std::io;

use atomik_core::{Algebra, Context};

use crate::descriptor::{Descriptor, Owner};
use crate::sync::{AtomicBool, Ordering};

/// The kernel's locks of the lanes, as one open file description has them.
///
/// What they promise: of all descriptions of the file at most one holds the lock of a lane. It is free once its holder
/// has unlocked it, or once every process that has the description has ended. Everything that the holder did while it had
/// the lock happens before whatever the next holder does, if that is another description. A description that has a lock
/// already gets it again.
pub(crate) trait KernelLocks {
    /// Takes the lock of a lane if no other description has it.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    fn try_lock(&self, lane: usize) -> io::Result<bool>;

    /// Gives a lock back.
    fn unlock(&self, lane: usize);
}

/// The locks of the lanes as the threads of one handle share them.
#[derive(Debug)]
pub(crate) struct LaneLocks<K> {
    /// The lanes that a producer of this handle has, or that one of its threads is trying to lock. The kernel would give
    /// the handle a lock twice.
    held: Box<[AtomicBool]>,
    kernel: K,
}

impl<K: KernelLocks> LaneLocks<K> {
    pub(crate) fn new(lanes: usize, kernel: K) -> Self {
        Self { held: (0..lanes).map(|_| AtomicBool::new(false)).collect(), kernel }
    }

    pub(crate) fn kernel(&self) -> &K {
        &self.kernel
    }

    /// Whether a producer of this handle has the lane, or a thread of it is about to.
    #[cfg(not(atomik_loom))]
    pub(crate) fn is_held_here(&self, lane: usize) -> bool {
        // Relaxed: it pairs with nothing. The answer is about one instant, and leads to no access of the lane.
        self.held[lane].load(Ordering::Relaxed)
    }

    /// Claims the first lane that has no living owner and describes its new one. `None` if all have living owners. The
    /// lane's states are as its last owner left them. Lock-free, with a system call for each lane that is tried.
    pub(crate) fn claim<'a>(
        &self,
        descriptor: impl Fn(usize) -> &'a Descriptor,
        owner: &Owner,
    ) -> io::Result<Option<usize>> {
        for lane in 0..self.held.len() {
            if self.try_lock(lane)? {
                descriptor(lane).claim(owner);
                return Ok(Some(lane));
            }
        }
        Ok(None)
    }

    /// Returns a claimed lane, with its states as they are.
    pub(crate) fn give_back(&self, lane: usize, descriptor: &Descriptor) {
        descriptor.give_back();
        self.kernel.unlock(lane);
        // Release: pairs with the Acquire in `try_lock`. The kernel's lock is free before another thread asks for it.
        self.held[lane].store(false, Ordering::Release);
    }

    fn try_lock(&self, lane: usize) -> io::Result<bool> {
        // Acquire: pairs with the Release in `give_back`, so that the last owner's deltas are seen. The kernel's lock
        // does the same between handles.
        if self.held[lane].swap(true, Ordering::Acquire) {
            return Ok(false);
        }
        let locked = self.kernel.try_lock(lane);
        if !matches!(locked, Ok(true)) {
            // Relaxed: nothing was done with the lane.
            self.held[lane].store(false, Ordering::Relaxed);
        }
        locked
    }
}

/// ACCUM by the owner of a lane: a load and a store. Release.
#[inline]
pub(crate) fn accum_alone<A: Algebra>(context: &Context<A>, delta: u64) {
    // The last write was this owner's, or one that happened before it got the lock. So nothing comes between.
    context.load(A::compose(context.read(), delta));
}
