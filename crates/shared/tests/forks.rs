//! A process that forks while it has producers. The children here are made by `fork`, or by the bare system call, which
//! the C library knows nothing of, and execute no other program.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use atomik_core::Add;
use atomik_shared::{FanInSize, LaneState, SharedErrorKind, SharedFanIn, SharedProducer, SharedTable};
use tempfile::TempDir;

/// No two of these tests run at once: a child would inherit the files of all of them.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    (folder, path)
}

/// How a child is made.
#[derive(Clone, Copy)]
enum Fork {
    Library,
    /// Without the handlers of the C library.
    SystemCall,
}

/// A child process.
struct Child(libc::pid_t);

impl Child {
    /// A child that does something and then ends, with 0 unless it panics.
    fn run(fork: Fork, f: impl FnOnce()) -> Self {
        // SAFETY: the child runs on in a copy of this process. The other threads of the test program, which it has not,
        // wait and hold no lock that the child needs.
        let pid = unsafe {
            match fork {
                Fork::Library => libc::fork(),
                Fork::SystemCall => libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t,
            }
        };
        assert!(pid >= 0, "{}", io::Error::last_os_error());
        if pid == 0 {
            let ended = catch_unwind(AssertUnwindSafe(f));
            // SAFETY: it ends the child without what an ordinary end would do for the parent's threads.
            unsafe { libc::_exit(i32::from(ended.is_err())) };
        }
        Self(pid)
    }

    fn kill(&self, signal: i32) {
        // SAFETY: it is a child of this process that nobody has waited for.
        assert_eq!(unsafe { libc::kill(self.0, signal) }, 0);
    }

    /// Waits for the end. The exit code, or the negative signal.
    fn wait(self) -> i32 {
        let mut status = 0;
        // SAFETY: as above.
        assert_eq!(unsafe { libc::waitpid(self.0, &mut status, 0) }, self.0);
        if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// What an inherited producer says when it is used.
fn refusal(producer: &mut SharedProducer<Add>, addr: usize) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| producer.accum(addr, 1))).expect_err("it accumulated");
    panic
        .downcast_ref::<&str>()
        .map(|&text| text.to_owned())
        .or(panic.downcast_ref::<String>().cloned())
        .unwrap()
}

fn a_child_refuses_its_parents_lane(fork: Fork) {
    let _turn = one_at_a_time();
    let (_folder, path) = path();
    let mut fan_in = Some(SharedFanIn::<Add>::create_with(&path, FanInSize::new(8, 2).metadata(64)).unwrap());
    let mut producer = Some(fan_in.as_ref().unwrap().producer().unwrap());
    producer.as_mut().unwrap().accum(3, 40);
    let child = Child::run(fork, || {
        let (fan_in, mut producer) = (fan_in.take().unwrap(), producer.take().unwrap());
        let text = refusal(&mut producer, 3);
        assert_eq!(text, "this producer belongs to the process from which this one was forked");
        assert_eq!(fan_in.read(3), 40);
        assert!(matches!(fan_in.producer().unwrap_err().kind(), SharedErrorKind::Forked));
        assert!(matches!(fan_in.lanes().unwrap_err().kind(), SharedErrorKind::Forked));
        assert!(matches!(fan_in.metadata_writer().unwrap_err().kind(), SharedErrorKind::Forked));
        assert!(matches!(fan_in.reopen().unwrap_err().kind(), SharedErrorKind::Forked));
        // A child that opens the file itself gets the other lane.
        let own = SharedFanIn::<Add>::open(&path).unwrap();
        let mut own_producer = own.producer().unwrap();
        assert_eq!(own_producer.lane(), 1);
        own_producer.accum(3, 2);
        drop(own_producer);
        // What was inherited may be dropped, and does the parent no harm.
        drop((producer, fan_in));
        own.producer().unwrap().accum(3, 0);
    });
    assert_eq!(child.wait(), 0);
    producer.as_mut().unwrap().accum(3, 0);
    // The child dropped its own copies only.
    let mut third = SharedFanIn::<Add>::open(&path).unwrap().producer().unwrap();
    assert_eq!(third.lane(), 1);
    third.accum(3, 100);
    assert_eq!(SharedFanIn::<Add>::open_read_only(&path).unwrap().read(3), 142);
}

#[test]
fn a_child_of_fork_refuses_its_parents_lane() {
    a_child_refuses_its_parents_lane(Fork::Library);
}

#[test]
fn a_child_of_a_bare_system_call_refuses_its_parents_lane() {
    a_child_refuses_its_parents_lane(Fork::SystemCall);
}

/// A child neither appends by its parent's writer nor gives the parent's right to append away.
#[test]
fn a_child_does_not_append_to_metadata_by_its_parents_writer() {
    for fork in [Fork::Library, Fork::SystemCall] {
        let _turn = one_at_a_time();
        let (_folder, path) = path();
        let fan_in = SharedFanIn::<Add>::create_with(&path, FanInSize::new(8, 1).metadata(64)).unwrap();
        let mut writer = Some(fan_in.metadata_writer().unwrap());
        let child = Child::run(fork, || {
            let mut inherited = writer.take().unwrap();
            assert!(matches!(inherited.append(b"child").unwrap_err().kind(), SharedErrorKind::Forked));
            drop(inherited);
        });
        assert_eq!(child.wait(), 0);
        // The lock is still the parent's: another process has to wait for it.
        let waiting = Child::run(fork, || {
            SharedFanIn::<Add>::open(&path).unwrap().metadata_writer().unwrap().append(b"second").unwrap();
        });
        thread::sleep(Duration::from_millis(50));
        writer.as_mut().unwrap().append(b"first").unwrap();
        drop(writer);
        assert_eq!(waiting.wait(), 0);
        assert!(fan_in.metadata().entries().eq([b"first".to_vec(), b"second".to_vec()]));
    }
}

