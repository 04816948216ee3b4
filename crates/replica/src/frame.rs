//! The bytes that travel: sections of a packet, each a header and a body.
//!
//! ```text
//! 0   magic "ATMK"      4  format version   5  kind   6  algebra   7  zero
//! 8   cluster           16 node             24 incarnation
//! 32  shard              36 from             44 to
//! 52  count of words    56 count of entries
//! 60  CRC-32C of the body                   64 CRC-32C of the 64 bytes before
//! ```
//!
//! All numbers are big-endian. What the counts count is the kind's own: see [`SectionKind`].

use alloc::vec::Vec;

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::crc32c;
use super::error::PacketErrorKind;
use super::replica_id::{Entry, LoadTimestamp, Register, ReplicaId, Total};
use atomik_core::Algebra;

/// `ATMK`.
const MAGIC: [u8; 4] = *b"ATMK";
const FORMAT: u8 = 1;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionKind {
    /// Totals of a shard that changed after `from` and up to `to`. Body: words, then entries.
    Totals = 1,
    /// Versions of consecutive shards of an origin, from `shard` on. Body: a u64 each, counted as words.
    VersionVector = 2,
    /// "What changed after `from`?" No body.
    Request = 3,
    /// The digest of a shard as of `to`. Body: one u64, counted as a word.
    Digest = 4,
    /// "Your whole vector, please." No body.
    Hello = 5,
    /// A shard for the store, as of `to`: blocks (counted as words), then entries. Never travels.
    Stored = 6,
}

impl SectionKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Totals, Self::VersionVector, Self::Request, Self::Digest, Self::Hello, Self::Stored]
            .into_iter()
            .find(|&kind| kind as u8 == byte)
    }

    /// Bytes of one thing that the header counts as a word.
    fn word_len(self) -> usize {
        match self {
            Self::Totals => size_of::<WireWord>(),
            Self::VersionVector | Self::Digest => size_of::<U64>(),
            Self::Stored => size_of::<WireBlock>(),
            Self::Request | Self::Hello => 0,
        }
    }
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct WireHeader {
    magic: [u8; 4],
    format: u8,
    kind: u8,
    algebra: u8,
    zero: u8,
    cluster: U64,
    node: U64,
    incarnation: U64,
    shard: U32,
    from: U64,
    to: U64,
    words: U32,
    entries: U32,
    body_crc: U32,
    header_crc: U32,
}

/// The length of a section's header in bytes.
pub(super) const HEADER_LEN: usize = size_of::<WireHeader>();

/// A word of a frame, laid out as a `DeltaMessage`; but it carries a total, and the low bits of `to`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct WireWord {
    addr: U32,
    total: U64,
    low_bits: U32,
}

impl WireWord {
    pub(super) fn new(addr: u32, total: Total, to: u64) -> Self {
        Self { addr: addr.into(), total: total.0.into(), low_bits: (to as u32).into() }
    }

    #[inline]
    pub(super) fn addr(&self) -> u32 {
        self.addr.get()
    }

    #[inline]
    pub(super) fn total(&self) -> Total {
        Total(self.total.get())
    }

    /// The version that the word says it is of, as far as it does.
    #[inline]
    pub(super) fn low_bits(&self) -> u32 {
        self.low_bits.get()
    }
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct WireEntry {
    addr: U32,
    counter: U64,
    node: U64,
    incarnation: U64,
    value: U64,
    total: U64,
}

impl WireEntry {
    pub(super) fn new(entry: &Entry) -> Self {
        let Entry { addr, register: Register { timestamp, value }, total } = *entry;
        Self {
            addr: addr.into(),
            counter: timestamp.counter.into(),
            node: timestamp.origin.node.into(),
            incarnation: timestamp.origin.incarnation.into(),
            value: value.into(),
            total: total.0.into(),
        }
    }

    pub(super) fn entry(&self) -> Entry {
        let origin = ReplicaId { node: self.node.get(), incarnation: self.incarnation.get() };
        let timestamp = LoadTimestamp { counter: self.counter.get(), origin };
        let register = Register { timestamp, value: self.value.get() };
        Entry { addr: self.addr.get(), register, total: Total(self.total.get()) }
    }
}

/// A block of a shard as the store has it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct WireBlock {
    /// Its place in the shard.
    pub(super) index: U32,
    pub(super) stamp: U64,
    pub(super) totals: [U64; super::shard::BLOCK_WORDS],
}

/// What all sections of a cluster's replicas have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameContext {
    algebra: u8,
    cluster: u64,
}

impl FrameContext {
    pub(super) fn new<A: Algebra>(cluster: u64) -> Self {
        Self { algebra: A::ID, cluster }
    }
}

/// A header's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: SectionKind,
    pub(super) origin: ReplicaId,
    pub(super) shard: u32,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// A section of a packet: its header was checked, its body was not.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) header: Header,
    words: usize,
    entries: usize,
    body_crc: u32,
    body: &'a [u8],
}

