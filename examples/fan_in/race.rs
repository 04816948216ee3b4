//! The same work through each method, timed, with an observer watching.

use std::io;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::events::Event;
use crate::methods::{FanInTotals, Method, SharedAtomics, Totals};

/// What the threads of a pass do.
pub(crate) trait Work: Sync {
    fn threads(&self) -> usize;

    /// The bytes of all its events, so that progress can be shown.
    fn bytes(&self) -> u64;

    /// Hands `each` the events of one thread's share.
    fn share(&self, thread: usize, each: impl FnMut(Event)) -> io::Result<()>;
}

/// How long a method has the floor in a round: for one pass, or more if they are short.
const TURN: Duration = Duration::from_millis(50);
/// One more than would do, since the first pass may have waited for the disk.
const LEAST_ROUNDS: usize = 2;
/// The most rounds, played while those before took less than `PATIENCE`.
const MOST_ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_millis(1500);

/// One method's row in a table.
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    /// The time of its fastest pass.
    pub(crate) best: Duration,
}

/// The outcome of the same work through each method.
pub(crate) struct Race {
    /// The fan-in first.
    pub(crate) entrants: Vec<Entrant>,
    pub(crate) threads: usize,
    pub(crate) rounds: usize,
    /// What the first pass came to.
    pub(crate) totals: Totals,
    /// Whether all the others came to the same, and each observer saw every byte exactly once.
    pub(crate) agree: bool,
}

impl Race {
    pub(crate) fn run<W: Work>(work: &W, bar: &ProgressBar) -> io::Result<Self> {
        let started = Instant::now();
        bar.set_length(work.bytes());
        // The methods take turns, so that whatever else the machine does meets them all.
        let mut rounds = Vec::new();
        while rounds.len() < LEAST_ROUNDS || (rounds.len() < MOST_ROUNDS && started.elapsed() < PATIENCE) {
            rounds.push([
                turn::<FanInTotals, W>(work, bar)?,
                turn::<Mutex<Totals>, W>(work, bar)?,
                turn::<parking_lot::Mutex<Totals>, W>(work, bar)?,
                turn::<SharedAtomics, W>(work, bar)?,
            ]);
        }
        let totals = rounds[0][0].totals.clone();
        let agree = rounds.iter().flatten().all(|turn| turn.consistent && turn.totals == totals);
        let entrants = (0..rounds[0].len()).map(|method| {
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

/// One method's passes in a round.
struct Turn {
    name: &'static str,
    best: Duration,
    totals: Totals,
    /// Whether all passes came to these totals, and their observers' epochs to these bytes.
    consistent: bool,
}

fn turn<M: Method, W: Work>(work: &W, bar: &ProgressBar) -> io::Result<Turn> {
    bar.set_message(M::NAME);
    let started = Instant::now();
    let first = pass::<M, W>(work, bar)?;
    let consistent = first.observed == first.totals.bytes;
    let mut turn = Turn { name: M::NAME, best: first.elapsed, totals: first.totals, consistent };
    while started.elapsed() < TURN {
        let pass = pass::<M, W>(work, bar)?;
        turn.best = turn.best.min(pass.elapsed);
        turn.consistent &= pass.totals == turn.totals && pass.observed == turn.totals.bytes;
    }
    Ok(turn)
}

/// One method, once.
struct Pass {
    elapsed: Duration,
    totals: Totals,
    /// The bytes of all the observer's epochs together.
    observed: u64,
}

fn pass<M: Method, W: Work>(work: &W, bar: &ProgressBar) -> io::Result<Pass> {
    let method = M::new();
    let (elapsed, observed) = scope(|scope| {
        let (working, done) = channel::<()>();
        // Opened before the writers start, so that no byte comes before the first epoch.
        let epoch = method.observer();
        let observer = spawn(scope, || observe(epoch, done, bar))?;
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

/// Adds up an observer's epochs, the last of them when the workers are `done`.
fn observe(mut epoch: impl FnMut() -> u64, done: Receiver<()>, bar: &ProgressBar) -> u64 {
    const TICK: Duration = Duration::from_millis(40);
    let mut observed = 0;
    loop {
        let at_work = done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout);
        observed += epoch();
        bar.set_position(observed);
        if !at_work {
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

/// On standard error, and only where that is a terminal.
pub(crate) fn progress_bar() -> ProgressBar {
    const TEMPLATE: &str = "{msg:>12} [{bar:40}] {percent:>3}% {elapsed:>4}";
    let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
    ProgressBar::new(0).with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Hands over what a function of the number of shares so far says.
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
        Race::run(&Shares(AtomicU64::new(0), event), &ProgressBar::hidden())
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
