//! Servers, accounts and streams that do not allow what is needed are refused at the start, by name.

use std::error::Error;

use async_nats::jetstream::stream::Config;
use atomik_core::Add;
use atomik_net::{Nats, Node};

use super::{Server, builder, reads, stream_name};
use crate::{LEN, cluster, in_time, until};

/// Why a node does not start.
async fn refused(server: &Server) -> String {
    let error = builder(1, server).start().await.expect_err("it does not start");
    format!("{error}: {}", error.source().expect("it has a reason"))
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_server_that_takes_short_messages_only() {
    let refused = refused(&Server::with_config("max_payload: 8KB")).await;
    assert!(refused.contains("max_payload") && refused.contains("8192"), "{refused}");
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_user_without_jetstream() {
    let server =
        Server::with_config("accounts { A: { users: [{ user: a, password: b }] } }\nno_auth_user: a");
    let refused = refused(&server).await;
    assert!(refused.contains("JetStream"), "{refused}");
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn an_account_that_may_keep_nothing() {
    let config = "accounts { A: { jetstream: { max_file: 1KB }, users: [{ user: a, password: b }] } }\n\
                  no_auth_user: a";
    let refused = refused(&Server::with_config(config)).await;
    assert!(refused.contains("max_storage") && refused.contains("1024"), "{refused}");
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn an_account_that_is_full_is_counted_and_nodes_converge_all_the_same() {
    // Room for the longest message, and not for all that both write.
    let config = "accounts { A: { jetstream: { max_file: 70KB }, users: [{ user: a, password: b }] } }\n\
                  no_auth_user: a";
    let server = Server::with_config(config);
    let nodes = [builder(1, &server).start().await.unwrap(), builder(2, &server).start().await.unwrap()];
    for node in &nodes {
        in_time("they hear each other", node.reached(1)).await.unwrap();
    }
    let loads: Vec<(usize, u64)> = (0..LEN).map(|addr| (addr, 1 + addr as u64)).collect();
    for (writes, has) in [(0, 1), (1, 0)] {
        nodes[writes].load_many(loads.clone()).await.unwrap();
        reads(&nodes[has], &loads).await;
    }
    until("it is counted", || nodes.iter().any(|node| node.stats().nats_failed > 0)).await;
    nodes[1].producer().accum(5, 10);
    reads(&nodes[0], &[(5, 16)]).await;
}

#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_stream_that_someone_else_made() {
    let server = Server::start();
    let subject = format!("atomik.{}.shard.*.*.*", &stream_name()["atomik-".len()..]);
    let config = Config {
        name: stream_name(),
        subjects: vec![subject],
        max_messages_per_subject: 5,
        allow_direct: true,
        ..Config::default()
    };
    let context = server.context().await;
    context.create_stream(config.clone()).await.unwrap();
    let refused = refused(&server).await;
    assert!(refused.contains("max_msgs_per_subject") && refused.contains(&stream_name()), "{refused}");
    context.update_stream(Config { max_messages_per_subject: 1, ..config }).await.unwrap();
    builder(1, &server).start().await.unwrap();
}

/// Those that `docs::nats` names.
#[tokio::test]
#[ignore = "needs a server: ./ci/nats.sh"]
async fn a_user_with_few_permissions_is_enough() {
    let cluster = &stream_name()["atomik-".len()..];
    let server = Server::with_config(&format!(
        "accounts {{ A: {{ jetstream: enabled, users: [{{ user: a, password: b, permissions: {{\n\
         publish: [\"atomik.{cluster}.>\", \"$JS.API.>\"]\n\
         subscribe: [\"atomik.{cluster}.>\", \"_INBOX.>\"]\n\
         }} }}] }} }}\nno_auth_user: a"
    ));
    let one = builder(1, &server).start().await.unwrap();
    let two = builder(2, &server).start().await.unwrap();
    in_time("they hear each other", one.reached(1)).await.unwrap();
    one.producer().accum(5, 10);
    reads(&two, &[(5, 10)]).await;
    until("it is in the stream", || one.stats().nats_put + two.stats().nats_put > 0).await;
    for node in [one, two] {
        assert_eq!(node.stats().nats_failed, 0);
        in_time("it ends", node.shutdown()).await;
    }
    let three = builder(3, &server).start().await.unwrap();
    reads(&three, &[(5, 10)]).await;
}

#[tokio::test]
async fn what_is_no_address_or_no_file() {
    let start = async |nats| {
        let error = Node::<Add>::builder(cluster(), 1).nats(nats).start().await.unwrap_err();
        format!("{error}: {}", error.source().unwrap())
    };
    assert!(start(Nats::new("http://127.0.0.1:1")).await.contains("address of a server"));
    let nats = Nats::new("nats://127.0.0.1:1");
    assert!(start(nats.clone().credentials("/nowhere/a.creds")).await.contains("/nowhere/a.creds"));
    assert!(start(nats.authority("/nowhere/ca.pem")).await.contains("/nowhere/ca.pem"));
    let secret = Nats::new("nats://me:secret@127.0.0.1:1");
    assert!(!format!("{secret:?}").contains("secret"));
}
