//! Names of positions: which are found, which are forgotten, and when the stack is at one.

use super::*;
use crate::context::Counter;

#[test]
fn a_checkpoint_is_found_again() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(1);
    edits.checkpoint("one");
    edits.apply(2);
    edits.apply(3);
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (3, 0));
    assert_eq!(edits.undo_to("one"), Ok(5));
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (1, 2));
    assert_eq!(counter.read(), 1);
    assert_eq!(edits.undo_to("one"), Ok(0));
    assert_eq!((edits.redo(), edits.redo(), edits.redo()), (Some(2), Some(3), None));
    assert_eq!(counter.read(), 6);
}

#[test]
fn a_checkpoint_that_cannot_be_reached_is_an_error_and_changes_nothing() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(2));
    let name = |name: &str| String::from(name);
    edits.checkpoint("start");
    edits.apply(1);
    edits.checkpoint("inside");
    edits.apply(10);
    edits.checkpoint("edge");
    edits.apply(100);
    edits.checkpoint("end");
    assert_eq!(edits.undo_to("inside"), Err(RollbackError::Unknown { name: name("inside") }));
    assert_eq!(edits.undo_to("nowhere"), Err(RollbackError::Unknown { name: name("nowhere") }));
    assert_eq!(counter.read(), 111);
    assert_eq!(edits.undo_to("edge"), Ok(100));
    assert_eq!(edits.undo_to("end"), Err(RollbackError::Undone { name: name("end") }));
    assert_eq!(counter.read(), 11);
    edits.apply(1_000);
    assert_eq!(edits.undo_to("end"), Err(RollbackError::Unknown { name: name("end") }));
    assert_eq!(edits.undo_to("start"), Ok(1_011));
    assert_eq!(counter.read(), 0);
}

#[test]
fn names_inside_collapsed_levels_are_forgotten() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(8));
    for i in 0..1_000 {
        edits.apply(1);
        edits.checkpoint(format!("save {i}"));
    }
    assert_eq!(format!("{edits:?}").matches("save ").count(), 8);
    assert!(edits.undo_to("save 991").is_err());
    assert_eq!(edits.undo_to("save 992"), Ok(7));
}

#[test]
fn names_at_discarded_levels_are_forgotten() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    for i in 0..1_000 {
        edits.apply(1);
        edits.checkpoint(format!("save {i}"));
    }
    edits.undo_to("save 9").unwrap();
    edits.apply(1);
    assert_eq!(format!("{edits:?}").matches("save ").count(), 10);
}

#[test]
fn clearing_keeps_the_checkpoints_at_the_present_position() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.checkpoint("start");
    edits.apply(1);
    edits.checkpoint("saved");
    edits.apply(2);
    edits.checkpoint("ahead");
    edits.undo();
    edits.clear();
    assert_eq!((edits.is_at("start"), edits.is_at("saved"), edits.is_at("ahead")), (false, true, false));
    edits.apply(4);
    assert_eq!(edits.undo_to("saved"), Ok(4));
    assert_eq!(counter.read(), 1);
}

#[test]
fn is_at_is_the_modified_flag_of_an_editor() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(2));
    let mut is_saved = Vec::new();
    assert!(!edits.is_at("saved"), "nothing was saved yet");
    edits.checkpoint("saved");
    is_saved.push(edits.is_at("saved"));
    edits.apply(1);
    is_saved.push(edits.is_at("saved"));
    edits.undo();
    is_saved.push(edits.is_at("saved"));
    edits.redo();
    edits.checkpoint("saved");
    is_saved.push(edits.is_at("saved"));
    edits.undo();
    is_saved.push(edits.is_at("saved"));
    // What was saved is on a branch that can't be reached any more.
    edits.apply(2);
    is_saved.push(edits.is_at("saved"));
    edits.undo();
    is_saved.push(edits.is_at("saved"));
    assert_eq!(is_saved, [true, false, true, true, false, false, false]);
}

#[test]
fn a_saved_position_inside_a_collapsed_level_stays_modified() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(1));
    edits.apply(1);
    edits.checkpoint("saved");
    edits.apply(2);
    edits.undo();
    assert!(!edits.is_at("saved"));
}

#[test]
fn a_name_can_be_moved_and_forgotten() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.checkpoint("here");
    edits.apply(1);
    edits.checkpoint("here");
    edits.apply(2);
    assert_eq!(edits.undo_to("here"), Ok(2));
    assert!(edits.forget("here"));
    assert!(!edits.forget("here"));
    assert!(edits.undo_to("here").is_err());
}
