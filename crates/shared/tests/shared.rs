//! The public calls, in one process. Several handles of a file stand for several processes, since each has an open file
//! description of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use atomik_core::{Add, Algebra, TableEpoch, TableFanIn, TableRollback, Xor};
use atomik_shared::{
    FanInSize, FileKind, FileLayout, LaneState, SharedErrorKind, SharedFanIn, SharedTable, SharedView,
};
use tempfile::TempDir;

fn path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    (folder, path)
}

#[test]
fn a_table_is_one_for_all_who_open_it() {
    let (_folder, path) = path();
    let table = SharedTable::<Xor>::create(&path, 1_000).unwrap();
    let other = SharedTable::<Xor>::open(&path).unwrap();
    let view = SharedTable::<Xor>::open_read_only(&path).unwrap();
    let mut epochs = (table.epoch(), TableEpoch::new(&other[..]), view.epoch());
    table[7].accum(0b101);
    other[7].accum(0b110);
    other[999].load(5);
    assert_eq!((table[7].read(), other[7].read(), view.read(7)), (0b011, 0b011, 0b011));
    let expected = [(7, 0b011), (999, 5)];
    assert!(epochs.0.swap().iter().eq(expected));
    assert!(epochs.1.swap().iter().eq(expected));
    assert!(epochs.2.swap().iter().eq(expected));
    assert!(epochs.2.is_clean());
    let mut copies = [vec![0; 1_000], vec![1; 1_000]];
    table.snapshot(&mut copies[0]);
    view.snapshot(&mut copies[1]);
    assert_eq!(copies[0], copies[1]);
    assert!(view.lanes().unwrap().is_empty());
}

#[test]
fn a_table_takes_an_undo_stack() {
    let (_folder, path) = path();
    let table = SharedTable::<Add>::create(&path, 4).unwrap();
    let mut rollback = TableRollback::new(&table);
    rollback.apply([(2, 40)].into_iter().collect()).unwrap();
    assert_eq!(table[2].read(), 40);
    rollback.undo();
    assert_eq!(table[2].read(), 0);
}

#[test]
fn states_outlive_the_handles() {
    let (_folder, path) = path();
    SharedTable::<Add>::create(&path, 4).unwrap()[3].accum(42);
    assert_eq!(SharedTable::<Add>::open(&path).unwrap()[3].read(), 42);
    assert_eq!(SharedTable::<Add>::open_or_create(&path, 4).unwrap()[3].read(), 42);
}

