//! What a node tells of itself.

use atomik_replica::{Peer, ReplicaId};

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) id: ReplicaId,
    pub(crate) peers: Vec<Peer>,
    pub(crate) is_listening: bool,
}
