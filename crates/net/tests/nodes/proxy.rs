//! A network between nodes that drops, doubles, reorders, delays, cuts and corrupts. Whatever it does, all nodes have
//! in the end what was written, as an account of the writes says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use atomik_core::Add;
use atomik_net::Node;
use atomik_replica::{ClusterConfig, Timing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{ANY, LEN, address, builder, cluster, in_time, until};

struct Random(u64);

impl Random {
    fn next(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Whether the network works as it should now.
type Healed = Arc<AtomicBool>;

/// A proxy in front of a node that is reached by TCP. Its task ends with it.
struct TcpProxy {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl TcpProxy {
    async fn start(seed: u64, to: SocketAddr, healed: Healed) -> Self {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut links, mut random) = (JoinSet::new(), Random(seed));
            while let Ok((stream, _)) = listener.accept().await {
                let seed = random.next(1 << 30);
                links.spawn(carry(seed, stream, to, Arc::clone(&healed)));
            }
        });
        Self { address, _tasks: tasks }
    }
}

/// Carries bytes between two ends, some wrong, until it cuts the connection.
async fn carry(seed: u64, near: TcpStream, to: SocketAddr, healed: Healed) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let (mut near_reader, mut near_writer) = near.into_split();
    let (mut far_reader, mut far_writer) = far.into_split();
    let (mut one, mut two) = (Random(seed), Random(seed ^ 0x5555));
    let here = Arc::clone(&healed);
    tokio::select! {
        () = half(&mut one, &mut near_reader, &mut far_writer, &here) => {}
        () = half(&mut two, &mut far_reader, &mut near_writer, &healed) => {}
    }
}

async fn half<R, W>(random: &mut Random, from: &mut R, to: &mut W, healed: &AtomicBool)
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut bytes = [0; 4_096];
    loop {
        let Ok(len @ 1..) = from.read(&mut bytes).await else { return };
        if !healed.load(Ordering::Relaxed) {
            match random.next(30) {
                0 => return,
                1 => bytes[random.next(len as u64) as usize] ^= 1 << random.next(8),
                2 | 3 => sleep(Duration::from_millis(random.next(60))).await,
                _ => {}
            }
        }
        if to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
    }
}

/// Carries datagrams between two nodes. Each sees the address of the proxy that stands for the other one.
async fn carry_datagrams(
    seed: u64,
    from: Arc<UdpSocket>,
    to: Arc<UdpSocket>,
    target: SocketAddr,
    healed: Healed,
) {
    let mut random = Random(seed);
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    let mut bytes = [0; 2_048];
    loop {
        let Ok((len, _)) = from.recv_from(&mut bytes).await else { continue };
        let mut out = vec![bytes[..len].to_vec()];
        if healed.load(Ordering::Relaxed) {
            out.extend(held.drain(..));
        } else {
            match random.next(10) {
                0 | 1 => out.clear(),
                2 => out.push(bytes[..len].to_vec()),
                3 => held.extend(out.drain(..)),
                4 if !held.is_empty() => out.extend(held.remove(random.next(held.len() as u64) as usize)),
                5 => out[0][random.next(len as u64) as usize] ^= 1 << random.next(8),
                _ => {}
            }
            held.truncate(100);
        }
        for datagram in out {
            let _ = to.send_to(&datagram, target).await;
        }
    }
}

