//! Replicas by their public surface: what they promise, and what they refuse.

use std::error::Error;
use std::sync::Arc;

use atomik_core::{
    Add, Algebra, Cluster, Event, Origin, PacketError, Peer, Recipient, Refusal, Replica, ReplicaError,
    TableFanIn, TableProducer, Xor,
};

const LEN: usize = 1_000;

fn cluster() -> Cluster {
    Cluster::new("tests", LEN).with_part_words(64)
}

fn origin(node: u64) -> Origin {
    Origin { node, incarnation: 1 }
}

/// A replica without a store, and a producer of its fan-in.
fn node<A: Algebra>(node: u64) -> (Replica<A>, TableProducer<'static, A>) {
    let local = Arc::new(TableFanIn::new(LEN));
    let producer = local.producer_owned();
    (Replica::new(&cluster(), local, origin(node)).unwrap(), producer)
}

/// All packets that wait, glued together: sections follow one another in any packet.
fn sent<A: Algebra>(replica: &mut Replica<A>) -> Vec<u8> {
    std::iter::from_fn(|| replica.poll_packet()).flat_map(|(_, packet)| packet).collect()
}

/// A peer's vector, the questions it raises, and the answers.
fn catch_up<A: Algebra>(late: &mut Replica<A>, from: &mut Replica<A>) -> usize {
    late.receive(Peer(1), &from.vector()).unwrap();
    let questions = sent(late);
    from.receive(Peer(2), &questions).unwrap();
    let answers = sent(from);
    late.receive(Peer(1), &answers).unwrap();
    questions.len() + answers.len()
}

#[test]
fn a_fan_in_has_one_replica_for_its_whole_life() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let first = Replica::new(&cluster(), Arc::clone(&local), origin(1)).unwrap();
    let second = || Replica::new(&cluster(), Arc::clone(&local), origin(2)).err();
    assert_eq!(second(), Some(ReplicaError::SecondReplica));
    drop(first);
    assert_eq!(second(), Some(ReplicaError::SecondReplica));
}

#[test]
fn what_producers_wrote_before_the_replica_is_in_its_first_tick() {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    local.producer().accum(3, 5);
    let mut replica = Replica::new(&cluster(), local, origin(1)).unwrap();
    assert_eq!((replica.view().read(3), replica.sealed()[3]), (5, 0));
    assert_eq!(replica.tick(), 1);
    assert_eq!((replica.view().read(3), replica.sealed()[3]), (5, 5));
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let start =
        |cluster: Cluster| Replica::<Xor>::new(&cluster, Arc::new(TableFanIn::new(LEN)), origin(1)).map(drop);
    let (table, base) = (LEN, 7);
    assert_eq!(start(Cluster::new("a", 5)), Err(ReplicaError::TableLength { table, cluster: 5 }));
    assert_eq!(start(cluster().with_base(&[0; 7])), Err(ReplicaError::BaseLength { base, cluster: LEN }));
    for part_words in [0, 63, 65, 65_600] {
        let refused = Err(ReplicaError::PartWords { part_words });
        assert_eq!(start(cluster().with_part_words(part_words)), refused);
    }
    let (mut replica, _producer) = node::<Xor>(1);
    let refused = Err(ReplicaError::Address { addr: LEN, len: LEN });
    assert_eq!(replica.put(LEN, 1), refused);
    assert_eq!(replica.load(LEN, 1), refused);
}

#[test]
fn puts_at_once_compose_and_the_last_load_wins_everywhere() {
    let ((mut one, _a), (mut two, _b)) = (node::<Add>(1), node::<Add>(2));
    one.put(5, 50).unwrap();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    one.put(5, 7).unwrap();
    two.put(5, 9).unwrap();
    let (first, second) = (sent(&mut one), sent(&mut two));
    two.receive(Peer(1), &first).unwrap();
    one.receive(Peer(2), &second).unwrap();
    assert_eq!(one.sealed()[5] as i64, -34);
    assert_eq!(two.sealed()[5] as i64, -34);

    one.load(5, 7).unwrap();
    two.load(5, 9).unwrap();
    let (first, second) = (sent(&mut one), sent(&mut two));
    two.receive(Peer(1), &first).unwrap();
    one.receive(Peer(2), &second).unwrap();
    assert_eq!((one.sealed()[5], two.sealed()[5]), (9, 9));
    assert_eq!((one.view().read(5), two.view().read(5)), (9, 9));
}

