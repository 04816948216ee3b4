//! The codec: sections as bytes. No other module knows how anything is laid out.
//!
//! A packet is a sequence of sections, and a section is a header and a body:
//!
//! ```text
//!  0  magic "ATMK"      4  format version   5  kind   6  algebra   7  zero
//!  8  cluster          16  node            24  incarnation
//! 32  CRC-32C of node and incarnation
//! 36  shard            40  from            48  to
//! 56  count of words   60  count of entries
//! 64  count of folds   68  length of the body in bytes
//! 72  CRC-32C of the body                  76  CRC-32C of the 76 bytes before
//! ```
//!
//! All numbers are big-endian. The kind decides what the body has, and what is counted as a word: see [`SectionKind`].
//! The id of the origin has a checksum of its own, made where the id was, so that an id that was damaged on its way
//! into a frame does not become an origin. Folds follow the entries.

mod body;
mod write;

use alloc::vec::Vec;

use atomik_core::Algebra;

use crate::checksum::crc32c;
use crate::cluster_config::ClusterConfig;
use crate::packet_error::{PacketErrorKind, PacketField};

use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;
use body::{ENTRY_LEN, Entries, FOLD_LEN, NAME_LEN, NUMBER_LEN, WORD_LEN, check_covers, check_names};

pub(crate) use body::{Totals, Words};

const MAGIC: [u8; 4] = *b"ATMK";
const FORMAT: u8 = 2;

/// The length of a header in bytes.
pub(crate) const HEADER_LEN: usize = 80;

/// Where the fields of a header begin.
mod offset {
    pub(super) const FORMAT: usize = 4;
    pub(super) const KIND: usize = 5;
    pub(super) const ALGEBRA: usize = 6;
    pub(super) const RESERVED: usize = 7;
    pub(super) const CLUSTER: usize = 8;
    pub(super) const NODE: usize = 16;
    pub(super) const INCARNATION: usize = 24;
    pub(super) const ORIGIN_CRC: usize = 32;
    pub(super) const SHARD: usize = 36;
    pub(super) const FROM: usize = 40;
    pub(super) const TO: usize = 48;
    pub(super) const WORDS: usize = 56;
    pub(super) const ENTRIES: usize = 60;
    pub(super) const FOLDS: usize = 64;
    pub(super) const BODY_LEN: usize = 68;
    pub(super) const BODY_CRC: usize = 72;
    pub(super) const HEADER_CRC: usize = 76;
}

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// A frame: the totals of a shard that changed after `from` and up to `to`. The body has words of 16 bytes and then
    /// entries.
    Totals = 1,
    /// The versions of consecutive shards of an origin, from `shard` on. The body has a `u64` for each, counted as a
    /// word. If it is a section of a whole version vector, `from` is its number, counted from 1, and `to` is a number
    /// of the vector.
    VersionVector = 2,
    /// Asks for what changed in a shard after `from`. There is no body.
    Request = 3,
    /// The digest of a shard at version `to`. The body is one `u64`, counted as a word.
    Digest = 4,
    /// Asks for the version vector: the whole, unless its digest is `to`, the digest of the sender's. There is no body.
    Hello = 5,
    /// What names the version `to` of a shard in a store. The body has the number of blocks and the sum of their
    /// stamps, each a `u64`, counted as a word. It never travels.
    Stored = 6,
    /// A part of what a node reports of the starts that it knows. `from` is the number of the report, `shard` that of
    /// the part, and `to` how many parts there are. The body has numbers, each a `u64`, counted as a word. With no
    /// parts, only the number of the last report is told.
    Report = 7,
    /// A fold by name: version `to` of a shard is version `from`, which is one less, with the shards of ended starts of
    /// its node folded into it. The body names each of them with its version, in 24 bytes that are counted as a word,
    /// and has the fold that covers them.
    NamedFold = 8,
    /// The digest of a version vector. The body is one `u64`, counted as a word. If it follows a whole version vector,
    /// `from` is the number of its sections, and `to` is a number of the vector.
    VectorDigest = 9,
    /// The digest of the versions of a shard, and that of the merged states that the origin has at these versions. The
    /// body has a `u64` for each, counted as words.
    MergedDigest = 10,
    /// Version `to` of a shard is not of its origin, which has made versions up to `from`. The origin says so itself.
    /// There is no body.
    Denial = 11,
    /// Block `from` of a shard in a store, with the stamp `to`. The body has the totals, each a `u64`, counted as a
    /// word, and then entries. It never travels.
    StoredBlock = 12,
    /// What a node knows of starts, in its store. The body has numbers, each a `u64`, counted as a word. It never
    /// travels.
    StoredClaims = 13,
}

