//! Observers of a fan-in and of a table fan-in.

use super::*;

#[test]
fn every_delta_is_in_one_epoch_while_producers_come_and_go() {
    let fan_in = FanIn::<Add>::new(9);
    let mut epoch = fan_in.epoch();
    let mut total = 0u64;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..3_000 {
                        let mut producer = fan_in.producer();
                        producer.accum(1);
                        fan_in.accum(1);
                    }
                })
            })
            .collect();
        while !writers.iter().all(|writer| writer.is_finished()) {
            let delta = epoch.swap().delta;
            assert!(delta <= 18_000, "a slot went backwards");
            total += delta;
        }
    });
    assert_eq!(total + epoch.swap().delta, 18_000);
    assert_eq!(epoch.reference(), 18_009);
}

#[test]
fn an_observer_looks_at_no_more_than_what_was_touched() {
    use crate::table::{TableRead, Touched};
    let table = TableFanIn::<Add>::new(100_000);
    let mut touched = Touched::new(100_000);
    table.look(&mut touched);
    touched.clear();
    // Three producers: a fourth plane has a cell and is never made.
    let mut producers = [(); 3].map(|()| table.producer());
    for (addr, producer) in [640, 64_000, 99_999].into_iter().zip(&mut producers) {
        producer.accum(addr, 1);
    }
    table.accum(6_400, 1);
    table.look(&mut touched);
    let starts: Vec<_> = touched.take().map(|range| (range.start, range.len())).collect();
    assert_eq!(starts, [(640, 64), (6_400, 64), (64_000, 64), (99_968, 64)]);
    table.look(&mut touched);
    assert_eq!(touched.take().count(), 0);
}

/// 3,000 deltas of 1 by a producer that comes and goes, and as many without a handle.
fn write_all_over<'a>(table: &'a TableFanIn<Add>, mut producer: TableProducer<'a, Add>, step: usize) {
    for i in 0..3_000 {
        producer.accum(i * step % table.len(), 1);
        table.accum((i + 1) * step % table.len(), 1);
        if i % 64 == 0 {
            drop(producer);
            producer = table.producer();
        }
    }
}

#[test]
fn every_delta_is_in_one_epoch_of_each_observer_of_a_large_table() {
    const LEN: usize = 5_000;
    let table = TableFanIn::<Add>::new(LEN);
    // This writer has its plane before anyone observes the table.
    let mut early = table.producer();
    early.accum(LEN - 1, 1);
    let mut exclusive = table.exclusive_epoch().unwrap();
    let mut epoch = table.epoch();
    let mut totals = [vec![0; LEN], vec![0; LEN]];
    let add = |total: &mut Vec<u64>, batch: DeltaBatch<Add>| {
        batch.iter().for_each(|(addr, delta)| total[addr as usize] += delta);
    };
    thread::scope(|scope| {
        let table = &table;
        let mut writers = vec![scope.spawn(move || write_all_over(table, early, 7))];
        writers
            .extend([11, 22].map(|step| scope.spawn(move || write_all_over(table, table.producer(), step))));
        while !writers.iter().all(|writer| writer.is_finished()) {
            add(&mut totals[0], exclusive.swap());
            add(&mut totals[1], epoch.swap());
        }
    });
    add(&mut totals[0], exclusive.swap());
    add(&mut totals[1], epoch.swap());
    let mut expected = vec![0; LEN];
    table.snapshot(&mut expected);
    assert_eq!(totals[0], expected);
    expected[LEN - 1] -= 1;
    assert_eq!(totals[1], expected);
    assert_eq!(totals[1].iter().sum::<u64>(), 18_000);
    assert!(exclusive.is_clean() && epoch.is_clean());
}

#[test]
fn a_table_is_observed_at_each_address() {
    let table = TableFanIn::<Add>::new(3);
    assert_eq!(table.len(), 3);
    let mut epoch = table.epoch();
    table.producer().accum(2, 5);
    assert!(epoch.swap().iter().eq([(2, 5)]));
}

