//! Servers that are killed, come back with what they had, with less or with nothing, or are not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use atomik_core::Add;
use atomik_net::{Nats, Node};
use atomik_replica::{ClusterConfig, Timing};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::server::copy;
use super::{Server, builder, has, reads, start};
use crate::{LEN, cluster, in_time, until};

/// Writes to a node until it is told to end. Returns what it wrote to each address.
fn write(node: &Node<Add>, seed: u64, end: Arc<AtomicBool>) -> JoinHandle<Vec<u64>> {
    let mut producer = node.producer();
    tokio::spawn(async move {
        let (mut state, mut account) = (seed, vec![0; LEN]);
        while !end.load(Ordering::Relaxed) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (addr, delta) = ((state >> 33) as usize % LEN, 1 + (state >> 20) % 100);
            producer.accum(addr, delta);
            account[addr] += delta;
            sleep(Duration::from_millis(1)).await;
        }
        account
    })
}

/// What the store of the server is when it comes back.
#[derive(Clone, Copy, PartialEq)]
enum Store {
    Kept,
    Older,
    Empty,
}

/// Kills a server while two nodes write and one ends, brings it back, and asks a node that comes after all others have
/// ended.
async fn outage(store: Store) {
    let mut server = Server::start();
    let nodes = [start(1, &server).await, start(2, &server).await];
    for node in &nodes {
        in_time("they hear each other", node.reached(1)).await.unwrap();
    }
    let end = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (1..).zip(&nodes).map(|(seed, node)| write(node, seed, Arc::clone(&end))).collect();
    sleep(Duration::from_millis(500)).await;
    let copied = tempfile::tempdir().unwrap();
    if store == Store::Older {
        // A backup of a server that runs has no chance to be whole.
        server.kill();
        copy(&server.store(), copied.path());
        server.run();
    }
    let before = nodes.each_ref().map(|node| node.stats().nats_put);
    until("the stream gets more", || {
        nodes.iter().zip(before).all(|(node, before)| node.stats().nats_put >= before + 3)
    })
    .await;
    server.kill();
    sleep(Duration::from_millis(300)).await;
    if store != Store::Kept {
        std::fs::remove_dir_all(server.store()).unwrap();
    }
    if store == Store::Older {
        copy(copied.path(), &server.store());
    }
    server.run();
    sleep(Duration::from_millis(500)).await;
    end.store(true, Ordering::Relaxed);
    let mut account = vec![0; LEN];
    for writer in writers {
        let written = writer.await.unwrap();
        account.iter_mut().zip(written).for_each(|(sum, written)| *sum += written);
    }
    let account: Vec<(usize, u64)> = account.into_iter().enumerate().collect();
    for node in &nodes {
        reads(node, &account).await;
    }
    let connected = nodes[0].stats().nats_connected;
    assert!(connected >= 2, "{connected}");
    for node in nodes {
        in_time("it ends", node.shutdown()).await;
    }
    let three = start(3, &server).await;
    reads(&three, &account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_server_that_is_killed_and_comes_back() {
    outage(Store::Kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_server_that_comes_back_with_an_older_store() {
    outage(Store::Older).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_server_that_comes_back_with_nothing() {
    outage(Store::Empty).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_server_that_is_not_there_at_first() {
    let mut server = Server::stopped("");
    let one = builder(1, &server).listen("127.0.0.1:0").start().await.unwrap();
    let address = one.local_addr().unwrap().to_string();
    let two = builder(2, &server).peer(&address).start().await.unwrap();
    in_time("they connect", two.reached(1)).await.unwrap();
    in_time("they connect", one.reached(1)).await.unwrap();
    one.producer().accum(5, 10);
    reads(&two, &[(5, 10)]).await;
    server.run();
    has(&server.context().await, 1).await;
    let three = start(3, &server).await;
    in_time("it hears them", three.reached(2)).await.unwrap();
    reads(&three, &[(5, 10)]).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn nodes_that_say_little_hear_each_other_when_the_server_comes() {
    let mut server = Server::stopped("");
    let minute = Duration::from_secs(60);
    let timing = Timing::new().with_heartbeat(minute).with_version_vector(minute);
    let start = async |node| {
        let nats = Nats::new(&server.url()).interval(Duration::from_millis(100));
        let builder =
            Node::<Add>::builder(ClusterConfig::new("tests", LEN).with_timing(timing), node).nats(nats);
        builder.silence(Duration::from_secs(2)).start().await.unwrap()
    };
    let nodes = [start(1).await, start(2).await];
    // What they say when they start is over.
    sleep(Duration::from_secs(6)).await;
    server.run();
    for node in &nodes {
        in_time("they hear each other", async {
            while node.peers().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

/// A server that stops reading: nobody waits for it, and what waits for it is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_server_that_hangs() {
    let server = Server::start();
    // Nobody asks on their own.
    let hour = Duration::from_secs(3_600);
    let timing = Timing::new().with_heartbeat(hour).with_version_vector(hour);
    let start = async |node, max_waiting| {
        let builder = Node::<Add>::builder(cluster().with_timing(timing), node).max_waiting(max_waiting);
        builder.silence(Duration::from_secs(2)).nats(Nats::new(&server.url())).start().await.unwrap()
    };
    let (one, two) = (start(1, 100_000).await, start(2, 8 << 20).await);
    for node in [&one, &two] {
        in_time("they hear each other", node.reached(1)).await.unwrap();
    }
    server.signal("STOP");
    let written = AtomicU64::new(0);
    let mut producer = one.producer();
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        for addr in 0..LEN {
            producer.accum(addr, 1);
        }
        written.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(5)).await;
    }
    in_time("the node answers", one.answers()).await.unwrap();
    let dropped = one.stats().dropped_slow + one.stats().dropped_unreachable;
    assert!(dropped > 0, "{:?}", one.stats());
    server.signal("CONT");
    let account: Vec<(usize, u64)> = (0..LEN).map(|addr| (addr, written.load(Ordering::Relaxed))).collect();
    reads(&two, &account).await;
}
