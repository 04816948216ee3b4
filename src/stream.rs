//! Replication: nodes that converge.

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
