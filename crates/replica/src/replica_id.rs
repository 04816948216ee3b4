//! Who wrote, and in which epoch of an address.

use core::cmp::Ordering;
use core::fmt;

/// One start of one node: whose totals a plane holds.
///
/// Every start is a new incarnation, whether it found a store or not. Draw it from a clock and random bits;
/// never count it up from the store, because a restored backup would count to the same number again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId {
    /// The node: a name that it keeps over its starts.
    pub node: u64,
    /// The start: never the same twice for a node.
    pub incarnation: u64,
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicaId({self})")
    }
}

impl fmt::Display for ReplicaId {
    /// Node and incarnation in hexadecimal, with a slash between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{:x}", self.node, self.incarnation)
    }
}

/// The name of one LOAD of one address. They are ordered, by counter first, and the greatest wins; the
/// origin breaks ties, so that the same one wins everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LoadTimestamp {
    pub(super) counter: u64,
    pub(super) origin: ReplicaId,
}

impl LoadTimestamp {
    /// Counters end here, so that one above the greatest is always a number.
    pub(super) const COUNTER_LIMIT: u64 = 1 << 63;
}

/// What an address was loaded with, and by which LOAD: the register that totals of its epoch count in.
///
/// Of two registers under one epoch (an origin that broke its promise) the greater value wins, everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register {
    pub(super) timestamp: LoadTimestamp,
    pub(super) value: u64,
}

impl Ord for Register {
    fn cmp(&self, other: &Self) -> Ordering {
        if planted!(TiesByCounterOnly) {
            return self.timestamp.counter.cmp(&other.timestamp.counter);
        }
        (self.timestamp, self.value).cmp(&(other.timestamp, other.value))
    }
}

impl PartialOrd for Register {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What an origin's deltas to an address add up to. Not a delta: it is to be set, never to be applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total(pub(super) u64);

/// What stands in a shard for an address that was loaded: the register, and the total of the origin's
/// deltas in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) addr: u32,
    pub(super) register: Register,
    pub(super) total: Total,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn an_origin_is_shown_in_hexadecimal() {
        let origin = ReplicaId { node: 0x1A, incarnation: 2 };
        assert_eq!((format!("{origin}"), format!("{origin:?}")), ("1a/2".into(), "ReplicaId(1a/2)".into()));
    }
}
