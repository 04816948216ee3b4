use super::*;
use std::thread;

const LARGE: usize = 2_000;

/// Counts and sums by threads of their own, in planes that mark what they touch or do not.
fn counts_and_sums(table: &TableFanIn<Add>) {
    thread::scope(|scope| {
        for thread in 1..=3 {
            scope.spawn(move || {
                for value in [0.25, 0.5] {
                    table.accum_with_f64(1, 2, table.len() - 1, f64::from(thread) * value);
                }
            });
        }
    });
}

#[test]
fn counts_and_sums_of_all_threads_are_added_up() {
    for len in [4, LARGE] {
        let table = TableFanIn::<Add>::new(len);
        counts_and_sums(&table);
        assert_eq!((table.read(1), table.read_f64(len - 1)), (12, 4.5));
        assert_eq!(table.read_f64(0).to_bits(), 0);
        assert!(!cfg!(feature = "std") || table.shared.get().contexts().is_empty(), "a thread has its plane");

        let mut epoch = table.epoch();
        counts_and_sums(&table);
        assert_eq!((table.read(1), table.read_f64(len - 1)), (24, 9.0));
        let delta = epoch.swap();
        assert_eq!(delta.get(1), 12);
        assert_ne!(delta.get(len as u32 - 1), 0, "the sum was not marked");
    }
}

#[test]
fn callers_that_share_a_plane_add_to_its_sum() {
    let table = TableFanIn::<Add>::new(LARGE);
    let shared = table.shared_plane();
    shared.contexts()[7].accum_f64(1.5);
    counts_and_sums(&table);
    shared.contexts()[7].accum_f64(0.25);
    assert_eq!((table.read_f64(7), table.read_f64(LARGE - 1)), (1.75, 4.5));
}

#[test]
fn addresses_past_the_end_panic_and_change_nothing() {
    let table = TableFanIn::<Add>::new(4);
    for (addr, sum_addr) in [(4, 1), (1, 4)] {
        let panics = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            table.accum_with_f64(addr, 1, sum_addr, 1.0);
        }));
        assert!(panics.is_err());
    }
    assert!((0..4).all(|addr| table.read(addr) == 0));
    let read = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| table.read_f64(4)));
    let message = read.unwrap_err();
    assert!(message.downcast_ref::<std::string::String>().unwrap().contains("address 4 is past the end"));
}
