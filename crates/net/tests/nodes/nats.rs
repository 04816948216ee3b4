//! Nodes and a real server of NATS. `ci/nats.sh` fetches one and runs these, with its path in `ATOMIK_NATS_SERVER`.

mod limits;
mod outages;
mod server;
mod stream;

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::Context;
use atomik_core::Add;
use atomik_net::{Builder, Nats, Node};
use atomik_replica::ReplicaId;
use futures_util::StreamExt;

use crate::cluster;
use server::Server;

/// A node that reaches others through a server only.
fn builder(node: u64, server: &Server) -> Builder<Add> {
    let nats = Nats::new(&server.url()).interval(Duration::from_millis(100));
    crate::builder(node).silence(Duration::from_secs(2)).nats(nats)
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
