//! What is wrong with a section of a packet, or with a stored shard.

use core::fmt;

use crate::replica_id::ReplicaId;

/// What is wrong with a section of a packet, or with a stored shard.
///
/// The kinds call for different reactions. `Truncated` and `Checksum` mean damage on the way, which repairs itself.
/// `Foreign`, and an unknown format, mean that something else talks to this replica. `Invalid` means a faulty sender.
/// These end a packet. `TooManyOrigins`, `BeyondTable`, `ClonedIdentity` and, in a known format, `Unsupported` do not:
/// the section is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketErrorKind {
    /// The bytes end before the section does.
    Truncated {
        /// How many bytes there are.
        len: usize,
        /// How many there would have to be, at least.
        needed: usize,
    },
    /// A checksum is wrong, so the bytes were damaged.
    Checksum {
        /// What it is the checksum of: [`Header`](PacketField::Header), [`OriginId`](PacketField::OriginId) or
        /// [`Body`](PacketField::Body).
        field: PacketField,
        /// The checksum of the bytes that arrived.
        found: u32,
        /// The checksum that arrived with them.
        expected: u32,
    },
    /// The section asks for something that this version does not know, or that does not belong in a packet or store.
    Unsupported {
        /// [`Magic`](PacketField::Magic), [`Format`](PacketField::Format), [`Kind`](PacketField::Kind),
        /// [`Folds`](PacketField::Folds), [`FoldTag`](PacketField::FoldTag) or [`Reserved`](PacketField::Reserved).
        field: PacketField,
        /// The field's value.
        found: u32,
    },
    /// The section comes from another cluster, or from one on another algebra.
    Foreign {
        /// [`Algebra`](PacketField::Algebra) or [`Cluster`](PacketField::Cluster).
        field: PacketField,
        /// The sender's value.
        found: u64,
        /// The value of this replica.
        expected: u64,
    },
    /// A field has a value that it can't have, although the checksum is right.
    Invalid {
        /// The field.
        field: PacketField,
        /// Which of the words, entries or blocks of the section the field belongs to, counted from 0. It is 0 for a
        /// field of the header.
        index: usize,
        /// The field's value.
        found: u64,
    },
    /// The section names one more origin than this replica may know.
    TooManyOrigins {
        /// The origin.
        origin: ReplicaId,
        /// The bound.
        bound: usize,
    },
    /// The section has addresses that this replica's table does not have. The sender's table is longer: see
    /// [`docs::growing`](crate::docs::growing).
    BeyondTable {
        /// The shard.
        shard: u32,
        /// The length of this replica's table.
        len: usize,
    },
    /// The section has a version of this replica's own plane that this replica did not make. Another process runs under
    /// the same id, or [`resume`](crate::Replica::resume) was called with a store that had been rolled back.
    ClonedIdentity {
        /// The id of this replica.
        id: ReplicaId,
        /// The shard.
        shard: u32,
        /// The version that arrived.
        found: u64,
        /// The version of this replica.
        own: u64,
    },
}

/// A field of a section, for [`PacketErrorKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PacketField {
    /// The header as a whole.
    Header,
    /// The body as a whole.
    Body,
    /// The four bytes that a section begins with.
    Magic,
    /// The version of the format.
    Format,
    /// The kind of the section.
    Kind,
    /// A byte that must be zero.
    Reserved,
    /// The number of the algebra: [`Algebra::ID`](atomik_core::Algebra::ID).
    Algebra,
    /// The digest of the cluster's name, shard size and initial base.
    Cluster,
    /// The id of the origin.
    OriginId,
    /// The shard.
    Shard,
    /// The version that the section starts from.
    From,
    /// The version that the section leads to.
    To,
    /// The number of words, versions, digests or blocks.
    Words,
    /// The number of entries.
    Entries,
    /// The number of folds.
    Folds,
    /// What a fold is.
    FoldTag,
    /// The node whose incarnations a fold is about.
    FoldNode,
    /// The first incarnation of a fold.
    FoldStart,
    /// The incarnation after the last one of a fold.
    FoldEnd,
    /// The length of the body.
    BodyLen,
    /// The address of a word or of an entry.
    Address,
    /// The low bits of the version, which each word repeats.
    LowBits,
    /// The Lamport counter of an entry.
    LoadCounter,
    /// The index of a stored block.
    Block,
    /// The stamp of a stored block.
    Stamp,
    /// A total in a stored block.
    Total,
}

