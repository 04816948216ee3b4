//! Replicas by their public calls: what they promise, and what they refuse.

mod bounds;
mod catching_up;
mod clones;
#[cfg(feature = "damage")]
mod damage;
mod docs;
mod folding;
mod growing;
mod hearing;
mod lifetimes;
mod named_folds;
mod refetch;
mod refusals;
mod starts;
mod states;
mod store;
mod traffic;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, Algebra, TableFanIn, TableProducer};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};

const LEN: usize = 1_000;

/// The time in tests that don't wait for a timer.
const NOW: Duration = Duration::ZERO;

fn cluster() -> ClusterConfig {
    ClusterConfig::new("tests", LEN).with_shard_words(64)
}

fn origin(node: u64) -> ReplicaId {
    ReplicaId { node, incarnation: 1 }
}

/// A replica without a store, and a producer of its fan-in.
fn node<A: Algebra>(node: u64) -> (Replica<A>, TableProducer<'static, A>) {
    let local = Arc::new(TableFanIn::new(LEN));
    let producer = local.producer_owned();
    (Replica::new(&cluster(), local, origin(node)).unwrap(), producer)
}

/// All packets that wait, as one packet: a packet is any sequence of sections.
fn sent<A: Algebra>(replica: &mut Replica<A>) -> Vec<u8> {
    std::iter::from_fn(|| replica.poll_transmit()).flat_map(|(_, packet)| packet).collect()
}

/// Passes a version vector to `late`, its requests back, and the answers. Returns the bytes of requests and answers.
fn catch_up<A: Algebra>(late: &mut Replica<A>, from: &mut Replica<A>) -> usize {
    late.receive(NOW, Peer(1), &from.version_vector_packets().concat()).unwrap();
    let requests = sent(late);
    from.receive(NOW, Peer(2), &requests).unwrap();
    let answers = sent(from);
    late.receive(NOW, Peer(1), &answers).unwrap();
    requests.len() + answers.len()
}

/// Exchanges version vectors and answers both ways until nothing is left to send.
fn exchange(one: &mut Replica<Add>, two: &mut Replica<Add>) {
    for replica in [&mut *one, &mut *two] {
        replica.tick();
        replica.send_version_vector(Recipient::All);
    }
    loop {
        let (from_one, from_two) = (sent(one), sent(two));
        if from_one.is_empty() && from_two.is_empty() {
            return;
        }
        two.receive(NOW, Peer(1), &from_one).unwrap();
        one.receive(NOW, Peer(2), &from_two).unwrap();
    }
}
