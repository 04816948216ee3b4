//! Each kind of bad file is refused by name.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use atomik_core::{Add, Xor};
use atomik_shared::{
    FanInSize, FileKind, FileLayout, SharedError, SharedErrorKind, SharedFanIn, SharedTable, SharedView,
};
use tempfile::TempDir;

const PAGE: u64 = 4_096;

fn path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    (folder, path)
}

fn fan_in_file() -> (TempDir, PathBuf) {
    let (folder, path) = path();
    SharedFanIn::<Add>::create_with(&path, FanInSize::new(1_000, 4).metadata(100)).unwrap();
    (folder, path)
}

/// What each way to open a file says, which is the same.
fn refusal(path: &Path) -> SharedError {
    let errors = [
        SharedFanIn::<Add>::open(path).unwrap_err(),
        SharedFanIn::<Add>::open_read_only(path).unwrap_err(),
        SharedView::<Add>::open(path).unwrap_err(),
        FileLayout::read(path).unwrap_err(),
    ];
    let texts = errors.each_ref().map(ToString::to_string);
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_eq!(errors[0].path(), path);
    errors.into_iter().next().unwrap()
}

#[test]
fn a_file_cut_at_every_byte_of_its_header() {
    let (_folder, path) = fan_in_file();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    for len in (0..128).rev() {
        file.set_len(len).unwrap();
        let error = refusal(&path);
        let SharedErrorKind::Truncated { expected: 128, found } = *error.kind() else { panic!("{error}") };
        assert_eq!(found, len);
    }
}

#[test]
fn a_file_cut_at_every_page_and_at_its_last_byte() {
    let (_folder, path) = fan_in_file();
    let (file, bytes) = (OpenOptions::new().write(true).open(&path).unwrap(), path.metadata().unwrap().len());
    for len in [bytes - 1].into_iter().chain((1..bytes.div_ceil(PAGE)).rev().map(|page| page * PAGE)) {
        file.set_len(len).unwrap();
        let error = refusal(&path);
        let SharedErrorKind::Truncated { expected, found } = *error.kind() else { panic!("{error}") };
        assert_eq!((expected, found), (bytes, len));
        assert_eq!(
            error.to_string(),
            format!("{}: it is truncated: it has {len} bytes of {bytes}", path.display())
        );
    }
}

#[test]
fn a_file_that_goes_on_after_its_end() {
    let (_folder, path) = fan_in_file();
    let bytes = path.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(bytes + 1).unwrap();
    let error = refusal(&path);
    assert!(matches!(error.kind(), SharedErrorKind::TrailingBytes { .. }), "{error}");
}

#[test]
fn a_file_of_something_else() {
    let (_folder, path) = path();
    for text in ["#", "Dear reader, this file is none of yours.\n", &"x".repeat(5_000)] {
        fs::write(&path, text).unwrap();
        assert!(matches!(refusal(&path).kind(), SharedErrorKind::Foreign), "{text:.10}");
    }
}

#[test]
fn a_file_that_was_not_finished() {
    let (_folder, path) = fan_in_file();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0; 8], 120).unwrap();
    assert!(matches!(refusal(&path).kind(), SharedErrorKind::Unfinished));
}

#[test]
fn a_file_of_another_byte_order_or_version() {
    let (_folder, path) = fan_in_file();
    let header = fs::read(&path).unwrap()[..128].to_owned();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let swapped: Vec<u8> = header[16..24].iter().rev().copied().collect();
    file.write_all_at(&swapped, 16).unwrap();
    assert!(matches!(refusal(&path).kind(), SharedErrorKind::OtherByteOrder));
    file.write_all_at(&header, 0).unwrap();
    file.write_all_at(&[3_u32.to_ne_bytes(), 2_u32.to_ne_bytes()].concat(), 8).unwrap();
    let error = refusal(&path);
    assert!(matches!(error.kind(), SharedErrorKind::OtherVersion { found: 3, least: 2 }), "{error}");
}

