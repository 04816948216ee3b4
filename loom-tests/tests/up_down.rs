//! Models of a level that goes up and down.

use atomik_core::UpDown;
use atomik_loom_tests::{Preemptions, bounded_model, join, spawn};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;

/// A thread moves a level up and down again, once with a handle and once without one, while another reads.
///
/// Rules out: a read that looks at the ups first (it misses an up and includes its down).
#[test]
fn a_level_is_not_read_below_zero() {
    loom::model(|| {
        let level = Arc::new(UpDown::new(0));
        let writer = spawn(&level, move |level| {
            level.up(1);
            level.down(1);
            let mut producer = level.producer();
            producer.up(1);
            producer.down(1);
        });
        let reader = spawn(&level, move |level| assert!((0..=2).contains(&level.read())));
        join([writer, reader]);
        assert_eq!(level.read(), 0);
    });
}

/// One thread moves a level up and hands over to another thread, which moves it down, while a third one reads.
///
/// Rules out: the same, and a down that does not make the past of its writer visible.
#[test]
fn a_level_is_not_read_below_zero_where_another_thread_moves_it_down() {
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
        let level = Arc::new(UpDown::new(0));
        let handed_over = Arc::new(AtomicBool::new(false));
        let up = {
            let (level, handed_over) = (level.clone(), handed_over.clone());
            thread::spawn(move || {
                level.up(1);
                handed_over.store(true, Ordering::Release);
            })
        };
        let down = spawn(&level, move |level| {
            let is_mine = handed_over.load(Ordering::Acquire);
            if is_mine {
                level.down(1);
            }
            is_mine
        });
        let reader = spawn(&level, move |level| assert!(level.read() >= 0));
        join([up]);
        join([reader]);
        let is_down = down.join().unwrap();
        assert_eq!(level.read(), i64::from(!is_down));
    });
}
