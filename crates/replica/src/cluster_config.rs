//! What all replicas of a cluster agree on, and the bounds of each.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;

use crate::block::BLOCK_WORDS;
use crate::checksum::WordDigest;
use crate::error::ReplicaError;
use crate::shape::Shape;
use crate::timing::Timing;

/// What the replicas of one table agree on, and the bounds and intervals of one replica.
///
/// All replicas of a cluster have the same name, shard size and initial base. The length of the table is the same,
/// except while it [grows](crate::docs::growing). Packets carry a digest of the name, the shard size and the base, and
/// a replica refuses packets with another digest. The bounds and intervals may differ from replica to replica.
///
/// ```
/// use atomik_replica::ClusterConfig;
///
/// let cluster = ClusterConfig::new("page views", 100_000).with_shard_words(64).with_max_origins(1_000);
/// # let _ = cluster;
/// ```
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    name: String,
    pub(crate) shape: Shape,
    base: Option<Arc<[u64]>>,
    pub(crate) max_origins: usize,
    pub(crate) packet_len: usize,
    pub(crate) max_waiting: usize,
    pub(crate) max_withheld: usize,
    pub(crate) transaction_len: usize,
    pub(crate) timing: Timing,
    pub(crate) members: Option<BTreeSet<u64>>,
}

impl ClusterConfig {
    /// A cluster for a table of `len` words that begin at the identity. The table is cut into shards of 4,096 words.
    #[must_use]
    pub fn new(name: &str, len: usize) -> Self {
        Self {
            name: name.to_owned(),
            shape: Shape { len, shard_words: 4_096 },
            base: None,
            max_origins: 256,
            packet_len: 1 << 16,
            max_waiting: 1 << 16,
            max_withheld: 1 << 24,
            transaction_len: 1 << 20,
            timing: Timing::new(),
            members: None,
        }
    }

    /// Sets the size of a shard in words: 16, 32, or a multiple of 64 up to 65,536. The default is 4,096.
    ///
    /// Everything that ever changed in a shard has to fit into one frame: a header, 16 bytes for each word and 44 for
    /// each address that was [loaded](crate::Replica::load). So choose 64 where packets are datagrams, or 16 if
    /// addresses are loaded: see [`with_packet_len`](Self::with_packet_len).
    #[must_use]
    pub fn with_shard_words(mut self, shard_words: usize) -> Self {
        self.shape.shard_words = shard_words;
        self
    }

    /// Sets the states that the table begins with. They are kept, in 8 bytes for each word.
    #[must_use]
    pub fn with_base(mut self, base: &[u64]) -> Self {
        self.base = Some(base.into());
        self
    }

    /// Sets how many origins a replica knows at most, itself included. It refuses frames of further origins. The
    /// default is 256.
    ///
    /// Every start of a node that writes afterwards is an origin. The bound limits the memory that peers can make a
    /// replica use: an origin takes up to one table and a tenth, and 88 bytes for each address that was loaded. With
    /// shards of less than 64 words, it takes more: up to 24 bytes a word.
    #[must_use]
    pub fn with_max_origins(mut self, max_origins: usize) -> Self {
        self.max_origins = max_origins;
        self
    }

    /// Sets the greatest length of a packet in bytes. The default is 65,536.
    ///
    /// A section is never cut, so one that is longer has a packet to itself. That happens to frames only: a frame has a
    /// header of 80 bytes, 16 bytes for each word of its shard, and 44 for each address of it that was loaded. For
    /// packets of 1,200 bytes, choose [shards](Self::with_shard_words) of 64 words if no address is loaded, and of 16
    /// if any may be. A packet of 96 bytes or more is long enough for all other sections.
    #[must_use]
    pub fn with_packet_len(mut self, packet_len: usize) -> Self {
        self.packet_len = packet_len;
        self
    }

    /// Sets how many shards of peers may be wanted, and how many answers to peers may wait to be polled: 1 or more. The
    /// default is 65,536 of each.
    ///
    /// What exceeds the bound is dropped. It is requested again after the next version vector.
    #[must_use]
    pub fn with_max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets the number of bytes from which on a [`Transaction`](crate::Transaction) takes no further shard. The default
    /// is 1,048,576.
    ///
    /// Shards are never cut, so a transaction can be longer by almost one shard, and has one shard at least.
    #[must_use]
    pub fn with_transaction_len(mut self, transaction_len: usize) -> Self {
        self.transaction_len = transaction_len.max(1);
        self
    }

