//! What goes to peers.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use atomik_core::Algebra;

use super::Replica;
use crate::frame::{FrameHeader, frames};
use crate::outbox::Packets;
use crate::outgoing::Outgoing;
use crate::packet_error::PacketErrorKind;
use crate::peer::{Peer, Recipient};
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// Transmitting.
impl<A: Algebra> Replica<A> {
    /// The next packet to send, and where to send it. `None` if there is nothing to send now.
    ///
    /// A packet contains announcements of own versions, answers to requests of peers, requests, and what
    /// [`heartbeat`](Self::heartbeat), [`hello`](Self::hello) and
    /// [`send_version_vector`](Self::send_version_vector) queued. With a store, no totals, versions or digests leave
    /// before the store has them.
    ///
    /// The caller need not care about lost packets. Peers notice what they lack and ask for it.
    pub fn poll_transmit(&mut self) -> Option<(Recipient, Vec<u8>)> {
        self.write_reports();
        let Self { outbox, state, id, context, store, timers, cloned, .. } = self;
        let source = Outgoing::new(state, *id, *context, store.is_some()).without_own(*cloned);
        outbox.poll(&source, timers.now())
    }

    /// Queues, for all peers, the versions that are new since the last heartbeat, and the digests of the next `digests`
    /// shards in turn. Call it from a timer. Announcements of own versions leave between heartbeats.
    ///
    /// If there are any digests, one of the merged states of the next shard in turn is among them.
    ///
    /// The cost is that of reading these shards, and does not depend on how many origins are known.
    pub fn heartbeat(&mut self, digests: usize) {
        self.repeat_refetches();
        if digests > 0 {
            self.send_merged_digest();
        }
        let mut chosen = BTreeSet::new();
        for _ in 0..digests {
            let Some(key) = self.state.next_key(self.last_digest) else { break };
            if !chosen.insert(key) {
                break;
            }
            self.last_digest = Some(key);
            self.refresh_digest(key);
        }
        self.outbox.queue_heartbeat(chosen);
    }

    /// Queues the digest of the version vector. A peer whose version vector has another digest asks for the whole one,
    /// and then for what it lacks. Call it with about every tenth heartbeat, and when a peer comes back.
    ///
    /// The digest is a section of some 100 bytes. Computing it costs a few nanoseconds for each shard that an origin
    /// touched.
    pub fn send_version_vector(&mut self, to: Recipient) {
        // So that damage of the digest does not stay.
        self.state.refresh_version_sums();
        self.outbox.queue_vector_digest(to);
        self.queue_report_number(to);
    }

    /// Queues a request for the version vector of a peer. Call it at a start, and after a partition.
    ///
    /// The answer is a digest if the peer's version vector equals the one here. Otherwise it is the whole one, in
    /// packets.
    pub fn hello(&mut self, to: Recipient) {
        self.outbox.queue_hello(to);
    }

    /// Queues a whole shard for a peer, as if it had asked for what changed after version 0. With a store, the frame
    /// leaves when the store has it. Returns whether anything is known of the shard that may be sent.
    ///
    /// It is for peers that keep packets and can't ask, such as a message broker. [`frames`](Self::frames) tells the
    /// shards of a packet apart.
    pub fn send_shard(&mut self, to: Peer, origin: ReplicaId, shard: usize) -> bool {
        let key = ShardKey { origin, shard };
        let is_sent = self.state.version(key) > 0 && !self.is_silent(key);
        if is_sent {
            self.outbox.queue_answer(to, key, 0);
        }
        is_sent
    }

    /// The frames of a packet, each with its bytes, which are a packet themselves. Other sections are left out. It ends
    /// with an error at a section that does not belong to the cluster or is damaged in its header. Bodies are checked
    /// by [`receive`](Self::receive).
    pub fn frames<'a>(
        &self,
        packet: &'a [u8],
    ) -> impl Iterator<Item = Result<(FrameHeader, &'a [u8]), PacketErrorKind>> + use<'a, A> {
        frames(packet, self.context)
    }

    /// Forgets a peer: what waits to be sent to it is dropped. Call it when the transport gives a peer up, since it may
    /// have reconnected under another number.
    ///
    /// What was received from the peer stays. If packets of it still arrive, it is answered again.
    pub fn remove_peer(&mut self, peer: Peer) {
        self.outbox.remove_peer(peer);
        self.hearings.remove(peer);
        self.forget_reports(peer);
        self.awaited.remove_peer(peer);
        if let Some(store) = &mut self.store {
            store.remove_peer(peer);
        }
    }

    /// The whole version vector, as packets: the version of every shard that is known here and may be told. The own
    /// origin is named even if it never wrote.
    ///
    /// They take 8 bytes for each shard that an origin touched, or up to 88 if its neighbours were not touched: about 2
    /// KiB for each origin and million words in shards of 4,096.
    #[must_use]
    pub fn version_vector_packets(&self) -> Vec<Vec<u8>> {
        let mut packets = Packets::new(self.packet_len);
        let (source, most) = (self.outgoing(), packets.numbers_in_section());
        let (vector, mut start) = (source.vector_digest(), None);
        for number in 1.. {
            packets.write(Recipient::All, |packet| {
                start = source.write_version_vector(packet, start, [number, vector], most);
            });
            if start.is_none() {
                break;
            }
        }
        core::iter::from_fn(|| packets.pop()).map(|(_, packet)| packet).collect()
    }

    /// The frame that leads from version `since` of a shard to its present version: all that a peer with `since` lacks.
    /// `None` if there is nothing newer, or if the store does not have it yet.
    #[must_use]
    pub fn frame_since(&self, origin: ReplicaId, shard: usize, since: u64) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.outgoing().write_since(&mut out, ShardKey { origin, shard }, since).then_some(out)
    }

    /// Whether nobody is to get a shard from here now: it is doubtful, or another instance was seen under the own id.
    pub(super) fn is_silent(&self, key: ShardKey) -> bool {
        self.cloned && key.origin == self.id || self.refetches.contains(key)
    }

    /// What peers may see.
    pub(super) fn outgoing(&self) -> Outgoing<'_, A> {
        Outgoing::new(&self.state, self.id, self.context, self.store.is_some()).without_own(self.cloned)
    }
}
