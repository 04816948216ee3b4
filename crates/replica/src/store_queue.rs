//! What waits for the store.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Bound;

use crate::change_set::ChangeSet;
use crate::peer::{Peer, Recipient};
use crate::shape::ShardKey;

/// The shards that the store does not have yet, and what waits until it does.
///
/// A shard is in one transaction at a time, so that the store may write transactions in any order. If it changes while
/// it is in one, it waits for the next.
pub(crate) struct StoreQueue {
    /// How many bytes may wait for the store, and to be sent after that.
    max_withheld: usize,
    /// The shards that changed and are in no transaction.
    unstored: BTreeSet<ShardKey>,
    /// The last shard that was taken for a transaction.
    last: Option<ShardKey>,
    /// The shards that are in a transaction.
    storing: BTreeSet<ShardKey>,
    /// The number of the last transaction.
    number: u64,
    /// The transactions that were neither confirmed nor given up, by their numbers.
    in_flight: BTreeMap<u64, InFlight>,
    claims: ClaimsToStore,
}

/// What the store has of what this node knows of starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimsToStore {
    Stored,
    /// They changed since they were stored.
    Unstored,
    /// The transaction of this number has them.
    Storing(u64),
}

/// A transaction that the store is to write.
#[derive(Default)]
pub(crate) struct InFlight {
    shards: Vec<StoringShard>,
    /// What waits until the shards are stored.
    withheld: Vec<Withheld>,
}

/// A shard in a transaction.
pub(crate) struct StoringShard {
    pub(crate) key: ShardKey,
    /// Its version in the transaction. `None` if the shard was replaced since, so that the store has something else.
    pub(crate) version: Option<u64>,
}

/// A section that waits until the store has its shard.
pub(crate) struct Withheld {
    pub(crate) key: ShardKey,
    pub(crate) section: Vec<u8>,
    pub(crate) cause: Cause,
}

/// Why a section is to be sent. If the transaction fails, the cause remains.
pub(crate) enum Cause {
    /// The shard is of the own plane, and these changes are announced to all.
    Changes(ChangeSet),
    /// The shard is of the own plane, and this is announced to all as it is: a fold by name, or what led to the version
    /// before one.
    Fold,
    /// Peers asked for what changed after a version.
    Request { peers: Vec<Peer>, since: u64 },
}

impl Cause {
    /// Who is to get the section.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = Recipient> {
        let (all, peers) = match self {
            Self::Changes(_) | Self::Fold => (Some(Recipient::All), &[][..]),
            Self::Request { peers, .. } => (None, peers.as_slice()),
        };
        all.into_iter().chain(peers.iter().map(|&peer| Recipient::Peer(peer)))
    }
}

impl InFlight {
    /// Adds a shard at its present version.
    pub(crate) fn insert(&mut self, key: ShardKey, version: u64) {
        self.shards.push(StoringShard { key, version: Some(version) });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    pub(crate) fn keys(&self) -> BTreeSet<ShardKey> {
        self.shards.iter().map(|shard| shard.key).collect()
    }

    /// Keeps a section until the transaction is confirmed.
    pub(crate) fn withhold(&mut self, withheld: Withheld) {
        self.withheld.push(withheld);
    }

    /// How many bytes wait until the transaction is confirmed.
    fn withheld_bytes(&self) -> usize {
        self.withheld.iter().map(|withheld| withheld.section.len()).sum()
    }
}

impl StoreQueue {
    /// An empty queue. Sections of at most `max_withheld` bytes wait, or one.
    pub(crate) fn new(max_withheld: usize) -> Self {
        Self {
            max_withheld,
            unstored: BTreeSet::new(),
            last: None,
            storing: BTreeSet::new(),
            number: 0,
            in_flight: BTreeMap::new(),
            claims: ClaimsToStore::Stored,
        }
    }

    /// Notes that what is known of starts changed.
    pub(crate) fn mark_claims_unstored(&mut self) {
        self.claims = ClaimsToStore::Unstored;
    }

    /// Whether the store has what is known of starts.
    pub(crate) fn has_claims(&self) -> bool {
        self.claims == ClaimsToStore::Stored
    }

