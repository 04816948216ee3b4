//! The levels of instructions, and their names.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::str::FromStr;

/// A set of vector instructions that the kernels can use. A wider one is greater.
///
/// [`Display`](fmt::Display) gives the name and [`FromStr`] reads it: `portable`, `sse2`, `avx2` or `avx512`, in upper
/// or lower case.
///
/// ```
/// use atomik_core::kernel::Level;
///
/// assert_eq!("avx2".parse(), Ok(Level::Avx2));
/// assert_eq!(Level::Avx512.to_string(), "avx512");
/// assert!(Level::Avx2 < Level::Avx512);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// Plain loops. The compiler turns them into whatever vector instructions the target has.
    Portable,
    /// SSE2, which most targets of x86-64 have: vectors of 128 bits.
    Sse2,
    /// AVX2, POPCNT, BMI1 and PCLMULQDQ: vectors of 256 bits.
    Avx2,
    /// AVX-512 F, DQ and VL, POPCNT, BMI1 and PCLMULQDQ: vectors of 512 bits.
    Avx512,
}

impl Level {
    /// All levels, the lowest first.
    const ALL: [Self; 4] = [Self::Portable, Self::Sse2, Self::Avx2, Self::Avx512];

    /// The greatest level.
    pub(super) const HIGHEST: Self = Self::ALL[Self::ALL.len() - 1];

    const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Sse2 => "sse2",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = ParseLevelError;

    fn from_str(name: &str) -> Result<Self, ParseLevelError> {
        let level = Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name));
        level.ok_or_else(|| ParseLevelError { name: name.into() })
    }
}

/// The name of a [`Level`] was expected, and something else was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLevelError {
    name: Box<str>,
}

impl fmt::Display for ParseLevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not one of the levels ", self.name)?;
        let (last, others) = Level::ALL.split_last().expect("there are levels");
        for (n, level) in others.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{level}")?;
        }
        write!(f, " and {last}")
    }
}

impl Error for ParseLevelError {}

#[cfg(test)]
mod tests;
