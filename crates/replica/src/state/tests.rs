use super::*;
use crate::frame::tests::{raw_section, raw_word};
use crate::frame::{FrameContext, Header, Section, SectionKind};
use atomik_core::Add;

const OWN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };
const OTHER: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

fn state(len: usize, shard_words: usize) -> ReplicaState<Add> {
    ReplicaState::new(Shape { len, shard_words }, None, OWN, Vec::new())
}

/// Applies a frame of version 1 with these words and entries.
fn apply(state: &mut ReplicaState<Add>, words: &[(u32, u64)], entries: &[Entry]) {
    let context = FrameContext::new::<Add>(0);
    let shard = state.shape().shard_of(words.first().map_or_else(|| entries[0].addr, |word| word.0));
    let header = Header { kind: SectionKind::Totals, origin: OTHER, shard: shard as u32, from: 0, to: 1 };
    let words: Vec<_> = words.iter().map(|&(addr, total)| raw_word(addr, total, 1)).collect();
    let frame = raw_section(context, header, &words, entries);
    let (section, _) = Section::split(&frame, context).unwrap();
    state.apply(ShardKey { origin: OTHER, shard }, 1, section.totals());
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
