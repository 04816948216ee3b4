use super::*;
use crate::algebra::{Add, Algebra, Xor};
use crate::epoch::Epoch;
use crate::fan_in::TableFanIn;
use crate::rollback::Rollback;
use crate::table::Table;
use alloc::sync::Arc;
use std::thread;

/// An observer of one address that outlives the borrow of its table, in another thread.
fn is_observed_elsewhere<T>(table: Arc<T>)
where
    T: TableSource + Send + Sync + 'static,
{
    table.accum(1, 40);
    let mut epoch = Epoch::new(TableEntry::new(Arc::clone(&table), 1));
    table.accum(0, 5);
    table.accum(1, 2);
    let checkpoint = thread::spawn(move || epoch.swap()).join().unwrap();
    assert_eq!(checkpoint.delta, 2);
    assert_eq!(checkpoint.state, T::Algebra::compose(40, 2));
}

#[test]
fn an_entry_of_a_shared_table_is_observed_in_another_thread() {
    is_observed_elsewhere(Arc::new(Table::<Xor>::new(2)));
    is_observed_elsewhere(Arc::new(Table::<Add>::new(2)));
    is_observed_elsewhere(Arc::new(TableFanIn::<Xor>::new(2)));
    is_observed_elsewhere(Arc::new(TableFanIn::<Add>::new(2)));
}

fn is_accumulated_at_its_address<T: TableSource>(table: &T) {
    let entry = TableEntry::new(table, 2);
    entry.accum(7);
    let mut edits = Rollback::new(entry);
    edits.apply(35);
    assert_eq!([table.read(0), table.read(1), table.read(2)], [0, 0, T::Algebra::compose(7, 35)]);
    edits.undo();
    assert_eq!((entry.read(), entry.addr(), entry.table().table_len()), (7, 2, 3));
}

#[test]
fn an_entry_is_accumulated_at_its_address_only() {
    is_accumulated_at_its_address(&Table::<Xor>::new(3));
    is_accumulated_at_its_address(&TableFanIn::<Add>::new(3));
}

#[test]
#[should_panic(expected = "address 3 is past the end of a table of 3")]
fn an_entry_past_the_end_panics() {
    let _ = TableEntry::new(Table::<Add>::new(3), 3);
}

#[test]
fn debug_does_not_show_the_state() {
    let table = Table::<Add>::from_iter([1, 2]);
    assert_eq!(std::format!("{:?}", TableEntry::new(&table, 1)), "TableEntry { addr: 1, len: 2, .. }");
}
