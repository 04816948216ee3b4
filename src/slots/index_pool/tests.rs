use super::*;
use alloc::vec::Vec;
use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

impl IndexPool {
    /// A pool whose first indices, a multiple of 64, are claimed.
    pub(crate) fn with_first_claimed(count: usize) -> Self {
        let pool = Self { alive: AtomicUsize::new(count), words: GrowingList::new() };
        for word in 0..count / 64 {
            pool.words.grow_to(Place::of(word)).store(u64::MAX, Ordering::Relaxed);
        }
        pool
    }
}

#[test]
fn the_lowest_free_index_is_claimed() {
    let pool = IndexPool::new();
    let first: Vec<usize> = (0..200).map(|_| pool.claim()).collect();
    assert!(first.iter().copied().eq(0..200));
    pool.release(130);
    pool.release(7);
    assert_eq!(pool.claim(), 7);
    assert_eq!(pool.claim(), 130);
    assert_eq!(pool.claim(), 200);
}

#[test]
fn no_index_has_two_owners_and_none_reaches_the_number_of_owners() {
    const THREADS: usize = 8;
    const EACH: usize = 10;
    let pool = IndexPool::new();
    let owned = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..500 {
                    let mine: Vec<usize> = (0..EACH).map(|_| pool.claim()).collect();
                    for &index in &mine {
                        assert!(index < THREADS * EACH);
                        assert!(owned.lock().unwrap().insert(index), "{index} has two owners");
                    }
                    for &index in &mine {
                        assert!(owned.lock().unwrap().remove(&index));
                        pool.release(index);
                    }
                }
            });
        }
    });
}
