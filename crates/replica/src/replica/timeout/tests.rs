use alloc::sync::Arc;
use alloc::vec::Vec;

use super::*;
use crate::cluster_config::ClusterConfig;
use crate::peer::Peer;
use crate::replica_id::ReplicaId;
use crate::timing::Timing;
use atomik_core::{Add, TableFanIn};

const LEN: usize = 128;
const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(10);

fn node(node: u64, timing: Timing) -> (Replica<Add>, Arc<TableFanIn<Add>>) {
    let cluster = ClusterConfig::new("timers", LEN).with_shard_words(64).with_timing(timing);
    let local = Arc::new(TableFanIn::new(LEN));
    let id = ReplicaId { node, incarnation: 1 };
    (Replica::new(&cluster, Arc::clone(&local), id).unwrap(), local)
}

fn sent(replica: &mut Replica<Add>) -> Vec<Vec<u8>> {
    core::iter::from_fn(|| replica.poll_transmit()).map(|(_, packet)| packet).collect()
}

/// Calls the replica whenever it wants to be called, up to a time. Returns those times.
fn run_until(replica: &mut Replica<Add>, end: Duration) -> Vec<Duration> {
    let due = core::iter::from_fn(|| {
        let due = replica.poll_timeout().filter(|&due| due <= end)?;
        replica.handle_timeout(due);
        Some(due)
    });
    due.collect()
}

#[test]
fn a_replica_wants_to_be_called_at_once_and_then_at_each_tick() {
    let (mut replica, local) = node(1, Timing::new().with_listening(Duration::ZERO));
    assert!(!replica.is_listening());
    assert_eq!(replica.poll_timeout(), Some(Duration::ZERO));
    replica.handle_timeout(5 * SECOND);
    local.producer().accum(3, 1);
    let due = run_until(&mut replica, 6 * SECOND);
    assert!(due.windows(2).all(|pair| pair[0] < pair[1]), "{due:?}");
    // A hundred ticks, one heartbeat, and perhaps a version vector.
    assert!((101..=102).contains(&due.len()), "{} calls", due.len());
    assert_eq!(replica.merged()[3], 1);
}

#[test]
fn what_is_due_several_times_is_done_once() {
    let (mut replica, _local) = node(1, Timing::new().with_listening(Duration::ZERO));
    replica.handle_timeout(SECOND);
    replica.handle_timeout(100 * SECOND);
    // A digest of merged states and that of the version vector, in one packet.
    assert_eq!(sent(&mut replica).len(), 1);
    assert_eq!(replica.poll_timeout(), Some(100 * SECOND + TICK));
}

#[test]
fn a_timer_with_an_interval_of_zero_is_off() {
    let zero = Duration::ZERO;
    let off =
        Timing::new().with_tick(zero).with_heartbeat(zero).with_version_vector(zero).with_listening(zero);
    let (mut replica, local) = node(1, off);
    replica.handle_timeout(SECOND);
    local.producer().accum(3, 1);
    replica.handle_timeout(1_000 * SECOND);
    assert_eq!((replica.poll_timeout(), replica.poll_transmit(), replica.merged()[3]), (None, None, 0));
}

#[test]
fn a_replica_that_listens_says_hello_and_makes_no_ticks_until_it_heard_a_peer_out() {
    let ((mut one, local), (mut two, _two)) = (node(1, Timing::new()), node(2, Timing::new()));
    two.put(5, 7).unwrap();
    let _lost = sent(&mut two);
    local.producer().accum(3, 1);
    let due = run_until(&mut one, 3 * SECOND);
    assert!(one.is_listening() && one.merged()[3] == 0, "{due:?}");
    // The peer is ahead, so it is heard out only when its answer and another version vector have arrived.
    for (round, listens) in [(0, true), (1, false)] {
        one.handle_timeout((4 + round) * SECOND);
        for (asks, answers) in [(0, 1), (1, 0), (0, 1), (1, 0)] {
            let nodes = [&mut one, &mut two];
            let packets = sent(nodes[asks]);
            for packet in packets {
                nodes[answers].receive((4 + round) * SECOND, Peer(asks as u64), &packet).unwrap();
            }
        }
        assert_eq!((one.is_listening(), one.merged()[5]), (listens, 7), "round {round}");
    }
    assert_eq!(one.poll_timeout(), Some(5 * SECOND + TICK));
    run_until(&mut one, 5 * SECOND + TICK);
    assert_eq!(one.merged()[3], 1);
}

