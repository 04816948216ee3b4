//! Delta-state algebra: many writers, no locks, one state.
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("atomik-core needs 64-bit atomics, which this target does not have");

extern crate alloc;

mod algebra;
mod delta;

pub use algebra::{Add, Algebra, Xor};
pub use delta::{DeltaBatch, DeltaMessage, WireError};
