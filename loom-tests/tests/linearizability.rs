//! Histories of a context in every interleaving, against the sequential specification.
//!
//! The store of a LOAD is replaced by a swap (`models::stores_are_swaps`), because loom 0.7.2 lets a store slip between
//! the two halves of an RMW (github.com/tokio-rs/loom/issues/254), which no machine does. The swap can take every place
//! among the other operations that the store can take, so no history is missed. The release sequences that it adds order
//! only what the clock and the word's modification order have ordered already.

use atomik_core::{Add, Algebra, Context, Xor, models::stores_are_swaps};
use atomik_loom_tests::{Preemptions, bounded_model, join, spawn};
use loom::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

#[path = "../../tests/linearizability/checker.rs"]
mod checker;
use checker::{Operation, Recorded, check};

/// A context, and a clock by which an operation that ended before another began also happened before it.
struct Observed<A: Algebra> {
    context: Context<A>,
    clock: AtomicU64,
}

impl<A: Algebra> Observed<A> {
    /// Makes an operation, whose result need not be right, and records what it returns.
    fn make(&self, operation: Operation) -> Recorded {
        let call = self.clock.fetch_add(1, Ordering::AcqRel);
        let operation = match operation {
            Operation::Load(v) => {
                self.context.load(v);
                operation
            }
            Operation::Accum(d) => {
                self.context.accum(d);
                operation
            }
            Operation::Read(_) => Operation::Read(self.context.read()),
            Operation::Swap(v, _) => Operation::Swap(v, self.context.swap(v)),
        };
        Recorded { call, ret: self.clock.fetch_add(1, Ordering::AcqRel), operations: vec![operation] }
    }
}

/// Checks that all histories of these threads are linearizable, as far as the bound goes if there is one.
fn histories_are_linearizable<A: Algebra>(
    bound: Option<Preemptions>,
    threads: &'static [&'static [Operation]],
) {
    let model = move || {
        let observed = Arc::new(Observed { context: Context::<A>::new(1), clock: AtomicU64::new(0) });
        let running: Vec<_> = threads
            .iter()
            .map(|operations| {
                spawn(&observed, move |observed| {
                    operations.iter().map(|&operation| observed.make(operation)).collect()
                })
            })
            .collect();
        let mut history: Vec<Vec<Recorded>> = join(running);
        history[0].push(observed.make(Operation::Read(0)));
        assert_eq!(check(1, &history, A::compose), Ok(()), "{history:?}");
    };
    match bound {
        Some(preemptions) => bounded_model(preemptions, model),
        None => loom::model(model),
    }
}

/// Rules out: an ACCUM or a SWAP made of a load and a store.
#[test]
fn accums_swaps_and_reads_on_xor() {
    use Operation::{Accum, Read, Swap};
    histories_are_linearizable::<Xor>(
        Some(Preemptions { ordinary: 3, deep: Some(4) }),
        &[&[Accum(2), Swap(16, 0)], &[Accum(4), Read(0)], &[Swap(8, 0)]],
    );
}

/// The same on the other group, without a bound.
#[test]
fn accums_and_reads_on_add() {
    use Operation::{Accum, Read};
    histories_are_linearizable::<Add>(None, &[&[Accum(2), Read(0)], &[Accum(2), Read(0)]]);
}

/// A LOAD beside ACCUM and READ leaves only states that some order of the three explains.
///
/// Rules out: an ACCUM that is overwritten by a LOAD before it; a LOAD that comes twice or that is undone.
#[test]
fn loads_accums_and_reads() {
    use Operation::{Accum, Load, Read};
    stores_are_swaps(|| {
        histories_are_linearizable::<Add>(None, &[&[Load(16), Read(0)], &[Accum(2), Accum(4)]]);
        histories_are_linearizable::<Xor>(
            Some(Preemptions { ordinary: 3, deep: Some(4) }),
            &[&[Load(16)], &[Accum(2)], &[Read(0), Read(0)]],
        );
    });
}

/// A LOAD beside another, and beside SWAP(v).
///
/// Rules out: a LOAD that accumulates the difference to the state that it read.
#[test]
fn loads_and_swaps() {
    use Operation::{Load, Read, Swap};
    stores_are_swaps(|| {
        histories_are_linearizable::<Xor>(None, &[&[Load(16), Read(0)], &[Load(8), Swap(4, 0)]]);
    });
}
