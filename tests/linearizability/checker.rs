//! Decides whether a recorded history of operations on one context is linearizable: whether each operation can
//! be given one instant between its call and its return, so that in the order of these instants all results
//! are what the sequential specification gives.
//!
//! Just-in-time linearization ([Lowe 2017], after [Wing and Gong 1993]): the history is read event by event,
//! with the set of all configurations that it allows so far. A configuration is a state and the pending
//! operations that took effect already. Where one returns, each configuration in which it didn't take effect
//! yet is replaced by all those in which it does now, with other pending ones before it or without. An empty
//! set refutes the history. The time is linear in the length, the factor exponential in the threads alone.
//!
//! [Lowe 2017]: https://doi.org/10.1002/cpe.3928
//! [Wing and Gong 1993]: https://doi.org/10.1006/jpdc.1993.1015

use std::collections::HashSet;

/// The most threads of a history.
const THREADS: usize = 4;

/// An operation on a context, with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `load(v)`
    Load(u64),
    /// `accum(d)`, or `rollback` of its inverse
    Accum(u64),
    /// `read()` and what it returned
    Read(u64),
    /// `swap(v)` and what it returned
    Swap(u64, u64),
}

impl Operation {
    /// The sequential specification: the state after this operation on `state`, if its result is right.
    fn on(self, state: u64, compose: fn(u64, u64) -> u64) -> Option<u64> {
        match self {
            Self::Load(v) => Some(v),
            Self::Accum(d) => Some(compose(state, d)),
            Self::Read(result) => (result == state).then_some(state),
            Self::Swap(v, result) => (result == state).then_some(v),
        }
    }
}

/// Operations that a thread made, one after the other, between two instants of one clock that all threads share.
///
/// Mostly it is one. To look at the clock orders what all threads do, so that they hardly meet in the midst of an
/// operation; several in a row, of which the clock knows nothing, let them.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// When the first was called.
    pub(crate) call: u64,
    /// When the last returned: after `call`.
    pub(crate) ret: u64,
    /// What was called and what it returned.
    pub(crate) operations: Vec<Operation>,
}

/// Whether the operations of all threads, each thread's in order, are linearizable from `start` on.
///
/// # Errors
///
/// The index of a thread and of its record at whose return no order was possible any more.
///
/// # Panics
///
/// If there are more than [`THREADS`] threads, if a thread's records overlap, or if one has more than 255 operations.
pub(crate) fn check(
    start: u64,
    threads: &[Vec<Recorded>],
    compose: fn(u64, u64) -> u64,
) -> Result<(), (usize, usize)> {
    assert!(threads.len() <= THREADS, "a configuration has {THREADS} counts of pending operations");
    let mut events = Vec::with_capacity(2 * threads.iter().map(Vec::len).sum::<usize>());
    for (thread, records) in threads.iter().enumerate() {
        let mut last = None;
        for (at, recorded) in records.iter().enumerate() {
            assert!(last < Some(recorded.call) && recorded.call < recorded.ret, "the records overlap");
            last = Some(recorded.ret);
            assert!(recorded.operations.len() <= 255, "a count of pending operations has 8 bits");
            // At one instant, calls come before returns: such operations overlap.
            events.push((recorded.call, false, thread, at));
            events.push((recorded.ret, true, thread, at));
        }
    }
    events.sort_unstable();

    let mut pending: [&[Operation]; THREADS] = [&[]; THREADS];
    let mut possible = HashSet::from([Configuration { state: start, done: [0; THREADS] }]);
    for (_, returns, thread, at) in events {
        if !returns {
            pending[thread] = &threads[thread][at].operations;
            continue;
        }
        possible = after_return(possible, &pending, thread, compose);
        if possible.is_empty() {
            return Err((thread, at));
        }
        pending[thread] = &[];
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Configuration {
    state: u64,
    /// How many of the pending operations of each thread took effect.
    done: [u8; THREADS],
}

/// The configurations in which all operations of `thread` took effect; its count is 0 again.
fn after_return(
    mut open: HashSet<Configuration>,
    pending: &[&[Operation]; THREADS],
    thread: usize,
    compose: fn(u64, u64) -> u64,
) -> HashSet<Configuration> {
    let mut reached = HashSet::new();
    let mut stack: Vec<_> = open.iter().copied().collect();
    while let Some(Configuration { state, mut done }) = stack.pop() {
        if usize::from(done[thread]) == pending[thread].len() {
            done[thread] = 0;
            reached.insert(Configuration { state, done });
            continue;
        }
        for (other, operations) in pending.iter().enumerate() {
            let Some(operation) = operations.get(usize::from(done[other])) else { continue };
            if let Some(state) = operation.on(state, compose) {
                let mut next = Configuration { state, done };
                next.done[other] += 1;
                if open.insert(next) {
                    stack.push(next);
                }
            }
        }
    }
    reached
}
