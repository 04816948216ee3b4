//! What is asked of whom.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::peer::Peer;
use crate::shape::ShardKey;

/// How many peers that have a shard are remembered. If none of them answers, a version vector will tell more.
const MOST_PEERS: usize = 4;

/// The shards of which peers have later versions. Each is asked of one peer, and of the next one if no answer has come
/// after a time.
pub(crate) struct Requests {
    max_waiting: usize,
    /// How many requests may be without an answer at a time.
    window: usize,
    wanted: BTreeMap<ShardKey, Wanted>,
    /// What can be asked now.
    ready: BTreeSet<(Peer, ShardKey)>,
    /// What was asked, by the time at which the answer is overdue.
    overdue: BTreeSet<(Duration, ShardKey)>,
}

/// A shard that peers have at a later version.
struct Wanted {
    /// Who has which version. The first one was asked, or will be.
    peers: Vec<(Peer, u64)>,
    /// When the answer is overdue. `None` until the first peer was asked.
    overdue: Option<Duration>,
}

impl Requests {
    /// No requests. At most `max_waiting` shards are wanted, and `window` are asked for at a time.
    pub(crate) fn new(max_waiting: usize, window: usize) -> Self {
        Self {
            max_waiting,
            window,
            wanted: BTreeMap::new(),
            ready: BTreeSet::new(),
            overdue: BTreeSet::new(),
        }
    }

    /// Notes that a peer has a version of a shard that is not here.
    pub(crate) fn insert(&mut self, peer: Peer, key: ShardKey, version: u64) {
        let Some(wanted) = self.wanted.get_mut(&key) else {
            if self.wanted.len() < self.max_waiting {
                self.wanted.insert(key, Wanted { peers: Vec::from([(peer, version)]), overdue: None });
                self.ready.insert((peer, key));
            }
            return;
        };
        let count = wanted.peers.len();
        match wanted.peers.iter_mut().find(|(other, _)| *other == peer) {
            Some((_, greatest)) => *greatest = version.max(*greatest),
            None if count < MOST_PEERS => wanted.peers.push((peer, version)),
            None => {}
        }
    }

    /// The next request to send: whom to ask for which shard. The answer is overdue after `answer_time`.
    pub(crate) fn pop(&mut self, now: Duration, answer_time: Duration) -> Option<(Peer, ShardKey)> {
        if self.overdue.len() >= self.window {
            return None;
        }
        let (peer, key) = self.ready.pop_first()?;
        if let Some(wanted) = self.wanted.get_mut(&key) {
            let overdue = now.saturating_add(answer_time);
            wanted.overdue = Some(overdue);
            self.overdue.insert((overdue, key));
        }
        Some((peer, key))
    }

    /// Notes that a shard is here at a version.
    pub(crate) fn arrived(&mut self, key: ShardKey, version: u64) {
        self.retain(key, |_, known| known > version);
    }

    /// Stops waiting for what is overdue. The next peer that has it will be asked.
    pub(crate) fn expire(&mut self, now: Duration) {
        while let Some(&(time, key)) = self.overdue.first()
            && time <= now
        {
            let asked = self.wanted.get(&key).and_then(|wanted| wanted.peers.first()).copied();
            self.retain(key, |peer, _| asked.is_none_or(|(asked, _)| asked != peer));
        }
    }

    /// When the next answer is overdue.
    pub(crate) fn next_overdue(&self) -> Option<Duration> {
        self.overdue.first().map(|&(time, _)| time)
    }

    /// Asks nothing more of a peer. What it was asked for, the next peer is asked for.
    pub(crate) fn remove_peer(&mut self, gone: Peer) {
        let keys: Vec<ShardKey> = self.wanted.keys().copied().collect();
        for key in keys {
            self.retain(key, |peer, _| peer != gone);
        }
    }

