//! Undo and redo of whole batches.

use core::fmt;
use core::num::NonZeroUsize;

use alloc::string::String;

use super::RollbackError;
use super::group::OpenGroup;
use super::history::{Edit, History};
use crate::algebra::Algebra;
use crate::delta::{AddressOutOfRange, DeltaBatch};
use crate::table::TableSource;

/// An undo stack for a table: the batches of deltas that were applied to it, which can be undone and redone level by
/// level.
///
/// It is to a table what [`Rollback`](crate::Rollback) is to one state, whose docs say what an undo takes back, what a
/// LOAD does to it, and when a checkpoint is forgotten. An edit is a [`DeltaBatch`]: what one user action changed, at
/// any number of addresses. `S` is a [`Table`](crate::Table) or a [`TableFanIn`](crate::TableFanIn), owned, borrowed or
/// in an `Arc`.
///
/// A batch is applied whole or not at all: [`apply`](Self::apply) checks its addresses first. Other threads can see a
/// part of a batch while it is applied or undone, one address after another.
///
/// A level takes 12 bytes for each address that it changes, and about 50 more.
///
/// ```
/// use atomik_core::{Add, DeltaBatch, Table, TableRollback};
///
/// let stock = Table::<Add>::from_iter([10, 10, 10]);
/// let mut edits = TableRollback::new(&stock);
/// edits.apply(DeltaBatch::from_iter([(0, 5), (2, 1)]))?;
/// assert!(stock.iter().map(|context| context.read()).eq([15, 10, 11]));
///
/// let undone = edits.undo().expect("there is one level");
/// assert_eq!(undone.addresses(), [0, 2]);
/// assert!(stock.iter().map(|context| context.read()).eq([10, 10, 10]));
/// # Ok::<(), atomik_core::AddressOutOfRange>(())
/// ```
pub struct TableRollback<S: TableSource> {
    target: S,
    history: History<S::Algebra, DeltaBatch<S::Algebra>>,
}

impl<A: Algebra> Edit<A> for DeltaBatch<A> {
    fn is_identity(&self) -> bool {
        self.is_empty()
    }

    fn compose<'a>(edits: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::composition(edits)
    }
}

/// Accumulates a batch whose addresses were checked.
fn accumulate<S: TableSource>(target: &S, batch: &DeltaBatch<S::Algebra>) {
    for (addr, delta) in batch {
        target.accum(addr as usize, delta);
    }
}

/// Takes back a batch that was accumulated.
fn take_back<S: TableSource>(target: &S, batch: &DeltaBatch<S::Algebra>) {
    for (addr, delta) in batch {
        target.accum(addr as usize, S::Algebra::invert(delta));
    }
}

impl<S: TableSource> TableRollback<S> {
    /// Creates an empty stack of unbounded depth.
    #[must_use]
    pub fn new(target: S) -> Self {
        Self { target, history: History::new(None) }
    }

    /// Creates an empty stack of at most `depth` levels. When an edit would make one more, the two oldest levels
    /// collapse into one, which is undone as one. The names between them are forgotten.
    ///
    /// A collapse composes two batches, so an edit of a full stack takes O(n) for the n addresses of its two oldest
    /// levels.
    #[must_use]
    pub fn with_depth(target: S, depth: NonZeroUsize) -> Self {
        Self { target, history: History::new(Some(depth)) }
    }

    /// Accumulates a batch into the table, as a new level. Levels that were undone before can't be redone any more.
    ///
    /// An empty batch is no edit. It changes nothing, here and in the table.
    ///
    /// # Errors
    ///
    /// [`AddressOutOfRange`] if the batch has an address past the end of the table. Then nothing was accumulated, and
    /// the levels are as they were.
    pub fn apply(&mut self, batch: DeltaBatch<S::Algebra>) -> Result<(), AddressOutOfRange> {
        batch.check_fits(self.target.table_len())?;
        accumulate(&self.target, &batch);
        self.history.record(batch);
        Ok(())
    }

