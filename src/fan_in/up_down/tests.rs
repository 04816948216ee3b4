use super::*;
use std::sync::mpsc;
use std::thread;

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<UpDown>();
    is_shared::<UpDownProducer<'static>>();
};

#[test]
fn the_gauge_is_the_ups_less_the_downs() {
    let gauge = UpDown::new(5);
    gauge.up(3);
    gauge.down(2);
    let mut producer = gauge.producer();
    producer.up(10);
    producer.down(1);
    assert_eq!(gauge.read(), 15);
    assert_eq!((gauge.ups().read(), gauge.downs().read()), (18, 3));
    gauge.down(20);
    assert_eq!(gauge.read(), -5);
    assert_eq!(std::format!("{gauge:?}"), "UpDown(-5)");
    assert_eq!(UpDown::default().read(), 0);
    assert_eq!(UpDown::new(-3).read(), -3);
}

#[test]
fn an_owned_producer_keeps_its_gauge_alive() {
    let gauge = Arc::new(UpDown::new(0));
    let (mut producer, watched) = (gauge.producer_owned(), Arc::downgrade(&gauge));
    drop(gauge);
    let thread = thread::spawn(move || {
        producer.up(3);
        producer.down(1);
        let debug = std::format!("{producer:?}");
        assert!(
            debug.contains("slot: 0, value: 3") && debug.ends_with("_gauge: Some(UpDown(2)) }"),
            "{debug}"
        );
        watched.upgrade().expect("the producer has the gauge").read()
    });
    assert_eq!(thread.join().unwrap(), 2);
}

#[test]
fn a_gauge_ends_with_its_last_owned_producer() {
    let gauge = Arc::new(UpDown::new(0));
    let watched = Arc::downgrade(&gauge);
    let (first, second) = (gauge.producer_owned(), gauge.producer_owned());
    drop((gauge, first));
    assert_eq!(watched.strong_count(), 1);
    drop(second);
    assert_eq!(watched.strong_count(), 0);
}

/// One thread takes jobs, the other ends them, and this one reads all the while.
#[test]
fn a_gauge_whose_downs_follow_their_ups_is_not_read_below_zero() {
    const JOBS: u64 = 100_000;
    let gauge = UpDown::new(0);
    let (jobs, waiting) = mpsc::sync_channel(4);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut producer, jobs) = (gauge.producer(), jobs);
            for job in 0..JOBS {
                if job % 2 == 0 {
                    producer.up(1)
                } else {
                    gauge.up(1)
                }
                jobs.send(()).unwrap();
            }
        });
        let ends = scope.spawn(|| waiting.into_iter().for_each(|()| gauge.down(1)));
        while !ends.is_finished() {
            let read = gauge.read();
            assert!(read >= 0, "{read}");
        }
    });
    assert_eq!((gauge.read(), gauge.ups().read()), (0, JOBS));
}
