//! Nodes on loopback: they converge over everything that carries their packets, and nothing from outside harms them.

mod converging;
mod hostile;
#[cfg(feature = "nats")]
mod nats;
mod proxy;
mod restarts;
#[cfg(feature = "tls")]
mod tls;

use std::future::Future;
use std::time::Duration;

use atomik_core::Add;
use atomik_net::{Builder, Node};
use atomik_replica::{ClusterConfig, Timing};

const LEN: usize = 1_000;
const ANY: &str = "127.0.0.1:0";

fn cluster() -> ClusterConfig {
    let timing = Timing::new()
        .with_heartbeat(Duration::from_millis(100))
        .with_version_vector(Duration::from_millis(300))
        .with_listening(Duration::from_millis(500))
        .with_waiting(Duration::from_millis(500));
    ClusterConfig::new("tests", LEN).with_shard_words(256).with_timing(timing).with_members([1, 2, 3])
}

fn builder(node: u64) -> Builder<Add> {
    Node::builder(cluster(), node)
}

fn address(node: &Node<Add>) -> String {
    node.local_addr().expect("it listens").to_string()
}

/// Three nodes, of which each is connected with the others.
async fn three() -> Vec<Node<Add>> {
    let mut nodes: Vec<Node<Add>> = Vec::new();
    for number in 1..=3 {
        let earlier = nodes.iter().map(address).collect::<Vec<_>>();
        let builder =
            earlier.iter().fold(builder(number).listen(ANY), |builder, earlier| builder.peer(earlier));
        nodes.push(builder.start().await.unwrap());
    }
    for node in &nodes {
        in_time("nodes connect", node.reached(2)).await.unwrap();
    }
    nodes
}

/// What comes in time, or a panic that says what did not.
async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(40), future).await {
        Ok(done) => done,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    in_time(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
