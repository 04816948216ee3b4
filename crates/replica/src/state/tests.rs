use super::*;
use crate::damage::Memory;
use crate::frame::tests::{raw_section, raw_word};
use crate::frame::{FrameContext, Header, Section, SectionKind};
use crate::register::{Entry, LoadTimestamp, Register, Total};
use atomik_core::Add;
use proptest::prelude::*;

const OWN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };
const OTHER: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

fn state(len: usize, shard_words: usize) -> ReplicaState<Add> {
    ReplicaState::new(Shape { len, shard_words }, None, OWN, Vec::new())
}

/// Applies a frame of version 1 with these words and entries.
fn apply(state: &mut ReplicaState<Add>, words: &[(u32, u64)], entries: &[Entry]) {
    apply_from(state, OTHER, 1, words, entries);
}

/// Applies a frame of this origin and version with these words and entries.
fn apply_from(
    state: &mut ReplicaState<Add>,
    origin: ReplicaId,
    to: u64,
    words: &[(u32, u64)],
    entries: &[Entry],
) {
    let context = FrameContext::new::<Add>(0);
    let shard = state.shape().shard_of(words.first().map_or_else(|| entries[0].addr, |word| word.0));
    let header = Header { kind: SectionKind::Totals, origin, shard: shard as u32, from: 0, to };
    let words: Vec<_> = words.iter().map(|&(addr, total)| raw_word(addr, total, to)).collect();
    let frame = raw_section(context, header, &words, entries);
    let section = Section::only(&frame, context).unwrap();
    state.apply(ShardKey { origin, shard }, to, section.totals(), &[0; 8_192]);
}

/// Puts a frame of this version with these words and entries in the place of a shard.
fn replace(state: &mut ReplicaState<Add>, shard: usize, to: u64, words: &[(u32, u64)], entries: &[Entry]) {
    let context = FrameContext::new::<Add>(0);
    let header = Header { kind: SectionKind::Totals, origin: OTHER, shard: shard as u32, from: 0, to };
    let words: Vec<_> = words.iter().map(|&(addr, total)| raw_word(addr, total, to)).collect();
    let frame = raw_section(context, header, &words, entries);
    let totals = Section::only(&frame, context).unwrap().totals();
    state.replace(ShardKey { origin: OTHER, shard }, to, totals, &UNTICKED);
}

#[test]
fn a_shard_is_replaced_by_a_later_or_an_earlier_version() {
    for to in [1, 3, 9] {
        let mut state = state(128, 64);
        apply_from(&mut state, OTHER, 3, &[(3, 7), (4, 8)], &[entry(5, 2, 1)]);
        replace(&mut state, 0, to, &[(4, 9)], &[entry(6, 1, 2)]);
        assert_eq!(state.merged()[3..7], [0, 9, 0, 102]);
        assert_eq!((0..7).map(|addr| state.remote[addr].read()).collect::<Vec<_>>(), state.merged()[..7]);
        assert_eq!(state.registers.all().into_keys().collect::<Vec<_>>(), [6]);
        let key = ShardKey { origin: OTHER, shard: 0 };
        assert_eq!(state.version(key), to);
        assert!(state.shard(key).unwrap().totals_since(to - 1).count() == 64);
        let MendedVersions { were_damaged, versions } = state.mend_versions(0);
        assert!(!were_damaged && versions.is_empty());
    }
}

#[test]
fn words_are_set_in_their_own_blocks() {
    // Neighbours in a frame that lie in different blocks, though their offsets in them, or what a wrong division leaves
    // of their addresses, are equal.
    for addrs in [[5, 69], [0, 64], [1, 4_096], [63, 64], [64, 4_100]] {
        let mut state = state(8_192, 8_192);
        apply(&mut state, &[(addrs[0], 7), (addrs[1], 9)], &[]);
        let mut expected = vec![0; 8_192];
        (expected[addrs[0] as usize], expected[addrs[1] as usize]) = (7, 9);
        assert_eq!(state.merged(), expected, "{addrs:?}");
        assert_eq!(state.recompute(0, &[0; 8_192]), Mended::default(), "{addrs:?}");
    }
}

/// What the ticks took out of the fan-in, in tests without ticks.
const UNTICKED: [u64; 192] = [0; 192];

