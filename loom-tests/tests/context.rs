//! Models of the four operations on one context.

use atomik_core::AtomikContext;
use atomik_loom_tests::{Past, check_pasts};
use loom::thread;
use std::sync::Arc;

/// ACCUM against ACCUM, with a reader: no delta is lost, and whoever sees one sees its writer's past.
///
/// Rules out: a load and a store in place of the RMW (a delta is lost); a Relaxed `accum` or `read` (the past
/// races).
#[test]
fn accum_against_accum() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (context, past) = (context.clone(), pasts[i].clone());
                thread::spawn(move || {
                    past.happen();
                    context.accum(1 << i);
                })
            })
            .collect();
        check_pasts(context.read(), &pasts);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(context.read(), 0b11);
    });
}

/// ACCUM against SWAP(v): each delta is in the old state or in the new one, never in both or none; the
/// swapper sees the past of what it took, a later reader the past of all.
///
/// Rules out: a SWAP made of a load and a store (a delta in between is lost); a SWAP that is only Release (what
/// it took races) or only Acquire (it cuts the chain of those before it).
#[test]
fn accum_against_swap() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new(), Past::new()];
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (context, past) = (context.clone(), pasts[i].clone());
                thread::spawn(move || {
                    past.happen();
                    context.accum(1 << i);
                })
            })
            .collect();
        pasts[2].happen();
        let old = context.swap(0b100);
        check_pasts(old, &pasts);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let new = context.read();
        assert_eq!((old ^ new, old & new), (0b111, 0));
    });
}

/// Two SWAPs and a reader: what the first left is what the second takes, and the past of the deltas that went
/// through both is seen at the end.
///
/// Rules out: a SWAP that is not one instruction; one without Release.
#[test]
fn swap_against_swap() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let swapper = {
            let (context, past) = (context.clone(), pasts[0].clone());
            thread::spawn(move || {
                past.happen();
                context.swap(0b01)
            })
        };
        let reader = {
            let (context, pasts) = (context.clone(), pasts.clone());
            thread::spawn(move || check_pasts(context.read(), &pasts))
        };
        pasts[1].happen();
        let mine = context.swap(0b10);
        check_pasts(mine, &pasts);
        let other = swapper.join().unwrap();
        reader.join().unwrap();
        assert!(matches!((other, mine, context.read()), (0, 0b01, 0b10) | (0b10, 0, 0b01)));
    });
}

/// LOAD against ACCUM and READ: a reader of the loaded value or the delta sees its writer's past.
///
/// Which final states are possible is left to the test on real threads: loom 0.7.2 lets a store slip
/// between the two halves of an RMW (github.com/tokio-rs/loom/issues/254), so that here even an `accum` can
/// lose against a `load` that came before it.
///
/// Rules out: a LOAD without Release.
#[test]
fn load_against_accum() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let loader = {
            let (context, past) = (context.clone(), pasts[0].clone());
            thread::spawn(move || {
                past.happen();
                context.load(0b01);
            })
        };
        let writer = {
            let (context, past) = (context.clone(), pasts[1].clone());
            thread::spawn(move || {
                past.happen();
                context.accum(0b10);
            })
        };
        check_pasts(context.read(), &pasts);
        loader.join().unwrap();
        writer.join().unwrap();
        check_pasts(context.read(), &pasts);
    });
}

/// Three threads of two deltas each, in every interleaving: convergence. One thread takes its second delta
/// back.
///
/// Rules out: any loss or doubling of a delta.
#[test]
fn three_threads_converge() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let context = context.clone();
                thread::spawn(move || {
                    context.accum(0b1 << i);
                    context.accum(0b100 << i);
                })
            })
            .collect();
        context.accum(0b1_0000);
        context.rollback(0b1_0000);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(context.read(), 0b1111);
    });
}