    /// Whether the next transaction is to have what is known of starts.
    pub(crate) fn wants_claims(&self) -> bool {
        self.claims == ClaimsToStore::Unstored
    }

    /// Notes that a transaction has what is known of starts.
    pub(crate) fn claims_are_in(&mut self, number: u64) {
        self.claims = ClaimsToStore::Storing(number);
    }

    /// Notes that a transaction ended, and whether it was stored.
    pub(crate) fn end_claims(&mut self, number: u64, stored: bool) {
        if self.claims == ClaimsToStore::Storing(number) {
            self.claims = if stored { ClaimsToStore::Stored } else { ClaimsToStore::Unstored };
        }
    }

    /// Notes that a shard has a version which the store does not have.
    pub(crate) fn mark_unstored(&mut self, key: ShardKey) {
        if !self.storing.contains(&key) {
            self.unstored.insert(key);
        }
    }

    /// Takes a shard for a transaction. They come in turn, so that shards that often change do not put off the others.
    pub(crate) fn pop_unstored(&mut self) -> Option<ShardKey> {
        let after = self
            .last
            .and_then(|last| self.unstored.range((Bound::Excluded(last), Bound::Unbounded)).next().copied());
        let next = after.or_else(|| self.unstored.first().copied())?;
        self.unstored.remove(&next);
        self.last = Some(next);
        Some(next)
    }

