//! What peers lack of what was here at some moment.

use alloc::collections::BTreeMap;

use atomik_core::Algebra;

use super::Replica;
use crate::peer::{Peer, Recipient};
use crate::shape::ShardKey;

/// The versions that peers have not confirmed.
#[derive(Default)]
pub(super) struct Awaited(BTreeMap<Peer, BTreeMap<ShardKey, u64>>);

impl Awaited {
    /// Notes that a peer has a version of a shard.
    pub(super) fn note(&mut self, peer: Peer, key: ShardKey, version: u64) {
        if let Some(lacking) = self.0.get_mut(&peer)
            && lacking.get(&key).is_some_and(|&wanted| wanted <= version)
        {
            lacking.remove(&key);
        }
    }

    /// Notes that a peer has everything.
    pub(super) fn note_all(&mut self, peer: Peer) {
        if let Some(lacking) = self.0.get_mut(&peer) {
            lacking.clear();
        }
    }

    /// Forgets a shard that was removed.
    pub(super) fn forget(&mut self, key: ShardKey) {
        for lacking in self.0.values_mut() {
            lacking.remove(&key);
        }
    }

    pub(super) fn remove_peer(&mut self, peer: Peer) {
        self.0.remove(&peer);
    }
}

/// Waiting for peers.
impl<A: Algebra> Replica<A> {
    /// Begins to watch until a peer has what is here now, and asks it for its version vector. [`tick`](Self::tick)
    /// before, so that it is about what producers have written.
    ///
    /// [`lacking`](Self::lacking) tells the progress. The peer may be asked again by [`hello`](Self::hello). A peer
    /// with a store confirms what its store has. A second call begins anew. It takes memory for each shard of each
    /// origin, until the peer has confirmed it or is [removed](Self::remove_peer).
    pub fn await_peer(&mut self, peer: Peer) {
        let versions = self.version_vector();
        let versions =
            versions.map(|(origin, shard, version)| (ShardKey { origin, shard }, version)).collect();
        self.awaited.0.insert(peer, versions);
        self.hello(Recipient::Peer(peer));
    }

    /// Of how many shards a peer has not confirmed the versions that were here at the last
    /// [`await_peer`](Self::await_peer). 0 for a peer that is not watched.
    #[must_use]
    pub fn lacking(&self, peer: Peer) -> usize {
        self.awaited.0.get(&peer).map_or(0, BTreeMap::len)
    }
}
