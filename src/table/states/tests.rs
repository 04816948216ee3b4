use super::*;
use crate::table::AtomikTable;
use alloc::vec::Vec;

#[test]
fn a_difference_in_any_word_is_seen() {
    let mut states: Vec<u64> = (1..=150).collect();
    let table = states.iter().copied().collect::<AtomikTable>();
    assert!(are_equal(&table, &states));
    assert!(are_equal(&table[7..], &states[7..]));
    for at in [0, 63, 64, 127, 128, 149] {
        states[at] ^= 1 << 40;
        assert!(!are_equal(&table, &states), "word {at}");
        states[at] ^= 1 << 40;
    }
    // Two differences that would cancel by XOR.
    states[3] ^= 5;
    states[4] ^= 5;
    assert!(!are_equal(&table, &states));
}
