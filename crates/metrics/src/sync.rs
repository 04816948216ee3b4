//! A facade over atomics and mutexes: `std`'s, or loom's under `cfg(atomik_loom)`. Nothing else in the crate names either
//! for what the models cover.

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

/// Locks a mutex. What these mutexes protect is whole whenever code that may panic runs, so poisoning is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
