//! What models may ask for beside loom's atomics.

use core::cell::Cell;
use core::ops::Deref;

use super::Ordering;
use loom::sync::atomic;

std::thread_local! {
    /// loom runs all threads of a model on the thread of its test.
    static STORES_ARE_SWAPS: Cell<bool> = const { Cell::new(false) };
}

/// Runs a model in which each store of a state word is a swap whose result nobody uses: loom 0.7.2 lets a store slip
/// between the two halves of an RMW, but no other RMW. A swap can have every place in the modification order that
/// the store can have. What it adds is that it continues the release sequence which a store cuts, so that a model
/// under this says nothing of the past.
pub fn stores_are_swaps<T>(model: impl FnOnce() -> T) -> T {
    /// Sets it back, after a panic too.
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            STORES_ARE_SWAPS.set(self.0);
        }
    }
    let _until = Until(STORES_ARE_SWAPS.replace(true));
    model()
}

/// A state word.
#[derive(Debug, Default)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(atomic::AtomicU64::new(value))
    }

    pub(crate) fn into_inner(self) -> u64 {
        self.0.into_inner()
    }

    #[track_caller]
    pub(crate) fn store(&self, value: u64, ordering: Ordering) {
        if STORES_ARE_SWAPS.get() {
            let _ = self.0.swap(value, ordering);
        } else {
            self.0.store(value, ordering);
        }
    }
}

impl Deref for AtomicU64 {
    type Target = atomic::AtomicU64;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
