//! Costs that follow what changed, and not what is known: by the number of origins, of loaded addresses and of words.
//!
//! The bounds are loose, because tests run beside other work. Each cost that they rule out grows by a hundred times or
//! more. BENCHMARKS.md has the curves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};

const NOW: Duration = Duration::ZERO;

fn start(cluster: &ClusterConfig, len: usize, node: u64) -> (Replica<Add>, Arc<TableFanIn<Add>>) {
    let local = Arc::new(TableFanIn::new(len));
    let id = ReplicaId { node, incarnation: 1 };
    (Replica::new(cluster, Arc::clone(&local), id).unwrap(), local)
}

fn sent(replica: &mut Replica<Add>) -> Vec<u8> {
    std::iter::from_fn(|| replica.poll_transmit()).flat_map(|(_, packet)| packet).collect()
}

/// The shortest of several times.
fn shortest(mut work: impl FnMut()) -> Duration {
    let times = (0..20).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap()
}

/// A replica that knows `origins`, each of which wrote to one address.
fn knows(cluster: &ClusterConfig, len: usize, origins: u64) -> Replica<Add> {
    let (mut one, _) = start(cluster, len, 1);
    for origin in 0..origins {
        let (mut other, local) = start(cluster, len, 2 + origin);
        local.producer().accum(origin as usize % len, 1);
        other.tick();
        one.receive(NOW, Peer(2), &sent(&mut other)).unwrap();
    }
    one.heartbeat(0);
    sent(&mut one);
    one
}

#[test]
fn a_quiet_heartbeat_does_not_cost_more_with_more_origins() {
    let cluster = ClusterConfig::new("growth", 256).with_max_origins(2_000);
    let [few, many] = [10, 1_000].map(|origins| {
        let mut one = knows(&cluster, 256, origins);
        shortest(|| {
            for _ in 0..10 {
                one.heartbeat(8);
                assert!(!sent(&mut one).is_empty());
            }
        })
    });
    assert!(many < 10 * few + Duration::from_millis(1), "{few:?} with 10 origins, {many:?} with 1,000");
}

#[test]
fn equal_version_vectors_are_recognised_at_the_same_cost_with_more_origins() {
    let cluster = ClusterConfig::new("growth", 256).with_max_origins(2_000);
    let [few, many] = [10, 1_000].map(|origins| {
        let mut one = knows(&cluster, 256, origins);
        one.send_version_vector(Recipient::All);
        let digest = sent(&mut one);
        assert!(digest.len() < 100);
        shortest(|| {
            for _ in 0..100 {
                let received = one.receive(NOW, Peer(2), &digest).unwrap();
                assert!(received.version_vector);
            }
            assert!(sent(&mut one).is_empty());
        })
    });
    assert!(many < 10 * few + Duration::from_millis(1), "{few:?} with 10 origins, {many:?} with 1,000");
}

#[test]
fn a_version_vector_costs_what_was_touched_and_not_the_square_of_the_origins() {
    const LEN: usize = 1 << 16;
    let cluster = ClusterConfig::new("growth", LEN).with_shard_words(64).with_max_origins(2_000);
    let [few, many] = [10, 1_000].map(|origins| {
        let one = knows(&cluster, LEN, origins);
        let bytes: usize = one.version_vector_packets().iter().map(Vec::len).sum();
        // A header and a version for each origin, a header for the own one, and the digest.
        assert_eq!(bytes as u64, origins * (80 + 8) + 80 + 88);
        shortest(|| drop(one.version_vector_packets()))
    });
    assert!(many < 1_000 * few + Duration::from_millis(10), "{few:?} with 10 origins, {many:?} with 1,000");
}

