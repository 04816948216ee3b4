//! Delta-state algebra: many writers, no locks, one state.
//!
//! A state is changed by *deltas* that compose in any order, because they come from an Abelian group: [`Xor`],
//! or wrapping [`Add`]ition. So nobody has to take turns: threads accumulate at the same time, and whoever
//! reads gets what all deltas compose to.
//!
//! # Trade-offs
//!
//! Know these before the rest; each says what to use instead.
//!
//! - **XOR cannot see duplicates, order updates or sum counts.** A delta applied twice is gone. Count with
//!   [`Add`]; set a value that others also set with [`Context::swap`] or [`Context::load`], not by a delta.
//! - **A [`FanIn`] read is not one instant.** It has every delta that happened before it; of those made
//!   meanwhile it may have a later one and miss an earlier. Where one instant matters, use a [`Context`].
//! - **[`Fingerprint`] is no MAC.** Who knows the seed can make two buffers of one value. Against people use a
//!   keyed cryptographic hash.
//! - A fan-in costs 128 to 256 bytes a writer, and a [`TableFanIn`] a whole table a writer.
//!
//! # What is here
//!
//! | for | use |
//! |---|---|
//! | one state that some threads change now and then | [`Context`]: [`AtomikContext`], [`Counter`] |
//! | one state that many threads change all the time | [`FanIn`] and its [`Producer`]s |
//! | many states by address | [`Table`]; where writers collide, [`TableFanIn`] |
//! | what changed since I last looked | [`Epoch`], [`TableEpoch`] |
//! | undo and redo | [`Rollback`] |
//! | whole slices of words | [`kernel`] |
//! | nodes that converge over a network | the crate `atomik-replica`; over one that loses nothing, [`DeltaStream`] |
//! | has this buffer changed? | [`Fingerprint`] |
//! | a delta as 16 bytes | [`DeltaMessage`]; many as a batch, [`DeltaBatch`] |
//!
//! ```
//! use atomik_core::{Add, FanIn};
//!
//! static REQUESTS: FanIn<Add> = FanIn::new(0);
//!
//! let mut epoch = REQUESTS.epoch();
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             let mut requests = REQUESTS.producer();
//!             for _ in 0..1_000 {
//!                 requests.accum(1);
//!             }
//!         });
//!     }
//! });
//! assert_eq!(epoch.swap().delta, 4_000);
//! ```
//!
//! # The four operations
//!
//! ATOMiK's operations on `state = reference ∘ accumulator` are these here:
//!
//! | | |
//! |---|---|
//! | LOAD(v) | [`Context::load`] |
//! | ACCUM(d) | [`Context::accum`], [`Producer::accum`], [`FanIn::accum`] |
//! | READ | [`Context::read`], [`FanIn::read`] |
//! | SWAP | [`Epoch::swap`]; SWAP(v) is [`Context::swap`] |
//!
//! The library stores the state and not the pair: a reference belongs to whoever observes, and the
//! accumulator is derived from it. So a shared context is one atomic word, and observers don't disturb one
//! another.
//!
//! # Features
//!
//! - `std` (default): threads without a handle get a slot of their own in a [`FanIn`]. Without it the crate
//!   is `no_std` and needs `alloc`, and the target features that it is compiled for choose the kernels.
//! - `rayon`: [`kernel::par`](kernel), the kernels on rayon's threads.
//! - `serde`: `Serialize` and `Deserialize` for [`Checkpoint`], [`DeltaMessage`] and [`DeltaBatch`].
//!
//! Targets without 64-bit atomics are refused at compile time.
#![cfg_attr(not(feature = "std"), no_std)]
// docs.rs shows which feature an item needs; that takes a nightly compiler.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("atomik-core needs 64-bit atomics, which this target does not have");

#[cfg(all(atomik_loom, not(feature = "loom")))]
compile_error!("cfg(atomik_loom) needs the feature `loom`");

extern crate alloc;
#[cfg(all(test, not(feature = "std")))]
extern crate std;

/// The README's programs are compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

pub mod kernel;

mod algebra;
mod context;
mod delta;
pub mod docs;
mod epoch;
mod fan_in;
mod fingerprint;
mod rollback;
#[cfg(feature = "serde")]
mod serde;
mod slots;
mod sync;
mod table;

/// For the models alone.
#[cfg(atomik_loom)]
#[doc(hidden)]
pub mod models {
    pub use crate::slots::thread_index::end_thread;
    pub use crate::sync::modelled::stores_are_swaps;
}

pub use algebra::{Add, Algebra, Xor};
pub use context::{AtomikContext, Context, Counter, Source};
pub use delta::{
    AddressOutOfRange, DeltaBatch, DeltaBatchIter, DeltaMessage, DeltaStream, StreamError, WireError,
};
pub use epoch::{Checkpoint, Epoch};
pub use fan_in::{ExclusiveTableEpoch, FanIn, Producer, TableFanIn, TableProducer};
pub use fingerprint::{Fingerprint, FoldFingerprint, IndexOutOfRange};
pub use rollback::{Rollback, RollbackError};
pub use table::{AtomikTable, Table, TableAllocError, TableEpoch, TableSource};
