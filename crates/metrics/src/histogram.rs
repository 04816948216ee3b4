//! Histograms.

use core::fmt;
use std::sync::Arc;

use metrics::HistogramFn;

use crate::activity::Activity;
use crate::lanes::Lanes;
use crate::once_box::OnceBox;
use crate::schema::{Cells, OCTAVES, Schema};
use crate::snapshot::{Buckets, HistogramSnapshot, Specials};
use crate::sync::{AtomicU64, Ordering};

/// A histogram of a recorder. All clones add to the same counts. A histogram is not dropped from its recorder while it
/// has a handle.
///
/// It has [2<sup>schema</sup> buckets](Schema) for each octave of all positive and all negative numbers.
///
/// **Memory.** The first positive value chooses a window of 32 octaves around it (16 octaves at schemas above 3). A
/// thread that records a value in the window allocates the buckets of the whole window for itself, which takes 2.3 KB
/// at schema 3. Outside the window, a thread allocates the buckets of eight octaves at a time, which takes 768 bytes at
/// schema 3.
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
    /// Counts a value with two loads and two stores, on cache lines that no other thread writes. Release: a thread that
    /// sees the count also sees what the calling thread did before it. [`HistogramSnapshot`] has a table of where zero,
    /// infinities and NaN are counted.
    ///
    /// Wait-free, except that it may allocate: see [`Histogram`]. So it must not be called in signal handlers or global
    /// allocators. Values outside the window take about three times as long.
    #[inline]
    pub fn record(&self, value: f64) {
        self.0.add(value, 1, value);
    }

    /// Counts a value `count` times, as fast as once.
    #[inline]
    pub fn record_many(&self, value: f64, count: u64) {
        self.0.add(value, count, value * count as f64);
    }

    /// What has been counted, including every value that was recorded before this call. Of the values that are recorded
    /// during the call, the count may include one that the sum lacks, or the other way round. Wait-free, except that it
    /// allocates.
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
pub(crate) const BLOCK_OCTAVES: u8 = 3;
/// The number of blocks for each sign.
pub(crate) const BLOCKS: usize = OCTAVES.div_ceil(1 << BLOCK_OCTAVES);
/// A page of a directory has this many blocks.
const PAGE: usize = 16;
/// A window and a block have this many sums. The bucket of a value chooses one of them, so that values which follow one
/// another usually have different sums: an addition must wait for the one before it to the same sum.
const SUMS: usize = if cfg!(atomik_loom) { 1 } else { 8 };
/// The start of a window that has not been chosen. It is so large that no position is in such a window.
const NO_WINDOW: u64 = 1 << 62;

#[derive(Debug)]
pub(crate) struct HistogramCell {
    schema: Schema,
    cells: Cells,
    /// How many buckets the window has.
    window_buckets: usize,
    /// The position of the window's first bucket.
    window_start: AtomicU64,
    /// A word for each bucket of the window, and then the sums of their values.
    window: Lanes,
    /// Positive values outside the window.
    positive: OnceBox<Directory>,
    negative: OnceBox<Directory>,
    specials: OnceBox<Lanes>,
    /// What is shown instead of what was recorded here, if it is recorded elsewhere.
    #[cfg(feature = "shared")]
    shown: OnceBox<std::sync::Mutex<HistogramSnapshot>>,
    pub(crate) activity: Activity,
}

