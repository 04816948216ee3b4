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

/// An operation that a thread made between two instants of one clock that all threads share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    /// When it was called.
    pub(crate) call: u64,
    /// When it returned: after `call`.
    pub(crate) ret: u64,
    /// What was called and what it returned.
    pub(crate) operation: Operation,
}

/// Whether the operations of all threads, each thread's in order, are linearizable from `start` on.
///
/// # Errors
///
/// The index of a thread and of its operation at whose return no order was possible any more.
///
/// # Panics
///
/// If there are more than 8 threads, or if a thread's operations overlap.
pub(crate) fn check(
    start: u64,
    threads: &[Vec<Recorded>],
    compose: fn(u64, u64) -> u64,
) -> Result<(), (usize, usize)> {
    assert!(threads.len() <= 8, "a configuration has 8 bits for pending operations");
    let mut events = Vec::with_capacity(2 * threads.iter().map(Vec::len).sum::<usize>());
    for (thread, operations) in threads.iter().enumerate() {
        let mut last = None;
        for (at, recorded) in operations.iter().enumerate() {
            assert!(last < Some(recorded.call) && recorded.call < recorded.ret, "the operations overlap");
            last = Some(recorded.ret);
            // At one instant, calls come before returns: such operations overlap.
            events.push((recorded.call, false, thread, at));
            events.push((recorded.ret, true, thread, at));
        }
    }
    events.sort_unstable();

    let mut pending: [Option<Operation>; 8] = [None; 8];
    let mut possible = HashSet::from([Configuration { state: start, done: 0 }]);
    for (_, returns, thread, at) in events {
        if !returns {
            pending[thread] = Some(threads[thread][at].operation);
            continue;
        }
        possible = after_return(possible, &pending, thread, compose);
        if possible.is_empty() {
            return Err((thread, at));
        }
        pending[thread] = None;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Configuration {
    state: u64,
    /// Bit t: the pending operation of thread t took effect.
    done: u8,
}

/// The configurations in which the operation of `thread` took effect; its bit is free again.
fn after_return(
    mut open: HashSet<Configuration>,
    pending: &[Option<Operation>; 8],
    thread: usize,
    compose: fn(u64, u64) -> u64,
) -> HashSet<Configuration> {
    let mut reached = HashSet::new();
    let mut stack: Vec<_> = open.iter().copied().collect();
    while let Some(Configuration { state, done }) = stack.pop() {
        if done & (1 << thread) != 0 {
            reached.insert(Configuration { state, done: done & !(1 << thread) });
            continue;
        }
        for (other, operation) in pending.iter().enumerate() {
            let Some(operation) = operation.filter(|_| done & (1 << other) == 0) else { continue };
            if let Some(state) = operation.on(state, compose) {
                let next = Configuration { state, done: done | (1 << other) };
                if open.insert(next) {
                    stack.push(next);
                }
            }
        }
    }
    reached
}
