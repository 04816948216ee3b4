use super::*;
use crate::frame::tests::{raw_section, raw_word};
use crate::frame::{FrameContext, Header, Section, SectionKind};
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
    state.apply(ShardKey { origin, shard }, to, section.totals());
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
        assert_eq!(state.recompute(0), 0, "{addrs:?}");
    }
}

#[test]
fn recomputing_counts_and_repairs_states_that_are_wrong() {
    let mut state = state(128, 64);
    apply(&mut state, &[(3, 7)], &[]);
    state.merged_mut()[3] = 8;
    state.merged_mut()[63] = 1;
    assert_eq!(state.recompute(0), 2);
    assert_eq!((state.merged[3], state.merged[63]), (7, 0));
    assert_eq!(state.recompute(0), 0);
}

#[test]
fn recomputing_a_shard_leaves_its_neighbours_alone() {
    let mut state = state(192, 64);
    for addr in [63, 64, 127, 128] {
        state.load(addr, addr.into());
    }
    apply(&mut state, &[(62, 5)], &[]);
    state.remove(ShardKey { origin: OTHER, shard: 0 });
    assert_eq!(state.recompute(1), 0);
    for addr in [63, 64, 127, 128] {
        assert!(state.registers().is_loaded(addr));
        assert_eq!((state.registers().next_counter(addr), state.merged()[addr as usize]), (2, addr.into()));
    }
    assert_eq!((state.registers().is_loaded(62), state.merged()[62]), (false, 0));
}

proptest! {
    /// Entries are set without a look at the other planes, in most cases. Whatever comes, also registers that go down and
    /// ids that were used twice, the states are those that the planes add up to.
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
            let before = (state.merged().to_vec(), state.registers.range(0..128).collect::<Vec<_>>());
            for shard in 0..state.shape().shards() {
                prop_assert_eq!(state.recompute(shard), 0);
            }
            let after = (state.merged().to_vec(), state.registers.range(0..128).collect::<Vec<_>>());
            prop_assert_eq!(before, after);
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