/// The blocks of buckets of one sign, in two levels so that a directory with one block is small. A block has a word for
/// each bucket, and then [`SUMS`] words for the sums of their values.
#[derive(Debug, Default)]
struct Directory {
    pages: [OnceBox<[OnceBox<Lanes>; PAGE]>; BLOCKS.div_ceil(PAGE)],
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
        let window_buckets = window_blocks(schema) << block_shift(schema);
        Self {
            schema,
            cells: schema.cells(),
            window_buckets,
            window_start: AtomicU64::new(NO_WINDOW),
            window: Lanes::new(window_buckets + SUMS),
            positive: OnceBox::default(),
            negative: OnceBox::default(),
            specials: OnceBox::default(),
            #[cfg(feature = "shared")]
            shown: OnceBox::default(),
            activity,
        }
    }

    /// Counts a value so many times. `sum` is what they add up to.
    #[inline]
    pub(crate) fn add(&self, value: f64, count: u64, sum: f64) {
        let position = self.cells.position(value);
        match self.place_in_window(position) {
            Some(place) => self.add_in_window(place, position, count, sum),
            None => self.add_elsewhere(value, count, sum),
        }
    }

    /// The place of a position in the window, if it is there.
    #[inline]
    fn place_in_window(&self, position: usize) -> Option<usize> {
        // Relaxed: the start is chosen once. A thread that was told about a value by another one finds it chosen.
        let start = self.window_start.load(Ordering::Relaxed);
        let place = (position as u64).wrapping_sub(start);
        (place < self.window_buckets as u64).then_some(place as usize)
    }

    #[inline]
    fn add_in_window(&self, place: usize, position: usize, count: u64, sum: f64) {
        self.window.add_with_f64(place, count, self.window_buckets + position % SUMS, sum);
    }

    /// [`add`](Self::add) for values outside the window.
    #[cold]
    #[inline(never)]
    fn add_elsewhere(&self, value: f64, count: u64, sum: f64) {
        if !value.is_normal() {
            return self.record_special(value, count, sum);
        }
        let position = self.cells.position(value.abs());
        let directory = if value < 0.0 {
            &self.negative
        } else {
            self.choose_window(position);
            if let Some(place) = self.place_in_window(position) {
                return self.add_in_window(place, position, count, sum);
            }
            &self.positive
        };
        let buckets = 1 << block_shift(self.schema);
        let block = directory.get_or_init(Directory::default).get_or_init(position / buckets, buckets);
        block.add_with_f64(position % buckets, count, buckets + position % SUMS, sum);
    }

    /// Puts the window around a position, with more octaves above than below, unless it is somewhere already.
    fn choose_window(&self, position: usize) {
        // Relaxed: see `place_in_window`. Threads must not write here for each value that is outside the window.
        if self.window_start.load(Ordering::Relaxed) != NO_WINDOW {
            return;
        }
        let (blocks, shift) = (window_blocks(self.schema), block_shift(self.schema));
        // Neither the first block, which has a place for subnormal numbers, nor the last one, which has one for infinity.
        let first = (position >> shift).saturating_sub((blocks - 1) / 2).clamp(1, BLOCKS - 1 - blocks);
        // Relaxed: the start is a number by itself, and the first one stays.
        let _ = self.window_start.compare_exchange(
            NO_WINDOW,
            (first << shift) as u64,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    #[cold]
    #[inline(never)]
    fn record_special(&self, value: f64, count: u64, sum: f64) {
        let lanes = self.specials.get_or_init(|| Lanes::new(special::WORDS));
        let word = match value {
            f64::INFINITY => special::POSITIVE_INFINITY,
            f64::NEG_INFINITY => special::NEGATIVE_INFINITY,
            _ if value.is_nan() => special::NAN,
            _ => special::ZERO,
        };
        let sum = if value.is_finite() { sum } else { 0.0 };
        lanes.add_with_f64(word, count, special::SUM, sum);
    }

    /// Shows this from now on instead of what was recorded.
    #[cfg(feature = "shared")]
    pub(crate) fn show(&self, snapshot: HistogramSnapshot) {
        let shown = self.shown.get_or_init(std::sync::Mutex::default);
        *shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = snapshot;
    }

    pub(crate) fn snapshot(&self) -> HistogramSnapshot {
        #[cfg(feature = "shared")]
        if let Some(shown) = self.shown.get() {
            return shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        }
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
        if let Some(positive) = self.positive.get() {
            snapshot.sum += positive.read(self.schema, &mut snapshot.positive);
        }
        if let Some(negative) = self.negative.get() {
            snapshot.sum += negative.read(self.schema, &mut snapshot.negative);
        }
        self.read_window(&mut snapshot);
        snapshot
    }

    /// Adds what the window has to a snapshot of everything else.
    fn read_window(&self, snapshot: &mut HistogramSnapshot) {
        // Relaxed: see `place_in_window`.
        let start = self.window_start.load(Ordering::Relaxed);
        if start == NO_WINDOW {
            return;
        }
        let mut buckets = Buckets::default();
        snapshot.sum += read_buckets(&self.window, self.schema, start as usize, &mut buckets);
        // None of the other buckets is in the window.
        let at =
            buckets.0.first().map_or(0, |first| snapshot.positive.0.partition_point(|other| other < first));
        snapshot.positive.0.splice(at..at, buckets.0);
    }

    /// A number that changes whenever values are recorded (unless exactly 2^64 are).
    pub(crate) fn state(&self) -> u64 {
        let mut words = Vec::new();
        let directories = self.positive.get().into_iter().chain(self.negative.get());
        let blocks = directories.flat_map(Directory::blocks).map(|(_, block)| (block, SUMS));
        let others = [(&self.window, SUMS)].into_iter().chain(self.specials.get().map(|lanes| (lanes, 1)));
        blocks.chain(others).fold(0, |state, (lanes, sums)| {
            lanes.snapshot(&mut words);
            // The last words are sums of floating-point numbers, which may stay as they are.
            words.iter().take(words.len() - sums).copied().fold(state, u64::wrapping_add)
        })
    }
}

impl Directory {
    /// The block with this number, which has so many buckets.
    fn get_or_init(&self, number: usize, buckets: usize) -> &Lanes {
        let page = self.pages[number / PAGE].get_or_init(Default::default);
        page[number % PAGE].get_or_init(|| Lanes::new(buckets + SUMS))
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
        let shift = block_shift(schema);
        self.blocks().map(|(number, block)| read_buckets(block, schema, number << shift, buckets)).sum()
    }
}

/// Reads the buckets that aren't empty, of which the first is at the position `start`, and the sum of their values.
fn read_buckets(lanes: &Lanes, schema: Schema, start: usize, buckets: &mut Buckets) -> f64 {
    let mut words = Vec::new();
    lanes.snapshot(&mut words);
    let len = words.len() - SUMS;
    let counts = words[..len].iter().enumerate().filter(|&(_, &count)| count > 0);
    buckets.0.extend(counts.map(|(place, &count)| (schema.index_at(start + place), count)));
    (len..words.len()).map(|word| lanes.read_f64(word)).sum()
}

/// How many buckets a block has, as a shift.
fn block_shift(schema: Schema) -> u8 {
    schema.get() + BLOCK_OCTAVES
}

/// How many blocks the window replaces.
fn window_blocks(schema: Schema) -> usize {
    match schema.get() {
        // Loom tracks each word.
        _ if cfg!(atomik_loom) => 1,
        ..=3 => 4,
        _ => 2,
    }
}

impl HistogramFn for HistogramCell {
    #[inline]
    fn record(&self, value: f64) {
        self.add(value, 1, value);
    }

    #[inline]
    fn record_many(&self, value: f64, count: usize) {
        self.add(value, count as u64, value * count as f64);
    }
}
