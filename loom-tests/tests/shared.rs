//! Models of the lanes of a shared file. The kernel's lock is modelled as what it promises: one holder, freed when its
//! process ends, and what a holder did happens before what the next one does. And models of the metadata beside the lanes.

use std::sync::Arc;

use atomik_core::Add;
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join};
use atomik_shared::models::{Entries, File, Process};
use loom::thread;

/// A descriptor has several words, so the whole space of these models is large.
const BOUND: Preemptions = Preemptions { ordinary: 3, deep: Some(5) };

/// A process whose lane is that of the first process of a file.
fn process(file: &Arc<File<Add>>, pid: u64) -> Process<Add> {
    Process::new(file, pid)
}

/// A process accumulates and dies at any moment, while another one claims lanes until it gets the dead one's: every delta
/// whose ACCUM had returned is there, once, and the new owner sees what the dead one did before.
///
/// Rules out: a lane that is reset when it is taken over; an owner that continues from an older total than the last
/// owner's; a lane with two owners.
#[test]
fn a_dead_owners_lane_is_taken_over() {
    bounded_model(BOUND, || {
        let (file, pasts) = (File::<Add>::new(1), [Past::new(), Past::new()]);
        let dying = {
            let (file, pasts) = (Arc::clone(&file), pasts.clone());
            thread::spawn(move || {
                let process = process(&file, 1);
                let mut claimed = 0;
                if let Some(mut producer) = process.claim(1) {
                    check_pasts(file.read(), &pasts);
                    pasts[0].happen();
                    producer.accum(0b01);
                    claimed = 0b01;
                }
                process.die();
                claimed
            })
        };
        let claiming = {
            let (file, pasts) = (Arc::clone(&file), pasts.clone());
            thread::spawn(move || {
                let process = process(&file, 2);
                let Some(mut producer) = process.claim(2) else { return 0 };
                check_pasts(file.read(), &pasts);
                pasts[1].happen();
                producer.accum(0b10);
                0b10
            })
        };
        let (died, claimed) = (dying.join().unwrap(), claiming.join().unwrap());
        assert_eq!(file.read(), died | claimed);
        check_pasts(file.read(), &pasts);
        // The lane is owned by the second process, if by any.
        assert_eq!(process(&file, 3).claim(3).is_some(), claimed == 0);
    });
}

/// Two processes claim one of two lanes at once, and accumulate: they never get the same.
///
/// Rules out: two owners of a lane.
#[test]
fn two_processes_claim_lanes() {
    bounded_model(BOUND, || {
        let file = File::<Add>::new(2);
        let claiming = [1, 2].map(|pid| {
            let file = Arc::clone(&file);
            thread::spawn(move || {
                let process = process(&file, pid);
                let mut producer = process.claim(pid as u8).expect("there are two lanes");
                producer.accum(pid);
                producer.accum(pid << 2);
                producer.lane()
            })
        });
        let mut lanes = join(claiming);
        lanes.sort_unstable();
        assert_eq!((lanes, file.read()), (vec![0, 1], 0b1111));
    });
}

/// Two threads of one process claim one lane, which the kernel would give both of them, and return it.
///
/// Rules out: a lane that two threads of a process own; an owner that continues from an older total than that of the
/// thread before.
#[test]
fn two_threads_of_a_process_claim_one_lane() {
    bounded_model(BOUND, || {
        let (file, pasts) = (File::<Add>::new(1), [Past::new(), Past::new()]);
        let process = Arc::new(process(&file, 1));
        let claiming = [0, 1].map(|number| {
            let (file, process, pasts) = (Arc::clone(&file), Arc::clone(&process), pasts.clone());
            thread::spawn(move || {
                let Some(mut producer) = process.claim(number as u8) else { return 0 };
                check_pasts(file.read(), &pasts);
                pasts[number].happen();
                producer.accum(1 << number);
                producer.give_back();
                1 << number
            })
        });
        let claimed: u64 = join(claiming).into_iter().sum();
        assert!(claimed > 0);
        assert_eq!(file.read(), claimed);
    });
}

