//! The buckets of histograms, and which of them a value belongs to.

use core::fmt;

use crate::bounds::BOUNDS;

const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
/// The exponent that `f64` stores for numbers in [1, 2).
const BIAS: i32 = 1023;
/// The number of octaves that have buckets of positive numbers.
pub(crate) const OCTAVES: usize = 2047;

/// The resolution of a histogram. A histogram has 2<sup>schema</sup> buckets for each octave, which is the range from a
/// power of two to the next.
///
/// The buckets are those of Prometheus' [native histograms]: bucket *i* holds the values that are greater than
/// 2<sup>(i−1)/2^schema</sup> and at most 2<sup>i/2^schema</sup>. Every second bound of a schema is also a bound of the
/// next lower schema. So a histogram can be made coarser without loss, and histograms of different schemas can be
/// merged.
///
/// | schema | buckets an octave | [relative error](Self::relative_error) of a quantile, at most |
/// |---|---|---|
/// | 0 | 1 | 33.4 % |
/// | 3, the default | 8 | 4.4 % |
/// | 5 | 32 | 1.1 % |
/// | 8 | 256 | 0.14 % |
///
/// ```
/// use atomik_metrics::Schema;
///
/// let schema = Schema::new(3).unwrap();
/// let index = schema.index(0.0042).unwrap();
/// assert!(schema.lower_bound(index) < 0.0042 && 0.0042 <= schema.upper_bound(index));
/// assert_eq!(schema.upper_bound(schema.index(2.0).unwrap()), 2.0); // exact at powers of two
/// assert!(Schema::new(9).is_none());
/// ```
///
/// [native histograms]: https://prometheus.io/docs/specs/native_histograms/
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schema(u8);

impl Schema {
    /// The finest schema.
    pub const MAX: Self = Self(8);

    /// The schema with this number, from 0 to 8. `None` if the number is greater.
    #[must_use]
    pub const fn new(schema: u8) -> Option<Self> {
        if schema <= Self::MAX.0 { Some(Self(schema)) } else { None }
    }

    /// The number of the schema.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// How many buckets an octave has.
    #[must_use]
    pub const fn buckets_per_octave(self) -> usize {
        1 << self.0
    }

    /// The largest relative error of a value that is estimated from its bucket: (γ − 1) / (γ + 1), where γ is the ratio
    /// between the bucket's bounds. This holds for all normal numbers. Subnormal numbers are counted as zero.
    #[must_use]
    pub fn relative_error(self) -> f64 {
        let growth = f64::from_bits((BIAS as u64) << MANTISSA_BITS | BOUNDS[1 << (8 - self.0) & 0xFF]);
        // At schema 0 the bound is 2, and the table has 1 there.
        let growth = if self.0 == 0 { 2.0 } else { growth };
        (growth - 1.0) / (growth + 1.0)
    }

    /// The index of the bucket to which a value belongs. A negative value has the index of its absolute value. `None`
    /// for zero, subnormal numbers, infinities and NaN, which are counted separately.
    ///
    /// The index is exact for every number. It costs a shift, a table look-up and a comparison.
    #[must_use]
    #[inline]
    pub fn index(self, value: f64) -> Option<i32> {
        value.is_normal().then(|| self.index_at(self.cells().position(value.abs())))
    }

    /// The lower bound of a bucket, which is not in the bucket itself. Below the normal numbers it is subnormal or zero.
    #[must_use]
    pub fn lower_bound(self, index: i32) -> f64 {
        self.bound(i64::from(index) - 1)
    }

    /// The upper bound of a bucket: the largest `f64` in it. For the last bucket this is [`f64::MAX`].
    #[must_use]
    pub fn upper_bound(self, index: i32) -> f64 {
        self.bound(i64::from(index))
    }

