//! Groups of edits on one state, however they end.

use super::*;
use crate::context::Counter;

#[test]
fn a_group_that_a_panic_leaves_is_one_level() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut group = edits.group();
        group.apply(1);
        let mut inner = group.group();
        inner.apply(10);
        resume_unwind(Box::new("the work failed"));
    }));
    assert!(result.is_err());
    assert_eq!((counter.read(), edits.undo_levels()), (11, 1));
    assert_eq!(edits.undo(), Some(11));
    assert_eq!(counter.read(), 0);
}

#[test]
fn a_group_that_an_early_return_leaves_is_one_level() {
    fn work(edits: &mut Rollback<&Counter>) -> Option<()> {
        let mut group = edits.group();
        group.apply(1);
        group.apply(2);
        None?;
        group.apply(4);
        Some(())
    }
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    assert_eq!(work(&mut edits), None);
    assert_eq!(edits.undo(), Some(3));
    assert_eq!(counter.read(), 0);
}

#[test]
fn the_edits_of_a_forgotten_group_are_as_another_writers() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(1);
    edits.undo();
    let mut group = edits.group();
    group.apply(10);
    core::mem::forget(group);
    assert_eq!((edits.undo(), edits.redo()), (None, Some(1)));
    assert_eq!(counter.read(), 11);
}

#[test]
fn a_cancelled_group_leaves_the_undone_levels() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(1);
    edits.undo();
    let mut group = edits.group();
    group.apply(10);
    group.apply(20);
    assert_eq!((group.get_ref().read(), group.cancel()), (30, 30));
    assert_eq!(counter.read(), 0);
    assert_eq!(edits.redo(), Some(1));
}