    /// How many transactions are in flight.
    pub(crate) fn transactions(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether the store has everything.
    pub(crate) fn is_settled(&self) -> bool {
        self.unstored.is_empty() && self.storing.is_empty() && self.has_claims()
    }

    /// How many more bytes may wait, beside those of the transactions in flight and these. If none wait, there is room
    /// for any section.
    pub(crate) fn room(&self, others: usize) -> usize {
        let withheld: usize = self.in_flight.values().map(InFlight::withheld_bytes).sum();
        match others + withheld {
            0 => usize::MAX,
            waiting => self.max_withheld.saturating_sub(waiting),
        }
    }

    /// How much room is left after a section of a transaction that has not begun yet.
    pub(crate) fn room_after(&self, room: usize, section: usize) -> usize {
        room.min(self.max_withheld).saturating_sub(section)
    }

    /// Begins a transaction. Returns its number.
    pub(crate) fn begin(&mut self, transaction: InFlight) -> u64 {
        self.number += 1;
        self.storing.extend(transaction.shards.iter().map(|shard| shard.key));
        self.in_flight.insert(self.number, transaction);
        self.number
    }

    /// Ends the transaction of this number: its shards and what waited for them. `None` if it is not in flight. The
    /// caller calls [`mark_unstored`](Self::mark_unstored) for each shard whose present version the store does not
    /// have.
    pub(crate) fn end(&mut self, number: u64) -> Option<(Vec<StoringShard>, Vec<Withheld>)> {
        let InFlight { shards, withheld } = self.in_flight.remove(&number)?;
        for shard in &shards {
            self.storing.remove(&shard.key);
        }
        Some((shards, withheld))
    }

    /// Notes that a shard was removed or replaced: what is on its way to the store is not what is here.
    pub(crate) fn forget(&mut self, key: ShardKey) {
        self.unstored.remove(&key);
        for transaction in self.in_flight.values_mut() {
            transaction.withheld.retain(|withheld| withheld.key != key);
            let shards = transaction.shards.iter_mut();
            shards.filter(|shard| shard.key == key).for_each(|shard| shard.version = None);
        }
    }

    /// Whether the store lacks the present version of this shard of any origin.
    pub(crate) fn is_any_unstored(&self, shard: usize) -> bool {
        self.unstored.iter().chain(&self.storing).any(|key| key.shard == shard)
    }

    /// Drops the sections of some shards that wait. The shards are stored all the same.
    pub(crate) fn forget_sections(&mut self, forgets: impl Fn(ShardKey) -> bool) {
        for transaction in self.in_flight.values_mut() {
            transaction.withheld.retain(|withheld| !forgets(withheld.key));
        }
    }

    /// Drops what waits to be sent to a peer.
    pub(crate) fn remove_peer(&mut self, peer: Peer) {
        for transaction in self.in_flight.values_mut() {
            transaction.withheld.retain_mut(|withheld| match &mut withheld.cause {
                Cause::Changes(_) | Cause::Fold => true,
                Cause::Request { peers, .. } => {
                    peers.retain(|&other| other != peer);
                    !peers.is_empty()
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    use crate::replica_id::ReplicaId;

    const ORIGIN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };

    fn key(shard: usize) -> ShardKey {
        ShardKey { origin: ORIGIN, shard }
    }

    fn begin(queue: &mut StoreQueue, version: u64) -> u64 {
        let mut transaction = InFlight::default();
        while let Some(key) = queue.pop_unstored() {
            transaction.insert(key, version);
        }
        queue.begin(transaction)
    }

    #[test]
    fn a_shard_is_in_one_transaction_at_a_time() {
        let mut queue = StoreQueue::new(10);
        queue.mark_unstored(key(0));
        let first = begin(&mut queue, 1);
        queue.mark_unstored(key(0));
        queue.mark_unstored(key(1));
        let second = begin(&mut queue, 2);
        assert_eq!(queue.in_flight[&second].keys(), BTreeSet::from([key(1)]));
        assert_eq!((queue.transactions(), queue.is_settled()), (2, false));
        // In either order, and each once.
        assert!(queue.end(second).is_some() && queue.end(first).is_some());
        assert!(queue.end(first).is_none() && queue.end(0).is_none());
        assert_eq!((queue.transactions(), queue.is_settled()), (0, true));
    }

    #[test]
    fn a_shard_that_was_replaced_has_no_version_in_the_store() {
        let mut queue = StoreQueue::new(10);
        queue.mark_unstored(key(0));
        let number = begin(&mut queue, 1);
        queue.forget(key(0));
        let (shards, _) = queue.end(number).unwrap();
        assert_eq!(shards.iter().map(|shard| shard.version).collect::<Vec<_>>(), [None]);
    }

    fn section(len: usize, cause: Cause) -> Withheld {
        Withheld { key: key(0), section: Vec::from_iter(core::iter::repeat_n(7, len)), cause }
    }

    #[test]
    fn what_waits_takes_the_room() {
        let mut queue = StoreQueue::new(100);
        assert_eq!(queue.room(0), usize::MAX, "one section may be as long as it likes");
        let mut transaction = InFlight::default();
        transaction.insert(key(0), 1);
        transaction.withhold(section(30, Cause::Fold));
        transaction.withhold(section(20, Cause::Fold));
        assert_eq!(transaction.withheld_bytes(), 50);
        queue.begin(transaction);
        assert_eq!((queue.room(0), queue.room(10), queue.room(60)), (50, 40, 0));
        assert_eq!(queue.room_after(usize::MAX, 30), 70);
    }

    #[test]
    fn a_shard_is_unstored_until_its_transaction_ends() {
        let mut queue = StoreQueue::new(10);
        assert!(!queue.is_any_unstored(0));
        queue.mark_unstored(key(0));
        assert!(queue.is_any_unstored(0) && !queue.is_any_unstored(1));
        let number = begin(&mut queue, 1);
        assert!(queue.is_any_unstored(0) && !queue.is_any_unstored(1));
        queue.end(number);
        assert!(!queue.is_any_unstored(0));
    }

    #[test]
    fn what_only_a_peer_asked_for_goes_with_it() {
        let mut queue = StoreQueue::new(1_000);
        let mut transaction = InFlight::default();
        let asked =
            |peers: &[u64]| Cause::Request { peers: peers.iter().copied().map(Peer).collect(), since: 0 };
        for cause in
            [Cause::Fold, Cause::Changes(ChangeSet::new(0)), asked(&[1]), asked(&[1, 2]), asked(&[2])]
        {
            transaction.withhold(section(10, cause));
        }
        let number = queue.begin(transaction);
        queue.remove_peer(Peer(1));
        let (_, withheld) = queue.end(number).unwrap();
        let to = |withheld: &Withheld| withheld.cause.recipients().collect::<Vec<_>>();
        let two = Recipient::Peer(Peer(2));
        let recipients: Vec<Vec<Recipient>> = withheld.iter().map(to).collect();
        assert_eq!(recipients, [vec![Recipient::All], vec![Recipient::All], vec![two], vec![two]]);
    }
}
