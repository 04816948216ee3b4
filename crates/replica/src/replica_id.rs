//! The name of a replica.

use core::fmt;
use core::time::Duration;

/// One start of one node. It names the replica that this start runs, and the plane of totals that the replica writes.
///
/// Every start is a new incarnation, with a store or without one. [`draw`](Self::draw) makes it from the clock and
/// random bits. Never count it up from the store, because a restored backup would count to the same number again, and
/// never take a process id, because that is 1 at each start of a container. If an incarnation repeats, peers take new
/// totals for old ones, and drop them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId {
    /// The node. A node keeps its name when it starts again.
    pub node: u64,
    /// The start. No two starts of a node have the same incarnation.
    pub incarnation: u64,
}

impl ReplicaId {
    /// How many bits of an incarnation are random.
    const RANDOM_BITS: u32 = 20;

    /// The id of a start of `node` that happens now. Its incarnation has the time of the system's clock in the high
    /// bits, in milliseconds, and 20 random bits below. So the incarnations of a node grow, as long as its clock does
    /// not go back, and two starts differ even then.
    ///
    /// Draw an id once for each start, never twice for one replica.
    ///
    /// ```
    /// use atomik_replica::ReplicaId;
    ///
    /// let id = ReplicaId::draw(7);
    /// assert_eq!(id.node, 7);
    /// assert_ne!(ReplicaId::draw(7), id);
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(docsrs, doc(cfg(feature = "std")))]
    #[must_use]
    pub fn draw(node: u64) -> Self {
        use std::hash::{BuildHasher, Hasher, RandomState};
        use std::time::SystemTime;

        // A clock before 1970 counts as 1970. The random bits remain.
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        // The keys are random. The process id tells a fork from its parent, which has the same keys.
        let mut random = RandomState::new().build_hasher();
        random.write_u32(std::process::id());
        Self::from_clock(node, since_epoch, random.finish())
    }

    /// The id of a start of `node` at a time, with random bits: what [`draw`](Self::draw) does, for targets without
    /// `std`.
    ///
    /// `since_epoch` is the time since 1970, or since another moment that is always the same for this node. The high 44
    /// bits of the incarnation are that time in milliseconds, which lasts for 557 years. The low 20 bits are those of
    /// `random`.
    #[must_use]
    pub const fn from_clock(node: u64, since_epoch: Duration, random: u64) -> Self {
        let millis = since_epoch.as_millis() as u64;
        let random = random & ((1 << Self::RANDOM_BITS) - 1);
        Self { node, incarnation: millis << Self::RANDOM_BITS | random }
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicaId({self})")
    }
}

impl fmt::Display for ReplicaId {
    /// Formats the node and the incarnation in hexadecimal, with a slash between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{:x}", self.node, self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn incarnations_grow_with_the_clock_whatever_the_random_bits_are() {
        let at = |millis, random| ReplicaId::from_clock(1, Duration::from_millis(millis), random).incarnation;
        assert_eq!(at(0x123, 0xFFFF_FFFF_FFF5_6789), 0x1235_6789);
        assert!(at(1, u64::MAX) < at(2, 0));
        // In the year 2500.
        assert!(at(16_725_225_600_000, u64::MAX) < at(16_725_225_600_001, 0));
    }

    #[cfg(feature = "std")]
    #[test]
    fn an_incarnation_has_the_time_and_random_bits() {
        use std::time::SystemTime;
        let millis = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
        let before = millis();
        let ids: std::collections::BTreeSet<_> = (0..100).map(|_| ReplicaId::draw(3).incarnation).collect();
        let after = millis();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| (before..=after).contains(&(id >> 20))));
        let random: std::collections::BTreeSet<_> = ids.iter().map(|id| id & 0xF_FFFF).collect();
        assert!(random.len() > 90, "{} different random parts", random.len());
    }

    #[test]
    fn a_replica_id_is_formatted_in_hexadecimal() {
        let id = ReplicaId { node: 0x1A, incarnation: 2 };
        assert_eq!((format!("{id}"), format!("{id:?}")), ("1a/2".into(), "ReplicaId(1a/2)".into()));
    }
}
