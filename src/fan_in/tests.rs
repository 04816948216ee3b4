mod observers;

use super::*;
use crate::algebra::{Add, Xor};
use crate::delta::DeltaBatch;
use crate::table::TableEpoch;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use proptest::prelude::*;
use std::sync::Barrier;
use std::thread;

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<FanIn<Xor>>();
    is_shared::<Producer<'static, Xor>>();
    is_shared::<TableFanIn<Add>>();
    is_shared::<TableProducer<'static, Add>>();
    assert!(size_of::<Slot<Xor>>() == 128 || !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")));
};

/// How many slots each list of a fan-in has.
fn slots<A: Algebra>(fan_in: &FanIn<A>) -> (usize, usize) {
    let producers = fan_in.producers.list().iter().flatten().count();
    #[cfg(feature = "std")]
    let threads = fan_in.threads.iter().flatten().count();
    #[cfg(not(feature = "std"))]
    let threads = 0;
    (producers, threads)
}

#[test]
fn a_dropped_producer_leaves_its_deltas() {
    let fan_in = FanIn::<Xor>::new(0b1000);
    let mut one = fan_in.producer();
    let mut other = fan_in.producer();
    one.accum(0b0001);
    other.accum(0b0010);
    drop(one);
    let mut again = fan_in.producer();
    again.accum(0b0100);
    assert_eq!(fan_in.read(), 0b1111);
    assert_eq!(again.lease.index, 0, "the slot was not used again");
}

#[test]
fn a_forgotten_producer_keeps_its_slot_and_its_deltas() {
    let fan_in = FanIn::<Add>::new(0);
    let mut forgotten = fan_in.producer();
    forgotten.accum(5);
    core::mem::forget(forgotten);
    assert_eq!(fan_in.producer().lease.index, 1);
    assert_eq!(fan_in.read(), 5);
}

#[test]
fn slots_are_bounded_by_the_producers_alive_at_once() {
    let fan_in = FanIn::<Add>::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let mut alive = [(); 4].map(|()| fan_in.producer());
                    alive.iter_mut().for_each(|producer| producer.accum(1));
                }
            });
        }
    });
    assert_eq!(fan_in.read(), 4 * 2_000 * 4);
    // At most 16 alive at once; fewer if a thread ended before another began.
    let (producers, threads) = slots(&fan_in);
    assert!(producers <= 16 && threads == 0, "{producers} slots of producers, {threads} of threads");
    let alive: Vec<_> = (0..100).map(|_| fan_in.producer()).collect();
    assert_eq!(slots(&fan_in), (128, 0));
    drop(alive);
}

#[test]
fn threads_without_a_handle_have_slots_of_their_own() {
    let fan_in = FanIn::<Add>::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10_000).for_each(|_| fan_in.accum(1)));
        }
    });
    assert_eq!(fan_in.read(), 80_000);
    // Without std there are no slots for threads, and all deltas go to the shared cell.
    let shared = if cfg!(feature = "std") { 0 } else { 80_000 };
    assert_eq!(fan_in.shared.read(), shared);
}

#[test]
fn accum_works_with_600_threads_alive() {
    const THREADS: usize = 600;
    let fan_in = FanIn::<Add>::new(0);
    let all_alive = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (fan_in, all_alive) = (&fan_in, &all_alive);
            let spawned = thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, move || {
                fan_in.accum(1);
                all_alive.wait();
                fan_in.accum(1);
            });
            spawned.unwrap();
        }
    });
    assert_eq!(fan_in.read(), 2 * THREADS as u64);
    let (producers, threads) = slots(&fan_in);
    assert_eq!(producers, 0);
    // Other tests' threads count too, and no more than double the number of threads is kept.
    let bounds = if cfg!(feature = "std") { THREADS..=2048 } else { 0..=0 };
    assert!(bounds.contains(&threads), "{threads} slots");
}

