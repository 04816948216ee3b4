//! The layout, on a file that was written from LAYOUT.md by another program.
#![cfg(target_endian = "little")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use atomik_core::Add;
use atomik_shared::{FanInSize, LaneState, SharedFanIn, SharedView};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fan-in-1.shared")
}

#[test]
fn the_file_is_read() {
    let view = SharedView::<Add>::open(golden()).unwrap();
    let mut states = [1; 10];
    view.snapshot(&mut states);
    assert_eq!(states, [0, 0, 0, 0, 0, 0, 0, 42, 0, u64::MAX]);
    assert_eq!((view.read_lane(0, 7), view.read_lane(1, 7)), (40, 2));
    let lanes = view.lanes().unwrap();
    let told: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.state, lane.incarnation, lane.pid.unwrap(), lane.label.as_deref().unwrap()))
        .collect();
    assert_eq!(told, [(LaneState::Dead, 2, 4242, "wörker"), (LaneState::Returned, 1, 4243, "second")]);
    let claimed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    assert_eq!(lanes[0].claimed_at, Some(claimed_at));
    assert!(view.metadata().entries().eq([&b"7 requests_total"[..], b"9 x"]));
}

/// The same calls write the same bytes, apart from the process ids and the times.
#[test]
fn the_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let fan_in = SharedFanIn::<Add>::create_with(&path, FanInSize::new(10, 2).metadata(64)).unwrap();
    drop(fan_in.producer_labelled("a longer label, which is gone afterwards").unwrap());
    let mut first = fan_in.producer_labelled("wörker").unwrap();
    first.accum(7, 40);
    let mut second = fan_in.producer_labelled("second").unwrap();
    second.accum(7, 2);
    second.accum(9, 1_u64.wrapping_neg());
    drop(second);
    for entry in [&b"7 requests_total"[..], b"9 x"] {
        fan_in.metadata_writer().unwrap().append(entry).unwrap();
    }
    let mut bytes = fs::read(&path).unwrap();
    let expected = fs::read(golden()).unwrap();
    for descriptor in [128, 256] {
        bytes[descriptor + 8..descriptor + 24].copy_from_slice(&expected[descriptor + 8..descriptor + 24]);
    }
    let different = bytes.iter().zip(&expected).position(|(byte, expected)| byte != expected);
    assert_eq!((bytes.len(), different), (expected.len(), None));
}
