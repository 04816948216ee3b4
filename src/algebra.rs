//! The two groups in which states and deltas live.
//!
//! Everything in this crate rests on four laws: composition is associative and commutative, there is an
//! identity, and every element has an inverse. A set with such a composition is an [Abelian group]. There are two
//! on 64-bit words whose composition is one machine instruction.
//!
//! [Abelian group]: https://en.wikipedia.org/wiki/Abelian_group

use core::fmt::{self, Debug};
use core::hash::Hash;
use core::marker::PhantomData;

/// An Abelian group on 64-bit words: how deltas compose.
///
/// This trait is sealed. Only [`Xor`] and [`Add`] implement it, because each operation of the crate has to be one
/// machine instruction.
///
/// ```
/// use atomik_core::{Add, Algebra, Xor};
///
/// assert_eq!(Xor::compose(0b0011, 0b0101), 0b0110);
/// assert_eq!(Xor::invert(7), 7); // every word is its own inverse
/// assert_eq!(Add::compose(u64::MAX, 2), 1); // wrapping
/// assert_eq!(Add::invert(7), 7u64.wrapping_neg());
/// ```
pub trait Algebra:
    sealed::Sealed + Copy + Default + Debug + Eq + Ord + Hash + Send + Sync + Unpin + 'static
{
    /// The element that changes nothing. It is 0 in both groups.
    const IDENTITY: u64 = 0;

    /// The number of this group in files and packets: 0 for [`Xor`], 1 for [`Add`]. It never changes, so that data
    /// written under one algebra can be told from data of the other.
    const ID: u8;

    #[doc(hidden)]
    const KIND: Kind;

    /// `a` ∘ `b`, the composition of two elements.
    fn compose(a: u64, b: u64) -> u64;

    /// The inverse of `a`, so that `compose(a, invert(a))` is [`IDENTITY`](Self::IDENTITY).
    fn invert(a: u64) -> u64;

    /// The delta from `old` to `new`, so that `compose(old, delta(old, new))` is `new`.
    fn delta(old: u64, new: u64) -> u64 {
        Self::compose(Self::invert(old), new)
    }
}

/// Bitwise XOR, ATOMiK's own group. Every delta is its own inverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xor;

/// Addition modulo 2⁶⁴, the group for counters. XOR can't sum counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Add;

impl Algebra for Xor {
    const ID: u8 = 0;
    const KIND: Kind = Kind::Xor;

    #[inline]
    fn compose(a: u64, b: u64) -> u64 {
        a ^ b
    }

    #[inline]
    fn invert(a: u64) -> u64 {
        a
    }
}

impl Algebra for Add {
    const ID: u8 = 1;
    const KIND: Kind = Kind::Add;

    #[inline]
    fn compose(a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    #[inline]
    fn invert(a: u64) -> u64 {
        a.wrapping_neg()
    }
}

/// A word formatted for people: bits in hexadecimal, counts in decimal.
pub(crate) struct DisplayWord<A> {
    word: u64,
    algebra: PhantomData<A>,
}

impl<A> DisplayWord<A> {
    pub(crate) fn new(word: u64) -> Self {
        Self { word, algebra: PhantomData }
    }
}

impl<A: Algebra> Debug for DisplayWord<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match A::KIND {
            Kind::Xor => write!(f, "{:#018x}", self.word),
            Kind::Add => write!(f, "{}", self.word),
        }
    }
}

/// The group as a value, on which other modules match to choose an instruction.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Xor,
    Add,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Xor {}
    impl Sealed for super::Add {}
}

#[cfg(test)]
mod tests;
