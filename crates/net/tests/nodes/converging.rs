//! Nodes that work.

use std::thread;
use std::time::Duration;

use atomik_core::Add;
use atomik_net::{Node, NodeError};
use atomik_replica::ReplicaError;

use crate::{ANY, LEN, address, builder, in_time, three, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_threads_of_three_nodes_write_is_everywhere() {
    let nodes = three().await;
    let threads: Vec<_> = (0..6)
        .map(|thread| {
            let mut producer = nodes[thread % 3].producer();
            thread::spawn(move || (0..10_000).for_each(|count| producer.accum(count % LEN, 1)))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for node in &nodes {
        in_time("the others have it", node.converged()).await.unwrap();
    }
    for node in &nodes {
        assert!((0..LEN).all(|addr| node.view().read(addr) == 60), "{node:?}");
        assert_eq!(node.digest().await, nodes[0].digest().await);
        let stats = node.stats();
        assert!(stats.packets_sent > 0 && stats.frames_applied > 0, "{stats:?}");
        assert_eq!((stats.refused_packets, stats.dropped_slow), (0, 0), "{stats:?}");
    }
    for node in nodes {
        in_time("it ends", node.shutdown()).await;
    }
}

#[tokio::test]
async fn a_load_is_set_everywhere_and_refused_beyond_the_table() {
    let nodes = three().await;
    nodes[0].load(7, 70).await.unwrap();
    in_time("the others have it", nodes[0].converged()).await.unwrap();
    nodes[1].producer().accum(7, 5);
    nodes[2].put(8, 80).await.unwrap();
    for node in &nodes {
        until("the states arrive", || [7, 8].map(|addr| node.view().read(addr)) == [75, 80]).await;
    }
    let error = nodes[0].load(LEN, 1).await.unwrap_err();
    assert_eq!(error, NodeError::Replica(ReplicaError::Address { addr: LEN, len: LEN }));
    // All of them or none.
    assert!(nodes[0].load_many(vec![(9, 1), (LEN, 1)]).await.is_err());
    assert_eq!(nodes[0].view().read(9), 0);
}

#[tokio::test]
async fn changes_compose_for_those_who_read_them_late() {
    let nodes = three().await;
    let mut changes = nodes[1].changes();
    let mut producer = nodes[0].producer();
    for round in 1..=10 {
        producer.accum(3, round);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    until("they arrive", || nodes[1].view().read(3) == 55).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let batch = in_time("there are changes", changes.next()).await.unwrap();
    assert_eq!((batch.addresses(), batch.deltas()), (&[3][..], &[55][..]));
    let node = nodes[1].clone();
    let end = tokio::spawn(async move { node.shutdown().await });
    assert_eq!(in_time("the changes end with the node", changes.next()).await, None);
    end.await.unwrap();
    assert_eq!(nodes[1].load(1, 1).await, Err(NodeError::Ended));
}

#[tokio::test]
async fn nodes_converge_over_datagrams_alone() {
    let one = builder(1).udp(ANY).start().await.unwrap();
    let other_address = one.udp_addr().unwrap().to_string();
    let two = builder(2).udp(ANY).udp_peer(&other_address).start().await.unwrap();
    // Frames of many datagrams, in both directions.
    let (mut here, mut there) = (one.producer(), two.producer());
    for addr in 0..LEN {
        here.accum(addr, 1);
        there.accum(addr, 2);
    }
    for node in [&one, &two] {
        until("datagrams arrive", || (0..LEN).all(|addr| node.view().read(addr) == 3)).await;
    }
    assert!(one.peers().is_empty() && two.peers().is_empty(), "nobody is connected");
    assert!(one.stats().packets_sent > 0 && two.stats().packets_received > 0);
}

#[tokio::test]
async fn a_node_that_connects_to_itself_notices() {
    let node = builder(1).listen(ANY).start().await.unwrap();
    node.connect(&address(&node));
    until("it is refused", || node.stats().refused_self > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stats = node.stats();
    assert!(stats.connections_made == 1 && stats.connections == 0, "it does not try again: {stats:?}");
}

#[tokio::test]
async fn two_connections_between_two_nodes_do_no_harm() {
    let one = builder(1).listen(ANY).start().await.unwrap();
    let two = builder(2).listen(ANY).peer(&address(&one)).start().await.unwrap();
    one.connect(&address(&two));
    until("there are two", || one.stats().connections == 2 && two.stats().connections == 2).await;
    one.producer().accum(1, 10);
    two.producer().accum(1, 20);
    for node in [&one, &two] {
        until("the states arrive", || node.view().read(1) == 30).await;
        assert_eq!(node.peers().len(), 1);
    }
}

#[tokio::test]
async fn nobody_is_waited_for_where_nobody_is_reached() {
    let node = builder(1).start().await.unwrap();
    node.producer().accum(1, 1);
    assert_eq!(in_time("nobody is there", node.converged()).await, Ok(0));
    in_time("it ends at once", node.shutdown()).await;
}

#[tokio::test]
async fn a_node_that_can_not_start_says_why() {
    let taken = builder(1).listen(ANY).start().await.unwrap();
    let error = builder(2).listen(&address(&taken)).start().await.unwrap_err();
    assert_eq!(error.to_string(), format!("can't listen on {}", address(&taken)));
    let error = builder(2).listen("127.0.0.1").start().await.unwrap_err();
    assert_eq!(error.to_string(), "\"127.0.0.1\" is no address that can be used");
    let cluster = crate::cluster().with_shard_words(100);
    let error = Node::<Add>::builder(cluster, 1).start().await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("100"), "{error:?}");
}
