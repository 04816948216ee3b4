//! The costs of a replica by the number of origins, words and peers: `cargo bench -p atomik-benches --bench
//! replica_growth [-- [--record]]`. Exits with 1 if a cost grows faster than its target by more than 15 %.
//!
//! Each cost is compared with that of the smallest size. A target of 0.2 means that it may be five times as high.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use atomik_benches::measure::race;
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId, Timing};

/// No replica here waits for a timer.
const NOW: Duration = Duration::ZERO;

/// The length of a header.
const HEADER: usize = 80;

type Node = (Replica<Add>, Arc<TableFanIn<Add>>);

fn start(cluster: &ClusterConfig, len: usize, node: u64) -> Node {
    let local = Arc::new(TableFanIn::new(len));
    let id = ReplicaId { node, incarnation: 1 };
    let replica = Replica::new(cluster, Arc::clone(&local), id);
    (replica.expect("the configuration matches the table"), local)
}

fn sent(replica: &mut Replica<Add>) -> Vec<u8> {
    std::iter::from_fn(|| replica.poll_transmit()).flat_map(|(_, packet)| packet).collect()
}

fn receive(replica: &mut Replica<Add>, packet: &[u8]) {
    replica.receive(NOW, Peer(2), packet).expect("it is whole");
}

/// Frames of one origin that change the same addresses again and again, for a replica that takes each once.
struct Frames {
    sender: Node,
    addrs: Vec<usize>,
}

impl Frames {
    fn next(&mut self) -> Vec<u8> {
        let mut producer = self.sender.1.producer();
        self.addrs.iter().for_each(|&addr| producer.accum(addr, 1));
        self.sender.0.tick();
        sent(&mut self.sender.0)
    }
}