impl SectionKind {
    const ALL: [Self; 13] = [
        Self::Totals,
        Self::VersionVector,
        Self::Request,
        Self::Digest,
        Self::Hello,
        Self::Stored,
        Self::VectorDigest,
        Self::MergedDigest,
        Self::Denial,
        Self::StoredBlock,
        Self::Report,
        Self::NamedFold,
        Self::StoredClaims,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u8 == byte)
    }

    /// Whether sections of the kind are about a shard that may cover earlier starts.
    fn may_have_folds(self) -> bool {
        matches!(self, Self::Totals | Self::NamedFold | Self::Stored)
    }

    /// The length of what the header counts as one word, in bytes.
    fn word_len(self) -> usize {
        match self {
            Self::Totals => WORD_LEN,
            Self::VersionVector | Self::Digest | Self::VectorDigest | Self::MergedDigest => NUMBER_LEN,
            Self::Stored | Self::StoredBlock | Self::Report | Self::StoredClaims => NUMBER_LEN,
            Self::NamedFold => NAME_LEN,
            Self::Request | Self::Hello | Self::Denial => 0,
        }
    }
}

/// What the sections of all replicas of a cluster have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameContext {
    algebra: u8,
    cluster: u64,
}

impl FrameContext {
    /// `cluster` is the digest of what the replicas agree on.
    pub(crate) fn new<A: Algebra>(cluster: u64) -> Self {
        Self { algebra: A::ID, cluster }
    }
}

/// The fields of a header that are not the same in all sections of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: SectionKind,
    pub(crate) origin: ReplicaId,
    pub(crate) shard: u32,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Header {
    fn new(kind: SectionKind, key: ShardKey, from: u64, to: u64) -> Self {
        // A table has at most 2^32 words, so an index of a shard fits.
        Self { kind, origin: key.origin, shard: key.shard as u32, from, to }
    }
}

/// What a frame is about: the totals of a shard of an origin that changed after version `from` and up to version `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// Whose totals they are.
    pub origin: ReplicaId,
    /// The index of the shard in the table.
    pub shard: usize,
    /// The version that the frame leads from. If it is 0, the frame has the whole shard.
    pub from: u64,
    /// The version that it leads to.
    pub to: u64,
}

/// The frames of a packet, each with its bytes.
pub(crate) fn frames(
    packet: &[u8],
    context: FrameContext,
) -> impl Iterator<Item = Result<(FrameHeader, &[u8]), PacketErrorKind>> {
    let mut rest = packet;
    core::iter::from_fn(move || {
        while !rest.is_empty() {
            let bytes = rest;
            let (section, after) = match Section::split(bytes, context) {
                Ok(split) => split,
                Err(error) => {
                    rest = &[];
                    return Some(Err(error));
                }
            };
            rest = after;
            if let Ok(Section { header, .. }) = section
                && header.kind == SectionKind::Totals
            {
                let Header { origin, shard, from, to, .. } = header;
                let header = FrameHeader { origin, shard: shard as usize, from, to };
                return Some(Ok((header, &bytes[..bytes.len() - after.len()])));
            }
        }
        None
    })
}

/// A section of a packet. Its header was checked. Its body was not, until [`check_body`](Self::check_body) is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    header: Header,
    words: usize,
    entries: usize,
    folds: usize,
    body_crc: u32,
    body: &'a [u8],
}

