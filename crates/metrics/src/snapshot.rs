//! The contents of a histogram at some moment, as plain data.

mod bytes;

pub use bytes::SnapshotError;
pub(crate) use bytes::write_number;

use std::ops::RangeInclusive;

use crate::schema::Schema;

/// The contents of a histogram: the count of each bucket, and the sum of the values.
///
/// Snapshots, also those of several processes, can be [merged](Self::merge) and made [coarser](Self::coarsen) without
/// loss. They can be [subtracted](Self::since), sent elsewhere as [bytes](Self::to_bytes), and asked for
/// [quantiles](Self::quantile).
///
/// **Where values are counted.**
///
/// | value | counted in | added to the sum |
/// |---|---|---|
/// | positive, normal | its positive bucket | yes |
/// | negative, normal | its negative bucket | yes |
/// | zero, subnormal | [`zero`](Self::zero) | yes |
/// | +∞, −∞ | [`positive_infinity`](Self::positive_infinity), [`negative_infinity`](Self::negative_infinity) | no |
/// | NaN | [`nan`](Self::nan), and not in [`count`](Self::count) | no |
///
/// Infinite values and NaN are not added to the sum, because a single one would make it useless for the rest of the
/// process's life.
///
/// ```
/// use atomik_metrics::{HistogramSnapshot, Schema};
///
/// let mut latencies = HistogramSnapshot::new(Schema::default());
/// for millisecond in 1..=100 {
///     latencies.record(f64::from(millisecond) / 1e3);
/// }
/// let p99 = latencies.quantile(0.99).unwrap();
/// assert!((p99 - 0.099).abs() <= 0.099 * latencies.schema().relative_error());
/// assert_eq!(latencies.count(), 100);
/// assert_eq!(latencies.count_up_to_power_of_two(-4), 62); // exact: 0.0625 seconds and less
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HistogramSnapshot {
    pub(crate) schema: Schema,
    pub(crate) sum: f64,
    pub(crate) specials: Specials,
    pub(crate) positive: Buckets,
    pub(crate) negative: Buckets,
}

/// The counts of values that have no bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Specials {
    pub(crate) zero: u64,
    pub(crate) positive_infinity: u64,
    pub(crate) negative_infinity: u64,
    pub(crate) nan: u64,
}

/// The buckets of one sign that are not empty, by ascending index.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Buckets(pub(crate) Vec<(i32, u64)>);

impl HistogramSnapshot {
    /// An empty histogram.
    #[must_use]
    pub fn new(schema: Schema) -> Self {
        Self { schema, ..Self::default() }
    }

    /// Counts a value.
    pub fn record(&mut self, value: f64) {
        self.record_many(value, 1);
    }

    /// Counts a value `count` times, and adds the value times `count` to the sum.
    pub fn record_many(&mut self, value: f64, count: u64) {
        if count == 0 {
            return;
        }
        if value.is_finite() {
            self.sum += value * count as f64;
        }
        match self.schema.index(value) {
            Some(index) if value > 0.0 => self.positive.add(index, count),
            Some(index) => self.negative.add(index, count),
            None => *self.specials.place(value) += count,
        }
    }

    /// The resolution.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The number of values, without NaN.
    #[must_use]
    pub fn count(&self) -> u64 {
        let specials = self.specials;
        [specials.zero, specials.positive_infinity, specials.negative_infinity]
            .into_iter()
            .chain(self.positive.counts())
            .chain(self.negative.counts())
            .fold(0, u64::wrapping_add)
    }

