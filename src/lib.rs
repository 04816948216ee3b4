//! Counters, flags and tables that many threads update without locks.
//!
//! Threads change a state by *deltas* that commute, because they come from an Abelian group: XOR ([`Xor`]) or wrapping
//! addition ([`Add`]). Since their order does not matter, each thread can accumulate into a cache line of its own, and
//! a reader combines the lines. So this is a sharded counter, for any 64-bit state whose updates commute: an update is
//! one store, to a line that no other thread writes to.
//!
//! More follows from the same algebra: any number of observers that each learn what has changed since they last looked
//! ([`Epoch`]), undo without snapshots ([`Rollback`]), change detection that follows a changed word in constant time
//! ([`Fingerprint`]), and replicas that stay equal by exchanging deltas ([`DeltaStream`]).
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
//! assert_eq!(REQUESTS.read(), 4_000);
//! assert_eq!(epoch.swap().delta, 4_000);
//! ```
//!
//! # Trade-offs
//!
//! - **XOR does not notice duplicates, and it does not count.** A delta that is accumulated twice cancels itself. Count
//!   with [`Add`]. To set a value that other threads also set, use [`Context::load`] or [`Context::swap`] instead of a
//!   delta.
//! - **Reading a [`FanIn`] is not linearizable.** A read contains every delta that happened before it. Of concurrent
//!   deltas it may contain a later one and miss an earlier one. Where a read has to be the state of one instant, use a
//!   [`Context`].
//! - **Writers cost memory and time to read.** A fan-in takes about 1 KB, and up to 256 bytes for each producer that
//!   was alive at the same time. If [`FanIn::accum`] is called on it, it also takes up to 256 bytes for each thread
//!   that was alive at the same time and called `accum` on any fan-in of the process. A [`TableFanIn`] takes a table
//!   for each writer. Slots are reused but never freed, and a read visits all of them. [`FanIn`] says what 100,000
//!   producers cost, or 10,000 fan-ins.
//! - **A [`Fingerprint`] is not a MAC.** Anyone who knows the seed can construct collisions. Where an adversary chooses
//!   the data, use a keyed cryptographic hash.
//!
//! # Which type to use
//!
//! | for | use |
//! |---|---|
//! | a state that threads change now and then | [`Context`]: [`AtomikContext`] for XOR, [`Counter`] for addition |
//! | a state that many threads change all the time | [`FanIn`] and its [`Producer`]s |
//! | a gauge that goes up and down, such as the number of open connections | [`UpDown`] |
//! | a number that is changed now and then, and may be negative | [`Counter`], by [`Counter::read_signed`] |
//! | many states, by address | [`Table`], or [`TableFanIn`] where threads contend |
//! | what has changed since the last look | [`Epoch`], [`TableEpoch`] |
//! | undo and redo | [`Rollback`], [`TableRollback`] |
//! | a test whether a buffer has changed | [`Fingerprint`] |
//! | operations on whole slices of words, with SIMD | [`kernel`] |
//! | deltas as data | [`DeltaBatch`], [`DeltaMessage`] |
//! | tables on several nodes | [`DeltaStream`] if the transport loses nothing, else the crate `atomik-replica` |
//! | tables that several processes change | the crate `atomik-shared` |
//! | tables that survive a restart | the crate `atomik-checkpoint` |
//! | the metrics of a service | the crate `atomik-metrics` |
//!
//! The pages under [`docs`] go further: [patterns](docs::patterns) with their Python counterparts, the
//! [names of the Python package](docs::python), [what to use in allocators, signal handlers, fibers and
//! tasks](docs::threads), and [why every delta is in exactly one epoch](docs::epochs).
//!
//! # The four operations of ATOMiK
//!
//! ATOMiK defines a state as `reference ∘ accumulator`, and four operations on it. ∘ is XOR or addition.
//!
//! | operation | meaning | call |
//! |---|---|---|
//! | LOAD(v) | set the state to v | [`Context::load`] |
//! | ACCUM(d) | set the state to state ∘ d | [`Context::accum`], [`FanIn::accum`], [`Producer::accum`] |
//! | READ | return the state | [`Context::read`], [`FanIn::read`] |
//! | SWAP | make the state the new reference | [`Epoch::swap`]; to v: [`Context::swap`] |
//!
//! This library stores the state instead of the pair. Each observer has a reference of its own and derives the
//! accumulator from it. A shared context is therefore one atomic word, and observers don't affect one another.
//!
//! # Features
//!
//! - `std` (enabled by default): [`FanIn::accum`] finds a slot of the calling thread, and the kernels are chosen by what
//!   the processor supports. Without it the crate is `no_std` and needs `alloc`; [`FanIn::accum`] is a
//!   read-modify-write, and the kernels are chosen at compile time.
//! - `rayon`: [`kernel::par`](kernel), the kernels on the threads of rayon.
//! - `serde`: `Serialize` and `Deserialize` for [`Checkpoint`], [`DeltaMessage`] and [`DeltaBatch`].
//!
//! The crate does not compile for targets without 64-bit atomics.
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

/// Compiles and runs the README's programs with the doc tests.
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

/// What only the models need.
#[cfg(atomik_loom)]
#[doc(hidden)]
pub mod models {
    pub use crate::slots::thread_index::end_thread;
    pub use crate::sync::modelled::{Allocator, stores_are_swaps};
}

pub use algebra::{Add, Algebra, Xor};
pub use context::{AtomikContext, Context, Counter, Source};
pub use delta::{
    AddressOutOfRange, DeltaBatch, DeltaBatchIter, DeltaMessage, DeltaStream, StreamError, WireError,
};
pub use epoch::{Checkpoint, Epoch};
pub use fan_in::{ExclusiveTableEpoch, FanIn, Producer, TableFanIn, TableProducer, UpDown, UpDownProducer};
pub use fingerprint::{Fingerprint, FoldFingerprint, IndexOutOfRange};
pub use rollback::{EditGroup, Rollback, RollbackError, TableEditGroup, TableRollback};
pub use table::{AtomikTable, Table, TableAllocError, TableEntry, TableEpoch, TableRead, TableSource};