#[test]
fn a_view_is_copied_as_it_is_read() {
    let ((mut one, mut a), (mut two, mut b)) = (node::<Add>(1), node::<Add>(2));
    (0..LEN).for_each(|addr| a.accum(addr, addr as u64));
    one.tick();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    (0..LEN).step_by(3).for_each(|addr| b.accum(addr, 1 << 40));

    let view = two.view();
    let mut copied = vec![u64::MAX; LEN];
    view.snapshot(&mut copied);
    for (addr, &state) in copied.iter().enumerate() {
        let local = if addr % 3 == 0 { 1 << 40 } else { 0 };
        assert_eq!(state, addr as u64 + local, "address {addr}");
        assert_eq!(state, view.read(addr), "address {addr}");
    }
}

#[test]
#[should_panic(expected = "as long as its table")]
fn a_view_is_not_copied_to_a_shorter_place() {
    node::<Xor>(1).0.view().snapshot(&mut [0; LEN - 1]);
}

/// LOAD against producers at full speed: both replicas agree, and on a value that the loads allow.
#[test]
fn a_load_wins_against_running_producers() {
    let ((mut one, mut a), (mut two, mut b)) = (node::<Add>(1), node::<Add>(2));
    std::thread::scope(|scope| {
        for producer in [&mut a, &mut b] {
            scope.spawn(|| (0..200_000).for_each(|_| producer.accum(9, 1)));
        }
        for round in 0..200 {
            let loader = if round % 2 == 0 { &mut one } else { &mut two };
            loader.load(9, 1 << 40).unwrap();
            two.receive(Peer(1), &sent(&mut one)).unwrap();
            one.receive(Peer(2), &sent(&mut two)).unwrap();
        }
    });
    one.tick();
    two.tick();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    one.receive(Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(one.sealed(), two.sealed());
    assert!((1 << 40..=(1 << 40) + 400_000).contains(&one.sealed()[9]));
    assert_eq!(one.view().read(9), one.sealed()[9]);
    assert_eq!(two.view().read(9), two.sealed()[9]);
}

#[test]
fn who_comes_late_gets_all_and_who_comes_back_what_changed() {
    let (mut one, mut producer) = node::<Add>(1);
    (0..LEN).for_each(|addr| producer.accum(addr, addr as u64));
    one.tick();
    sent(&mut one);
    let (mut late, _b) = node::<Add>(2);
    let all = catch_up(&mut late, &mut one);
    assert_eq!(late.sealed(), one.sealed());

    producer.accum(700, 1);
    one.tick();
    sent(&mut one);
    let changed = catch_up(&mut late, &mut one);
    assert_eq!(late.sealed()[700], 701);
    // One part of 64 words, a question and an answer.
    assert_eq!(changed, 68 + 68 + 64 * 16);
    assert!(changed * 10 < all);

    // A third has it all from the second, who never wrote a word of it.
    let (mut third, _c) = node::<Add>(3);
    catch_up(&mut third, &mut late);
    assert_eq!(third.sealed(), one.sealed());
}

#[test]
fn of_a_large_part_the_blocks_that_changed_move() {
    let cluster = Cluster::new("large parts", 4_096);
    let start = |node| {
        let local = Arc::new(TableFanIn::<Add>::new(4_096));
        let producer = local.producer_owned();
        (Replica::new(&cluster, local, origin(node)).unwrap(), producer)
    };
    let ((mut one, mut producer), (mut two, _b)) = (start(1), start(2));
    (0..4_096).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    sent(&mut one);
    assert_eq!(catch_up(&mut two, &mut one), 68 + 68 + 16 * 4_096);
    // Many times at two places, and once at a third.
    for _ in 0..50 {
        [70, 100, 4_000].into_iter().for_each(|addr| producer.accum(addr, 1));
        one.tick();
        sent(&mut one);
    }
    assert_eq!(catch_up(&mut two, &mut one), 68 + 68 + 2 * 16 * 64);
    assert_eq!(two.sealed(), one.sealed());
    assert_eq!(catch_up(&mut two, &mut one), 0);
}

#[test]
fn catching_up_goes_on_where_it_was_interrupted() {
    let (mut one, mut producer) = node::<Add>(1);
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    sent(&mut one);
    let (mut late, _b) = node::<Add>(2);
    late.receive(Peer(1), &one.vector()).unwrap();
    one.receive(Peer(2), &sent(&mut late)).unwrap();
    // Of the answers, a frame for each part of 64 words, ten come; then the link is gone.
    let answers = sent(&mut one);
    let frame = 68 + 64 * 16;
    assert_eq!(late.receive(Peer(1), &answers[..10 * frame]).unwrap().applied, 10);
    assert_ne!(late.sealed(), one.sealed());

    // Of another peer, who has it from the first.
    let (mut other, _c) = node::<Add>(3);
    catch_up(&mut other, &mut one);
    let moved = catch_up(&mut late, &mut other);
    assert_eq!(late.sealed(), one.sealed());
    let parts = LEN.div_ceil(64);
    assert_eq!(moved, (parts - 10) * 68 + answers.len() - 10 * frame);
}

#[test]
fn there_may_be_as_many_origins_and_peers_as_the_bound_says() {
    const NODES: u64 = 120;
    let bounded = cluster().with_max_origins(NODES as usize);
    let mut nodes: Vec<Replica<Add>> = (0..NODES)
        .map(|node| Replica::new(&bounded, Arc::new(TableFanIn::new(LEN)), origin(node)).unwrap())
        .collect();
    let mut packets = Vec::new();
    for (node, replica) in (0..).zip(&mut nodes) {
        replica.put(node % 7, 1).unwrap();
        replica.put(node, replica.sealed()[node] + 1).unwrap();
        packets.push((Peer(node as u64), sent(replica)));
    }
    for replica in &mut nodes {
        for (peer, packet) in &packets {
            replica.receive(*peer, packet).unwrap();
        }
    }
    let sum = nodes[0].sealed().iter().sum::<u64>();
    assert_eq!(sum, 2 * NODES);
    for replica in &nodes {
        assert_eq!((replica.origins(), replica.sealed()), (NODES as usize, nodes[0].sealed()));
    }
    // One more, known to none of them.
    let (mut more, mut producer) = node::<Add>(NODES);
    producer.accum(0, 1);
    more.tick();
    let refused = nodes[0].receive(Peer(NODES), &sent(&mut more)).unwrap_err().refusal;
    assert_eq!(refused, Refusal::TooManyOrigins { origin: origin(NODES), bound: NODES as usize });
}

#[test]
fn a_lost_announcement_shows_as_a_gap_and_is_asked_for() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Xor>(1), node::<Xor>(2));
    producer.accum(0, 1);
    one.tick();
    sent(&mut one);
    producer.accum(1, 2);
    one.tick();
    let received = two.receive(Peer(1), &sent(&mut one)).unwrap();
    assert_eq!((received.applied, received.gaps), (0, 1));
    assert_eq!(two.sealed()[1], 0);
    let (to, question) = two.poll_packet().unwrap();
    assert_eq!(to, Recipient::Peer(Peer(1)));
    one.receive(Peer(2), &question).unwrap();
    let (to, answer) = one.poll_packet().unwrap();
    assert_eq!(to, Recipient::Peer(Peer(2)));
    two.receive(Peer(1), &answer).unwrap();
    assert_eq!(two.sealed()[..2], [1, 2]);
}

