//! Models of the four operations on one context.

use atomik_core::{Add, Algebra, AtomikContext, Context, Xor};
use atomik_loom_tests::{Past, check_pasts, join, spawn, spawn_writer};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// A thread that does something and then changes the context.
fn after<A: Algebra>(
    past: &Past,
    context: &Arc<Context<A>>,
    change: impl FnOnce(&Context<A>) + 'static,
) -> JoinHandle<()> {
    let (past, context) = (past.clone(), context.clone());
    thread::spawn(move || {
        past.happen();
        change(&context);
    })
}

fn accum_against_accum<A: Algebra>() {
    loom::model(|| {
        let context = Arc::new(Context::<A>::new(0));
        let pasts = [Past::new(), Past::new()];
        let writers = [
            after(&pasts[0], &context, |context| context.accum(0b01)),
            after(&pasts[1], &context, |context| context.accum(0b10)),
        ];
        let reader = {
            let (context, pasts) = (context.clone(), pasts.clone());
            thread::spawn(move || check_pasts(context.read(), &pasts))
        };
        join([reader]);
        join(writers);
        assert_eq!(context.read(), 0b11);
    });
}

/// ACCUM against ACCUM, with a reader. No delta is lost, and a reader that sees a delta sees what its writer did before.
///
/// Rules out: a load and a store in place of the RMW (a delta is lost); a Relaxed `accum` or `read` (the past
/// races).
#[test]
fn accum_against_accum_on_xor() {
    accum_against_accum::<Xor>();
}

/// The same on the other group, which has another RMW.
#[test]
fn accum_against_accum_on_add() {
    accum_against_accum::<Add>();
}

/// ACCUM against SWAP(v). Each delta is either in the old state or in the new one. The thread that swaps sees what
/// happened before the deltas that it takes, and a later reader sees what happened before all of them.
///
/// Rules out: a SWAP made of a load and a store (a delta in between is lost); a SWAP that is only Release (what
/// it took races) or only Acquire (it cuts the chain of those before it).
#[test]
fn accum_against_swap() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new(), Past::new()];
        let writers = [
            after(&pasts[0], &context, |context| context.accum(0b01)),
            after(&pasts[1], &context, |context| context.accum(0b10)),
        ];
        pasts[2].happen();
        let old = context.swap(0b100);
        check_pasts(old, &pasts);
        join(writers);
        let new = context.read();
        assert_eq!((old ^ new, old & new), (0b111, 0));
    });
}

/// Two SWAPs and a reader. The second SWAP takes the state that the first one left, and the reader sees what happened
/// before the deltas that went through both.
///
/// Rules out: a SWAP that is not one instruction; one without Release.
#[test]
fn swap_against_swap() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let swapper = spawn_writer(&pasts[0], &context, move |context| context.swap(0b01));
        let reader = {
            let (context, pasts) = (context.clone(), pasts.clone());
            thread::spawn(move || check_pasts(context.read(), &pasts))
        };
        pasts[1].happen();
        let mine = context.swap(0b10);
        check_pasts(mine, &pasts);
        let other = swapper.join().unwrap();
        join([reader]);
        assert!(matches!((other, mine, context.read()), (0, 0b01, 0b10) | (0b10, 0, 0b01)));
    });
}

/// LOAD against ACCUM, LOAD, SWAP(v) and READ. A thread that gets the loaded value or the delta sees what its writer did
/// before.
///
/// The models in `linearizability` check which states are possible. They can't be checked here, because loom 0.7.2 lets a
/// store slip between the two halves of an RMW (github.com/tokio-rs/loom/issues/254), so an `accum` may be overwritten by
/// a `load` that came before it.
///
/// Rules out: a LOAD without Release; a SWAP without Acquire.
#[test]
fn load_against_accum() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let writers = [
            after(&pasts[0], &context, |context| context.load(0b01)),
            after(&pasts[1], &context, |context| context.accum(0b10)),
        ];
        check_pasts(context.read(), &pasts);
        join(writers);
        check_pasts(context.read(), &pasts);
    });
}

/// See [`load_against_accum`].
#[test]
fn load_against_load() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let writers = [
            after(&pasts[0], &context, |context| context.load(0b01)),
            after(&pasts[1], &context, |context| context.load(0b10)),
        ];
        let first = context.read();
        check_pasts(first, &pasts);
        join(writers);
        let last = context.read();
        check_pasts(last, &pasts);
        assert!(matches!(last, 0b01 | 0b10));
    });
}

/// See [`load_against_accum`].
#[test]
fn load_against_swap() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let writer = after(&pasts[0], &context, |context| context.load(0b01));
        pasts[1].happen();
        check_pasts(context.swap(0b10), &pasts);
        join([writer]);
        check_pasts(context.read(), &pasts);
    });
}

fn three_threads_converge<A: Algebra>() {
    loom::model(|| {
        let context = Arc::new(Context::<A>::new(0));
        let writers: Vec<_> = (0..2)
            .map(|i| {
                spawn(&context, move |context| {
                    context.accum(0b1 << i);
                    context.accum(0b100 << i);
                })
            })
            .collect();
        context.accum(0b1_0000);
        context.rollback(0b1_0000);
        join(writers);
        assert_eq!(context.read(), 0b1111);
    });
}

/// Three threads of two deltas each converge in every interleaving. One thread takes its second delta back.
///
/// Rules out: any loss or doubling of a delta.
#[test]
fn three_threads_converge_on_xor() {
    three_threads_converge::<Xor>();
}

/// The same on the other group, where a delta and its inverse differ.
#[test]
fn three_threads_converge_on_add() {
    three_threads_converge::<Add>();
}
