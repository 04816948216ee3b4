//! The reader in Python, on files with live writers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use atomik_core::{Add, Xor};
use atomik_shared::{FanInSize, SharedFanIn, SharedTable};
use serde_json::{Value, json};

fn reader() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reader.py")
}

fn read(path: &Path) -> Value {
    let output = Command::new("python3").arg(reader()).arg(path).output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn reads_states_lanes_and_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let fan_in = SharedFanIn::<Add>::create_with(&path, FanInSize::new(100, 4).metadata(100)).unwrap();
    let mut kept = [fan_in.producer_labelled("ünder way").unwrap(), fan_in.producer().unwrap()];
    kept[0].accum(7, 40);
    kept[1].accum(7, 2);
    kept[1].accum(99, 1_u64.wrapping_neg());
    drop(fan_in.producer_labelled("gone").unwrap());
    let mut writer = fan_in.metadata_writer().unwrap();
    for entry in ["7 requests", "", "a name of 16 by."] {
        writer.append(entry.as_bytes()).unwrap();
    }
    let pid = std::process::id();
    let lane = |state: &str, incarnation: u32, pid: u32, label: &str| json!({"state": state, "incarnation": incarnation, "pid": pid, "label": label});
    assert_eq!(
        read(&path),
        json!({
            "states": {"7": 42, "99": u64::MAX},
            "lanes": [
                lane("alive", 1, pid, "ünder way"),
                lane("alive", 1, pid, ""),
                lane("returned", 1, pid, "gone"),
                lane("unused", 0, 0, ""),
            ],
            "metadata": ["7 requests", "", "a name of 16 by."],
        })
    );
}

#[test]
fn reads_a_table_on_xor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let table = SharedTable::<Xor>::create(&path, 100).unwrap();
    table[3].load(0xCAFE);
    assert_eq!(read(&path), json!({"states": {"3": 0xCAFE}, "lanes": [], "metadata": []}));
}

/// Each writer changes both halves of a word by the same amount, so a torn word would show, and none goes back.
#[test]
fn reads_whole_words_while_writers_write() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = folder.path().join("file");
    let fan_in = SharedFanIn::<Add>::create(&path, 64, 2).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut producer = fan_in.producer().unwrap();
            let is_over = &is_over;
            scope.spawn(move || {
                for addr in (0..64).cycle() {
                    producer.accum(addr, 1 << 32 | 1);
                    if addr == 0 && is_over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let mut before = Value::Null;
        for _ in 0..5 {
            let now = read(&path);
            for (addr, state) in now["states"].as_object().unwrap() {
                let state = state.as_u64().unwrap();
                // The lower half may have carried into the upper one, if it is that large.
                assert_eq!((state >> 32, state >> 31 & 1), (state & 0xFFFF_FFFF, 0), "address {addr}");
                assert!(state >= before["states"][addr].as_u64().unwrap_or(0));
            }
            assert!(now != before);
            before = now;
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn refuses_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    SharedTable::<Xor>::create(&path, 100).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[33] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("python3").arg(reader()).arg(&path).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged or truncated"));
}
