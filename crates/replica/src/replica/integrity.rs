//! Memory and disks fail: digests detect it, audits and refetching repair it.

use atomik_core::Algebra;

use super::{Event, Replica};
use crate::frame::Section;
use crate::packet_error::PacketErrorKind;
use crate::peer::Peer;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;
use crate::state::{Mended, MendedVersion, MendedVersions};

/// The content of a shard at a version, as one number.
///
/// Holders of the same version of a shard have the same content and the same digest, unless memory or a disk failed.
/// The digest is a CRC-64. It detects such failures, but does not protect against an adversary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDigest {
    /// The version.
    pub version: u64,
    /// The digest of the totals and entries.
    pub digest: u64,
}

/// Detecting and repairing damage.
impl<A: Algebra> Replica<A> {
    /// The digest of a shard, or `None` if nothing is known about it. Reads the whole shard.
    #[must_use]
    pub fn digest(&self, origin: ReplicaId, shard: usize) -> Option<ShardDigest> {
        let shard = self.state.shard(ShardKey { origin, shard })?;
        Some(ShardDigest { version: shard.version(), digest: shard.digest() })
    }

    /// Compares what is derived from the planes with them, for one shard, and sets what is wrong: merged states, the
    /// part of the live states that readers get from here, registers, and versions. Returns how many addresses and
    /// versions were wrong. Each kind is also reported as an [`Event`], and so are entries that stand at other
    /// addresses than those for which they were made.
    ///
    /// Each is compared by itself, so that an error in one does not get into another. If the initial base was damaged,
    /// nothing is compared with it. The planes themselves are compared between replicas, by the digests of
    /// [heartbeats](Self::heartbeat). Call it from a timer, for one shard at a time. It reads the shard in all planes.
    ///
    /// # Panics
    ///
    /// If the table has no such shard.
    #[track_caller]
    pub fn audit(&mut self, shard: usize) -> usize {
        assert!(shard < self.shards(), "there is no shard {shard} in a table of {}", self.shards());
        let MendedVersions { were_damaged, versions } = self.state.mend_versions(shard);
        for &MendedVersion { origin, found, version } in &versions {
            self.events.push(Event::VersionRepaired { origin, shard, found, version });
        }
        if were_damaged && versions.is_empty() {
            self.events.push(Event::VersionsDamaged { shard });
        }
        for (origin, version) in self.state.with_damaged_addresses(shard) {
            self.events.push_new(Event::CopyDamaged { origin, shard, version });
        }
        self.store_what_is_not_stored(shard);
        if !self.state.has_sound_base(shard) {
            self.events.push_new(Event::BaseDamaged { shard });
            return versions.len();
        }
        let Mended { merged, remote, registers } = self.state.recompute(shard, self.ticks.reference());
        if merged > 0 {
            self.events.push(Event::MergedRepaired { shard, addresses: merged });
        }
        if remote > 0 {
            self.events.push(Event::RemoteRepaired { shard, addresses: remote });
        }
        if registers > 0 {
            self.events.push(Event::RegistersRepaired { shard });
        }
        versions.len() + merged + remote + registers
    }

    /// Stores a shard again if the version that the store is said to have is not the one here, without a reason.
    fn store_what_is_not_stored(&mut self, shard: usize) {
        let Some(store) = &mut self.store else { return };
        for plane in self.state.planes() {
            if plane.shard(shard).is_some_and(|shard| !shard.is_stored()) {
                store.mark_unstored(ShardKey { origin: plane.origin(), shard });
            }
        }
    }

    /// Reports registers and entries that were found damaged when they were used.
    pub(super) fn report_damage(&mut self) {
        for shard in self.state.take_damaged_registers() {
            self.events.push(Event::RegistersRepaired { shard });
        }
        for shard in self.state.take_damaged_entries() {
            let version = self.version(self.id, shard);
            self.events.push(Event::CopyDamaged { origin: self.id, shard, version });
        }
    }

    /// Reads a shard anew for its digest, and reports whether it changed by itself since the last time.
    pub(super) fn refresh_digest(&mut self, key: ShardKey) {
        if let Some(found) = self.state.shard_mut(key)
            && !found.refresh_digest()
        {
            let (ShardKey { origin, shard }, version) = (key, found.version());
            self.events.push(Event::CopyDamaged { origin, shard, version });
        }
    }

    /// Compares a peer's digest with the one here, if the versions are equal.
    pub(super) fn receive_digest(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<(), PacketErrorKind> {
        let key = self.checked_key(section)?;
        section.check_counts(1, 0)?;
        section.check_body()?;
        let Some(theirs) = section.numbers().next() else { return Ok(()) };
        let version = section.header().to;
        // Only equal versions are compared, and the digest is kept, so that no digest costs more than what changed.
        let Some(found) = self.state.shard_mut(key).filter(|shard| shard.version() == version) else {
            return Ok(());
        };
        let (ShardKey { origin, shard }, ours) = (key, found.kept_digest());
        if ours != theirs {
            self.events.push(Event::Diverged { origin, shard, version, peer, ours, theirs });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::cluster_config::ClusterConfig;
    use atomik_core::{TableFanIn, Xor};

    #[test]
    fn an_audit_reports_and_repairs_states_that_are_wrong() {
        let cluster = ClusterConfig::new("audit", 128).with_shard_words(64);
        let id = ReplicaId { node: 1, incarnation: 1 };
        let mut replica = Replica::<Xor>::new(&cluster, Arc::new(TableFanIn::new(128)), id).unwrap();
        replica.put(70, 7).unwrap();
        assert_eq!((replica.audit(1), replica.poll_event()), (0, None));
        replica.state.merged_mut()[70] ^= 1;
        replica.state.merged_mut()[71] ^= 1;
        assert_eq!(replica.audit(0), 0);
        assert_eq!(replica.audit(1), 2);
        assert_eq!(replica.poll_event(), Some(Event::MergedRepaired { shard: 1, addresses: 2 }));
        assert_eq!((replica.audit(1), replica.poll_event()), (0, None));
        assert_eq!(replica.merged()[70..72], [7, 0]);
    }
}
