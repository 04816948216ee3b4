//! The tutorials' stream of 16-byte deltas.

use alloc::collections::BTreeSet;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use super::message::DeltaMessage;
use crate::algebra::Algebra;

/// Deltas as 16-byte messages, the form of the ATOMiK tutorials and byte for byte that of the Python package
/// `atomik-core`.
///
/// For a transport that loses nothing. Deltas come in any order; but XOR can't see a duplicate and nothing sees
/// a loss: [`apply`](Self::apply) believes the transport, [`apply_from`](Self::apply_from) drops duplicates and
/// shows gaps, and neither can fill one. **Where messages can get lost, use [`Replica`](crate::Replica).**
///
/// Both sides begin with the same states: the identity, or what both [`load`](Self::load).
///
/// ```
/// use atomik_core::{DeltaMessage, DeltaStream, Xor};
///
/// let (mut here, mut there) = (DeltaStream::<Xor>::new(256), DeltaStream::<Xor>::new(256));
/// here.load(0, 0xCAFE)?;
/// there.load(0, 0xCAFE)?;
///
/// here.accum(0, 0x00FF)?;
/// for message in here.pending() {
///     let wire: [u8; 16] = message.to_bytes();
///     let message = DeltaMessage::from_bytes(&wire).unwrap();
///     there.apply_from(1, &message)?;
///     there.apply_from(1, &message)?; // a duplicate: dropped
/// }
/// assert_eq!(there.read(0), Some(0xCA01));
/// # Ok::<(), atomik_core::StreamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeltaStream<A: Algebra> {
    states: Vec<u64>,
    /// The number of the last message made here.
    seq: u32,
    pending: Vec<DeltaMessage>,
    senders: BTreeMap<u64, Sender>,
    algebra: core::marker::PhantomData<fn() -> A>,
}

/// What came from a sender.
#[derive(Clone, Debug, Default)]
struct Sender {
    /// All numbers up to this one came.
    watermark: u32,
    /// Those above it that came.
    above: BTreeSet<u32>,
}

impl<A: Algebra> DeltaStream<A> {
    /// How many messages of one sender may be waiting above a gap.
    pub const MAX_ABOVE_GAP: usize = 65_536;