#[test]
fn a_divergence_is_found_by_digests_and_repaired_by_refetching_one_part() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Xor>(1), node::<Xor>(2));
    (0..LEN).for_each(|addr| producer.accum(addr, 1 + addr as u64));
    one.tick();
    let frames = sent(&mut one);
    two.receive(Peer(1), &frames).unwrap();
    // By hand: another content under the version that the origin would use for it.
    let (mut twin, mut other) = node::<Xor>(1);
    other.accum(100, 0xBAD);
    twin.tick();
    let (mut three, _c) = node::<Xor>(3);
    three.receive(Peer(1), &sent(&mut twin)).unwrap();
    catch_up(&mut three, &mut one);
    assert_ne!(three.sealed(), one.sealed());

    two.heartbeat(two.parts());
    three.receive(Peer(2), &sent(&mut two)).unwrap();
    let event = three.poll_event();
    let Some(Event::Diverged { origin, part, version, peer, ours, theirs }) = event else {
        panic!("{event:?}");
    };
    assert_eq!((origin, part, version, peer), (self::origin(1), 1, 1, Peer(2)));
    assert_eq!(Some(ours), three.digest(origin, part).map(|digest| digest.digest));
    assert_eq!(Some(theirs), two.digest(origin, part).map(|digest| digest.digest));
    assert_eq!(three.poll_event(), None);

    three.refetch(origin, part, peer).unwrap();
    let question = sent(&mut three);
    two.receive(Peer(3), &question).unwrap();
    let answer = sent(&mut two);
    three.receive(Peer(2), &answer).unwrap();
    assert_eq!(three.sealed(), one.sealed());
    assert!((0..LEN).all(|addr| three.view().read(addr) == one.sealed()[addr]));
    assert_eq!(question.len() + answer.len(), 68 + 68 + 64 * 16);

    assert_eq!(three.refetch(self::origin(3), 0, peer), Err(ReplicaError::OwnPart { part: 0 }));
    let unknown = ReplicaError::UnknownPart { origin: self::origin(9), part: 0 };
    assert_eq!(three.refetch(self::origin(9), 0, peer), Err(unknown));
}

