//! `apply` and `apply_wire`, which compose sparse deltas into the words at their addresses.

use core::error::Error;
use core::fmt;

use super::vector::prefetch;
use crate::algebra::Algebra;
use crate::delta::{AddressOutOfRange, DeltaBatch, DeltaMessage};

/// Why messages were not applied. The words are unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyWireError {
    /// The bytes are not a whole number of 16-byte messages.
    Length {
        /// The number of bytes.
        len: usize,
    },
    /// A message names an address past the end of the table.
    Address {
        /// The offset in the bytes at which the message starts. It is the first such message.
        offset: usize,
        /// The address in the message.
        addr: u32,
        /// The number of words in the table.
        len: usize,
    },
}

impl fmt::Display for ApplyWireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } => {
                write!(f, "{len} bytes are not a whole number of 16-byte delta messages")
            }
            Self::Address { offset, addr, len } => {
                write!(f, "the message at byte {offset} is for address {addr}, past the end of {len} words")
            }
        }
    }
}

impl Error for ApplyWireError {}

/// See [`kernel::apply`](super::apply).
pub(super) fn apply<A: Algebra>(words: &mut [u64], batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
    // Addresses ascend, so checking the last one checks all.
    batch.check_fits(words.len())?;
    for (&addr, &delta) in batch.addresses().iter().zip(batch.deltas()) {
        if let Some(word) = words.get_mut(addr as usize) {
            *word = A::compose(*word, delta);
        }
    }
    Ok(())
}

/// See [`kernel::apply_wire`](super::apply_wire).
pub(super) fn apply_wire<A: Algebra>(words: &mut [u64], bytes: &[u8]) -> Result<(), ApplyWireError> {
    let (messages, remainder) = bytes.as_chunks::<{ DeltaMessage::WIRE_LEN }>();
    if !remainder.is_empty() {
        return Err(ApplyWireError::Length { len: bytes.len() });
    }
    let lookahead = if words.len() > UNPREFETCHED_TABLE { LOOKAHEAD } else { 0 };
    for (at, message) in messages.iter().enumerate() {
        if lookahead > 0
            && let Some(later) = messages.get(at + lookahead)
        {
            let addr = DeltaMessage::decode(*later).addr as usize;
            prefetch(words, addr);
        }
        let DeltaMessage { addr, delta, .. } = DeltaMessage::decode(*message);
        match words.get_mut(addr as usize) {
            Some(word) => *word = A::compose(*word, delta),
            None => {
                undo::<A>(words, &messages[..at]);
                let offset = at * DeltaMessage::WIRE_LEN;
                return Err(ApplyWireError::Address { offset, addr, len: words.len() });
            }
        }
    }
    Ok(())
}

/// The longest table, in words, whose words the processor gets fast enough without prefetching: 1 MiB.
const UNPREFETCHED_TABLE: usize = 128 << 10;

/// The word of a message is prefetched this many messages ahead.
pub(super) const LOOKAHEAD: usize = 32;

/// Undoes messages that were applied.
///
/// The words are borrowed mutably, so nobody can have seen them meanwhile. With an undo, good messages need only one
/// pass, and only bad input is read twice.
#[cold]
fn undo<A: Algebra>(words: &mut [u64], messages: &[[u8; DeltaMessage::WIRE_LEN]]) {
    for message in messages {
        let DeltaMessage { addr, delta, .. } = DeltaMessage::decode(*message);
        words[addr as usize] = A::compose(words[addr as usize], A::invert(delta));
    }
}
