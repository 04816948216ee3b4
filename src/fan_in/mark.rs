//! The marks by which the observers of a table fan-in find what was touched.

use crate::sync::{AtomicU64, Ordering, store_beside_rmws};

/// What a writer leaves in a mark. No swap has this number.
const TOUCHED: u64 = u64::MAX;

/// Tells all observers whether a block of a plane was touched. It is 0 until then.
///
/// A writer sets the mark after each delta, without looking at it. An observer that finds it set puts the number of its
/// own swap there, which no other swap has. So a mark that holds what an observer saw there last was not set since: all
/// deltas that were marked before are in an epoch of this observer. Another observer's number tells it of deltas too.
///
/// A delta that an observer sees before its mark is in an epoch already when the mark is found, and the block is read in
/// vain. A mark is never found before its delta.
#[derive(Default)]
#[repr(transparent)]
pub(super) struct Mark(AtomicU64);

impl Mark {
    /// Sets the mark, after a delta by the only writer of the plane.
    #[inline]
    pub(super) fn touch(&self) {
        // Release: pairs with the fence(Acquire) in `TableFanIn::look`. The delta is seen with the mark.
        store_beside_rmws(&self.0, TOUCHED, Ordering::Release);
    }

    /// Sets the mark, after a delta to a plane with several writers.
    pub(super) fn touch_shared(&self) {
        // Release: as in `touch`. An RMW, so that the release sequences of the other writers go on.
        let _ = self.0.swap(TOUCHED, Ordering::Release);
    }

    /// 0 if the mark is as it was when the observer saw it last.
    #[inline]
    pub(super) fn differs(&self, seen: u64) -> u64 {
        // Relaxed: the caller's fence(Acquire) pairs with the Release in `touch` and `touch_shared`.
        self.0.load(Ordering::Relaxed) ^ seen
    }

    /// Whether the mark was set since the observer saw it last. `swap` is the number of the present swap.
    pub(super) fn look(&self, seen: &mut u64, swap: u64) -> bool {
        let differs = self.differs(*seen);
        *seen ^= differs;
        if *seen == TOUCHED {
            // Relaxed: as in `differs`. An RMW, so that the release sequence goes on to the other observers, and so that
            // no mark which is set meanwhile is lost unseen.
            let _ = self.0.swap(swap, Ordering::Relaxed);
            *seen = swap;
        }
        differs != 0
    }
}