fn lanes_compose<A: Algebra>() {
    let (_folder, path) = path();
    let len = 1_500;
    let fan_in = SharedFanIn::<A>::create(&path, len, 3).unwrap();
    let other = SharedFanIn::<A>::open(&path).unwrap();
    let view = SharedFanIn::<A>::open_read_only(&path).unwrap();
    let expected = TableFanIn::<A>::new(len);
    let mut epoch = other.epoch();
    let mut producers = [fan_in.producer().unwrap(), other.producer().unwrap(), other.producer().unwrap()];
    for number in 0..10_000_usize {
        let (addr, delta) = (number * 7_919 % len, (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        producers[number % 3].accum(addr, delta);
        expected.accum(addr, delta);
    }
    let mut copies = [vec![0; len], vec![1; len], vec![2; len]];
    expected.snapshot(&mut copies[0]);
    fan_in.snapshot(&mut copies[1]);
    view.snapshot(&mut copies[2]);
    assert!(copies[0] == copies[1] && copies[0] == copies[2]);
    assert!((0..len).all(|addr| fan_in.read(addr) == copies[0][addr] && view.read(addr) == copies[0][addr]));
    let changed: Vec<_> = epoch.swap().iter().collect();
    assert!(changed.iter().all(|&(addr, delta)| copies[0][addr as usize] == delta));
    assert_eq!(changed.len(), copies[0].iter().filter(|&&state| state != 0).count());
    assert!(epoch.is_clean());
    let of_lanes = (0..3).fold(0, |total, lane| A::compose(total, view.read_lane(lane, 7)));
    assert_eq!(of_lanes, fan_in.read(7));
}

#[test]
fn lanes_compose_on_add() {
    lanes_compose::<Add>();
}

#[test]
fn lanes_compose_on_xor() {
    lanes_compose::<Xor>();
}

/// Reads take eight lanes in a turn and then those that are left, of any distance.
#[test]
fn a_read_takes_each_lane_once() {
    let folder = tempfile::tempdir().unwrap();
    for (lanes, len) in (1..=25).flat_map(|lanes| [(lanes, 1), (lanes, 100)]) {
        let path = folder.path().join(format!("{lanes}-{len}"));
        let fan_in = SharedFanIn::<Add>::create(&path, len, lanes).unwrap();
        let mut producers: Vec<_> = (0..lanes).map(|_| fan_in.producer().unwrap()).collect();
        for (lane, producer) in producers.iter_mut().enumerate() {
            producer.accum(len - 1, 1 << (2 * lane));
        }
        let expected = (0..lanes).map(|lane| 1 << (2 * lane)).sum::<u64>();
        assert_eq!(fan_in.read(len - 1), expected, "{lanes} lanes of {len}");
    }
}

#[test]
fn a_lane_has_one_producer_and_keeps_its_value() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create(&path, 8, 2).unwrap();
    let other = SharedFanIn::<Add>::open(&path).unwrap();
    let mut first = fan_in.producer().unwrap();
    let mut second = other.producer().unwrap();
    assert_eq!((first.lane(), second.lane()), (0, 1));
    first.accum(0, 40);
    second.accum(0, 1);
    for full in [&fan_in, &other] {
        let error = full.producer().unwrap_err();
        assert!(matches!(error.kind(), SharedErrorKind::NoFreeLane { lanes: 2 }));
        assert_eq!(error.to_string(), format!("{}: all 2 lanes have owners that are alive", path.display()));
    }
    drop(first);
    let mut third = other.producer().unwrap();
    assert_eq!(third.lane(), 0);
    third.accum(0, 1);
    assert_eq!(fan_in.read(0), 42);
    // Whoever closes the file, and however often, does not give up another handle's lanes.
    drop(SharedFanIn::<Add>::open(&path).unwrap());
    assert!(fan_in.producer().is_err());
}

#[test]
fn lanes_tell_their_owners() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create(&path, 8, 4).unwrap();
    let other = SharedFanIn::<Add>::open(&path).unwrap();
    let view = SharedView::<Add>::open(&path).unwrap();
    drop(fan_in.producer_labelled("gone").unwrap());
    drop(fan_in.producer_labelled("gone too").unwrap());
    let _kept = [fan_in.producer_labelled(&"ä".repeat(60)).unwrap(), other.producer_labelled("two").unwrap()];
    drop(fan_in.producer_labelled("three").unwrap());
    for lanes in [fan_in.lanes().unwrap(), other.lanes().unwrap(), view.lanes().unwrap()] {
        let states: Vec<_> = lanes.iter().map(|lane| (lane.state, lane.incarnation)).collect();
        let expected =
            [(LaneState::Alive, 3), (LaneState::Alive, 1), (LaneState::Returned, 1), (LaneState::Unused, 0)];
        assert_eq!(states, expected);
        let labels: Vec<_> = lanes.iter().map(|lane| lane.label.as_deref()).collect();
        assert_eq!(labels, [Some("ä".repeat(48).as_str()), Some("two"), Some("three"), None]);
        assert_eq!(lanes[1].pid, Some(u64::from(std::process::id())));
        let age = lanes[1].claimed_at.unwrap().elapsed().unwrap();
        assert!(age.as_secs() < 60, "{age:?}");
    }
}

#[test]
fn threads_claim_different_lanes() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create(&path, 8, 8).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    // Another thread may have looked at the last free lane at the same time.
                    let Ok(mut producer) = fan_in.producer() else { continue };
                    for _ in 0..100 {
                        producer.accum(3, 1);
                    }
                    producer.accum(4, 100);
                }
            });
        }
    });
    assert!(fan_in.read(3) > 0);
    assert_eq!(fan_in.read(3), fan_in.read(4));
}

#[test]
fn a_view_of_a_file_without_the_right_to_write() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = path();
    SharedFanIn::<Add>::create(&path, 8, 1).unwrap().producer().unwrap().accum(3, 42);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let view = SharedFanIn::<Add>::open_read_only(&path).unwrap();
    assert_eq!((view.read(3), view.lanes().unwrap()[0].state), (42, LaneState::Returned));
}

#[test]
fn metadata_is_appended_by_all_handles() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create_with(&path, FanInSize::new(8, 1).metadata(60)).unwrap();
    let other = SharedFanIn::<Add>::open(&path).unwrap();
    let view = SharedView::<Add>::open(&path).unwrap();
    fan_in.metadata_writer().unwrap().append(b"first").unwrap();
    let mut entries = view.metadata().entries();
    assert_eq!(entries.next().as_deref(), Some(&b"first"[..]));
    assert_eq!(entries.next(), None);
    let position = entries.position();
    other.metadata_writer().unwrap().append(b"").unwrap();
    let mut writer = other.metadata_writer().unwrap();
    assert!(writer.metadata().entries().any(|entry| entry == b"first"));
    writer.append(&[7; 16]).unwrap();
    assert!(view.metadata().entries_from(position).eq([vec![], vec![7; 16]]));
    assert_eq!((view.metadata().used(), view.metadata().capacity()), (48, 64));
    let error = writer.append(&[0; 9]).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::MetadataFull { needed: 24, left: 16 }));
    writer.append(&[1; 8]).unwrap();
    assert_eq!(view.metadata().entries().count(), 4);
}