/// A lane is returned and claimed by another process, or taken over, while a reader reads: the reader sees each delta
/// once or not yet, never goes back, and sees what the writers of these deltas did before.
///
/// Rules out: a total that vanishes while a lane changes its owner.
#[test]
fn a_lane_changes_its_owner_beside_a_reader() {
    for dies in [false, true] {
        bounded_model(BOUND, move || {
            let (file, pasts) = (File::<Add>::new(1), [Past::new(), Past::new()]);
            let first = {
                let (file, pasts) = (Arc::clone(&file), pasts.clone());
                thread::spawn(move || {
                    let process = process(&file, 1);
                    if let Some(mut producer) = process.claim(1) {
                        pasts[0].happen();
                        producer.accum(0b01);
                        if !dies {
                            producer.give_back();
                        }
                    }
                    process.die();
                })
            };
            let second = {
                let (file, pasts) = (Arc::clone(&file), pasts.clone());
                thread::spawn(move || {
                    let process = process(&file, 2);
                    if let Some(mut producer) = process.claim(2) {
                        pasts[1].happen();
                        producer.accum(0b10);
                    }
                    process.die();
                })
            };
            let reading = {
                let (file, pasts) = (Arc::clone(&file), pasts.clone());
                thread::spawn(move || {
                    let before = file.read();
                    check_pasts(before, &pasts);
                    let after = file.read();
                    check_pasts(after, &pasts);
                    assert_eq!(before & after, before);
                })
            };
            join([first, second, reading]);
            check_pasts(file.read(), &pasts);
        });
    }
}

/// A lane is claimed by one process after another, while a reader looks at its descriptor: what it sees belongs to one
/// owner.
///
/// Rules out: an owner with the process id or the label of another; an owner that is shown before it has described
/// itself.
#[test]
fn a_lane_is_described_while_it_is_claimed() {
    bounded_model(BOUND, || {
        let file = File::<Add>::new(1);
        // The first owner has died before, so that the fields are those of somebody else.
        let dead = process(&file, 1);
        assert!(dead.claim(1).is_some());
        dead.die();
        let claiming = {
            let file = Arc::clone(&file);
            thread::spawn(move || process(&file, 2).claim(2).expect("it is free").give_back())
        };
        let reading = {
            let file = Arc::clone(&file);
            thread::spawn(move || {
                let (incarnation, is_returned, owner) = file.describe(0);
                assert!(incarnation == 2 || (incarnation == 1 && !is_returned));
                if let Some((pid, label)) = owner {
                    assert_eq!((pid, label), (incarnation, [incarnation as u8; 8]));
                }
            })
        };
        join([claiming, reading]);
        assert_eq!(file.describe(0), (2, true, Some((2, [2; 8]))));
    });
}

/// An entry is appended to the metadata while a reader looks: the reader sees the whole entry or none of it, and what the
/// writer did before. Another process that appends later finds the entry there.
///
/// Rules out: an entry that is seen before all of it is written; an entry that overwrites another one.
#[test]
fn metadata_is_appended_beside_a_reader() {
    loom::model(|| {
        let (entries, past) = (Arc::new(Entries::new()), Past::new());
        let appending = {
            let (entries, past) = (Arc::clone(&entries), past.clone());
            thread::spawn(move || {
                entries.append(b"first");
                past.happen();
                entries.append(b"7 second");
            })
        };
        let written: [&[u8]; 2] = [b"first", b"7 second"];
        let reading = {
            let entries = Arc::clone(&entries);
            thread::spawn(move || {
                let seen = entries.all();
                assert!(seen.iter().eq(&written[..seen.len()]));
                if seen.len() == 2 {
                    past.must_have_happened();
                }
            })
        };
        join([appending, reading]);
        assert_eq!(entries.all(), written);
    });
}
