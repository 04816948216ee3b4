//! What the stream keeps, and who gets it.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use atomik_core::Add;
use atomik_net::{Nats, Node};
use tokio::time::sleep;

use super::{Server, builder, has, has_only, messages, reads, start, stream_name};
use crate::{LEN, cluster, in_time, until};

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn nodes_converge_through_a_server() {
    let server = Server::start();
    let nodes = [start(1, &server).await, start(2, &server).await, start(3, &server).await];
    for node in &nodes {
        in_time("they hear each other", node.reached(2)).await.unwrap();
    }
    for (addr, node) in (0..).zip(&nodes) {
        node.producer().accum(addr, 1);
        node.producer().accum(500, 10);
    }
    nodes[1].load(7, 77).await.unwrap();
    for node in &nodes {
        in_time("all have it", node.converged()).await.unwrap();
        reads(node, &[(0, 1), (1, 1), (2, 1), (500, 30), (7, 77)]).await;
    }
    // One shard of each node, and the one with 500.
    has(&server.context().await, 6).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_node_that_comes_when_all_others_are_gone_gets_what_they_wrote() {
    let server = Server::start();
    let one = start(1, &server).await;
    until("it can tick", || !one.is_listening()).await;
    for addr in (0..LEN).step_by(100) {
        one.producer().accum(addr, addr as u64);
    }
    one.load(7, 77).await.unwrap();
    // Nobody is there, so it ends as soon as the stream has everything.
    in_time("it ends", one.shutdown()).await;
    has(&server.context().await, 4).await;
    let two = start(2, &server).await;
    reads(&two, &[(100, 100), (900, 900), (7, 77)]).await;
    assert_eq!(two.stats().nats_got, 4, "{:?}", two.stats());
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_node_that_has_an_older_version_gets_the_newer_one() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let start_two = async || builder(2, &server).store(folder.path().join("two.db")).start().await.unwrap();
    let (one, two) = (start(1, &server).await, start_two().await);
    in_time("they hear each other", one.reached(1)).await.unwrap();
    one.producer().accum(5, 10);
    reads(&two, &[(5, 10)]).await;
    in_time("it ends", two.shutdown()).await;
    for _ in 0..3 {
        one.producer().accum(5, 10);
        sleep(Duration::from_millis(50)).await;
    }
    in_time("it ends", one.shutdown()).await;
    reads(&start_two().await, &[(5, 40)]).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn what_a_later_start_has_folded_is_removed() {
    let server = Server::start();
    let others = [start(2, &server).await, start(3, &server).await];
    for start_of_one in 1..=3 {
        let one = start(1, &server).await;
        in_time("they hear each other", one.reached(2)).await.unwrap();
        reads(&one, &[(5, 10 * (start_of_one - 1))]).await;
        one.producer().accum(5, 10);
        in_time("all have it", one.converged()).await.unwrap();
        reads(&others[0], &[(5, 10 * start_of_one)]).await;
        // As in a crash, and after some time the stream has its shard, and none of the starts before.
        has_only(&server.context().await, one.id(), &[0]).await;
        drop(one);
    }
    let four = builder(2, &server).start().await.unwrap();
    reads(&four, &[(5, 30)]).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn what_is_not_a_shard_harms_nothing() {
    let server = Server::start();
    let nodes = [start(1, &server).await, start(2, &server).await];
    in_time("they hear each other", nodes[0].reached(1)).await.unwrap();
    nodes[0].producer().accum(5, 10);
    reads(&nodes[1], &[(5, 10)]).await;
    let context = server.context().await;
    has(&context, 1).await;
    let prefix = format!("atomik.{}", &stream_name()["atomik-".len()..]);
    let client = context.client();
    // Packets that are none, from nobody, and from a node that has no such name.
    for (subject, payload) in [("all.9", "garbage"), ("all.x", "garbage"), ("to.1.9", ""), ("to.1.01", "x")] {
        client.publish(format!("{prefix}.{subject}"), payload.into()).await.unwrap();
    }
    let id = nodes[0].id();
    let own = format!("{prefix}.shard.{}.{}.0", id.node, id.incarnation);
    let put = async |subject: &str, version: Option<&str>, payload: Vec<u8>| {
        let mut message = PublishMessage::build().payload(payload.into());
        if let Some(version) = version {
            message = message.header("Atomik-Version", version);
        }
        context.send_publish(subject.to_owned(), message).await.unwrap().await.unwrap();
    };
    // Shards that are none, without a version, of a start that never was, and in place of one that was there.
    put(&format!("{prefix}.shard.8.8.0"), Some("5"), b"garbage".to_vec()).await;
    put(&format!("{prefix}.shard.8.8.1"), None, b"garbage".to_vec()).await;
    put(&format!("{prefix}.shard.8.8.1000000"), Some("5"), b"garbage".to_vec()).await;
    put(&own, Some("18446744073709551615"), vec![0; 100_000]).await;
    until("they are refused", || nodes.iter().all(|node| node.stats().refused_packets >= 3)).await;
    nodes[1].producer().accum(6, 1);
    reads(&nodes[0], &[(5, 10), (6, 1)]).await;
    // The node puts its own shard again.
    until("it is there again", || nodes[0].stats().nats_put >= 2).await;
    for node in nodes {
        in_time("it ends", node.shutdown()).await;
    }
    let three = start(3, &server).await;
    reads(&three, &[(5, 10), (6, 1)]).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_stream_that_was_emptied_or_deleted_is_filled_again() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    // What the first node wrote, others know only from each other. It is gone.
    let one = start(1, &server).await;
    let two = builder(2, &server).store(folder.path().join("two.db")).start().await.unwrap();
    in_time("they hear each other", one.reached(1)).await.unwrap();
    in_time("they hear each other", two.reached(1)).await.unwrap();
    one.producer().accum(5, 10);
    two.producer().accum(600, 1);
    in_time("all have it", one.converged()).await.unwrap();
    reads(&two, &[(5, 10)]).await;
    drop(one);
    let context = server.context().await;
    has(&context, 2).await;
    let stream = context.get_stream(stream_name()).await.unwrap();
    stream.purge().await.unwrap();
    has(&context, 2).await;
    context.delete_stream(stream_name()).await.unwrap();
    has(&context, 2).await;
    assert!(two.stats().nats_reopened >= 2, "{:?}", two.stats());
    in_time("it ends", two.shutdown()).await;
    let three = start(3, &server).await;
    reads(&three, &[(5, 10), (600, 1)]).await;
    assert_eq!(messages(&context).await, Some(2));
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn what_changes_often_is_put_now_and_then() {
    let server = Server::start();
    let one = start(1, &server).await;
    until("it can tick", || !one.is_listening()).await;
    let mut producer = one.producer();
    for _ in 0..200 {
        producer.accum(5, 1);
        sleep(Duration::from_millis(10)).await;
    }
    // Two seconds, and an interval of a tenth of one.
    let put = one.stats().nats_put;
    assert!((5..=25).contains(&put), "{put}");
    in_time("it ends", one.shutdown()).await;
    let two = start(2, &server).await;
    reads(&two, &[(5, 200)]).await;
    assert_eq!(cluster().len(), LEN);
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn nodes_at_a_leaf_node_use_the_stream_of_the_hub() {
    let (hub, leaf) = Server::hub_and_leaf();
    let one = start(1, &hub).await;
    let nats = Nats::new(&leaf.url()).domain("hub").interval(Duration::from_millis(100));
    let two = builder(2, &leaf).nats(nats).start().await.unwrap();
    converge(&one, &two).await;
    has(&hub.context().await, 2).await;
    assert_eq!(messages(&leaf.context().await).await, None);
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_hub_and_a_leaf_node_may_each_have_a_stream() {
    let (hub, leaf) = Server::hub_and_leaf();
    let (one, two) = (start(1, &hub).await, start(2, &leaf).await);
    converge(&one, &two).await;
    for server in [&hub, &leaf] {
        has(&server.context().await, 2).await;
    }
    for node in [one, two] {
        in_time("it ends", node.shutdown()).await;
    }
    for (node, server) in [(3, &leaf), (4, &hub)] {
        let node = start(node, server).await;
        reads(&node, &[(5, 11)]).await;
        in_time("it ends", node.shutdown()).await;
    }
}

/// Two nodes hear each other and count.
async fn converge(one: &Node<Add>, two: &Node<Add>) {
    for (node, delta) in [(one, 1), (two, 10)] {
        in_time("they hear each other", node.reached(1)).await.unwrap();
        node.producer().accum(5, delta);
    }
    for node in [one, two] {
        reads(node, &[(5, 11)]).await;
    }
}
