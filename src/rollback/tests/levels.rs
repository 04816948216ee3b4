//! Levels on one state: what an edit adds, and what an undo and a redo take back.

use super::*;
use crate::algebra::Add;
use crate::context::{AtomikContext, Counter};

#[test]
fn an_identity_delta_makes_no_level_and_keeps_the_redo_levels() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(5);
    edits.undo();
    edits.checkpoint("saved");
    edits.apply(0);
    let mut group = edits.group();
    group.apply(0);
    drop(group);
    let mut group = edits.group();
    group.apply(7);
    group.apply(7u64.wrapping_neg());
    drop(group);
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (0, 1));
    assert!(edits.is_at("saved"));
    assert_eq!(edits.redo(), Some(5));
}

#[test]
fn collapsed_levels_that_cancel_each_other_stay_a_level() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(2));
    for delta in [7, 7u64.wrapping_neg(), 1] {
        edits.apply(delta);
    }
    assert_eq!((edits.undo(), edits.undo(), edits.undo()), (Some(1), Some(0), None));
    assert_eq!(counter.read(), 0);
}

/// What an undo means across somebody's LOAD, and the two ways out.
#[test]
fn an_undo_across_a_load_takes_back_what_the_load_overwrote() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(5);
    counter.load(100);
    edits.undo();
    assert_eq!(counter.read(), 95, "relative to the state that was loaded");

    counter.load(100);
    edits.clear();
    assert_eq!((edits.undo(), edits.redo()), (None, None));
    assert_eq!(counter.read(), 100);

    edits.apply(Add::delta(counter.read(), 7));
    assert_eq!(counter.read(), 7);
    edits.undo();
    assert_eq!(counter.read(), 100);
}

#[test]
fn stacks_of_several_threads_compose() {
    let context = AtomikContext::new(0xCAFE);
    thread::scope(|scope| {
        for thread in 1..=3u64 {
            let context = &context;
            scope.spawn(move || {
                let mut edits = Rollback::new(context);
                (0..1_000).for_each(|i| edits.apply((thread << 40) | i));
                (1..1_000).rev().for_each(|i| assert_eq!(edits.undo(), Some((thread << 40) | i)));
            });
        }
    });
    assert_eq!(context.read(), 0xCAFE ^ (1 << 40) ^ (2 << 40) ^ (3 << 40));
}

#[test]
fn debug_shows_levels_and_checkpoints() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(4));
    edits.apply(1);
    edits.checkpoint("one");
    edits.apply(2);
    edits.apply(3);
    edits.undo();
    assert_eq!(
        format!("{edits:?}"),
        "Rollback { undo_levels: 2, redo_levels: 1, depth: Some(4), checkpoints: {\"one\": 1}, .. }"
    );
    let mut group = edits.group();
    group.apply(7);
    group.apply(8);
    assert_eq!(format!("{group:?}"), "EditGroup { edits: 2, .. }");
}
