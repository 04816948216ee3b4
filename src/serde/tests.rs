use super::*;
use crate::algebra::{Add, Xor};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use core::fmt::Debug;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::de::value::{MapDeserializer, U64Deserializer};

fn round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let json = serde_json::to_string(value).unwrap();
    prop_assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value);
    let binary = postcard::to_allocvec(value).unwrap();
    prop_assert_eq!(&postcard::from_bytes::<T>(&binary).unwrap(), value);
    Ok(())
}

proptest! {
    #[test]
    fn checkpoints_round_trip(epoch: u64, state: u64, delta: u64) {
        round_trips(&Checkpoint { epoch, state, delta })?;
    }

    #[test]
    fn messages_round_trip(addr: u32, delta: u64, seq: u32) {
        round_trips(&DeltaMessage { addr, delta, seq })?;
    }

    #[test]
    fn batches_round_trip(changes: Vec<(u32, u64)>) {
        round_trips(&changes.iter().copied().collect::<DeltaBatch<Xor>>())?;
        round_trips(&changes.into_iter().collect::<DeltaBatch<Add>>())?;
    }
}

#[test]
fn the_forms_in_json() {
    let checkpoint = Checkpoint { epoch: 1, state: u64::MAX, delta: 3 };
    let json = serde_json::to_string(&checkpoint).unwrap();
    assert_eq!(json, r#"{"epoch":1,"state":18446744073709551615,"delta":3}"#);
    let json = serde_json::to_string(&DeltaMessage { addr: 1, delta: 2, seq: 3 }).unwrap();
    assert_eq!(json, r#"{"addr":1,"delta":2,"seq":3}"#);
    let json = serde_json::to_string(&DeltaBatch::<Add>::from_iter([(7, 1), (2, 40)])).unwrap();
    assert_eq!(json, "[[2,40],[7,1]]");
}

#[test]
fn the_forms_in_postcard() {
    let bytes = postcard::to_allocvec(&Checkpoint { epoch: 1, state: 300, delta: 3 }).unwrap();
    assert_eq!(bytes, [1, 0xAC, 0x02, 3]);
    let bytes = postcard::to_allocvec(&DeltaBatch::<Add>::from_iter([(7, 1), (2, 40)])).unwrap();
    assert_eq!(bytes, [2, 2, 40, 7, 1]);
}

fn error_of<T: DeserializeOwned + Debug>(json: &str) -> String {
    serde_json::from_str::<T>(json).unwrap_err().to_string()
}

#[test]
fn a_struct_needs_each_field_once() {
    let checkpoint = serde_json::from_str::<Checkpoint>(r#"{"delta":3,"epoch":1,"state":2}"#).unwrap();
    assert_eq!(checkpoint, Checkpoint { epoch: 1, state: 2, delta: 3 }, "in any order");
    let missing = error_of::<Checkpoint>(r#"{"epoch":1,"delta":3}"#);
    assert!(missing.starts_with("missing field `state`"), "{missing}");
    let twice = error_of::<DeltaMessage>(r#"{"addr":1,"delta":2,"seq":3,"addr":1}"#);
    assert!(twice.starts_with("duplicate field `addr`"), "{twice}");
    let short = error_of::<Checkpoint>("[1,2]");
    assert!(short.starts_with("missing field `delta`"), "{short}");
}

#[test]
fn unknown_fields_are_ignored() {
    let json = r#"{"addr":1,"sender":{"name":"a"},"delta":2,"seq":3}"#;
    assert_eq!(
        serde_json::from_str::<DeltaMessage>(json).unwrap(),
        DeltaMessage { addr: 1, delta: 2, seq: 3 }
    );
}

/// Formats may identify a field by its index or by bytes.
#[test]
fn fields_are_found_by_index_and_by_bytes() {
    type Failure = serde::de::value::Error;
    let by_index = [(2u64, 3u64), (0, 1), (9, 9), (1, 2)];
    let entries = MapDeserializer::<_, Failure>::new(by_index.into_iter());
    assert_eq!(Checkpoint::deserialize(entries).unwrap(), Checkpoint { epoch: 1, state: 2, delta: 3 });
    let bytes = serde::de::value::BytesDeserializer::<Failure>::new(b"state");
    assert_eq!(FieldName(&["epoch", "state"]).deserialize(bytes).unwrap(), Some("state"));
    assert_eq!(FieldName(&["epoch"]).deserialize(U64Deserializer::<Failure>::new(u64::MAX)).unwrap(), None);
}

#[test]
fn values_of_the_wrong_size_or_kind_are_errors() {
    for json in [
        r#"{"addr":4294967296,"delta":2,"seq":3}"#,
        r#"{"addr":-1,"delta":2,"seq":3}"#,
        r#"{"addr":1,"delta":18446744073709551616,"seq":3}"#,
        r#"{"addr":1,"delta":2.5,"seq":3}"#,
        r#"{"addr":1,"delta":null,"seq":3}"#,
        r#"[1,2,3,4]"#,
        "7",
        "",
    ] {
        assert!(serde_json::from_str::<DeltaMessage>(json).is_err(), "{json}");
    }
    for json in ["[[4294967296,1]]", "[[1]]", "[[1,2,3]]", "[1,2]", r#"{"1":2}"#, "[[1,2]", "null"] {
        assert!(serde_json::from_str::<DeltaBatch>(json).is_err(), "{json}");
    }
}

#[test]
fn an_error_says_what_was_expected() {
    let error = error_of::<Checkpoint>("7");
    assert!(error.starts_with("invalid type: integer `7`, expected struct Checkpoint"), "{error}");
    let error = error_of::<DeltaMessage>("true");
    assert!(error.starts_with("invalid type: boolean `true`, expected struct DeltaMessage"), "{error}");
    let entries = MapDeserializer::<_, serde::de::value::Error>::new([(true, 1u64)].into_iter());
    let error = Checkpoint::deserialize(entries).unwrap_err().to_string();
    assert_eq!(error, "invalid type: boolean `true`, expected the name or the index of a field");
}

#[test]
fn a_batch_composes_pairs_in_any_order() {
    let batch: DeltaBatch<Add> =
        serde_json::from_str("[[7,2],[2,0],[7,1],[3,5],[3,18446744073709551611]]").unwrap();
    assert_eq!(batch, [(7, 3)].into_iter().collect());
}

/// Nothing is reserved for elements that a length promises and that never arrive.
#[test]
fn a_batch_does_not_trust_a_length() {
    // The varint of u64::MAX, then one pair.
    let mut bytes = vec![0xFF; 9];
    bytes.extend([0x01, 2, 40]);
    assert!(postcard::from_bytes::<DeltaBatch>(&bytes).is_err());

    /// Promises more pairs than memory can hold, and gives one.
    struct Promise(Option<(u32, u64)>);
    impl Iterator for Promise {
        type Item = (u32, u64);
        fn next(&mut self) -> Option<Self::Item> {
            self.0.take()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::MAX, Some(usize::MAX))
        }
    }
    let pairs = MapDeserializer::<_, serde::de::value::Error>::new(Promise(Some((2, 40))));
    assert_eq!(DeltaBatch::<Add>::deserialize(pairs).unwrap(), [(2, 40)].into_iter().collect());
}

/// What a batch promises, whatever it was read from.
fn keeps_its_invariants<A: Algebra>(batch: &DeltaBatch<A>) -> Result<(), TestCaseError> {
    prop_assert_eq!(batch.addresses().len(), batch.deltas().len());
    prop_assert!(batch.addresses().is_sorted_by(|a, b| a < b));
    prop_assert!(!batch.deltas().contains(&A::IDENTITY));
    Ok(())
}

proptest! {
    #[test]
    fn any_pairs_are_a_batch_with_its_invariants(pairs in vec((0..8u32, prop_oneof![0..3u64, Just(u64::MAX)]), 0..40)) {
        let mut totals = BTreeMap::new();
        for &(addr, delta) in &pairs {
            let total = totals.entry(addr).or_insert(0u64);
            *total = total.wrapping_add(delta);
        }
        totals.retain(|_, total| *total != 0);
        let batch: DeltaBatch<Add> = postcard::from_bytes(&postcard::to_allocvec(&pairs).unwrap()).unwrap();
        keeps_its_invariants(&batch)?;
        prop_assert!(batch.iter().eq(totals));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes: Vec<u8>) {
        if let Ok(batch) = postcard::from_bytes::<DeltaBatch<Add>>(&bytes) {
            keeps_its_invariants(&batch)?;
        }
        if let Ok(batch) = serde_json::from_slice::<DeltaBatch<Xor>>(&bytes) {
            keeps_its_invariants(&batch)?;
        }
        let _ = postcard::from_bytes::<Checkpoint>(&bytes);
        let _ = postcard::from_bytes::<DeltaMessage>(&bytes);
        let _ = serde_json::from_slice::<Checkpoint>(&bytes);
        let _ = serde_json::from_slice::<DeltaMessage>(&bytes);
    }
}
