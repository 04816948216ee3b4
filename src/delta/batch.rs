//! A sparse batch of deltas: what changed in a table.

mod iter;

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::MaybeUninit;

pub use iter::DeltaBatchIter;

use super::message::{DeltaMessage, WireError};
use crate::algebra::{Algebra, DisplayWord, Xor};

/// What changed in a table: addresses in ascending order, each with its delta.
///
/// Collecting and extending compose the deltas of one address, and drop an address whose deltas compose to the
/// identity. Equal changes therefore have equal batches, and `==` compares changes. The addresses and the
/// deltas are in two slices of equal length, 12 bytes for each change.
///
/// With the feature `serde`, a batch is a sequence of pairs of an address and a delta. They are accepted in any order,
/// as by collecting.
///
/// ```
/// use atomik_core::{Add, DeltaBatch};
///
/// let batch: DeltaBatch<Add> = [(7, 1), (2, 40), (7, 1), (2, 2)].into_iter().collect();
/// assert_eq!(batch.addresses(), [2, 7]);
/// assert_eq!(batch.deltas(), [42, 2]);
/// ```
pub struct DeltaBatch<A = Xor> {
    changes: Changes,
    algebra: PhantomData<fn() -> A>,
}

impl<A: Algebra> DeltaBatch<A> {
    /// Creates an empty batch, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { changes: Changes::new(), algebra: PhantomData }
    }

    /// The number of addresses that changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.addresses.len()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.addresses.is_empty()
    }

    /// The addresses that changed, in strictly ascending order.
    #[must_use]
    pub fn addresses(&self) -> &[u32] {
        &self.changes.addresses
    }

    /// The deltas, in the order of [`addresses`](Self::addresses). None of them is the identity.
    #[must_use]
    pub fn deltas(&self) -> &[u64] {
        &self.changes.deltas
    }

    /// The delta of `addr`, which is the identity if the batch does not have the address. O(log n).
    #[must_use]
    pub fn get(&self, addr: u32) -> u64 {
        self.addresses().binary_search(&addr).map_or(A::IDENTITY, |at| self.deltas()[at])
    }

    /// The batch that takes this one back: the same addresses, each with the inverse of its delta. On [`Xor`]
    /// every batch is its own inverse. O(n).
    ///
    /// ```
    /// use atomik_core::{Add, DeltaBatch, Table};
    ///
    /// let table = Table::<Add>::from_iter([10, 20, 30]);
    /// let batch: DeltaBatch<Add> = [(0, 5), (2, 7)].into_iter().collect();
    /// table.accum_batch(&batch)?;
    /// table.accum_batch(&batch.inverse())?;
    /// assert!(table.iter().map(|context| context.read()).eq([10, 20, 30]));
    /// # Ok::<(), atomik_core::AddressOutOfRange>(())
    /// ```
    #[must_use]
    pub fn inverse(&self) -> Self {
        let deltas = self.deltas().iter().map(|&delta| A::invert(delta)).collect();
        Self { changes: Changes { addresses: self.addresses().into(), deltas }, algebra: PhantomData }
    }

    /// What batches add up to. O(n log k) for n changes in k batches.
    pub(crate) fn composition<'a>(batches: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut pairs: Vec<(u32, u64)> = batches.into_iter().flatten().collect();
        // A stable sort recognises sorted runs and merges them.
        pairs.sort_by_key(|&(addr, _)| addr);
        let mut batch = Self::new();
        batch.assign_sorted(&pairs);
        batch
    }

    /// Encodes the batch as [`DeltaMessage`]s: 16 bytes for each change, in ascending order of address. The
    /// sequence numbers count up from `first_seq` and wrap around. The next batch of the same sender continues
    /// where this one ends. A [`DeltaStream`](crate::DeltaStream) takes numbers that wrapped around for duplicates:
    /// after 2^32 messages, send to it as a new sender.
    ///
    /// ```
    /// use atomik_core::DeltaBatch;
    ///
    /// let batch: DeltaBatch = [(3, 0xCAFE), (9, 1)].into_iter().collect();
    /// let bytes = batch.to_wire(40);
    /// assert_eq!(bytes.len(), 2 * 16);
    /// assert_eq!(bytes[28..], [0, 0, 0, 41]);
    /// assert_eq!(DeltaBatch::from_wire(&bytes), Ok(batch));
    /// ```
    #[must_use]
    pub fn to_wire(&self, first_seq: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len() * DeltaMessage::WIRE_LEN);
        let mut seq = first_seq;
        for (addr, delta) in self.iter() {
            bytes.extend_from_slice(&DeltaMessage { addr, delta, seq }.to_bytes());
            seq = seq.wrapping_add(1);
        }
        bytes
    }

    /// Decodes [`DeltaMessage`]s into a batch. The messages may be in any order; the deltas of one address
    /// compose. Sequence numbers are ignored, so a message that arrives twice counts twice.
    ///
    /// [`kernel::apply_wire`](crate::kernel::apply_wire) composes messages into a table directly, without a
    /// batch.
    ///
    /// # Errors
    ///
    /// [`WireError::BatchLength`] if the bytes are not a whole number of messages. All other bytes are a valid
    /// batch.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, WireError> {
        let (messages, rest) = bytes.as_chunks::<{ DeltaMessage::WIRE_LEN }>();
        if !rest.is_empty() {
            return Err(WireError::BatchLength { len: bytes.len() });
        }
        let messages = messages.iter().map(|message| DeltaMessage::decode(*message));
        Ok(messages.map(|message| (message.addr, message.delta)).collect())
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.changes.addresses.clear();
        self.changes.deltas.clear();
    }

    /// Checks that each address is below `len`. The error has the greatest address.
    pub(crate) fn check_fits(&self, len: usize) -> Result<(), AddressOutOfRange> {
        match self.addresses().last() {
            Some(&addr) if addr as usize >= len => Err(AddressOutOfRange { addr, len }),
            _ => Ok(()),
        }
    }

    /// The changes themselves. A caller that appends to them keeps the addresses ascending.
    pub(crate) fn changes_mut(&mut self) -> &mut Changes {
        &mut self.changes
    }

    /// Replaces the batch by the composition of changes in ascending order of address, with duplicates.
    fn assign_sorted(&mut self, pairs: &[(u32, u64)]) {
        self.clear();
        for same in pairs.chunk_by(|a, b| a.0 == b.0) {
            let delta = same.iter().fold(A::IDENTITY, |total, &(_, delta)| A::compose(total, delta));
            if delta != A::IDENTITY {
                self.changes.push(same[0].0, delta);
            }
        }
    }
}

