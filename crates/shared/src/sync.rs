//! A facade over atomics: those of `core`, or those of loom under `cfg(atomik_loom)`. What the models cover names no
//! other.

#[cfg(not(atomik_loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU64, fence};
#[cfg(atomik_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, fence};

pub(crate) use core::sync::atomic::Ordering;