impl PacketField {
    /// Whether a later version of this crate may give the field a value that is not known here, in the same format. The
    /// section is then skipped.
    pub(crate) fn is_beyond_the_format(self) -> bool {
        matches!(self, Self::Kind | Self::Folds | Self::FoldTag | Self::Reserved)
    }
}

impl fmt::Display for PacketErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { len, needed } => {
                write!(f, "there are {len} bytes, but at least {needed} are needed")
            }
            Self::Checksum { field, found, expected } => {
                let what = match field {
                    PacketField::Body => "body",
                    PacketField::OriginId => "id of the origin",
                    _ => "header",
                };
                write!(f, "the {what} is damaged: its checksum is {found:#010x} instead of {expected:#010x}")
            }
            Self::Unsupported { field, found } => fmt_unsupported(f, field, found),
            Self::Foreign { field: PacketField::Algebra, found, expected } => {
                write!(f, "the sender's algebra is {found}, ours is {expected} (0: XOR, 1: addition)")
            }
            Self::Foreign { found, expected, .. } => write!(
                f,
                "the sender's cluster is {found:#018x}, ours is {expected:#018x}: \
                 their names, shard sizes or initial bases differ"
            ),
            Self::Invalid { field, index, found } => fmt_invalid(f, field, index, found),
            Self::TooManyOrigins { origin, bound } => {
                write!(f, "origin {origin} would be one more than the bound of {bound}")
            }
            Self::BeyondTable { shard, len } => write!(
                f,
                "it has addresses of shard {shard} beyond our table of {len}: the sender's table is longer"
            ),
            Self::ClonedIdentity { id, shard, found, own } => write!(
                f,
                "shard {shard} of our own id {id} arrived at version {found}, but we have only made {own}: \
                 another process uses this id, or the store was rolled back"
            ),
        }
    }
}

fn fmt_unsupported(f: &mut fmt::Formatter<'_>, field: PacketField, found: u32) -> fmt::Result {
    match field {
        PacketField::Magic => write!(f, "it begins with {:02x?} instead of `ATMK`", found.to_be_bytes()),
        PacketField::Format => write!(f, "version {found} of the format is not known here"),
        PacketField::Kind => write!(f, "a section of kind {found} does not belong here"),
        PacketField::Folds => write!(f, "a section of its kind has {found} folds, which are not known here"),
        PacketField::FoldTag => write!(f, "it has a fold with the tag {found}, which is not known here"),
        _ => write!(f, "byte 7 of the header is {found} instead of 0"),
    }
}

