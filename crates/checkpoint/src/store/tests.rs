mod memory_log;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use atomik_core::{Add, FanIn, Table, TableEpoch, Xor};
use proptest::prelude::*;

use super::*;
use crate::log::CheckpointPiece;
use crate::recovered::Recovered;
use memory_log::{Fault, MemoryLog};

type Store = CheckpointStore<MemoryLog>;

fn every(checkpoints: u64) -> NonZeroU64 {
    NonZeroU64::new(checkpoints).unwrap()
}

fn store() -> Store {
    Store::with_log(MemoryLog::default()).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Accum(usize, u64),
    Save(Fault),
    /// The process ends, and the next one recovers.
    Restart,
    /// The observer is replaced by one that starts now.
    NewObserver,
    /// An epoch is closed and not saved.
    Swap,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault =
        prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::NotStored), 1 => Just(Fault::AnswerLost)];
    let step = prop_oneof![
        6 => (any::<usize>(), 0..4u64).prop_map(|(addr, delta)| Step::Accum(addr, delta)),
        4 => fault.prop_map(Step::Save),
        1 => Just(Step::Restart),
        1 => Just(Step::NewObserver),
        1 => Just(Step::Swap),
    ];
    prop::collection::vec(step, 0..80)
}

/// After a restart, the states and the caller's bytes are those of the last save, or of the one before if the last one
/// failed without being stored.
fn what_is_recovered_was_saved<A: Algebra>(
    len: usize,
    full_every: u64,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut store = store().with_full_every(every(full_every));
    let mut table = Arc::new(Table::<A>::new(len));
    let mut epoch = TableEpoch::new(Arc::clone(&table));
    let mut saved: Option<(Vec<u64>, u64)> = None;
    for (number, step) in (0u64..).zip(steps) {
        match *step {
            Step::Accum(addr, delta) => table[addr % len].accum(delta),
            Step::Save(fault) => {
                store.log.fault = fault;
                let result = store.save(&mut epoch, &number.to_be_bytes());
                prop_assert_eq!(result.is_ok(), fault == Fault::None, "{:?}", result);
                if fault != Fault::NotStored {
                    saved = Some((epoch.reference().to_vec(), number));
                }
            }
            Step::Restart => {
                store = Store::with_log(store.into_inner()).unwrap().with_full_every(every(full_every));
                let recovered = store.recover::<A>().unwrap();
                let found = recovered.as_ref().map(|recovered| {
                    let caller = recovered.caller().try_into().unwrap();
                    (recovered.states().to_vec(), u64::from_be_bytes(caller))
                });
                prop_assert_eq!(&found, &saved);
                store.check().unwrap();
                table = Arc::new(recovered.as_ref().map_or_else(|| Table::new(len), Recovered::to_table));
                epoch = match recovered {
                    Some(recovered) => recovered.resume(Arc::clone(&table)),
                    None => TableEpoch::new(Arc::clone(&table)),
                };
            }
            Step::NewObserver => epoch = TableEpoch::new(Arc::clone(&table)),
            Step::Swap => drop(epoch.swap()),
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_recovered_was_saved_on_xor(len in 1..40usize, full_every in 1..6u64, steps in steps()) {
        what_is_recovered_was_saved::<Xor>(len, full_every, &steps)?;
    }

    #[test]
    fn what_is_recovered_was_saved_on_add(len in 1..40usize, full_every in 1..6u64, steps in steps()) {
        what_is_recovered_was_saved::<Add>(len, full_every, &steps)?;
    }
}

#[test]
fn every_nth_checkpoint_is_full_and_removes_those_before() {
    let mut store = store().with_full_every(every(3));
    let table = Table::<Add>::new(100);
    let mut epoch = table.epoch();
    let kinds: Vec<_> = (0..7)
        .map(|addr| {
            table[addr].accum(1);
            store.save(&mut epoch, b"").unwrap().kind
        })
        .collect();
    use CheckpointKind::{Full, Sparse};
    assert_eq!(kinds, [Full, Sparse, Sparse, Full, Sparse, Sparse, Full]);
    assert_eq!(store.log.checkpoints.keys().copied().collect::<Vec<_>>(), [7]);
}

#[test]
fn a_checkpoint_in_which_most_has_changed_is_full() {
    let mut store = store();
    let table = Table::<Add>::new(9);
    let mut epoch = table.epoch();
    store.save(&mut epoch, b"").unwrap();
    (0..6).for_each(|addr| table[addr].accum(1));
    assert_eq!(store.save(&mut epoch, b"").unwrap().kind, CheckpointKind::Full);
    (0..5).for_each(|addr| table[addr].accum(1));
    assert_eq!(store.save(&mut epoch, b"").unwrap().kind, CheckpointKind::Sparse);
}

#[test]
fn tables_of_several_pieces_are_recovered() {
    let mut store = store();
    let table = Table::<Xor>::new(200_000);
    let mut epoch = table.epoch();
    table[0].accum(1);
    table[199_999].accum(2);
    store.save(&mut epoch, b"full").unwrap();
    let (_, full) = &store.log.checkpoints[&1];
    assert_eq!(full.iter().map(|piece| piece.index).collect::<Vec<_>>(), [0, 3]);
    (0..100_000).for_each(|addr| table[addr].accum(addr as u64));
    assert_eq!(store.save(&mut epoch, b"sparse").unwrap().kind, CheckpointKind::Sparse);
    assert_eq!(store.log.checkpoints[&2].1.len(), 3);

    let mut reports = Vec::new();
    let recovered = store.recover_with_progress::<Xor>(|progress| reports.push(progress)).unwrap().unwrap();
    assert!(recovered.states().iter().eq(epoch.reference()));
    assert_eq!(recovered.caller(), b"sparse");
    assert_eq!(reports.len(), 6);
    assert_eq!(reports[0], RecoveryProgress { done: 0, total: 5 });
    assert_eq!(reports[5], RecoveryProgress { done: 5, total: 5 });
}

#[test]
fn another_table_is_refused_and_the_epoch_stays_open() {
    let mut store = store();
    let table = Table::<Add>::new(3);
    store.save(&mut table.epoch(), b"").unwrap();
    let stored = TableKind { algebra: Add::ID, len: 3 };

    let (longer, other) = (Table::<Add>::new(4), Table::<Xor>::new(3));
    let mut epoch = longer.epoch();
    longer[0].accum(1);
    let error = store.save(&mut epoch, b"").unwrap_err();
    let given = TableKind { algebra: Add::ID, len: 4 };
    assert!(
        matches!(error, CheckpointError::OtherTable { stored: s, given: g } if (s, g) == (stored, given))
    );
    assert!(!epoch.is_clean());

    let error = store.save(&mut other.epoch(), b"").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the checkpoints are of a table of 3 on Add, and not of a table of 3 on Xor"
    );
    assert!(matches!(store.recover::<Xor>(), Err(CheckpointError::OtherTable { .. })));
    assert!(store.recover::<Add>().unwrap().is_some());
}

#[test]
fn a_second_writer_is_noticed() {
    let mut store = store();
    let table = Table::<Add>::new(3);
    let mut epoch = table.epoch();
    store.save(&mut epoch, b"").unwrap();
    let mut other = Store::with_log(store.log.clone()).unwrap();
    other.save(&mut table.epoch(), b"").unwrap();
    store.log = other.into_inner();
    let error = store.save(&mut epoch, b"").unwrap_err();
    assert!(matches!(error, CheckpointError::Overtaken { sequence: 2 }), "{error}");
}

/// The number of an observer's epoch is not enough to tell that it continues the last checkpoint.
#[test]
fn another_observer_of_the_same_number_is_saved_in_full() {
    let mut store = store();
    let table = Table::<Add>::new(100);
    store.save(&mut table.epoch(), b"").unwrap();
    table[0].accum(5);
    let mut other = table.epoch();
    let _ = other.swap();
    table[1].accum(1);
    assert_eq!(store.save(&mut other, b"").unwrap().kind, CheckpointKind::Full);
    assert_eq!(store.recover::<Add>().unwrap().unwrap().states()[..2], [5, 1]);
}

/// After a failed write, a checkpoint of another process is not taken for the store's own.
#[test]
fn a_second_writer_is_noticed_after_a_failure_too() {
    let mut store = store();
    let table = Table::<Add>::new(3);
    let mut epoch = table.epoch();
    store.save(&mut epoch, b"").unwrap();
    let mut other = Store::with_log(store.log.clone()).unwrap();
    other.save(&mut table.epoch(), b"other").unwrap();
    store.log = other.into_inner();
    store.log.fault = Fault::NotStored;
    assert!(matches!(store.save(&mut epoch, b""), Err(CheckpointError::Log(_))));
    assert!(matches!(store.save(&mut epoch, b""), Err(CheckpointError::Overtaken { sequence: 2 })));
    assert_eq!(store.recover::<Add>().unwrap().unwrap().caller(), b"other");
}

#[test]
fn nothing_is_saved_after_a_damaged_checkpoint() {
    let mut store = store();
    let table = Table::<Add>::new(3);
    store.save(&mut table.epoch(), b"").unwrap();
    let mut log = store.into_inner();
    log.checkpoints.get_mut(&1).unwrap().0.len = 4;
    let mut store = Store::with_log(log).unwrap();
    let mut epoch = table.epoch();
    table[0].accum(1);
    assert!(matches!(store.save(&mut epoch, b""), Err(CheckpointError::Damaged { sequence: 1, .. })));
    assert!(!epoch.is_clean());
    assert_eq!(store.recover_intact::<Add>().unwrap(), None);
    assert!(store.save(&mut epoch, b"").is_ok());
}

#[test]
fn epochs_written_out_of_order_are_refused_and_made_up_for() {
    let mut store = store();
    let table = Table::<Add>::new(100);
    let mut epoch = table.epoch();
    store.save(&mut epoch, b"").unwrap();
    table[0].accum(1);
    let first = store.close(&mut epoch).unwrap();
    table[1].accum(2);
    let second = store.close(&mut epoch).unwrap();
    assert!(store.write(second, b"").is_ok(), "a full one continues from anywhere");
    assert!(matches!(store.write(first, b""), Err(CheckpointError::OutOfOrder { epoch: 1 })));

    // Full ones too.
    let mut other = Store::with_log(MemoryLog::default()).unwrap();
    let mut observer = table.epoch();
    let (first, second) = (other.close(&mut observer).unwrap(), other.close(&mut observer).unwrap());
    other.write(second, b"").unwrap();
    assert!(matches!(other.write(first, b""), Err(CheckpointError::OutOfOrder { epoch: 0 })));
    table[2].accum(3);
    store.save(&mut epoch, b"").unwrap();
    assert_eq!(store.recover::<Add>().unwrap().unwrap().states()[..3], [1, 2, 3]);
}

#[test]
fn a_single_state_is_recovered_with_its_epoch() {
    let mut store = store();
    let fan_in = FanIn::<Add>::new(5);
    let mut epoch = fan_in.epoch();
    for delta in [1, 2, 3] {
        fan_in.accum(delta);
        store.save_state(&mut epoch, &[delta as u8]).unwrap();
    }
    let recovered = store.recover::<Add>().unwrap().unwrap();
    let checkpoint = recovered.checkpoint().unwrap();
    assert_eq!((checkpoint.epoch, checkpoint.state, checkpoint.delta), (2, 11, 0));
    assert_eq!(recovered.caller(), [3]);
}

/// Each damage of one field of one row is named, or it can't be seen in what is recovered.
#[test]
fn no_damage_of_a_row_passes_unnoticed() {
    let mut store = store();
    let table = Table::<Add>::new(1_000);
    let mut epoch = table.epoch();
    for addr in 0..4 {
        table[addr].accum(7);
        store.save(&mut epoch, b"caller").unwrap();
    }
    let intact = store.recover::<Add>().unwrap();
    let log = store.into_inner();
    let damages: &[fn(&mut CheckpointHeader, &mut Vec<CheckpointPiece>)] = &[
        |header, _| header.epoch ^= 1,
        |header, _| header.len ^= 1,
        |header, _| header.pieces ^= 1,
        |header, _| header.algebra ^= 1,
        |header, _| header.caller[0] ^= 1,
        |header, _| header.checksum ^= 1,
        |header, _| {
            header.kind = match header.kind {
                CheckpointKind::Full => CheckpointKind::Sparse,
                CheckpointKind::Sparse => CheckpointKind::Full,
            }
        },
        |_, pieces| pieces[0].index ^= 1,
        |_, pieces| pieces[0].checksum ^= 1,
        |_, pieces| pieces[0].words[11] ^= 1,
        |_, pieces| pieces[0].words.truncate(5),
        |_, pieces| drop(pieces.pop()),
    ];
    for sequence in 1..=4 {
        for (number, damage) in damages.iter().enumerate() {
            let mut damaged = log.clone();
            let (header, pieces) = damaged.checkpoints.get_mut(&sequence).unwrap();
            damage(header, pieces);
            let mut store = CheckpointStore::with_log(damaged).unwrap();
            let found = store.recover::<Add>();
            assert!(
                matches!(found, Err(CheckpointError::Damaged { sequence: at, .. }) if at == sequence),
                "damage {number} of checkpoint {sequence}: {found:?}"
            );
            assert!(store.check().is_err());
            let before = store.recover_intact::<Add>().unwrap();
            assert_eq!(before.map(|recovered| recovered.epoch()), (sequence - 1).checked_sub(1));
        }
        let mut missing = log.clone();
        missing.checkpoints.remove(&sequence);
        let found = CheckpointStore::with_log(missing).unwrap().recover::<Add>();
        // Nothing tells that there was one more at the end.
        let is_named = matches!(found, Err(CheckpointError::Damaged { .. }));
        assert!(is_named || sequence == 4, "without checkpoint {sequence}: {found:?}");
    }
    assert_eq!(CheckpointStore::with_log(log).unwrap().recover::<Add>().unwrap(), intact);
}

/// A store goes on after damage: what it writes next continues what was intact.
#[test]
fn a_store_goes_on_from_the_last_intact_checkpoint() {
    let mut store = store();
    let table = Arc::new(Table::<Add>::new(1_000));
    let mut epoch = TableEpoch::new(Arc::clone(&table));
    for addr in 0..4 {
        table[addr].accum(7);
        store.save(&mut epoch, b"").unwrap();
    }
    store.log.checkpoints.get_mut(&3).unwrap().1[0].words[11] ^= 1;
    let recovered = store.recover_intact::<Add>().unwrap().unwrap();
    assert_eq!((recovered.epoch(), &recovered.states()[..4]), (1, &[7, 7, 0, 0][..]));
    let table = Arc::new(recovered.to_table());
    let mut epoch = recovered.resume(Arc::clone(&table));
    table[9].accum(9);
    assert_eq!(store.save(&mut epoch, b"").unwrap().checkpoints, 3);
    let recovered = store.recover::<Add>().unwrap().unwrap();
    assert_eq!((recovered.epoch(), recovered.states()[9], recovered.states()[2]), (2, 9, 0));
}

/// A header with a right checksum can name any length, and no memory is asked for it.
#[test]
fn a_table_that_is_longer_than_any_is_damage() {
    let mut store = store();
    store.save(&mut Table::<Add>::new(10).epoch(), b"").unwrap();
    let (header, _) = store.log.checkpoints.values_mut().next().unwrap();
    header.len = 1 << 60;
    header.checksum = header_checksum(header);
    let error = store.recover::<Add>().unwrap_err();
    assert!(matches!(error, CheckpointError::Damaged { sequence: 1, .. }), "{error:?}");
}

#[test]
fn errors_are_errors() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<CheckpointError<SqliteError>>();
    is_error::<CheckpointError<Infallible>>();
}
