//! One address of a table as a source of its own.

use core::fmt;

use super::TableSource;
use crate::context::{Source, sealed::Sealed};

/// One address of a table, as a [`Source`] that an [`Epoch`](crate::Epoch) or a
/// [`Rollback`](crate::Rollback) can work on.
///
/// `T` is a [`Table`](crate::Table) or a [`TableFanIn`](crate::TableFanIn), by reference or in an `Arc`. An entry with
/// an `Arc` is `'static`: it keeps its table alive and can move to another thread. A context that is borrowed from a
/// table, `&table[addr]`, is a source too, but lives no longer than the borrow.
///
/// Progress, ordering and cost are those of the table: of a [`Context`](crate::Context), or of
/// [`TableFanIn::read`](crate::TableFanIn::read) and [`TableFanIn::accum`](crate::TableFanIn::accum).
///
/// ```
/// use std::sync::Arc;
/// use atomik_core::{Add, Epoch, TableEntry, TableFanIn};
///
/// let responses = Arc::new(TableFanIn::<Add>::new(600));
/// let mut not_found = Epoch::new(TableEntry::new(Arc::clone(&responses), 404));
///
/// responses.accum(404, 2);
/// responses.accum(200, 40);
/// let watcher = std::thread::spawn(move || not_found.swap().delta);
/// assert_eq!(watcher.join().unwrap(), 2);
/// ```
#[derive(Clone, Copy)]
pub struct TableEntry<T> {
    table: T,
    addr: usize,
}

impl<T: TableSource> TableEntry<T> {
    /// The entry of a table at `addr`.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end of the table.
    #[must_use]
    #[track_caller]
    pub fn new(table: T, addr: usize) -> Self {
        let len = table.table_len();
        assert!(addr < len, "address {addr} is past the end of a table of {len}");
        Self { table, addr }
    }

    /// The address.
    #[must_use]
    pub fn addr(&self) -> usize {
        self.addr
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &T {
        &self.table
    }

    /// READ: the present state at the address.
    #[inline]
    #[must_use]
    pub fn read(&self) -> u64 {
        self.table.read(self.addr)
    }

    /// ACCUM: the state at the address becomes state ∘ `delta`.
    #[inline]
    pub fn accum(&self, delta: u64) {
        self.table.accum(self.addr, delta);
    }
}

impl<T> Sealed for TableEntry<T> {}

impl<T: TableSource> Source for TableEntry<T> {
    type Algebra = T::Algebra;

    #[inline]
    fn read(&self) -> u64 {
        self.read()
    }

    #[inline]
    fn accum(&self, delta: u64) {
        self.accum(delta);
    }
}

impl<T: TableSource> fmt::Debug for TableEntry<T> {
    /// Shows the address and the length of the table, and does not read the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableEntry")
            .field("addr", &self.addr)
            .field("len", &self.table.table_len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
