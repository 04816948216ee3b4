//! Digests of merged states, which peers compare where they know the same versions.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use atomik_core::{Algebra, Fingerprint};

use super::{Event, Replica};
use crate::frame::Section;
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::peer::Peer;

/// The digests of merged states that were computed last, and the shards that are to be audited because of them.
#[derive(Default)]
pub(super) struct MergedDigests {
    /// The shard whose turn is next.
    next: usize,
    /// For each shard, the digest of its versions and that of its merged states, when its turn was last. Comparing
    /// costs nothing, then, whatever peers send.
    known: Vec<Option<[u64; 2]>>,
    /// Shards whose merged states differ from those of a peer.
    suspects: BTreeSet<usize>,
}

/// A digest of the states of a shard that may have so many words. What a longer table may have in it counts as
/// identity.
fn digest(states: &[u64], words: usize) -> u64 {
    let mut fingerprint = Fingerprint::new();
    let mut bytes = [0; 512];
    for chunk in states.chunks(64) {
        for (bytes, state) in bytes.chunks_exact_mut(8).zip(chunk) {
            bytes.copy_from_slice(&state.to_le_bytes());
        }
        fingerprint.write(&bytes[..8 * chunk.len()]);
    }
    (states.len()..words).for_each(|_| fingerprint.write(&[0; 8]));
    fingerprint.finish()
}

impl<A: Algebra> Replica<A> {
    /// Audits a shard that differs from a peer's. Then sends the digest of the next shard in turn to all peers. The
    /// states are read anew each time, because a digest that only follows deltas does not see damage.
    pub(super) fn send_merged_digest(&mut self) {
        if let Some(shard) = self.merged_digests.suspects.pop_first() {
            self.audit(shard);
        }
        let shards = self.shards();
        if shards == 0 {
            return;
        }
        let shard = self.merged_digests.next % shards;
        self.merged_digests.next = shard + 1;
        self.merged_digests.known.resize(shards, None);
        let versions = self.state.versions_digest(shard);
        let shape = self.state.shape();
        let digest_of =
            |replica: &Self| digest(&replica.state.merged()[shape.range(shard)], shape.shard_words);
        let mut merged = digest_of(self);
        // The states of the same versions were different last time.
        if self.merged_digests.known[shard].is_some_and(|[then, other]| then == versions && other != merged) {
            self.audit(shard);
            merged = digest_of(self);
        }
        self.merged_digests.known[shard] = Some([versions, merged]);
        // Nothing leaves that depends on versions which the store does not have.
        if self.store.as_ref().is_none_or(|store| !store.is_any_unstored(shard)) {
            self.outbox.queue_merged_digest(shard, [versions, merged]);
        }
    }

    /// Compares a peer's digest of merged states with the one here, if the versions are equal.
    pub(super) fn receive_merged_digest(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<(), PacketErrorKind> {
        let shard = self.checked_key(section)?.shard;
        section.check_counts(2, 0)?;
        section.check_body()?;
        let mut numbers = section.numbers();
        let (Some(versions), Some(theirs)) = (numbers.next(), numbers.next()) else {
            let found = section.words() as u64;
            return Err(PacketErrorKind::Invalid { field: PacketField::Words, index: 0, found });
        };
        let known = self.merged_digests.known.get(shard).copied().flatten();
        if let Some([then, ours]) = known
            && then == versions
            && then == self.state.versions_digest(shard)
            && ours != theirs
        {
            self.events.push_new(Event::MergedDiverged { shard, peer, ours, theirs });
            self.merged_digests.suspects.insert(shard);
        }
        Ok(())
    }
}
