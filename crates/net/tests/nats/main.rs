//! Nodes and a real server of NATS. `ci/nats.sh` fetches one and runs these, with its path in `ATOMIK_NATS_SERVER`.

mod limits;
mod outages;
mod server;
mod stream;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use async_nats::jetstream::Context;
use atomik_core::Add;
use atomik_net::{Builder, Nats, Node};
use atomik_replica::{ClusterConfig, ReplicaId, Timing};
use futures_util::StreamExt;

use server::Server;

const LEN: usize = 1_000;

fn cluster() -> ClusterConfig {
    let timing = Timing::new()
        .with_heartbeat(Duration::from_millis(100))
        .with_version_vector(Duration::from_millis(300))
        .with_listening(Duration::from_millis(500))
        .with_waiting(Duration::from_millis(500));
    ClusterConfig::new("tests", LEN).with_shard_words(256).with_timing(timing).with_members([1, 2, 3])
}

/// A node that reaches others through a server only.
fn builder(node: u64, server: &Server) -> Builder<Add> {
    let nats = Nats::new(&server.url()).interval(Duration::from_millis(100));
    Node::builder(cluster(), node).silence(Duration::from_secs(2)).nats(nats)
}

async fn start(node: u64, server: &Server) -> Node<Add> {
    builder(node, server).start().await.unwrap()
}

/// What the stream has: how many shards, or `None` if there is no stream.
async fn messages(context: &Context) -> Option<u64> {
    let name = stream_name();
    Some(context.get_stream(name).await.ok()?.cached_info().state.messages)
}

/// The name of the stream, as the documentation says.
fn stream_name() -> String {
    format!("atomik-{:016x}-1", cluster().digest())
}

/// Waits until the stream has this many shards.
async fn has(context: &Context, shards: u64) {
    let begin = std::time::Instant::now();
    loop {
        let found = messages(context).await;
        if found == Some(shards) {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(40),
            "the stream has {found:?} and not {shards} shards"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the stream has the shards of this start, and nothing else.
async fn has_only(context: &Context, id: ReplicaId, shards: &[usize]) {
    let prefix =
        format!("atomik.{}.shard.{}.{}.", &stream_name()["atomik-".len()..], id.node, id.incarnation);
    let expected: BTreeSet<String> = shards.iter().map(|shard| format!("{prefix}{shard}")).collect();
    let begin = std::time::Instant::now();
    loop {
        let stream = context.get_stream(stream_name()).await.unwrap();
        let subjects = stream.info_with_subjects(">").await.unwrap();
        let found: BTreeSet<String> = subjects.map(|subject| subject.unwrap().0).collect().await;
        if found == expected {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(40), "the stream has {found:?} and not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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

/// Waits until a node has these values.
async fn reads(node: &Node<Add>, values: &[(usize, u64)]) {
    let begin = std::time::Instant::now();
    while !values.iter().all(|&(addr, value)| node.view().read(addr) == value) {
        let found: Vec<u64> = values.iter().map(|&(addr, _)| node.view().read(addr)).collect();
        assert!(
            begin.elapsed() < Duration::from_secs(40),
            "{} has {found:?} and not {values:?}: {:?}",
            node.id(),
            node.stats()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
