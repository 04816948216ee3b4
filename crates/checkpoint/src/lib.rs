//! Checkpoints for [`atomik-core`](https://docs.rs/atomik-core): epochs that outlive the process.
//!
//! [`CheckpointStore`] saves the states of a table, epoch by epoch, in a file of SQLite. What has changed in an epoch and
//! the caller's own bytes, such as an offset in the input, are saved in one transaction. After a crash at any moment the
//! store returns the last checkpoint that was saved completely, or an error that names the damage.
//!
//! | | |
//! |---|---|
//! | [`CheckpointStore`] | saves and recovers a table, or a single state |
//! | [`CheckpointLog`] | what the store needs from the place that keeps the checkpoints |
//! | [`SqliteLog`] | that place, if no other is chosen: a file of SQLite |
//! | `ReplicaStore` | the store of a replica of `atomik-replica`, with the feature `replica` |
//!
//! # Trade-offs
//!
//! - A checkpoint waits for the disk: some milliseconds on a solid-state disk. Deltas that were accumulated after the
//!   last checkpoint are lost in a crash, unless the input that they came from can be read again.
//! - Exactly-once processing needs writers that pause while an epoch is closed, as [`CheckpointStore`] says.
//! - A store has one writing process. Any number of processes may read the file with tools for SQLite.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod codec;
mod database;
mod digest;
mod error;
mod log;
mod recovered;
#[cfg(feature = "replica")]
mod replica_store;
mod sqlite_log;
mod store;

pub use database::{SqliteError, SqliteErrorKind};
pub use error::{CheckpointError, TableKind};
pub use log::{CheckpointHeader, CheckpointKind, CheckpointLog, CheckpointPiece};
pub use recovered::Recovered;
#[cfg(feature = "replica")]
pub use replica_store::ReplicaStore;
pub use sqlite_log::SqliteLog;
pub use store::{CheckpointStore, ClosedEpoch, RecoveryProgress, Saved};

/// The README's programs are compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