    /// The largest `f64` that is not above 2<sup>number/2^schema</sup>.
    fn bound(self, number: i64) -> f64 {
        let (octave, step) = (number >> self.0, number & ((1 << self.0) - 1));
        let mantissa = BOUNDS[(step << (8 - self.0)) as usize];
        match octave + i64::from(BIAS) {
            ..=-52 => 0.0,
            exponent @ -51..=0 => f64::from_bits((1 << MANTISSA_BITS | mantissa) >> (1 - exponent)),
            exponent @ 1..=2046 => f64::from_bits((exponent as u64) << MANTISSA_BITS | mantissa),
            2047.. => f64::MAX,
        }
    }

    /// The bucket that a bucket becomes part of in a coarser schema.
    pub(crate) fn index_in(self, coarser: Self, index: i32) -> i32 {
        ((index - 1) >> (self.0 - coarser.0)) + 1
    }

    /// The index of the highest bucket whose values are not above 2<sup>exponent</sup>.
    pub(crate) fn index_of_power(self, exponent: i32) -> i32 {
        exponent << self.0
    }

    /// The index of the bucket at a position.
    pub(crate) fn index_at(self, position: usize) -> i32 {
        position as i32 + 1 - (BIAS << self.0)
    }

    pub(crate) fn cells(self) -> Cells {
        Cells { cells: CELLS[usize::from(self.0)], shift: self.0 }
    }
}

impl Default for Schema {
    /// Schema 3: eight buckets an octave.
    fn default() -> Self {
        Self(3)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.0).finish()
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A schema with the table that finds a value's bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells {
    /// The mantissas from 1 to 2 in equal cells, two for each bucket of an octave, so that at most one bound lies in
    /// each. An entry holds the first 52 digits of that bound, or the highest digits that the cell has. Its lowest nine
    /// bits say how many bounds lie below the cell, less half the number of the cell.
    cells: &'static [u64],
    shift: u8,
}

impl Cells {
    /// The position of the bucket of a positive normal number, counted from the lowest bucket. Any other number gets a
    /// position that is at most that of [`f64::MIN_POSITIVE`] or at least that of [`f64::MAX`].
    #[inline]
    pub(crate) fn position(self, value: f64) -> usize {
        let bits = value.to_bits();
        // The sign and the exponent, and behind them the number of the cell.
        let place = (bits >> (MANTISSA_BITS - 1 - u32::from(self.shift))) as usize;
        let cell = self.cells[place & (self.cells.len() - 1)];
        // Bounds below the value; the bound 1 is one of them unless the value is a power of two, which belongs to the
        // octave below.
        let below = (cell & 0x1FF) as usize + usize::from(bits & MANTISSA > cell >> 9);
        (place / 2 + below).wrapping_sub(1)
    }
}

static CELLS: [&[u64]; 9] = [
    &cells::<2>(),
    &cells::<4>(),
    &cells::<8>(),
    &cells::<16>(),
    &cells::<32>(),
    &cells::<64>(),
    &cells::<128>(),
    &cells::<256>(),
    &cells::<512>(),
];

