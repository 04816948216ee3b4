//! Why a shared file can't be used.

use core::fmt;

use atomik_shared::SharedError;

/// Why a shared file can't be used, or a series can't be added to it.
#[derive(Debug)]
#[non_exhaustive]
pub enum SharedRecorderError {
    /// The file can't be used.
    File(SharedError),
    /// The table has too few words left.
    Full {
        /// The words that are needed.
        needed: usize,
        /// The words that are left.
        left: usize,
    },
    /// The file's metadata have an entry that is none of this crate's.
    Damaged,
}

impl fmt::Display for SharedRecorderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Full { needed, left } => {
                write!(f, "{needed} words are needed, and the shared file has {left} left")
            }
            Self::Damaged => f.write_str("the shared file names its series in a way that is not understood"),
        }
    }
}

impl core::error::Error for SharedRecorderError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SharedError> for SharedRecorderError {
    fn from(error: SharedError) -> Self {
        Self::File(error)
    }
}
