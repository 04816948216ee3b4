//! Delta-state algebra: many writers, no locks, one state.
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("atomik-core needs 64-bit atomics, which this target does not have");

extern crate alloc;

mod algebra;
mod context;
mod delta;
mod epoch;
mod fan_in;
mod fingerprint;
mod rollback;
mod sync;
mod table;

pub use algebra::{Add, Algebra, Xor};
pub use context::{AtomikContext, Context, Counter, State};
pub use delta::{AddressOutOfRange, DeltaBatch, DeltaMessage, WireError};
pub use epoch::{Checkpoint, Epoch};
pub use fan_in::{FanIn, Producer, TableFanIn, TableProducer};
pub use fingerprint::{Fingerprint, FoldFingerprint, IndexOutOfRange};
pub use rollback::{Rollback, RollbackError};
pub use table::{AtomikTable, Table, TableEpoch, TableState};
