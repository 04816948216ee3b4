//! The kernels that apply batches and messages.

use super::*;

fn diff_and_apply_agree<A: Algebra>(pairs: &[(u64, u64, bool)]) {
    let reference: Vec<u64> = pairs.iter().map(|pair| pair.0).collect();
    let state: Vec<u64> = pairs.iter().map(|pair| if pair.2 { pair.0 } else { pair.1 }).collect();
    let mut batch = DeltaBatch::<A>::new();
    crate::kernel::diff(&reference, &state, &mut batch);
    let mut words = reference;
    assert_eq!(apply(&mut words, &batch), Ok(()));
    assert_eq!(words, state);
}

fn applies_all_or_nothing<A: Algebra>(messages: &[(u32, u64, u32)], table_len: usize) {
    let bytes: Vec<u8> = messages
        .iter()
        .flat_map(|&(addr, delta, seq)| DeltaMessage { addr, delta, seq }.to_bytes())
        .collect();
    let before = distinct(table_len);
    let mut words = before.clone();
    let result = apply_wire::<A>(&mut words, &bytes);

    match messages.iter().position(|message| message.0 as usize >= table_len) {
        Some(bad) => {
            let addr = messages[bad].0;
            assert_eq!(result, Err(ApplyWireError::Address { offset: 16 * bad, addr, len: table_len }));
            assert_eq!(words, before);
        }
        None => {
            let mut expected = before;
            for &(addr, delta, _) in messages {
                expected[addr as usize] = A::compose(expected[addr as usize], delta);
            }
            assert_eq!(result, Ok(()));
            assert_eq!(words, expected);
        }
    }
}

/// In a table of this length, words are prefetched, also those of messages whose address is out of range.
#[test]
fn messages_for_a_large_table() {
    let table_len = 200_000;
    let mut messages: Vec<(u32, u64, u32)> =
        (0..100u32).map(|i| (i.wrapping_mul(0x9E37_79B1) % 200_000, u64::from(i) << 40, i)).collect();
    applies_all_or_nothing::<Add>(&messages, table_len);
    messages[70].0 = 200_000;
    messages[90].0 = u32::MAX;
    applies_all_or_nothing::<Add>(&messages, table_len);
}

#[test]
fn bytes_that_are_not_whole_messages_are_refused() {
    let mut words = distinct(4);
    for len in (0..64).filter(|len| len % 16 != 0) {
        let bytes = alloc::vec![0; len];
        assert_eq!(apply_wire::<Xor>(&mut words, &bytes), Err(ApplyWireError::Length { len }));
    }
    assert_eq!(words, distinct(4));
}

#[test]
fn an_address_past_the_table_changes_nothing() {
    let batch: DeltaBatch = [(1, 1), (4, 1)].into_iter().collect();
    let mut words = distinct(4);
    let error = apply(&mut words, &batch);
    assert_eq!(error, Err(AddressOutOfRange { addr: 4, len: 4 }));
    assert_eq!(words, distinct(4));
}

proptest! {
    #[test]
    fn a_batch_turns_the_reference_into_the_state(
        pairs in vec((any::<u64>(), any::<u64>(), any::<bool>()), 0..200),
    ) {
        diff_and_apply_agree::<Xor>(&pairs);
        diff_and_apply_agree::<Add>(&pairs);
    }

    #[test]
    fn messages_are_applied_like_batches(
        messages in vec((0..50u32, any::<u64>(), any::<u32>()), 0..100),
        table_len in 30..50usize,
    ) {
        applies_all_or_nothing::<Xor>(&messages, table_len);
        applies_all_or_nothing::<Add>(&messages, table_len);
    }
}
