//! What waits for a connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What waits for a connection.
#[derive(Debug)]
pub(crate) struct Outgoing<T = Bytes> {
    queue: Mutex<Queue<T>>,
    changed: Notify,
    max_bytes: usize,
}

#[derive(Debug)]
struct Queue<T> {
    packets: VecDeque<T>,
    bytes: usize,
    /// Whether something was dropped since the queue was last empty.
    has_missed: bool,
    is_closed: bool,
}

impl<T> Outgoing<T> {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let queue = Queue { packets: VecDeque::new(), bytes: 0, has_missed: false, is_closed: false };
        Self { queue: Mutex::new(queue), changed: Notify::new(), max_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a packet of this length. Returns `false` if there was no room: the peer is slow, and lacks something from
    /// now on.
    pub(crate) fn push(&self, packet: T, len: usize) -> bool {
        {
            let mut queue = self.lock();
            // One packet always has room.
            if !queue.packets.is_empty() && queue.bytes + len > self.max_bytes {
                queue.has_missed = true;
                return false;
            }
            queue.bytes += len;
            queue.packets.push_back(packet);
        }
        self.changed.notify_one();
        true
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// The next packets, or `None` if the connection is to end. Empty if nothing came for a while.
    pub(crate) async fn pop(&self, idle: Duration) -> Option<Vec<T>> {
        let end = Instant::now() + idle;
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.lock();
                if queue.is_closed {
                    return None;
                }
                if !queue.packets.is_empty() {
                    return Some(std::mem::take(&mut queue.packets).into());
                }
            }
            if tokio::time::timeout_at(end, changed).await.is_err() {
                return Some(Vec::new());
            }
        }
    }

    /// Notes that these bytes were sent. Returns whether the peer has caught up, and lacks what was dropped before.
    pub(crate) fn sent(&self, bytes: usize) -> bool {
        let mut queue = self.lock();
        queue.bytes -= bytes;
        queue.packets.is_empty() && std::mem::take(&mut queue.has_missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_a_slow_peer_is_told_when_it_has_caught_up() {
        let outgoing = Outgoing::new(100);
        // One packet always has room, however long it is.
        assert!(outgoing.push((), 150));
        assert!(!outgoing.push((), 1));
        let popped = outgoing.pop(Duration::ZERO).await.unwrap();
        assert_eq!(popped.len(), 1);
        // What is being written still counts.
        assert!(outgoing.push((), 1));
        assert!(!outgoing.push((), 1));
        assert!(!outgoing.sent(150), "one more waits");
        assert_eq!(outgoing.pop(Duration::ZERO).await.unwrap().len(), 1);
        assert!(outgoing.sent(1), "now it has everything that waited");
        assert!(outgoing.push((), 1));
        assert_eq!(outgoing.pop(Duration::ZERO).await.unwrap().len(), 1);
        assert!(!outgoing.sent(1), "nothing was dropped since");
        assert!(outgoing.pop(Duration::ZERO).await.unwrap().is_empty(), "it is time for a sign of life");
        outgoing.close();
        assert!(outgoing.pop(Duration::ZERO).await.is_none());
    }
}
