//! A table kept up to date by a stream of 16-byte deltas.

use alloc::collections::btree_map::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeInclusive;

use super::message::DeltaMessage;
use super::received::{Insertion, Received};
use crate::algebra::Algebra;

/// A table of states that nodes keep equal by sending one another each delta as a [`DeltaMessage`]: the form of the
/// ATOMiK tutorials, and byte for byte that of the Python package `atomik-core`.
///
/// This is op-based replication: every message has to arrive exactly once. The order does not matter, because
/// deltas commute.
///
/// - **Duplicates.** [`apply`](Self::apply) trusts the transport to deliver no message twice.
///   [`apply_from`](Self::apply_from) drops duplicates by their numbers.
/// - **Losses.** [`missing`](Self::missing) lists the numbers of messages that did not arrive. The sender can send them
///   again. Otherwise the receiver gives them up by [`skip`](Self::skip), and its states differ from then on.
/// - **Late joiners** copy the states of another node. [`begin`](Self::begin) says which message of each sender is the
///   first that the copy does not contain.
///
/// **Where messages can get lost, use the `Replica` of the crate `atomik-replica`**: it is state-based, so a later
/// message makes up for a lost one.
///
/// A stream belongs to one thread. `accum`, `put`, `load`, `read` and `apply` take constant time; `apply_from` and
/// `skip` take time logarithmic in the number of gaps of that sender.
///
/// ```
/// use atomik_core::{DeltaMessage, DeltaStream, Xor};
///
/// let (mut here, mut there) = (DeltaStream::<Xor>::new(256), DeltaStream::<Xor>::new(256));
/// here.load(0, 0xCAFE)?; // both start from the same states
/// there.load(0, 0xCAFE)?;
///
/// here.accum(0, 0x00FF)?;
/// here.put(1, 0xBEEF)?;
/// for message in here.pending() {
///     let wire: [u8; 16] = message.to_bytes();
///     let message = DeltaMessage::from_bytes(&wire).unwrap();
///     assert_eq!(there.apply_from(1, &message), Ok(true));
///     assert_eq!(there.apply_from(1, &message), Ok(false)); // a duplicate is dropped
/// }
/// assert_eq!(there.states(), here.states());
/// assert_eq!(there.read(0), Some(0xCA01));
/// # Ok::<(), atomik_core::StreamError>(())
/// ```
///
/// # Message numbers
///
/// A stream numbers its messages from 1 to 2^32 − 1. After that, [`StreamError::SeqExhausted`] asks the node to
/// continue as a new sender. A node that restarts is a new sender too, because its numbers start over. For a receiver,
/// 0 is a number like any other: it accepts senders that number from 0, as
/// [`DeltaBatch::to_wire(0)`](crate::DeltaBatch::to_wire) does.
///
/// # Joining late
///
/// The new node copies the states of a node that misses no message. For each sender it also needs the number of the
/// first message that the copy does not contain: [`next_seq`](Self::next_seq) is that number for the copied node itself,
/// and [`next_from`](Self::next_from) for the senders that it receives from.
///
/// ```
/// use atomik_core::{Add, DeltaStream};
///
/// let mut here = DeltaStream::<Add>::new(4);
/// for _ in 0..10 {
///     here.accum(0, 1)?;
/// }
/// let sent = here.pending();
///
/// let mut late = DeltaStream::<Add>::new(4);
/// for (addr, &state) in (0..).zip(here.states()) {
///     late.load(addr, state)?;
/// }
/// late.begin(1, here.next_seq().unwrap()); // 11: messages 1 to 10 are in the states
///
/// assert_eq!(late.apply_from(1, &sent[9]), Ok(false)); // a straggler, already contained
/// let message = here.accum(0, 1)?;
/// assert_eq!(late.apply_from(1, &message), Ok(true));
/// assert_eq!(late.read(0), here.read(0));
/// # Ok::<(), atomik_core::StreamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeltaStream<A: Algebra> {
    states: Vec<u64>,
    /// The number of the last message made here.
    seq: u32,
    /// The messages not taken yet; `None` if the caller sends what `accum` returns.
    pending: Option<Vec<DeltaMessage>>,
    senders: BTreeMap<u64, Received>,
    algebra: PhantomData<fn() -> A>,
}

impl<A: Algebra> DeltaStream<A> {
    /// How many gaps in the numbers of one sender a stream keeps track of. Each takes some 16 bytes.
    pub const MAX_GAPS: usize = 65_536;

    /// How many messages a stream keeps until [`pending`](Self::pending) takes them: 4 MiB.
    pub const MAX_PENDING: usize = 262_144;

