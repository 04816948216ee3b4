use super::*;
use std::sync::mpsc;
use std::thread;

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<UpDown>();
    is_shared::<UpDownProducer<'static>>();
};

#[test]
fn the_level_is_the_ups_less_the_downs() {
    let level = UpDown::new(5);
    level.up(3);
    level.down(2);
    let mut producer = level.producer();
    producer.up(10);
    producer.down(1);
    assert_eq!(level.read(), 15);
    assert_eq!((level.ups().read(), level.downs().read()), (18, 3));
    level.down(20);
    assert_eq!(level.read(), -5);
    assert_eq!(std::format!("{level:?}"), "UpDown(-5)");
    assert_eq!(UpDown::default().read(), 0);
}

/// One thread takes jobs, the other ends them, and this one reads all the while.
#[test]
fn a_level_whose_downs_follow_their_ups_is_not_read_below_zero() {
    const JOBS: u64 = 100_000;
    let level = UpDown::new(0);
    let (jobs, waiting) = mpsc::sync_channel(4);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut producer, jobs) = (level.producer(), jobs);
            for job in 0..JOBS {
                if job % 2 == 0 {
                    producer.up(1)
                } else {
                    level.up(1)
                }
                jobs.send(()).unwrap();
            }
        });
        let ends = scope.spawn(|| waiting.into_iter().for_each(|()| level.down(1)));
        while !ends.is_finished() {
            let read = level.read();
            assert!(read >= 0, "{read}");
        }
    });
    assert_eq!((level.read(), level.ups().read()), (0, JOBS));
}
