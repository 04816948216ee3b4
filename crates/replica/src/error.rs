//! Why a replica can't do what it was asked to, and why something from outside was refused.

use core::error::Error;
use core::fmt;

use super::replica_id::ReplicaId;

/// Why a replica can't start, or can't do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The fan-in is not as long as the cluster's table.
    TableLength {
        /// The length of the fan-in.
        table: usize,
        /// The length of the cluster's table.
        cluster: usize,
    },
    /// The initial base is not as long as the cluster's table.
    BaseLength {
        /// The length of the base.
        base: usize,
        /// The length of the cluster's table.
        cluster: usize,
    },
    /// The shard size is not a multiple of 64 from 64 to 65,536.
    ShardWords {
        /// The shard size in words.
        shard_words: usize,
    },
    /// The fan-in has, or had, a replica.
    SecondReplica,
    /// The table has no such address.
    Address {
        /// The address.
        addr: usize,
        /// The length of the table.
        len: usize,
    },
    /// The counter of an address's epochs is at its end, 2^63 - 1.
    LoadsExhausted {
        /// The address.
        addr: usize,
    },
    /// A shard that the store gave back was refused.
    Stored {
        /// Which of them, counted from 0.
        index: usize,
        /// Why.
        error: PacketError,
    },
    /// A shard of the own origin can't be fetched from others: if it is in doubt, start anew, with a new
    /// incarnation and without the store's copy.
    OwnShard {
        /// The shard.
        shard: usize,
    },
    /// Nothing is known here of this shard of this origin.
    UnknownShard {
        /// The origin.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
    },
}

impl fmt::Display for ReplicaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableLength { table, cluster } => {
                write!(f, "the fan-in has {table} addresses, the cluster's table {cluster}")
            }
            Self::BaseLength { base, cluster } => {
                write!(f, "the initial base has {base} words, the cluster's table {cluster}")
            }
            Self::ShardWords { shard_words } => {
                write!(f, "a shard of {shard_words} words: it must be a multiple of 64 from 64 to 65536")
            }
            Self::SecondReplica => f.write_str("the fan-in has, or had, a replica already"),
            Self::Address { addr, len } => write!(f, "no address {addr} in a table of {len}"),
            Self::LoadsExhausted { addr } => {
                write!(f, "address {addr} was loaded 2^63 times; there is no further epoch")
            }
            Self::Stored { index, error } => write!(f, "stored shard {index}: {error}"),
            Self::OwnShard { shard } => {
                write!(f, "shard {shard} is of the own origin: if it is in doubt, start anew")
            }
            Self::UnknownShard { origin, shard } => {
                write!(f, "nothing is known of shard {shard} of origin {origin}")
            }
        }
    }
}

impl Error for ReplicaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Stored { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A packet, or what a store gave back, was refused, and why.
///
/// Sections of a packet are taken in turn: those before the refused one were whole and right and have taken
/// effect; from the refused one on nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketError {
    /// Where in the packet the refused section begins, in bytes.
    pub at: usize,
    /// What was wrong with it.
    pub kind: PacketErrorKind,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the section at byte {} was refused: {}", self.at, self.kind)
    }
}

impl Error for PacketError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.kind)
    }
}

