//! What may happen to a cluster.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) adds: bool,
    pub(super) has_base: bool,
    /// How many addresses are used, and how many deltas: with few they often cancel.
    pub(super) addrs: usize,
    pub(super) deltas: usize,
    /// Blocks of 64 words in a shard.
    pub(super) shard_blocks: usize,
    pub(super) nodes: usize,
    /// A bit for each node that has a store.
    pub(super) stores: u8,
    pub(super) steps: Vec<Step>,
}

/// A step. `node`, `peer` and `pick` count modulo what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
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
    /// Everything that waits goes into the network.
    Send {
        node: u8,
    },
    /// A packet arrives; it may stay in the network, to arrive again.
    Deliver {
        pick: u16,
        stays: bool,
    },
    Drop {
        pick: u16,
    },
    /// A node gets a peer's vector, asks it, and gets the answers.
    Sync {
        node: u8,
        peer: u8,
    },
    /// A packet arrives with one bit flipped.
    Damage {
        pick: u16,
        bit: u16,
    },
    /// Any packet that was ever sent comes to any node, in anyone's name.
    Old {
        pick: u16,
        node: u8,
        peer: u8,
    },
    Heartbeat {
        node: u8,
        digests: u8,
    },
    Vector {
        node: u8,
    },
    Hello {
        node: u8,
    },
    /// Nodes of different bits can't reach each other.
    Partition {
        sides: u8,
    },
    /// Shards are handed out and the first of them written: all, unless `fails`.
    Write {
        node: u8,
        fails: bool,
        count: u8,
    },
    /// The last transaction is confirmed, if it was written.
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
    /// What a node would answer is looked at.
    Probe {
        node: u8,
        pick: u8,
        since: u8,
    },
}

/// What follows a crash.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
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

fn step() -> impl Strategy<Value = Step> {
    let node = any::<u8>;
    prop_oneof![
        12 => (node(), any::<u8>(), any::<u8>()).prop_map(|(node, addr, delta)| Step::Accum { node, addr, delta }),
        8 => node().prop_map(|node| Step::Tick { node }),
        2 => (node(), any::<u8>(), any::<u8>()).prop_map(|(node, addr, value)| Step::Put { node, addr, value }),
        4 => (node(), any::<u8>(), any::<u8>()).prop_map(|(node, addr, value)| Step::Load { node, addr, value }),
        10 => node().prop_map(|node| Step::Send { node }),
        20 => (any::<u16>(), any::<bool>()).prop_map(|(pick, stays)| Step::Deliver { pick, stays }),
        4 => (node(), node()).prop_map(|(node, peer)| Step::Sync { node, peer }),
        5 => any::<u16>().prop_map(|pick| Step::Drop { pick }),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(pick, bit)| Step::Damage { pick, bit }),
        3 => (any::<u16>(), node(), node()).prop_map(|(pick, node, peer)| Step::Old { pick, node, peer }),
        2 => (node(), 0..4u8).prop_map(|(node, digests)| Step::Heartbeat { node, digests }),
        2 => node().prop_map(|node| Step::Vector { node }),
        1 => node().prop_map(|node| Step::Hello { node }),
        1 => prop_oneof![Just(0), any::<u8>()].prop_map(|sides| Step::Partition { sides }),
        6 => (node(), prop::bool::weighted(0.2), any::<u8>())
            .prop_map(|(node, fails, count)| Step::Write { node, fails, count }),
        6 => node().prop_map(|node| Step::Confirm { node }),
        1 => node().prop_map(|node| Step::Backup { node }),
        2 => (node(), then()).prop_map(|(node, then)| Step::Crash { node, then }),
        1 => any::<bool>().prop_map(|stores| Step::Join { stores }),
        1 => (node(), any::<u8>(), node()).prop_map(|(node, pick, peer)| Step::Refetch { node, pick, peer }),
        1 => (node(), any::<u8>()).prop_map(|(node, shard)| Step::Audit { node, shard }),
        2 => (node(), any::<u8>(), any::<u8>())
            .prop_map(|(node, pick, since)| Step::Probe { node, pick, since }),
    ]
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(step(), 10..160);
    let sizes = (1..=8usize, 1..=4usize, 1..=2usize, 2..=6usize);
    (any::<bool>(), any::<bool>(), sizes, any::<u8>(), steps).prop_map(
        |(adds, has_base, (addrs, deltas, shard_blocks, nodes), stores, steps)| Case {
            adds,
            has_base,
            addrs,
            deltas,
            shard_blocks,
            nodes,
            stores,
            steps,
        },
    )
}
