//! What can go wrong with shared files.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::layout::FileKind;

/// Why a shared file could not be created, opened or used. It names the file.
#[derive(Debug)]
pub struct SharedError {
    path: PathBuf,
    kind: SharedErrorKind,
}

impl SharedError {
    pub(crate) fn new(path: &Path, kind: SharedErrorKind) -> Self {
        Self { path: path.to_owned(), kind }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &SharedErrorKind {
        &self.kind
    }

    /// The file. For a memfd it is `memfd`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What is wrong with a shared file, or with what was asked of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum SharedErrorKind {
    /// A system call failed.
    Io {
        /// What the call was to do, as in "map the file".
        what: &'static str,
        /// Its error.
        error: io::Error,
    },
    /// There is such a file already, and it was left as it is.
    AlreadyExists,
    /// It is no regular file.
    NotAFile,
    /// It is on a file system on which locks or shared mappings don't hold between all its users.
    FileSystem {
        /// The name of the file system.
        name: &'static str,
    },
    /// It does not begin as a file of this crate does.
    Foreign,
    /// It was written on a machine with another byte order.
    OtherByteOrder,
    /// It has a format that this version of the crate does not read.
    OtherVersion {
        /// The format version of the file.
        found: u32,
        /// The least format version that a reader of the file must know.
        least: u32,
    },
    /// It is on another algebra.
    OtherAlgebra {
        /// The number of the file's algebra: [`Algebra::ID`](atomik_core::Algebra::ID).
        found: u32,
        /// The number of the algebra that was asked for.
        expected: u32,
    },
    /// It is of another kind.
    OtherKind {
        /// The kind of the file.
        found: FileKind,
        /// The kind that was asked for.
        expected: FileKind,
    },
    /// It has another length.
    OtherLength {
        /// The number of addresses of the file.
        found: u64,
        /// The number that was asked for.
        expected: u64,
    },
    /// It has another number of lanes.
    OtherLanes {
        /// The number of lanes of the file.
        found: u64,
        /// The number that was asked for.
        expected: u64,
    },
    /// It has less or more room for metadata.
    OtherMetadata {
        /// The bytes for metadata of the file.
        found: u64,
        /// The bytes that were asked for.
        expected: u64,
    },
    /// It ends too early.
    Truncated {
        /// The number of bytes that it should have.
        expected: u64,
        /// The number of bytes that it has.
        found: u64,
    },
    /// It goes on after its end.
    TrailingBytes {
        /// The number of bytes that it should have.
        expected: u64,
        /// The number of bytes that it has.
        found: u64,
    },
    /// Its creation was not finished.
    Unfinished,
    /// Its header is damaged.
    Damaged {
        /// What is wrong with it.
        what: &'static str,
    },
    /// It would be too large, or it would have no lane or more than 2²⁰.
    Unsuitable {
        /// The number of addresses that was asked for.
        len: usize,
        /// The number of lanes that was asked for.
        lanes: usize,
        /// The bytes for metadata that were asked for.
        metadata: usize,
    },
    /// Every lane has an owner that is alive.
    NoFreeLane {
        /// The number of lanes.
        lanes: usize,
    },
    /// There is no room for the metadata.
    MetadataFull {
        /// The bytes that the entry takes.
        needed: usize,
        /// The bytes that are left.
        left: usize,
    },
    /// The handle belongs to the process from which this one was forked. Open the file again.
    Forked,
    /// The memfd may still be shrunk, which would kill its readers.
    NotSealed,
}

impl fmt::Display for SharedErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, .. } => write!(f, "could not {what}"),
            Self::AlreadyExists => f.write_str("the file exists already"),
            Self::NotAFile => f.write_str("it is no regular file"),
            Self::FileSystem { name } => write!(
                f,
                "on {name}, locks or shared mappings don't hold between all users of a file; use a local file system"
            ),
            Self::Foreign => f.write_str("it is no file of atomik-shared"),
            Self::OtherByteOrder => f.write_str("it was written on a machine with another byte order"),
            Self::OtherVersion { found, least } => {
                write!(f, "it has format {found}, which needs a reader of format {least} or later")
            }
            Self::OtherAlgebra { found, expected } => {
                write!(f, "it is on {}, and not on {}", algebra_name(*found), algebra_name(*expected))
            }
            Self::OtherKind { found, expected } => write!(f, "it is {found}, and not {expected}"),
            Self::OtherLength { found, expected } => {
                write!(f, "it has {found} addresses, and not {expected}")
            }
            Self::OtherLanes { found, expected } => write!(f, "it has {found} lanes, and not {expected}"),
            Self::OtherMetadata { found, expected } => {
                write!(f, "it has {found} bytes for metadata, and not {expected}")
            }
            Self::Truncated { expected, found } => {
                write!(f, "it is truncated: it has {found} bytes of {expected}")
            }
            Self::TrailingBytes { expected, found } => {
                write!(f, "it has {found} bytes, which is more than its {expected}")
            }
            Self::Unfinished => f.write_str("its creation was not finished"),
            Self::Damaged { what } => write!(f, "its header is damaged: {what}"),
            Self::Unsuitable { len, lanes, metadata } => write!(
                f,
                "there can't be a file of {len} addresses, {lanes} lanes and {metadata} bytes for metadata"
            ),
            Self::NoFreeLane { lanes } => write!(f, "all {lanes} lanes have owners that are alive"),
            Self::MetadataFull { needed, left } => {
                write!(f, "there are {left} bytes left for metadata, and {needed} are needed")
            }
            Self::Forked => f.write_str("this process was forked from the one that opened the file"),
            Self::NotSealed => f.write_str("it is no memfd that is sealed against shrinking"),
        }
    }
}

fn algebra_name(id: u32) -> String {
    match id {
        0 => "Xor".to_owned(),
        1 => "Add".to_owned(),
        other => format!("the unknown algebra {other}"),
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.kind)
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            SharedErrorKind::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
