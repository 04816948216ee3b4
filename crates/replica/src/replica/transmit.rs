//! What goes to peers.

use alloc::vec::Vec;

use zerocopy::byteorder::big_endian::U64;

use super::{Bounds, Replica};
use crate::frame::{self, Header, SectionKind};
use crate::outbox::{Key, Outbox, Recipient};
use crate::replica_id::ReplicaId;
use crate::shard::Shard;
use atomik_core::Algebra;

/// How many versions a section of a vector has at most: 1 KiB, so that it fits a datagram.
const VECTOR_RUN: usize = 128;

impl<A: Algebra> Replica<A> {
    /// The next packet to send, and to whom. `None` if there is nothing to send now.
    ///
    /// In it go announcements of own versions, to all; answers to what peers asked, and questions; and what
    /// [`heartbeat`](Self::heartbeat) and [`hello`](Self::hello) ordered. With a store, no totals, version or
    /// digest leaves before the store has it; only a request may name one. A packet that gets lost needs no care:
    /// what was in it will be asked for.
    pub fn poll_transmit(&mut self) -> Option<(Recipient, Vec<u8>)> {
        loop {
            if let Some(packet) = self.outbox.pop() {
                return Some(packet);
            }
            if !self.write_waiting() {
                return None;
            }
        }
    }

    /// Tells all peers which versions are new here since the last heartbeat, and the digests of the next
    /// `digests` shards in turn. For a timer; between, announcements go out by themselves.
    pub fn heartbeat(&mut self, digests: usize) {
        self.outbox.heartbeat = true;
        let keys = self.keys();
        for _ in 0..digests.min(keys.len()) {
            let after = self.digests_done.and_then(|done| {
                keys.range((core::ops::Bound::Excluded(done), core::ops::Bound::Unbounded)).next()
            });
            self.digests_done = after.or(keys.first()).copied();
            self.outbox.digests.extend(self.digests_done);
        }
    }

    /// Sends the whole vector: who lacks something by it will ask. For every tenth heartbeat or so, and for
    /// a peer that came back.
    pub fn send_version_vector(&mut self, to: Recipient) {
        Outbox::note(&mut self.outbox.vectors, to, self.bounds.waiting);
    }

    /// Asks for the whole vector: for a start, and after a partition.
    pub fn hello(&mut self, to: Recipient) {
        Outbox::note(&mut self.outbox.hellos, to, self.bounds.waiting);
    }

    /// The whole vector as bytes: the version of every shard known here, as far as it may leave. The own origin
    /// comes first, also if it never wrote. About 2 KiB an origin and million words.
    #[must_use]
    pub fn version_vector_packet(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let own = [self.origin];
        let others = self.state.planes().iter().map(|plane| plane.origin);
        for origin in own.into_iter().chain(others.filter(|&origin| origin != self.origin)) {
            self.write_versions(&mut out, origin, 0, self.shards_end(origin));
        }
        out
    }