/// The parent goes on with its lane while it has children, and after they have ended.
#[test]
fn a_parent_keeps_its_lane() {
    let _turn = one_at_a_time();
    let (_folder, path) = path();
    let fan_in = SharedFanIn::<Add>::create(&path, 8, 1).unwrap();
    let mut producer = fan_in.producer().unwrap();
    for fork in [Fork::Library, Fork::SystemCall] {
        let other = SharedFanIn::<Add>::open(&path).unwrap();
        assert_eq!(Child::run(fork, || {}).wait(), 0);
        producer.accum(3, 21);
        assert!(matches!(other.producer().unwrap_err().kind(), SharedErrorKind::NoFreeLane { lanes: 1 }));
    }
    assert_eq!(fan_in.read(3), 42);
}

/// A process claims a lane, forks and dies. Its child lives, and does not keep the lane claimed.
#[test]
fn a_child_does_not_keep_a_dead_parents_lane() {
    let _turn = one_at_a_time();
    let (_folder, path) = path();
    let watcher = SharedFanIn::<Add>::create(&path, 8, 1).unwrap();
    let grandchild_is_there = SharedTable::<Add>::create_memfd(1).unwrap();
    let parent = Child::run(Fork::Library, || {
        let fan_in = SharedFanIn::<Add>::open(&path).unwrap();
        let mut producer = fan_in.producer_labelled("parent").unwrap();
        producer.accum(3, 40);
        let grandchild = Child::run(Fork::Library, || {
            // SAFETY: its own process id.
            grandchild_is_there[0].load(unsafe { libc::getpid() } as u64);
            thread::sleep(Duration::from_secs(60));
        });
        grandchild.wait();
    });
    wait_until("the grandchild starts", || grandchild_is_there[0].read() != 0);
    let lane = &watcher.lanes().unwrap()[0];
    assert_eq!((lane.state, lane.label.as_deref()), (LaneState::Alive, Some("parent")));
    assert!(watcher.producer().is_err());

    parent.kill(libc::SIGKILL);
    assert_eq!(parent.wait(), -libc::SIGKILL);
    assert_eq!(watcher.lanes().unwrap()[0].state, LaneState::Dead);
    let mut producer = watcher.producer().unwrap();
    producer.accum(3, 2);
    assert_eq!(watcher.read(3), 42);
    // SAFETY: the grandchild of this process, which sleeps.
    assert_eq!(unsafe { libc::kill(grandchild_is_there[0].read() as i32, libc::SIGKILL) }, 0);
}

/// Threads open files and claim lanes while another thread forks. The process dies, and none of its children keeps a
/// lane.
#[test]
fn no_fork_at_any_moment_keeps_a_lane() {
    const LANES: usize = 60;
    let _turn = one_at_a_time();
    let (_folder, path) = path();
    let watcher = SharedFanIn::<Add>::create(&path, 8, LANES).unwrap();
    // At 0 whether all lanes are claimed, and the process ids of the children from 1 on.
    let shared = SharedTable::<Add>::create_memfd(10_000).unwrap();
    let parent = Child::run(Fork::Library, || {
        thread::scope(|scope| {
            let claiming: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..LANES / 2 {
                            let fan_in = SharedFanIn::<Add>::open(&path).unwrap();
                            std::mem::forget(fan_in.producer().unwrap());
                        }
                    })
                })
                .collect();
            for place in &shared[1..] {
                if claiming.iter().all(|thread| thread.is_finished()) {
                    break;
                }
                // SAFETY: the child waits for a signal and does nothing else.
                let pid = unsafe { libc::fork() };
                if pid == 0 {
                    loop {
                        // SAFETY: it waits.
                        unsafe { libc::pause() };
                    }
                }
                place.load(u64::try_from(pid).expect("there is room for a process"));
                thread::sleep(Duration::from_micros(300));
            }
        });
        shared[0].load(1);
        thread::sleep(Duration::from_secs(60));
    });
    wait_until("all lanes are claimed", || shared[0].read() != 0);
    parent.kill(libc::SIGKILL);
    assert_eq!(parent.wait(), -libc::SIGKILL);
    // A child closes its copies of the locks as soon as it gets to run.
    let are_dead = || watcher.lanes().unwrap().iter().all(|lane| lane.state == LaneState::Dead);
    let until = Instant::now() + Duration::from_secs(10);
    while !are_dead() && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    let states: Vec<_> = watcher.lanes().unwrap().iter().map(|lane| lane.state).collect();
    let children: Vec<u64> = shared[1..].iter().map(|pid| pid.read()).take_while(|&pid| pid > 0).collect();
    for &pid in &children {
        // SAFETY: a descendant of this process, which waits for a signal.
        assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0);
    }
    assert!(children.len() > 1, "it forked {} times", children.len());
    assert_eq!(states, [LaneState::Dead; LANES]);
}

/// A table has no owners, so a child goes on with it.
#[test]
fn a_child_writes_to_an_inherited_table() {
    let _turn = one_at_a_time();
    let table = SharedTable::<Add>::create_memfd(8).unwrap();
    let child = Child::run(Fork::Library, || table[3].accum(42));
    assert_eq!(child.wait(), 0);
    assert_eq!(table[3].read(), 42);
}