#[test]
fn an_entry_does_not_cost_more_with_more_origins() {
    let cluster = ClusterConfig::new("growth", 512).with_max_origins(500);
    let [few, many] = [1, 300].map(|origins| {
        let (mut one, _) = start(&cluster, 512, 1);
        // Each origin adds to what the first one loaded.
        let (mut first, _) = start(&cluster, 512, 2);
        (0..512).for_each(|addr| first.load(addr, 7).unwrap());
        let loads = sent(&mut first);
        one.receive(NOW, Peer(2), &loads).unwrap();
        for origin in 1..origins {
            let (mut other, local) = start(&cluster, 512, 2 + origin);
            other.receive(NOW, Peer(2), &loads).unwrap();
            let mut producer = local.producer();
            (0..512).for_each(|addr| producer.accum(addr, 1));
            other.tick();
            one.receive(NOW, Peer(2), &sent(&mut other)).unwrap();
        }
        let (mut last, local) = start(&cluster, 512, 1_000);
        last.receive(NOW, Peer(2), &loads).unwrap();
        let mut producer = local.producer();
        let frames: Vec<_> = (0..20)
            .map(|_| {
                (0..512).for_each(|addr| producer.accum(addr, 1));
                last.tick();
                sent(&mut last)
            })
            .collect();
        let mut next = frames.iter();
        shortest(|| {
            let received = one.receive(NOW, Peer(2), next.next().unwrap()).unwrap();
            assert_eq!(received.applied, 1);
        })
    });
    assert!(many < 10 * few + Duration::from_millis(1), "{few:?} with one origin, {many:?} with 300");
}

/// First every other address is loaded, and then those between them.
#[test]
fn entries_that_interleave_with_those_present_do_not_cost_more_with_more_of_them() {
    let [few, many] = [1_024_usize, 8_192].map(|len| {
        let cluster = ClusterConfig::new("growth", len).with_shard_words(len);
        let frames: Vec<_> = (0..2)
            .map(|odd| {
                let (mut other, _) = start(&cluster, len, 2 + odd as u64);
                (odd..len).step_by(2).for_each(|addr| other.load(addr, 7).unwrap());
                sent(&mut other)
            })
            .collect();
        let time = (0..5).map(|_| {
            let (mut one, _) = start(&cluster, len, 1);
            one.receive(NOW, Peer(2), &frames[0]).unwrap();
            let start = Instant::now();
            one.receive(NOW, Peer(2), &frames[1]).unwrap();
            start.elapsed()
        });
        time.min().unwrap()
    });
    assert!(many < 8 * 5 * few + Duration::from_millis(1), "{few:?} for 1,024 addresses, {many:?} for 8,192");
}

/// A digest costs a comparison of versions, or of what changed since the last digest.
#[test]
fn a_digest_does_not_cost_its_shard() {
    const LEN: usize = 1 << 16;
    let cluster = ClusterConfig::new("growth", LEN).with_shard_words(LEN);
    let ((mut one, _), (mut other, local)) = (start(&cluster, LEN, 1), start(&cluster, LEN, 2));
    let mut producer = local.producer();
    producer.accum(0, 1);
    other.tick();
    one.receive(NOW, Peer(2), &sent(&mut other)).unwrap();
    other.heartbeat(1);
    let early = sent(&mut other);
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    other.tick();
    let frame = sent(&mut other);
    let frame_time = shortest(|| {
        let (mut new, _) = start(&cluster, LEN, 1);
        new.receive(NOW, Peer(2), &frame).unwrap();
    });
    one.receive(NOW, Peer(2), &frame).unwrap();
    other.heartbeat(1);
    let present = sent(&mut other);
    one.receive(NOW, Peer(2), &present).unwrap();
    for digest in [early, present] {
        let time = shortest(|| {
            for _ in 0..100 {
                one.receive(NOW, Peer(2), &digest).unwrap();
            }
        });
        assert!(
            time < frame_time + Duration::from_millis(1),
            "{time:?} for 100 digests, {frame_time:?} for the shard"
        );
    }
    assert_eq!(one.poll_event(), None);
}
