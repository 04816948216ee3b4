//! Histograms.

use core::fmt;
use std::sync::Arc;

use metrics::HistogramFn;

use crate::activity::Activity;
use crate::lanes::Lanes;
use crate::once_box::OnceBox;
use crate::schema::{Cells, OCTAVES, Schema};
use crate::snapshot::{Buckets, HistogramSnapshot, Specials};

/// A histogram of a recorder. Clones count together; a histogram that lives is never dropped from its recorder.
///
/// It has [2<sup>schema</sup> buckets](Schema) for each octave of all positive and all negative numbers. The buckets of
/// eight octaves are a block. Each thread that records a value in a block allocates it for itself, at schema 3 in 768
/// bytes. Latencies from a microsecond to ten seconds are in three or four blocks.
///
/// ```
/// let handle = atomik_metrics::Recorder::new().handle();
/// let latency = handle.histogram("request_seconds", &[("route", "/")]);
/// for millisecond in 1..=100 {
///     latency.record(f64::from(millisecond) / 1e3);
/// }
/// let snapshot = latency.snapshot();
/// assert_eq!(snapshot.count(), 100);
/// assert!((snapshot.quantile(0.5).unwrap() - 0.05).abs() < 0.05 * 0.044);
/// ```
#[derive(Clone)]
pub struct Histogram(pub(crate) Arc<HistogramCell>);

impl Histogram {
    /// Counts a value: two loads and two stores, to cache lines that no other thread writes. Wait-free except for a
    /// thread's first value in a block of eight octaves, which allocates. Release: a thread that sees the count also
    /// sees what this thread did before. [`HistogramSnapshot`] has a table of where zero, infinities and NaN are counted.
    ///
    /// Not for signal handlers or global allocators.
    #[inline]
    pub fn record(&self, value: f64) {
        self.0.add(value, 1);
    }

    /// Counts a value `count` times, at the cost of once.
    #[inline]
    pub fn record_many(&self, value: f64, count: u64) {
        self.0.add(value, count);
    }

    /// What has been counted. It includes each value that was recorded before; of values that are recorded meanwhile it
    /// may have one in the count and not yet in the sum, or the other way round. Wait-free
    /// except for the allocator.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        self.0.snapshot()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Histogram").field(&self.snapshot()).finish()
    }
}

/// Blocks have the buckets of this many octaves, as a power of two.
const BLOCK_OCTAVES: u8 = 3;
/// A page of a directory has this many blocks.
const PAGE: usize = 16;
const PAGES: usize = (OCTAVES >> BLOCK_OCTAVES).div_ceil(PAGE) + 1;

#[derive(Debug)]
pub(crate) struct HistogramCell {
    schema: Schema,
    cells: Cells,
    positive: Directory,
    negative: OnceBox<Directory>,
    specials: OnceBox<Lanes>,
    pub(crate) activity: Activity,
}

/// The blocks of buckets of one sign, in two levels so that an empty histogram is small. A block has a word for each
/// bucket, and then one for the sum of their values.
#[derive(Debug, Default)]
struct Directory {
    pages: [OnceBox<[OnceBox<Lanes>; PAGE]>; PAGES],
}

/// The words for values without a bucket.
mod special {
    pub(super) const ZERO: usize = 0;
    pub(super) const POSITIVE_INFINITY: usize = 1;
    pub(super) const NEGATIVE_INFINITY: usize = 2;
    pub(super) const NAN: usize = 3;
    /// The sum of subnormal numbers.
    pub(super) const SUM: usize = 4;
    pub(super) const WORDS: usize = 5;
}

impl HistogramCell {
    pub(crate) fn new(schema: Schema, activity: Activity) -> Self {
        Self {
            schema,
            cells: schema.cells(),
            positive: Directory::default(),
            negative: OnceBox::default(),
            specials: OnceBox::default(),
            activity,
        }
    }