    /// A stream for a table of `len` states, 8 bytes each. All start as the identity, 0.
    ///
    /// The messages that [`accum`](Self::accum) and [`put`](Self::put) make are kept for
    /// [`pending`](Self::pending), at most [`MAX_PENDING`](Self::MAX_PENDING). **If you send the messages that these
    /// calls return, use [`without_pending`](Self::without_pending)**; otherwise the calls fail once that many
    /// messages have been kept.
    ///
    /// # Panics
    ///
    /// Panics if the table is too large for the address space. Aborts if memory for it can't be had.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { pending: Some(Vec::new()), ..Self::without_pending(len) }
    }

    /// A stream that keeps no messages, for callers who send those that [`accum`](Self::accum) and
    /// [`put`](Self::put) return. [`pending`](Self::pending) is always empty.
    ///
    /// ```
    /// use atomik_core::{DeltaStream, Xor};
    ///
    /// let mut stream = DeltaStream::<Xor>::without_pending(256);
    /// let message = stream.accum(3, 0x00FF)?;
    /// send(message.to_bytes());
    /// assert!(stream.pending().is_empty());
    /// # fn send(_: [u8; 16]) {}
    /// # Ok::<(), atomik_core::StreamError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn without_pending(len: usize) -> Self {
        Self {
            states: vec![A::IDENTITY; len],
            seq: 0,
            pending: None,
            senders: BTreeMap::new(),
            algebra: PhantomData,
        }
    }

    /// Sets the state of an address without making a message. All nodes have to load the same value before the
    /// first delta for that address arrives; to change a value later, use [`put`](Self::put).
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address.
    pub fn load(&mut self, addr: u32, v: u64) -> Result<(), StreamError> {
        *self.state(addr)? = v;
        Ok(())
    }

    /// Applies a delta here and returns the message that carries it to the other nodes. The message is also kept for
    /// [`pending`](Self::pending), unless the stream was made by [`without_pending`](Self::without_pending): send
    /// one or the other, not both.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address, [`StreamError::PendingFull`] if
    /// [`MAX_PENDING`](Self::MAX_PENDING) messages have not been taken, and [`StreamError::SeqExhausted`] after
    /// 2^32 − 1 messages. After an error nothing has changed.
    pub fn accum(&mut self, addr: u32, delta: u64) -> Result<DeltaMessage, StreamError> {
        self.state(addr)?;
        if self.pending.as_ref().is_some_and(|pending| pending.len() >= Self::MAX_PENDING) {
            return Err(StreamError::PendingFull { len: Self::MAX_PENDING });
        }
        let seq = self.next_seq().ok_or(StreamError::SeqExhausted)?;
        let message = DeltaMessage { addr, delta, seq };
        self.apply(&message)?;
        self.seq = seq;
        if let Some(pending) = &mut self.pending {
            pending.push(message);
        }
        Ok(message)
    }

    /// Sets the state of an address to `v` by the delta that leads there, and returns the message as
    /// [`accum`](Self::accum) does. If the state is `v` already, the delta is the identity.
    ///
    /// The other nodes compose the delta with what they have. **Two nodes that put at the same time end up with a
    /// value that neither of them wrote**: with XOR, puts of 7 and 9 on a state of 0 give 14. A last-writer-wins
    /// register is `Replica::load` of the crate `atomik-replica`.
    ///
    /// ```
    /// use atomik_core::{DeltaStream, Xor};
    ///
    /// let mut stream = DeltaStream::<Xor>::new(256);
    /// stream.load(0, 0xCAFE_BABE)?;
    /// let message = stream.put(0, 0xDEAD_BEEF)?;
    /// assert_eq!(message.delta, 0xCAFE_BABE ^ 0xDEAD_BEEF);
    /// assert_eq!(stream.read(0), Some(0xDEAD_BEEF));
    /// # Ok::<(), atomik_core::StreamError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`accum`](Self::accum).
    pub fn put(&mut self, addr: u32, v: u64) -> Result<DeltaMessage, StreamError> {
        let state = *self.state(addr)?;
        self.accum(addr, A::delta(state, v))
    }

    /// Takes the messages made since the last call, in the order in which they were made.
    #[must_use = "the messages can't be had again"]
    pub fn pending(&mut self) -> Vec<DeltaMessage> {
        self.pending.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// The number of the next message that this stream makes, which a node that joins passes to
    /// [`begin`](Self::begin). `None` if all numbers are used up.
    #[must_use]
    pub fn next_seq(&self) -> Option<u32> {
        self.seq.checked_add(1)
    }

    /// Applies a message without looking at its number: every call composes the delta with the state.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address; then nothing has changed.
    pub fn apply(&mut self, message: &DeltaMessage) -> Result<(), StreamError> {
        let state = self.state(message.addr)?;
        *state = A::compose(*state, message.delta);
        Ok(())
    }

    /// Applies a message of `sender` and returns `true`. Returns `false` and does nothing if the message was applied
    /// before, was [given up](Self::skip), or has a number below that of the [beginning](Self::begin).
    ///
    /// The caller names the senders. Each name takes memory until the stream is dropped, so don't take names from
    /// the network unchecked. A sender that restarts needs a new name, because its numbers start over.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address, and [`StreamError::TooManyGaps`] if the message
    /// would open one gap more than [`MAX_GAPS`](Self::MAX_GAPS). After an error nothing has changed.
    pub fn apply_from(&mut self, sender: u64, message: &DeltaMessage) -> Result<bool, StreamError> {
        self.state(message.addr)?;
        let received = self.senders.entry(sender).or_insert_with(Received::new);
        match received.insert(message.seq, Self::MAX_GAPS) {
            Insertion::New => self.apply(message).map(|()| true),
            Insertion::Known => Ok(false),
            Insertion::TooManyGaps => {
                // There is a gap, so there is a number that is missing.
                let missing = received.next().unwrap_or(u32::MAX);
                Err(StreamError::TooManyGaps { sender, missing })
            }
        }
    }

    /// Declares that the states contain all messages of `sender` below `seq`, and none from `seq` on. The messages
    /// below `seq` are then dropped as duplicates, and don't count as [missing](Self::missing).
    ///
    /// This replaces everything that is known of the sender. So it also repairs a stream that has lost too much: load
    /// the states of another node, and begin each sender anew. Without this call, a sender is expected to begin at 1,
    /// and its message 0 is accepted too.
    pub fn begin(&mut self, sender: u64, seq: u32) {
        self.senders.insert(sender, Received::begin(seq));
    }

    /// Gives up the gap that contains message `seq` of `sender`. The messages of the gap no longer count as
    /// [missing](Self::missing), and are dropped if they arrive after all. If no message above `seq` has arrived, the
    /// gap ends at `seq`.
    ///
    /// Returns the numbers given up, or `None` if `seq` is not missing. **The states then differ from the sender's
    /// by the deltas of these messages.**
    ///
    /// ```
    /// use atomik_core::{Add, DeltaMessage, DeltaStream};
    ///
    /// let mut stream = DeltaStream::<Add>::new(1);
    /// let message = |seq| DeltaMessage { addr: 0, delta: 1, seq };
    /// stream.apply_from(7, &message(1))?;
    /// stream.apply_from(7, &message(5))?;
    /// assert!(stream.missing(7).eq([2..=4]));
    ///
    /// assert_eq!(stream.skip(7, 2), Some(2..=4));
    /// assert!(stream.missing(7).eq([]));
    /// assert_eq!(stream.apply_from(7, &message(3)), Ok(false)); // too late
    /// # Ok::<(), atomik_core::StreamError>(())
    /// ```
    pub fn skip(&mut self, sender: u64, seq: u32) -> Option<RangeInclusive<u32>> {
        self.senders.entry(sender).or_insert_with(Received::new).skip(seq)
    }

    /// The numbers of the messages of `sender` that are missing although a later one has arrived, as ascending ranges.
    /// The loss of the last messages only shows when another one arrives.
    pub fn missing(&self, sender: u64) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.senders.get(&sender).into_iter().flat_map(Received::gaps)
    }

    /// The lowest number of `sender` whose message has not arrived: all below it are in the states, or were given up. A
    /// node that copies these states passes it to [`begin`](Self::begin), provided that nothing is
    /// [missing](Self::missing). `None` if all numbers have arrived.
    #[must_use]
    pub fn next_from(&self, sender: u64) -> Option<u32> {
        self.senders.get(&sender).map_or(Some(1), Received::next)
    }

    /// The state of an address; `None` if the table has no such address.
    #[must_use]
    pub fn read(&self, addr: u32) -> Option<u64> {
        self.states.get(addr as usize).copied()
    }

    /// The states of all addresses, in their order.
    #[must_use]
    pub fn states(&self) -> &[u64] {
        &self.states
    }

    fn state(&mut self, addr: u32) -> Result<&mut u64, StreamError> {
        let len = self.states.len();
        self.states.get_mut(addr as usize).ok_or(StreamError::Address { addr, len })
    }
}

/// Why a [`DeltaStream`] refused a call or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The table has no such address.
    Address {
        /// The address.
        addr: u32,
        /// The length of the table.
        len: usize,
    },
    /// All 2^32 − 1 message numbers are used up. The node has to continue as a new sender, as after a restart.
    SeqExhausted,
    /// Too many messages wait for [`DeltaStream::pending`] to take them.
    PendingFull {
        /// How many messages are waiting.
        len: usize,
    },
    /// The message would open one gap too many in the numbers of its sender. It was not applied.
    TooManyGaps {
        /// The sender of the message.
        sender: u64,
        /// The lowest number that is missing.
        missing: u32,
    },
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { addr, len } => write!(f, "address {addr} is not in a table of {len}"),
            Self::SeqExhausted => {
                f.write_str("all 2^32 - 1 message numbers are used up: continue as a new sender")
            }
            Self::PendingFull { len } => write!(
                f,
                "{len} messages are pending: take them with `pending`, or create the stream by `without_pending`"
            ),
            Self::TooManyGaps { sender, missing } => {
                write!(f, "too many gaps in the messages of sender {sender}, the first at number {missing}")
            }
        }
    }
}

impl Error for StreamError {}

#[cfg(test)]
mod tests;