#[test]
fn nothing_of_a_part_that_is_refetched_leaves_any_more() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Xor>(1), node::<Xor>(2));
    [0, 64].into_iter().for_each(|addr| producer.accum(addr, 1));
    one.tick();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    // Both ask for both parts. The answers get their bytes together, and one packet is taken.
    let (mut three, mut four) = (node::<Xor>(3).0, node::<Xor>(4).0);
    for (name, asker) in [(3, &mut three), (4, &mut four)] {
        asker.receive(Peer(2), &two.vector()).unwrap();
        two.receive(Peer(name), &sent(asker)).unwrap();
    }
    let (to, answer) = two.poll_packet().unwrap();
    assert_eq!(to, Recipient::Peer(Peer(3)));
    three.receive(Peer(2), &answer).unwrap();

    two.refetch(origin(1), 0, Peer(1)).unwrap();
    four.receive(Peer(2), &sent(&mut two)).unwrap();
    assert_eq!([0, 64].map(|addr| four.sealed()[addr]), [0, 1]);
}

#[test]
fn one_origin_more_than_the_bound_is_refused() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let mut replica = Replica::new(&cluster().with_max_origins(2), local, origin(1)).unwrap();
    let mut refusals = Vec::new();
    for other in 2..5 {
        let (mut peer, mut producer) = node::<Xor>(other);
        producer.accum(0, 1);
        peer.tick();
        for packet in [sent(&mut peer), peer.vector()] {
            let refused = replica.receive(Peer(other), &packet).err();
            refusals.extend(refused.map(|error| (other, error.refusal)));
        }
    }
    let refused = |node| (node, Refusal::TooManyOrigins { origin: origin(node), bound: 2 });
    assert_eq!(refusals, [refused(3), refused(3), refused(4), refused(4)]);
    assert_eq!((replica.origins(), replica.sealed()[0]), (2, 1));
}

#[test]
fn a_cloned_identity_is_refused() {
    let ((mut one, _a), (mut clone, mut producer)) = (node::<Xor>(1), node::<Xor>(1));
    producer.accum(70, 1);
    clone.tick();
    let refused = Some(Refusal::ClonedIdentity { origin: origin(1), part: 1, found: 1, own: 0 });
    for packet in [sent(&mut clone), clone.vector()] {
        assert_eq!(one.receive(Peer(2), &packet).err().map(|error| error.refusal), refused);
    }
    assert_eq!(one.sealed()[70], 0);
}

#[test]
fn an_origin_that_never_wrote_takes_no_plane() {
    let (mut one, _a) = node::<Xor>(1);
    for other in 2..100 {
        let (mut peer, _producer) = node::<Xor>(other);
        peer.hello(Recipient::All);
        peer.tick();
        one.receive(Peer(other), &sent(&mut peer)).unwrap();
        let vector = peer.vector();
        assert_eq!(vector.len(), 68);
        let received = one.receive(Peer(other), &vector).unwrap();
        assert!(received.vector && received.behind == 0);
    }
    assert_eq!(one.origins(), 1);
}

