//! What can go wrong at a start, and with a call.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use atomik_replica::ReplicaError;

#[cfg(feature = "nats")]
use crate::nats::NatsError;

/// A node could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address has no form that is known, or its name has no address.
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// An address can't be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The number of the node is 2^64 - 1, which no node may have.
    NodeNumber,
    /// A setting is impossible, or the store has something that can't be used.
    Replica(ReplicaError),
    /// The store can't be used.
    #[cfg(feature = "store")]
    Store(atomik_checkpoint::SqliteError),
    /// The thread of the store could not be started.
    Thread(io::Error),
    /// NATS can't be used with these settings, or those of its server.
    #[cfg(feature = "nats")]
    Nats(NatsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, .. } => write!(f, "{address:?} is no address that can be used"),
            Self::Listen { address, .. } => write!(f, "can't listen on {address}"),
            Self::NodeNumber => f.write_str("no node may have the number 2^64 - 1"),
            Self::Replica(_) => f.write_str("the replica can't start"),
            #[cfg(feature = "store")]
            Self::Store(_) => f.write_str("the store can't be used"),
            Self::Thread(_) => f.write_str("the thread of the store could not be started"),
            #[cfg(feature = "nats")]
            Self::Nats(_) => f.write_str("NATS can't be used"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Address { source, .. } | Self::Listen { source, .. } | Self::Thread(source) => Some(source),
            Self::NodeNumber => None,
            Self::Replica(source) => Some(source),
            #[cfg(feature = "store")]
            Self::Store(source) => Some(source),
            #[cfg(feature = "nats")]
            Self::Nats(source) => Some(source),
        }
    }
}

impl From<ReplicaError> for StartError {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(error)
    }
}

/// A call to a node had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeError {
    /// The replica refused it.
    Replica(ReplicaError),
    /// The node has ended.
    Ended,
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica(_) => f.write_str("the replica refused a call"),
            Self::Ended => f.write_str("the node has ended"),
        }
    }
}

impl Error for NodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Replica(source) => Some(source),
            Self::Ended => None,
        }
    }
}