    /// Names the nodes whose writing must not be lost: the members. Earlier starts of a node are then folded into its
    /// next one, as [`docs::operating`](crate::docs::operating) says. The default is that none are named, and nothing
    /// is folded.
    ///
    /// They are no part of what the replicas of a cluster must agree on, and
    /// [`Replica::set_members`](crate::Replica::set_members) changes them later.
    #[must_use]
    pub fn with_members(mut self, nodes: impl IntoIterator<Item = u64>) -> Self {
        self.members = Some(nodes.into_iter().collect());
        self
    }

    /// Sets how often the replica does what recurs.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets how many bytes of frames may wait for the store, and to be polled after that. The default is 16 MiB.
    ///
    /// With a store, frames are written when their shards are given to it. Each own shard has one with its changes, and
    /// each version that peers asked for one for all of them. What exceeds the bound is not written: peers learn of the
    /// version from the next heartbeat, and ask for it. One frame may always wait, however long it is.
    #[must_use]
    pub fn with_max_withheld(mut self, bytes: usize) -> Self {
        self.max_withheld = bytes;
        self
    }

    pub(crate) fn base(&self) -> Option<&Arc<[u64]>> {
        self.base.as_ref()
    }

    /// The shape, if the settings are possible and belong to a table of `len` words.
    pub(crate) fn checked_shape(&self, len: usize) -> Result<Shape, ReplicaError> {
        let Shape { len: cluster, shard_words } = self.shape;
        if cluster != len {
            return Err(ReplicaError::TableLength { table: len, cluster });
        }
        if let Some(base) = self.base.as_ref().filter(|base| base.len() != len) {
            return Err(ReplicaError::BaseLength { base: base.len(), cluster });
        }
        if self.max_waiting == 0 {
            return Err(ReplicaError::MaxWaiting);
        }
        let is_small = matches!(shard_words, 16 | 32);
        let is_whole = shard_words % BLOCK_WORDS == 0 && (1..=1 << 16).contains(&shard_words);
        if !is_small && !is_whole {
            return Err(ReplicaError::ShardWords { shard_words });
        }
        Ok(self.shape)
    }

    /// The length of the table, in words.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a table may be empty, a cluster is not")]
    pub fn len(&self) -> usize {
        self.shape.len
    }

    /// A digest of what all replicas of a cluster agree on: the name, the size of a shard and the base. Packets carry
    /// it, and transports may compare it when a connection begins.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = WordDigest::new();
        digest.word(self.name.len() as u64);
        digest.bytes(self.name.as_bytes());
        digest.word(self.shape.shard_words as u64);
        // Not the length, because a table may grow, with identities at the new addresses. So a base counts up to its
        // last word that is not the identity, which is 0 in both groups.
        let base = self.base().map_or(&[][..], |base| base);
        let end = base.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
        base[..end].iter().for_each(|&word| digest.word(word));
        digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_on_what_replicas_agree_on_and_not_on_bounds() {
        let cluster = ClusterConfig::new("a", 100);
        let digest = cluster.digest();
        assert_ne!(ClusterConfig::new("b", 100).digest(), digest);
        assert_eq!(ClusterConfig::new("a", 101).digest(), digest);
        assert_ne!(cluster.clone().with_shard_words(64).digest(), digest);
        assert_ne!(cluster.clone().with_base(&[1; 100]).digest(), digest);
        assert_eq!(cluster.clone().with_base(&[0; 100]).digest(), digest);
        let digest_with = |base: &[u64]| ClusterConfig::new("a", base.len()).with_base(base).digest();
        assert_eq!(digest_with(&[0, 1]), digest_with(&[0, 1, 0]));
        assert_ne!(digest_with(&[0, 1]), digest_with(&[0, 1, 1]));
        assert_ne!(digest_with(&[0, 1]), digest_with(&[1]));
        assert_eq!(cluster.with_max_origins(1).with_packet_len(2).with_max_waiting(3).digest(), digest);
    }

    #[test]
    fn a_shard_has_16_or_32_words_or_a_multiple_of_64_up_to_65536() {
        let checked =
            |shard_words| ClusterConfig::new("a", 100).with_shard_words(shard_words).checked_shape(100);
        for shard_words in [16, 32, 64, 128, 65_536] {
            assert_eq!(checked(shard_words), Ok(Shape { len: 100, shard_words }));
        }
        for shard_words in [0, 1, 8, 17, 48, 63, 65, 65_537, 65_600] {
            assert_eq!(checked(shard_words), Err(ReplicaError::ShardWords { shard_words }));
        }
    }
}
