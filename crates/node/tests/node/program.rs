//! The program around the cache: options, signals, metrics and the demonstration.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::{alone, command};

fn refusal(arguments: &str) -> String {
    let output = command(arguments).env_remove("ATOMIK_PASSWORD").output().unwrap();
    assert!(!output.status.success(), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn options_that_can_not_be_used_are_named() {
    assert_eq!(refusal(""), "atomik-node: --id is missing: the number of this node\n");
    assert!(refusal("--id x").contains("--id"));
    assert!(refusal("--id 1 --lenght 5").contains("--lenght"));
    assert!(refusal("--id 1 --redis 0.0.0.0:0").contains("password"));
    let taken = alone("");
    let error = refusal(&format!("--id 1 --redis {}", taken.address("redis")));
    assert!(error.starts_with("atomik-node: --redis 127.0.0.1:"), "{error}");
    assert!(refusal("--id 1 --redis 127.0.0.1:0 --store /nowhere/at/all.db").contains("/nowhere/at/all.db"));
}

#[test]
fn a_node_that_is_told_to_end_has_stored_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("--store {}", folder.path().join("node.db").display());
    for round in 1..=3 {
        let node = alone(&store);
        let mut client = node.client();
        assert_eq!(client.call("INCRBY 7 10"), format!(":{}\r\n", 10 * round));
        assert_eq!(node.terminate(), Some(0));
    }
}

#[test]
fn metrics_and_health_are_served() {
    let node = alone("--http 127.0.0.1:0");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(node.address("http")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    };
    let metrics = get("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
    for line in [
        "\n# TYPE atomik_node_packets_sent_total counter\natomik_node_packets_sent_total ",
        "\n# TYPE atomik_node_connections gauge\natomik_node_connections 0\n",
        "\n# TYPE atomik_node_peers gauge\natomik_node_peers 0\n",
    ] {
        assert!(metrics.contains(line), "{line:?} is not in {metrics}");
    }
    assert!(get("/healthz").ends_with("\r\n\r\nok\n"));
    assert!(get("/other").starts_with("HTTP/1.1 404"));
}

#[test]
fn the_demonstration_agrees_with_its_account() {
    let output = command("--demo").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        shown.contains("node 3 is killed") && shown.ends_with("All nodes agree with the account.\n"),
        "{shown}"
    );
}
