//! The identity of a series, and when it last changed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What a recorder knows about a series besides its value: which one it is, and when it last changed.
#[derive(Debug)]
pub(crate) struct Activity {
    /// A number that no other series of the process has, not even one that is registered again after it was dropped.
    pub(crate) id: u64,
    /// Whether the series was changed since the last look. Gauges need it, because they can be set to the value that they
    /// already have.
    touched: AtomicBool,
    /// The state that `look` was last given.
    state: AtomicU64,
    /// When `look` was first given this state, in nanoseconds of the recorder's time.
    since: AtomicU64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Activity {
    /// The activity of a series that is registered at `now`, with the state 0.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            // Relaxed: the ids only have to be distinct.
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            touched: AtomicBool::new(false),
            state: AtomicU64::new(0),
            since: AtomicU64::new(nanoseconds(now)),
        }
    }

    /// Records a change that the state may not show.
    #[inline]
    pub(crate) fn touch(&self) {
        // Relaxed: a look that just misses the change sees it the next time.
        self.touched.store(true, Ordering::Relaxed);
    }

    /// Returns how long the series has been unchanged. Calls are made one at a time, under the lock of a sweep.
    pub(crate) fn look(&self, state: u64, now: Duration) -> Duration {
        // Relaxed: only `touch` runs beside this, and it publishes nothing. The lock orders the other accesses.
        let is_touched = self.touched.swap(false, Ordering::Relaxed);
        let is_changed = self.state.swap(state, Ordering::Relaxed) != state;
        if is_touched || is_changed {
            self.since.store(nanoseconds(now), Ordering::Relaxed);
        }
        now.saturating_sub(Duration::from_nanos(self.since.load(Ordering::Relaxed)))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
