use super::*;
use crate::algebra::Add;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

#[test]
fn a_table_is_aligned_and_of_its_length() {
    for len in [0, 1, 7, 8, 9, 1000, 100_000] {
        let table = AtomikTable::new(len);
        assert_eq!(table.len(), len);
        assert_eq!(table.as_ptr().addr() % ALIGN, 0);
        assert!(table.iter().all(|context| context.read() == 0));
        assert!(size_of_val(&*table.contexts) <= 8 * len + ALIGN);
    }
}

#[test]
fn as_mut_words_gives_the_states() {
    let mut table = Table::<Add>::from_iter([1, 2, 3]);
    table.as_mut_words()[1] += 40;
    assert!(table.iter().map(Context::read).eq([1, 42, 3]));
    assert_eq!(table.as_mut_words().as_ptr().addr() % ALIGN, 0);
}

#[test]
#[should_panic(expected = "a table of 4294967297 contexts is longer than 32-bit addresses reach")]
#[cfg(target_pointer_width = "64")]
fn new_panics_beyond_32_bit_addresses() {
    let _ = AtomikTable::new(AtomikTable::MAX_LEN + 1);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn try_new_names_a_length_beyond_32_bit_addresses() {
    for len in [AtomikTable::MAX_LEN + 1, usize::MAX] {
        assert_eq!(AtomikTable::try_new(len).unwrap_err(), TableAllocError::TooLong { len });
    }
}

/// All that 32-bit addresses reach is more than such a processor has memory for.
#[test]
#[cfg(target_pointer_width = "32")]
fn try_new_names_a_length_beyond_memory() {
    let len = AtomikTable::MAX_LEN;
    assert_eq!(AtomikTable::try_new(len).unwrap_err(), TableAllocError::OutOfMemory { len });
}

#[test]
fn an_allocation_error_names_the_length() {
    assert_eq!(
        TableAllocError::OutOfMemory { len: 5 }.to_string(),
        "there is no memory for a table of 5 contexts"
    );
}

proptest! {
    #[test]
    fn a_table_holds_the_sums_of_its_deltas(changes in prop::collection::vec((0..50u32, any::<u64>()), 0..100)) {
        let table = Table::<Add>::new(50);
        table.accum_batch(&changes.iter().copied().collect()).unwrap();
        let mut expected = vec![0u64; 50];
        for (addr, delta) in changes {
            expected[addr as usize] = expected[addr as usize].wrapping_add(delta);
        }
        prop_assert_eq!(table.iter().map(Context::read).collect::<Vec<_>>(), expected.clone());
        let mut snapshot = vec![0; 50];
        table.snapshot(&mut snapshot);
        prop_assert_eq!(snapshot, expected);
    }
}

#[test]
fn a_reference_to_a_table_iterates_over_its_contexts() {
    let table = Table::<Add>::from_iter([1, 42]);
    let mut states = Vec::new();
    for context in &table {
        states.push(context.read());
    }
    assert_eq!(states, [1, 42]);
}

#[test]
fn debug_shows_all_contexts() {
    assert_eq!(std::format!("{:?}", Table::<Add>::from_iter([1, 42])), "[Context(1), Context(42)]");
}
