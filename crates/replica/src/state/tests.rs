use super::*;
use atomik_core::Add;

const OWN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };
const OTHER: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

fn state(len: usize, shard_words: usize) -> State<Add> {
    State::new(Shape { len, shard_words }, None, OWN, Vec::new())
}

fn words<const N: usize>(words: [(u32, u64); N]) -> [WireWord; N] {
    words.map(|(addr, total)| WireWord::new(addr, Total(total), 1))
}

#[test]
fn words_go_to_their_own_blocks() {
    // Neighbours in a frame whose blocks differ though their offsets, or what is left of them, are alike.
    for addrs in [[5, 69], [0, 64], [1, 4_096], [63, 64], [64, 4_100]] {
        let mut state = state(8_192, 8_192);
        state.apply(OTHER, 0, 1, &words([(addrs[0], 7), (addrs[1], 9)]), &[]);
        let mut expected = vec![0; 8_192];
        (expected[addrs[0] as usize], expected[addrs[1] as usize]) = (7, 9);
        assert_eq!(state.merged(), expected, "{addrs:?}");
        assert_eq!(state.recompute(0), 0, "{addrs:?}");
    }
}

#[test]
fn recomputing_counts_and_mends_what_differs() {
    let mut state = state(128, 64);
    state.apply(OTHER, 0, 1, &words([(3, 7)]), &[]);
    state.merged_mut()[3] = 8;
    state.merged_mut()[63] = 1;
    assert_eq!(state.recompute(0), 2);
    assert_eq!((state.merged[3], state.merged[63]), (7, 0));
    assert_eq!(state.recompute(0), 0);
}

#[test]
fn recomputing_a_shard_lets_its_neighbours_be() {
    let mut state = state(192, 64);
    for addr in [63, 64, 127, 128] {
        state.load(addr, addr.into());
    }
    state.apply(OTHER, 0, 1, &words([(62, 5)]), &[]);
    state.drop_shard(OTHER, 0);
    assert_eq!(state.recompute(1), 0);
    for addr in [63, 64, 127, 128] {
        assert!(state.is_loaded(addr));
        assert_eq!((state.next_counter(addr), state.merged()[addr as usize]), (2, addr.into()));
    }
    assert_eq!((state.is_loaded(62), state.merged()[62]), (false, 0));
}
