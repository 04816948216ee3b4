//! What can go wrong with checkpoints.

use std::error::Error;
use std::fmt;

/// Why a checkpoint could not be saved or recovered. `E` is the error of the log.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckpointError<E> {
    /// The log failed.
    Log(E),
    /// A checkpoint is damaged or incomplete. Nothing was recovered.
    Damaged {
        /// The number of the damaged checkpoint in the log.
        sequence: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The log has checkpoints of another kind of table. Nothing was read or written.
    OtherTable {
        /// The table of the checkpoints.
        stored: TableKind,
        /// The table of this call.
        given: TableKind,
    },
    /// Somebody else has written to the log since this store was opened. Nothing was written.
    Overtaken {
        /// The number that the checkpoint would have had.
        sequence: u64,
    },
    /// An epoch was closed before another one was, and is written after it. It was not written, and the next checkpoint
    /// is a full one.
    OutOfOrder {
        /// The number of the epoch.
        epoch: u64,
    },
    /// The table is too long for this machine's memory.
    TooLong {
        /// The length of the table.
        len: u64,
    },
}

/// The algebra and the length of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableKind {
    /// The algebra, by its number: [`Algebra::ID`](atomik_core::Algebra::ID).
    pub algebra: u8,
    /// The length.
    pub len: u64,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algebra = match self.algebra {
            0 => "Xor",
            1 => "Add",
            _ => "an unknown algebra",
        };
        write!(f, "a table of {} on {algebra}", self.len)
    }
}

impl<E: fmt::Display> fmt::Display for CheckpointError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(_) => f.write_str("the log of the checkpoints failed"),
            Self::Damaged { sequence, what } => write!(
                f,
                "checkpoint {sequence} is damaged: {what}. Restore a copy of the file, or call \
                 `recover_intact` to go back to the last checkpoint before the damage"
            ),
            Self::OtherTable { stored, given } => {
                write!(f, "the checkpoints are of {stored}, and not of {given}")
            }
            Self::Overtaken { sequence } => write!(
                f,
                "checkpoint {sequence} exists already: another process writes to the same store. Only one may"
            ),
            Self::OutOfOrder { epoch } => {
                write!(
                    f,
                    "epoch {epoch} does not continue the last checkpoint; the next one saves all states"
                )
            }
            Self::TooLong { len } => write!(f, "there is no memory for a table of {len}"),
        }
    }
}

impl<E: Error + 'static> Error for CheckpointError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Log(error) => Some(error),
            _ => None,
        }
    }
}