    #[inline]
    pub(crate) fn add(&self, value: f64, count: u64) {
        match self.cells.position(value) {
            Some(position) => {
                let directory = if value > 0.0 { &self.positive } else { self.negative() };
                let shift = self.cells.shift() + BLOCK_OCTAVES;
                let block = directory.block(position >> shift, 1 << shift);
                let sum = value * count as f64;
                block.add_with_f64(position & ((1 << shift) - 1), count, 1 << shift, sum);
            }
            None => self.record_special(value, count),
        }
    }

    #[cold]
    #[inline(never)]
    fn negative(&self) -> &Directory {
        self.negative.get_or_init(Directory::default)
    }

    #[cold]
    #[inline(never)]
    fn record_special(&self, value: f64, count: u64) {
        let lanes = self.specials.get_or_init(|| Lanes::new(special::WORDS));
        let word = match value {
            f64::INFINITY => special::POSITIVE_INFINITY,
            f64::NEG_INFINITY => special::NEGATIVE_INFINITY,
            _ if value.is_nan() => special::NAN,
            _ => special::ZERO,
        };
        let sum = if value.is_finite() { value * count as f64 } else { 0.0 };
        lanes.add_with_f64(word, count, special::SUM, sum);
    }

    pub(crate) fn snapshot(&self) -> HistogramSnapshot {
        let mut snapshot = HistogramSnapshot::new(self.schema);
        if let Some(lanes) = self.specials.get() {
            snapshot.specials = Specials {
                zero: lanes.read(special::ZERO),
                positive_infinity: lanes.read(special::POSITIVE_INFINITY),
                negative_infinity: lanes.read(special::NEGATIVE_INFINITY),
                nan: lanes.read(special::NAN),
            };
            snapshot.sum = lanes.read_f64(special::SUM);
        }
        snapshot.sum += self.positive.read(self.schema, &mut snapshot.positive);
        if let Some(negative) = self.negative.get() {
            snapshot.sum += negative.read(self.schema, &mut snapshot.negative);
        }
        snapshot
    }

    /// A number that changes whenever values are recorded (unless exactly 2^64 are).
    pub(crate) fn state(&self) -> u64 {
        let mut words = Vec::new();
        let blocks =
            self.positive.blocks().chain(self.negative.get().into_iter().flat_map(Directory::blocks));
        blocks.map(|(_, block)| block).chain(self.specials.get()).fold(0, |state, lanes| {
            lanes.snapshot(&mut words);
            // Each block's last word is a sum of floating-point numbers, which may stay as it is.
            words.iter().take(words.len() - 1).copied().fold(state, u64::wrapping_add)
        })
    }
}

impl Directory {
    /// The block of this number, which has `buckets` buckets.
    #[inline]
    fn block(&self, number: usize, buckets: usize) -> &Lanes {
        let page = self.pages[number / PAGE].get_or_init(Default::default);
        page[number % PAGE].get_or_init(|| Lanes::new(buckets + 1))
    }

    /// The blocks that there are, with their numbers, in ascending order.
    fn blocks(&self) -> impl Iterator<Item = (usize, &Lanes)> {
        let pages = self.pages.iter().enumerate().filter_map(|(number, page)| Some((number, page.get()?)));
        pages.flat_map(|(page, blocks)| {
            blocks
                .iter()
                .enumerate()
                .filter_map(move |(number, block)| Some((page * PAGE + number, block.get()?)))
        })
    }

    /// Reads the buckets that aren't empty, and the sum of their values.
    fn read(&self, schema: Schema, buckets: &mut Buckets) -> f64 {
        let mut words = Vec::new();
        let mut sum = 0.0;
        for (number, block) in self.blocks() {
            block.snapshot(&mut words);
            let len = words.len() - 1;
            let counts = words[..len].iter().enumerate().filter(|&(_, &count)| count > 0);
            buckets.0.extend(counts.map(|(place, &count)| (schema.index_at(number * len + place), count)));
            sum += block.read_f64(len);
        }
        sum
    }
}

impl HistogramFn for HistogramCell {
    #[inline]
    fn record(&self, value: f64) {
        self.add(value, 1);
    }

    #[inline]
    fn record_many(&self, value: f64, count: usize) {
        self.add(value, count as u64);
    }
}