/// A store as a caller writes one: the last bytes of each part.
type Store = std::collections::BTreeMap<(Origin, usize), Vec<u8>>;

fn write_to<A: Algebra>(store: &mut Store, replica: &mut Replica<A>) -> u64 {
    let transaction = replica.to_store().unwrap();
    store.extend(transaction.parts.into_iter().map(|part| ((part.origin, part.part), part.bytes)));
    transaction.number
}

#[test]
fn nothing_leaves_before_it_is_stored_and_a_restart_has_it() {
    let start = |incarnation, store: &Store| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let producer = local.producer_owned();
        let origin = Origin { node: 1, incarnation };
        (Replica::restore(&cluster(), local, origin, store.values()).unwrap(), producer)
    };
    let mut store = Store::new();
    let (mut one, mut producer) = start(1, &store);
    let (mut two, _b) = node::<Add>(2);
    producer.accum(4, 5);
    one.tick();
    assert!(one.to_store().is_some(), "a write that will fail");
    assert_eq!(one.poll_packet(), None);
    assert_eq!(one.since(one.origin(), 0, 0), None);
    assert_eq!(one.vector()[68..], [0; 8]);
    let number = write_to(&mut store, &mut one);
    assert_eq!(one.poll_packet(), None);
    // A version of after the transaction stays, what was of it leaves.
    producer.accum(4, 1);
    one.tick();
    assert!(!one.stored(number - 1) && one.stored(number));
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(two.sealed()[4], 5);

    drop(one);
    let (mut again, mut producer) = start(2, &store);
    assert_eq!((again.sealed()[4], again.view().read(4)), (5, 5));
    producer.accum(4, 10);
    again.tick();
    let number = write_to(&mut store, &mut again);
    assert!(again.stored(number) && again.to_store().is_none());
    two.receive(Peer(1), &sent(&mut again)).unwrap();
    assert_eq!((again.sealed()[4], two.sealed()[4]), (15, 15));

    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let reused = Replica::restore(&cluster(), local, origin(1), store.values()).map(drop);
    let Err(ReplicaError::Stored { error, .. }) = reused else { panic!("{reused:?}") };
    assert_eq!(error.refusal, Refusal::IncarnationReused { origin: origin(1) });
}

/// Whichever of the parts comes first.
#[test]
fn a_store_of_as_many_origins_as_the_bound_comes_back() {
    let bounded = cluster().with_max_origins(3);
    let resume = |parts: &[Vec<u8>]| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        Replica::resume(&bounded, local, origin(1), parts)
    };
    let mut one = resume(&[]).unwrap();
    one.put(0, 1).unwrap();
    for other in 2..4 {
        let (mut peer, _producer) = node::<Add>(other);
        peer.put(0, other).unwrap();
        one.receive(Peer(other), &sent(&mut peer)).unwrap();
    }
    let mut parts: Vec<Vec<u8>> = one.to_store().unwrap().parts.into_iter().map(|part| part.bytes).collect();
    for _ in 0..parts.len() {
        parts.rotate_left(1);
        let again = resume(&parts).unwrap();
        assert_eq!((again.origins(), again.sealed()[0]), (3, 6));
    }
    // The own origin counts without a part too.
    let anew = Replica::restore(&bounded, Arc::new(TableFanIn::<Add>::new(LEN)), origin(9), &parts);
    let Err(ReplicaError::Stored { index: 2, error }) = anew.map(drop) else { panic!("one more than 3") };
    assert!(matches!(error.refusal, Refusal::TooManyOrigins { bound: 3, .. }));
}

