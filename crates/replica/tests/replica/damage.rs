//! Bits that flip in memory are repaired or reported.

use std::sync::Arc;

use atomik_core::{Add, TableFanIn, Xor};
use atomik_replica::damage::Memory;
use atomik_replica::{Event, Peer, Replica};

use crate::{LEN, NOW, cluster, node, origin, sent};

/// Two replicas that know the same: words, entries, several versions and a base.
fn pair() -> [Replica<Add>; 2] {
    let based = cluster().with_base(&(0..LEN as u64).collect::<Vec<_>>());
    let [mut one, mut two] = [1, 2].map(|node| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        local.producer().accum(3, node);
        let mut replica = Replica::new(&based, local, origin(node)).unwrap();
        replica.tick();
        replica.load(5, 50 + node).unwrap();
        replica.put(9, 7).unwrap();
        replica
    });
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(one.merged(), two.merged());
    [one, two]
}

/// Heartbeats with all digests, and an audit of the first shard. Returns the events of both.
fn compare(replicas: &mut [Replica<Add>; 2]) -> Vec<Event> {
    for _ in 0..2 {
        for at in [0, 1] {
            // The shards without writing have a turn, too.
            (0..replicas[at].shards()).for_each(|_| replicas[at].heartbeat(2));
            let packet = sent(&mut replicas[at]);
            replicas[1 - at].receive(NOW, Peer(at as u64 + 1), &packet).unwrap();
        }
    }
    events(replicas)
}

fn events(replicas: &mut [Replica<Add>]) -> Vec<Event> {
    replicas.iter_mut().flat_map(|replica| std::iter::from_fn(|| replica.poll_event())).collect()
}

#[test]
fn nothing_is_reported_while_nothing_is_damaged() {
    let mut replicas = pair();
    assert_eq!(compare(&mut replicas), []);
    assert_eq!(replicas.each_mut().map(|replica| replica.audit(0)), [0, 0]);
    assert_eq!(events(&mut replicas), []);
}

#[test]
fn an_audit_mends_what_is_derived_and_leaves_readers_alone() {
    for memory in [Memory::Merged, Memory::Remote, Memory::Registers, Memory::Versions, Memory::Stamps] {
        for bit in (0..64 * 64).step_by(7) {
            let [mut one, two] = pair();
            let view = one.view();
            assert!(one.flip(memory, 0, bit));
            assert!(one.audit(0) > 0, "{memory:?} {bit}");
            let event = one.poll_event();
            let is_named = match memory {
                Memory::Merged => event == Some(Event::MergedRepaired { shard: 0, addresses: 1 }),
                Memory::Remote => event == Some(Event::RemoteRepaired { shard: 0, addresses: 1 }),
                Memory::Registers => event == Some(Event::RegistersRepaired { shard: 0 }),
                _ => matches!(event, Some(Event::VersionRepaired { shard: 0, .. })),
            };
            assert!(is_named, "{memory:?} {bit} {event:?}");
            assert_eq!((one.poll_event(), one.audit(0)), (None, 0));
            assert_eq!(one.merged(), two.merged(), "{memory:?} {bit}");
            assert!((0..LEN).all(|addr| view.read(addr) == one.merged()[addr]), "{memory:?} {bit}");
            for origin in [1, 2].map(origin) {
                assert_eq!(one.digest(origin, 0), two.digest(origin, 0), "{memory:?} {bit}");
                assert_eq!(one.frame_since(origin, 0, 0), two.frame_since(origin, 0, 0));
            }
        }
    }
}

#[test]
fn a_damaged_base_is_reported_and_not_put_into_states() {
    let [mut one, two] = pair();
    assert!(one.flip(Memory::Base, 0, 64 * 7 + 3));
    assert_eq!((one.audit(0), one.audit(1)), (0, 0));
    assert_eq!(one.poll_event(), Some(Event::BaseDamaged { shard: 0 }));
    assert_eq!(one.merged(), two.merged());
}

#[test]
fn merged_states_are_compared_by_heartbeats_without_an_audit() {
    // The damage comes before the first turn of the shard, so that only the peer sees it.
    let mut replicas = pair();
    let healthy = replicas[1].merged().to_vec();
    assert!(replicas[0].flip(Memory::Merged, 0, 64 * 20 + 1));
    let found = compare(&mut replicas);
    assert!(found.iter().any(|event| matches!(event, Event::MergedDiverged { shard: 0, .. })), "{found:?}");
    assert!(found.contains(&Event::MergedRepaired { shard: 0, addresses: 1 }), "{found:?}");
    assert_eq!(
        replicas.each_ref().map(|replica| replica.merged().to_vec()),
        [healthy.clone(), healthy.clone()]
    );

    // Later, the replica sees it itself, before the damage goes out.
    assert!(replicas[0].flip(Memory::Merged, 0, 64 * 20 + 1));
    assert_eq!(compare(&mut replicas), [Event::MergedRepaired { shard: 0, addresses: 1 }]);
    assert_eq!(replicas[0].merged(), healthy);
}

#[test]
fn damaged_totals_and_entries_are_reported_by_their_holder_and_by_others() {
    for memory in [Memory::Totals, Memory::Entries, Memory::EntryAddresses] {
        for bit in (0..64 * 100).step_by(61) {
            // The digest was computed before, so the holder knows.
            let mut replicas = pair();
            assert_eq!(compare(&mut replicas), []);
            assert!(replicas[0].flip(memory, 0, bit));
            let found = compare(&mut replicas);
            assert!(
                found.iter().any(|event| matches!(event, Event::CopyDamaged { shard: 0, .. })),
                "{found:?}"
            );
            // It was not: the peer knows.
            let mut replicas = pair();
            assert!(replicas[0].flip(memory, 0, bit));
            let found = compare(&mut replicas);
            assert!(found.iter().any(|event| matches!(event, Event::Diverged { shard: 0, .. })), "{found:?}");
        }
    }
}