#[test]
fn threads_without_a_handle_have_planes_of_their_own() {
    let table = TableFanIn::<Add>::new(3);
    let count = || (0..10_000).for_each(|i| table.accum(i % 3, 1));
    thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(count))));
    let mut states = [0; 3];
    table.snapshot(&mut states);
    assert_eq!(states, [8 * 3_334, 8 * 3_333, 8 * 3_333]);
    assert_eq!(table.read(0), 8 * 3_334);
    // Without std there are no planes for threads, and all deltas go to the shared plane.
    assert_eq!(table.shared.get().contexts().is_empty(), cfg!(feature = "std"));
}

#[test]
fn a_table_counts_with_200_threads_alive() {
    const THREADS: usize = 200;
    let table = TableFanIn::<Add>::new(2);
    let mut epoch = table.epoch();
    let all_alive = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (table, all_alive) = (&table, &all_alive);
            let spawned = thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, move || {
                table.accum(0, 1);
                all_alive.wait();
                table.accum(1, 1);
            });
            spawned.unwrap();
        }
    });
    assert_eq!((table.read(0), table.read(1)), (THREADS as u64, THREADS as u64));
    assert!(epoch.swap().iter().eq([(0, THREADS as u64), (1, THREADS as u64)]));
    // One for each thread, or the shared one.
    assert_eq!(table.planes().count(), if cfg!(feature = "std") { THREADS } else { 1 });
}

#[test]
#[should_panic(expected = "address 3 is past the end of a table of 3")]
fn accumulating_past_the_end_panics() {
    TableFanIn::<Add>::new(3).accum(3, 1);
}

#[test]
#[should_panic(expected = "address 3 is past the end of a table of 3")]
fn accumulating_past_the_end_panics_where_the_thread_has_its_plane() {
    let table = TableFanIn::<Add>::new(3);
    table.accum(2, 1);
    table.accum(3, 1);
}

#[test]
fn a_table_without_addresses_has_no_planes() {
    let table = TableFanIn::<Add>::new(0);
    let producer = table.producer();
    table.snapshot(&mut []);
    assert_eq!(table.planes().count(), 0);
    drop(producer);
}

#[test]
fn accum_works_in_the_destructors_of_thread_locals() {
    static FAN_IN: FanIn<Add> = FanIn::new(0);

    struct AtTheEnd(u64);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            FAN_IN.accum(self.0);
        }
    }
    std::thread_local! {
        static EARLY: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }

    // Locals are dropped in no promised order: one is made before the thread's first delta, one after.
    let counting = || {
        EARLY.set(Some(AtTheEnd(100)));
        FAN_IN.accum(1);
        LATE.set(Some(AtTheEnd(10_000)));
    };
    thread::spawn(counting).join().unwrap();
    assert_eq!(FAN_IN.read(), 10_101);
    // A thread whose first delta comes from a destructor.
    thread::spawn(|| EARLY.set(Some(AtTheEnd(1_000_000)))).join().unwrap();
    assert_eq!(FAN_IN.read(), 1_010_101);
    // Indices were returned whole: the next thread counts as ever.
    thread::spawn(counting).join().unwrap();
    assert_eq!(FAN_IN.read(), 1_020_202);
}

#[test]
fn owned_producers_outlive_the_scope() {
    let fan_in = Arc::new(FanIn::<Add>::new(0));
    let table = Arc::new(TableFanIn::<Add>::new(2));
    let mut producer = fan_in.producer_owned();
    let mut table_producer = table.producer_owned();
    let (observer, table_observer) = (Epoch::new(Arc::clone(&fan_in)), TableEpoch::new(Arc::clone(&table)));
    drop((fan_in, table));
    let writer = thread::spawn(move || {
        producer.accum(7);
        table_producer.accum(1, 8);
    });
    writer.join().unwrap();
    assert_eq!(observer.accumulator(), 7);
    assert_eq!(table_observer.get_ref().read(1), 8);
}

