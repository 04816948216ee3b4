use std::time::Duration;

use atomik_core::{Algebra, DeltaBatch};
use atomik_replica::{Event, PacketError, Peer, Recipient, Replica, Transaction};

/// What a node needs from the program around it. No call may block.
pub trait Environment<A: Algebra> {
    /// Sends a packet, which may get lost.
    fn send(&mut self, to: Recipient, packet: Vec<u8>);
    /// Begins to write a transaction. Its end is an input.
    fn write(&mut self, transaction: Transaction);
    /// Takes what changed elsewhere.
    fn changed(&mut self, changes: DeltaBatch<A>);
    /// Logs a packet that was refused.
    fn refused(&mut self, from: Peer, error: PacketError);
    /// Logs what the replica reports, or acts on it.
    fn report(&mut self, event: Event);
}

/// What happens to a node.
pub enum Input<'a> {
    /// A packet arrived.
    Packet(Peer, &'a [u8]),
    /// A peer can be reached, for the first time or again.
    Connected(Peer),
    /// A peer is gone.
    Disconnected(Peer),
    /// All shards of the transaction with this number are on the disk.
    Stored(u64),
    /// They are not.
    StoreFailed(u64),
    /// The program ends.
    ShutDown,
}

/// A replica and the program around it.
pub struct Node<A: Algebra, E> {
    pub replica: Replica<A>,
    pub environment: E,
    /// When the node ends, if it was told to.
    end: Option<Duration>,
}

/// How many transactions are written at a time: one, while the next one waits.
const WRITES: usize = 2;

/// How long a node that ends answers peers, which may lack what it announced last.
const FAREWELL: Duration = Duration::from_secs(2);

impl<A: Algebra, E: Environment<A>> Node<A, E> {
    pub fn new(mut replica: Replica<A>, environment: E) -> Self {
        replica.observe_changes();
        Self { replica, environment, end: None }
    }

    /// Takes what happened. A turn follows, at once or after more inputs.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        let Self { replica, environment, end } = self;
        match input {
            Input::Packet(from, packet) => {
                if let Err(error) = replica.receive(now, from, packet) {
                    environment.refused(from, error);
                }
            }
            // The peer asks in the same way, so each gets what it lacks.
            Input::Connected(peer) => replica.hello(Recipient::Peer(peer)),
            Input::Disconnected(peer) => replica.remove_peer(peer),
            Input::Stored(number) => drop(replica.stored(number)),
            Input::StoreFailed(number) => drop(replica.store_failed(now, number)),
            Input::ShutDown => {
                replica.tick();
                replica.send_version_vector(Recipient::All);
                *end = Some(now.saturating_add(FAREWELL));
            }
        }
    }

    /// Does what is due, and hands out what waits. Returns when the next turn is due, if no input comes before.
    pub fn turn(&mut self, now: Duration) -> Duration {
        let Self { replica, environment, end } = self;
        replica.handle_timeout(now);
        while replica.storing() < WRITES
            && let Some(transaction) = replica.poll_store()
        {
            environment.write(transaction);
        }
        while let Some((to, packet)) = replica.poll_transmit() {
            environment.send(to, packet);
        }
        while let Some(changes) = replica.poll_changes() {
            environment.changed(changes);
        }
        while let Some(event) = replica.poll_event() {
            environment.report(event);
        }
        let due = [replica.poll_timeout(), end.filter(|&end| end > now)];
        due.into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    /// Whether the node has ended: the store has everything, and peers had time to ask for it.
    pub fn has_ended(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| now >= end) && self.replica.is_stored()
    }
}
