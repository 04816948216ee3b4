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
/// Progress and ordering are those of the table.
///
/// ```
/// use std::sync::Arc;
/// use atomik_core::{Add, Epoch, TableEntry, TableFanIn};
///
/// let responses = Arc::new(TableFanIn::<Add>::new(600));
/// let mut not_found = Epoch::new(TableEntry::new(Arc::clone(&responses), 404));
///
/// let mut producer = responses.producer();
/// producer.accum(404, 2);
/// producer.accum(200, 40);
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
mod tests {
    use super::*;
    use crate::algebra::{Add, Algebra, Xor};
    use crate::epoch::Epoch;
    use crate::fan_in::TableFanIn;
    use crate::rollback::Rollback;
    use crate::table::Table;
    use alloc::sync::Arc;
    use std::thread;

    /// An observer of one address that outlives the borrow of its table, in another thread.
    fn is_observed_elsewhere<T>(table: Arc<T>)
    where
        T: TableSource + Send + Sync + 'static,
    {
        table.accum(1, 40);
        let mut epoch = Epoch::new(TableEntry::new(Arc::clone(&table), 1));
        table.accum(0, 5);
        table.accum(1, 2);
        let checkpoint = thread::spawn(move || epoch.swap()).join().unwrap();
        assert_eq!(checkpoint.delta, 2);
        assert_eq!(checkpoint.state, T::Algebra::compose(40, 2));
    }

    #[test]
    fn an_entry_of_a_shared_table_is_observed_in_another_thread() {
        is_observed_elsewhere(Arc::new(Table::<Xor>::new(2)));
        is_observed_elsewhere(Arc::new(Table::<Add>::new(2)));
        is_observed_elsewhere(Arc::new(TableFanIn::<Xor>::new(2)));
        is_observed_elsewhere(Arc::new(TableFanIn::<Add>::new(2)));
    }

    fn is_accumulated_at_its_address<T: TableSource>(table: &T) {
        let entry = TableEntry::new(table, 2);
        entry.accum(7);
        let mut edits = Rollback::new(entry);
        edits.apply(35);
        assert_eq!([table.read(0), table.read(1), table.read(2)], [0, 0, T::Algebra::compose(7, 35)]);
        edits.undo();
        assert_eq!((entry.read(), entry.addr(), entry.table().table_len()), (7, 2, 3));
    }

    #[test]
    fn an_entry_is_accumulated_at_its_address_only() {
        is_accumulated_at_its_address(&Table::<Xor>::new(3));
        is_accumulated_at_its_address(&TableFanIn::<Add>::new(3));
    }

    #[test]
    #[should_panic(expected = "address 3 is past the end of a table of 3")]
    fn an_entry_past_the_end_panics() {
        let _ = TableEntry::new(Table::<Add>::new(3), 3);
    }

    #[test]
    fn debug_does_not_show_the_state() {
        let table = Table::<Add>::from_iter([1, 2]);
        assert_eq!(std::format!("{:?}", TableEntry::new(&table, 1)), "TableEntry { addr: 1, len: 2, .. }");
    }
}
