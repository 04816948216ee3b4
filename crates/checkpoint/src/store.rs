//! The store: what is saved when.

mod recovery;

use std::fmt;
use std::num::NonZeroU64;
use std::path::Path;

use atomik_core::{Algebra, DeltaBatch, Epoch, Source, TableEpoch, TableRead};

use crate::codec::{full_count, full_pieces, header_checksum, sparse_count, sparse_pieces};
use crate::database::SqliteError;
use crate::digest::Digest;
use crate::error::{CheckpointError, TableKind};
use crate::log::{CheckpointHeader, CheckpointKind, CheckpointLog};
use crate::sqlite_log::SqliteLog;

/// Checkpoints of one table, or of one state, that outlive the process.
///
/// [`save`](Self::save) closes an epoch of an observer and writes what has changed in it, together with bytes of the
/// caller's own, in one transaction. After a restart, [`recover`](Self::recover) returns both as they were saved last.
///
/// ```
/// use atomik_checkpoint::CheckpointStore;
/// use atomik_core::{Add, Table};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("totals.db");
/// let mut store = CheckpointStore::open(&path)?;
/// let (table, mut epoch, mut offset) = match store.recover::<Add>()? {
///     Some(recovered) => {
///         let table = std::sync::Arc::new(recovered.to_table());
///         let offset = u64::from_be_bytes(recovered.caller().try_into()?);
///         (table.clone(), recovered.resume(table), offset)
///     }
///     None => {
///         let table = std::sync::Arc::new(Table::<Add>::new(1_000));
///         (table.clone(), atomik_core::TableEpoch::new(table), 0)
///     }
/// };
///
/// table[7].accum(42); // the deltas of the input up to the offset
/// offset += 1;
/// store.save(&mut epoch, &offset.to_be_bytes())?;
/// # drop(store);
/// # let recovered = CheckpointStore::open(&path)?.recover::<Add>()?.unwrap();
/// # assert_eq!((recovered.epoch(), recovered.states()[7], recovered.caller()), (0, 42, &1u64.to_be_bytes()[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a checkpoint contains
///
/// It contains the states that the observer read when its epoch closed. These are not of one instant while writers are
/// at work. **Where the caller's bytes say how far the input has been processed, the writers have to pause while `save`
/// closes the epoch**, so that the states contain the input up to there and no more. The example `exactly_once` shows
/// how; [`close`](Self::close) and [`write`](Self::write) are the two halves of `save`, so that writers pause for the
/// first only.
///
/// # Cost
///
/// *Time.* Closing an epoch reads the table and the observer's reference, the latter twice. Writing it waits once for the
/// disk. `BENCHMARKS.md` of the repository has the times of a million states.
///
/// *Memory.* A closed epoch has 12 bytes for each address that changed, or a copy of all states for a full checkpoint.
/// It is written in pieces of half a megabyte. The store itself keeps no states. A recovery takes 8 bytes for each
/// address, and the rows of the checkpoints that it reads.
///
/// *Disk.* A sparse checkpoint takes 12 bytes for each address that changed, and a full one 8 for each address, apart
/// from runs of 65,536 states that are all the identity. The file holds one full checkpoint and the sparse ones after
/// it; while the next full one is written, it holds both, and then reuses the space. SQLite's log of writes beside the
/// file grows to 4 MB, or to the size of the largest checkpoint if that is more. It is removed when the store is closed.
///
/// # One writer
///
/// One store belongs to one observer. If the epoch that is saved does not start from the states that were saved or
/// recovered last, as with another observer, a full checkpoint is written. If another process writes to the same file,
/// the next call fails with [`CheckpointError::Overtaken`].
pub struct CheckpointStore<L = SqliteLog> {
    log: L,
    full_every: NonZeroU64,
    /// The last checkpoint in the log.
    last: Option<Last>,
    /// The number of epochs that were closed, and the number of the one that was written last.
    closed: u64,
    written: u64,
    /// What a sparse checkpoint may continue; `None` if the next checkpoint has to be full.
    sparse_from: Option<SparseFrom>,
}

/// The last checkpoint in a log.
#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: u64,
    table: TableKind,
    /// Whether its header matches its checksum.
    is_intact: bool,
}

impl Last {
    fn of(header: &CheckpointHeader) -> Self {
        let is_intact = header.checksum == header_checksum(header);
        Self { sequence: header.sequence, table: table_of(header), is_intact }
    }
}

/// The checkpoint before a sparse one.
#[derive(Clone, Debug)]
struct SparseFrom {
    /// The states of the checkpoint. An observer that starts its epoch from other states is not the one that was saved.
    states: Digest,
    /// The epoch that comes next.
    next_epoch: u64,
    /// The number of sparse checkpoints since the last full one.
    sparse: u64,
}

