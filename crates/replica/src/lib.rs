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
mod cluster;
mod error;
mod frame;
mod origin;
mod outbox;
mod part;
mod replica;
mod state;

#[cfg(test)]
mod simulator;

pub use cluster::Cluster;
pub use error::{PacketError, Refusal, ReplicaError};
pub use origin::Origin;
pub use outbox::{Peer, Recipient};
pub use replica::{Event, PartDigest, Received, Replica, StoredPart, Transaction, View};
