//! Deltas in the child of a `fork`. In a program of its own, because no other test may be in the middle of something when
//! the process forks.
#![cfg(unix)]

use std::thread;

use atomik_core::{Add, Counter, FanIn, TableFanIn};

static FAN_IN: FanIn<Add> = FanIn::new(0);
static TABLE: TableFanIn<Add> = TableFanIn::new(4);
static CONTEXT: Counter = Counter::new(0);

/// What all of them have counted.
fn counts() -> [u64; 4] {
    [FAN_IN.read(), TABLE.read(0), TABLE.read(1), CONTEXT.read()]
}

#[test]
fn parent_and_child_each_go_on_from_the_counts_at_the_fork() {
    let (mut producer, mut table_producer) = (FAN_IN.producer(), TABLE.producer());
    let mut count = move || {
        FAN_IN.accum(1);
        producer.accum(1);
        TABLE.accum(0, 1);
        table_producer.accum(1, 1);
        CONTEXT.accum(1);
    };
    (0..10).for_each(|_| count());
    assert_eq!(counts(), [20, 10, 10, 10]);

    // SAFETY: no other thread of this program uses the library or holds a lock.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // The thread's slot, and the producer's, as the child has them now.
        (0..5).for_each(|_| count());
        let known = counts() == [30, 15, 15, 15];
        // Threads that begin in the child, and a producer that is claimed there.
        let threads = [(); 4].map(|()| {
            thread::spawn(|| {
                FAN_IN.accum(1);
                FAN_IN.producer().accum(1);
                TABLE.accum(0, 1);
            })
        });
        let joined = threads.into_iter().all(|thread| thread.join().is_ok());
        let as_expected = known && joined && counts() == [38, 19, 15, 15];
        // SAFETY: always sound. The destructors of the parent's test must not run here.
        unsafe { libc::_exit(i32::from(!as_expected)) };
    }
    assert!(child > 0, "fork failed");
    (0..100).for_each(|_| count());
    let mut status = 0;
    // SAFETY: the child is one of this process.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child counted something else");
    assert_eq!(counts(), [220, 110, 110, 110], "the child's deltas are not the parent's");
}
