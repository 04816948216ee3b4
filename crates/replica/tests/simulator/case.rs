//! Random cases: the settings of a cluster, and what happens to it.

use proptest::prelude::*;

/// A case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) adds: bool,
    pub(crate) has_base: bool,
    /// How many addresses are used.
    pub(crate) addrs: usize,
    /// How many different deltas are used. If there are few, they often cancel.
    pub(crate) deltas: usize,
    pub(crate) shard_words: usize,
    pub(crate) nodes: usize,
    /// A bit for each node: whether it has a store.
    pub(crate) stores: u8,
    pub(crate) steps: Vec<Step>,
}

/// A step. `node`, `peer` and `pick` are taken modulo the number of nodes, packets or shards.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Accum {
        node: u8,
        addr: u8,
        delta: u8,
    },
    Tick {
        node: u8,
    },
    Put {
        node: u8,
        addr: u8,
        value: u8,
    },
    Load {
        node: u8,
        addr: u8,
        value: u8,
    },
    /// Time passes for a node, and it does what is due: its packets go into the network.
    Turn {
        node: u8,
        millis: u16,
    },
    /// A packet arrives. It may stay in the network and arrive again.
    Deliver {
        pick: u16,
        stays: bool,
    },
    Drop {
        pick: u16,
    },
    /// A node gets the version vector of a peer, asks it for what it lacks, and gets the answers.
    Sync {
        node: u8,
        peer: u8,
    },
    /// A packet arrives with one bit flipped.
    Damage {
        pick: u16,
        bit: u16,
    },
    /// Any packet that was ever sent arrives at any node, from any sender.
    Old {
        pick: u16,
        node: u8,
        peer: u8,
    },
    Heartbeat {
        node: u8,
        digests: u8,
    },
    VersionVector {
        node: u8,
    },
    Hello {
        node: u8,
    },
    /// Nodes with different bits can't reach each other.
    Partition {
        sides: u8,
    },
    /// A node's store writes one of the transactions: all of it, or the first `count` shards if it fails.
    Write {
        node: u8,
        pick: u8,
        fails: bool,
        count: u8,
    },
    /// A node hears that one of its transactions was written.
    Confirm {
        node: u8,
    },
    Backup {
        node: u8,
    },
    Crash {
        node: u8,
        then: Then,
    },
    /// A node ends as a program should, with a store that works.
    ShutDown {
        node: u8,
        then: Then,
    },
    Join {
        stores: bool,
    },
    Refetch {
        node: u8,
        pick: u8,
        peer: u8,
    },
    Audit {
        node: u8,
        shard: u8,
    },
    /// A node is asked for a frame, which is checked.
    Probe {
        node: u8,
        pick: u8,
        since: u8,
    },
}

/// What happens after a node has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Nothing,
    Anew,
    Restore,
    RestoreBackup,
    Resume,
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        1 => Just(Then::Nothing),
        2 => Just(Then::Anew),
        2 => Just(Then::Restore),
        2 => Just(Then::RestoreBackup),
        3 => Just(Then::Resume),
    ]
}

/// How long a node did nothing.
fn millis() -> impl Strategy<Value = u16> {
    prop_oneof![3 => Just(0), 5 => 1..20u16, 3 => 20..200u16, 1 => 200..3_000u16]
}

fn step() -> impl Strategy<Value = Step> {
    let node = any::<u8>;
    prop_oneof![
        12 => (node(), any::<u8>(), any::<u8>()).prop_map(|(node, addr, delta)| Step::Accum { node, addr, delta }),
        8 => node().prop_map(|node| Step::Tick { node }),
        2 => (node(), any::<u8>(), any::<u8>()).prop_map(|(node, addr, value)| Step::Put { node, addr, value }),
        4 => (node(), any::<u8>(), any::<u8>()).prop_map(|(node, addr, value)| Step::Load { node, addr, value }),
        14 => (node(), millis()).prop_map(|(node, millis)| Step::Turn { node, millis }),
        20 => (any::<u16>(), any::<bool>()).prop_map(|(pick, stays)| Step::Deliver { pick, stays }),
        4 => (node(), node()).prop_map(|(node, peer)| Step::Sync { node, peer }),
        5 => any::<u16>().prop_map(|pick| Step::Drop { pick }),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(pick, bit)| Step::Damage { pick, bit }),
        3 => (any::<u16>(), node(), node()).prop_map(|(pick, node, peer)| Step::Old { pick, node, peer }),
        2 => (node(), 0..4u8).prop_map(|(node, digests)| Step::Heartbeat { node, digests }),
        2 => node().prop_map(|node| Step::VersionVector { node }),
        1 => node().prop_map(|node| Step::Hello { node }),
        1 => prop_oneof![Just(0), any::<u8>()].prop_map(|sides| Step::Partition { sides }),
        6 => (node(), any::<u8>(), prop::bool::weighted(0.2), any::<u8>())
            .prop_map(|(node, pick, fails, count)| Step::Write { node, pick, fails, count }),
        6 => node().prop_map(|node| Step::Confirm { node }),
        1 => node().prop_map(|node| Step::Backup { node }),
        2 => (node(), then()).prop_map(|(node, then)| Step::Crash { node, then }),
        1 => (node(), then()).prop_map(|(node, then)| Step::ShutDown { node, then }),
        1 => any::<bool>().prop_map(|stores| Step::Join { stores }),
        1 => (node(), any::<u8>(), node()).prop_map(|(node, pick, peer)| Step::Refetch { node, pick, peer }),
        1 => (node(), any::<u8>()).prop_map(|(node, shard)| Step::Audit { node, shard }),
        2 => (node(), any::<u8>(), any::<u8>())
            .prop_map(|(node, pick, since)| Step::Probe { node, pick, since }),
    ]
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(step(), 10..160);
    let shard_words = prop_oneof![1 => Just(16), 1 => Just(32), 2 => Just(64), 3 => Just(128)];
    let sizes = (1..=8usize, 1..=4usize, shard_words, 2..=6usize);
    (any::<bool>(), any::<bool>(), sizes, any::<u8>(), steps).prop_map(
        |(adds, has_base, (addrs, deltas, shard_words, nodes), stores, steps)| Case {
            adds,
            has_base,
            addrs,
            deltas,
            shard_words,
            nodes,
            stores,
            steps,
        },
    )
}