    /// A stream for a table of `len` states, all the identity. Takes 8 bytes each.
    ///
    /// # Panics
    ///
    /// If memory can't hold the table.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            states: vec![A::IDENTITY; len],
            seq: 0,
            pending: Vec::new(),
            senders: BTreeMap::new(),
            algebra: core::marker::PhantomData,
        }
    }

    /// Sets the state of an address. It makes no message: every side must load the same value before deltas
    /// come.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address.
    pub fn load(&mut self, addr: u32, v: u64) -> Result<(), StreamError> {
        *self.state(addr)? = v;
        Ok(())
    }

    /// Applies a delta here and makes the message that carries it, which also goes to
    /// [`pending`](Self::pending). Messages are numbered from 1.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address, and [`StreamError::SeqExhausted`] after
    /// 2^32 − 1 messages; then nothing was done.
    pub fn accum(&mut self, addr: u32, delta: u64) -> Result<DeltaMessage, StreamError> {
        let seq = self.seq.checked_add(1).ok_or(StreamError::SeqExhausted)?;
        let state = self.state(addr)?;
        *state = A::compose(*state, delta);
        self.seq = seq;
        let message = DeltaMessage { addr, delta, seq };
        self.pending.push(message);
        Ok(message)
    }

    /// Takes the messages made since the last call, in their order.
    #[must_use = "the messages are not made again"]
    pub fn pending(&mut self) -> Vec<DeltaMessage> {
        core::mem::take(&mut self.pending)
    }

    /// Applies a message, whoever it is from and however often it comes.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address; then nothing was done.
    pub fn apply(&mut self, message: &DeltaMessage) -> Result<(), StreamError> {
        let state = self.state(message.addr)?;
        *state = A::compose(*state, message.delta);
        Ok(())
    }

    /// Applies a message of a sender once: returns `false`, and does nothing, if it came before. A sender that
    /// starts anew must take another name, because its numbers start anew too.
    ///
    /// Keeps a number, and those that came above a gap, for each sender: at most
    /// [`MAX_ABOVE_GAP`](Self::MAX_ABOVE_GAP). Names of senders are the caller's: they take memory and must not
    /// be taken from the wire unchecked.
    ///
    /// # Errors
    ///
    /// [`StreamError::Address`] if the table has no such address, [`StreamError::SeqZero`] for number 0, which
    /// no message has, and [`StreamError::GapTooLong`] if too many wait above a gap; then nothing was done.
    pub fn apply_from(&mut self, sender: u64, message: &DeltaMessage) -> Result<bool, StreamError> {
        let DeltaMessage { addr, seq, .. } = *message;
        if seq == 0 {
            return Err(StreamError::SeqZero { sender });
        }
        self.state(addr)?;
        let known = match self.senders.entry(sender) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(Sender::default()),
        };
        if seq <= known.watermark || known.above.contains(&seq) {
            return Ok(false);
        }
        if seq == known.watermark + 1 {
            known.watermark = seq;
            while known.above.first().is_some_and(|&next| next - 1 == known.watermark) {
                known.above.pop_first();
                known.watermark += 1;
            }
        } else if known.above.len() < Self::MAX_ABOVE_GAP {
            known.above.insert(seq);
        } else {
            return Err(StreamError::GapTooLong { sender, missing: known.watermark + 1 });
        }
        self.apply(message)?;
        Ok(true)
    }

    /// The numbers that a sender's later messages show to be missing, ascending, as ranges. Empty if none
    /// are, as far as is known: a loss at the end shows when the next message comes.
    pub fn missing(&self, sender: u64) -> impl Iterator<Item = core::ops::RangeInclusive<u32>> + '_ {
        let known = self.senders.get(&sender);
        let mut next = known.map_or(0, |known| u64::from(known.watermark) + 1);
        known.into_iter().flat_map(|known| &known.above).filter_map(move |&seq| {
            let gap = next < u64::from(seq);
            let missing = next as u32..=seq - 1;
            next = u64::from(seq) + 1;
            gap.then_some(missing)
        })
    }

    /// The state of an address; `None` if the table has no such address.
    #[must_use]
    pub fn read(&self, addr: u32) -> Option<u64> {
        self.states.get(addr as usize).copied()
    }

    /// The states, by address.
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
    /// All 2^32 − 1 numbers were given: go on under the name of a new sender, as after a restart.
    SeqExhausted,
    /// The message has number 0, but they count from 1.
    SeqZero {
        /// Who sent it.
        sender: u64,
    },
    /// Too many messages wait above a gap: this one was lost.
    GapTooLong {
        /// Who sent it.
        sender: u64,
        /// The first number that is missing.
        missing: u32,
    },
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { addr, len } => write!(f, "no address {addr} in a table of {len}"),
            Self::SeqExhausted => {
                f.write_str("all 2^32 - 1 message numbers were given: go on as a new sender")
            }
            Self::SeqZero { sender } => {
                write!(f, "a message of sender {sender} has number 0, but they count from 1")
            }
            Self::GapTooLong { sender, missing } => {
                write!(f, "message {missing} of sender {sender} is missing, and too many came after it")
            }
        }
    }
}