/// What was wrong with a section of a packet, or with a stored shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketErrorKind {
    /// It ends too early.
    Truncated {
        /// How many bytes there were.
        len: usize,
        /// How many there should have been, at least.
        needed: usize,
    },
    /// It doesn't begin as a section does.
    Magic {
        /// What it begins with.
        found: [u8; 4],
    },
    /// It is of a format that this version doesn't know.
    Format {
        /// The format's number.
        found: u8,
    },
    /// Its header was damaged on the way.
    HeaderCrc {
        /// The checksum of what came.
        found: u32,
        /// The checksum that came with it.
        expected: u32,
    },
    /// Its body was damaged on the way.
    BodyCrc {
        /// The checksum of what came.
        found: u32,
        /// The checksum that came with it.
        expected: u32,
    },
    /// There is no such kind of section, or not in a packet, or not in a store.
    Kind {
        /// The kind's number.
        found: u8,
    },
    /// It is of another algebra.
    Algebra {
        /// The sender's: 0 for XOR, 1 for addition.
        found: u8,
        /// Ours.
        expected: u8,
    },
    /// It is of another cluster: another name, table length, shard size or initial base.
    Cluster {
        /// The sender's cluster, as a digest of these.
        found: u64,
        /// Ours.
        expected: u64,
    },
    /// A byte that must be zero was not.
    Reserved {
        /// The byte.
        found: u8,
    },
    /// Its counts don't fit its kind: more words than a shard has, or words where the kind has none.
    Counts {
        /// How many words.
        words: usize,
        /// How many entries.
        entries: usize,
    },
    /// Its first version is not below its last.
    Versions {
        /// The version that it starts after.
        from: u64,
        /// The version that it leads to.
        to: u64,
    },
    /// A stored shard says that it starts after a version: it holds all of them.
    StoredFrom {
        /// That version.
        from: u64,
    },
    /// A stored shard of the own origin is at a version, 2^63 or more, that none can follow.
    LastVersion {
        /// The version.
        version: u64,
    },
    /// The table has no such shard.
    Shard {
        /// The shard.
        shard: u64,
        /// How many shards there are.
        shards: u64,
    },
    /// An address is outside the shard, or not above the one before it.
    Address {
        /// The address.
        addr: u32,
        /// The shard.
        shard: u32,
    },
    /// A word carries other low bits than those of its section's version.
    LowBits {
        /// The word's address.
        addr: u32,
        /// The bits that it carries.
        found: u32,
        /// The version of the section.
        to: u64,
    },
    /// The counter of an entry's epoch is 2^63 or more.
    LoadCounter {
        /// The entry's address.
        addr: u32,
        /// The counter.
        counter: u64,
    },
    /// It names one origin more than the configured bound.
    TooManyOrigins {
        /// The origin.
        origin: ReplicaId,
        /// The bound.
        bound: usize,
    },
    /// It has the own origin at a version above the own: somebody else runs under this node's identity, or
    /// the store was rolled back under `resume`.
    ClonedIdentity {
        /// The own origin.
        origin: ReplicaId,
        /// The shard.
        shard: u32,
        /// The version that came.
        found: u64,
        /// The version here.
        own: u64,
    },
    /// A stored block is out of place, stamped above its shard's version, or has totals past the table's end.
    Block {
        /// The block's place in its shard.
        index: u32,
    },
    /// The store has the own origin, which [`restore`](super::Replica::restore) takes for a new one.
    IncarnationReused {
        /// The origin.
        origin: ReplicaId,
    },
    /// The store has a shard of an origin twice.
    StoredTwice {
        /// The origin.
        origin: ReplicaId,
        /// The shard.
        shard: u32,
    },
}

impl fmt::Display for PacketErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { len, needed } => write!(f, "{len} bytes where at least {needed} are needed"),
            Self::Magic { found } => write!(f, "it begins with {found:02x?}, not with `ATMK`"),
            Self::Format { found } => write!(f, "format version {found} is unknown here"),
            Self::HeaderCrc { found, expected } => {
                write!(f, "damaged header: checksum {found:#010x} instead of {expected:#010x}")
            }
            Self::BodyCrc { found, expected } => {
                write!(f, "damaged body: checksum {found:#010x} instead of {expected:#010x}")
            }
            Self::Kind { found } => write!(f, "a section of kind {found} does not belong here"),
            Self::Algebra { found, expected } => {
                write!(f, "it is of algebra {found}, this table of {expected} (0: XOR, 1: addition)")
            }
            Self::Cluster { found, expected } => write!(
                f,
                "it is of cluster {found:#018x}, this is {expected:#018x}: \
                 another name, table length, shard size or base"
            ),
            Self::Reserved { found } => write!(f, "byte 7 of a header is zero, not {found}"),
            Self::Counts { words, entries } => {
                write!(f, "{words} words and {entries} entries are more than such a section has")
            }
            Self::Versions { from, to } => write!(f, "version {from} is not before version {to}"),
            Self::StoredFrom { from } => {
                write!(f, "a stored shard starts from version 0, not from version {from}")
            }
            Self::LastVersion { version } => {
                write!(f, "no version of the own origin can follow {version}: start anew")
            }
            Self::Shard { shard, shards } => write!(f, "there is no shard {shard}, the table has {shards}"),
            Self::Address { addr, shard } => {
                write!(f, "address {addr} is outside shard {shard} or not above the one before it")
            }
            Self::LowBits { addr, found, to } => {
                write!(
                    f,
                    "the word of address {addr} ends in {found:#010x}, which are not the low bits of {to}"
                )
            }
            Self::LoadCounter { addr, counter } => {
                write!(f, "the epoch counter of address {addr} is {counter}, beyond 2^63 - 1")
            }
            Self::TooManyOrigins { origin, bound } => {
                write!(f, "origin {origin} would be one more than the bound of {bound}")
            }
            Self::ClonedIdentity { origin, shard, found, own } => write!(
                f,
                "shard {shard} of the own origin {origin} came at version {found}, above the own {own}: \
                 this identity is in use twice, or its store was rolled back"
            ),
            Self::Block { index } => write!(
                f,
                "stored block {index} is out of place, newer than its shard or has totals past the table"
            ),
            Self::IncarnationReused { origin } => {
                write!(f, "the store has origin {origin} already: a start needs an incarnation of its own")
            }
            Self::StoredTwice { origin, shard } => {
                write!(f, "the store has shard {shard} of origin {origin} twice")
            }
        }
    }
}

