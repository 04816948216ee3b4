//! What all replicas of a cluster have in common, and what each may hold.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;

use super::checksum::WordDigest;
use super::error::ReplicaError;
use super::shard::{BLOCK_WORDS, Shape};

/// What the replicas of one table agree on, and the bounds of one replica.
///
/// Name, table length, shard size and initial base are the cluster's: packets carry a digest of them, and a
/// replica with others refuses them. The bounds are each replica's own.
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
    shape: Shape,
    base: Option<Arc<[u64]>>,
    pub(super) max_origins: usize,
    pub(super) packet_len: usize,
    pub(super) max_waiting: usize,
}

impl ClusterConfig {
    /// A cluster for a table of `len` words that all begin at the identity, cut into shards of 4,096 words.
    #[must_use]
    pub fn new(name: &str, len: usize) -> Self {
        Self {
            name: name.to_owned(),
            shape: Shape { len, shard_words: 4_096 },
            base: None,
            max_origins: 256,
            packet_len: 1 << 16,
            max_waiting: 1 << 16,
        }
    }

    /// The size of a shard in words: a multiple of 64, up to 65,536. All that changed in a shard has to fit one
    /// frame, of 16 bytes a word; take 64 where packets are datagrams. 4,096 unless said.
    #[must_use]
    pub fn with_shard_words(mut self, shard_words: usize) -> Self {
        self.shape.shard_words = shard_words;
        self
    }

    /// The states that the table begins with. Held beside the table, 8 bytes a word.
    #[must_use]
    pub fn with_base(mut self, base: &[u64]) -> Self {
        self.base = Some(base.into());
        self
    }

    /// How many origins a replica knows at most, its own included; a frame of one more is refused. It
    /// bounds the memory that peers can make a replica use: each origin takes up to a table and a
    /// twentieth, and 48 bytes for each address that was loaded.
    /// Every start of a node that then writes is an origin. 256 unless said.
    #[must_use]
    pub fn with_max_origins(mut self, max_origins: usize) -> Self {
        self.max_origins = max_origins;
        self
    }

    /// At how many bytes a packet takes no further section. A section is never cut: a frame is as long as
    /// its shard needs. 65,536 unless said.
    #[must_use]
    pub fn with_packet_len(mut self, packet_len: usize) -> Self {
        self.packet_len = packet_len;
        self
    }

    /// How many questions, answers and packets may wait to be polled, each. What would be more is
    /// dropped, and asked for again after the next vector. 65,536 unless said.
    #[must_use]
    pub fn with_max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    pub(super) fn base(&self) -> Option<&Arc<[u64]>> {
        self.base.as_ref()
    }

    /// The shape, if the settings are possible and are for a table of `len` words.
    pub(super) fn checked_shape(&self, len: usize) -> Result<Shape, ReplicaError> {
        let Shape { len: cluster, shard_words } = self.shape;
        if cluster != len {
            return Err(ReplicaError::TableLength { table: len, cluster });
        }
        if let Some(base) = self.base.as_ref().filter(|base| base.len() != len) {
            return Err(ReplicaError::BaseLength { base: base.len(), cluster });
        }
        if shard_words == 0 || shard_words % BLOCK_WORDS != 0 || shard_words > 1 << 16 {
            return Err(ReplicaError::ShardWords { shard_words });
        }
        Ok(self.shape)
    }

    /// The digest that packets carry.
    pub(super) fn digest(&self) -> u64 {
        let mut digest = WordDigest::new();
        digest.word(self.name.len() as u64);
        digest.bytes(self.name.as_bytes());
        digest.word(self.shape.len as u64);
        digest.word(self.shape.shard_words as u64);
        match &self.base {
            Some(base) => base.iter().for_each(|&word| digest.word(word)),
            None => (0..self.shape.len).for_each(|_| digest.word(0)),
        }
        digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_of_the_cluster_makes_another_digest_and_no_bound_does() {
        let cluster = ClusterConfig::new("a", 100);
        let digest = cluster.digest();
        assert_ne!(ClusterConfig::new("b", 100).digest(), digest);
        assert_ne!(ClusterConfig::new("a", 101).digest(), digest);
        assert_ne!(cluster.clone().with_shard_words(64).digest(), digest);
        assert_ne!(cluster.clone().with_base(&[1; 100]).digest(), digest);
        assert_eq!(cluster.clone().with_base(&[0; 100]).digest(), digest);
        assert_eq!(cluster.with_max_origins(1).with_packet_len(2).with_max_waiting(3).digest(), digest);
    }

    #[test]
    fn a_shard_is_a_multiple_of_64_words_up_to_65536() {
        let checked =
            |shard_words| ClusterConfig::new("a", 100).with_shard_words(shard_words).checked_shape(100);
        for shard_words in [64, 128, 65_536] {
            assert_eq!(checked(shard_words), Ok(Shape { len: 100, shard_words }));
        }
        for shard_words in [0, 1, 63, 65, 65_537, 65_600] {
            assert_eq!(checked(shard_words), Err(ReplicaError::ShardWords { shard_words }));
        }
    }
}
