//! The atomics and mutexes of `std`, or those of loom under `cfg(atomik_loom)`. Everything that the models cover takes
//! them from here.

#[cfg(not(atomik_loom))]
mod switch {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU64};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

#[cfg(atomik_loom)]
mod switch {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU64};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;
pub(crate) use switch::*;

/// Locks a mutex. The data behind these mutexes are consistent whenever code that may panic runs, so poisoning is
/// ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