/// The cells of the schema with `N / 2` buckets an octave.
const fn cells<const N: usize>() -> [u64; N] {
    let buckets = N / 2;
    let width = (1 << MANTISSA_BITS) / N as u64;
    let mut cells = [0; N];
    let mut below = 0;
    let mut cell = 0;
    while cell < N {
        let end = (cell as u64 + 1) * width;
        let bound = if below < buckets { BOUNDS[below * (256 / buckets)] } else { u64::MAX };
        let has_bound = bound < end;
        cells[cell] = (if has_bound { bound } else { end - 1 }) << 9 | (below - cell / 2) as u64;
        if has_bound {
            below += 1;
        }
        cell += 1;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn schemas() -> impl Iterator<Item = Schema> {
        (0..=8).map(|schema| Schema::new(schema).unwrap())
    }

    /// Whether a positive normal number is above 2^(number / 2^schema), by arithmetic on integers.
    fn is_above(value: f64, number: i64, schema: Schema) -> bool {
        let bits = value.to_bits();
        let mantissa = BigUint::from(bits & MANTISSA | 1 << MANTISSA_BITS);
        let exponent = (bits >> MANTISSA_BITS) as i64 - i64::from(BIAS) - i64::from(MANTISSA_BITS);
        // value ^ 2^schema against 2 ^ number, both multiplied by a power of two that makes them integers.
        let (left, shift) = (mantissa.pow(1 << schema.get()), number - (exponent << schema.get()));
        shift < 0 || left > BigUint::from(1u8) << shift as u64
    }

    fn check(value: f64, schema: Schema) {
        let index = schema.index(value).unwrap();
        assert!(is_above(value, i64::from(index) - 1, schema), "{value:e} is not above bucket {index}");
        assert!(!is_above(value, i64::from(index), schema), "{value:e} is above bucket {index}");
        assert!(schema.lower_bound(index) < value && value <= schema.upper_bound(index));
        assert_eq!(schema.index(-value), Some(index));
    }

    #[test]
    fn every_power_of_two_and_its_neighbours_are_in_their_buckets() {
        for schema in schemas() {
            for exponent in 1..=2046u64 {
                let power = f64::from_bits(exponent << MANTISSA_BITS);
                assert_eq!(schema.index(power), Some((exponent as i32 - BIAS) << schema.get()));
                assert_eq!(
                    schema.index(power.next_up()),
                    Some(((exponent as i32 - BIAS) << schema.get()) + 1)
                );
                if exponent > 1 {
                    assert_eq!(schema.index(power.next_down()), schema.index(power));
                }
            }
            check(f64::MAX, schema);
            check(f64::MIN_POSITIVE, schema);
        }
    }

    #[test]
    fn every_bound_and_its_successor_are_in_their_buckets() {
        for schema in schemas() {
            for step in 1..=1 << schema.get() {
                let bound = schema.bound(step);
                check(bound, schema);
                check(bound.next_up(), schema);
                assert_eq!(schema.index(bound), Some(step as i32));
                assert_eq!(schema.index(bound.next_up()), Some(step as i32 + 1));
            }
        }
    }

    #[test]
    fn numbers_without_a_bucket_have_no_index() {
        for value in [0.0, f64::from_bits(1), f64::MIN_POSITIVE.next_down(), f64::INFINITY, f64::NAN] {
            for schema in schemas() {
                assert_eq!((schema.index(value), schema.index(-value)), (None, None), "{value:e}");
            }
        }
    }

    #[test]
    fn the_outermost_bounds_are_finite() {
        for schema in schemas() {
            let last = schema.index(f64::MAX).unwrap();
            assert_eq!(last, 1024 << schema.get());
            assert_eq!(schema.upper_bound(last), f64::MAX);
            let first = schema.index(f64::MIN_POSITIVE).unwrap();
            assert_eq!(schema.upper_bound(first), f64::MIN_POSITIVE);
            assert!((0.0..f64::MIN_POSITIVE).contains(&schema.lower_bound(first)));
            assert_eq!(schema.lower_bound(i32::MIN), 0.0);
        }
    }

    #[test]
    fn the_relative_errors_are_those_of_the_documentation() {
        let error = |schema| Schema::new(schema).unwrap().relative_error();
        assert!((0.333..0.334).contains(&error(0)));
        assert!((0.043..0.044).contains(&error(3)));
        assert!((0.010..0.011).contains(&error(5)));
        assert!((0.0013..0.0014).contains(&error(8)));
    }

    proptest! {
        #[test]
        fn the_index_is_that_of_exact_arithmetic(bits in any::<u64>(), schema in 0u8..=8) {
            let value = f64::from_bits(bits & !(1 << 63));
            if value.is_normal() {
                check(value, Schema::new(schema).unwrap());
            }
        }

        #[test]
        fn a_coarser_index_is_that_of_the_value(bits in any::<u64>(), fine in 0u8..=8, coarse in 0u8..=8) {
            let (value, fine, coarse) = (f64::from_bits(bits), fine.max(coarse), fine.min(coarse));
            let (fine, coarse) = (Schema::new(fine).unwrap(), Schema::new(coarse).unwrap());
            if let Some(index) = fine.index(value) {
                prop_assert_eq!(Some(fine.index_in(coarse, index)), coarse.index(value));
            }
        }
    }
}
