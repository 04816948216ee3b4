//! Undo and redo, 8 bytes a level.

mod error;
mod group;
mod history;
mod names;
mod table_rollback;

use core::fmt;
use core::num::NonZeroUsize;

use alloc::string::String;

pub use error::RollbackError;
pub use group::EditGroup;
pub use table_rollback::{TableEditGroup, TableRollback};

use crate::algebra::Algebra;
use crate::context::Source;
use history::History;

/// An undo stack: the deltas that were applied to a state through it, which can be undone and redone level by
/// level. A level takes 8 bytes, whatever the state stands for.
///
/// `S` is the state, a [`Context`](crate::Context), a [`FanIn`](crate::FanIn) or one entry of a table
/// ([`TableEntry`](crate::TableEntry)), owned, borrowed or in an `Arc`. The stack itself belongs to one thread at a
/// time. For edits of many addresses of a table there is [`TableRollback`].
///
/// ```
/// use atomik_core::{AtomikContext, Rollback};
///
/// let context = AtomikContext::new(0xCAFE);
/// let mut edits = Rollback::new(&context);
/// edits.apply(0x0001);
/// edits.checkpoint("before the experiment");
/// edits.apply(0x0100);
/// edits.apply(0x1000);
/// assert_eq!(edits.undo(), Some(0x1000));
/// assert_eq!(edits.redo(), Some(0x1000));
/// edits.undo_to("before the experiment")?;
/// assert_eq!(context.read(), 0xCAFF);
/// # Ok::<(), atomik_core::RollbackError>(())
/// ```
///
/// # What an undo takes back
///
/// An undo accumulates the inverse of a delta. It does not restore an earlier state. Several stacks, in several
/// threads, can therefore work on one state: each takes back its own deltas, and those of the others stay.
///
/// **A LOAD is different.** [`Context::load`](crate::Context::load) and [`Context::swap`](crate::Context::swap)
/// overwrite the deltas that were accumulated before. A stack can't notice that, because the state is one word and
/// keeps no record. An undo then takes back a delta that the state no longer contains:
///
/// ```
/// use atomik_core::{Counter, Rollback};
///
/// let counter = Counter::new(0);
/// let mut edits = Rollback::new(&counter);
/// edits.apply(5);
/// counter.load(100); // overwrites the 5
/// edits.undo();
/// assert_eq!(counter.read(), 95);
/// ```
///
/// There are two ways out. Call [`clear`](Self::clear) when the state has been loaded. Or set the value by a delta,
/// which can be undone as any other:
///
/// ```
/// use atomik_core::{Add, Algebra, Counter, Rollback};
///
/// let counter = Counter::new(0);
/// let mut edits = Rollback::new(&counter);
/// edits.apply(5);
/// edits.apply(Add::delta(counter.read(), 100));
/// assert_eq!(counter.read(), 100);
/// edits.undo();
/// assert_eq!(counter.read(), 5);
/// ```
///
/// # Levels
///
/// An edit is one level: a call of [`apply`](Self::apply), or a [`group`](Self::group) of them. An edit after an undo
/// discards the levels that were undone. An edit that changes nothing, because its delta is the identity, is no
/// edit: it makes no level and discards none. Two levels that cancel each other stay levels, also when they collapse
/// into one ([`with_depth`](Self::with_depth)); an undo of that one returns the identity.
///
/// # Checkpoints
///
/// [`checkpoint`](Self::checkpoint) names a position between two levels. A name is forgotten with its position:
/// when an edit discards the undone level before it, or when the levels on both sides of it collapse
/// ([`with_depth`](Self::with_depth)). So a stack of bounded depth keeps names for no more positions than it has
/// levels, and one for the start. Names that are set at one and the same position are all kept.
///
/// # Cost
///
/// Each method that changes the state does so by one `accum`, with the progress guarantee and the ordering of
/// that, and takes O(1) beside it. There are two exceptions. [`undo_to`](Self::undo_to) and the end of a group take
/// O(n) for the n levels or edits that they compose. A name takes O(log m) to set and to forget, where m is the number
/// of names; an edit that forgets names takes that for each of them, so over the life of a stack forgetting costs no
/// more than setting.
pub struct Rollback<S: Source> {
    target: S,
    history: History<S::Algebra, u64>,
}

impl<S: Source> Rollback<S> {
    /// Creates an empty stack of unbounded depth.
    #[must_use]
    pub fn new(target: S) -> Self {
        Self { target, history: History::new(None) }
    }

    /// Creates an empty stack of at most `depth` levels. When an edit would make one more, the two oldest levels
    /// collapse into one, which is undone as one. The names between them are forgotten.
    ///
    /// ```
    /// use core::num::NonZeroUsize;
    /// use atomik_core::{Counter, Rollback};
    ///
    /// let counter = Counter::new(0);
    /// let mut edits = Rollback::with_depth(&counter, NonZeroUsize::new(2).unwrap());
    /// for delta in [1, 10, 100] {
    ///     edits.apply(delta);
    /// }
    /// assert_eq!(edits.undo(), Some(100));
    /// assert_eq!(edits.undo(), Some(11));
    /// assert_eq!(counter.read(), 0);
    /// ```
    #[must_use]
    pub fn with_depth(target: S, depth: NonZeroUsize) -> Self {
        Self { target, history: History::new(Some(depth)) }
    }