/// What several writers did, in one thread: the composition of all deltas, whoever made them.
fn fan_in_composes<A: Algebra>(start: u64, deltas: &[(u8, usize, u64)]) -> Result<(), TestCaseError> {
    const LEN: usize = 5;
    let (fan_in, table) = (FanIn::<A>::new(start), TableFanIn::<A>::new(LEN));
    let (mut state, mut states) = (start, [A::IDENTITY; LEN]);
    let mut producers: Vec<_> = (0..3).map(|_| (fan_in.producer(), table.producer())).collect();
    for &(writer, addr, delta) in deltas {
        state = A::compose(state, delta);
        match producers.get_mut(writer as usize) {
            Some((producer, table_producer)) => {
                producer.accum(delta);
                table_producer.accum(addr % LEN, delta);
                states[addr % LEN] = A::compose(states[addr % LEN], delta);
            }
            None => {
                fan_in.accum(delta);
                table.accum(addr % LEN, delta);
                states[addr % LEN] = A::compose(states[addr % LEN], delta);
                producers.swap_remove(0);
                producers.push((fan_in.producer(), table.producer()));
            }
        }
        prop_assert_eq!(fan_in.read(), state);
        prop_assert_eq!(table.read(addr % LEN), states[addr % LEN]);
    }
    let mut snapshot = vec![u64::MAX; LEN];
    table.snapshot(&mut snapshot);
    prop_assert_eq!(&snapshot, &states);
    Ok(())
}

proptest! {
    #[test]
    fn xor_fan_in_composes(start: u64, deltas in prop::collection::vec((0..4u8, any::<usize>(), any::<u64>()), 0..60)) {
        fan_in_composes::<Xor>(start, &deltas)?;
    }

    #[test]
    fn add_fan_in_composes(start: u64, deltas in prop::collection::vec((0..4u8, any::<usize>(), any::<u64>()), 0..60)) {
        fan_in_composes::<Add>(start, &deltas)?;
    }
}

#[test]
fn a_chain_works_on_a_fan_in() {
    let fan_in = FanIn::<Add>::new(40);
    let mut chain = crate::Rollback::new(&fan_in);
    chain.apply(2);
    assert_eq!(fan_in.read(), 42);
    assert_eq!(chain.undo(), Some(2));
    assert_eq!(fan_in.read(), 40);
}

#[test]
fn debug_shows_states_and_slots() {
    let (fan_in, table) = (FanIn::<Add>::new(40), TableFanIn::<Add>::new(3));
    let (mut producer, table_producer) = (fan_in.producer(), table.producer());
    producer.accum(2);
    assert_eq!(std::format!("{fan_in:?}"), "FanIn(42)");
    assert_eq!(std::format!("{producer:?}"), "Producer { slot: 0, value: 2 }");
    assert_eq!(std::format!("{table:?}"), "TableFanIn { len: 3, planes: 1 }");
    assert_eq!(std::format!("{table_producer:?}"), "TableProducer { plane: 0, len: 3 }");
}

#[test]
fn planes_are_used_again() {
    let table = TableFanIn::<Add>::new(3);
    for _ in 0..10 {
        table.producer().accum(2, 1);
    }
    assert_eq!(table.read(2), 10);
    assert_eq!(table.planes().count(), 1);
}

#[test]
fn a_plane_that_cannot_be_made_is_not_claimed() {
    // A plane this long panics where it is made, as one does that memory can't hold.
    let mut table = TableFanIn::<Add>::new(0);
    table.len = usize::MAX;
    for _ in 0..3 {
        let claimed = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(table.producer())));
        assert!(claimed.is_err());
    }
    table.len = 1;
    assert_eq!(table.producer().lease.index, 0);
}

#[test]
#[should_panic(expected = "address 3 is past the end")]
fn reading_past_the_end_panics() {
    let _ = TableFanIn::<Add>::new(3).read(3);
}

#[test]
fn sums_below_zero_are_read_as_such() {
    let (balance, balances) = (FanIn::<Add>::new(2), TableFanIn::<Add>::new(2));
    balance.accum(5u64.wrapping_neg());
    balances.accum(1, 4);
    balances.producer().accum(1, 9u64.wrapping_neg());
    assert_eq!((balance.read_signed(), balances.read_signed(0), balances.read_signed(1)), (-3, 0, -5));
}
