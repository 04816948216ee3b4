use super::*;
use crate::sync::AtomicU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn a_claim_for_which_there_is_no_room_leaves_nothing_claimed() {
    let pool = IndexPool::with_first_claimed(Place::ROOM);
    let slots = SlotList::<AtomicU64> { pool, list: GrowingList::new() };
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| slots.claim().0)).is_err());
    }
    assert_eq!(slots.pool.claim(), Place::ROOM, "the index was not returned");
    slots.release(7);
    assert_eq!(slots.claim().0, 7);
}
