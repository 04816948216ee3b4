//! The series of a shared file, as the facade records to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{CounterFn, HistogramFn, Key};
use metrics_util::registry::Storage;

use super::entry::{
    self, BlockPlace, LOST, NAN, NEGATIVE_INFINITY, Owner, POSITIVE_INFINITY, ZERO, block_buckets,
};
use super::error::SharedRecorderError;
use super::file::{Block, File};
use crate::gauge::GaugeCell;
use crate::histogram::BLOCKS;
use crate::recorder::Handle;
use crate::schema::{Cells, Schema};

/// Makes the series of a registry.
#[derive(Debug)]
pub(super) struct SharedStorage {
    pub(super) file: Arc<File>,
    pub(super) schema: Schema,
    /// Gauges are those of this recorder.
    pub(super) own: Handle,
}

impl SharedStorage {
    pub(super) fn find_counter(&self, key: &Key) -> Result<SharedCounter, SharedRecorderError> {
        let word =
            self.file.find_or_append(|index| index.counter(key), || Owner::Counter(key.to_retained()))?;
        Ok(SharedCounter { file: Arc::clone(&self.file), word })
    }

    pub(super) fn find_histogram(&self, key: &Key) -> Result<SharedHistogram, SharedRecorderError> {
        let owner = || Owner::Histogram { schema: self.schema, key: key.to_retained() };
        let (schema, start) = self.file.find_or_append(|index| index.histogram(key), owner)?;
        Ok(SharedHistogram::new(Arc::clone(&self.file), schema, start))
    }
}

impl Storage<Key> for SharedStorage {
    type Counter = Arc<SharedCounter>;
    type Gauge = Arc<GaugeCell>;
    type Histogram = Arc<SharedHistogram>;

    fn counter(&self, key: &Key) -> Self::Counter {
        let lost = |_| SharedCounter { file: Arc::clone(&self.file), word: LOST };
        Arc::new(self.find_counter(key).unwrap_or_else(lost))
    }

    fn gauge(&self, key: &Key) -> Self::Gauge {
        self.own.inner.gauge(key)
    }

    fn histogram(&self, key: &Key) -> Self::Histogram {
        let lost = |_| SharedHistogram::new(Arc::clone(&self.file), self.schema, LOST);
        Arc::new(self.find_histogram(key).unwrap_or_else(lost))
    }
}

/// A counter of a shared file. Its word is [`LOST`] if the file had no room for it.
#[derive(Debug)]
pub(super) struct SharedCounter {
    file: Arc<File>,
    word: usize,
}

impl CounterFn for SharedCounter {
    #[inline]
    fn increment(&self, count: u64) {
        match self.word {
            LOST => self.file.lose(),
            word => self.file.add(word, count),
        }
    }

    fn absolute(&self, value: u64) {
        if self.word == LOST || self.file.raise(self.word, value).is_err() {
            self.file.lose();
        }
    }
}

/// A histogram of a shared file. It starts at [`LOST`] if the file had no room for it.
#[derive(Debug)]
pub(super) struct SharedHistogram {
    file: Arc<File>,
    schema: Schema,
    cells: Cells,
    start: usize,
    /// The blocks that were found so far, those of positive values first: the address of each and, in the lower half, its
    /// number and 1.
    blocks: Box<[AtomicU64]>,
}

impl SharedHistogram {
    fn new(file: Arc<File>, schema: Schema, start: usize) -> Self {
        let blocks = (0..2 * BLOCKS).map(|_| AtomicU64::new(0)).collect();
        Self { file, schema, cells: schema.cells(), start, blocks }
    }

    #[inline]
    fn add(&self, value: f64, count: u64, sum: f64) {
        if self.start == LOST {
            return self.file.lose();
        }
        if !value.is_normal() {
            return self.add_special(value, count);
        }
        let (position, buckets) = (self.cells.position(value.abs()), block_buckets(self.schema));
        let place = BlockPlace { is_negative: value < 0.0, number: position / buckets };
        match self.block(place) {
            Some(block) => self.file.add_to_block(block, position % buckets, buckets, count, sum),
            None => self.file.lose(),
        }
    }

    #[cold]
    fn add_special(&self, value: f64, count: u64) {
        let word = match value {
            f64::INFINITY => POSITIVE_INFINITY,
            f64::NEG_INFINITY => NEGATIVE_INFINITY,
            _ if value.is_nan() => NAN,
            _ => ZERO,
        };
        self.file.add(self.start + word, count);
    }

    /// The block at a place, for which there is an entry from now on. `None` if the file has no room for it.
    #[inline]
    fn block(&self, place: BlockPlace) -> Option<Block> {
        let found = &self.blocks[usize::from(place.is_negative) * BLOCKS + place.number];
        // Relaxed: the words of a block are there from the start. All threads find the same block.
        match found.load(Ordering::Relaxed) {
            0 => self.find_block(place, found),
            packed => Some(Block { start: (packed >> 32) as usize, number: packed as u32 as usize - 1 }),
        }
    }

    #[cold]
    fn find_block(&self, place: BlockPlace, found: &AtomicU64) -> Option<Block> {
        let owner = || entry::Owner::Block { histogram: self.start, schema: self.schema, place };
        let block = self.file.find_or_append(|index| index.block(self.start, place), owner).ok()?;
        // Relaxed: as in `block`.
        found.store((block.start as u64) << 32 | (block.number as u64 + 1), Ordering::Relaxed);
        Some(block)
    }
}

impl HistogramFn for SharedHistogram {
    #[inline]
    fn record(&self, value: f64) {
        self.add(value, 1, value);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.add(value, count as u64, value * count as f64);
    }
}