#[test]
fn recomputing_mends_merged_and_remote_states_each_by_itself() {
    let mut state = state(128, 64);
    apply(&mut state, &[(3, 7)], &[]);
    state.tick(0, [(3, 10)].into_iter());
    let mut ticked = [0; 128];
    ticked[3] = 10;
    let recompute = |state: &mut ReplicaState<Add>| {
        let mended = state.recompute(0, &ticked);
        assert_eq!((state.merged[3], state.merged[63]), (17, 0));
        assert_eq!((state.remote[3].read(), state.remote[63].read()), (7, 0));
        (mended.merged, mended.remote, mended.registers)
    };
    assert_eq!(recompute(&mut state), (0, 0, 0));
    (state.merged[3], state.merged[63]) = (8, 1);
    assert_eq!(recompute(&mut state), (2, 0, 0));
    state.remote[3].load(6);
    assert_eq!(recompute(&mut state), (0, 1, 0));
    state.remote[3].load(5);
    (state.merged[3], state.merged[63]) = (8, 1);
    assert_eq!(recompute(&mut state), (2, 1, 0));
    assert_eq!(recompute(&mut state), (0, 0, 0));
}

/// An entry at a register, and the register in it.
fn entry(addr: u32, counter: u64, total: u64) -> Entry {
    let timestamp = LoadTimestamp { counter, origin: OTHER };
    Entry { addr, register: Register { timestamp, value: 100 * counter }, total: Total(total) }
}

#[test]
fn a_register_that_was_damaged_is_sought_again_when_it_is_used() {
    let third = ReplicaId { node: 3, incarnation: 1 };
    for bit in 0..64 * 6 {
        let damaged = || {
            let mut state = state(128, 64);
            apply(&mut state, &[], &[entry(3, 2, 5)]);
            assert!(state.registers.flip(0, bit));
            state
        };
        let is_right = |state: &mut ReplicaState<Add>, merged, ticked: &[u64]| {
            let mended = state.take_damaged_registers();
            assert_eq!((state.merged[3], state.registers.all().len()), (merged, 1), "bit {bit}");
            assert_eq!(mended, [0], "bit {bit}");
            assert_eq!(state.recompute(0, ticked), Mended::default(), "bit {bit}");
        };
        let mut state = damaged();
        state.check_register(3);
        state.tick(0, [(3, 7)].into_iter());
        let mut ticked = [0; 128];
        ticked[3] = 7;
        is_right(&mut state, 212, &ticked);

        let mut state = damaged();
        state.load(3, 9, &UNTICKED);
        assert_eq!(state.registers.get(3).unwrap().timestamp.counter, 3);
        is_right(&mut state, 9, &UNTICKED);

        let mut state = damaged();
        apply_from(&mut state, third, 1, &[], &[entry(3, 2, 1)]);
        is_right(&mut state, 206, &UNTICKED);

        // A word of a loaded address does not count. Only the mask of the block is used.
        if bit < 64 {
            let mut state = damaged();
            apply_from(&mut state, third, 1, &[(3, 1)], &[]);
            is_right(&mut state, 205, &UNTICKED);
        }
        let mut state = damaged();
        let registers = state.recompute(0, &UNTICKED).registers;
        assert_eq!(registers, if bit < 64 { 64 } else { 1 });
        assert_eq!(state.recompute(0, &UNTICKED), Mended::default());
    }
}

#[test]
fn a_register_that_no_plane_has_any_more_does_not_win() {
    let third = ReplicaId { node: 3, incarnation: 1 };
    let mut state = state(128, 64);
    apply_from(&mut state, third, 1, &[], &[entry(3, 2, 1)]);
    apply_from(&mut state, OTHER, 1, &[], &[entry(3, 100, 0)]);
    assert_eq!(state.merged()[3], 10_000);
    apply_from(&mut state, OTHER, 2, &[], &[entry(3, 1, 0)]);
    assert_eq!(state.merged()[3], 201);
    state.tick(0, [(3, 1)].into_iter());
    let own = state.shard(ShardKey { origin: OWN, shard: 0 }).unwrap().entry(3).unwrap();
    assert_eq!(own.register, entry(3, 2, 1).register);
}

