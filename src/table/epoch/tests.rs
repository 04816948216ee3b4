use super::*;
use crate::algebra::{Add, Xor};
use crate::table::AtomikTable;
use alloc::vec::Vec;
use proptest::prelude::*;

fn epochs_tell_what_changed<A: Algebra>(
    len: usize,
    epochs: &[Vec<(usize, u64)>],
) -> Result<(), TestCaseError> {
    let table = Table::<A>::new(len);
    let mut epoch = table.epoch();
    for (number, changes) in (0..).zip(epochs) {
        prop_assert_eq!(epoch.number(), number);
        let changes = changes.iter().map(|&(addr, delta)| ((addr % len) as u32, delta));
        changes.clone().for_each(|(addr, delta)| table[addr as usize].accum(delta));
        let expected: DeltaBatch<A> = changes.collect();
        prop_assert_eq!(epoch.is_clean(), expected.is_empty());
        prop_assert_eq!(epoch.swap(), expected);
        prop_assert!(epoch.is_clean());
        prop_assert!(table.iter().map(|context| context.read()).eq(epoch.reference().iter().copied()));
    }
    Ok(())
}

fn epochs() -> impl Strategy<Value = Vec<Vec<(usize, u64)>>> {
    prop::collection::vec(prop::collection::vec((any::<usize>(), 0..4u64), 0..40), 0..5)
}

proptest! {
    #[test]
    fn xor_table_epochs(len in 1..2_000usize, epochs in epochs()) {
        epochs_tell_what_changed::<Xor>(len, &epochs)?;
    }

    #[test]
    fn add_table_epochs(len in 1..2_000usize, epochs in epochs()) {
        epochs_tell_what_changed::<Add>(len, &epochs)?;
    }
}

#[test]
fn observers_do_not_disturb_one_another() {
    let table = AtomikTable::new(3);
    let (mut one, mut other) = (table.epoch(), table.epoch());
    table[1].accum(5);
    assert_eq!(one.swap().deltas(), [5]);
    table[2].accum(7);
    assert_eq!(one.swap().addresses(), [2]);
    assert_eq!(other.swap().addresses(), [1, 2]);
}

#[test]
fn a_quiet_table_is_seen_at_the_first_look() {
    let table = AtomikTable::from_iter(1..=600);
    let epoch = table.epoch();
    assert!(table.are_states(0, epoch.reference()));
    table[599].accum(5);
    assert!(!table.are_states(0, epoch.reference()));
}

#[test]
fn a_resumed_observer_continues_the_epochs() {
    let table = Table::<Add>::from_iter([1, 2, 3]);
    let mut before = table.epoch();
    table[0].accum(10);
    let _ = before.swap();
    table[1].accum(20);
    let mut resumed = TableEpoch::resume(&table, before.reference(), before.number());
    assert_eq!((resumed.number(), resumed.reference()), (1, &[11, 2, 3][..]));
    assert_eq!(resumed.swap(), before.swap());
    assert_eq!(resumed.number(), before.number());
}

#[test]
#[should_panic(expected = "2 states for a table of 3")]
fn resuming_with_too_few_states_panics() {
    let _ = TableEpoch::resume(AtomikTable::new(3), &[0, 0], 0);
}

#[test]
#[should_panic(expected = "4 states for a table of 3")]
fn resuming_with_too_many_states_panics() {
    let _ = TableEpoch::resume(AtomikTable::new(3), &[0; 4], 0);
}

/// A source that panics when it is read.
struct Unreadable;

impl TableRead for Unreadable {
    type Algebra = Add;

    fn table_len(&self) -> usize {
        3
    }

    fn read(&self, _: usize) -> u64 {
        panic!("the source was read");
    }

    fn copy_states(&self, _: usize, _: &mut [u64]) {
        panic!("the source was read");
    }

    fn are_states(&self, _: usize, _: &[u64]) -> bool {
        panic!("the source was read");
    }
}

#[test]
fn debug_does_not_read_the_source() {
    let epoch = TableEpoch::resume(Unreadable, &[0; 3], 7);
    assert_eq!(std::format!("{epoch:?}"), "TableEpoch { number: 7, len: 3, .. }");
}

/// A source that says nothing about itself but its states.
struct Plain([u64; 3]);

impl TableRead for Plain {
    type Algebra = Xor;

    fn table_len(&self) -> usize {
        self.0.len()
    }

    fn read(&self, addr: usize) -> u64 {
        self.0[addr]
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        out.copy_from_slice(&self.0[start..][..out.len()]);
    }
}

#[test]
fn a_source_that_does_not_compare_is_copied() {
    let mut epoch = TableEpoch::from_identity(Plain([0, 7, 0]));
    assert!(!epoch.get_ref().are_states(0, &[0, 7, 0]));
    assert_eq!([epoch.swap_at(1), epoch.swap_at(1), epoch.swap_at(2)], [7, 0, 0]);
    assert!(epoch.swap().is_empty());
}
