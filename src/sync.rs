//! A facade over atomics: those of `core`, or those of loom under `cfg(atomik_loom)`. No other file names either.

#[cfg(atomik_loom)]
pub(crate) mod modelled;

#[cfg(not(atomik_loom))]
mod switch {
    use core::sync::atomic::Ordering;

    pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, fence};

    /// A store to an atomic that other threads change by RMWs. See `modelled`.
    #[inline(always)]
    pub(crate) fn store_beside_rmws(atomic: &AtomicU64, value: u64, ordering: Ordering) {
        atomic.store(value, ordering);
    }

    /// Called before each allocation that may happen in an ACCUM. Models put an allocator here that accumulates.
    #[inline(always)]
    pub(crate) fn before_allocation() {}
}

#[cfg(atomik_loom)]
mod switch {
    pub(crate) use super::modelled::{AtomicU64, before_allocation, store_beside_rmws};
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, fence};
}

pub(crate) use core::sync::atomic::Ordering;
pub(crate) use switch::*;

/// Declares a `const fn`. Under loom it is a plain `fn`, because loom's atomics have no const constructor.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis const fn $($rest:tt)*) => {
        #[cfg(not(atomik_loom))]
        $(#[$attribute])*
        $visibility const fn $($rest)*

        #[cfg(atomik_loom)]
        $(#[$attribute])*
        $visibility fn $($rest)*
    };
}
pub(crate) use const_fn;
