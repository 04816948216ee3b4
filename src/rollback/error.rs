//! Why an undo stack could not go back to a checkpoint.

use core::error::Error;
use core::fmt;

use alloc::string::String;

/// Why an undo stack could not go back to a checkpoint. Nothing was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollbackError {
    /// There is no checkpoint of this name. It was never set, or it was forgotten: by a call, with the undone
    /// levels that an edit discarded, or because its level collapsed.
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// The levels before the checkpoint have been undone, so it lies ahead. Redo leads to it.
    Undone {
        /// The name that was asked for.
        name: String,
    },
}

impl fmt::Display for RollbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "there is no checkpoint {name:?}"),
            Self::Undone { name } => write!(f, "the levels before checkpoint {name:?} have been undone"),
        }
    }
}

impl Error for RollbackError {}

#[cfg(test)]
mod tests;