impl Error for PacketErrorKind {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn each_refusal_names_what_was_wrong() {
        let origin = ReplicaId { node: 0x1A, incarnation: 2 };
        let told = [
            (PacketErrorKind::Truncated { len: 3, needed: 64 }, "3 bytes where at least 64 are needed"),
            (PacketErrorKind::Magic { found: *b"atmk" }, "it begins with [61, 74, 6d, 6b], not with `ATMK`"),
            (PacketErrorKind::Format { found: 9 }, "format version 9 is unknown here"),
            (
                PacketErrorKind::HeaderCrc { found: 1, expected: 2 },
                "damaged header: checksum 0x00000001 instead of 0x00000002",
            ),
            (
                PacketErrorKind::BodyCrc { found: 3, expected: 4 },
                "damaged body: checksum 0x00000003 instead of 0x00000004",
            ),
            (PacketErrorKind::Kind { found: 7 }, "a section of kind 7 does not belong here"),
            (
                PacketErrorKind::Algebra { found: 1, expected: 0 },
                "it is of algebra 1, this table of 0 (0: XOR, 1: addition)",
            ),
            (
                PacketErrorKind::Cluster { found: 1, expected: 2 },
                "it is of cluster 0x0000000000000001, this is 0x0000000000000002: \
                 another name, table length, shard size or base",
            ),
            (PacketErrorKind::Reserved { found: 5 }, "byte 7 of a header is zero, not 5"),
            (
                PacketErrorKind::Counts { words: 6, entries: 7 },
                "6 words and 7 entries are more than such a section has",
            ),
            (PacketErrorKind::Versions { from: 8, to: 7 }, "version 8 is not before version 7"),
            (
                PacketErrorKind::StoredFrom { from: 8 },
                "a stored shard starts from version 0, not from version 8",
            ),
            (
                PacketErrorKind::LastVersion { version: 1 << 63 },
                "no version of the own origin can follow 9223372036854775808: start anew",
            ),
            (PacketErrorKind::Shard { shard: 4, shards: 3 }, "there is no shard 4, the table has 3"),
            (
                PacketErrorKind::Address { addr: 70, shard: 0 },
                "address 70 is outside shard 0 or not above the one before it",
            ),
            (
                PacketErrorKind::LowBits { addr: 1, found: 2, to: 3 },
                "the word of address 1 ends in 0x00000002, which are not the low bits of 3",
            ),
            (
                PacketErrorKind::LoadCounter { addr: 1, counter: 1 << 63 },
                "the epoch counter of address 1 is 9223372036854775808, beyond 2^63 - 1",
            ),
            (
                PacketErrorKind::TooManyOrigins { origin, bound: 2 },
                "origin 1a/2 would be one more than the bound of 2",
            ),
            (
                PacketErrorKind::ClonedIdentity { origin, shard: 3, found: 5, own: 4 },
                "shard 3 of the own origin 1a/2 came at version 5, above the own 4: \
                 this identity is in use twice, or its store was rolled back",
            ),
            (
                PacketErrorKind::Block { index: 2 },
                "stored block 2 is out of place, newer than its shard or has totals past the table",
            ),
            (
                PacketErrorKind::IncarnationReused { origin },
                "the store has origin 1a/2 already: a start needs an incarnation of its own",
            ),
            (PacketErrorKind::StoredTwice { origin, shard: 3 }, "the store has shard 3 of origin 1a/2 twice"),
        ];
        for (kind, text) in told {
            assert_eq!(kind.to_string(), text);
        }
    }

    #[test]
    fn a_packet_error_tells_where_and_leads_to_its_cause() {
        let error = PacketError { at: 128, kind: PacketErrorKind::Format { found: 9 } };
        assert_eq!(
            error.to_string(),
            "the section at byte 128 was refused: format version 9 is unknown here"
        );
        assert_eq!(error.source().unwrap().to_string(), "format version 9 is unknown here");
    }
}