/// Writes at random for a time. Adds what was written to the account.
async fn write(seed: u64, node: Node<Add>, account: Arc<Vec<AtomicU64>>) {
    let (mut random, mut producer) = (Random(seed), node.producer());
    for _ in 0..40 {
        for _ in 0..20 {
            let (addr, delta) = (random.next(LEN as u64) as usize, 1 + random.next(1_000));
            producer.accum(addr, delta);
            account[addr].fetch_add(delta, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(random.next(30))).await;
    }
}

async fn check(round: u64, nodes: &[Node<Add>], healed: &Healed) {
    let account: Arc<Vec<AtomicU64>> = Arc::new((0..LEN).map(|_| AtomicU64::new(0)).collect());
    let mut writers = JoinSet::new();
    for (index, node) in (0..).zip(nodes) {
        writers.spawn(write(round * 10 + index, node.clone(), Arc::clone(&account)));
    }
    while writers.join_next().await.is_some() {}
    healed.store(true, Ordering::Relaxed);
    for node in nodes {
        let what = format!("round {round}: all states are those of the account");
        until(&what, || (0..LEN).all(|addr| node.view().read(addr) == account[addr].load(Ordering::Relaxed)))
            .await;
    }
    // Nobody is taken for a node that it is not, so nobody is waited for in vain.
    for node in nodes {
        in_time(&format!("round {round}: all have it"), node.converged()).await.unwrap();
    }
}

async fn tcp_round(round: u64) {
    let healed = Healed::default();
    let mut nodes: Vec<Node<Add>> = Vec::new();
    let mut proxies = Vec::new();
    for number in 1..=3 {
        let mut builder = builder(number).listen(ANY).silence(Duration::from_secs(2));
        for node in &nodes {
            let to = node.local_addr().unwrap();
            let proxy = TcpProxy::start(round * 100 + proxies.len() as u64, to, Arc::clone(&healed)).await;
            builder = builder.peer(&proxy.address.to_string());
            proxies.push(proxy);
        }
        nodes.push(builder.start().await.unwrap());
    }
    check(round, &nodes, &healed).await;
    assert_eq!(proxies.len(), 3, "{}", address(&nodes[0]));
}

async fn udp_round(round: u64) {
    let healed = Healed::default();
    // Frames of one datagram and of several.
    let cluster = if round.is_multiple_of(2) { cluster().with_packet_len(1_100) } else { cluster() };
    let start =
        |number, peer: String| Node::<Add>::builder(cluster.clone(), number).udp(ANY).udp_peer(&peer).start();
    let [near, far] =
        [UdpSocket::bind(ANY).await.unwrap(), UdpSocket::bind(ANY).await.unwrap()].map(Arc::new);
    let one = start(1, near.local_addr().unwrap().to_string()).await.unwrap();
    let two = start(2, far.local_addr().unwrap().to_string()).await.unwrap();
    let mut tasks = JoinSet::new();
    let (here, there) = (one.udp_addr().unwrap(), two.udp_addr().unwrap());
    tasks.spawn(carry_datagrams(round, Arc::clone(&near), Arc::clone(&far), there, Arc::clone(&healed)));
    tasks.spawn(carry_datagrams(!round, far, near, here, Arc::clone(&healed)));
    check(round, &[one, two], &healed).await;
}

/// A connection that carries nothing for a while, and then everything: the peer misses packets, and catches up by the same
/// connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_peer_misses_packets_and_catches_up() {
    const WORDS: usize = 100_000;
    // Nobody asks on their own: only what the slow connection says makes the peer catch up.
    let hour = Duration::from_secs(3_600);
    let timing = Timing::new().with_version_vector(hour).with_heartbeat(hour);
    let cluster = ClusterConfig::new("slow", WORDS).with_timing(timing);
    let builder = |node| Node::<Add>::builder(cluster.clone(), node).silence(Duration::from_secs(60));
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let two = builder(2).listen(ANY).start().await.unwrap();
    let to = two.local_addr().unwrap();
    let one = builder(1).peer(&address.to_string()).start().await.unwrap();
    let (near, _) = listener.accept().await.unwrap();
    let far = TcpStream::connect(to).await.unwrap();
    let (mut near_reader, mut near_writer) = near.into_split();
    let (mut far_reader, mut far_writer) = far.into_split();
    let (stall, mut stalled) = tokio::sync::watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { tokio::io::copy(&mut far_reader, &mut near_writer).await.map(drop) });
    tasks.spawn(async move {
        let mut bytes = [0; 4_096];
        loop {
            let _ = stalled.wait_for(|stalled| !stalled).await;
            let len = near_reader.read(&mut bytes).await?;
            far_writer.write_all(&bytes[..len]).await?;
        }
    });
    for node in [&one, &two] {
        in_time("they connect", node.reached(1)).await.unwrap();
    }
    stall.send(true).unwrap();
    let resent = one.stats().frames_resent;
    let (mut producer, mut rounds) = (one.producer(), 0);
    until("the peer is too slow", || {
        (0..WORDS).for_each(|addr| producer.accum(addr, 1));
        rounds += 1;
        one.stats().dropped_slow > 100
    })
    .await;
    stall.send(false).unwrap();
    until("it has caught up", || (0..WORDS).all(|addr| two.view().read(addr) == rounds)).await;
    // A frame for each of its 25 shards.
    assert!((25..40).contains(&(one.stats().frames_resent - resent)), "{:?}", one.stats());
    assert_eq!((one.stats().connections_ended, two.stats().connections_ended), (0, 0));
}

/// `ATOMIK_ROUNDS` chooses how many.
fn rounds() -> u64 {
    std::env::var("ATOMIK_ROUNDS").map_or(15, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_converge_over_connections_that_fail_in_all_ways() {
    let mut running = JoinSet::new();
    for round in 0..rounds() {
        running.spawn(tcp_round(round));
        if running.len() >= 5 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_converge_over_datagrams_that_fail_in_all_ways() {
    let mut running = JoinSet::new();
    for round in 0..rounds() {
        running.spawn(udp_round(round));
        if running.len() >= 5 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}
