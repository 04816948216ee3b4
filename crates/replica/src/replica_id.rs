//! The name of a replica.

use core::fmt;

/// One start of one node. It names the replica that this start runs, and the plane of totals that the replica writes.
///
/// Every start is a new incarnation, with a store or without one. Draw it from a clock and random bits. Never count it
/// up from the store, because a restored backup would count to the same number again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId {
    /// The node. A node keeps its name when it starts again.
    pub node: u64,
    /// The start. No two starts of a node have the same incarnation.
    pub incarnation: u64,
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
    fn a_replica_id_is_formatted_in_hexadecimal() {
        let id = ReplicaId { node: 0x1A, incarnation: 2 };
        assert_eq!((format!("{id}"), format!("{id:?}")), ("1a/2".into(), "ReplicaId(1a/2)".into()));
    }
}
