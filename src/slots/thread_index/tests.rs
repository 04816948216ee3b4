use super::*;
use crate::slots::growing_list::GrowingList;
use crate::sync::AtomicUsize;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Mutex};
use std::thread;

fn in_a_new_thread(test: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(test).join().unwrap());
}

#[test]
fn live_threads_have_different_indices() {
    const THREADS: usize = 40;
    let seen = Mutex::new(HashSet::new());
    let all_claimed = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let index = locals::index().unwrap();
                assert!(seen.lock().unwrap().insert(index), "index {index} was given twice");
                all_claimed.wait();
            });
        }
    });
}

#[test]
fn a_thread_finds_its_element_once_it_has_a_place() {
    in_a_new_thread(|| {
        let list = GrowingList::<AtomicUsize>::new();
        let known = || list.get(place()).map(core::ptr::from_ref);
        assert_eq!(known(), None);
        let made = with_place(|place| core::ptr::from_ref(list.grow_to(place))).unwrap();
        assert_eq!(known(), Some(made));
    });
}

#[test]
fn an_inner_call_has_no_place_and_leaves_the_outer_call_alone() {
    in_a_new_thread(|| {
        // The first call claims an index, the second knows it already.
        for _ in 0..2 {
            let outer = with_place(|outer| {
                assert_eq!(place(), Place::NOWHERE_YET);
                assert_eq!(with_place(|_| ()), None);
                assert_eq!(place(), Place::NOWHERE_YET);
                outer
            });
            assert_eq!(Some(place()), outer);
        }
    });
}

#[test]
fn a_thread_keeps_its_place_after_a_panic() {
    in_a_new_thread(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| with_place(|_| panic!("no memory"))));
        assert!(panicked.is_err());
        assert_eq!(place(), Place::of(locals::index().unwrap()));
        assert!(with_place(|_| ()).is_some());
    });
}

#[test]
fn a_thread_that_ends_returns_its_index() {
    // Other tests have some hundreds of threads meanwhile.
    const THREADS: usize = 4_000;
    for _ in 0..THREADS {
        assert!(thread::spawn(locals::index).join().unwrap().unwrap() < THREADS / 2);
    }
}
