//! What a store of checkpoints needs from the place that keeps them.

use std::error::Error;

/// What a checkpoint contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckpointKind {
    /// The states of all addresses.
    Full,
    /// The deltas since the checkpoint before it.
    Sparse,
}

/// A checkpoint without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointHeader {
    /// The position in the log. The first checkpoint has number 1, and each has one more than the checkpoint before.
    pub sequence: u64,
    /// The number of the epoch that the checkpoint closed.
    pub epoch: u64,
    /// What the pieces contain.
    pub kind: CheckpointKind,
    /// The algebra of the table: [`Algebra::ID`](atomik_core::Algebra::ID).
    pub algebra: u8,
    /// The length of the table.
    pub len: u64,
    /// How many pieces belong to the checkpoint.
    pub pieces: u64,
    /// The caller's own bytes.
    pub caller: Vec<u8>,
    /// The checksum of all other fields.
    pub checksum: u32,
}

/// Some words of a checkpoint: about half a megabyte at most, so that a table of any length fits a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPiece {
    /// The place of the piece in its checkpoint.
    pub index: u64,
    /// Big-endian words: states of 8 bytes in a full checkpoint; in a sparse one an address of 4 bytes and a delta of 8,
    /// in ascending order.
    pub words: Vec<u8>,
    /// The checksum of the words and of their place.
    pub checksum: u32,
}

/// A place that keeps checkpoints in order. [`SqliteLog`](crate::SqliteLog) is the one that comes with this crate;
/// implement this trait to keep them elsewhere.
///
/// A log stores what it is given and judges none of it: the checksums are made and checked by
/// [`CheckpointStore`](crate::CheckpointStore).
pub trait CheckpointLog {
    /// Why the log failed.
    type Error: Error + Send + Sync + 'static;

    /// The header of the last checkpoint, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the log can't be read.
    fn last(&mut self) -> Result<Option<CheckpointHeader>, Self::Error>;

    /// The headers of all checkpoints, in ascending order.
    ///
    /// # Errors
    ///
    /// If the log can't be read.
    fn headers(&mut self) -> Result<Vec<CheckpointHeader>, Self::Error>;

    /// Passes the pieces of a checkpoint to `each`, in ascending order, until it returns `false`.
    ///
    /// # Errors
    ///
    /// If the log can't be read.
    fn pieces(
        &mut self,
        sequence: u64,
        each: &mut dyn FnMut(&CheckpointPiece) -> bool,
    ) -> Result<(), Self::Error>;

    /// Appends a checkpoint, and removes all earlier ones if it is full. Both happen completely and durably, or not at
    /// all.
    ///
    /// Returns `false`, and changes nothing, if the last checkpoint in the log is not number `sequence - 1`: then
    /// somebody else has written to the log.
    ///
    /// # Errors
    ///
    /// If the log can't be written.
    fn append(
        &mut self,
        header: &CheckpointHeader,
        pieces: &mut dyn Iterator<Item = CheckpointPiece>,
    ) -> Result<bool, Self::Error>;

    /// Removes all checkpoints from this number on.
    ///
    /// # Errors
    ///
    /// If the log can't be written.
    fn truncate(&mut self, sequence: u64) -> Result<(), Self::Error>;

    /// Looks for damage that the log itself can find.
    ///
    /// # Errors
    ///
    /// If there is damage, or if the log can't be read.
    fn check(&mut self) -> Result<(), Self::Error>;
}