    /// Accumulates a delta into the state, as a new level. Levels that were undone before can't be redone any more.
    ///
    /// The identity is no edit. It changes nothing, here and in the state.
    pub fn apply(&mut self, delta: u64) {
        if delta != S::Algebra::IDENTITY {
            self.target.accum(delta);
            self.history.record(delta);
        }
    }

    /// Opens a group of edits, which one undo takes back together. Dropping the group closes it;
    /// [`EditGroup`] says what happens on an early return and on a panic.
    ///
    /// ```
    /// use atomik_core::{Counter, Rollback};
    ///
    /// let counter = Counter::new(0);
    /// let mut edits = Rollback::new(&counter);
    /// let mut group = edits.group();
    /// (1..=4).for_each(|delta| group.apply(delta));
    /// drop(group);
    /// assert_eq!(edits.undo(), Some(10));
    /// ```
    pub fn group(&mut self) -> EditGroup<'_, S> {
        EditGroup::new(&self.target, &mut self.history)
    }

    /// Takes the latest level back and returns its delta, or `None` if there is none left to undo.
    pub fn undo(&mut self) -> Option<u64> {
        let delta = *self.history.undo()?;
        self.target.accum(S::Algebra::invert(delta));
        Some(delta)
    }

    /// Applies the level that was undone last again and returns its delta, or `None` if there is none.
    pub fn redo(&mut self) -> Option<u64> {
        let delta = *self.history.redo()?;
        self.target.accum(delta);
        Some(delta)
    }

    /// Names the present position, so that [`undo_to`](Self::undo_to) can go back to it. A name that is set
    /// elsewhere moves here.
    pub fn checkpoint(&mut self, name: impl Into<String>) {
        self.history.checkpoint(name.into());
    }

    /// Undoes all levels that were applied since a checkpoint, by one `accum`. Returns what they composed to, which
    /// is the identity if there were none. They can be redone.
    ///
    /// # Errors
    ///
    /// Nothing is undone if there is no such checkpoint ([`RollbackError::Unknown`]), or if it is ahead, because the
    /// levels before it have been undone ([`RollbackError::Undone`]).
    pub fn undo_to(&mut self, name: &str) -> Result<u64, RollbackError> {
        let delta = self.history.undo_to(name)?;
        self.target.accum(S::Algebra::invert(delta));
        Ok(delta)
    }

    /// Whether the stack is at a checkpoint: `false` if there is none of this name.
    ///
    /// This is the modified flag of an editor. Set a checkpoint each time the document is saved; the document is
    /// unmodified while the stack is at it. Undoing past the checkpoint makes the document modified, and redoing
    /// makes it unmodified again. An edit after such an undo makes the saved position unreachable, and the document
    /// stays modified until it is saved again.
    ///
    /// The flag is about positions in this stack, and not about states. Two edits that cancel each other are two
    /// levels, and deltas of other writers don't count. To ask about the state, use
    /// [`Epoch::is_clean`](crate::Epoch::is_clean).
    ///
    /// ```
    /// use atomik_core::{Counter, Rollback};
    ///
    /// let counter = Counter::new(0);
    /// let mut edits = Rollback::new(&counter);
    /// edits.apply(1);
    /// edits.checkpoint("saved");
    /// assert!(edits.is_at("saved"));
    ///
    /// edits.apply(2);
    /// assert!(!edits.is_at("saved"));
    /// edits.undo();
    /// assert!(edits.is_at("saved"));
    ///
    /// edits.undo();
    /// edits.apply(3); // what was saved can't be reached any more
    /// assert!(!edits.is_at("saved"));
    /// ```
    #[must_use]
    pub fn is_at(&self, name: &str) -> bool {
        self.history.is_at(name)
    }

    /// Forgets a checkpoint, and returns whether there was one of this name.
    pub fn forget(&mut self, name: &str) -> bool {
        self.history.forget(name)
    }

    /// Forgets all levels and leaves the state as it is. Checkpoints at the present position stay, all others are
    /// forgotten.
    ///
    /// Call it when the state has been loaded or swapped, because the levels from before are no longer part of it:
    ///
    /// ```
    /// use atomik_core::{Counter, Rollback};
    ///
    /// let counter = Counter::new(0);
    /// let mut edits = Rollback::new(&counter);
    /// edits.apply(5);
    /// counter.load(100);
    /// edits.clear();
    /// assert_eq!(edits.undo(), None);
    /// assert_eq!(counter.read(), 100);
    /// ```
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

impl<S: Source> fmt::Debug for Rollback<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rollback")
            .field("undo_levels", &self.undo_levels())
            .field("redo_levels", &self.redo_levels())
            .field("depth", &self.history.depth())
            .field("checkpoints", self.history.names())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
