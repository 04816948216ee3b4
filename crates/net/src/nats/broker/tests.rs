use std::sync::Arc;

use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Timing};
use tokio::time::advance;

use super::*;

/// A node and what it tells the stream, without a connection.
struct Test {
    local: Arc<TableFanIn<Add>>,
    replica: Replica<Add>,
    broker: Broker,
    commands: mpsc::Receiver<(u64, Command)>,
}

fn cluster() -> ClusterConfig {
    ClusterConfig::new("tests", 1_000).with_shard_words(64).with_timing(Timing::new())
}

fn replica(node: u64, cluster: &ClusterConfig) -> (Arc<TableFanIn<Add>>, Replica<Add>) {
    let local = Arc::new(TableFanIn::new(cluster.len()));
    (Arc::clone(&local), Replica::new(cluster, local, ReplicaId { node, incarnation: 5 }).unwrap())
}

impl Test {
    fn new() -> Self {
        Self::of(&cluster())
    }

    fn of(cluster: &ClusterConfig) -> Self {
        let (local, replica) = replica(1, cluster);
        let (send, commands) = mpsc::channel(1_000);
        let mut broker =
            Broker::new(Arc::new(Outgoing::new(1_000)), send, Arc::default(), Duration::from_secs(1));
        broker.connected();
        broker.opened(1);
        Self { local, replica, broker, commands }
    }

    /// Writes some shards, as one version more of each.
    fn write(&mut self, shards: impl IntoIterator<Item = usize>) {
        let mut producer = self.local.producer_owned();
        shards.into_iter().for_each(|shard| producer.accum(64 * shard, 1));
        self.replica.tick();
    }

    fn event(&mut self, event: StreamEvent) -> Option<Bytes> {
        self.broker.handle(&self.replica, 1, event)
    }

    /// Does what is due, and returns the commands that came of it.
    fn turn(&mut self) -> Vec<Command> {
        self.broker.turn(&mut self.replica);
        while let Some((to, packet)) = self.replica.poll_transmit() {
            if to == Recipient::Peer(BROKER) {
                self.broker.put(&self.replica, &packet.into());
            }
        }
        std::iter::from_fn(|| self.commands.try_recv().ok()).map(|(_, command)| command).collect()
    }

    fn own(&self, shard: usize) -> ShardKey {
        ShardKey { origin: self.replica.id(), shard }
    }

