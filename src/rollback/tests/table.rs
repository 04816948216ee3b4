//! Stacks on a table.

use super::*;
use crate::algebra::Add;
use crate::delta::{AddressOutOfRange, DeltaBatch};
use crate::table::Table;

#[test]
fn a_batch_past_the_end_changes_neither_the_table_nor_the_levels() {
    let table = Table::<Add>::new(4);
    let mut edits = TableRollback::new(&table);
    edits.apply(DeltaBatch::from_iter([(0, 1)])).unwrap();
    edits.undo();
    let past: DeltaBatch<Add> = DeltaBatch::from_iter([(0, 1), (4, 1)]);
    let error = AddressOutOfRange { addr: 4, len: 4 };
    assert_eq!(edits.apply(past.clone()), Err(error));
    let mut group = edits.group();
    assert_eq!(group.apply(past), Err(error));
    drop(group);
    assert!(table.iter().all(|context| context.read() == 0));
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (0, 1));
}

#[test]
fn stacks_of_several_threads_on_a_table_compose() {
    let table = Table::<Add>::new(8);
    thread::scope(|scope| {
        for thread in 0..3u32 {
            let table = &table;
            scope.spawn(move || {
                let mut edits = TableRollback::new(table);
                (0..1_000)
                    .for_each(|i| edits.apply(DeltaBatch::from_iter([(thread, 1), (i % 8, 5)])).unwrap());
                (1..1_000).for_each(|_| assert!(edits.undo().is_some()));
            });
        }
    });
    // Each thread kept its first batch.
    assert!(table.iter().map(|context| context.read()).eq([16, 1, 1, 0, 0, 0, 0, 0]));
}

#[test]
fn debug_of_a_table_stack_shows_levels_and_checkpoints() {
    let mut edits = TableRollback::with_depth(Table::<Add>::new(4), depth(4));
    edits.checkpoint("empty");
    let mut group = edits.group();
    group.apply(DeltaBatch::from_iter([(0, 1)])).unwrap();
    group.apply(DeltaBatch::from_iter([(1, 1)])).unwrap();
    assert_eq!(format!("{group:?}"), "TableEditGroup { edits: 2, .. }");
    drop(group);
    assert_eq!(
        format!("{edits:?}"),
        "TableRollback { undo_levels: 1, redo_levels: 0, depth: Some(4), checkpoints: {\"empty\": 0}, .. }"
    );
}
