//! When what is due.

use core::time::Duration;

/// Something that a replica does at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Make a version of what local producers wrote.
    Tick,
    /// Announce new versions and digests, and audit.
    Heartbeat,
    /// Send the version vector to all peers.
    VersionVector,
    /// Ask all peers for their version vectors.
    Hello,
    /// Stop waiting for peers after the start.
    Listening,
    /// Try again to store.
    Store,
    /// Stop waiting for a member after the start.
    Waiting,
}

const TIMERS: usize = 7;

/// The time that the caller told last, and the time at which each timer is due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    now: Duration,
    started: bool,
    due: [Option<Duration>; TIMERS],
}

impl Timers {
    /// Takes the time from the caller. A time that goes back counts as the last one.
    pub(crate) fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// The time that the caller told last.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// Starts the timers. Returns `false` if they were started before.
    pub(crate) fn start(&mut self) -> bool {
        !core::mem::replace(&mut self.started, true)
    }

    /// Whether the timers were started.
    pub(crate) fn started(&self) -> bool {
        self.started
    }

    /// Makes a timer due after this time. After a time of zero, it is off.
    pub(crate) fn arm(&mut self, timer: Timer, after: Duration) {
        self.due[timer as usize] = (!after.is_zero()).then(|| self.now.saturating_add(after));
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.due[timer as usize].is_some()
    }

    /// Whether the time of a timer is still to come.
    pub(crate) fn waits(&self, timer: Timer) -> bool {
        self.is_armed(timer) && !self.is_due(timer)
    }

    /// Whether the time of a timer has come.
    pub(crate) fn is_due(&self, timer: Timer) -> bool {
        self.due[timer as usize].is_some_and(|due| due <= self.now)
    }

    /// Whether a timer is due. It is off afterwards.
    pub(crate) fn take(&mut self, timer: Timer) -> bool {
        let due = self.is_due(timer);
        if due {
            self.disarm(timer);
        }
        due
    }

    /// The time at which the next timer is due. Before the start, this is at once.
    pub(crate) fn next(&self) -> Option<Duration> {
        if !self.started {
            return Some(Duration::ZERO);
        }
        self.due.iter().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_next_timer_is_the_earliest_that_is_armed() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), Some(Duration::ZERO));
        timers.advance(SECOND);
        assert!(timers.start() && !timers.start());
        assert_eq!(timers.next(), None);
        timers.arm(Timer::Tick, 3 * SECOND);
        timers.arm(Timer::Heartbeat, 2 * SECOND);
        timers.arm(Timer::Hello, Duration::ZERO);
        assert_eq!(timers.next(), Some(3 * SECOND));
        timers.disarm(Timer::Heartbeat);
        assert_eq!(timers.next(), Some(4 * SECOND));
    }

    #[test]
    fn a_timer_is_taken_once_and_not_before_it_is_due() {
        let mut timers = Timers::default();
        timers.advance(SECOND);
        timers.arm(Timer::Tick, SECOND);
        assert!(!timers.take(Timer::Tick) && timers.is_armed(Timer::Tick));
        timers.advance(2 * SECOND);
        assert!(timers.take(Timer::Tick) && !timers.take(Timer::Tick));
        assert!(!timers.is_armed(Timer::Tick));
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut timers = Timers::default();
        timers.start();
        timers.advance(5 * SECOND);
        timers.advance(SECOND);
        timers.arm(Timer::Tick, SECOND);
        assert_eq!(timers.next(), Some(6 * SECOND));
        timers.arm(Timer::Tick, Duration::MAX);
        assert_eq!(timers.next(), Some(Duration::MAX));
    }
}
