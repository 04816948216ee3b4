//! Peers that do what none should: each is refused or bounded by name, and others are served meanwhile.

use std::time::Duration;

use atomik_core::{Add, Xor};
use atomik_net::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};

use crate::{ANY, LEN, address, builder, cluster, in_time, until};

/// Two nodes that are connected, with little patience.
async fn impatient() -> (Node<Add>, Node<Add>) {
    let silence = Duration::from_millis(400);
    let one = builder(1).listen(ANY).silence(silence).start().await.unwrap();
    let two = builder(2).peer(&address(&one)).silence(silence).start().await.unwrap();
    in_time("they connect", one.reached(1)).await.unwrap();
    (one, two)
}

/// What a node of this cluster says first.
async fn greeting(node: &Node<Add>) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(node.local_addr().unwrap()).await.unwrap();
    let mut greeting = vec![0; 40];
    stream.read_exact(&mut greeting).await.unwrap();
    (stream, greeting)
}

/// Puts the right checksum into a greeting that was changed.
fn seal(greeting: &mut [u8]) {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&greeting[..12]), &greeting[16..]);
    greeting[12..16].copy_from_slice(&checksum.to_be_bytes());
}

/// A connection of node 9 that is in use.
async fn stranger(node: &Node<Add>) -> TcpStream {
    let (mut stream, mut greeting) = greeting(node).await;
    greeting[31] = 9;
    seal(&mut greeting);
    stream.write_all(&greeting).await.unwrap();
    stream
}

/// Waits until the other end closes.
async fn closed(stream: &mut TcpStream) {
    let mut bytes = [0; 4_096];
    in_time("the node closes it", async { while stream.read(&mut bytes).await.is_ok_and(|len| len > 0) {} })
        .await;
}

/// Whether the two nodes still serve each other.
async fn serves(one: &Node<Add>, two: &Node<Add>, addr: usize) {
    two.producer().accum(addr, 3);
    until("others are served", || one.view().read(addr) == 3).await;
}

#[tokio::test]
async fn a_peer_of_another_cluster_algebra_or_protocol_is_refused_by_name() {
    let (one, two) = impatient().await;
    for (at, refused) in [(0, "refused_handshake"), (8, "refused_cluster"), (20, "refused_cluster")] {
        let (mut stream, mut greeting) = greeting(&one).await;
        greeting[at] ^= 1;
        seal(&mut greeting);
        stream.write_all(&greeting).await.unwrap();
        closed(&mut stream).await;
        assert!(one.stats().iter().any(|(name, count)| name == refused && count > 0), "{refused}");
    }
    let other = Node::<Xor>::builder(cluster(), 3).peer(&address(&one)).start().await.unwrap();
    until("another algebra is refused", || other.stats().refused_cluster > 0).await;
    serves(&one, &two, 1).await;
}

#[tokio::test]
async fn a_gibibyte_that_is_announced_is_refused_before_it_is_taken() {
    let (one, two) = impatient().await;
    let mut stream = stranger(&one).await;
    stream.write_all(&(1_u32 << 30).to_be_bytes()).await.unwrap();
    closed(&mut stream).await;
    assert_eq!(one.stats().refused_length, 1);
    serves(&one, &two, 1).await;
}

#[tokio::test]
async fn silence_and_slowness_have_an_end() {
    let (one, two) = impatient().await;
    // Nothing at all; half a greeting; half a length; half a packet; a byte now and then.
    let mut silent = TcpStream::connect(one.local_addr().unwrap()).await.unwrap();
    let (mut half, greeted) = greeting(&one).await;
    half.write_all(&greeted[..20]).await.unwrap();
    let (mut prefix, mut packet, mut slow) =
        (stranger(&one).await, stranger(&one).await, stranger(&one).await);
    prefix.write_all(&[0, 0]).await.unwrap();
    packet.write_all(&[0, 0, 0, 100, 1, 2, 3]).await.unwrap();
    slow.write_all(&[0, 0, 0, 100]).await.unwrap();
    let dripping = async {
        for _ in 0..100 {
            sleep(Duration::from_millis(50)).await;
            if slow.write_all(&[7]).await.is_err() {
                return;
            }
        }
        panic!("a hundred bytes took five seconds");
    };
    in_time("the slow one is closed", dripping).await;
    for stream in [&mut silent, &mut half, &mut prefix, &mut packet] {
        closed(stream).await;
    }
    assert!(one.stats().timed_out >= 5, "{:?}", one.stats());
    serves(&one, &two, 1).await;
}

