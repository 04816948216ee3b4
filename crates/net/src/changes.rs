//! What changed, for those who want to hear of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use atomik_core::{Algebra, DeltaBatch};
use tokio::sync::Notify;

/// What changed in the states of a node because of others, or of LOADs: see [`Node::changes`](crate::Node::changes).
#[derive(Debug)]
pub struct Changes<A: Algebra> {
    mailbox: Arc<Mailbox<A>>,
}

/// What changed since a reader last looked. Changes of one address compose, so a slow reader gets fewer and not more:
/// at most one for each address.
#[derive(Debug)]
pub(crate) struct Mailbox<A> {
    pending: Mutex<Pending>,
    arrived: Notify,
    algebra: std::marker::PhantomData<fn() -> A>,
}

#[derive(Debug, Default)]
struct Pending {
    deltas: BTreeMap<u32, u64>,
    has_ended: bool,
}

impl<A: Algebra> Changes<A> {
    pub(crate) fn new() -> (Self, Arc<Mailbox<A>>) {
        let (pending, arrived) = (Mutex::default(), Notify::new());
        let mailbox = Arc::new(Mailbox { pending, arrived, algebra: std::marker::PhantomData });
        (Self { mailbox: Arc::clone(&mailbox) }, mailbox)
    }

    /// The next changes: of each address that changed the composition of its deltas. `None` when the node has ended.
    ///
    /// Waits while nothing has changed. It can be dropped at any time without losing a change.
    pub async fn next(&mut self) -> Option<DeltaBatch<A>> {
        loop {
            let arrived = self.mailbox.arrived.notified();
            {
                let mut pending = self.mailbox.lock();
                if !pending.deltas.is_empty() {
                    let batch: DeltaBatch<A> = std::mem::take(&mut pending.deltas).into_iter().collect();
                    // What changed back is no change.
                    if !batch.is_empty() {
                        return Some(batch);
                    }
                }
                if pending.has_ended {
                    return None;
                }
            }
            arrived.await;
        }
    }
}

impl<A: Algebra> Mailbox<A> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds changes.
    pub(crate) fn add(&self, changes: &DeltaBatch<A>) {
        {
            let mut pending = self.lock();
            for (&addr, &delta) in changes.addresses().iter().zip(changes.deltas()) {
                let total = pending.deltas.entry(addr).or_insert(A::IDENTITY);
                *total = A::compose(*total, delta);
            }
        }
        self.arrived.notify_one();
    }

    /// Says that there will be no more.
    pub(crate) fn end(&self) {
        self.lock().has_ended = true;
        self.arrived.notify_one();
    }
}
