//! Starts that have ended leave nothing.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};

use crate::grown;

const LEN: usize = 4_096;
const MEMBERS: [u64; 3] = [1, 2, 3];

/// A start that has written to a thousand addresses.
fn start(node: u64, incarnation: u64) -> Replica<Add> {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let cluster = ClusterConfig::new("memory", LEN).with_shard_words(64).with_members(MEMBERS);
    let mut replica = Replica::new(&cluster, Arc::clone(&local), ReplicaId { node, incarnation }).unwrap();
    let mut producer = local.producer();
    (0..1_000).for_each(|addr| producer.accum(addr * 4, 1));
    drop(producer);
    replica.tick();
    replica
}

/// Exchanges everything until nothing is left to send.
fn settle(nodes: &mut [Replica<Add>], now: Duration) {
    for node in nodes.iter_mut() {
        node.hello(Recipient::All);
        node.send_version_vector(Recipient::All);
    }
    let mut is_quiet = false;
    while !is_quiet {
        is_quiet = true;
        for from in 0..nodes.len() {
            nodes[from].heartbeat(0);
            let packets: Vec<_> = std::iter::from_fn(|| nodes[from].poll_transmit()).collect();
            is_quiet &= packets.is_empty();
            for (recipient, packet) in packets {
                for to in (0..nodes.len()).filter(|&to| to != from) {
                    if [Recipient::All, Recipient::Peer(Peer(to as u64))].contains(&recipient) {
                        nodes[to].receive(now, Peer(from as u64), &packet).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_cluster_takes_as_much_after_hundreds_of_starts_as_after_ten() {
    let mut nodes: Vec<Replica<Add>> = MEMBERS.map(|node| start(node, 1)).into();
    nodes.iter_mut().for_each(Replica::end_wait);
    settle(&mut nodes, Duration::ZERO);
    let mut turn = 0;
    let mut restart = |nodes: &mut Vec<Replica<Add>>, count: u64| {
        for _ in 0..count {
            turn += 1;
            let at = turn % 3;
            nodes[at as usize] = start(at + 1, turn + 1);
            settle(nodes, Duration::from_secs(turn));
            let origins = |node: &Replica<Add>| node.origins();
            assert_eq!(nodes.iter().map(origins).collect::<Vec<_>>(), [3; 3], "after {turn} starts");
        }
    };
    let (ten, _, ()) = grown(|| restart(&mut nodes, 10));
    let (more, _, ()) = grown(|| restart(&mut nodes, 150));
    let planes: usize = nodes.len() * MEMBERS.len() * LEN * 8;
    println!("{ten} bytes more after ten starts, {more} more after 150 others; planes of {planes}");
    assert!(more <= planes / 5, "{more} bytes more");
    let states = nodes[0].merged();
    assert_eq!((states[0], states[1], states[3_996], states[4_000]), (163, 0, 163, 0));
}
