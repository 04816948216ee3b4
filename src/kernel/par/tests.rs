use super::*;
use crate::algebra::{Add, Xor};
use alloc::vec::Vec;

/// Around one and several tasks, with a change at each end and at the boundaries.
#[test]
fn results_equal_those_of_one_thread() {
    for len in [0, 1, TASK_WORDS - 1, TASK_WORDS, TASK_WORDS + 1, 3 * TASK_WORDS + 5] {
        let a: Vec<u64> = (0..len as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        agrees_with_one_thread::<Xor>(&a, &a);
        for at in [0, TASK_WORDS - 1, TASK_WORDS, 2 * TASK_WORDS, len.saturating_sub(1)] {
            let mut b = a.clone();
            let Some(word) = b.get_mut(at) else { continue };
            *word ^= 1 << 40;
            agrees_with_one_thread::<Xor>(&a, &b);
            b[0] ^= 1;
            agrees_with_one_thread::<Add>(&a, &b);
        }
        assert_eq!(first_difference(&a, &a[..len / 2]), crate::kernel::first_difference(&a, &a[..len / 2]));
    }
}

fn agrees_with_one_thread<A: Algebra>(a: &[u64], b: &[u64]) {
    use crate::kernel;
    assert_eq!(fold::<A>(a), kernel::fold::<A>(a));
    assert_eq!(equal(a, b), kernel::equal(a, b));
    assert_eq!(first_difference(a, b), kernel::first_difference(a, b));

    let (mut ours, mut theirs) = (DeltaBatch::<A>::new(), DeltaBatch::<A>::new());
    diff(a, b, &mut ours);
    kernel::diff(a, b, &mut theirs);
    assert_eq!(ours, theirs);

    let mut words = a.to_vec();
    assert_eq!(apply(&mut words, &ours), Ok(()));
    assert_eq!(words, b);
    accum::<A>(&mut words, a);
    let mut expected = b.to_vec();
    kernel::accum::<A>(&mut expected, a);
    assert_eq!(words, expected);
}

#[test]
fn an_address_past_the_end_changes_nothing() {
    let batch: DeltaBatch = [(0, 1), (9, 1)].into_iter().collect();
    let mut words = [5; 9];
    assert_eq!(apply(&mut words, &batch), Err(AddressOutOfRange { addr: 9, len: 9 }));
    assert_eq!(words, [5; 9]);
}

/// Messages for several tasks, many of them to the same words.
fn messages() -> Vec<u8> {
    let count = 2 * TASK_MESSAGES as u32 + 3;
    let message = |seq: u32| DeltaMessage {
        addr: seq.wrapping_mul(0x9E37_79B9) % 1000,
        delta: u64::from(seq).wrapping_mul(0xD134_2543_DE82_EF95),
        seq,
    };
    (0..count).flat_map(|seq| message(seq).to_bytes()).collect()
}

#[test]
fn messages_on_several_threads_add_up() {
    fn add_up<A: Algebra>(bytes: &[u8]) {
        let (mut ours, mut theirs) = ([7; 1000], [7; 1000]);
        assert_eq!(apply_wire_shared::<A>(&mut ours, bytes), Ok(()));
        assert_eq!(crate::kernel::apply_wire::<A>(&mut theirs, bytes), Ok(()));
        assert_eq!(ours, theirs);
    }
    add_up::<Xor>(&messages());
    add_up::<Add>(&messages());
}

#[test]
fn a_bad_message_in_any_task_changes_nothing() {
    let bytes = messages();
    let last = bytes.len() / DeltaMessage::WIRE_LEN - 1;
    for at in [0, TASK_MESSAGES - 1, TASK_MESSAGES, 2 * TASK_MESSAGES + 1, last] {
        let mut bytes = bytes.clone();
        // There is another bad message after it, which the error does not name.
        for at in [at, last] {
            let bad = DeltaMessage { addr: 1000 + at as u32, delta: 1, seq: 0 };
            let offset = at * DeltaMessage::WIRE_LEN;
            bytes[offset..offset + DeltaMessage::WIRE_LEN].copy_from_slice(&bad.to_bytes());
        }
        let mut words = [7; 1000];
        let error = apply_wire_shared::<Add>(&mut words, &bytes);
        assert_eq!(error, crate::kernel::apply_wire::<Add>(&mut [7; 1000], &bytes));
        let (offset, addr) = (at * DeltaMessage::WIRE_LEN, 1000 + at as u32);
        assert_eq!(error, Err(ApplyWireError::Address { offset, addr, len: 1000 }));
        assert_eq!(words, [7; 1000]);
    }
    let short = &bytes[..bytes.len() - 1];
    let error = apply_wire_shared::<Add>(&mut [7; 1000], short);
    assert_eq!(error, Err(ApplyWireError::Length { len: short.len() }));
}

#[test]
fn slices_of_different_lengths_are_not_equal() {
    let words: Vec<u64> = (0..3 * TASK_WORDS as u64).collect();
    assert!(!equal(&words, &words[..TASK_WORDS]));
    assert!(!equal(&words[..2 * TASK_WORDS], &words));
}
