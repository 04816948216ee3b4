//! Edits that are undone as one.

use core::fmt;
use core::mem;

use alloc::vec::Vec;

use super::history::{Edit, History};
use crate::algebra::Algebra;
use crate::context::Source;

/// The edits of a group that is open. When it is dropped, they become one level, or edits of the group around it.
pub(super) struct OpenGroup<'a, A: Algebra, E: Edit<A>> {
    history: &'a mut History<A, E>,
    /// The edits of the group around this one.
    outer: Option<&'a mut Vec<E>>,
    edits: Vec<E>,
}

impl<'a, A: Algebra, E: Edit<A>> OpenGroup<'a, A, E> {
    pub(super) fn new(history: &'a mut History<A, E>) -> Self {
        Self { history, outer: None, edits: Vec::new() }
    }

    pub(super) fn nested(&mut self) -> OpenGroup<'_, A, E> {
        OpenGroup { history: self.history, outer: Some(&mut self.edits), edits: Vec::new() }
    }

    pub(super) fn push(&mut self, edit: E) {
        self.edits.push(edit);
    }

    /// Forgets the edits and returns their composition.
    pub(super) fn cancel(mut self) -> E {
        E::compose(&mem::take(&mut self.edits))
    }

    pub(super) fn len(&self) -> usize {
        self.edits.len()
    }
}

impl<A: Algebra, E: Edit<A>> Drop for OpenGroup<'_, A, E> {
    fn drop(&mut self) {
        match &mut self.outer {
            Some(outer) => outer.append(&mut self.edits),
            None => self.history.record(E::compose(&self.edits)),
        }
    }
}

/// A group of edits, which one undo takes back together. [`Rollback::group`](crate::Rollback::group) opens it,
/// and dropping it closes it.
///
/// Each edit changes the state at once, so other threads can see a part of a group. When the group is dropped, its
/// edits become one level. **That also happens on an early return and while a panic unwinds**: the edits made so
/// far are then one level, and one undo takes them back. [`cancel`](Self::cancel) takes them back at once. A group
/// whose edits compose to the identity makes no level, and leaves the undone levels as they were.
///
/// While a group is open, its undo stack is borrowed, so nothing can be undone in the middle of it. Groups nest: an
/// inner group becomes a part of the outer one.
///
/// A group that is forgotten by [`mem::forget`] leaves its edits in the state, and the stack does not know of
/// them, as if another writer had made them.
///
/// ```
/// use atomik_core::{Counter, Rollback};
///
/// let cents = Counter::new(1_000);
/// let mut edits = Rollback::new(&cents);
/// let mut order = edits.group();
/// order.apply(250);
/// order.apply(30);
/// drop(order);
/// assert_eq!((cents.read(), edits.undo_levels()), (1_280, 1));
/// assert_eq!(edits.undo(), Some(280));
/// ```
#[must_use = "a group that is dropped at once has no edits"]
pub struct EditGroup<'a, S: Source> {
    target: &'a S,
    edits: OpenGroup<'a, S::Algebra, u64>,
}

impl<'a, S: Source> EditGroup<'a, S> {
    pub(super) fn new(target: &'a S, history: &'a mut History<S::Algebra, u64>) -> Self {
        Self { target, edits: OpenGroup::new(history) }
    }

    /// Accumulates a delta into the state, as an edit of this group.
    pub fn apply(&mut self, delta: u64) {
        if delta != S::Algebra::IDENTITY {
            self.target.accum(delta);
            self.edits.push(delta);
        }
    }

    /// Opens a group inside this one. Its edits become edits of this group when it is dropped, unless it is
    /// cancelled.
    ///
    /// ```
    /// use atomik_core::{Counter, Rollback};
    ///
    /// let counter = Counter::new(0);
    /// let mut edits = Rollback::new(&counter);
    /// let mut outer = edits.group();
    /// outer.apply(1);
    /// let mut inner = outer.group();
    /// inner.apply(10);
    /// inner.cancel();
    /// outer.apply(100);
    /// drop(outer);
    /// assert_eq!(edits.undo(), Some(101));
    /// ```
    pub fn group(&mut self) -> EditGroup<'_, S> {
        EditGroup { target: self.target, edits: self.edits.nested() }
    }

    /// Takes all edits of the group back by one `accum`, and returns what they composed to. No level is made, and the
    /// undone levels stay as they were.
    pub fn cancel(self) -> u64 {
        let delta = self.edits.cancel();
        self.target.accum(S::Algebra::invert(delta));
        delta
    }

    /// What the undo stack works on.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        self.target
    }
}

impl<S: Source> fmt::Debug for EditGroup<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditGroup").field("edits", &self.edits.len()).finish_non_exhaustive()
    }
}
