//! Models of undo stacks of several threads.

use atomik_core::{Add, Counter, FanIn, Rollback, Source};
use atomik_loom_tests::{Preemptions, bounded_model, join};
use loom::thread;
use std::sync::Arc;

/// Each thread undoes its own deltas and nothing else, so the state is what all of them have left.
fn chains_compose<S: Source + Send + Sync + 'static>(state: Arc<S>) {
    let threads = [
        {
            let mut chain = Rollback::new(state.clone());
            thread::spawn(move || {
                chain.apply(0b001);
                chain.apply(0b1000);
                assert_eq!(chain.undo(), Some(0b1000));
            })
        },
        {
            let mut chain = Rollback::new(state.clone());
            thread::spawn(move || {
                chain.apply(0b010);
                assert_eq!((chain.undo(), chain.redo()), (Some(0b010), Some(0b010)));
            })
        },
    ];
    let mut chain = Rollback::new(state.clone());
    chain.apply(0b100);
    join(threads);
    assert_eq!(state.read(), 0b111);
    assert_eq!(chain.undo(), Some(0b100));
    assert_eq!(state.read(), 0b011);
}

/// Chains of three threads on one counter.
///
/// Rules out: an undo that restores a state, which wipes out what others did since; an undo that accumulates the delta
/// instead of its inverse.
#[test]
fn chains_on_a_counter_compose() {
    loom::model(|| chains_compose(Arc::new(Counter::new(0))));
}

/// The same on a fan-in, where each thread has a slot.
#[test]
fn chains_on_a_fan_in_compose() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        chains_compose(Arc::new(FanIn::<Add>::new(0)));
    });
}