#[tokio::test]
async fn garbage_is_refused_and_the_connection_goes_on() {
    let (one, two) = impatient().await;
    let mut stream = stranger(&one).await;
    for len in [1_u32, 79, 80, 500] {
        stream.write_all(&len.to_be_bytes()).await.unwrap();
        stream.write_all(&vec![0xA5; len as usize]).await.unwrap();
    }
    until("all are refused", || one.stats().refused_packets == 4).await;
    serves(&one, &two, 1).await;
}

#[tokio::test]
async fn a_peer_that_never_reads_costs_bounded_memory_and_is_given_up() {
    let silence = Duration::from_millis(400);
    let one = builder(1).listen(ANY).silence(silence).max_waiting(20_000).start().await.unwrap();
    let two = builder(2).peer(&address(&one)).silence(silence).start().await.unwrap();
    let mut stream = stranger(&one).await;
    let mut producer = one.producer();
    let mut pings = tokio::time::interval(Duration::from_millis(100));
    let writing = async {
        while one.stats().timed_out == 0 {
            (0..LEN).for_each(|addr| producer.accum(addr, 1));
            tokio::select! {
                _ = pings.tick() => drop(stream.write_all(&[0; 4]).await),
                () = sleep(Duration::from_millis(1)) => {}
            }
        }
    };
    // The buffers of the system take some megabytes first.
    timeout(Duration::from_secs(60), writing).await.expect("it is given up");
    assert!(one.stats().dropped_slow > 0, "{:?}", one.stats());
    for node in [&one, &two] {
        let expected = one.view().read(5);
        until("others are served", || node.view().read(5) == expected).await;
    }
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed() {
    let one = builder(1).listen(ANY).max_connections(10).start().await.unwrap();
    let two = builder(2).peer(&address(&one)).start().await.unwrap();
    in_time("they connect", two.reached(1)).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..300 {
        streams.push(TcpStream::connect(one.local_addr().unwrap()).await.unwrap());
    }
    until("the others are refused", || one.stats().refused_too_many >= 291).await;
    for stream in &mut streams[250..] {
        closed(stream).await;
    }
    serves(&one, &two, 1).await;
}

#[tokio::test]
async fn datagrams_that_nobody_sends_are_counted_and_dropped() {
    let one = builder(1).udp(ANY).start().await.unwrap();
    let two = builder(2).udp(ANY).udp_peer(&one.udp_addr().unwrap().to_string()).start().await.unwrap();
    let socket = UdpSocket::bind(ANY).await.unwrap();
    for datagram in [&b"x"[..], &[0; 100], b"AKU1", &[0xFF; 1_200]] {
        socket.send_to(datagram, one.udp_addr().unwrap()).await.unwrap();
    }
    until("all are refused", || one.stats().refused_datagrams == 4).await;
    two.producer().accum(1, 3);
    until("others are served", || one.view().read(1) == 3).await;
}

#[tokio::test]
async fn a_peer_under_the_name_of_another_one_is_one_more_connection_of_it() {
    let (one, two) = impatient().await;
    // It has the number of the second node, and says nothing of its own.
    let (mut stream, mut greeting) = greeting(&one).await;
    greeting[31] = 2;
    seal(&mut greeting);
    stream.write_all(&greeting).await.unwrap();
    until("it is taken", || one.stats().connections == 2).await;
    assert_eq!(one.peers(), [2]);
    // What goes to that number goes there now, until it is given up for its silence.
    until("it is given up", || one.stats().connections == 1).await;
    serves(&one, &two, 1).await;
    one.producer().accum(2, 5);
    until("nothing is lost", || two.view().read(2) == 5).await;
}