#[test]
fn a_file_with_a_wrong_byte_in_its_header() {
    let (_folder, path) = fan_in_file();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xFF], 47).unwrap();
    let error = refusal(&path);
    assert!(matches!(error.kind(), SharedErrorKind::Damaged { what: "its checksum is wrong" }), "{error}");
}

#[test]
fn a_file_of_another_algebra_or_kind() {
    let (_folder, path) = fan_in_file();
    let errors = [
        SharedFanIn::<Xor>::open(&path).unwrap_err(),
        SharedView::<Xor>::open(&path).unwrap_err(),
        SharedFanIn::<Xor>::open_or_create(&path, 1_000, 4).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.kind(), SharedErrorKind::OtherAlgebra { found: 1, expected: 0 }), "{error}");
        assert!(error.to_string().ends_with("it is on Add, and not on Xor"), "{error}");
    }
    let errors = [
        SharedTable::<Add>::open(&path).unwrap_err(),
        SharedTable::<Add>::open_read_only(&path).unwrap_err(),
        SharedTable::<Add>::open_or_create(&path, 1_000).unwrap_err(),
    ];
    for error in errors {
        let SharedErrorKind::OtherKind { found: FileKind::FanIn, expected: FileKind::Table } = error.kind()
        else {
            panic!("{error}")
        };
        assert!(error.to_string().ends_with("it is a fan-in, and not a table"), "{error}");
    }
}

#[test]
fn a_file_of_another_size() {
    let (_folder, path) = fan_in_file();
    let size = FanInSize::new(1_000, 4).metadata(100);
    SharedFanIn::<Add>::open_or_create_with(&path, size).unwrap();
    let error = SharedFanIn::<Add>::open_or_create(&path, 999, 4).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::OtherLength { found: 1_000, expected: 999 }), "{error}");
    let error = SharedFanIn::<Add>::open_or_create(&path, 1_000, 5).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::OtherLanes { found: 4, expected: 5 }), "{error}");
    let error = SharedFanIn::<Add>::open_or_create(&path, 1_000, 4).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::OtherMetadata { found: 104, expected: 0 }), "{error}");
}

#[test]
fn what_is_no_file_or_is_not_there() {
    let (folder, path) = path();
    let error = refusal(&path);
    assert!(matches!(error.kind(), SharedErrorKind::Io { what: "open the file", .. }), "{error}");
    let error = SharedView::<Add>::open(folder.path()).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::NotAFile), "{error}");
    // Opening a named pipe does not wait for somebody who writes to it.
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(refusal(&path).kind(), SharedErrorKind::NotAFile));
    let device = refusal(Path::new("/dev/null"));
    assert!(matches!(device.kind(), SharedErrorKind::NotAFile), "{device}");
}

