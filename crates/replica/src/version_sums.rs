//! Digests of version vectors, by which replicas notice that theirs are equal.

use crate::checksum::mix;
use crate::shape::ShardKey;

/// Two digests of version vectors: of what is here, and of what the store has of it.
///
/// A digest is the sum of a number for each version. So it follows each new version by an addition, and does not depend
/// on the order of origins and shards. What is at version 0 adds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionSums {
    /// The digest of the versions that are here.
    pub(crate) held: u64,
    /// The digest of the versions that the store is known to have.
    pub(crate) stored: u64,
}

impl VersionSums {
    /// Follows the change of a shard from one pair of versions to another: the one that is here, and the one that the
    /// store has.
    pub(crate) fn replace(&mut self, key: ShardKey, [from, to]: [[u64; 2]; 2]) {
        let change = |at: usize| term(key, to[at]).wrapping_sub(term(key, from[at]));
        self.held = self.held.wrapping_add(change(0));
        self.stored = self.stored.wrapping_add(change(1));
    }
}

/// The number of a version of a shard.
fn term(key: ShardKey, version: u64) -> u64 {
    if version == 0 {
        return 0;
    }
    hash([key.origin.node, key.origin.incarnation, key.shard as u64, version])
}

/// A number that depends on each of the words and on their order.
pub(crate) fn hash<const N: usize>(words: [u64; N]) -> u64 {
    words.into_iter().fold(0, mix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica_id::ReplicaId;
    use std::collections::BTreeSet;

    #[test]
    fn terms_of_different_versions_differ() {
        let mut terms = BTreeSet::new();
        for node in 0..10 {
            for incarnation in 0..10 {
                for shard in 0..10 {
                    let key = ShardKey { origin: ReplicaId { node, incarnation }, shard };
                    terms.extend((1..10).map(|version| term(key, version)));
                    assert_eq!(term(key, 0), 0);
                }
            }
        }
        assert_eq!(terms.len(), 9_000);
    }

    #[test]
    fn sums_do_not_depend_on_the_order() {
        let key = |shard| ShardKey { origin: ReplicaId { node: 1, incarnation: 2 }, shard };
        let (mut one, mut two) = (VersionSums::default(), VersionSums::default());
        one.replace(key(0), [[0, 0], [1, 0]]);
        one.replace(key(1), [[0, 0], [5, 4]]);
        one.replace(key(0), [[1, 0], [3, 3]]);
        two.replace(key(1), [[0, 0], [5, 4]]);
        two.replace(key(0), [[0, 0], [3, 3]]);
        assert_eq!(one, two);
        assert_ne!(one.held, one.stored);
        one.replace(key(1), [[5, 4], [0, 0]]);
        one.replace(key(0), [[3, 3], [0, 0]]);
        assert_eq!(one, VersionSums::default());
    }
}
