//! Errors of the calls.

use core::error::Error;
use core::fmt;

use crate::packet_error::PacketErrorKind;
use crate::replica_id::ReplicaId;

/// Why a replica can't start, or can't do what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The fan-in is not as long as the cluster's table.
    TableLength {
        /// The length of the fan-in.
        table: usize,
        /// The length of the cluster's table.
        cluster: usize,
    },
    /// The initial base is not as long as the cluster's table.
    BaseLength {
        /// The length of the base.
        base: usize,
        /// The length of the cluster's table.
        cluster: usize,
    },
    /// The shard size is not 16, 32 or a multiple of 64 up to 65,536.
    ShardWords {
        /// The shard size in words.
        shard_words: usize,
    },
    /// Nothing may wait to be sent, so that nothing could ever be asked or answered:
    /// [`ClusterConfig::with_max_waiting`](crate::ClusterConfig::with_max_waiting) was set to 0.
    MaxWaiting,
    /// The fan-in has given out its exclusive observer before, to a replica or to someone else.
    SecondReplica,
    /// The table has no such address.
    Address {
        /// The address.
        addr: usize,
        /// The length of the table.
        len: usize,
    },
    /// The address was loaded 2^63 - 1 times, and its Lamport counter can't go on.
    LoadsExhausted {
        /// The address.
        addr: usize,
    },
    /// The store returned a part that can't be used.
    StoredPart {
        /// Which of the stored parts, counted from 0.
        index: usize,
        /// What is wrong with it.
        kind: PacketErrorKind,
    },
    /// The store returned the same part of the same shard twice.
    StoredTwice {
        /// The origin.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
    },
    /// The store lacks a part of a shard, or has parts of different versions: not all of a [`StoredShard`] was stored.
    ///
    /// [`StoredShard`]: crate::StoredShard
    StoredIncomplete {
        /// The origin.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
    },
    /// The store has shards that were written under this id, so the id is not new.
    /// [`restore`](crate::Replica::restore) needs an incarnation that was never used.
    IncarnationReused {
        /// The id.
        id: ReplicaId,
    },
    /// The incarnation is 2^64 - 1, which no start may have.
    Incarnation {
        /// The id.
        id: ReplicaId,
    },
    /// A shard of the replica's own origin can't be fetched from others. If its content is in doubt, start again with a
    /// new incarnation and without the stored copy of the shard.
    OwnShard {
        /// The shard.
        shard: usize,
    },
    /// Another instance was seen under the id of this replica, which makes no versions until
    /// [`renew`](crate::Replica::renew) gives it a new incarnation.
    ClonedIdentity {
        /// The id.
        id: ReplicaId,
    },
    /// A new incarnation would be one more origin than this replica may know.
    TooManyOrigins {
        /// The bound.
        bound: usize,
    },
    /// Nothing is known here about this shard of this origin.
    UnknownShard {
        /// The origin.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
    },
}

impl fmt::Display for ReplicaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableLength { table, cluster } => {
                write!(f, "the fan-in has {table} addresses, but the cluster's table has {cluster}")
            }
            Self::BaseLength { base, cluster } => {
                write!(f, "the initial base has {base} words, but the cluster's table has {cluster}")
            }
            Self::ShardWords { shard_words } => {
                write!(
                    f,
                    "a shard can't have {shard_words} words: the size is 16, 32 or a multiple of 64 up to 65536"
                )
            }
            Self::MaxWaiting => {
                f.write_str("the bound of what may wait to be sent is 0, but has to be 1 or more")
            }
            Self::SecondReplica => f.write_str("the fan-in has given out its exclusive observer before"),
            Self::Address { addr, len } => write!(f, "there is no address {addr} in a table of {len}"),
            Self::LoadsExhausted { addr } => {
                write!(f, "address {addr} was loaded 2^63 - 1 times and can't be loaded again")
            }
            Self::StoredPart { index, kind } => write!(f, "stored part {index} can't be used: {kind}"),
            Self::StoredTwice { origin, shard } => {
                write!(f, "the store has a part of shard {shard} of origin {origin} twice")
            }
            Self::StoredIncomplete { origin, shard } => {
                write!(
                    f,
                    "the store does not have all parts of shard {shard} of origin {origin} at one version"
                )
            }
            Self::Incarnation { id } => write!(f, "no start may have the incarnation of {id}, 2^64 - 1"),
            Self::IncarnationReused { id } => {
                write!(f, "the store has shards of {id} already: each start needs a new incarnation")
            }
            Self::OwnShard { shard } => {
                write!(f, "shard {shard} of the replica's own origin can't be fetched from others")
            }
            Self::ClonedIdentity { id } => {
                write!(f, "another instance was seen under the id {id}: give this one a new incarnation")
            }
            Self::TooManyOrigins { bound } => {
                write!(f, "a new incarnation would be one origin more than the bound of {bound}")
            }
            Self::UnknownShard { origin, shard } => {
                write!(f, "nothing is known about shard {shard} of origin {origin}")
            }
        }
    }
}

impl Error for ReplicaError {}