    /// Whether no value was counted, not even NaN.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positive.0.is_empty() && self.negative.0.is_empty() && self.specials == Specials::default()
    }

    /// The sum of the finite values, with the rounding errors of adding them as `f64`s in some order.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The mean of the finite values. `None` if there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let infinite = self.specials.positive_infinity.wrapping_add(self.specials.negative_infinity);
        match self.count().wrapping_sub(infinite) {
            0 => None,
            count => Some(self.sum / count as f64),
        }
    }

    /// How many values were zero or subnormal.
    #[must_use]
    pub fn zero(&self) -> u64 {
        self.specials.zero
    }

    /// How many values were +∞.
    #[must_use]
    pub fn positive_infinity(&self) -> u64 {
        self.specials.positive_infinity
    }

    /// How many values were −∞.
    #[must_use]
    pub fn negative_infinity(&self) -> u64 {
        self.specials.negative_infinity
    }

    /// How many values were NaN.
    #[must_use]
    pub fn nan(&self) -> u64 {
        self.specials.nan
    }

    /// The index and the count of each bucket of positive values that is not empty, in ascending order.
    pub fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> {
        self.positive.0.iter().copied()
    }

    /// The index and the count of each bucket of negative values that is not empty, in ascending order of the index,
    /// which is that of the absolute value.
    pub fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> {
        self.negative.0.iter().copied()
    }

    /// How many values were at most 2<sup>exponent</sup>. Exact for exponents from −1,022 to 1,023.
    #[must_use]
    pub fn count_up_to_power_of_two(&self, exponent: i32) -> u64 {
        let exponent = exponent.clamp(-1023, 1024);
        self.counts_up_to_powers_of_two(exponent..=exponent).map(|(_, count)| count).sum()
    }

    /// Does this for each exponent of a range, in one pass.
    pub(crate) fn counts_up_to_powers_of_two(
        &self,
        exponents: RangeInclusive<i32>,
    ) -> impl Iterator<Item = (i32, u64)> {
        let mut count = [self.specials.zero, self.specials.negative_infinity]
            .into_iter()
            .chain(self.negative.counts())
            .fold(0, u64::wrapping_add);
        let mut positive = self.positive.0.iter().peekable();
        exponents.map(move |exponent| {
            let last = self.schema.index_of_power(exponent);
            while let Some(bucket) = positive.next_if(|bucket| bucket.0 <= last) {
                count = count.wrapping_add(bucket.1);
            }
            (exponent, count)
        })
    }

    /// An estimate of a quantile: the value that a fraction `q` of all values are at or below. `None` if nothing was
    /// counted or `q` isn't from 0 to 1.
    ///
    /// The true quantile is the value with rank ⌈`q` × count⌉ in ascending order, or the smallest value for `q` = 0. The
    /// estimate is within [`Schema::relative_error`] of it. A zero or subnormal value is taken for 0.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let estimate = |index| {
            let (lower, upper) = (self.schema.lower_bound(index), self.schema.upper_bound(index));
            // The value with the same relative distance to both bounds.
            (upper / (0.5 + 0.5 * (upper / lower))).clamp(lower, upper)
        };
        let negative = self.negative_buckets().rev().map(|(index, count)| (-estimate(index), count));
        let positive = self.positive_buckets().map(|(index, count)| (estimate(index), count));
        let ascending = [(f64::NEG_INFINITY, self.specials.negative_infinity)]
            .into_iter()
            .chain(negative)
            .chain([(0.0, self.specials.zero)])
            .chain(positive)
            .chain([(f64::INFINITY, self.specials.positive_infinity)]);
        let mut seen = 0u64;
        for (value, count) in ascending {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return Some(value);
            }
        }
        None
    }

    /// Adds the counts of another histogram. If their schemas differ, the result has the coarser one.
    pub fn merge(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_add, |sum, other| sum + other);
    }

    /// What was counted since an earlier snapshot of the same histogram. If their schemas differ, the result has the
    /// coarser one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        since.combine(earlier, u64::wrapping_sub, |sum, earlier| sum - earlier);
        since
    }

    fn combine(&mut self, other: &Self, counts: fn(u64, u64) -> u64, sums: fn(f64, f64) -> f64) {
        let coarser;
        let other = if other.schema > self.schema {
            let mut copy = other.clone();
            copy.coarsen(self.schema);
            coarser = copy;
            &coarser
        } else {
            self.coarsen(other.schema);
            other
        };
        self.sum = sums(self.sum, other.sum);
        let (ours, theirs) = (self.specials, other.specials);
        self.specials = Specials {
            zero: counts(ours.zero, theirs.zero),
            positive_infinity: counts(ours.positive_infinity, theirs.positive_infinity),
            negative_infinity: counts(ours.negative_infinity, theirs.negative_infinity),
            nan: counts(ours.nan, theirs.nan),
        };
        self.positive = self.positive.combine(&other.positive, counts);
        self.negative = self.negative.combine(&other.negative, counts);
    }

    /// Reduces the resolution: adjacent buckets are combined until they are those of `schema`. No count is lost, and
    /// the result is what a histogram of that schema would have counted. Nothing happens if the histogram is as coarse
    /// already.
    pub fn coarsen(&mut self, schema: Schema) {
        if schema >= self.schema {
            return;
        }
        for buckets in [&mut self.positive, &mut self.negative] {
            for bucket in &mut buckets.0 {
                bucket.0 = self.schema.index_in(schema, bucket.0);
            }
            buckets.0.dedup_by(|next, bucket| {
                let same = next.0 == bucket.0;
                if same {
                    bucket.1 = bucket.1.wrapping_add(next.1);
                }
                same
            });
        }
        self.schema = schema;
    }
}

impl Specials {
    /// The count for a value that has no bucket.
    fn place(&mut self, value: f64) -> &mut u64 {
        if value.is_nan() {
            &mut self.nan
        } else if value.is_finite() {
            &mut self.zero
        } else if value > 0.0 {
            &mut self.positive_infinity
        } else {
            &mut self.negative_infinity
        }
    }
}

impl Buckets {
    fn counts(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|&(_, count)| count)
    }

    fn add(&mut self, index: i32, count: u64) {
        match self.0.binary_search_by_key(&index, |&(index, _)| index) {
            Ok(at) => self.0[at].1 = self.0[at].1.wrapping_add(count),
            Err(at) => self.0.insert(at, (index, count)),
        }
    }

    fn combine(&self, other: &Self, counts: fn(u64, u64) -> u64) -> Self {
        let mut combined = Vec::with_capacity(self.0.len().max(other.0.len()));
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let index = match (ours.peek(), theirs.peek()) {
                (None, None) => return Self(combined),
                (Some(&&(index, _)), None) | (None, Some(&&(index, _))) => index,
                (Some(&&(our, _)), Some(&&(their, _))) => our.min(their),
            };
            let our = ours.next_if(|bucket| bucket.0 == index).map_or(0, |bucket| bucket.1);
            let their = theirs.next_if(|bucket| bucket.0 == index).map_or(0, |bucket| bucket.1);
            match counts(our, their) {
                0 => {}
                count => combined.push((index, count)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