/// An epoch that was closed, and that is not written yet.
#[derive(Debug)]
#[must_use = "the deltas of a closed epoch can't be had again: write it"]
pub struct ClosedEpoch<A: Algebra> {
    /// The number of the epoch.
    number: u64,
    /// How many epochs were closed before this one.
    order: u64,
    contents: Contents<A>,
    /// The states at the end of the epoch.
    states: Digest,
    table: TableKind,
}

#[derive(Debug)]
enum Contents<A: Algebra> {
    Full(Vec<u64>),
    Sparse(DeltaBatch<A>),
}

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The number of the epoch that the checkpoint closed.
    pub epoch: u64,
    /// What it contains.
    pub kind: CheckpointKind,
    /// The number of checkpoints saved since the log was created. It never goes down.
    pub checkpoints: u64,
}

/// How far a recovery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// The pieces that have been read.
    pub done: u64,
    /// All pieces that are to be read.
    pub total: u64,
}

impl CheckpointStore {
    /// Opens the store in a file of SQLite, and creates the file if there is none. It is created completely or not at
    /// all, and never overwritten.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Log`] if the file can't be used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError<SqliteError>> {
        Self::with_log(SqliteLog::open(path).map_err(CheckpointError::Log)?)
    }
}

impl<L: CheckpointLog> CheckpointStore<L> {
    /// A store on a log of the caller's.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Log`] if the log can't be read.
    pub fn with_log(log: L) -> Result<Self, CheckpointError<L::Error>> {
        let full_every = const { NonZeroU64::new(64).unwrap() };
        let mut store = Self { log, full_every, last: None, closed: 0, written: 0, sparse_from: None };
        store.find_last()?;
        Ok(store)
    }

    /// Sets how many checkpoints there are for a full one: 64 unless set. With more, checkpoints write less, and a
    /// recovery takes longer.
    #[must_use]
    pub fn with_full_every(self, checkpoints: NonZeroU64) -> Self {
        Self { full_every: checkpoints, ..self }
    }

    /// Closes the open epoch of an observer and saves the states, with bytes of the caller's own. When this returns,
    /// the checkpoint is on the disk.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::OtherTable`] if the store has checkpoints of another table, and [`CheckpointError::Damaged`]
    /// if the last one is damaged; then the epoch is still open. If the log fails, the epoch is closed and nothing is
    /// saved. The next checkpoint then is a full one, so the deltas of that epoch are not lost.
    pub fn save<S: TableRead>(
        &mut self,
        epoch: &mut TableEpoch<S>,
        caller: &[u8],
    ) -> Result<Saved, CheckpointError<L::Error>> {
        let closed = self.close(epoch)?;
        self.write(closed, caller)
    }

    /// The first half of [`save`](Self::save): closes the open epoch. It reads the table and does not wait for the
    /// disk.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::OtherTable`] if the store has checkpoints of another table; then the epoch is still open.
    pub fn close<S: TableRead>(
        &mut self,
        epoch: &mut TableEpoch<S>,
    ) -> Result<ClosedEpoch<S::Algebra>, CheckpointError<L::Error>> {
        let table = TableKind { algebra: S::Algebra::ID, len: epoch.reference().len() as u64 };
        self.check_table(table)?;
        let number = epoch.number();
        let from = self.sparse_from.as_ref().filter(|from| {
            from.next_epoch == number
                && from.sparse + 1 < self.full_every.get()
                && from.states == Digest::of(epoch.reference())
        });
        let mut states = from.map(|from| from.states.clone());
        let batch = epoch.swap();
        // A sparse checkpoint that takes more room than a full one has no advantage.
        states.take_if(|_| batch.len() as u64 * 3 / 2 >= table.len);
        let (contents, states) = match states {
            Some(mut states) => {
                states.follow(&batch, epoch.reference());
                (Contents::Sparse(batch), states)
            }
            None => (Contents::Full(epoch.reference().to_vec()), Digest::of(epoch.reference())),
        };
        self.closed += 1;
        Ok(ClosedEpoch { number, order: self.closed, contents, states, table })
    }

