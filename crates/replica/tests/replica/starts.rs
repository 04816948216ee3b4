//! Starts of nodes: their ids.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{TableFanIn, Xor};
use atomik_replica::{Peer, Replica, ReplicaId};

use crate::{LEN, NOW, cluster, node, sent};

#[test]
fn the_ids_of_a_node_grow() {
    let first = ReplicaId::draw(1);
    std::thread::sleep(Duration::from_millis(2));
    assert!(ReplicaId::draw(1) > first);
}

/// The process id would be the same at each start of a container.
#[test]
fn what_a_node_writes_after_each_of_its_starts_arrives() {
    let mut peer = node::<Xor>(2).0;
    for start in 0..5 {
        let local = Arc::new(TableFanIn::<Xor>::new(LEN));
        let mut one = Replica::new(&cluster(), local, ReplicaId::draw(1)).unwrap();
        for addr in 0..3 {
            one.put(addr, 1 << start).unwrap();
            assert_eq!(peer.receive(NOW, Peer(1), &sent(&mut one)).unwrap().applied, 1);
        }
    }
    assert_eq!(peer.merged()[..3], [0b11111; 3]);
}