impl<'a> Section<'a> {
    /// Takes the first section off a packet; returns it and the bytes after it.
    pub(super) fn split(bytes: &'a [u8], context: FrameContext) -> Result<(Self, &'a [u8]), PacketErrorKind> {
        let (wire, rest) = WireHeader::ref_from_prefix(bytes)
            .map_err(|_| PacketErrorKind::Truncated { len: bytes.len(), needed: HEADER_LEN })?;
        if wire.magic != MAGIC {
            return Err(PacketErrorKind::Magic { found: wire.magic });
        }
        if wire.format != FORMAT {
            return Err(PacketErrorKind::Format { found: wire.format });
        }
        let found = crc32c(&bytes[..HEADER_LEN - size_of::<U32>()]);
        if found != wire.header_crc.get() {
            return Err(PacketErrorKind::HeaderCrc { found, expected: wire.header_crc.get() });
        }
        let kind = SectionKind::from_byte(wire.kind).ok_or(PacketErrorKind::Kind { found: wire.kind })?;
        if wire.algebra != context.algebra {
            return Err(PacketErrorKind::Algebra { found: wire.algebra, expected: context.algebra });
        }
        if wire.cluster.get() != context.cluster {
            return Err(PacketErrorKind::Cluster { found: wire.cluster.get(), expected: context.cluster });
        }
        if wire.zero != 0 {
            return Err(PacketErrorKind::Reserved { found: wire.zero });
        }
        let (words, entries) = (wire.words.get(), wire.entries.get());
        // Of 32-bit counts: no overflow in 64 bits.
        let needed =
            u64::from(words) * kind.word_len() as u64 + u64::from(entries) * size_of::<WireEntry>() as u64;
        if needed > rest.len() as u64 {
            return Err(PacketErrorKind::Truncated {
                len: bytes.len(),
                needed: usize::try_from(needed).unwrap_or(usize::MAX).saturating_add(HEADER_LEN),
            });
        }
        let (body, rest) = rest.split_at(needed as usize);
        let origin = ReplicaId { node: wire.node.get(), incarnation: wire.incarnation.get() };
        let header =
            Header { kind, origin, shard: wire.shard.get(), from: wire.from.get(), to: wire.to.get() };
        let body_crc = wire.body_crc.get();
        let (words, entries) = (words as usize, entries as usize);
        Ok((Self { header, words, entries, body_crc, body }, rest))
    }

    /// How many things the header counts as words.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// How many entries it has.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The checksum of the body.
    pub(super) fn check_body(&self) -> Result<(), PacketErrorKind> {
        let found = crc32c(self.body);
        if found == self.body_crc {
            Ok(())
        } else {
            Err(PacketErrorKind::BodyCrc { found, expected: self.body_crc })
        }
    }

    /// The body as what the kind counts as words, and entries.
    fn body<W: FromBytes + Immutable + KnownLayout + Unaligned>(&self) -> (&'a [W], &'a [WireEntry]) {
        debug_assert_eq!(size_of::<W>(), self.header.kind.word_len());
        let (words, rest) = <[W]>::ref_from_prefix_with_elems(self.body, self.words)
            .unwrap_or_else(|_| unreachable!("`split` cut the body to its counts"));
        let entries = <[WireEntry]>::ref_from_bytes(rest)
            .unwrap_or_else(|_| unreachable!("`split` cut the body to its counts"));
        (words, entries)
    }

    /// The body of [`SectionKind::Totals`].
    pub(super) fn totals(&self) -> (&'a [WireWord], &'a [WireEntry]) {
        self.body()
    }

    /// The body of [`SectionKind::Stored`].
    pub(super) fn blocks(&self) -> (&'a [WireBlock], &'a [WireEntry]) {
        self.body()
    }

    /// The body of [`SectionKind::VersionVector`] and [`SectionKind::Digest`].
    pub(super) fn numbers(&self) -> &'a [U64] {
        self.body().0
    }
}

/// Appends a section to a packet. `body` are the things that the kind counts as words, and the entries.
pub(super) fn write<W: IntoBytes + Immutable>(
    out: &mut Vec<u8>,
    context: FrameContext,
    header: Header,
    words: &[W],
    entries: &[WireEntry],
) {
    let start = out.len();
    out.resize(start + HEADER_LEN, 0);
    out.extend_from_slice(words.as_bytes());
    out.extend_from_slice(entries.as_bytes());
    let mut wire = WireHeader {
        magic: MAGIC,
        format: FORMAT,
        kind: header.kind as u8,
        algebra: context.algebra,
        zero: 0,
        cluster: context.cluster.into(),
        node: header.origin.node.into(),
        incarnation: header.origin.incarnation.into(),
        shard: header.shard.into(),
        from: header.from.into(),
        to: header.to.into(),
        // A shard has at most 65,536 words, and no table more than 2^32 shards.
        words: (words.len() as u32).into(),
        entries: (entries.len() as u32).into(),
        body_crc: crc32c(&out[start + HEADER_LEN..]).into(),
        header_crc: 0.into(),
    };
    wire.header_crc = crc32c(&wire.as_bytes()[..HEADER_LEN - size_of::<U32>()]).into();
    out[start..start + HEADER_LEN].copy_from_slice(wire.as_bytes());
}

#[cfg(test)]
mod tests;
