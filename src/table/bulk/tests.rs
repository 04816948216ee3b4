use super::*;
use crate::algebra::{Add, Xor};
use crate::{Context, DeltaMessage};
use alloc::vec::Vec;
use proptest::prelude::*;

fn states<A: Algebra>(table: &Table<A>) -> Vec<u64> {
    table.iter().map(Context::read).collect()
}

fn ways_to_accumulate_agree<A: Algebra>(pairs: &[(u64, u64)]) -> Result<(), TestCaseError> {
    let before: Vec<u64> = pairs.iter().map(|pair| pair.0).collect();
    let deltas: Vec<u64> = pairs.iter().map(|pair| pair.1).collect();
    let expected: Vec<u64> = pairs.iter().map(|&(state, delta)| A::compose(state, delta)).collect();
    let new = || before.iter().copied().collect::<Table<A>>();

    let mut dense = new();
    dense.accum_dense_mut(&deltas);
    prop_assert_eq!(states(&dense), expected.clone());

    let shared = new();
    shared.accum_dense(&deltas);
    prop_assert_eq!(states(&shared), expected.clone());

    let mut batch = DeltaBatch::new();
    dense.diff(&before, &mut batch);
    let mut sparse = new();
    sparse.accum_batch_mut(&batch).unwrap();
    prop_assert_eq!(states(&sparse), expected.clone());
    let sparse_shared = new();
    sparse_shared.accum_batch(&batch).unwrap();
    prop_assert_eq!(states(&sparse_shared), expected.clone());

    let mut wired = new();
    wired.apply_wire(&batch.to_wire(0)).unwrap();
    prop_assert_eq!(states(&wired), expected);
    prop_assert_eq!(wired.digest(), dense.digest());

    #[cfg(feature = "rayon")]
    {
        let mut parallel = new();
        parallel.par_accum_dense_mut(&deltas);
        prop_assert_eq!(states(&parallel), states(&dense));
        let mut again = DeltaBatch::new();
        parallel.par_diff(&before, &mut again);
        prop_assert_eq!(&again, &batch);
        let (mut applied, mut wired) = (new(), new());
        applied.par_accum_batch_mut(&batch).unwrap();
        wired.par_apply_wire(&batch.to_wire(0)).unwrap();
        prop_assert_eq!(states(&applied), states(&dense));
        prop_assert_eq!(states(&wired), states(&dense));
    }
    Ok(())
}

fn pairs() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((any::<u64>(), prop_oneof![3 => Just(0), 1 => any::<u64>()]), 0..200)
}

proptest! {
    #[test]
    fn xor_tables(pairs in pairs()) {
        ways_to_accumulate_agree::<Xor>(&pairs)?;
    }

    #[test]
    fn add_tables(pairs in pairs()) {
        ways_to_accumulate_agree::<Add>(&pairs)?;
    }
}

#[test]
fn deltas_that_are_equal_in_pairs_are_not_skipped() {
    let table = Table::<Add>::from_iter([1, 2, 3]);
    table.accum_dense(&[5, 5, 0]);
    assert_eq!(states(&table), [6, 7, 3]);
}

#[test]
fn a_digest_is_the_fingerprint_of_the_bytes() {
    let words: Vec<u64> = (0..3_000).collect();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let digest = words.into_iter().collect::<Table<Add>>().digest();
    assert_eq!(digest, crate::Fingerprint::new().load(&bytes));
}

#[test]
fn bad_messages_leave_the_table_alone() {
    let mut table = Table::<Add>::from_iter([1, 2]);
    let mut bytes = DeltaMessage { addr: 0, delta: 5, seq: 0 }.to_bytes().to_vec();
    bytes.extend(DeltaMessage { addr: 2, delta: 5, seq: 1 }.to_bytes());
    let error = table.apply_wire(&bytes).unwrap_err();
    assert_eq!(error, kernel::ApplyWireError::Address { offset: 16, addr: 2, len: 2 });
    assert_eq!(states(&table), [1, 2]);
}

#[test]
fn a_batch_past_the_end_changes_nothing() {
    let mut table = Table::<Xor>::new(4);
    let batch: DeltaBatch = [(0, 1), (4, 1)].into_iter().collect();
    let error = Err(AddressOutOfRange { addr: 4, len: 4 });
    assert_eq!(table.accum_batch(&batch), error);
    assert_eq!(table.accum_batch_mut(&batch), error);
    #[cfg(feature = "rayon")]
    assert_eq!(table.par_accum_batch_mut(&batch), error);
    assert_eq!(states(&table), [0; 4]);
}

/// Each call panics on a slice of another length, with this message and at the line of the caller.
#[test]
#[cfg(feature = "std")]
fn slices_of_another_length_panic_where_they_are_given() {
    use std::panic;
    use std::string::String;
    use std::sync::Mutex;

    static SEEN: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());
    let other = |call: fn(&mut Table<Add>)| {
        panic::catch_unwind(|| call(&mut Table::new(2))).unwrap_err();
    };
    let before = panic::take_hook();
    panic::set_hook(alloc::boxed::Box::new(|info| {
        let message = info.payload().downcast_ref::<String>().cloned().unwrap_or_default();
        let location = info.location().unwrap();
        if location.file() == file!() {
            SEEN.lock().unwrap().push((message, location.line()));
        }
    }));
    let first = line!() + 1;
    other(|table| table.accum_dense(&[0; 3]));
    other(|table| table.accum_dense_mut(&[0; 3]));
    other(|table| table.diff(&[0; 3], &mut DeltaBatch::new()));
    other(|table| table.snapshot(&mut [0; 3]));
    #[cfg(feature = "rayon")]
    other(|table| table.par_accum_dense_mut(&[0; 3]));
    #[cfg(feature = "rayon")]
    other(|table| table.par_diff(&[0; 3], &mut DeltaBatch::new()));
    panic::set_hook(before);

    let seen = SEEN.lock().unwrap();
    assert!(seen.iter().all(|(message, _)| message == "3 words for a table of 2"), "{seen:?}");
    let lines = [0, 1, 2, 3, 5, 7].map(|line| first + line);
    let calls = if cfg!(feature = "rayon") { 6 } else { 4 };
    assert!(seen.iter().map(|&(_, line)| line).eq(lines.into_iter().take(calls)), "{seen:?}");
}