#[test]
fn metadata_is_appended_once_by_all_who_look_for_it() {
    let (_folder, path) = path();
    let size = FanInSize::new(8, 1).metadata(16 * 100);
    SharedFanIn::<Add>::create_with(&path, size).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            let fan_in = SharedFanIn::<Add>::open(&path).unwrap();
            scope.spawn(move || {
                for number in 0..100_u64 {
                    let entry = number.to_le_bytes();
                    let mut writer = fan_in.metadata_writer().unwrap();
                    if writer.metadata().entries().all(|found| found != entry) {
                        writer.append(&entry).unwrap();
                    }
                }
            });
        }
    });
    let view = SharedView::<Add>::open(&path).unwrap();
    assert!(view.metadata().entries().eq((0..100_u64).map(|number| number.to_le_bytes().to_vec())));
}

#[test]
fn a_fan_in_without_room_for_metadata_has_none() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create(&path, 8, 1).unwrap();
    assert_eq!((fan_in.metadata().capacity(), fan_in.metadata().entries().count()), (0, 0));
    let error = fan_in.metadata_writer().unwrap().append(b"").unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::MetadataFull { needed: 8, left: 0 }));
}

#[test]
fn a_memfd_is_passed_on_and_can_not_be_shrunk() {
    let fan_in = SharedFanIn::<Add>::create_memfd(FanInSize::new(1_000, 2).metadata(64)).unwrap();
    let fd = fan_in.reopen().unwrap();
    let other = SharedFanIn::<Add>::from_memfd(&fd).unwrap();
    let mut producers = [fan_in.producer().unwrap(), other.producer().unwrap()];
    assert!(other.producer().is_err());
    producers[0].accum(7, 40);
    producers[1].accum(7, 2);
    assert_eq!((fan_in.read(7), other.read(7)), (42, 42));
    let file = std::fs::File::from(fd);
    assert_eq!(file.set_len(0).unwrap_err().raw_os_error(), Some(libc::EPERM));

    // Another process sees the same.
    let table = SharedTable::<Add>::create_memfd(512).unwrap();
    table[0].accum(u64::from_ne_bytes(*b"a word.\n"));
    let print =
        Command::new("tail").args(["-c", "4096"]).stdin(Stdio::from(table.reopen().unwrap())).output();
    assert!(print.unwrap().stdout.starts_with(b"a word.\n"));
    assert_eq!(SharedTable::<Add>::from_memfd(table.reopen().unwrap()).unwrap().len(), 512);
}

#[test]
fn a_file_that_can_be_shrunk_is_no_memfd() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create(&path, 8, 1).unwrap();
    let error = SharedFanIn::<Add>::from_memfd(fan_in.reopen().unwrap()).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::NotSealed));
    assert_eq!(error.to_string(), "memfd: it is no memfd that is sealed against shrinking");
}

#[test]
fn a_layout_tells_what_a_file_is() {
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Xor>::create_with(&path, FanInSize::new(100, 3).metadata(50)).unwrap();
    let layout = FileLayout::read(&path).unwrap();
    assert_eq!(layout, *fan_in.layout());
    assert_eq!((layout.kind(), layout.algebra(), layout.len(), layout.lanes()), (FileKind::FanIn, 0, 100, 3));
    assert_eq!((layout.metadata_bytes(), layout.file_bytes()), (56, path.metadata().unwrap().len()));
}

#[test]
#[should_panic(expected = "address 8 is past the end of a table of 8")]
fn accumulating_past_the_end_panics() {
    let fan_in = SharedFanIn::<Add>::create_memfd(FanInSize::new(8, 2)).unwrap();
    fan_in.producer().unwrap().accum(8, 1);
}

#[test]
#[should_panic(expected = "address 8 is past the end of a table of 8")]
fn reading_past_the_end_panics() {
    let _ = SharedFanIn::<Add>::create_memfd(FanInSize::new(8, 2)).unwrap().read(8);
}

#[test]
fn handles_may_be_sent_and_shared() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    check::<SharedTable<Xor>>();
    check::<SharedFanIn<Add>>();
    check::<SharedView<Add>>();
    check::<atomik_shared::SharedProducer<Add>>();
    check::<atomik_shared::SharedError>();
}
