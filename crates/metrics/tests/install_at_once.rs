//! Threads that install the process's recorder at once. This file is a process of its own.

use std::sync::{Barrier, mpsc};
use std::time::Duration;

use atomik_metrics::{PROBE, install, install_and_probe};

#[test]
fn a_thread_does_not_take_the_probe_of_another_away() {
    let (counted, start) = mpsc::channel();
    std::thread::scope(|scope| {
        let second = scope.spawn(move || {
            start.recv().unwrap();
            install()
        });
        let first = install_and_probe(|| {
            metrics::counter!(PROBE).increment(1);
            counted.send(()).unwrap();
            // Time in which the second thread would find the probe, if it didn't wait for its turn.
            std::thread::sleep(Duration::from_millis(300));
        });
        assert!(first.is_ok());
        assert!(second.join().unwrap().is_ok());
    });
}

#[test]
fn each_thread_finds_the_recorder_installed() {
    const THREADS: usize = 8;
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                assert_eq!((0..1_000).filter(|_| install().is_err()).count(), 0);
            });
        }
    });
}
