//! Tables that converge over any network.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(all(test, not(feature = "std")))]
extern crate std;

/// The README's program is compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[macro_use]
mod fault;

mod checksum;
mod cluster_config;
mod error;
mod frame;
mod outbox;
mod replica;
mod replica_id;
mod shard;
mod state;

#[cfg(test)]
mod simulator;

pub use cluster_config::ClusterConfig;
pub use error::{PacketError, PacketErrorKind, ReplicaError};
pub use outbox::{Peer, Recipient};
pub use replica::{Event, Received, Replica, ShardDigest, StoredShard, Transaction, View};
pub use replica_id::ReplicaId;
