//! Runs the same work with each method and times it while an observer watches.

use std::io;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use crate::events::Event;
use crate::methods::{FanInTotals, Method, SharedAtomics, Totals};
use crate::progress::{Progress, Step};

/// Work that several threads share.
pub(crate) trait Work: Sync {
    fn threads(&self) -> usize;

    /// The bytes of all events, as a measure of progress.
    fn bytes(&self) -> u64;

    /// Calls `each` with the events of one thread's share.
    fn share(&self, thread: usize, each: impl FnMut(Event)) -> io::Result<()>;
}

/// The least time that a method gets in each round. It makes one pass over the work, or several if they are short.
/// (A debug build is not worth timing.)
const TURN: Duration = Duration::from_millis(if cfg!(debug_assertions) { 5 } else { 50 });
/// At least two, since the first pass may have waited for the disk.
const LEAST_ROUNDS: usize = 2;
/// Further rounds, up to this number, are run only if the rounds so far took less than `PATIENCE`.
const MOST_ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_millis(1500);

/// The result of one method.
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    /// The time of the fastest pass.
    pub(crate) best: Duration,
}

/// The results of the same work with each method.
pub(crate) struct Race {
    /// The fan-in first.
    pub(crate) entrants: Vec<Entrant>,
    pub(crate) threads: usize,
    pub(crate) rounds: usize,
    /// The totals of the first pass.
    pub(crate) totals: Totals,
    /// Whether all other passes had the same totals, and each observer saw every byte exactly once.
    pub(crate) agree: bool,
}

impl Race {
    const METHODS: usize = 4;
    /// The most steps of progress that a race takes.
    pub(crate) const MOST_TURNS: usize = MOST_ROUNDS * Self::METHODS;

    /// Runs the work with each method. The turns are steps of `progress`, from `first_step` on.
    pub(crate) fn run<W: Work>(work: &W, progress: &Progress, first_step: usize) -> io::Result<Self> {
        let started = Instant::now();
        // The methods take turns, so that other load on the machine affects all of them.
        let mut rounds: Vec<[Turn; Self::METHODS]> = Vec::new();
        while rounds.len() < LEAST_ROUNDS || (rounds.len() < MOST_ROUNDS && started.elapsed() < PATIENCE) {
            let step = first_step + rounds.len() * Self::METHODS;
            rounds.push([
                turn::<FanInTotals, W>(work, progress, step)?,
                turn::<Mutex<Totals>, W>(work, progress, step + 1)?,
                turn::<parking_lot::Mutex<Totals>, W>(work, progress, step + 2)?,
                turn::<SharedAtomics, W>(work, progress, step + 3)?,
            ]);
        }
        let totals = rounds[0][0].totals.clone();
        let agree = rounds.iter().flatten().all(|turn| turn.consistent && turn.totals == totals);
        let entrants = (0..Self::METHODS).map(|method| {
            let best = rounds.iter().map(|round| round[method].best).min();
            Entrant { name: rounds[0][method].name, best: best.unwrap_or_default() }
        });
        Ok(Self {
            entrants: entrants.collect(),
            threads: work.threads(),
            rounds: rounds.len(),
            totals,
            agree,
        })
    }
}

/// The passes of one method in one round.
struct Turn {
    name: &'static str,
    best: Duration,
    totals: Totals,
    /// Whether all passes had these totals, and their observers saw as many bytes.
    consistent: bool,
}

fn turn<M: Method, W: Work>(work: &W, progress: &Progress, step: usize) -> io::Result<Turn> {
    let step = progress.step(step, M::NAME, work.bytes());
    let started = Instant::now();
    let first = pass::<M, W>(work, &step)?;
    let consistent = first.observed == first.totals.bytes;
    let mut turn = Turn { name: M::NAME, best: first.elapsed, totals: first.totals, consistent };
    while started.elapsed() < TURN {
        let pass = pass::<M, W>(work, &step)?;
        turn.best = turn.best.min(pass.elapsed);
        turn.consistent &= pass.totals == turn.totals && pass.observed == turn.totals.bytes;
    }
    Ok(turn)
}

/// One run of one method.
struct Pass {
    elapsed: Duration,
    totals: Totals,
    /// The sum of the bytes in the observer's epochs.
    observed: u64,
}

fn pass<M: Method, W: Work>(work: &W, step: &Step<'_>) -> io::Result<Pass> {
    let method = M::new();
    let (elapsed, observed) = scope(|scope| {
        let (working, done) = channel::<()>();
        // Created before the writers start, so that the first epoch misses nothing.
        let epoch = method.observer();
        let observer = spawn(scope, || observe(epoch, done, step))?;
        let started = Instant::now();
        let workers = (0..work.threads()).map(|thread| {
            let (method, work) = (&method, work);
            spawn(scope, move || work.share(thread, method.writer()))
        });
        let workers = workers.collect::<io::Result<Vec<_>>>()?;
        workers.into_iter().try_for_each(join)?;
        let elapsed = started.elapsed();
        drop(working);
        Ok::<_, io::Error>((elapsed, join(observer)))
    })?;
    Ok(Pass { elapsed, totals: method.totals(), observed })
}

/// Adds up an observer's epochs until the workers are `done`, including the last one.
fn observe(mut epoch: impl FnMut() -> u64, done: Receiver<()>, step: &Step<'_>) -> u64 {
    const TICK: Duration = Duration::from_millis(40);
    let mut observed = 0;
    loop {
        let working = done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout);
        observed += epoch();
        step.show(observed);
        if !working {
            return observed;
        }
    }
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    let refused = |error: io::Error| io::Error::new(error.kind(), format!("cannot start a thread: {error}"));
    Builder::new().spawn_scoped(scope, work).map_err(refused)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Each share is one event: a function of the number of shares so far.
    struct Shares<F>(AtomicU64, F);

    impl<F: Fn(u64) -> io::Result<Event> + Sync> Work for Shares<F> {
        fn threads(&self) -> usize {
            3
        }

        fn bytes(&self) -> u64 {
            0
        }

        fn share(&self, _thread: usize, mut each: impl FnMut(Event)) -> io::Result<()> {
            each((self.1)(self.0.fetch_add(1, Relaxed))?);
            Ok(())
        }
    }

    fn run(event: impl Fn(u64) -> io::Result<Event> + Sync) -> io::Result<Race> {
        Race::run(&Shares(AtomicU64::new(0), event), &Progress::hidden(Race::MOST_TURNS), 0)
    }

    #[test]
    fn the_same_work_agrees() {
        let race = run(|_| Ok(Event { bytes: 5, bucket: 3, digest: 7 })).unwrap();
        assert!(race.agree);
        assert_eq!((race.totals.lines, race.totals.bytes, race.totals.digest), (3, 15, 7));
        assert_eq!((race.totals.histogram[3], race.threads), (3, 3));
    }

    #[test]
    fn work_that_changes_does_not_agree() {
        let changed = |share| Event { bytes: 5, bucket: 3, digest: u64::from(share == 20) };
        assert!(!run(|share| Ok(changed(share))).unwrap().agree);
    }

    #[test]
    fn a_failing_share_ends_the_race_with_its_error() {
        let fail = |share| if share == 20 { Err(io::Error::other("torn")) } else { Ok(share) };
        let error = run(|share| fail(share).map(|digest| Event { bytes: 1, bucket: 0, digest })).err();
        assert_eq!(error.unwrap().to_string(), "torn");
    }
}
