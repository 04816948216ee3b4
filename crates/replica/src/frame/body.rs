//! The records in the bodies of sections.

use alloc::vec::Vec;
use core::ops::Range;

use super::{read_u32, read_u64};
use crate::block::BLOCK_WORDS;
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::register::{Entry, LoadTimestamp, Register, Total};
use crate::replica_id::ReplicaId;

/// An address, a total, and the low 32 bits of the section's `to`. It is laid out as a `DeltaMessage`, but carries a
/// total.
pub(super) const WORD_LEN: usize = 16;
/// An address; the counter, node and incarnation of the timestamp; the value of the register; a total.
pub(super) const ENTRY_LEN: usize = 44;
/// A version or a digest.
pub(super) const NUMBER_LEN: usize = 8;
/// A node, an incarnation and a version.
pub(super) const NAME_LEN: usize = 24;
/// The tag of a fold, a node, and a range of its incarnations.
pub(super) const FOLD_LEN: usize = 32;

/// The tag of a fold that covers a range of incarnations of a node.
const COVER: u64 = 1;

/// The fold of a shard that covers all earlier starts of its origin's node.
pub(super) fn encode_cover(origin: ReplicaId) -> [u8; FOLD_LEN] {
    let numbers = [COVER, origin.node, 0, origin.incarnation];
    let mut item = [0; FOLD_LEN];
    for (bytes, number) in item.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    item
}

/// The name of a shard that was folded: its origin and its version.
pub(super) fn encode_name((origin, version): (ReplicaId, u64)) -> [u8; NAME_LEN] {
    let mut name = [0; NAME_LEN];
    for (bytes, number) in name.chunks_exact_mut(8).zip([origin.node, origin.incarnation, version]) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    name
}

/// Checks the names of the shards that were folded into one of this origin: earlier starts of its node, in ascending
/// order.
pub(super) fn check_names(
    names: &[[u8; NAME_LEN]],
    origin: ReplicaId,
) -> Result<Vec<(ReplicaId, u64)>, PacketErrorKind> {
    let invalid = |field, index, found| Err(PacketErrorKind::Invalid { field, index, found });
    let mut taken: Vec<(ReplicaId, u64)> = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let [node, incarnation, version] = [0, 8, 16].map(|at| read_u64(name, at));
        if node != origin.node {
            return invalid(PacketField::FoldNode, index, node);
        }
        let ascends = taken.last().is_none_or(|(last, _)| last.incarnation < incarnation);
        if !ascends || incarnation >= origin.incarnation {
            return invalid(PacketField::FoldEnd, index, incarnation);
        }
        if version == 0 {
            return invalid(PacketField::Words, index, version);
        }
        taken.push((ReplicaId { node, incarnation }, version));
    }
    if taken.is_empty() {
        return invalid(PacketField::Words, 0, 0);
    }
    Ok(taken)
}

/// Checks the folds of a shard of an origin. Returns whether it covers all earlier starts of its node: a shard covers
/// all of them or none.
pub(super) fn check_covers(folds: &[[u8; FOLD_LEN]], origin: ReplicaId) -> Result<bool, PacketErrorKind> {
    for (index, item) in folds.iter().enumerate() {
        let [tag, node, start, end] = [0, 8, 16, 24].map(|at| read_u64(item, at));
        let invalid = |field, found| Err(PacketErrorKind::Invalid { field, index, found });
        if tag != COVER {
            let found = u32::try_from(tag).unwrap_or(u32::MAX);
            return Err(PacketErrorKind::Unsupported { field: PacketField::FoldTag, found });
        }
        if node != origin.node {
            return invalid(PacketField::FoldNode, node);
        }
        if start != 0 {
            return invalid(PacketField::FoldStart, start);
        }
        if end != origin.incarnation || end == 0 {
            return invalid(PacketField::FoldEnd, end);
        }
        if index > 0 {
            return invalid(PacketField::Folds, folds.len() as u64);
        }
    }
    Ok(!folds.is_empty())
}

pub(super) fn encode_word(addr: u32, total: Total, to: u64) -> [u8; WORD_LEN] {
    (u128::from(addr) << 96 | u128::from(total.0) << 32 | u128::from(to as u32)).to_be_bytes()
}

pub(super) fn encode_entry(entry: &Entry) -> [u8; ENTRY_LEN] {
    let Entry { addr, register: Register { timestamp, value }, total } = *entry;
    let ReplicaId { node, incarnation } = timestamp.origin;
    let mut record = [0; ENTRY_LEN];
    record[..4].copy_from_slice(&addr.to_be_bytes());
    let numbers = [timestamp.counter, node, incarnation, value, total.0];
    for (bytes, number) in record[4..].chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    record
}