#[test]
fn a_second_creation_is_an_error_and_changes_nothing() {
    let (folder, path) = fan_in_file();
    let fan_in = SharedFanIn::<Add>::open(&path).unwrap();
    fan_in.producer().unwrap().accum(7, 42);
    let errors = [
        SharedFanIn::<Add>::create(&path, 1_000, 4).unwrap_err(),
        SharedTable::<Add>::create(&path, 1_000).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.kind(), SharedErrorKind::AlreadyExists), "{error}");
    }
    assert_eq!(SharedFanIn::<Add>::open(&path).unwrap().read(7), 42);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn sizes_that_can_not_be() {
    let (folder, path) = path();
    let errors = [
        SharedFanIn::<Add>::create(&path, 8, 0).unwrap_err(),
        SharedFanIn::<Add>::create(&path, 8, (1 << 20) + 1).unwrap_err(),
        SharedFanIn::<Add>::create(&path, (1 << 32) + 1, 1).unwrap_err(),
        SharedFanIn::<Add>::create(&path, 1 << 32, usize::MAX).unwrap_err(),
        SharedTable::<Add>::create(&path, usize::MAX).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.kind(), SharedErrorKind::Unsuitable { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A disk that is too small is an error when the file is created, and nothing is left of the file.
#[test]
fn a_disk_without_the_space() {
    let (folder, path) = path();
    // 32 pebibytes.
    let error = SharedFanIn::<Add>::create(&path, 1 << 32, 1 << 20).unwrap_err();
    assert!(matches!(error.kind(), SharedErrorKind::Io { what: "reserve the space", .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_space_of_a_file_is_reserved() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, path) = path();
    SharedFanIn::<Add>::create(&path, 100_000, 4).unwrap();
    let metadata = path.metadata().unwrap();
    assert!(metadata.blocks() * 512 >= metadata.len());
}

/// Of processes that create a file at once one succeeds, and those that open or create it all open the same.
#[test]
fn processes_create_a_file_at_once() {
    for _ in 0..10 {
        let (folder, path) = path();
        let child = || {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["creates_when_told", "--exact", "--ignored", "--nocapture"]).env(CREATE, &path);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut children = [(); 4].map(|()| child());
        // When all of them are there, each may begin.
        let mut outputs =
            children.each_mut().map(|child| BufReader::new(child.stdout.take().unwrap()).lines());
        let mut next = |child: usize, word: &str| {
            let mut lines = outputs[child].by_ref().map(Result::unwrap);
            lines.find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("child {child}: no {word}"))
        };
        (0..4).for_each(|child| drop(next(child, "ready")));
        children.iter_mut().for_each(|child| child.stdin.take().unwrap().write_all(b"go\n").unwrap());
        let created: Vec<String> = (0..4).map(|child| next(child, "create: ")).collect();
        assert_eq!(created.iter().filter(|line| *line == "create: done").count(), 1, "{created:?}");
        assert_eq!(created.iter().filter(|line| *line == "create: AlreadyExists").count(), 3, "{created:?}");
        (0..4).for_each(|child| drop(next(child, "counted")));
        assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
        assert_eq!(SharedFanIn::<Add>::open(&path).unwrap().read(7), 4);
        let other = path.with_extension("other");
        assert_eq!(SharedFanIn::<Add>::open(&other).unwrap().read(7), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

/// Where another process finds the path of the file to create.
const CREATE: &str = "ATOMIK_TEST_CREATE";

#[test]
#[ignore = "called by the test above, in processes of their own"]
fn creates_when_told() {
    let Some(path) = std::env::var_os(CREATE).map(PathBuf::from) else { return };
    println!("\nready");
    std::io::stdin().lines().next().unwrap().unwrap();
    let created = SharedFanIn::<Add>::create(&path, 100, 4);
    let other = SharedFanIn::<Add>::open_or_create(path.with_extension("other"), 100, 4).unwrap();
    other.producer().unwrap().accum(7, 1);
    match created {
        Ok(_) => println!("create: done"),
        Err(error) => println!("create: {:?}", error.kind()),
    }
    SharedFanIn::<Add>::open(&path).unwrap().producer().unwrap().accum(7, 1);
    println!("counted");
}

/// Descriptors and metadata of arbitrary bytes, which another process can write at any time, lead to no panic.
#[test]
fn arbitrary_bytes_behind_a_good_header() {
    let (_folder, path) = fan_in_file();
    let bytes = path.metadata().unwrap().len();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    for fill in [0xFF, 0x01, 0x02, 0x80] {
        file.write_all_at(&vec![fill; bytes as usize - 128], 128).unwrap();
        let fan_in = SharedFanIn::<Add>::open(&path).unwrap();
        let view = SharedView::<Add>::open(&path).unwrap();
        assert_eq!(view.lanes().unwrap().len(), 4);
        let room = view.metadata().capacity();
        assert!(view.metadata().entries().map(|entry| entry.len()).sum::<usize>() <= room);
        let mut writer = fan_in.metadata_writer().unwrap();
        let _ = writer.append(&[0; 200]);
        let mut producer = fan_in.producer().unwrap();
        let before = fan_in.read(3);
        producer.accum(3, 5);
        assert_eq!(fan_in.read(3), before.wrapping_add(5));
    }
}
