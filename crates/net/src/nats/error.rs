//! What can be wrong with the settings of NATS, or with those of its server.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A node can't use NATS with these settings.
#[derive(Debug)]
#[non_exhaustive]
pub enum NatsError {
    /// The address of a server has no form that is known.
    Address(io::Error),
    /// A file with credentials or certificates can't be used.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The server has no JetStream, or not for this user. The text is the server's.
    NoJetStream(String),
    /// The server takes shorter messages than the cluster may have.
    MaxPayload {
        /// The `max_payload` of the server, in bytes.
        found: usize,
        /// The longest message, in bytes: of [`max_packet_len`](atomik_replica::ClusterConfig::max_packet_len), and
        /// some for its header.
        needed: usize,
    },
    /// The account may not keep the shards of this node.
    Account {
        /// The name of the limit.
        limit: &'static str,
        /// What the account may keep, in bytes.
        found: u64,
        /// What one message may take, in bytes.
        needed: u64,
    },
    /// The stream exists, and a setting of it is not as it has to be.
    Stream {
        /// The name of the stream.
        name: String,
        /// The name of the setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        needed: String,
    },
}

impl fmt::Display for NatsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(_) => f.write_str("the address of a server of NATS can't be used"),
            Self::File { path, .. } => write!(f, "{} can't be used for NATS", path.display()),
            Self::NoJetStream(text) => write!(f, "the server of NATS has no JetStream for this user: {text}"),
            Self::MaxPayload { found, needed } => {
                write!(f, "max_payload of the server of NATS is {found} bytes, and {needed} are needed")
            }
            Self::Account { limit, found, needed } => {
                write!(f, "{limit} of the account at NATS is {found} bytes, and {needed} are needed")
            }
            Self::Stream { name, setting, found, needed } => {
                write!(f, "{setting} of the stream {name} is {found}, and has to be {needed}")
            }
        }
    }
}

impl Error for NatsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Address(source) | Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}