/// The words of a section, in the order of the section.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a>(pub(super) &'a [[u8; WORD_LEN]]);

impl<'a> Words<'a> {
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = Word<'a>> + Clone {
        self.0.iter().map(Word)
    }

    /// The words of each block together, with the index of the block in the table. The addresses must ascend.
    #[inline]
    pub(crate) fn by_block(self) -> impl Iterator<Item = (usize, Self)> {
        let block = |word: &[u8; WORD_LEN]| Word(word).addr() as usize / BLOCK_WORDS;
        let chunks = self.0.chunk_by(move |a, b| block(a) == block(b));
        chunks.map(move |chunk| (block(&chunk[0]), Self(chunk)))
    }
}

/// A word of a section.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a>(&'a [u8; WORD_LEN]);

impl Word<'_> {
    #[inline]
    pub(crate) fn addr(self) -> u32 {
        read_u32(self.0, 0)
    }

    #[inline]
    pub(crate) fn total(self) -> Total {
        Total(read_u64(self.0, 4))
    }

    #[inline]
    fn low_bits(self) -> u32 {
        read_u32(self.0, 12)
    }
}

/// The entries of a section, in the order of the section.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a>(pub(super) &'a [[u8; ENTRY_LEN]]);

impl<'a> Entries<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Entry> + Clone + 'a {
        self.0.iter().map(|record| {
            let origin = ReplicaId { node: read_u64(record, 12), incarnation: read_u64(record, 20) };
            let timestamp = LoadTimestamp { counter: read_u64(record, 4), origin };
            let register = Register { timestamp, value: read_u64(record, 28) };
            Entry { addr: read_u32(record, 0), register, total: Total(read_u64(record, 36)) }
        })
    }

    /// Checks that the addresses ascend within `range`, and that the counters are below their limit.
    pub(crate) fn check(self, range: &Range<usize>) -> Result<(), PacketErrorKind> {
        let mut next = range.start as u64;
        for (index, entry) in self.iter().enumerate() {
            let (addr, counter) = (u64::from(entry.addr), entry.register.timestamp.counter);
            if addr < next || addr >= range.end as u64 {
                return Err(PacketErrorKind::Invalid { field: PacketField::Address, index, found: addr });
            }
            if counter >= LoadTimestamp::COUNTER_LIMIT {
                return Err(PacketErrorKind::Invalid {
                    field: PacketField::LoadCounter,
                    index,
                    found: counter,
                });
            }
            next = addr + 1;
        }
        Ok(())
    }
}

/// The body of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Totals<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) entries: Entries<'a>,
    /// Whether the shard covers all earlier starts of its origin's node.
    pub(crate) covers: bool,
}

impl Totals<'_> {
    /// The end of the addresses. They were checked, so they ascend.
    pub(crate) fn end(&self) -> u64 {
        let word = self.words.0.last().map_or(0, |word| u64::from(Word(word).addr()) + 1);
        let entry = Entries(&self.entries.0[self.entries.0.len().saturating_sub(1)..]).iter().last();
        word.max(entry.map_or(0, |entry| u64::from(entry.addr) + 1))
    }

    /// Checks that the addresses of the words, and those of the entries, ascend within `range`, and that each word
    /// repeats the version `to`.
    pub(crate) fn check(self, range: Range<usize>, to: u64) -> Result<(), PacketErrorKind> {
        // This loop has no branches. If anything is wrong, a second loop finds out what.
        let mut next = range.start as u64;
        let mut wrong = false;
        for word in self.words.iter() {
            let addr = u64::from(word.addr());
            wrong |= (addr < next) | (word.low_bits() != to as u32);
            next = addr + 1;
        }
        if wrong | (next > range.end as u64) {
            return Err(find_wrong_word(self.words, range, to));
        }
        self.entries.check(&range)
    }
}

#[cold]
fn find_wrong_word(words: Words<'_>, range: Range<usize>, to: u64) -> PacketErrorKind {
    let mut next = range.start as u64;
    for (index, word) in words.iter().enumerate() {
        let (addr, low_bits) = (u64::from(word.addr()), word.low_bits());
        if addr < next || addr >= range.end as u64 {
            return PacketErrorKind::Invalid { field: PacketField::Address, index, found: addr };
        }
        if low_bits != to as u32 {
            let found = low_bits.into();
            return PacketErrorKind::Invalid { field: PacketField::LowBits, index, found };
        }
        next = addr + 1;
    }
    unreachable!("called only if a word is wrong")
}
