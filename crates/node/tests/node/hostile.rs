//! Clients and peers that do what none should.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::{Client, Process, alone, until};

/// How many bytes of memory a process has.
fn memory(node: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

fn serves(node: &Process) {
    assert_eq!(node.client().call("PING"), "+PONG\r\n");
}

#[test]
fn what_is_no_request_is_refused_by_name_and_closed() {
    let node = alone("");
    for (bytes, error) in [
        (&b"*1\r\n$1073741824\r\n"[..], "-ERR Protocol error: invalid bulk length \"1073741824\""),
        (b"*1000000000\r\n", "-ERR Protocol error: invalid multibulk length \"1000000000\""),
        (b"*1\r\n*1\r\n*1\r\n*1\r\n", "-ERR Protocol error: expected '$', got '*'"),
        (
            b"*1\r\n$4\r\nPINGPING\r\n",
            "-ERR Protocol error: a bulk string does not end where its length says",
        ),
    ] {
        let mut client = node.client();
        client.send(b"PING\r\n");
        client.send(bytes);
        assert_eq!((client.reply(), client.reply()), ("+PONG\r\n".to_owned(), format!("{error}\r\n")));
        assert!(client.is_closed());
    }
    let mut client = node.client();
    client.send(&b"*1\r\n".repeat(100_000)[..64_000]);
    assert!(client.reply().contains("expected '$'"));
    let mut client = node.client();
    client.send(&[b'a'; 70_000]);
    assert_eq!(client.reply(), "-ERR Protocol error: too big inline request\r\n");
    serves(&node);
}

#[test]
fn a_request_that_never_ends_takes_bounded_memory() {
    let node = alone("");
    let before = memory(&node);
    let mut clients: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = node.client();
            client.send(b"*65536\r\n");
            client
        })
        .collect();
    let word = [&b"$60000\r\n"[..], &[b'x'; 60_000], b"\r\n"].concat();
    for client in &mut clients {
        // It is closed in the middle of this, so some of it can't be sent.
        while client.0.get_mut().write_all(&word).is_ok() {}
    }
    let took = memory(&node) - before;
    assert!(took < 20 * (10 << 20), "{took} bytes for 20 clients");
    serves(&node);
}

/// A connection of a node with this number, which has said who it is.
fn peer(node: &Process, number: u64) -> TcpStream {
    let mut stream = TcpStream::connect(node.address("listen")).unwrap();
    let mut greeting = [0; 40];
    stream.read_exact(&mut greeting).unwrap();
    greeting[24..32].copy_from_slice(&number.to_be_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&greeting[..12]), &greeting[16..]);
    greeting[12..16].copy_from_slice(&checksum.to_be_bytes());
    stream.write_all(&greeting).unwrap();
    stream
}

#[test]
fn a_thousand_peers_that_announce_long_packets_or_never_read_take_little_memory() {
    let node = Process::start("--id 1 --len 1000000 --redis 127.0.0.1:0 --listen 127.0.0.1:0");
    let mut client = node.client();
    until("it can tick", || client.call("INFO").contains("listening:0"));
    let before = memory(&node);
    // The longest packet of a cluster with these settings has 246 KB.
    let mut announced: Vec<TcpStream> = (100..1_000).map(|number| peer(&node, number)).collect();
    for stream in &mut announced {
        stream.write_all(&240_000_u32.to_be_bytes()).unwrap();
        stream.write_all(&[7; 1_000]).unwrap();
    }
    // And 20 who do not read what a million words are.
    let silent: Vec<TcpStream> = (2_000..2_020).map(|number| peer(&node, number)).collect();
    until("they are taken", || client.call("INFO").contains("connections:920"));
    for key in (0..1_000_000).step_by(100) {
        client.send(format!("INCRBY {key} 1\r\n").as_bytes());
    }
    (0..10_000).for_each(|_| assert!(client.reply().starts_with(':')));
    let took = memory(&node).saturating_sub(before);
    println!("{took} bytes for {} peers", announced.len() + silent.len());
    // The packets would be 216 MB.
    assert!(took < 64 << 20, "{took} bytes");
    serves(&node);
}

#[test]
fn hundreds_of_idle_clients_and_one_that_never_reads_leave_others_alone() {
    let node = alone("");
    let before = memory(&node);
    let mut idle: Vec<Client> = (0..500).map(|_| node.client()).collect();
    idle.iter_mut().step_by(100).for_each(|client| assert_eq!(client.call("PING"), "+PONG\r\n"));
    let took = memory(&node).saturating_sub(before);
    assert!(took < 50 << 20, "{took} bytes for 500 clients");
    let deaf = node.client();
    let mut stream = deaf.0.get_ref().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let requests = "MGET 1 2 3 4 5 6 7 8 9\r\n".repeat(4_000);
    while stream.write_all(requests.as_bytes()).is_ok() {}
    assert!(memory(&node).saturating_sub(before) < 70 << 20);
    serves(&node);
    drop((idle, deaf));
    until("their memory is free", || {
        serves(&node);
        true
    });
}

/// Each connection is a file of this process, and one of the node.
#[test]
#[ignore = "needs `ulimit -n 18000`: ci/nodes.sh"]
fn ten_thousand_connections_leave_others_alone() {
    let node = alone("--listen 127.0.0.1:0");
    let before = memory(&node);
    // Those who say nothing to the node are closed, or wait for the end of its patience, at most 1,024 of them.
    let peers: Vec<_> = (0..5_000).filter_map(|_| TcpStream::connect(node.address("listen")).ok()).collect();
    let mut idle: Vec<Client> = (0..9_900).map(|_| node.client()).collect();
    idle.iter_mut().step_by(500).for_each(|client| assert_eq!(client.call("PING"), "+PONG\r\n"));
    let took = memory(&node).saturating_sub(before);
    println!("{took} bytes for {} peers and {} clients", peers.len(), idle.len());
    assert!(took < 400 << 20, "{took} bytes");
    serves(&node);
    // A hundred more are the most.
    let mut more: Vec<Client> = (0..200).map(|_| node.client()).collect();
    let refused = more.iter_mut().filter_map(|client| {
        client.send(b"PING\r\n");
        (client.reply() != "+PONG\r\n").then_some(())
    });
    assert!(refused.count() >= 90);
    drop((idle, more, peers));
    until("there is room again", || node.client().call("PING") == "+PONG\r\n");
}