#[test]
fn a_version_or_a_stamp_that_was_damaged_is_set_right() {
    let key = ShardKey { origin: OTHER, shard: 0 };
    for bit in 0..64 {
        let mut state = state(128, 128);
        apply_from(&mut state, OTHER, 2, &[(3, 7)], &[]);
        apply_from(&mut state, OTHER, 5, &[(70, 7)], &[]);
        apply_from(&mut state, OWN, 4, &[(70, 7)], &[]);
        let mend = |state: &mut ReplicaState<Add>| {
            let MendedVersions { were_damaged, versions } = state.mend_versions(0);
            (were_damaged, versions)
        };
        assert_eq!(mend(&mut state), (false, vec![]));
        let digest = state.versions_digest(0);
        let shard = state.shard_mut(key).unwrap();
        shard.set_version(5 ^ 1 << bit);
        let mended = MendedVersion { origin: OTHER, found: 5 ^ 1 << bit, version: 5 };
        assert_eq!(mend(&mut state), (true, vec![mended]));
        // No block may be left out of an answer, so all blocks are stamped.
        for block in 0..2 {
            let shard = state.shard_mut(key).unwrap();
            *shard.words_of(Memory::Stamps)[block] ^= 1 << bit;
            let mended = MendedVersion { origin: OTHER, found: 5, version: 5 };
            assert_eq!(mend(&mut state), (false, vec![mended]), "block {block}");
            assert_eq!(state.shard(key).unwrap().totals_since(4).count(), 128);
            assert_eq!((mend(&mut state), state.versions_digest(0)), ((false, vec![]), digest));
        }
    }
}

#[test]
fn recomputing_a_shard_leaves_its_neighbours_alone() {
    let mut state = state(192, 64);
    for addr in [63, 64, 127, 128] {
        state.load(addr, addr.into(), &[0; 192]);
    }
    apply(&mut state, &[(62, 5)], &[]);
    replace(&mut state, 0, 1, &[(62, 0)], &[]);
    assert_eq!(state.recompute(1, &UNTICKED), Mended::default());
    for addr in [63, 64, 127, 128] {
        assert!(state.registers().is_loaded(addr));
        assert_eq!((state.registers().next_counter(addr), state.merged()[addr as usize]), (2, addr.into()));
    }
    assert_eq!((state.registers().is_loaded(62), state.merged()[62]), (false, 0));
}

proptest! {
    /// Entries are set without a look at the other planes, in most cases. Whatever comes, also registers that go down
    /// and ids that were used twice, the states are those that the planes add up to.
    #[test]
    fn entries_of_any_order_leave_what_the_planes_add_up_to(
        frames in proptest::collection::vec((0..4u64, 0..4u32, 1..4u64, 0..2u64, 0..3u64, any::<bool>()), 1..60),
        shard_words in prop_oneof![Just(16), Just(32), Just(64), Just(128)],
    ) {
        let mut state = state(128, shard_words);
        for (to, (node, addr, counter, value, total, is_word)) in (1..).zip(frames) {
            let addr = [0, 15, 16, 100][addr as usize];
            let origin = ReplicaId { node: 2 + node, incarnation: 1 };
            if is_word {
                apply_from(&mut state, origin, to, &[(addr, total)], &[]);
            } else {
                let timestamp = LoadTimestamp { counter, origin: OTHER };
                let entry = Entry { addr, register: Register { timestamp, value }, total: Total(total) };
                apply_from(&mut state, origin, to, &[], &[entry]);
            }
            for shard in 0..state.shape().shards() {
                prop_assert_eq!(state.recompute(shard, &UNTICKED), Mended::default());
                prop_assert!(!state.mend_versions(shard).were_damaged);
            }
        }
    }
}

#[test]
fn keys_come_in_turn() {
    let mut state = state(256, 64);
    assert_eq!(state.next_key(None), None);
    let origins = [0, 2, 3].map(|node| ReplicaId { node, incarnation: 1 });
    for (origin, addr) in [(origins[0], 70), (origins[2], 0), (origins[2], 200)] {
        apply_from(&mut state, origin, 1, &[(addr, 1)], &[]);
    }
    let keys = [(origins[0], 1), (origins[2], 0), (origins[2], 3)];
    let keys = keys.map(|(origin, shard)| ShardKey { origin, shard });
    let mut last = None;
    for key in keys.iter().chain(&keys) {
        last = state.next_key(last);
        assert_eq!(last, Some(*key));
    }
    // The key after one that is not there.
    let missing = ShardKey { origin: origins[1], shard: 2 };
    assert_eq!(state.next_key(Some(missing)), Some(keys[1]));
    assert_eq!(state.next_key(Some(ShardKey { origin: OWN, shard: 9 })), Some(keys[1]));
    assert_eq!(state.next_key(Some(ShardKey { shard: 0, ..keys[0] })), Some(keys[0]));
}
