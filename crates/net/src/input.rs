//! What the task of a replica is told.

use std::net::SocketAddr;
use std::sync::Arc;

use atomik_replica::{Peer, ReplicaError};
use bytes::Bytes;
use tokio::sync::oneshot;

#[cfg(feature = "nats")]
use crate::nats::NatsEvent;
use crate::outgoing::Outgoing;

/// What happens to a node.
pub(crate) enum Input {
    /// A packet arrived by a connection.
    Packet(Peer, Bytes),
    /// A packet arrived by UDP.
    Datagram(Peer, SocketAddr, Bytes),
    /// A connection is in use.
    Connected(Peer, Arc<Outgoing>),
    /// It ended.
    Disconnected(Peer, Arc<Outgoing>),
    /// A connection has sent all that waited, after something was dropped.
    CaughtUp(Peer),
    /// Something happened at the connection to NATS.
    #[cfg(feature = "nats")]
    Nats(NatsEvent),
    /// All shards of the transaction with this number are on the disk.
    #[cfg(feature = "store")]
    Stored(u64),
    /// They are not.
    #[cfg(feature = "store")]
    StoreFailed(u64),
    /// A call of the program.
    Call(Call),
}

/// A call of the program, and where its answer goes.
pub(crate) enum Call {
    Load(Vec<(usize, u64)>, oneshot::Sender<Result<(), ReplicaError>>),
    Put(usize, u64, oneshot::Sender<Result<(), ReplicaError>>),
    SetMembers(Vec<u64>, oneshot::Sender<()>),
    /// Peers are to have everything that is here.
    Converge(oneshot::Sender<usize>),
    /// A digest of all merged states.
    Digest(oneshot::Sender<u64>),
    /// Nothing but an answer.
    Answer(oneshot::Sender<()>),
    ShutDown,
}
