//! The last-writer-wins register of an address that was loaded, and the totals beside it.

use crate::checksum::mix;
use crate::replica_id::ReplicaId;

/// The time of one LOAD of one address, by a Lamport counter.
///
/// Timestamps are ordered by counter first. The id of the replica that loaded breaks ties, so that the same LOAD wins
/// at every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LoadTimestamp {
    pub(crate) counter: u64,
    pub(crate) origin: ReplicaId,
}

impl LoadTimestamp {
    /// Every counter is below this, so that one more than the greatest counter is always a number.
    pub(crate) const COUNTER_LIMIT: u64 = 1 << 63;
}

/// The value that a LOAD gave to an address, and the time of the LOAD.
///
/// The greatest register of an address wins. Two registers have the same timestamp only if a replica id was used twice;
/// then the greater value wins, again at every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Register {
    pub(crate) timestamp: LoadTimestamp,
    pub(crate) value: u64,
}

impl Register {
    /// A checksum of all that a register has.
    pub(crate) fn checksum(&self) -> u64 {
        let LoadTimestamp { counter, origin } = self.timestamp;
        mix(mix(mix(mix(0, counter), origin.node), origin.incarnation), self.value)
    }
}

/// What the deltas of one origin to one address compose to. A total replaces an earlier one. It is never applied as a
/// delta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total(pub(crate) u64);

/// What one origin knows of an address that was loaded: the register, and the total of the deltas that the origin
/// made while that register was the winner it knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) addr: u32,
    pub(crate) register: Register,
    pub(crate) total: Total,
}