    /// Opens a group of edits, which one undo takes back together. Dropping the group closes it;
    /// [`TableEditGroup`] says what happens on an early return and on a panic.
    pub fn group(&mut self) -> TableEditGroup<'_, S> {
        TableEditGroup { target: &self.target, edits: OpenGroup::new(&mut self.history) }
    }

    /// Takes the latest level back, by accumulating its [inverse](DeltaBatch::inverse), and returns its batch, or
    /// `None` if there is none left to undo.
    pub fn undo(&mut self) -> Option<&DeltaBatch<S::Algebra>> {
        let batch = self.history.undo()?;
        take_back(&self.target, batch);
        Some(batch)
    }

    /// Applies the level that was undone last again and returns its batch, or `None` if there is none.
    pub fn redo(&mut self) -> Option<&DeltaBatch<S::Algebra>> {
        let batch = self.history.redo()?;
        accumulate(&self.target, batch);
        Some(batch)
    }

    /// Names the present position, so that [`undo_to`](Self::undo_to) can go back to it. A name that is set
    /// elsewhere moves here.
    pub fn checkpoint(&mut self, name: impl Into<String>) {
        self.history.checkpoint(name.into());
    }

    /// Undoes all levels that were applied since a checkpoint. Returns what they composed to, which is empty if there
    /// were none. They can be redone.
    ///
    /// Each address is accumulated into once, however many levels changed it. O(n log n) for n changes in the levels.
    ///
    /// # Errors
    ///
    /// Nothing is undone if there is no such checkpoint ([`RollbackError::Unknown`]), or if it is ahead, because the
    /// levels before it have been undone ([`RollbackError::Undone`]).
    pub fn undo_to(&mut self, name: &str) -> Result<DeltaBatch<S::Algebra>, RollbackError> {
        let batch = self.history.undo_to(name)?;
        take_back(&self.target, &batch);
        Ok(batch)
    }

    /// Whether the stack is at a checkpoint: `false` if there is none of this name. This is the modified flag of an
    /// editor, as [`Rollback::is_at`](crate::Rollback::is_at) explains.
    #[must_use]
    pub fn is_at(&self, name: &str) -> bool {
        self.history.is_at(name)
    }

    /// Forgets a checkpoint, and returns whether there was one of this name.
    pub fn forget(&mut self, name: &str) -> bool {
        self.history.forget(name)
    }

    /// Forgets all levels and leaves the table as it is. Checkpoints at the present position stay, all others are
    /// forgotten. Call it when the table has been loaded, because the levels from before are no longer part of it.
    pub fn clear(&mut self) {
        self.history.clear();
    }

    /// The number of levels that can be undone.
    #[must_use]
    pub fn undo_levels(&self) -> usize {
        self.history.undo_levels()
    }

    /// The number of levels that can be redone.
    #[must_use]
    pub fn redo_levels(&self) -> usize {
        self.history.redo_levels()
    }

    /// What the stack works on.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.target
    }
}

impl<S: TableSource> fmt::Debug for TableRollback<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableRollback")
            .field("undo_levels", &self.undo_levels())
            .field("redo_levels", &self.redo_levels())
            .field("depth", &self.history.depth())
            .field("checkpoints", self.history.names())
            .finish_non_exhaustive()
    }
}

/// A group of batches, which one undo takes back together. [`TableRollback::group`] opens it, and dropping it closes
/// it.
///
/// It is to a table what [`EditGroup`](crate::EditGroup) is to one state. Each batch changes the table at once. When
/// the group is dropped, also on an early return and while a panic unwinds, its batches become one level.
/// [`cancel`](Self::cancel) takes them back at once. Groups nest.
///
/// ```
/// use atomik_core::{Add, AddressOutOfRange, DeltaBatch, Table, TableRollback};
///
/// fn order(edits: &mut TableRollback<&Table<Add>>) -> Result<(), AddressOutOfRange> {
///     let mut group = edits.group();
///     group.apply(DeltaBatch::from_iter([(0, 5)]))?;
///     group.apply(DeltaBatch::from_iter([(9, 1)]))?; // past the end: the first batch is kept as a level
///     Ok(())
/// }
///
/// let stock = Table::<Add>::from_iter([10, 10, 10]);
/// let mut edits = TableRollback::new(&stock);
/// assert!(order(&mut edits).is_err());
/// assert_eq!((stock[0].read(), edits.undo_levels()), (15, 1));
/// edits.undo();
/// assert_eq!(stock[0].read(), 10);
/// ```
#[must_use = "a group that is dropped at once has no edits"]
pub struct TableEditGroup<'a, S: TableSource> {
    target: &'a S,
    edits: OpenGroup<'a, S::Algebra, DeltaBatch<S::Algebra>>,
}

impl<S: TableSource> TableEditGroup<'_, S> {
    /// Accumulates a batch into the table, as an edit of this group.
    ///
    /// # Errors
    ///
    /// [`AddressOutOfRange`] if the batch has an address past the end of the table. Then nothing was accumulated, and
    /// the group is as it was.
    pub fn apply(&mut self, batch: DeltaBatch<S::Algebra>) -> Result<(), AddressOutOfRange> {
        batch.check_fits(self.target.table_len())?;
        accumulate(self.target, &batch);
        self.edits.push(batch);
        Ok(())
    }

    /// Opens a group inside this one. Its edits become edits of this group when it is dropped, unless it is
    /// cancelled.
    pub fn group(&mut self) -> TableEditGroup<'_, S> {
        TableEditGroup { target: self.target, edits: self.edits.nested() }
    }

    /// Takes all edits of the group back, and returns what they composed to. No level is made, and the undone levels
    /// stay as they were.
    pub fn cancel(self) -> DeltaBatch<S::Algebra> {
        let batch = self.edits.cancel();
        take_back(self.target, &batch);
        batch
    }

    /// What the undo stack works on.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        self.target
    }
}

impl<S: TableSource> fmt::Debug for TableEditGroup<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableEditGroup").field("edits", &self.edits.len()).finish_non_exhaustive()
    }
}
