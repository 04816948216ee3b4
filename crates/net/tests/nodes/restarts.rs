//! Nodes that end in any way and start again.

use std::time::Duration;

use atomik_core::Add;
use atomik_net::Node;
use tokio::time::sleep;

use crate::{ANY, address, builder, in_time, three, until};

/// Whether a node holds one plane for each of these nodes, by what it answers.
async fn equal(nodes: &[&Node<Add>]) {
    for node in nodes {
        in_time("the others have it", node.converged()).await.unwrap();
    }
    let mut digests = Vec::new();
    for node in nodes {
        digests.push(node.digest().await.unwrap());
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[tokio::test]
async fn a_node_with_a_store_has_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.db");
    for round in 1..=3 {
        let node = builder(1).store(&path).start().await.unwrap();
        assert_eq!(node.view().read(5), 10 * (round - 1));
        node.producer().accum(5, 10);
        in_time("it ends", node.shutdown()).await;
    }
}

#[tokio::test]
async fn a_node_without_a_store_gets_back_what_others_have_of_it() {
    let mut nodes = three().await;
    nodes[0].producer().accum(5, 10);
    nodes[1].producer().accum(5, 100);
    in_time("the others have it", nodes[0].converged()).await.unwrap();
    in_time("the others have it", nodes[1].converged()).await.unwrap();
    let peers = [address(&nodes[1]), address(&nodes[2])];
    for start in 1..=3 {
        // As in a crash: nothing more is said.
        drop(nodes.remove(0));
        let node = builder(1).peer(&peers[0]).peer(&peers[1]).start().await.unwrap();
        in_time("it hears of what there was", node.reached(2)).await.unwrap();
        until("it is here", || node.view().read(5) == 110 + 10 * (start - 1)).await;
        node.producer().accum(5, 10);
        nodes.insert(0, node);
        equal(&nodes.iter().collect::<Vec<_>>()).await;
        assert!(nodes.iter().all(|node| node.view().read(5) == 110 + 10 * start));
    }
}

#[tokio::test]
async fn a_second_program_under_one_name_takes_over_and_the_first_goes_on() {
    let nodes = three().await;
    nodes[0].producer().accum(5, 10);
    in_time("the others have it", nodes[0].converged()).await.unwrap();
    sleep(Duration::from_millis(5)).await;
    let second = builder(1).peer(&address(&nodes[1])).start().await.unwrap();
    until("one of them is told", || nodes[0].stats().renewals + second.stats().renewals > 0).await;
    nodes[0].producer().accum(5, 1);
    second.producer().accum(5, 100);
    for node in [&nodes[1], &nodes[2]] {
        until("nothing that either ticked is lost or twice", || node.view().read(5) == 111).await;
    }
}

#[tokio::test]
async fn an_older_copy_of_a_store_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("node.db"), folder.path().join("backup.db"));
    let two = builder(2).listen(ANY).start().await.unwrap();
    let start = || builder(1).store(&path).peer(&address(&two));
    let node = start().start().await.unwrap();
    node.producer().accum(5, 1);
    in_time("it is stored", node.converged()).await.unwrap();
    in_time("it ends", node.shutdown()).await;
    std::fs::copy(&path, &backup).unwrap();
    let node = start().start().await.unwrap();
    in_time("they connect", node.reached(1)).await.unwrap();
    node.producer().accum(5, 2);
    until("it arrives", || two.view().read(5) == 3).await;
    in_time("it ends", node.shutdown()).await;
    for name in ["node.db-wal", "node.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    std::fs::copy(&backup, &path).unwrap();
    let node = start().start().await.unwrap();
    until("the peer has what the copy lacks", || node.view().read(5) == 3).await;
    node.producer().accum(5, 4);
    until("nothing is there twice", || two.view().read(5) == 7).await;
}

#[tokio::test]
async fn a_member_that_is_dropped_is_not_waited_for() {
    let nodes = three().await;
    for node in &nodes {
        node.set_members([1, 2]).await.unwrap();
    }
    nodes[2].producer().accum(1, 7);
    until("it is read all the same", || nodes[0].view().read(1) == 7).await;
}
