//! `apply_wire` against a plain loop and against a lock that is taken for each message.

use std::hint::black_box;
use std::sync::Mutex;

use atomik_benches::kernels::{apply_wire_under_lock, messages, plain_apply_wire, random_words};
use atomik_benches::measure::race;
use atomik_benches::ratio::Ratio;
use atomik_benches::run::Subject;
use atomik_core::{Xor, kernel};

const MESSAGES: usize = 4 << 20;

/// The largest table whose loops under a lock are measured; in larger ones memory decides.
const LOCKED: usize = 64 << 10;

/// In nanoseconds a message.
pub(super) fn apply_wire(subject: &mut Subject) {
    let short = subject.short;
    for len in [256, 4 << 10, 64 << 10, 1 << 20, 32 << 20] {
        let plain_target = if len >= 32 << 20 { 1.2 } else { 0.0 };
        if short && len > LOCKED && plain_target == 0.0 {
            continue;
        }
        let bytes = messages(MESSAGES, len);
        let (mut ours, mut plain) = (random_words(len, 1), random_words(len, 1));
        let (ours, plain) = (ours.as_mut_words(), plain.as_mut_words());
        kernel::apply_wire::<Xor>(ours, &bytes).expect("all addresses are in range");
        plain_apply_wire(plain, &bytes);
        assert!(ours == plain);
        let mut apply = || kernel::apply_wire::<Xor>(black_box(ours), black_box(&bytes)).expect("as before");
        let mut push = |rival: &str, [ours, theirs]: [f64; 2], target| {
            let times = [ours / MESSAGES as f64, theirs / MESSAGES as f64];
            subject.push(Ratio::new("apply_wire", rival, times, target).at(contexts(len)));
        };
        if !(short && plain_target == 0.0) {
            let mut rival = || plain_apply_wire(black_box(plain), black_box(&bytes));
            push("plain loop", race(5, 1, [&mut apply, &mut rival]), plain_target);
        }
        if len > LOCKED {
            continue;
        }
        let locked = Mutex::new(plain.to_vec());
        for (threads, name, target) in
            [(1, "std Mutex, uncontended", 0.0), (2, "std Mutex, contended by 2 threads", 15.0)]
        {
            let mut rival = || apply_wire_under_lock(&locked, black_box(&bytes), threads);
            push(name, race(3, 1, [&mut apply, &mut rival]), target);
        }
    }
    assert_applied_under_lock();
}

/// The rival has to do the whole work too.
fn assert_applied_under_lock() {
    let bytes = messages(1_001, 64);
    let mut expected = vec![0; 64];
    plain_apply_wire(&mut expected, &bytes);
    for threads in [1, 2] {
        let locked = Mutex::new(vec![0; 64]);
        apply_wire_under_lock(&locked, &bytes, threads);
        assert_eq!(locked.into_inner().expect("no thread panics"), expected);
    }
}

/// A number of contexts in the form of the tables.
fn contexts(len: usize) -> String {
    match len {
        0..1024 => format!("{len}"),
        1024..0x10_0000 => format!("{} K", len >> 10),
        _ => format!("{} M", len >> 20),
    }
}
