//! The 16-byte message that carries one delta.

use core::error::Error;
use core::fmt;

use crate::algebra::{DisplayWord, Xor};

/// A delta for one address, with the number that its sender gave it. It is encoded in 16 bytes, big-endian, as the
/// Python package `atomik-core` encodes it (the `struct` format `!IQI`).
///
/// | bytes | field |
/// |---|---|
/// | 0..4 | [`addr`](Self::addr) |
/// | 4..12 | [`delta`](Self::delta) |
/// | 12..16 | [`seq`](Self::seq) |
///
/// A delta that is applied twice cancels itself under XOR, and counts twice under addition. Where the transport may
/// deliver a message twice, the receiver has to drop duplicates by `seq`, as
/// [`DeltaStream::apply_from`](crate::DeltaStream::apply_from) does.
///
/// ```
/// use atomik_core::DeltaMessage;
///
/// let message = DeltaMessage { addr: 1, delta: 0xCAFE, seq: 7 };
/// let bytes = message.to_bytes();
/// assert_eq!(bytes, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xCA, 0xFE, 0, 0, 0, 7]);
/// assert_eq!(DeltaMessage::from_bytes(&bytes), Ok(message));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DeltaMessage {
    /// The address of the context that the delta is for.
    pub addr: u32,
    /// The delta.
    pub delta: u64,
    /// The sender's sequence number, by which a receiver recognises duplicates and gaps. Deltas commute, so it is
    /// no order of application.
    pub seq: u32,
}

impl DeltaMessage {
    /// The length in bytes of an encoded message.
    pub const WIRE_LEN: usize = 16;

    /// Encodes the message.
    #[inline]
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::WIRE_LEN] {
        let word = ((self.addr as u128) << 96) | ((self.delta as u128) << 32) | self.seq as u128;
        word.to_be_bytes()
    }

    /// Decodes a message.
    ///
    /// # Errors
    ///
    /// [`WireError::Length`] unless there are exactly 16 bytes. Any 16 bytes are a valid message.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let bytes: [u8; Self::WIRE_LEN] =
            bytes.try_into().map_err(|_| WireError::Length { len: bytes.len() })?;
        Ok(Self::decode(bytes))
    }

    /// Decodes a message whose length is known to be right.
    #[inline]
    pub(crate) const fn decode(bytes: [u8; Self::WIRE_LEN]) -> Self {
        let word = u128::from_be_bytes(bytes);
        Self { addr: (word >> 96) as u32, delta: (word >> 32) as u64, seq: word as u32 }
    }
}

impl fmt::Debug for DeltaMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaMessage")
            .field("addr", &self.addr)
            .field("delta", &DisplayWord::<Xor>::new(self.delta))
            .field("seq", &self.seq)
            .finish()
    }
}

/// Why bytes can't be decoded as a [`DeltaMessage`] or a [`DeltaBatch`](crate::DeltaBatch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// A message has 16 bytes, and these are more or fewer.
    Length {
        /// The number of bytes.
        len: usize,
    },
    /// A batch consists of messages of 16 bytes, and the number of these bytes is no multiple of 16.
    BatchLength {
        /// The number of bytes.
        len: usize,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } => write!(f, "a delta message has 16 bytes, not {len}"),
            Self::BatchLength { len } => {
                write!(f, "{len} bytes are no whole number of 16-byte delta messages")
            }
        }
    }
}

impl Error for WireError {}

#[cfg(test)]
mod tests;