    /// The second half of [`save`](Self::save): writes a closed epoch. Epochs have to be written in the order in which
    /// they were closed, by the store that closed them.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub fn write<A: Algebra>(
        &mut self,
        closed: ClosedEpoch<A>,
        caller: &[u8],
    ) -> Result<Saved, CheckpointError<L::Error>> {
        let ClosedEpoch { number, order, contents, states, table } = closed;
        self.check_table(table)?;
        let sequence = self.last.map_or(0, |last| last.sequence) + 1;
        let (kind, pieces) = match &contents {
            Contents::Full(states) => (CheckpointKind::Full, full_count::<A>(states)),
            Contents::Sparse(batch) => (CheckpointKind::Sparse, sparse_count(batch)),
        };
        // Until the log has it, a sparse checkpoint could not continue from here.
        let from = self.sparse_from.take();
        let continues = from.as_ref().is_some_and(|from| from.next_epoch == number);
        if order <= self.written || (kind == CheckpointKind::Sparse && !continues) {
            return Err(CheckpointError::OutOfOrder { epoch: number });
        }
        self.written = order;
        let mut header = CheckpointHeader {
            sequence,
            epoch: number,
            kind,
            algebra: table.algebra,
            len: table.len,
            pieces: pieces as u64,
            caller: caller.to_vec(),
            checksum: 0,
        };
        header.checksum = header_checksum(&header);
        let appended = match &contents {
            Contents::Full(states) => self.log.append(&header, &mut full_pieces::<A>(sequence, states)),
            Contents::Sparse(batch) => self.log.append(&header, &mut sparse_pieces(sequence, batch)),
        };
        match appended {
            Ok(true) => {}
            Ok(false) => return Err(CheckpointError::Overtaken { sequence }),
            Err(error) => {
                // The log may have it all the same, if only the answer got lost.
                if self.log.last().is_ok_and(|last| last == Some(header)) {
                    self.last = Some(Last { sequence, table, is_intact: true });
                }
                return Err(CheckpointError::Log(error));
            }
        }
        self.last = Some(Last { sequence, table, is_intact: true });
        let sparse = match kind {
            CheckpointKind::Full => 0,
            CheckpointKind::Sparse => from.map_or(0, |from| from.sparse) + 1,
        };
        self.sparse_from = Some(SparseFrom { states, next_epoch: number.wrapping_add(1), sparse });
        Ok(Saved { epoch: number, kind, checkpoints: sequence })
    }

    /// Closes the open epoch of an observer of a single state and saves the state: [`save`](Self::save) for a table of
    /// one address.
    ///
    /// ```
    /// use atomik_checkpoint::CheckpointStore;
    /// use atomik_core::{Add, Epoch, FanIn};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("orders.db");
    /// let mut store = CheckpointStore::open(&path)?;
    /// let orders = FanIn::<Add>::new(0);
    /// let mut epoch = orders.epoch();
    /// orders.accum(1_000);
    /// store.save_state(&mut epoch, b"")?;
    /// # drop((epoch, store));
    ///
    /// // The next process:
    /// let mut store = CheckpointStore::open(&path)?;
    /// let checkpoint = store.recover::<Add>()?.and_then(|recovered| recovered.checkpoint()).unwrap();
    /// let orders = FanIn::<Add>::new(checkpoint.state);
    /// let mut epoch = Epoch::resume(&orders, checkpoint);
    /// orders.accum(7);
    /// assert_eq!(epoch.swap().delta, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub fn save_state<S: Source>(
        &mut self,
        epoch: &mut Epoch<S>,
        caller: &[u8],
    ) -> Result<Saved, CheckpointError<L::Error>> {
        let table = TableKind { algebra: S::Algebra::ID, len: 1 };
        self.check_table(table)?;
        let checkpoint = epoch.swap();
        let contents: Contents<S::Algebra> = Contents::Full(vec![checkpoint.state]);
        let states = Digest::of(&[checkpoint.state]);
        self.closed += 1;
        self.write(
            ClosedEpoch { number: checkpoint.epoch, order: self.closed, contents, states, table },
            caller,
        )
    }

    /// The log.
    #[must_use]
    pub fn get_ref(&self) -> &L {
        &self.log
    }

    /// Closes the store and returns the log.
    #[must_use]
    pub fn into_inner(self) -> L {
        self.log
    }

    fn find_last(&mut self) -> Result<(), CheckpointError<L::Error>> {
        let last = self.log.last().map_err(CheckpointError::Log)?;
        self.last = last.as_ref().map(Last::of);
        Ok(())
    }

    fn check_table(&self, given: TableKind) -> Result<(), CheckpointError<L::Error>> {
        match self.last {
            Some(Last { sequence, is_intact: false, .. }) => {
                Err(CheckpointError::Damaged { sequence, what: HEADER_DAMAGED.to_owned() })
            }
            Some(Last { table: stored, .. }) if stored != given => {
                Err(CheckpointError::OtherTable { stored, given })
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with a checkpoint whose header is not the one that was saved.
const HEADER_DAMAGED: &str = "its row does not match its checksum";

fn table_of(header: &CheckpointHeader) -> TableKind {
    TableKind { algebra: header.algebra, len: header.len }
}

impl<L> fmt::Debug for CheckpointStore<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointStore")
            .field("full_every", &self.full_every)
            .field("checkpoints", &self.last.map_or(0, |last| last.sequence))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
