//! Histories of a context in every interleaving, against the sequential specification.
//!
//! Without LOAD: loom 0.7.2 lets a store slip between the two halves of an RMW
//! (github.com/tokio-rs/loom/issues/254), which no context does. The histories of real threads have it.

use atomik_core::{Add, Algebra, Context, Xor};
use atomik_loom_tests::{bounded_model, join};
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use std::sync::Arc;

#[allow(dead_code, reason = "no history here has a LOAD")]
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
            Operation::Load(_) => unreachable!("see above"),
            Operation::Accum(d) => {
                self.context.accum(d);
                operation
            }
            Operation::Read(_) => Operation::Read(self.context.read()),
            Operation::Swap(v, _) => Operation::Swap(v, self.context.swap(v)),
        };
        Recorded { call, ret: self.clock.fetch_add(1, Ordering::AcqRel), operation }
    }
}

/// Whether all histories of these threads are linearizable.
fn histories_are_linearizable<A: Algebra>(threads: &'static [&'static [Operation]]) {
    bounded_model(3, move || {
        let observed = Arc::new(Observed { context: Context::<A>::new(1), clock: AtomicU64::new(0) });
        let running: Vec<_> = threads
            .iter()
            .map(|operations| {
                let observed = observed.clone();
                thread::spawn(move || operations.iter().map(|&operation| observed.make(operation)).collect())
            })
            .collect();
        let mut history: Vec<Vec<Recorded>> = join(running);
        history[0].push(observed.make(Operation::Read(0)));
        assert_eq!(check(1, &history, A::compose), Ok(()), "{history:?}");
    });
}

/// Rules out: an ACCUM or a SWAP made of a load and a store.
#[test]
fn accums_swaps_and_reads_on_xor() {
    use Operation::{Accum, Read, Swap};
    histories_are_linearizable::<Xor>(&[&[Accum(2), Swap(16, 0)], &[Accum(4), Read(0)], &[Swap(8, 0)]]);
}

/// The same on the other group.
#[test]
fn accums_and_reads_on_add() {
    use Operation::{Accum, Read};
    histories_are_linearizable::<Add>(&[&[Accum(2), Read(0)], &[Accum(2), Read(0)]]);
}
