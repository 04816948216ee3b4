//! Two nodes on a network that drops, repeats and reorders messages: the states that they end with if they exchange
//! deltas, as in the ATOMiK tutorials, and if they are replicas.
//!
//! `cargo run -p atomik-replica --example convergence`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{AtomikContext, DeltaMessage, DeltaStream, TableFanIn, Xor};
use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};

const WRITES: u64 = 1_000;
/// Nothing here waits for a timer, so the time stands still.
const NOW: Duration = Duration::ZERO;

/// Drops a fifth of the packets, repeats a fifth, and shuffles the rest. Every run makes the same choices.
fn unreliable<T: Clone>(packets: Vec<T>) -> Vec<T> {
    let mut random = 42u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    let mut arrived = Vec::new();
    for packet in packets {
        for _ in 0..[0, 1, 1, 1, 2][next() as usize % 5] {
            let at = next() as usize % (arrived.len() + 1);
            arrived.insert(at, packet.clone());
        }
    }
    arrived
}

fn value(write: u64) -> u64 {
    write.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Node A sends its deltas to node B, which applies whatever arrives.
fn trusting() -> Result<(u64, u64), Box<dyn Error>> {
    let (mut a, mut b) = (DeltaStream::<Xor>::new(1), DeltaStream::<Xor>::new(1));
    for write in 0..WRITES {
        a.accum(0, value(write))?;
    }
    for message in unreliable(a.pending()) {
        b.apply(&message)?;
    }
    Ok((a.states()[0], b.states()[0]))
}

/// B drops duplicates and knows the numbers that are missing. Returns how many those are.
fn numbered() -> Result<(u64, u64, usize), Box<dyn Error>> {
    let (a, b, _) = received_once()?;
    let missing = b.missing(1).flatten().count();
    Ok((a.states()[0], b.states()[0], missing))
}

/// A keeps its messages and sends those again that B lacks.
fn sent_again() -> Result<(u64, u64), Box<dyn Error>> {
    let (a, mut b, sent) = received_once()?;
    while let Some(message) = b.next_from(1).and_then(|seq| sent.get(seq as usize - 1)) {
        b.apply_from(1, message)?;
    }
    Ok((a.states()[0], b.states()[0]))
}

type Streams = (DeltaStream<Xor>, DeltaStream<Xor>, Vec<DeltaMessage>);

fn received_once() -> Result<Streams, Box<dyn Error>> {
    let (mut a, mut b) = (DeltaStream::<Xor>::new(1), DeltaStream::<Xor>::new(1));
    for write in 0..WRITES {
        a.accum(0, value(write))?;
    }
    let sent = a.pending();
    for message in unreliable(sent.clone()) {
        b.apply_from(1, &message)?;
    }
    Ok((a, b, sent))
}

fn replicated() -> Result<(u64, u64), Box<dyn Error>> {
    let cluster = ClusterConfig::new("convergence", 1);
    let local = Arc::new(TableFanIn::<Xor>::new(1));
    let mut producer = local.producer_owned();
    let mut a = Replica::new(&cluster, local, ReplicaId::draw(1))?;
    let local = Arc::new(TableFanIn::<Xor>::new(1));
    let mut b = Replica::new(&cluster, local, ReplicaId::draw(2))?;
    let mut packets = Vec::new();
    for write in 0..WRITES {
        producer.accum(0, value(write));
        a.tick();
        packets.extend(std::iter::from_fn(|| a.poll_transmit()));
    }
    for (_, packet) in unreliable(packets) {
        b.receive(NOW, Peer(1), &packet)?;
    }
    // The last packet may have been lost. A node sends its version vector from time to time; the peer requests what
    // it lacks, and is answered.
    b.receive(NOW, Peer(1), &a.version_vector_packets().concat())?;
    while let Some((_, request)) = b.poll_transmit() {
        a.receive(NOW, Peer(2), &request)?;
    }
    while let Some((_, answer)) = a.poll_transmit() {
        b.receive(NOW, Peer(1), &answer)?;
    }
    Ok((a.merged()[0], b.merged()[0]))
}

fn main() -> Result<(), Box<dyn Error>> {
    let truth = AtomikContext::new(0);
    (0..WRITES).for_each(|write| truth.accum(value(write)));
    let verdict = |a, b| if (a, b) == (truth.read(), truth.read()) { "converged" } else { "DIVERGED" };

    println!(
        "A writes {WRITES} times. A fifth of its messages to B is dropped, a fifth repeated, and all are shuffled.\n"
    );
    let (a, b) = trusting()?;
    println!("DeltaStream::apply       A {a:#018x}  B {b:#018x}  {}", verdict(a, b));
    let (a, b, missing) = numbered()?;
    println!("DeltaStream::apply_from  A {a:#018x}  B {b:#018x}  {}, {missing} missing", verdict(a, b));
    let (a, b) = sent_again()?;
    println!("  missing sent again     A {a:#018x}  B {b:#018x}  {}", verdict(a, b));
    assert_eq!(verdict(a, b), "converged");
    let (a, b) = replicated()?;
    println!("Replica                  A {a:#018x}  B {b:#018x}  {}", verdict(a, b));
    if verdict(a, b) == "converged" { Ok(()) } else { Err("the replicas differ".into()) }
}