/// The two columns of a batch. They have no algebra, so that the kernels that fill them need not be generic
/// over it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Changes {
    addresses: Vec<u32>,
    deltas: Vec<u64>,
}

impl Changes {
    const fn new() -> Self {
        Self { addresses: Vec::new(), deltas: Vec::new() }
    }

    /// Appends a change, whose address must be past the last one.
    #[inline]
    pub(crate) fn push(&mut self, addr: u32, delta: u64) {
        debug_assert!(self.addresses.last().is_none_or(|&last| last < addr));
        debug_assert_ne!(delta, 0, "the identity of both algebras");
        self.addresses.push(addr);
        self.deltas.push(delta);
    }

    /// Appends changes, whose addresses must all be past the last one here.
    #[cfg(feature = "rayon")]
    pub(crate) fn append(&mut self, later: &Self) {
        debug_assert!(self.addresses.last() < later.addresses.first() || later.addresses.is_empty());
        self.addresses.extend_from_slice(&later.addresses);
        self.deltas.extend_from_slice(&later.deltas);
    }

    /// Uninitialised room for at least `count` changes after the last one, to be written from the front.
    #[inline]
    pub(crate) fn spare(&mut self, count: usize) -> (&mut [MaybeUninit<u32>], &mut [MaybeUninit<u64>]) {
        self.addresses.reserve(count);
        self.deltas.reserve(count);
        (self.addresses.spare_capacity_mut(), self.deltas.spare_capacity_mut())
    }

    /// Adds the first `count` changes that were written to [`spare`](Self::spare).
    ///
    /// # Safety
    ///
    /// The caller has written that many to both slices since it called `spare`.
    #[inline]
    pub(crate) unsafe fn take_spare(&mut self, count: usize) {
        let len = self.addresses.len() + count;
        debug_assert_eq!(self.addresses.len(), self.deltas.len());
        // SAFETY: `spare` reserved the room. The elements before the old length are initialised, and the caller
        // guarantees that the `count` after it are.
        unsafe {
            self.addresses.set_len(len);
            self.deltas.set_len(len);
        }
    }
}

impl<A: Algebra> Extend<(u32, u64)> for DeltaBatch<A> {
    /// Composes further changes into the batch, in any order. O((n + m) log(n + m)) for n changes in the batch
    /// and m further ones.
    fn extend<I: IntoIterator<Item = (u32, u64)>>(&mut self, changes: I) {
        let mut pairs: Vec<(u32, u64)> = self.iter().chain(changes).collect();
        pairs.sort_unstable_by_key(|&(addr, _)| addr);
        self.assign_sorted(&pairs);
    }
}

impl<A: Algebra> FromIterator<(u32, u64)> for DeltaBatch<A> {
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(changes: I) -> Self {
        let mut batch = Self::new();
        batch.extend(changes);
        batch
    }
}

// Derived impls would require the same traits of `A`, which is only a name here.

impl<A> Clone for DeltaBatch<A> {
    fn clone(&self) -> Self {
        Self { changes: self.changes.clone(), algebra: PhantomData }
    }
}

impl<A: Algebra> Default for DeltaBatch<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> PartialEq for DeltaBatch<A> {
    fn eq(&self, other: &Self) -> bool {
        self.changes == other.changes
    }
}

impl<A> Eq for DeltaBatch<A> {}

impl<A> Hash for DeltaBatch<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.changes.hash(state);
    }
}

impl<A: Algebra> fmt::Debug for DeltaBatch<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(addr, delta)| (addr, DisplayWord::<A>::new(delta)))).finish()
    }
}

/// A batch has an address that is past the end of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressOutOfRange {
    /// The greatest address of the batch.
    pub addr: u32,
    /// The length of the table.
    pub len: usize,
}

impl fmt::Display for AddressOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the batch has a delta for address {}, but the table has {} contexts", self.addr, self.len)
    }
}

impl Error for AddressOutOfRange {}

#[cfg(test)]
mod tests;