#[test]
fn a_first_look_is_taken_at_a_single_plane() {
    use crate::table::TableRead;
    let table = TableFanIn::<Add>::new(3);
    assert!(!table.are_states(0, &[0; 3]));
    let mut producer = table.producer();
    producer.accum(2, 5);
    assert!(table.are_states(0, &[0, 0, 5]));
    assert!(!table.are_states(0, &[0, 0, 6]));
    let _other = table.producer();
    assert!(!table.are_states(0, &[0, 0, 5]));
}

#[test]
fn a_first_look_is_taken_at_a_single_plane_of_a_thread() {
    use crate::table::TableRead;
    let table = TableFanIn::<Add>::new(3);
    table.accum(2, 5);
    assert!(table.are_states(0, &[0, 0, 5]));
    assert!(!table.are_states(0, &[0, 0, 6]));
    table.producer().accum(2, 1);
    assert!(!table.are_states(0, &[0, 0, 5]));
}

#[test]
fn the_exclusive_observer_has_every_delta_since_the_fan_in_was_made() {
    let table = TableFanIn::<Add>::new(3);
    let mut producer = table.producer();
    producer.accum(2, 5);
    let mut epoch = table.exclusive_epoch().unwrap();
    assert_eq!((epoch.number(), epoch.reference(), epoch.is_clean()), (0, &[0; 3][..], false));
    assert!(epoch.swap().iter().eq([(2, 5)]));
    producer.accum(0, 7);
    let mut batch = DeltaBatch::new();
    epoch.swap_into(&mut batch);
    assert!(batch.iter().eq([(0, 7)]));
    assert_eq!((epoch.number(), epoch.reference(), epoch.is_clean()), (2, &[7, 0, 5][..], true));
    assert_eq!(epoch.get_ref().read(2), 5);
    assert_eq!(std::format!("{epoch:?}"), "ExclusiveTableEpoch { number: 2, len: 3 }");
}

#[test]
fn the_exclusive_observer_is_given_out_once() {
    let table = Arc::new(TableFanIn::<Add>::new(3));
    let first = table.exclusive_epoch_owned();
    assert!(first.is_some());
    assert!(table.exclusive_epoch().is_none() && table.exclusive_epoch_owned().is_none());
    drop(first);
    // A second one would start from the beginning and have each delta again.
    assert!(table.exclusive_epoch().is_none() && table.exclusive_epoch_owned().is_none());
    assert!(table.epoch().is_clean(), "ordinary observers are not affected");
}

#[test]
fn an_exclusive_observer_that_cannot_be_made_is_not_taken() {
    // A reference this long panics where it is made.
    let mut table = TableFanIn::<Add>::new(0);
    table.len = usize::MAX;
    let made = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| table.exclusive_epoch().is_some()));
    assert!(made.is_err());
    table.len = 1;
    assert!(table.exclusive_epoch().is_some());
}

#[test]
fn an_address_is_swapped_alone() {
    let table = TableFanIn::<Add>::new(3);
    let mut exclusive = table.exclusive_epoch().unwrap();
    let mut epoch = table.epoch();
    table.accum(1, 5);
    table.accum(2, 7);
    assert_eq!(
        [exclusive.swap_at(1), exclusive.swap_at(1), epoch.swap_at(2), epoch.swap_at(2)],
        [5, 0, 7, 0]
    );
    assert!(exclusive.swap().iter().eq([(2, 7)]));
    assert!(epoch.swap().iter().eq([(1, 5)]));
}

#[test]
fn planes_are_marked_from_the_beginning_if_somebody_looks() {
    let table = TableFanIn::<Add>::new(2_000);
    let early = table.producer();
    assert!(!table.producer_plane(early.lease.index).ask_for_marks(), "nobody observes the table");
    assert!(table.shared_plane().ask_for_marks(), "several writers mark always");
    let _epoch = table.epoch();
    let late = table.producer();
    assert!(table.producer_plane(late.lease.index).ask_for_marks());

    let small = TableFanIn::<Add>::new(3);
    let _epoch = small.epoch();
    let producer = small.producer();
    assert!(!small.producer_plane(producer.lease.index).ask_for_marks(), "a small table has no marks");
}
