use super::*;
use crate::algebra::Add;

#[test]
fn more_edits_collapse_than_32_bits_can_count() {
    let mut history = History::<Add, u64>::new(NonZeroUsize::new(2));
    history.record(1);
    history.collapsed = u64::from(u32::MAX) - 3;
    history.checkpoint("early".into());
    (0..10).for_each(|_| history.record(1));
    history.checkpoint("late".into());
    history.record(1);
    assert_eq!(history.undo_to("early"), Err(RollbackError::Unknown { name: "early".into() }));
    assert_eq!(history.undo_to("late"), Ok(1));
    assert!(history.is_at("late"));
    assert_eq!(history.undo_levels(), 1);
}