fn fmt_invalid(f: &mut fmt::Formatter<'_>, field: PacketField, index: usize, found: u64) -> fmt::Result {
    match field {
        PacketField::OriginId => write!(f, "no start has the incarnation {found}"),
        PacketField::Shard => write!(f, "there is no shard {found} in the table"),
        PacketField::From => write!(f, "such a section can't start from version {found}"),
        PacketField::To => write!(f, "such a section can't lead to version {found}"),
        PacketField::Words => write!(f, "such a section can't have {found} words"),
        PacketField::Entries => write!(f, "such a section can't have {found} entries"),
        PacketField::Folds => write!(f, "such a section can't have {found} folds"),
        PacketField::FoldNode => write!(f, "it covers starts of node {found}, which is not its own"),
        PacketField::FoldStart => write!(f, "it covers starts from incarnation {found} on instead of all"),
        PacketField::FoldEnd => write!(f, "it covers starts up to incarnation {found} instead of its own"),
        PacketField::Body => write!(f, "{found} bytes follow the section"),
        PacketField::BodyLen => write!(f, "a body of {found} bytes does not fit the counts of the header"),
        PacketField::Address => {
            write!(
                f,
                "address {found}, at index {index}, is outside the shard, out of order or without a block"
            )
        }
        PacketField::LowBits => write!(f, "word {index} has the low bits {found:#010x} of another version"),
        PacketField::LoadCounter => write!(f, "entry {index} has the counter {found}, beyond 2^63 - 1"),
        PacketField::Block => {
            write!(f, "block {found}, at index {index}, is outside the shard or out of order")
        }
        PacketField::Stamp => {
            write!(f, "block {index} has the stamp {found}, which is not one of the shard's versions")
        }
        PacketField::Total => write!(f, "block {index} has the total {found} past the end of the table"),
        _ => write!(f, "{field:?} can't be {found}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn each_kind_of_packet_error_says_what_was_wrong() {
        use PacketErrorKind::{
            BeyondTable, Checksum, ClonedIdentity, Foreign, Invalid, TooManyOrigins, Truncated, Unsupported,
        };
        use PacketField::*;
        let id = ReplicaId { node: 0x1A, incarnation: 2 };
        let messages = [
            (Truncated { len: 3, needed: 64 }, "there are 3 bytes, but at least 64 are needed"),
            (
                Checksum { field: Header, found: 1, expected: 2 },
                "the header is damaged: its checksum is 0x00000001 instead of 0x00000002",
            ),
            (
                Checksum { field: Body, found: 3, expected: 4 },
                "the body is damaged: its checksum is 0x00000003 instead of 0x00000004",
            ),
            (
                Checksum { field: OriginId, found: 5, expected: 6 },
                "the id of the origin is damaged: its checksum is 0x00000005 instead of 0x00000006",
            ),
            (
                Unsupported { field: Folds, found: 2 },
                "a section of its kind has 2 folds, which are not known here",
            ),
            (
                Unsupported { field: FoldTag, found: 3 },
                "it has a fold with the tag 3, which is not known here",
            ),
            (Invalid { field: Folds, index: 0, found: 2 }, "such a section can't have 2 folds"),
            (
                Invalid { field: FoldNode, index: 0, found: 9 },
                "it covers starts of node 9, which is not its own",
            ),
            (
                Invalid { field: FoldStart, index: 0, found: 4 },
                "it covers starts from incarnation 4 on instead of all",
            ),
            (
                Invalid { field: FoldEnd, index: 0, found: 4 },
                "it covers starts up to incarnation 4 instead of its own",
            ),
            (
                Unsupported { field: Magic, found: u32::from_be_bytes(*b"atmk") },
                "it begins with [61, 74, 6d, 6b] instead of `ATMK`",
            ),
            (Unsupported { field: Format, found: 9 }, "version 9 of the format is not known here"),
            (Unsupported { field: Kind, found: 7 }, "a section of kind 7 does not belong here"),
            (Unsupported { field: Reserved, found: 5 }, "byte 7 of the header is 5 instead of 0"),
            (
                Foreign { field: Algebra, found: 1, expected: 0 },
                "the sender's algebra is 1, ours is 0 (0: XOR, 1: addition)",
            ),
            (
                Foreign { field: PacketField::Cluster, found: 1, expected: 2 },
                "the sender's cluster is 0x0000000000000001, ours is 0x0000000000000002: \
                 their names, shard sizes or initial bases differ",
            ),
            (
                BeyondTable { shard: 3, len: 200 },
                "it has addresses of shard 3 beyond our table of 200: the sender's table is longer",
            ),
            (TooManyOrigins { origin: id, bound: 2 }, "origin 1a/2 would be one more than the bound of 2"),
            (
                ClonedIdentity { id, shard: 3, found: 5, own: 4 },
                "shard 3 of our own id 1a/2 arrived at version 5, but we have only made 4: \
                 another process uses this id, or the store was rolled back",
            ),
        ];
        for (kind, message) in messages {
            assert_eq!(kind.to_string(), message);
        }
        let invalid = [
            (Shard, "there is no shard 70 in the table"),
            (From, "such a section can't start from version 70"),
            (To, "such a section can't lead to version 70"),
            (Words, "such a section can't have 70 words"),
            (Entries, "such a section can't have 70 entries"),
            (Body, "70 bytes follow the section"),
            (BodyLen, "a body of 70 bytes does not fit the counts of the header"),
            (Address, "address 70, at index 2, is outside the shard, out of order or without a block"),
            (LowBits, "word 2 has the low bits 0x00000046 of another version"),
            (LoadCounter, "entry 2 has the counter 70, beyond 2^63 - 1"),
            (Block, "block 70, at index 2, is outside the shard or out of order"),
            (Stamp, "block 2 has the stamp 70, which is not one of the shard's versions"),
            (Total, "block 2 has the total 70 past the end of the table"),
        ];
        for (field, message) in invalid {
            assert_eq!(Invalid { field, index: 2, found: 70 }.to_string(), message);
        }
    }
}
