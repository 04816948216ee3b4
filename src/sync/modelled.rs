//! What models control beside loom's atomics. Loom runs all threads of a model on the thread of its test, so
//! thread-locals of `std` hold what all of them share.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::ops::Deref;
use std::rc::Rc;

use super::Ordering;
use loom::sync::atomic;

std::thread_local! {
    static STORES_ARE_SWAPS: Cell<bool> = const { Cell::new(false) };
    static ALLOCATOR: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Runs a model in which each store to a state word is a swap whose result is not used.
///
/// Loom 0.7.2 lets a store slip between the two halves of an RMW, but not another RMW. A swap can take every place in
/// the modification order that the store can take. It adds one thing: it continues the release sequence that a store
/// ends. So a model that runs under this function shows nothing about what happened before.
pub fn stores_are_swaps<T>(model: impl FnOnce() -> T) -> T {
    /// Restores the former setting, after a panic too.
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            STORES_ARE_SWAPS.set(self.0);
        }
    }
    let _until = Until(STORES_ARE_SWAPS.replace(true));
    model()
}

/// As long as it lives, `allocate` is called before each allocation that the library makes in an ACCUM: on the thread
/// that allocates, as a global allocator is.
#[must_use]
pub struct Allocator(());

impl Allocator {
    /// Takes the place of the global allocator.
    pub fn install(allocate: impl Fn() + 'static) -> Self {
        let replaced = ALLOCATOR.replace(Some(Rc::new(allocate)));
        assert!(replaced.is_none(), "a model has one allocator");
        Self(())
    }
}

impl Drop for Allocator {
    fn drop(&mut self) {
        ALLOCATOR.take();
    }
}

impl fmt::Debug for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Allocator")
    }
}

/// A store to an atomic that other threads change by RMWs: a swap, for the reason that [`stores_are_swaps`] has. The
/// release sequence that it continues adds nothing where what was stored before, by whomever, happened before.
#[track_caller]
pub(crate) fn store_beside_rmws(atomic: &AtomicU64, value: u64, ordering: Ordering) {
    let _ = atomic.swap(value, ordering);
}

/// Called before each allocation that may happen in an ACCUM.
pub(crate) fn before_allocation() {
    // Cloned, because loom may switch to another thread while it runs.
    let allocator = ALLOCATOR.with_borrow(Option::clone);
    if let Some(allocate) = allocator {
        allocate();
    }
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
