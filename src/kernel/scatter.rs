//! `apply` and `apply_wire`: deltas to the addresses they name.

use core::error::Error;
use core::fmt;

use super::line::prefetch;
use crate::algebra::Algebra;
use crate::delta::{AddressOutOfRange, DeltaBatch, DeltaMessage};

/// Why messages were not applied. The words are as they were before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyWireError {
    /// The bytes are not a whole number of 16-byte messages.
    Length {
        /// How many bytes there were.
        len: usize,
    },
    /// A message names an address past the end of the table.
    Address {
        /// Where in the bytes the message starts: the first such message.
        offset: usize,
        /// The address it names.
        addr: u32,
        /// How many words the table has.
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
    // Addresses ascend, so that the last one speaks for all.
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
    let (messages, ragged) = bytes.as_chunks::<{ DeltaMessage::WIRE_LEN }>();
    if !ragged.is_empty() {
        return Err(ApplyWireError::Length { len: bytes.len() });
    }
    // A table that outgrows the caches is waited for: the words of later messages are asked for early.
    let ahead = if words.len() > CACHED { AHEAD } else { 0 };
    for (at, message) in messages.iter().enumerate() {
        if ahead > 0
            && let Some(later) = messages.get(at + ahead)
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

/// The longest table, in words, whose words come fast enough without asking: 1 MiB.
const CACHED: usize = 128 << 10;

/// How many messages ahead words are asked for.
pub(super) const AHEAD: usize = 32;

/// Takes messages back that were applied.
///
/// Nobody can have seen them: the words are borrowed mutably. So a good message costs one check and no
/// second pass over the bytes, and it is the rare bad input that is read twice.
#[cold]
fn undo<A: Algebra>(words: &mut [u64], messages: &[[u8; DeltaMessage::WIRE_LEN]]) {
    for message in messages {
        let DeltaMessage { addr, delta, .. } = DeltaMessage::decode(*message);
        words[addr as usize] = A::compose(words[addr as usize], A::invert(delta));
    }
}
