//! What a packet did, and why the rest of it was refused.

use core::error::Error;
use core::fmt;

use crate::packet_error::PacketErrorKind;

/// What a packet did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Frames that led to a new version of their shard.
    pub applied: usize,
    /// Frames that were known already.
    pub known: usize,
    /// Frames that start from a version that is not known here. They changed nothing, and the peer will be asked for
    /// what is missing.
    pub gaps: usize,
    /// Shards of which the peer's version vector has later versions. The peer will be asked for them.
    pub behind: usize,
    /// Whether a version vector of the peer arrived, or a piece of one, as a heartbeat has.
    pub version_vector: bool,
    /// Whether the peer was heard out: its whole version vector arrived, and nothing in it is later than what is here.
    pub heard_out: bool,
    /// Whether frames were not taken because this start [waits](crate::Replica::is_waiting) for a member.
    pub waiting: bool,
    /// Frames that were not taken, because their start has ended and no member has reported so late a version: the
    /// start that folds it would not hear of it. [`Event::Late`](crate::Event::Late) names them.
    pub late: u32,
    /// Sections that were skipped because their origin would be one more than this replica may know.
    pub over_bound: usize,
    /// Sections that were skipped, or in part, because they have addresses beyond the table: the peer's is longer.
    pub beyond_table: usize,
    /// Sections that were skipped because they have versions of the own plane which this replica did not make.
    pub cloned: usize,
    /// Sections that were skipped because this version of the crate does not know their kind or something that their
    /// headers ask for.
    pub unsupported: usize,
}

impl Received {
    /// Takes the effect of one more section into account.
    pub(crate) fn add(&mut self, other: Self) {
        self.applied += other.applied;
        self.known += other.known;
        self.gaps += other.gaps;
        self.behind += other.behind;
        self.version_vector |= other.version_vector;
        self.heard_out |= other.heard_out;
        self.waiting |= other.waiting;
        self.late += other.late;
        self.over_bound += other.over_bound;
        self.beyond_table += other.beyond_table;
        self.cloned += other.cloned;
        self.unsupported += other.unsupported;
    }

    /// The effect of a section that is skipped for this reason, or the reason if it ends the packet.
    pub(crate) fn of_skipped(kind: PacketErrorKind) -> Result<Self, PacketErrorKind> {
        let mut received = Self::default();
        match kind {
            PacketErrorKind::TooManyOrigins { .. } => received.over_bound = 1,
            PacketErrorKind::BeyondTable { .. } => received.beyond_table = 1,
            PacketErrorKind::ClonedIdentity { .. } => received.cloned = 1,
            PacketErrorKind::Unsupported { field, .. } if field.is_beyond_the_format() => {
                received.unsupported = 1
            }
            _ => return Err(kind),
        }
        Ok(received)
    }
}

/// A packet ended with a damaged section.
///
/// A packet is a sequence of sections, which take effect one after the other. The sections before the damaged one have
/// taken effect. The damaged one and those after it have not. Sections that this replica does not take for other
/// reasons end no packet. They are skipped and counted in [`Received`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketError {
    /// The offset in the packet at which the damaged section begins, in bytes.
    pub at: usize,
    /// What is wrong with the section.
    pub kind: PacketErrorKind,
    /// What the sections before it did.
    pub received: Received,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the section at byte {} was refused: {}", self.at, self.kind)
    }
}

impl Error for PacketError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet_error::PacketField;
    use alloc::string::ToString;

    #[test]
    fn only_what_a_later_version_may_add_is_skipped() {
        let of = |field| Received::of_skipped(PacketErrorKind::Unsupported { field, found: 9 });
        for field in [PacketField::Kind, PacketField::Folds, PacketField::FoldTag, PacketField::Reserved] {
            assert_eq!(of(field).map(|received| received.unsupported), Ok(1));
        }
        for field in [PacketField::Magic, PacketField::Format] {
            assert!(of(field).is_err());
        }
    }

    #[test]
    fn a_packet_error_prints_its_place_and_its_kind_and_has_no_source() {
        let kind = PacketErrorKind::Unsupported { field: PacketField::Format, found: 9 };
        let error = PacketError { at: 128, kind, received: Received::default() };
        assert_eq!(
            error.to_string(),
            "the section at byte 128 was refused: version 9 of the format is not known here"
        );
        assert!(error.source().is_none());
    }
}