impl<'a> Section<'a> {
    /// Splits the first section off a packet. Returns it and the bytes that follow it. The section itself is an error
    /// if it is whole but not of this version of the crate: another one may know what to do with it.
    ///
    /// # Errors
    ///
    /// If it is not known where the section ends, or if it belongs to another cluster.
    pub(crate) fn split(
        bytes: &'a [u8],
        context: FrameContext,
    ) -> Result<(Result<Self, PacketErrorKind>, &'a [u8]), PacketErrorKind> {
        check_format(bytes)?;
        let Some((raw, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(PacketErrorKind::Truncated { len: bytes.len(), needed: HEADER_LEN });
        };
        check_header(raw, context)?;
        let body_len = read_u32(raw, offset::BODY_LEN) as usize;
        let Some((body, rest)) = rest.split_at_checked(body_len) else {
            let needed = HEADER_LEN.saturating_add(body_len);
            return Err(PacketErrorKind::Truncated { len: bytes.len(), needed });
        };
        let section = match read_header(raw) {
            Ok(header) => Ok(Self::new(header, raw, body)?),
            Err(unsupported) => Err(unsupported),
        };
        Ok((section, rest))
    }

    /// The only section of some bytes.
    pub(crate) fn only(bytes: &'a [u8], context: FrameContext) -> Result<Self, PacketErrorKind> {
        let (section, rest) = Self::split(bytes, context)?;
        if rest.is_empty() {
            return section;
        }
        Err(PacketErrorKind::Invalid { field: PacketField::Body, index: 0, found: rest.len() as u64 })
    }

    /// A section of this body, if that is as long as the counts in the header say.
    fn new(header: Header, raw: &[u8; HEADER_LEN], body: &'a [u8]) -> Result<Self, PacketErrorKind> {
        let count = |at| read_u32(raw, at);
        let (words, entries, folds) = (count(offset::WORDS), count(offset::ENTRIES), count(offset::FOLDS));
        // The counts have 32 bits, so this does not overflow.
        let expected = u64::from(words) * header.kind.word_len() as u64
            + u64::from(entries) * ENTRY_LEN as u64
            + u64::from(folds) * FOLD_LEN as u64;
        let found = body.len() as u64;
        if found != expected {
            return Err(PacketErrorKind::Invalid { field: PacketField::BodyLen, index: 0, found });
        }
        let body_crc = read_u32(raw, offset::BODY_CRC);
        let (words, entries, folds) = (words as usize, entries as usize, folds as usize);
        Ok(Self { header, words, entries, folds, body_crc, body })
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// How many things the header counts as words.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    /// Checks that the section has no more words and entries than these.
    pub(crate) fn check_counts(&self, words: usize, entries: usize) -> Result<(), PacketErrorKind> {
        let too_many = |field, found| Err(PacketErrorKind::Invalid { field, index: 0, found: found as u64 });
        if self.words > words {
            return too_many(PacketField::Words, self.words);
        }
        if self.entries > entries {
            return too_many(PacketField::Entries, self.entries);
        }
        Ok(())
    }

    /// Checks the checksum of the body.
    pub(crate) fn check_body(&self) -> Result<(), PacketErrorKind> {
        check_crc(PacketField::Body, crc32c(self.body), self.body_crc)
    }

    /// Checks the folds of a shard. Returns whether the shard covers all earlier starts of its origin's node. The
    /// checksum of the body was checked.
    pub(crate) fn check_covers(&self) -> Result<bool, PacketErrorKind> {
        let start = self.body.len() - FOLD_LEN * self.folds;
        check_covers(self.body[start..].as_chunks().0, self.header.origin)
    }

    /// The body of [`SectionKind::Totals`], whose folds were [checked](Self::check_covers).
    pub(crate) fn totals(&self) -> Totals<'a> {
        let (words, entries) = self.split_body();
        Totals { words: Words(words), entries: Entries(entries), covers: self.folds > 0 }
    }

    /// What a fold by name took, each with its version. The checksum of the body was checked.
    ///
    /// # Errors
    ///
    /// If it took nothing, or anything but earlier starts of its origin's node in ascending order, or does not cover
    /// them.
    pub(crate) fn checked_names(&self) -> Result<Vec<(ReplicaId, u64)>, PacketErrorKind> {
        let names = check_names(self.split_body().0, self.header.origin)?;
        if !self.check_covers()? {
            return Err(PacketErrorKind::Invalid { field: PacketField::Folds, index: 0, found: 0 });
        }
        Ok(names)
    }

    /// The body of [`SectionKind::Stored`] and of [`SectionKind::StoredBlock`].
    pub(crate) fn numbers_and_entries(&self) -> (impl Iterator<Item = u64> + Clone + 'a, Entries<'a>) {
        let (numbers, entries): (&'a [[u8; NUMBER_LEN]], _) = self.split_body();
        (numbers.iter().map(|&number| u64::from_be_bytes(number)), Entries(entries))
    }

    /// The body of a section of numbers: versions or digests.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + Clone + 'a {
        self.numbers_and_entries().0
    }

    /// The body as what the kind counts as words, each of `N` bytes, and as entries.
    fn split_body<const N: usize>(&self) -> (&'a [[u8; N]], &'a [[u8; ENTRY_LEN]]) {
        debug_assert_eq!(self.header.kind.word_len(), N);
        // `split` made the body exactly as long as its words, entries and folds.
        let (words, rest) = self.body.split_at(N * self.words);
        (words.as_chunks().0, rest[..ENTRY_LEN * self.entries].as_chunks().0)
    }
}

impl ClusterConfig {
    /// The length in bytes of the longest packet that a replica with these settings sends: that of
    /// [`with_packet_len`](Self::with_packet_len), or of a frame in which every word of a shard changed and was loaded.
    #[must_use]
    pub fn max_packet_len(&self) -> usize {
        let frame = HEADER_LEN + FOLD_LEN + self.shape.shard_words.saturating_mul(WORD_LEN + ENTRY_LEN);
        self.packet_len.max(frame)
    }
}

/// Checks how a section begins, as far as there are bytes. Headers of other formats may have other lengths.
fn check_format(bytes: &[u8]) -> Result<(), PacketErrorKind> {
    let unsupported = |field, found| Err(PacketErrorKind::Unsupported { field, found });
    let Some((magic, rest)) = bytes.split_first_chunk() else { return Ok(()) };
    if *magic != MAGIC {
        return unsupported(PacketField::Magic, u32::from_be_bytes(*magic));
    }
    match rest.first() {
        Some(&format) if format != FORMAT => unsupported(PacketField::Format, format.into()),
        _ => Ok(()),
    }
}

/// Checks what all sections of a cluster have in common: the checksum of the header, the algebra and the cluster.
fn check_header(raw: &[u8; HEADER_LEN], context: FrameContext) -> Result<(), PacketErrorKind> {
    let expected = read_u32(raw, offset::HEADER_CRC);
    check_crc(PacketField::Header, crc32c(&raw[..offset::HEADER_CRC]), expected)?;
    let foreign = |field, found, expected| Err(PacketErrorKind::Foreign { field, found, expected });
    if raw[offset::ALGEBRA] != context.algebra {
        return foreign(PacketField::Algebra, raw[offset::ALGEBRA].into(), context.algebra.into());
    }
    let cluster = read_u64(raw, offset::CLUSTER);
    if cluster != context.cluster {
        return foreign(PacketField::Cluster, cluster, context.cluster);
    }
    check_crc(PacketField::OriginId, origin_crc(read_origin(raw)), read_u32(raw, offset::ORIGIN_CRC))
}

/// Reads a header that was checked. An error says what is not known in this version of the crate.
fn read_header(raw: &[u8; HEADER_LEN]) -> Result<Header, PacketErrorKind> {
    let unsupported = |field, found| Err(PacketErrorKind::Unsupported { field, found });
    let Some(kind) = SectionKind::from_byte(raw[offset::KIND]) else {
        return unsupported(PacketField::Kind, raw[offset::KIND].into());
    };
    if raw[offset::RESERVED] != 0 {
        return unsupported(PacketField::Reserved, raw[offset::RESERVED].into());
    }
    let folds = read_u32(raw, offset::FOLDS);
    if folds != 0 && !kind.may_have_folds() {
        return unsupported(PacketField::Folds, folds);
    }
    let (from, to) = (read_u64(raw, offset::FROM), read_u64(raw, offset::TO));
    Ok(Header { kind, origin: read_origin(raw), shard: read_u32(raw, offset::SHARD), from, to })
}

fn read_origin(raw: &[u8; HEADER_LEN]) -> ReplicaId {
    ReplicaId { node: read_u64(raw, offset::NODE), incarnation: read_u64(raw, offset::INCARNATION) }
}

/// The checksum of the id of an origin.
pub(crate) fn origin_crc(origin: ReplicaId) -> u32 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&origin.node.to_be_bytes());
    bytes[8..].copy_from_slice(&origin.incarnation.to_be_bytes());
    crc32c(&bytes)
}

fn check_crc(field: PacketField, found: u32, expected: u32) -> Result<(), PacketErrorKind> {
    if found == expected { Ok(()) } else { Err(PacketErrorKind::Checksum { field, found, expected }) }
}

#[inline]
fn read_u32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("the slice has 4 bytes"))
}

#[inline]
fn read_u64<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("the slice has 8 bytes"))
}

#[cfg(test)]
pub(crate) mod tests;