#[test]
fn damaged_addresses_of_entries_are_reported_by_digests_audits_and_ticks() {
    let of_one = |found: Vec<Event>| {
        let damaged = |event: &&Event| matches!(event, Event::CopyDamaged { shard: 0, origin: found, .. } if *found == origin(1));
        found.iter().filter(damaged).count()
    };
    for memory in [Memory::EntryMasks, Memory::EntryAddresses] {
        for bit in 0..64 {
            let damaged = || {
                let mut one =
                    Replica::new(&cluster(), Arc::new(TableFanIn::<Add>::new(LEN)), origin(1)).unwrap();
                one.load_many(&[(5, 50), (9, 90)]).unwrap();
                one.heartbeat(2);
                assert!(one.flip(memory, 0, bit));
                one
            };
            let mut replicas = [damaged()];
            replicas[0].heartbeat(2);
            assert_eq!(of_one(events(&mut replicas)), 1, "{memory:?} {bit}: a digest");
            let mut replicas = [damaged()];
            replicas[0].audit(0);
            assert_eq!(of_one(events(&mut replicas)), 1, "{memory:?} {bit}: an audit");
            // A tick looks at the mask, and at the address of its own entry only.
            if memory == Memory::EntryMasks {
                let mut replicas = [damaged()];
                replicas[0].put(9, 91).unwrap();
                assert_eq!(of_one(events(&mut replicas)), 1, "{memory:?} {bit}: a tick");
            }
        }
    }
}

#[test]
fn a_load_does_not_depend_on_a_damaged_register() {
    for bit in 0..64 * 6 {
        let [mut one, _two] = pair();
        assert!(one.flip(Memory::Registers, 0, bit));
        one.load(5, 9).unwrap();
        assert_eq!((one.merged()[5], one.audit(0)), (9, 0), "bit {bit}");
        assert_eq!(one.poll_event(), Some(Event::RegistersRepaired { shard: 0 }), "bit {bit}");
    }
}

#[test]
fn a_damaged_register_does_not_spread_with_a_tick() {
    for bit in 0..64 * 6 {
        let [mut one, mut two] = pair();
        let before = one.merged()[5];
        assert!(one.flip(Memory::Registers, 0, bit));
        one.put(5, before + 1).unwrap();
        assert_eq!(one.poll_event(), Some(Event::RegistersRepaired { shard: 0 }));
        two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
        assert_eq!((one.merged()[5], two.merged()[5]), (before + 1, before + 1), "bit {bit}");
    }
}

#[test]
fn a_shard_is_stored_again_if_the_stored_version_was_damaged() {
    let none: [&[u8]; 0] = [];
    let mut one =
        Replica::restore(&cluster(), Arc::new(TableFanIn::<Xor>::new(LEN)), origin(1), none).unwrap();
    one.put(0, 7).unwrap();
    let number = one.poll_store().unwrap().number;
    assert!(one.stored(number));
    assert_eq!((one.audit(0), one.poll_store()), (0, None));
    assert!(one.flip(Memory::StoredVersions, 0, 3));
    assert_eq!(one.frame_since(origin(1), 0, 0), None);
    one.audit(0);
    let number = one.poll_store().unwrap().number;
    assert!(one.stored(number) && one.frame_since(origin(1), 0, 0).is_some());
    let (mut two, _b) = node::<Xor>(2);
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
}

#[test]
fn a_register_of_the_own_plane_that_was_damaged_before_it_was_announced_is_reported_with_the_next_version() {
    type Act = fn(&mut Replica<Add>);
    let acts: [Act; 2] = [|replica| replica.put(5, 60).unwrap(), |replica| replica.load(5, 60).unwrap()];
    // Counter, node, incarnation and value.
    for (bit, act) in (0..64 * 4).flat_map(|bit| acts.map(|act| (bit, act))) {
        let mut one = Replica::new(&cluster(), Arc::new(TableFanIn::<Add>::new(LEN)), origin(1)).unwrap();
        one.load(5, 50).unwrap();
        assert!(one.flip(Memory::Entries, 0, bit));
        let version = one.version(one.id(), 0);
        act(&mut one);
        let found = events(std::array::from_mut(&mut one));
        let damaged = |event: &&Event| matches!(event, Event::CopyDamaged { shard: 0, origin, .. } if *origin == one.id());
        assert_eq!(found.iter().filter(damaged).count(), 1, "bit {bit} at version {version}: {found:?}");
    }
}

#[test]
fn a_register_of_the_own_plane_that_was_damaged_before_it_was_announced_is_reported_when_it_comes_back() {
    // Counter, node, incarnation and value.
    for bit in 0..64 * 4 {
        let [mut one, mut two] = [1, 2].map(|node| {
            Replica::new(&cluster(), Arc::new(TableFanIn::<Add>::new(LEN)), origin(node)).unwrap()
        });
        one.load(5, 50).unwrap();
        assert!(one.flip(Memory::Entries, 0, bit));
        if two.receive(NOW, Peer(1), &sent(&mut one)).is_err() {
            continue; // No counter is so great.
        }
        two.put(5, 60).unwrap();
        one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
        let is_greater = (one.merged()[5], two.merged()[5]) == (60, 60);
        let found = events(std::array::from_mut(&mut one));
        let damaged = |event: &Event| matches!(event, Event::CopyDamaged { shard: 0, origin, .. } if *origin == one.id());
        // A smaller register loses here, which the digests of the merged states tell.
        assert!(found.iter().any(damaged) || !is_greater, "bit {bit}: {found:?}");
    }
}
