//! Deltas from the destructors of thread-locals.

use std::cell::RefCell;
use std::thread;

use atomik_core::{Add, FanIn, Producer, TableFanIn, TableProducer};

static COUNT: FanIn<Add> = FanIn::new(0);
static TABLE: TableFanIn<Add> = TableFanIn::new(2);

/// Accumulates into address 0 and into the count when its thread ends.
struct AtTheEnd(u64);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        COUNT.accum(self.0);
        TABLE.accum(0, self.0);
    }
}

thread_local! {
    static FIRST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    static PRODUCERS: RefCell<Option<(Producer<'static, Add>, TableProducer<'static, Add>)>> =
        const { RefCell::new(None) };
}

/// No order of destruction is promised, so one thread-local is used before the library's own, and one after it.
#[test]
fn deltas_count_before_and_after_the_thread_returns_its_index() {
    let work = || {
        FIRST.set(Some(AtTheEnd(100)));
        COUNT.accum(1);
        TABLE.accum(0, 1);
        SECOND.set(Some(AtTheEnd(10_000)));
    };
    for round in 1..=100 {
        thread::spawn(work).join().unwrap();
        assert_eq!((COUNT.read(), TABLE.read(0)), (round * 10_101, round * 10_101));
    }
    // A thread whose first delta comes from a destructor.
    thread::spawn(|| FIRST.set(Some(AtTheEnd(1_000_000)))).join().unwrap();
    assert_eq!((COUNT.read(), TABLE.read(0)), (2_010_100, 2_010_100));
}

#[test]
fn a_producer_in_a_thread_local_returns_its_slot_at_the_end_of_the_thread() {
    static PRODUCED: FanIn<Add> = FanIn::new(0);
    let work = || {
        PRODUCERS.set(Some((PRODUCED.producer(), TABLE.producer())));
        PRODUCERS.with_borrow_mut(|producers| {
            let (producer, table_producer) = producers.as_mut().unwrap();
            producer.accum(1);
            table_producer.accum(1, 1);
        });
    };
    for _ in 0..100 {
        thread::spawn(work).join().unwrap();
    }
    assert_eq!((PRODUCED.read(), TABLE.read(1)), (100, 100));
    // All threads had the same slot, one after the other, and it is free now.
    assert_eq!(format!("{:?}", PRODUCED.producer()), "Producer { slot: 0, value: 100 }");
}
