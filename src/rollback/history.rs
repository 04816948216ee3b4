//! The levels of an undo stack, whatever an edit is.

use core::marker::PhantomData;
use core::num::NonZeroUsize;

use alloc::collections::VecDeque;
use alloc::string::String;

use super::error::RollbackError;
use super::names::Names;
use crate::algebra::Algebra;

/// What a level of an undo stack holds: a delta, or a batch of them.
pub(super) trait Edit<A>: Sized {
    /// Whether the edit changes nothing.
    fn is_identity(&self) -> bool;

    /// What edits add up to.
    fn compose<'a>(edits: impl IntoIterator<Item = &'a Self>) -> Self
    where
        Self: 'a;
}

impl<A: Algebra> Edit<A> for u64 {
    fn is_identity(&self) -> bool {
        *self == A::IDENTITY
    }

    fn compose<'a>(edits: impl IntoIterator<Item = &'a Self>) -> Self {
        edits.into_iter().fold(A::IDENTITY, |total, &delta| A::compose(total, delta))
    }
}

/// The levels of an undo stack and the names of its positions. It records what its owner did to a state, and never
/// touches the state.
///
/// Positions are numbered: 0 is before the oldest level, and `collapsed + i` is after the i-th level, counted from 1.
/// A collapse therefore leaves the numbers of all positions as they are, except for the one that ceases to exist.
pub(super) struct History<A, E> {
    /// The levels, oldest first: the applied ones, then the undone ones.
    levels: VecDeque<E>,
    applied: usize,
    /// How often levels have collapsed: a number of edits ever made, which may exceed a `usize`.
    collapsed: u64,
    depth: Option<NonZeroUsize>,
    names: Names,
    algebra: PhantomData<fn() -> A>,
}

impl<A: Algebra, E: Edit<A>> History<A, E> {
    pub(super) fn new(depth: Option<NonZeroUsize>) -> Self {
        Self {
            levels: VecDeque::new(),
            applied: 0,
            collapsed: 0,
            depth,
            names: Names::new(),
            algebra: PhantomData,
        }
    }

    /// Adds a level for an edit, and discards the undone levels. An edit that changes nothing is ignored.
    pub(super) fn record(&mut self, edit: E) {
        if edit.is_identity() {
            return;
        }
        if self.applied < self.levels.len() {
            self.levels.truncate(self.applied);
            self.names.remove_after(self.position());
        }
        self.levels.push_back(edit);
        self.applied += 1;
        if self.depth.is_some_and(|depth| self.levels.len() > depth.get()) {
            self.collapse();
        }
    }

    /// Makes the two oldest levels one. The position between them ceases to exist, and its names with it.
    fn collapse(&mut self) {
        if let (Some(oldest), Some(next)) = (self.levels.pop_front(), self.levels.front_mut()) {
            *next = E::compose([&oldest, &*next]);
            self.applied -= 1;
            self.collapsed += 1;
            self.names.remove_at(self.collapsed);
        }
    }

    /// Counts the latest applied level as undone and returns it.
    pub(super) fn undo(&mut self) -> Option<&E> {
        self.applied = self.applied.checked_sub(1)?;
        self.levels.get(self.applied)
    }

    /// Counts the earliest undone level as applied and returns it.
    pub(super) fn redo(&mut self) -> Option<&E> {
        let edit = self.levels.get(self.applied)?;
        self.applied += 1;
        Some(edit)
    }

    /// Counts all levels after a checkpoint as undone and returns their composition.
    pub(super) fn undo_to(&mut self, name: &str) -> Result<E, RollbackError> {
        let position = match self.names.position(name) {
            None => return Err(RollbackError::Unknown { name: name.into() }),
            Some(position) if position > self.position() => {
                return Err(RollbackError::Undone { name: name.into() });
            }
            Some(position) => position,
        };
        // The number of levels before it. Only position 0 can be less than `collapsed`.
        let before = position.saturating_sub(self.collapsed) as usize;
        let undone = E::compose(self.levels.range(before..self.applied));
        self.applied = before;
        Ok(undone)
    }

    /// The number of levels that can be undone.
    pub(super) fn undo_levels(&self) -> usize {
        self.applied
    }

    /// The number of levels that can be redone.
    pub(super) fn redo_levels(&self) -> usize {
        self.levels.len() - self.applied
    }

    pub(super) fn depth(&self) -> Option<NonZeroUsize> {
        self.depth
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Names the present position.
    pub(super) fn checkpoint(&mut self, name: String) {
        self.names.set(name.into(), self.position());
    }

    pub(super) fn is_at(&self, name: &str) -> bool {
        self.names.position(name) == Some(self.position())
    }

    /// Removes a name, and returns whether it was set.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        self.names.remove(name)
    }

    /// Removes all levels. Of the positions only the present one is left, as position 0.
    pub(super) fn clear(&mut self) {
        self.names.keep_only(self.position(), 0);
        self.levels.clear();
        self.applied = 0;
    }

    fn position(&self) -> u64 {
        if self.applied == 0 { 0 } else { self.collapsed + self.applied as u64 }
    }
}

#[cfg(test)]
mod tests;
