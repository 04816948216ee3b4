//! The names of positions in an undo stack.

use core::fmt;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

/// Names, each at one position. Every method takes O(log n) for each name that it touches, where n is the number
/// of names; a name is removed at most once for each time that it was set.
pub(super) struct Names {
    positions: BTreeMap<Arc<str>, u64>,
    /// The same pairs, ordered by position.
    by_position: BTreeSet<(u64, Arc<str>)>,
}

impl Names {
    pub(super) const fn new() -> Self {
        Self { positions: BTreeMap::new(), by_position: BTreeSet::new() }
    }

    /// Sets a name at a position. A name that is set elsewhere moves.
    pub(super) fn set(&mut self, name: Arc<str>, position: u64) {
        self.remove(&name);
        self.by_position.insert((position, Arc::clone(&name)));
        self.positions.insert(name, position);
    }

    pub(super) fn position(&self, name: &str) -> Option<u64> {
        self.positions.get(name).copied()
    }

    /// Removes a name, and returns whether it was set.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        match self.positions.remove_entry(name) {
            Some((name, position)) => self.by_position.remove(&(position, name)),
            None => false,
        }
    }

    /// Removes all names at a position.
    pub(super) fn remove_at(&mut self, position: u64) {
        if self.by_position.is_empty() {
            return; // without the allocation below
        }
        // The empty name is the least one.
        while let Some(found) = self.by_position.range((position, Arc::default())..).next() {
            if found.0 != position {
                break;
            }
            let found = found.clone();
            self.positions.remove(&found.1);
            self.by_position.remove(&found);
        }
    }

    /// Removes all names at positions greater than this one.
    pub(super) fn remove_after(&mut self, position: u64) {
        while self.by_position.last().is_some_and(|&(at, _)| at > position) {
            if let Some((_, name)) = self.by_position.pop_last() {
                self.positions.remove(&name);
            }
        }
    }

    /// Removes all names that are not at the position `from`, and moves those that are to the position `to`.
    pub(super) fn keep_only(&mut self, from: u64, to: u64) {
        self.by_position.retain(|&(at, _)| at == from);
        self.positions.clear();
        for (_, name) in core::mem::take(&mut self.by_position) {
            self.set(name, to);
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.positions.fmt(f)
    }
}

#[cfg(test)]
mod tests;
