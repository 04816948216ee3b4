//! What a replica does as time passes.

use core::time::Duration;

use atomik_core::Algebra;

use super::Replica;
use crate::peer::Recipient;
use crate::timers::Timer;

/// Timers. A replica has no clock: the program tells the time, and the replica says when it wants to be called.
///
/// A time is a [`Duration`] since a moment that the program chooses, such as its start. The replica only compares and
/// adds times, so any monotonic clock will do. A time that goes back counts as the last one.
impl<A: Algebra> Replica<A> {
    /// The time at which [`handle_timeout`](Self::handle_timeout) wants to be called. `None` if all timers are off.
    ///
    /// Each call on the replica may change it, so ask after each. Until the first call of `handle_timeout`, which
    /// starts the timers, it is zero: call at once.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let overdue = self.outbox.next_timeout();
        self.timers.next().into_iter().chain(overdue).min()
    }

    /// Does what is due at the time `now`, by the intervals in [`Timing`](crate::Timing): hellos until a peer was heard
    /// out, then ticks; heartbeats with digests and audits; version vectors to all peers.
    ///
    /// It may be called at any time. If it is called late, what was due several times is done once. The first heartbeat
    /// and version vector come within one interval, at a time that depends on the id, so that nodes which start
    /// together do not send together. Costs what the calls cost that it makes: see [`tick`](Self::tick),
    /// [`heartbeat`](Self::heartbeat) and [`audit`](Self::audit).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use atomik_core::{Add, TableFanIn};
    /// use atomik_replica::{ClusterConfig, Replica, ReplicaId, Timing};
    ///
    /// // This node has no peers, so it need not listen.
    /// let timing = Timing::new().with_tick(Duration::from_millis(10)).with_listening(Duration::ZERO);
    /// let cluster = ClusterConfig::new("page views", 1_000).with_timing(timing);
    /// let local = Arc::new(TableFanIn::<Add>::new(1_000));
    /// let mut replica = Replica::new(&cluster, Arc::clone(&local), ReplicaId::draw(1))?;
    ///
    /// let now = Duration::from_secs(100);
    /// replica.handle_timeout(now);
    /// local.producer().accum(7, 42);
    /// assert_eq!(replica.poll_timeout(), Some(now + Duration::from_millis(10)));
    /// replica.handle_timeout(now + Duration::from_millis(10));
    /// assert_eq!(replica.merged()[7], 42);
    /// # Ok::<(), atomik_replica::ReplicaError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Duration) {
        self.timers.advance(now);
        self.outbox.expire(self.timers.now());
        if self.timers.start() {
            self.start_timers();
        }
        let timing = self.timing;
        if self.timers.is_due(Timer::Listening) {
            self.stop_listening();
        }
        if self.timers.take(Timer::Waiting) {
            self.end_wait();
        }
        if self.timers.take(Timer::Hello) {
            self.hello(Recipient::All);
            self.timers.arm(Timer::Hello, timing.heartbeat);
        }
        if self.timers.take(Timer::Tick) {
            self.tick();
            self.timers.arm(Timer::Tick, timing.tick);
        }
        if self.timers.take(Timer::Heartbeat) {
            self.heartbeat(timing.digests);
            self.audit_next(timing.audits);
            self.fold_ended_starts();
            self.timers.arm(Timer::Heartbeat, timing.heartbeat);
        }
        // Then there is something to poll.
        self.timers.take(Timer::Store);
        if self.timers.take(Timer::VersionVector) {
            self.send_version_vector(Recipient::All);
            self.timers.arm(Timer::VersionVector, timing.version_vector);
        }
    }

    /// Whether the replica still listens: since its start it has not heard a peer out, and the time for that, which
    /// [`Timing::with_listening`](crate::Timing::with_listening) sets, is not over.
    ///
    /// While it listens, its timer makes no ticks, so that deltas are not made in ignorance of a LOAD and void.
    /// Producers and readers do not notice. [`put`](Self::put) and [`load`](Self::load) work, but should wait.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.timers.is_armed(Timer::Listening) || !(self.timers.started() || self.timing.listening.is_zero())
    }

    /// Stops listening. Call it if there is no peer to hear out.
    pub fn stop_listening(&mut self) {
        // If the timers have not started yet, they will start without it.
        self.timing.listening = Duration::ZERO;
        if self.timers.is_armed(Timer::Listening) {
            self.timers.disarm(Timer::Listening);
            self.timers.disarm(Timer::Hello);
            self.timers.arm(Timer::Tick, self.timing.tick);
        }
    }

    /// Arms the timers for the first time.
    fn start_timers(&mut self) {
        let timing = self.timing;
        if timing.listening.is_zero() {
            self.timers.arm(Timer::Tick, timing.tick);
        } else {
            self.timers.arm(Timer::Listening, timing.listening);
            self.timers.arm(Timer::Hello, timing.heartbeat);
            self.hello(Recipient::All);
        }
        if self.is_waiting() {
            self.timers.arm(Timer::Waiting, timing.waiting);
        }
        self.timers.arm(Timer::Heartbeat, self.phase(timing.heartbeat));
        self.timers.arm(Timer::VersionVector, self.phase(timing.version_vector));
    }

    /// A part of an interval, between none and all of it, which depends on the id.
    fn phase(&self, interval: Duration) -> Duration {
        let mixed = (self.id.node ^ self.id.incarnation).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let part = interval / 65_536 * ((mixed >> 48) as u32 + 1);
        part.max(interval.min(Duration::from_nanos(1)))
    }

    /// Audits the next shards in turn.
    fn audit_next(&mut self, audits: usize) {
        let shards = self.shards();
        for _ in 0..audits.min(shards) {
            self.last_audit = (self.last_audit + 1) % shards;
            self.audit(self.last_audit);
        }
    }
}

#[cfg(test)]
mod tests;