    /// The frame that leads from version `since` of a shard to the one here: all that a peer with that version
    /// lacks. `None` if there is nothing newer here, or if the store doesn't have it yet.
    #[must_use]
    pub fn frame_since(&self, origin: ReplicaId, shard: usize, since: u64) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let key = (origin, shard);
        self.write_shard_since(&mut out, key, self.sendable(key)?, since);
        (!out.is_empty()).then_some(out)
    }

    /// A shard, if its version may leave.
    pub(super) fn sendable(&self, (origin, shard): Key) -> Option<&Shard> {
        let found = self.state.shard(origin, shard)?;
        (!self.withholds() || found.stored == found.version).then_some(found)
    }

    /// The version of a shard that may be told.
    fn advertised(&self, (origin, shard): Key) -> u64 {
        let Some(found) = self.state.shard(origin, shard) else { return 0 };
        if self.withholds() { found.stored } else { found.version }
    }

    /// Whether versions wait for the store.
    pub(super) fn withholds(&self) -> bool {
        self.store.is_some() && !planted!(SentBeforeStored)
    }

    /// Gives bytes to some of what waits: a packet's worth or more. Whether there was something.
    fn write_waiting(&mut self) -> bool {
        self.write_hello()
            || self.write_requests()
            || self.write_changes()
            || self.write_answers()
            || self.write_version_vector()
            || self.write_heartbeat()
    }

    fn write_hello(&mut self) -> bool {
        let Some(to) = self.outbox.hellos.pop_first() else { return false };
        let header = Header { kind: SectionKind::Hello, origin: self.origin, shard: 0, from: 0, to: 0 };
        let context = self.context;
        frame::write::<U64>(self.packet(to), context, header, &[], &[]);
        true
    }

    fn write_requests(&mut self) -> bool {
        let mut wrote = false;
        while let Some(((peer, key), known)) = self.outbox.requests.pop_first() {
            let have = self.state.have(key.0, key.1);
            if have >= known {
                continue;
            }
            let header =
                Header { kind: SectionKind::Request, origin: key.0, shard: key.1 as u32, from: have, to: 0 };
            let context = self.context;
            let packet_len = self.bounds.packet_len;
            let packet = self.packet(Recipient::Peer(peer));
            frame::write::<U64>(packet, context, header, &[], &[]);
            wrote = true;
            if packet.len() >= packet_len {
                break;
            }
        }
        wrote
    }

    /// Announces what own shards changed. With a store that is done as their versions are stored.
    fn write_changes(&mut self) -> bool {
        if self.withholds() {
            return false;
        }
        let mut wrote = false;
        while let Some((shard, change)) = self.outbox.changes.pop_first() {
            let (context, origin) = (self.context, self.origin);
            let Bounds { packet_len, waiting, .. } = self.bounds;
            let packet = self.outbox.packet(Recipient::All, packet_len, waiting);
            let touched = self.state.shard(origin, shard).expect("a shard that changed was touched");
            change.write(packet, context, origin, shard, touched);
            wrote = true;
            if packet.len() >= packet_len {
                break;
            }
        }
        wrote
    }

    fn write_answers(&mut self) -> bool {
        let mut wrote = false;
        while let Some(((peer, key), since)) = self.outbox.answers.pop_first() {
            if self.sendable(key).is_none() {
                self.outbox.awaiting_store.insert((peer, key), since);
                continue;
            }
            if let Some(frame) = self.frame_since(key.0, key.1, since) {
                let packet_len = self.bounds.packet_len;
                let packet = self.packet(Recipient::Peer(peer));
                packet.extend(frame);
                wrote = true;
                if packet.len() >= packet_len {
                    break;
                }
            }
        }
        wrote
    }

    fn write_version_vector(&mut self) -> bool {
        let Some(to) = self.outbox.vectors.pop_first() else { return false };
        let vector = self.version_vector_packet();
        self.packet(to).extend(vector);
        true
    }

    /// Writes what the last heartbeat ordered: new versions as runs, and digests.
    fn write_heartbeat(&mut self) -> bool {
        let mut out = Vec::new();
        if core::mem::take(&mut self.outbox.heartbeat) {
            let dirty: Vec<Key> = core::mem::take(&mut self.outbox.dirty).into_iter().collect();
            for run in dirty.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
                self.write_versions(&mut out, run[0].0, run[0].1, run[0].1 + run.len());
            }
        }
        for key in core::mem::take(&mut self.outbox.digests) {
            self.write_digest(&mut out, key);
        }
        if out.is_empty() {
            return false;
        }
        self.packet(Recipient::All).extend(out);
        true
    }

    /// Writes the versions of an origin's shards `start..end`; at least one section.
    fn write_versions(&self, out: &mut Vec<u8>, origin: ReplicaId, start: usize, end: usize) {
        let mut start = start;
        loop {
            let stop = end.min(start + VECTOR_RUN);
            let versions: Vec<U64> =
                (start..stop).map(|shard| self.advertised((origin, shard)).into()).collect();
            let header =
                Header { kind: SectionKind::VersionVector, origin, shard: start as u32, from: 0, to: 0 };
            frame::write(out, self.context, header, &versions, &[]);
            start = stop;
            if start >= end {
                break;
            }
        }
    }

    fn shards_end(&self, origin: ReplicaId) -> usize {
        self.state.planes().iter().find(|plane| plane.origin == origin).map_or(0, |plane| plane.shards_end())
    }

    /// Writes the answer to "since `since`", if there is one.
    pub(super) fn write_shard_since(&self, out: &mut Vec<u8>, key: Key, shard: &Shard, since: u64) {
        let known = if planted!(SinceIncludes) { since.saturating_sub(1) } else { since };
        if shard.version > known {
            let (to, words, entries) = shard.since(since);
            let header =
                Header { kind: SectionKind::Totals, origin: key.0, shard: key.1 as u32, from: since, to };
            frame::write(out, self.context, header, &words, &entries);
        }
    }

    /// Where to write a section for a recipient.
    pub(super) fn packet(&mut self, to: Recipient) -> &mut Vec<u8> {
        self.outbox.packet(to, self.bounds.packet_len, self.bounds.waiting)
    }
}
