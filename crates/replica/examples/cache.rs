//! A cache on three nodes. Each node can write, and all nodes read.
//!
//! `cargo run -p atomik-replica --example cache`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{TableFanIn, Xor};
use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};

/// Nothing here waits for a timer, so the time stands still.
const NOW: Duration = Duration::ZERO;

struct Nodes([Replica<Xor>; 3]);

impl Nodes {
    /// Carries the packets of each node to the others, as a transport does over sockets.
    fn exchange(&mut self) -> Result<(), Box<dyn Error>> {
        for from in 0..3 {
            while let Some((_, packet)) = self.0[from].poll_transmit() {
                for to in (0..3).filter(|&to| to != from) {
                    self.0[to].receive(NOW, Peer(from as u64), &packet)?;
                }
            }
        }
        Ok(())
    }

    /// Prints the value of a key at each node, and checks it.
    fn show(&self, what: &str, key: usize, expected: u64) {
        let values = self.0.each_ref().map(|node| node.view().read(key));
        println!("{what:<34} key {key}: {:#x} {:#x} {:#x}", values[0], values[1], values[2]);
        assert_eq!(values, [expected; 3]);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let cluster = ClusterConfig::new("cache", 256);
    let start = |node| Replica::new(&cluster, Arc::new(TableFanIn::new(256)), ReplicaId::draw(node));
    let mut nodes = Nodes([start(0)?, start(1)?, start(2)?]);

    nodes.0[0].put(0, 0xCAFE_BABE)?;
    nodes.exchange()?;
    nodes.show("node 0 puts", 0, 0xCAFE_BABE);
    nodes.0[1].put(0, 0xDEAD_BEEF)?;
    nodes.exchange()?;
    nodes.show("node 1 puts", 0, 0xDEAD_BEEF);

    nodes.0[0].put(1, 0x1111)?;
    nodes.0[2].put(2, 0x2222)?;
    nodes.exchange()?;
    nodes.show("two keys at once", 1, 0x1111);
    nodes.show("two keys at once", 2, 0x2222);

    // Both puts are deltas from 0xDEADBEEF. They compose to a value that neither node wrote.
    nodes.0[0].put(0, 0xAAAA)?;
    nodes.0[1].put(0, 0xBBBB)?;
    nodes.exchange()?;
    nodes.show("the same key at once, by put", 0, 0xAAAA ^ 0xBBBB ^ 0xDEAD_BEEF);

    // One of the LOADs wins, the same one at every node.
    nodes.0[0].load(0, 0xAAAA)?;
    nodes.0[1].load(0, 0xBBBB)?;
    nodes.exchange()?;
    nodes.show("the same key at once, by load", 0, 0xBBBB);
    Ok(())
}