#[test]
fn listening_ends_after_its_time_or_when_the_caller_says_so() {
    for ends_early in [false, true] {
        let (mut replica, local) = node(1, Timing::new());
        local.producer().accum(3, 1);
        replica.handle_timeout(SECOND);
        assert!(replica.is_listening());
        let end = SECOND + if ends_early { Duration::ZERO } else { Timing::new().listening };
        if ends_early {
            replica.stop_listening();
        } else {
            run_until(&mut replica, end - Duration::from_nanos(1));
            assert!(replica.is_listening() && replica.merged()[3] == 0);
        }
        run_until(&mut replica, end + TICK);
        assert!(!replica.is_listening() && replica.merged()[3] == 1);
    }
    // Before the first time was told, too.
    let (mut replica, _local) = node(1, Timing::new());
    assert!(replica.is_listening());
    replica.stop_listening();
    assert!(!replica.is_listening());
    replica.handle_timeout(SECOND);
    assert_eq!((replica.is_listening(), replica.poll_transmit()), (false, None));
}

#[test]
fn heartbeats_announce_what_was_lost_and_audit_shards_in_turn() {
    let (mut replica, _local) = node(1, Timing::new().with_listening(Duration::ZERO));
    replica.put(5, 7).unwrap();
    let _lost = sent(&mut replica);
    replica.state.merged_mut()[5] ^= 1;
    replica.state.merged_mut()[70] ^= 1;
    replica.handle_timeout(SECOND);
    run_until(&mut replica, 3 * SECOND);
    assert!((replica.merged()[5], replica.merged()[70]) == (7, 0), "two shards in two heartbeats");
    let (mut peer, _peer) = node(2, Timing::new());
    let behind =
        sent(&mut replica).into_iter().map(|packet| peer.receive(SECOND, Peer(1), &packet).unwrap().behind);
    assert!(behind.sum::<usize>() > 0);
}

#[test]
fn a_store_that_failed_is_tried_again_after_a_time() {
    let timing = Timing::new().with_store_retry(3 * SECOND).with_listening(Duration::ZERO);
    let timing =
        timing.with_tick(Duration::ZERO).with_heartbeat(Duration::ZERO).with_version_vector(Duration::ZERO);
    let cluster = ClusterConfig::new("timers", LEN).with_shard_words(64).with_timing(timing);
    let (local, none): (_, [&[u8]; 0]) = (Arc::new(TableFanIn::<Add>::new(LEN)), []);
    let mut replica = Replica::restore(&cluster, local, ReplicaId { node: 1, incarnation: 1 }, none).unwrap();
    replica.handle_timeout(SECOND);
    assert_eq!(replica.poll_timeout(), None);
    replica.put(5, 7).unwrap();
    let number = replica.poll_store().unwrap().number;
    assert!(replica.store_failed(2 * SECOND, number));
    assert_eq!((replica.poll_store(), replica.poll_timeout()), (None, Some(5 * SECOND)));
    replica.handle_timeout(5 * SECOND);
    assert_eq!(replica.poll_timeout(), None);
    assert!(replica.poll_store().is_some());
}

#[test]
fn nodes_that_start_together_do_not_send_together() {
    let first = |id| {
        let (mut replica, _local) =
            node(id, Timing::new().with_listening(Duration::ZERO).with_tick(Duration::ZERO));
        replica.handle_timeout(SECOND);
        replica.poll_timeout().unwrap()
    };
    let mut times: Vec<_> = (0..100).map(first).collect();
    assert!(times.iter().all(|&time| time > SECOND && time <= 2 * SECOND), "{times:?}");
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 95, "{} different times", times.len());
    // The longest intervals do not overflow.
    let (mut replica, _local) =
        node(1, Timing::new().with_heartbeat(Duration::MAX).with_version_vector(Duration::MAX));
    replica.handle_timeout(Duration::MAX);
    assert!(replica.poll_timeout().is_some());
}