impl Error for StreamError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::Add;
    use crate::algebra::Xor;
    use proptest::prelude::*;

    /// What the Python package 0.4.0 sends for the same calls; `ci/interop.sh` runs both.
    #[test]
    fn the_bytes_are_those_of_the_python_package() {
        let mut stream = DeltaStream::<Xor>::new(256);
        stream.load(0, 0xCAFE_BABE).unwrap();
        stream.accum(0, 0x1464_0451).unwrap();
        stream.accum(255, u64::MAX).unwrap();
        let bytes: Vec<u8> = stream.pending().iter().flat_map(|message| message.to_bytes()).collect();
        assert_eq!(
            bytes,
            [
                0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0x64, 0x04, 0x51, 0, 0, 0,
                1, // "!IQI" of 0, 0x14640451, 1
                0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2,
            ]
        );
        assert_eq!(stream.read(0), Some(0xCAFE_BABE ^ 0x1464_0451));
        assert!(stream.pending().is_empty());
    }

    #[test]
    fn an_address_past_the_table_is_refused_and_nothing_changes() {
        let refused = StreamError::Address { addr: 2, len: 2 };
        let mut stream = DeltaStream::<Add>::new(2);
        assert_eq!(stream.load(2, 1), Err(refused));
        assert_eq!(stream.accum(2, 1), Err(refused));
        assert_eq!(stream.apply(&DeltaMessage { addr: 2, delta: 1, seq: 1 }), Err(refused));
        assert_eq!(stream.apply_from(0, &DeltaMessage { addr: 2, delta: 1, seq: 1 }), Err(refused));
        assert_eq!(stream.apply_from(0, &DeltaMessage { addr: 1, delta: 1, seq: 1 }), Ok(true));
        assert_eq!(stream.read(2), None);
        assert_eq!(stream.accum(0, 1).unwrap().seq, 1);
    }

    #[test]
    fn numbers_end_with_a_named_error() {
        let mut stream = DeltaStream::<Xor>::new(1);
        stream.seq = u32::MAX - 1;
        assert_eq!(stream.accum(0, 1).unwrap().seq, u32::MAX);
        assert_eq!(stream.accum(0, 1), Err(StreamError::SeqExhausted));
        assert_eq!(stream.read(0), Some(1));
    }

    #[test]
    fn the_last_number_and_zero_are_handled() {
        let mut stream = DeltaStream::<Add>::new(1);
        let message = |seq| DeltaMessage { addr: 0, delta: 1, seq };
        assert_eq!(stream.apply_from(1, &message(0)), Err(StreamError::SeqZero { sender: 1 }));
        assert_eq!(stream.apply_from(1, &message(u32::MAX)), Ok(true));
        assert!(stream.missing(1).eq([1..=u32::MAX - 1]));
        let known = stream.senders.get_mut(&1).unwrap();
        known.watermark = u32::MAX - 2;
        assert_eq!(stream.apply_from(1, &message(u32::MAX - 1)), Ok(true));
        assert!(stream.missing(1).eq([]));
        assert_eq!(stream.apply_from(1, &message(u32::MAX)), Ok(false));
        assert_eq!(stream.read(0), Some(2));
    }

    #[test]
    fn a_full_set_refuses_until_the_gap_is_filled() {
        let mut stream = DeltaStream::<Add>::new(1);
        let message = |seq| DeltaMessage { addr: 0, delta: 1, seq };
        let most = DeltaStream::<Add>::MAX_ABOVE_GAP as u32;
        for seq in 2..2 + most {
            assert_eq!(stream.apply_from(1, &message(seq)), Ok(true));
        }
        let refused = Err(StreamError::GapTooLong { sender: 1, missing: 1 });
        assert_eq!(stream.apply_from(1, &message(2 + most)), refused);
        assert_eq!(stream.read(0), Some(u64::from(most)));
        assert_eq!(stream.apply_from(1, &message(1)), Ok(true));
        assert_eq!(stream.apply_from(1, &message(2 + most)), Ok(true));
        assert_eq!(stream.read(0), Some(u64::from(most) + 2));
    }

    proptest! {
        /// Each number counts once, whatever the order and however often; the rest of the range is missing.
        #[test]
        fn once_each_and_gaps_show(seqs in prop::collection::vec(1..40u32, 0..80)) {
            let mut stream = DeltaStream::<Add>::new(1);
            let mut came = BTreeSet::new();
            for seq in seqs {
                let message = DeltaMessage { addr: 0, delta: 1 << seq, seq };
                prop_assert_eq!(stream.apply_from(9, &message), Ok(came.insert(seq)));
            }
            prop_assert_eq!(stream.read(0), Some(came.iter().map(|seq| 1u64 << seq).sum()));
            let last = came.last().copied().unwrap_or(0);
            let missing: Vec<u32> = stream.missing(9).flatten().collect();
            prop_assert_eq!(missing, (1..=last).filter(|seq| !came.contains(seq)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_error_names_what_was_wrong() {
        use alloc::string::ToString;
        let told = [
            (StreamError::Address { addr: 2, len: 2 }, "no address 2 in a table of 2"),
            (StreamError::SeqExhausted, "all 2^32 - 1 message numbers were given: go on as a new sender"),
            (StreamError::SeqZero { sender: 3 }, "a message of sender 3 has number 0, but they count from 1"),
            (
                StreamError::GapTooLong { sender: 3, missing: 4 },
                "message 4 of sender 3 is missing, and too many came after it",
            ),
        ];
        for (error, text) in told {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn each_gap_is_one_range_and_none_is_empty() {
        let mut stream = DeltaStream::<Add>::new(1);
        for seq in [3, 4, 6] {
            stream.apply_from(1, &DeltaMessage { addr: 0, delta: 1, seq }).unwrap();
        }
        assert!(stream.missing(1).eq([1..=2, 5..=5]));
    }

    #[test]
    fn the_states_are_by_address() {
        let mut stream = DeltaStream::<Add>::new(3);
        stream.load(1, 40).unwrap();
        stream.accum(1, 2).unwrap();
        stream.accum(2, 7).unwrap();
        assert_eq!(stream.states(), [0, 42, 7]);
    }
}
