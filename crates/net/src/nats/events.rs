//! What the task of a node and the tasks of its connection to NATS tell each other.

use atomik_replica::{Peer, ReplicaId};
use bytes::Bytes;

/// The stream, as a peer of the replica: it gets whole shards, and what it has is received from it. No node has this
/// number.
pub(crate) const BROKER: Peer = Peer(u64::MAX);

/// A shard of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShardKey {
    pub(crate) origin: ReplicaId,
    pub(crate) shard: usize,
}

/// What happens at the connection.
#[derive(Debug)]
pub(crate) enum NatsEvent {
    /// A server can be reached, for the first time or again.
    Connected,
    /// It can't be reached any more.
    Disconnected,
    /// A packet arrived from a node.
    Packet(Peer, Bytes),
    /// What waited has been sent, after something was dropped.
    CaughtUp,
    /// The stream was opened, for the time with this number.
    Opened(u64),
    /// Something happened at the stream that was opened for the time with this number.
    Stream(u64, StreamEvent),
}

/// What happens at the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    /// It has a version of a shard, in the message with this sequence number.
    Listed { key: ShardKey, version: u64, sequence: u64 },
    /// All shards that it had have been listed. Later ones are, as they come.
    AllListed,
    /// A shard was fetched: its packet, or `None` if the stream does not have the shard any more.
    Got { key: ShardKey, packet: Option<Bytes> },
    /// A shard could not be fetched.
    GetFailed { key: ShardKey },
    /// A version of a shard was put, as the message with this sequence number.
    Put { key: ShardKey, version: u64, sequence: u64 },
    /// It was not. `is_late` says that another node has put one meanwhile.
    PutFailed { key: ShardKey, is_late: bool },
    /// A shard was removed, or could not be.
    Removed { key: ShardKey },
    /// How many shards the stream has.
    Counted { found: u64 },
    /// They could not be counted. `is_gone` says that it is not the stream that was opened.
    CountFailed { is_gone: bool },
}

/// What is to be done with the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Puts a version of a shard. If `after` is given, only if the last message about the shard has this sequence
    /// number, or 0 for none.
    Put { key: ShardKey, version: u64, packet: Bytes, after: Option<u64> },
    /// Fetches a shard.
    Get { key: ShardKey },
    /// Removes a shard.
    Remove { key: ShardKey },
    /// Counts the shards.
    Count,
    /// Opens the stream again, and lists it from the beginning.
    Reopen,
}
