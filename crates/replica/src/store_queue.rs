//! What waits for the store.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::peer::Recipient;
use crate::shape::ShardKey;

/// The shards that the store does not have yet, and the sections that wait until it does.
pub(crate) struct StoreQueue {
    max_waiting: usize,
    /// The shards whose present versions the store does not have.
    unstored: BTreeSet<ShardKey>,
    /// The number of the last transaction.
    number: u64,
    /// The versions in the last transaction, until it is confirmed.
    in_flight: Vec<(ShardKey, u64)>,
    withheld: Vec<Withheld>,
}

/// A section that waits until the store has its shard.
struct Withheld {
    key: ShardKey,
    to: Recipient,
    section: Vec<u8>,
}

/// What the confirmation of a transaction releases.
pub(crate) struct Confirmed {
    /// The shards that were stored, with their versions.
    pub(crate) versions: Vec<(ShardKey, u64)>,
    /// The sections that waited for them.
    pub(crate) sections: Vec<(Recipient, Vec<u8>)>,
}

impl StoreQueue {
    /// An empty queue, in which at most `max_waiting` sections wait.
    pub(crate) fn new(max_waiting: usize) -> Self {
        Self {
            max_waiting,
            unstored: BTreeSet::new(),
            number: 0,
            in_flight: Vec::new(),
            withheld: Vec::new(),
        }
    }

    /// Notes that a shard has a version which the store does not have.
    pub(crate) fn mark_unstored(&mut self, key: ShardKey) {
        self.unstored.insert(key);
    }

    /// The shards whose present versions the store does not have.
    pub(crate) fn unstored(&self) -> &BTreeSet<ShardKey> {
        &self.unstored
    }

    /// Begins a transaction of shards at these versions, in place of the last one. Returns its number.
    pub(crate) fn begin(&mut self, versions: Vec<(ShardKey, u64)>) -> u64 {
        self.number += 1;
        self.in_flight = versions;
        self.number
    }

    /// Keeps a section until its shard is stored. It is dropped if too many wait, and will be requested again.
    pub(crate) fn withhold(&mut self, key: ShardKey, to: Recipient, section: Vec<u8>) {
        if self.withheld.len() < self.max_waiting {
            self.withheld.push(Withheld { key, to, section });
        }
    }

    /// Confirms the transaction of this number. `None` if it is not the last one. The caller calls
    /// [`settle`](Self::settle) for each shard that has not changed since.
    pub(crate) fn confirm(&mut self, number: u64) -> Option<Confirmed> {
        (number == self.number).then(|| Confirmed {
            versions: core::mem::take(&mut self.in_flight),
            sections: core::mem::take(&mut self.withheld)
                .into_iter()
                .map(|withheld| (withheld.to, withheld.section))
                .collect(),
        })
    }

    /// Notes that the store has the present version of a shard.
    pub(crate) fn settle(&mut self, key: ShardKey) {
        self.unstored.remove(&key);
    }

    /// Forgets a shard that was removed, because what is on its way to the store is not what will be here.
    pub(crate) fn forget(&mut self, key: ShardKey) {
        self.unstored.remove(&key);
        self.in_flight.retain(|&(other, _)| other != key);
        self.withheld.retain(|withheld| withheld.key != key);
    }
}