#[test]
fn what_a_store_damaged_is_refused_by_name() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let none: [&[u8]; 0] = [];
    let mut one = Replica::restore(&cluster(), local, origin(1), none).unwrap();
    one.put(999, 5).unwrap();
    one.load(64, 6).unwrap();
    let mut store = Store::new();
    write_to(&mut store, &mut one);
    let restore = |parts: Vec<Vec<u8>>| {
        let local = Arc::new(TableFanIn::<Xor>::new(LEN));
        match Replica::restore(&cluster(), local, origin(2), parts) {
            Ok(replica) => Ok((replica.sealed()[999], replica.sealed()[64])),
            Err(ReplicaError::Stored { error, .. }) => Err(error.refusal),
            Err(other) => panic!("{other}"),
        }
    };
    let parts: Vec<Vec<u8>> = store.into_values().collect();
    assert_eq!(restore(parts.clone()), Ok((5, 6)));
    assert_eq!(
        restore([parts.clone(), parts[..1].to_vec()].concat()),
        Err(Refusal::StoredTwice { origin: origin(1), part: 1 })
    );
    for part in &parts {
        for at in 0..part.len() {
            let mut damaged = part.clone();
            damaged[at] ^= 0x10;
            assert!(restore(vec![damaged]).is_err(), "byte {at}");
            assert!(restore(vec![part[..at].to_vec()]).is_err(), "up to byte {at}");
        }
    }
    // A part never travels as the store has it.
    let (mut two, _b) = node::<Xor>(2);
    let refused = two.receive(Peer(1), &parts[0]).err().map(|error| error.refusal);
    assert_eq!(refused, Some(Refusal::Kind { found: 6 }));
}

#[test]
fn what_waits_is_bounded() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let bounded = cluster().with_max_waiting(3).with_packet_len(1);
    let mut one = Replica::new(&bounded, local, origin(1)).unwrap();
    let (mut two, mut producer) = node::<Xor>(2);
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    two.tick();
    sent(&mut two);
    let received = one.receive(Peer(2), &two.vector()).unwrap();
    assert_eq!(received.behind, LEN.div_ceil(64));
    for peer in 0..100 {
        one.send_vector(Recipient::Peer(Peer(peer)));
        one.hello(Recipient::Peer(Peer(peer)));
    }
    assert_eq!(std::iter::from_fn(|| one.poll_packet()).count(), 9);
}

#[test]
fn each_error_names_what_was_wrong() {
    let refused = PacketError { at: 0, refusal: Refusal::Format { found: 9 } };
    let told = [
        (
            ReplicaError::TableLength { table: 1, cluster: 2 },
            "the fan-in has 1 addresses, the cluster's table 2",
        ),
        (
            ReplicaError::BaseLength { base: 1, cluster: 2 },
            "the initial base has 1 words, the cluster's table 2",
        ),
        (
            ReplicaError::PartWords { part_words: 63 },
            "a part of 63 words: it must be a multiple of 64 from 64 to 65536",
        ),
        (ReplicaError::SecondReplica, "the fan-in has, or had, a replica already"),
        (ReplicaError::Address { addr: 5, len: 5 }, "no address 5 in a table of 5"),
        (
            ReplicaError::EpochsExhausted { addr: 5 },
            "address 5 was loaded 2^63 times; there is no further epoch",
        ),
        (
            ReplicaError::Stored { index: 3, error: refused.clone() },
            "stored part 3: the section at byte 0 was refused: format version 9 is unknown here",
        ),
        (ReplicaError::OwnPart { part: 2 }, "part 2 is of the own origin: if it is in doubt, start anew"),
        (
            ReplicaError::UnknownPart { origin: origin(0xA), part: 2 },
            "nothing is known of part 2 of origin a/1",
        ),
    ];
    for (error, text) in told {
        assert_eq!(error.to_string(), text);
        let cause = error.source().map(|cause| cause.to_string());
        let expected = matches!(error, ReplicaError::Stored { .. }).then(|| refused.to_string());
        assert_eq!(cause, expected);
    }
}

#[test]
fn debug_shows_origins_and_lengths() {
    let (replica, _producer) = node::<Xor>(0x1A);
    assert_eq!(format!("{replica:?}"), "Replica { origin: Origin(1a/1), len: 1000, origins: 1, .. }");
    assert_eq!(format!("{:?}", replica.view()), "View { len: 1000, .. }");
    assert_eq!(replica.origin(), origin(0x1A));
    assert_eq!((replica.len(), replica.view().len(), replica.parts()), (LEN, LEN, LEN.div_ceil(64)));
    assert!(!replica.is_empty() && !replica.view().is_empty());
    let nothing = Replica::<Xor>::new(&Cluster::new("tests", 0), Arc::new(TableFanIn::new(0)), origin(1));
    let nothing = nothing.unwrap();
    assert!(nothing.is_empty() && nothing.view().is_empty());
    assert_eq!((nothing.parts(), nothing.sealed().len()), (0, 0));
}
