//! A facade over atomics: `core`'s, or loom's under `cfg(atomik_loom)`. Nothing else in the crate names either.

#[cfg(atomik_loom)]
pub(crate) mod modelled;

#[cfg(not(atomik_loom))]
mod switch {
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, fence};
}

#[cfg(atomik_loom)]
mod switch {
    pub(crate) use super::modelled::AtomicU64;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, fence};
}

pub(crate) use core::sync::atomic::Ordering;
pub(crate) use switch::*;

/// Declares a `const fn`, which under loom is a plain `fn`: loom's atomics have no const constructor.
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
