use super::*;
use crate::algebra::Add;
use alloc::collections::BTreeMap;
use proptest::collection::vec;
use proptest::prelude::*;

fn composes_like_a_map<A: Algebra>(
    first: Vec<(u32, u64)>,
    second: Vec<(u32, u64)>,
) -> Result<(), TestCaseError> {
    let mut map = BTreeMap::new();
    for &(addr, delta) in first.iter().chain(&second) {
        let total = map.entry(addr).or_insert(A::IDENTITY);
        *total = A::compose(*total, delta);
    }
    map.retain(|_, total| *total != A::IDENTITY);

    let mut batch: DeltaBatch<A> = first.into_iter().collect();
    let composition = DeltaBatch::composition([&batch, &second.iter().copied().collect()]);
    batch.extend(second);
    prop_assert_eq!(&composition, &batch);
    prop_assert!(batch.iter().eq(map.iter().map(|(&addr, &delta)| (addr, delta))));
    for addr in 0..20 {
        prop_assert_eq!(batch.get(addr), map.get(&addr).copied().unwrap_or(A::IDENTITY));
    }
    Ok(())
}

/// Few addresses and few deltas, so that duplicates and cancellations are common.
fn changes() -> impl Strategy<Value = Vec<(u32, u64)>> {
    vec((0..16u32, prop_oneof![0..4u64, (-3i64..0).prop_map(|d| d as u64)]), 0..60)
}

proptest! {
    #[test]
    fn wire_and_back(changes in changes(), first_seq: u32) {
        let batch: DeltaBatch<Add> = changes.into_iter().collect();
        let bytes = batch.to_wire(first_seq);
        let (messages, _) = bytes.as_chunks();
        for ((at, message), (addr, delta)) in (0..).zip(messages).zip(batch.iter()) {
            let seq = first_seq.wrapping_add(at);
            prop_assert_eq!(DeltaMessage::decode(*message), DeltaMessage { addr, delta, seq });
        }
        prop_assert_eq!(messages.len(), batch.len());
        prop_assert_eq!(DeltaBatch::from_wire(&bytes), Ok(batch));
    }

    #[test]
    fn a_batch_and_its_inverse_compose_to_nothing(changes in changes()) {
        let batch: DeltaBatch<Add> = changes.iter().copied().collect();
        let inverse = batch.inverse();
        prop_assert_eq!(inverse.addresses(), batch.addresses());
        prop_assert_eq!(inverse.inverse(), batch.clone());
        prop_assert!(batch.iter().chain(&inverse).collect::<DeltaBatch<Add>>().is_empty());
        let batch: DeltaBatch<Xor> = changes.into_iter().collect();
        prop_assert_eq!(batch.inverse(), batch);
    }

    #[test]
    fn messages_in_any_order_compose(changes in changes()) {
        let message = |&(addr, delta): &(u32, u64)| DeltaMessage { addr, delta, seq: 7 }.to_bytes();
        let bytes: Vec<u8> = changes.iter().flat_map(message).collect();
        prop_assert_eq!(DeltaBatch::<Xor>::from_wire(&bytes), Ok(changes.into_iter().collect()));
    }

    #[test]
    fn xor_batches_compose(first in changes(), second in changes()) {
        composes_like_a_map::<Xor>(first, second)?;
    }

    #[test]
    fn add_batches_compose(first in changes(), second in changes()) {
        composes_like_a_map::<Add>(first, second)?;
    }
}

#[test]
fn a_part_of_a_message_is_refused() {
    let mut bytes = DeltaBatch::<Xor>::from_iter([(1, 2), (3, 4)]).to_wire(0);
    bytes.pop();
    assert_eq!(DeltaBatch::<Xor>::from_wire(&bytes), Err(WireError::BatchLength { len: 31 }));
}

#[test]
fn debug_shows_addresses_and_deltas() {
    let batch = DeltaBatch::<Add>::from_iter([(3, 40), (1, 2)]);
    assert_eq!(std::format!("{batch:?}"), "{1: 2, 3: 40}");
}

#[test]
fn an_address_out_of_range_is_named() {
    use alloc::string::ToString;
    let error = DeltaBatch::<Xor>::from_iter([(2, 1), (9, 1)]).check_fits(9).unwrap_err();
    assert_eq!(error, AddressOutOfRange { addr: 9, len: 9 });
    assert_eq!(error.to_string(), "the batch has a delta for address 9, but the table has 9 contexts");
}

#[test]
fn batches_differ_by_address_delta_and_length() {
    let batch = DeltaBatch::<Add>::from_iter([(1, 2), (3, 4)]);
    for other in [&[(1, 2), (3, 5)][..], &[(1, 2), (4, 4)], &[(1, 2)], &[]] {
        let other: DeltaBatch<Add> = other.iter().copied().collect();
        assert_ne!(batch, other);
        assert_eq!(other.is_empty(), other.addresses().is_empty());
    }
}

#[test]
fn equal_batches_have_equal_hashes() {
    use std::hash::{BuildHasher, RandomState};
    let state = RandomState::new();
    let hash = |changes: &[(u32, u64)]| state.hash_one(DeltaBatch::<Add>::from_iter(changes.iter().copied()));
    assert_eq!(hash(&[(1, 2), (3, 4)]), hash(&[(3, 4), (1, 1), (1, 1)]));
    assert_ne!(hash(&[(1, 2)]), hash(&[(1, 3)]));
    assert_ne!(hash(&[(1, 2)]), hash(&[(2, 2)]));
}