    /// The shards that are put, with the versions, by the commands of a turn.
    fn puts(&mut self) -> Vec<(usize, u64)> {
        let commands = self.turn().into_iter();
        let puts = commands.filter_map(|command| match command {
            Command::Put { key, version, .. } => Some((key.shard, version)),
            _ => None,
        });
        puts.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_own_shards_are_put_when_the_stream_does_not_have_them() {
    let mut test = Test::new();
    test.write([0, 1, 2]);
    assert_eq!(test.puts(), [], "it is not known yet what the stream has");
    let (has, other) = (test.own(0), test.own(1));
    test.event(StreamEvent::Listed { key: has, version: 1, sequence: 10 });
    // Nobody else makes versions of this shard, so this one is wrong.
    test.event(StreamEvent::Listed { key: other, version: 99, sequence: 11 });
    test.event(StreamEvent::AllListed);
    assert_eq!(test.puts(), [(1, 1), (2, 1)]);
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.puts(), [], "they are under way");
    test.event(StreamEvent::Put { key: test.own(1), version: 1, sequence: 12 });
    test.event(StreamEvent::PutFailed { key: test.own(2), is_late: false });
    assert!(!test.broker.is_settled(&test.replica));
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.puts(), [(2, 1)]);
    test.event(StreamEvent::Put { key: test.own(2), version: 1, sequence: 13 });
    assert!(test.broker.is_settled(&test.replica));
    // An answer that comes after a later one says nothing new.
    test.event(StreamEvent::Listed { key: test.own(2), version: 0, sequence: 9 });
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.puts(), []);
    // What changes often is put once in an interval, as it is then.
    test.write([2]);
    test.write([2]);
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.puts(), [(2, 3)]);
    test.write([2]);
    assert_eq!(test.puts(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_bounded_and_given_up_at_last() {
    let cluster = ClusterConfig::new("tests", 4_000).with_shard_words(16);
    let mut test = Test::of(&cluster);
    let mut producer = test.local.producer_owned();
    (0..4_000).for_each(|addr| producer.accum(addr, 1));
    test.replica.tick();
    test.event(StreamEvent::AllListed);
    assert_eq!(test.puts().len(), UNDER_WAY);
    advance(GIVEN_UP / 2).await;
    assert_eq!(test.puts().len(), 0);
    advance(GIVEN_UP).await;
    assert_eq!(test.puts().len(), UNDER_WAY);
    // So are the shards that are fetched.
    let origin = ReplicaId { node: 2, incarnation: 1 };
    for shard in 0..250 {
        test.event(StreamEvent::Listed {
            key: ShardKey { origin, shard },
            version: 1,
            sequence: shard as u64,
        });
    }
    let gets = |commands: Vec<Command>| {
        commands.into_iter().filter(|command| matches!(command, Command::Get { .. })).count()
    };
    assert_eq!(gets(test.turn()), UNDER_WAY);
    assert_eq!(gets(test.turn()), 0);
    test.event(StreamEvent::GetFailed { key: ShardKey { origin, shard: 0 } });
    assert_eq!(gets(test.turn()), 1);
}

#[tokio::test(start_paused = true)]
async fn shards_of_others_are_put_when_their_nodes_do_not() {
    let mut test = Test::new();
    let (other, mut two) = replica(2, &cluster());
    let write = |two: &mut Replica<Add>, test: &mut Test, shard: usize| {
        other.producer_owned().accum(64 * shard, 1);
        two.tick();
        let frame = two.frame_since(two.id(), shard, 0).unwrap();
        test.replica.receive(Duration::ZERO, Peer(2), &frame).unwrap();
    };
    let origin = two.id();
    write(&mut two, &mut test, 0);
    write(&mut two, &mut test, 1);
    test.event(StreamEvent::AllListed);
    assert_eq!(test.puts(), [], "the node itself has the first chance");
    // It takes it for one of the shards, and goes on writing.
    for version in 2..20 {
        write(&mut two, &mut test, 0);
        test.event(StreamEvent::Listed { key: ShardKey { origin, shard: 0 }, version, sequence: version });
        write(&mut two, &mut test, 0);
        assert!(test.puts().iter().all(|&(shard, _)| shard == 1));
        advance(Duration::from_secs(1)).await;
    }
    // Only if the stream still has what it had when this was found out, if others do the same.
    let mut test = Test::new();
    write(&mut two, &mut test, 1);
    test.event(StreamEvent::AllListed);
    test.turn();
    advance(2 * GRACE).await;
    let commands = test.turn();
    let put = commands.iter().find(|command| matches!(command, Command::Put { .. }));
    assert!(
        matches!(put, Some(Command::Put { key, version: 2, after: Some(0), .. }) if key.shard == 1),
        "{commands:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_later_version_in_the_stream_is_fetched_and_checked() {
    let mut test = Test::new();
    let (other, mut two) = replica(2, &cluster());
    other.producer_owned().accum(5, 7);
    two.tick();
    let frame = Bytes::from(two.frame_since(two.id(), 0, 0).unwrap());
    let (key, elsewhere) = (ShardKey { origin: two.id(), shard: 0 }, ShardKey { origin: two.id(), shard: 1 });
    let beyond = ShardKey { origin: two.id(), shard: 1 << 40 };
    for (key, sequence) in [(key, 1), (elsewhere, 2), (beyond, 3)] {
        test.event(StreamEvent::Listed { key, version: 1, sequence });
    }
    assert_eq!(test.turn(), [Command::Get { key }, Command::Get { key: elsewhere }]);
    // A shard under another name, with something after it, and garbage.
    let more = Bytes::from([&frame[..], &[0; 80]].concat());
    for (key, packet) in [(elsewhere, frame.clone()), (key, more), (key, Bytes::from_static(b"garbage"))] {
        assert_eq!(test.event(StreamEvent::Got { key, packet: Some(packet) }), None);
    }
    assert_eq!(test.broker.counters.refused_packets.read(), 3);
    let packet = test.event(StreamEvent::Got { key, packet: Some(frame) }).unwrap();
    test.replica.receive(Duration::ZERO, BROKER, &packet).unwrap();
    assert_eq!(test.replica.merged()[5], 7);
    // What was there instead of the other shard counts as nothing.
    assert_eq!(test.broker.stream.as_ref().unwrap().version(elsewhere), 0);
    test.event(StreamEvent::Listed { key, version: 1, sequence: 9 });
    assert_eq!(test.turn(), []);
}

/// The only member has started before.
#[tokio::test(start_paused = true)]
async fn what_this_start_covers_is_not_fetched_and_is_removed_when_the_stream_has_the_fold() {
    let cluster = cluster().with_members([1]);
    let restore = |incarnation, parts: &[Vec<u8>]| {
        let (local, id) = (Arc::new(TableFanIn::new(cluster.len())), ReplicaId { node: 1, incarnation });
        let mut replica = Replica::restore(&cluster, Arc::clone(&local), id, parts).unwrap();
        replica.end_wait();
        (local, replica)
    };
    let store = |replica: &mut Replica<Add>| {
        let transaction = replica.poll_store().unwrap();
        assert!(replica.stored(transaction.number));
        let parts = transaction.shards.into_iter().flat_map(|shard| shard.parts);
        parts.map(|part| part.bytes).collect::<Vec<_>>()
    };
    let (local, mut earlier) = restore(5, &[]);
    local.producer_owned().accum(5, 7);
    earlier.tick();
    let mut test = Test::of(&cluster);
    (test.local, test.replica) = restore(9, &store(&mut earlier));
    test.replica.handle_timeout(Duration::ZERO);
    store(&mut test.replica);
    assert_eq!(test.replica.cover(1, 0), Some(9));
    let key = ShardKey { origin: earlier.id(), shard: 0 };
    test.event(StreamEvent::Listed { key, version: 3, sequence: 1 });
    assert_eq!(test.turn(), []);
    test.event(StreamEvent::AllListed);
    assert_eq!(test.puts(), [(0, 1)]);
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.turn(), []);
    test.event(StreamEvent::Put { key: test.own(0), version: 1, sequence: 2 });
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.turn(), [Command::Remove { key }]);
    test.event(StreamEvent::Removed { key });
    advance(Duration::from_secs(2)).await;
    assert_eq!(test.turn(), []);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_fetches_when_it_does_not_wait_any_more() {
    let mut test = Test::of(&cluster().with_members([1, 2]));
    let key = ShardKey { origin: ReplicaId { node: 2, incarnation: 1 }, shard: 0 };
    test.event(StreamEvent::Listed { key, version: 1, sequence: 1 });
    assert!(test.replica.is_waiting());
    assert_eq!(test.turn(), []);
    test.replica.end_wait();
    assert_eq!(test.turn(), [Command::Get { key }]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_fewer_shards_than_were_listed_is_opened_again() {
    for event in [StreamEvent::Counted { found: 1 }, StreamEvent::CountFailed { is_gone: true }] {
        let mut test = Test::new();
        for shard in [0, 1] {
            let key = ShardKey { origin: ReplicaId { node: 2, incarnation: 1 }, shard };
            test.event(StreamEvent::Listed { key, version: 1, sequence: 1 + shard as u64 });
        }
        test.event(StreamEvent::AllListed);
        test.turn();
        for found in [2, 3] {
            advance(2 * COUNT).await;
            assert!(test.turn().contains(&Command::Count));
            test.event(StreamEvent::Counted { found });
        }
        advance(2 * COUNT).await;
        test.turn();
        test.event(StreamEvent::CountFailed { is_gone: false });
        assert_eq!(test.broker.counters.nats_reopened.read(), 0);
        advance(2 * COUNT).await;
        assert!(test.turn().contains(&Command::Count));
        test.event(event);
        assert_eq!(test.turn(), [Command::Reopen]);
        assert_eq!(test.broker.counters.nats_reopened.read(), 1);
        // What is said of the stream as it was opened then says nothing of this one.
        test.broker.opened(2);
        let key = test.own(0);
        test.event(StreamEvent::Listed { key, version: 1, sequence: 1 });
        assert!(test.broker.stream.as_ref().unwrap().listed.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_heard_is_not_reached_any_more() {
    let mut test = Test::new();
    assert!(test.broker.heard(Peer(2)) && test.broker.heard(Peer(3)) && !test.broker.heard(Peer(2)));
    advance(FORGOTTEN / 2).await;
    test.broker.heard(Peer(3));
    advance(FORGOTTEN * 2 / 3).await;
    assert_eq!(test.broker.forget_silent(), [Peer(2)]);
    assert!(!test.broker.reaches(Peer(2)) && test.broker.reaches(Peer(3)));
    assert_eq!(test.broker.disconnected(), [Peer(3)]);
    assert!(!test.broker.reaches(Peer(3)));
}