/// The shortest time of `receiver` for a frame, in nanoseconds.
fn shortest(receiver: &mut Replica<Add>, frames: &mut Frames, rounds: usize) -> f64 {
    let times = (0..rounds).map(|_| {
        let frame = frames.next();
        let start = std::time::Instant::now();
        receive(receiver, &frame);
        start.elapsed().as_nanos() as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

/// A replica that knows `origins`, each of which wrote to one address and, if these are loaded, to `loaded` more.
fn knows(origins: u64, loads: &[u8], loaded: usize) -> Replica<Add> {
    let (mut one, _) = start(&by_origins(), LEN, 1);
    receive(&mut one, loads);
    for origin in 0..origins {
        let (mut other, local) = start(&by_origins(), LEN, 10 + origin);
        receive(&mut other, loads);
        let mut producer = local.producer();
        (0..loaded).for_each(|addr| producer.accum(addr, 1));
        producer.accum(LEN - 1, 1);
        other.tick();
        receive(&mut one, &sent(&mut other));
    }
    one.heartbeat(0);
    sent(&mut one);
    one
}

const LEN: usize = 4_096;
/// How many addresses are loaded.
const LOADED: usize = 64;

fn by_origins() -> ClusterConfig {
    ClusterConfig::new("origins", LEN).with_max_origins(2_000)
}

fn origins(subject: &mut Subject) {
    let mut least = [0.0; 5];
    let (mut loader, _) = start(&by_origins(), LEN, 2);
    (0..LOADED).for_each(|addr| loader.load(addr, 7).expect("the table has the address"));
    let loads = sent(&mut loader);
    for count in [1, 10, 100, 1_000] {
        let mut one = knows(count, &loads, LOADED);
        one.send_version_vector(Recipient::All);
        let digest = sent(&mut one);
        assert!(digest.len() <= 100);
        let mut heartbeat = || {
            one.heartbeat(1);
            assert!(!sent(&mut one).is_empty());
        };
        let [heartbeat] = race(2, 5, [&mut heartbeat]);
        let mut compare = || receive(&mut one, &digest);
        let [compare] = race(2, 5, [&mut compare]);
        let mut vector = || assert!(!one.version_vector_packets().is_empty());
        let [vector] = race(2, 5, [&mut vector]);
        let mut frames = Frames { sender: start(&by_origins(), LEN, 3), addrs: (0..LOADED).collect() };
        receive(&mut frames.sender.0, &loads);
        let entry = shortest(&mut one, &mut frames, 200) / LOADED as f64;
        let mut frames =
            Frames { sender: start(&by_origins(), LEN, 4), addrs: (LOADED..2 * LOADED).collect() };
        let word = shortest(&mut one, &mut frames, 200) / LOADED as f64;

        let each = vector / (count + 2) as f64;
        let times = [heartbeat, compare, each, entry, word];
        let works = [
            "quiet heartbeat with one digest",
            "version vector, equal",
            "version vector, whole, an origin",
            "receive, an entry of a loaded address",
            "receive, a word",
        ];
        if count == 1 {
            least = times;
        }
        for (work, (time, least)) in works.into_iter().zip(times.into_iter().zip(least)) {
            let ratio = Ratio::new(work, "1 origin", [time, least], if count == 1 { 0.0 } else { 0.2 });
            subject.push(ratio.at(if count == 1 { "1 origin".into() } else { format!("{count} origins") }));
        }
    }
}

fn words(subject: &mut Subject) {
    let mut least = [0.0; 4];
    for bits in [10, 13, 16, 19, 22] {
        let len = 1 << bits;
        let cluster = ClusterConfig::new("words", len);
        let none: [&[u8]; 0] = [];
        let id = ReplicaId { node: 1, incarnation: 1 };
        let local = Arc::new(TableFanIn::<Add>::new(len));
        let one = Replica::restore(&cluster, local, id, none);
        let mut one = one.expect("the configuration matches the table");
        // A frame changes a word in the last of the shards, all of which were written.
        let (mut other, local) = start(&cluster, len, 2);
        let mut producer = local.producer();
        (0..len).for_each(|addr| producer.accum(addr, 1));
        other.tick();
        while let Some((_, packet)) = other.poll_transmit() {
            receive(&mut one, &packet);
        }
        let store = |one: &mut Replica<Add>| {
            let mut bytes = 0;
            while let Some(transaction) = one.poll_store() {
                let parts = transaction.shards.iter().flat_map(|shard| &shard.parts);
                bytes += parts.map(|part| part.bytes.len()).sum::<usize>();
                assert!(one.stored(transaction.number));
            }
            bytes
        };
        store(&mut one);
        one.heartbeat(0);
        sent(&mut one);
        let mut times = [f64::INFINITY; 4];
        for _ in 0..30 {
            producer.accum(len - 1, 1);
            other.tick();
            let frame = sent(&mut other);
            let clock = |work: &mut dyn FnMut()| {
                let start = std::time::Instant::now();
                work();
                start.elapsed().as_nanos() as f64
            };
            let found = [
                clock(&mut || receive(&mut one, &frame)),
                clock(&mut || assert!(store(&mut one) < 1_024)),
                clock(&mut || {
                    one.heartbeat(1);
                    assert!(!sent(&mut one).is_empty());
                }),
                clock(&mut || one.send_version_vector(Recipient::All)),
            ];
            sent(&mut one);
            times.iter_mut().zip(found).for_each(|(best, time)| *best = best.min(time));
        }
        // A version vector is as long as the shards that were written.
        times[3] /= one.shards() as f64;
        if bits == 10 {
            least = times;
        }
        let works = [
            "receive, one changed word",
            "store, one changed word",
            "heartbeat with one digest",
            "version vector digest, a shard",
        ];
        for (work, (time, least)) in works.into_iter().zip(times.into_iter().zip(least)) {
            // After the tick of the sender, large tables are not in a cache.
            let target = if bits == 10 { 0.0 } else { 0.04 };
            subject.push(Ratio::new(work, "2^10 words", [time, least], target).at(format!("2^{bits} words")));
        }
    }
}

/// Carries packets until none is left. Returns how many bytes the last node received.
fn exchange(nodes: &mut [Node], lost: impl Fn(usize, Recipient, usize) -> bool) -> usize {
    let (mut received, last) = (0, nodes.len() - 1);
    loop {
        let mut any = false;
        for from in 0..nodes.len() {
            while let Some((to, packet)) = nodes[from].0.poll_transmit() {
                any = true;
                for at in (0..nodes.len()).filter(|&at| at != from) {
                    let is_for = to == Recipient::All || to == Recipient::Peer(Peer(at as u64));
                    if is_for && !lost(from, to, at) {
                        received += if at == last { packet.len() } else { 0 };
                        nodes[at].0.receive(NOW, Peer(from as u64), &packet).expect("it is whole");
                    }
                }
            }
        }
        if !any {
            return received;
        }
    }
}

/// Bytes, not times: what one node of a cluster receives.
fn traffic(subject: &mut Subject) {
    const LEN: usize = 4_096;
    let cluster = ClusterConfig::new("peers", LEN).with_timing(Timing::new());
    for peers in [1, 10, 100] {
        let mut nodes: Vec<Node> = (0..=peers).map(|node| start(&cluster, LEN, node)).collect();
        let last = nodes.len() - 1;
        let mut producer = nodes[0].1.producer_owned();
        (0..LEN).for_each(|addr| producer.accum(addr, 1));
        nodes[0].0.tick();
        exchange(&mut nodes, |from, to, at| (from, to, at) == (0, Recipient::All, last));
        nodes.iter_mut().for_each(|(replica, _)| replica.heartbeat(0));
        let lost = exchange(&mut nodes, |_, _, _| false);
        assert_eq!(nodes[last].0.merged(), nodes[0].0.merged());
        nodes[last] = start(&cluster, LEN, 1_000);
        nodes[last].0.hello(Recipient::All);
        let joins = exchange(&mut nodes, |_, _, _| false);
        assert_eq!(nodes[last].0.merged(), nodes[0].0.merged());
        nodes.iter_mut().take(last).for_each(|(replica, _)| replica.send_version_vector(Recipient::All));
        let quiet = exchange(&mut nodes, |_, _, _| false);
        let frame = (HEADER + 16 * LEN) as f64;
        let each = |bytes: usize| bytes as f64;
        for (work, bytes, rival, least) in [
            ("one lost frame, heartbeats included", each(lost), "the frame", frame),
            ("a joiner that says hello to all", each(joins), "the frame", frame),
            ("quiet version vectors, a peer", each(quiet) / peers as f64, "100 bytes", 100.0),
        ] {
            // With many peers, their heartbeats and version vectors are more than the frame.
            let target = if peers <= 10 { 0.8 } else { 0.5 };
            subject.push(Ratio::new(format!("{work}, {peers} peers"), rival, [bytes, least], target));
        }
    }
}

fn main() -> ExitCode {
    let mut run = Run::from_args("replica_growth");
    run.subject("replica_origins", origins);
    run.subject("replica_words", words);
    run.subject("replica_traffic", traffic);
    run.finish()
}
