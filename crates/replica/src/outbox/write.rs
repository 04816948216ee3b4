//! What waits to be sent, written section by section.

use core::time::Duration;

use atomik_core::Algebra;

use super::{Outbox, VectorPosition};
use crate::outgoing::Outgoing;
use crate::peer::Recipient;
use crate::shape::ShardKey;

impl Outbox {
    /// Writes the next section. Returns `false` if nothing waits.
    pub(super) fn write_section<A: Algebra>(&mut self, source: &Outgoing<'_, A>, now: Duration) -> bool {
        self.write_hello(source)
            || self.write_denial(source)
            || self.write_refetch(source)
            || self.write_request(source, now)
            || self.write_released()
            || self.write_changes(source)
            || self.write_answer(source)
            || self.write_vector_digest(source)
            || self.write_version_vector(source)
            || self.write_versions(source)
            || self.write_digest(source)
            || self.write_merged_digest(source)
    }

    fn write_hello<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(to) = self.hellos.pop_first() else { return false };
        self.packets.write(to, |packet| source.write_hello(packet));
        true
    }

    fn write_denial<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(((peer, key), denied)) = self.denials.pop_first() else { return false };
        self.packets.write(Recipient::Peer(peer), |packet| source.write_denial(packet, key, denied));
        true
    }

    fn write_refetch<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some((key, peer)) = self.refetches.pop_first() else { return false };
        self.packets.write(Recipient::Peer(peer), |packet| source.write_refetch(packet, key));
        true
    }

    fn write_request<A: Algebra>(&mut self, source: &Outgoing<'_, A>, now: Duration) -> bool {
        let Some((peer, key)) = self.requests.pop(now, self.answer_time) else { return false };
        self.packets.write(Recipient::Peer(peer), |packet| source.write_request(packet, key));
        true
    }

    fn write_released(&mut self) -> bool {
        let packets = &mut self.packets;
        self.released.pop(|to, section| packets.write(to, |packet| packet.extend_from_slice(section)))
    }

    /// Announces what changed in a shard of the own plane. With a store, transactions do that.
    fn write_changes<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        if source.has_store() {
            return false;
        }
        let Some((shard, changes)) = self.changes.pop_first() else { return false };
        self.packets.write(Recipient::All, |packet| source.write_changes(packet, shard, &changes));
        true
    }

    fn write_answer<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        while let Some(((peer, key), since)) = self.answers.pop_first() {
            if !source.may_leave(key) {
                self.awaiting_store.insert((peer, key), since);
                continue;
            }
            // The shard may have been removed since the answer was queued.
            if source.version(key) > since {
                self.packets.write(Recipient::Peer(peer), |packet| {
                    source.write_since(packet, key, since);
                });
                return true;
            }
        }
        false
    }

    fn write_vector_digest<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(to) = self.vector_digests.pop_first() else { return false };
        self.packets.write(to, |packet| source.write_vector_digest(packet));
        true
    }

    /// Writes a section of a version vector. After the last one comes the digest, with the number of sections.
    fn write_version_vector<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some((to, position)) = self.version_vectors.pop_first() else { return false };
        let (most, sections) = (self.packets.numbers_in_section(), position.sections + 1);
        let vector = if sections == 1 { source.vector_digest() } else { position.vector };
        let mut next = None;
        self.packets.write(to, |packet| {
            next = source.write_version_vector(packet, position.next, [sections, vector], most);
        });
        if next.is_some() {
            self.version_vectors.insert(to, VectorPosition { next, sections, vector });
        }
        true
    }

    /// Writes the versions that the last heartbeat queued, those of one run of neighbouring shards.
    fn write_versions<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(first) = self.versions.pop_first() else { return false };
        let mut end = first.shard + 1;
        while end - first.shard < self.packets.numbers_in_section()
            && self.versions.remove(&ShardKey { shard: end, ..first })
        {
            end += 1;
        }
        self.packets.write(Recipient::All, |packet| {
            source.write_versions(packet, first.origin, first.shard..end);
        });
        true
    }

    /// Writes a digest that the last heartbeat queued.
    fn write_digest<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(key) = self.digests.pop_first() else { return false };
        self.packets.write(Recipient::All, |packet| source.write_digest(packet, key));
        true
    }

    fn write_merged_digest<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some((shard, digests)) = self.merged_digests.pop_first() else { return false };
        self.packets.write(Recipient::All, |packet| source.write_merged_digest(packet, shard, digests));
        true
    }
}