    /// Keeps some of the peers that have a shard. If the one that was asked is not among them, the next one will be.
    fn retain(&mut self, key: ShardKey, keeps: impl Fn(Peer, u64) -> bool) {
        let Some(wanted) = self.wanted.get_mut(&key) else { return };
        let asked = wanted.peers.first().copied();
        wanted.peers.retain(|&(peer, version)| keeps(peer, version));
        let next = wanted.peers.first().copied();
        if asked == next {
            return;
        }
        match (wanted.overdue.take(), asked) {
            (Some(time), _) => drop(self.overdue.remove(&(time, key))),
            (None, Some((peer, _))) => drop(self.ready.remove(&(peer, key))),
            (None, None) => {}
        }
        match next {
            Some((peer, _)) => drop(self.ready.insert((peer, key))),
            None => drop(self.wanted.remove(&key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica_id::ReplicaId;

    const KEY: ShardKey = ShardKey { origin: ReplicaId { node: 2, incarnation: 1 }, shard: 0 };
    const OTHER: ShardKey = ShardKey { shard: 1, ..KEY };
    const SECOND: Duration = Duration::from_secs(1);

    /// What is asked at a time.
    fn asked(requests: &mut Requests, now: u32) -> Vec<(Peer, ShardKey)> {
        requests.expire(now * SECOND);
        core::iter::from_fn(|| requests.pop(now * SECOND, SECOND)).collect()
    }

    #[test]
    fn a_shard_is_asked_of_one_peer_and_of_the_next_after_a_time() {
        let mut requests = Requests::new(10, 10);
        for (peer, version) in [(1, 5), (2, 4), (3, 5), (1, 6)] {
            requests.insert(Peer(peer), KEY, version);
        }
        assert_eq!(asked(&mut requests, 0), [(Peer(1), KEY)]);
        assert_eq!((asked(&mut requests, 0), requests.next_overdue()), (Vec::new(), Some(SECOND)));
        // What the first peer tells again while it is being asked makes no second request.
        requests.insert(Peer(1), KEY, 7);
        assert_eq!(asked(&mut requests, 0), []);
        assert_eq!(asked(&mut requests, 1), [(Peer(2), KEY)]);
        // The second peer answers, but the third has more.
        requests.arrived(KEY, 4);
        assert_eq!(asked(&mut requests, 1), [(Peer(3), KEY)]);
        requests.arrived(KEY, 5);
        assert_eq!((asked(&mut requests, 9), requests.next_overdue()), (Vec::new(), None));
        assert!(requests.wanted.is_empty() && requests.ready.is_empty());
    }

    #[test]
    fn what_arrives_from_elsewhere_is_not_asked_for() {
        let mut requests = Requests::new(10, 10);
        requests.insert(Peer(1), KEY, 5);
        requests.insert(Peer(1), OTHER, 5);
        requests.arrived(KEY, 5);
        assert_eq!(asked(&mut requests, 0), [(Peer(1), OTHER)]);
        // An earlier version than the one that was asked for.
        requests.arrived(OTHER, 4);
        assert_eq!(asked(&mut requests, 0), []);
        assert_eq!(requests.next_overdue(), Some(SECOND));
    }

    #[test]
    fn what_nobody_answers_is_dropped_and_can_be_told_again() {
        let mut requests = Requests::new(10, 10);
        requests.insert(Peer(1), KEY, 5);
        assert_eq!(asked(&mut requests, 0), [(Peer(1), KEY)]);
        assert_eq!((asked(&mut requests, 1), requests.next_overdue()), (Vec::new(), None));
        requests.insert(Peer(1), KEY, 5);
        assert_eq!(asked(&mut requests, 2), [(Peer(1), KEY)]);
    }

    #[test]
    fn wanted_shards_peers_and_requests_under_way_are_bounded() {
        let mut requests = Requests::new(3, 2);
        for shard in 0..9 {
            for peer in 0..9 {
                requests.insert(Peer(peer), ShardKey { shard, ..KEY }, 1);
            }
        }
        assert!(requests.wanted.len() == 3 && requests.wanted.values().all(|wanted| wanted.peers.len() == 4));
        assert_eq!(asked(&mut requests, 0), [(Peer(0), KEY), (Peer(0), OTHER)]);
        requests.arrived(KEY, 1);
        assert_eq!(asked(&mut requests, 0), [(Peer(0), ShardKey { shard: 2, ..KEY })]);
    }

    #[test]
    fn a_peer_that_is_removed_is_not_asked() {
        let mut requests = Requests::new(10, 10);
        for peer in [1, 2] {
            requests.insert(Peer(peer), KEY, 5);
        }
        requests.insert(Peer(1), OTHER, 5);
        assert_eq!(requests.pop(SECOND, SECOND), Some((Peer(1), KEY)));
        requests.remove_peer(Peer(1));
        assert_eq!(asked(&mut requests, 0), [(Peer(2), KEY)]);
        assert!(!requests.wanted.contains_key(&OTHER) && requests.ready.is_empty());
    }
}
