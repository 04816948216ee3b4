//! What a shared file holds, copied to the series of a recorder, which shows them.

use std::sync::{Arc, Mutex, PoisonError};

use atomik_core::Add;
use atomik_shared::SharedView;
use metrics::Key;

use super::entry::{LOST, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, ZERO, block_buckets};
use super::file::{FoundHistogram, Index};
use crate::counter::CounterCell;
use crate::histogram::HistogramCell;
use crate::recorder::{Inner, Source};
use crate::snapshot::{HistogramSnapshot, Specials};

/// The counter of events that were lost because the file had no room for their series.
pub(super) const LOST_EVENTS: &str = "atomik_metrics_lost_total";

#[derive(Debug)]
pub(super) struct FileSource {
    view: SharedView<Add>,
    displayed: Mutex<Displayed>,
}

/// The series that show what the file holds, in the order of the index.
#[derive(Debug, Default)]
struct Displayed {
    index: Index,
    words: Vec<u64>,
    counters: Vec<Arc<CounterCell>>,
    histograms: Vec<Arc<HistogramCell>>,
}

impl FileSource {
    pub(super) fn new(view: SharedView<Add>) -> Self {
        Self { view, displayed: Mutex::default() }
    }

    /// The sum of the values in a block: its last word in each lane, in the order of the lanes.
    fn sum(&self, word: usize) -> f64 {
        (0..self.view.layout().lanes()).map(|lane| f64::from_bits(self.view.read_lane(lane, word))).sum()
    }

    fn histogram(&self, found: &FoundHistogram, words: &[u64]) -> HistogramSnapshot {
        let mut snapshot = HistogramSnapshot::new(found.schema);
        snapshot.specials = Specials {
            zero: words[found.start + ZERO],
            positive_infinity: words[found.start + POSITIVE_INFINITY],
            negative_infinity: words[found.start + NEGATIVE_INFINITY],
            nan: words[found.start + NAN],
        };
        let len = block_buckets(found.schema);
        for (place, block) in &found.blocks {
            let buckets = if place.is_negative { &mut snapshot.negative } else { &mut snapshot.positive };
            let counts = words[block.start..][..len].iter().enumerate().filter(|&(_, &count)| count > 0);
            let index = |bucket| found.schema.index_at(place.number * len + bucket);
            buckets.0.extend(counts.map(|(bucket, &count)| (index(bucket), count)));
            snapshot.sum += self.sum(block.start + len);
        }
        // The blocks are in the order in which they were made.
        snapshot.positive.0.sort_unstable();
        snapshot.negative.0.sort_unstable();
        snapshot
    }
}

impl Source for FileSource {
    fn refresh(&self, inner: &Inner) {
        let mut displayed = self.displayed.lock().unwrap_or_else(PoisonError::into_inner);
        let Displayed { index, words, counters, histograms } = &mut *displayed;
        index.read(self.view.metadata(), self.view.len());
        // The counts before the sums, which `histogram` reads.
        words.resize(self.view.len(), 0);
        self.view.snapshot(words);
        for (number, (key, word)) in index.counters.iter().enumerate() {
            if counters.len() == number {
                counters.push(inner.counter(key));
            }
            counters[number].raise_to(words[*word]);
        }
        for (number, found) in index.histograms.iter().enumerate() {
            if histograms.len() == number {
                histograms.push(inner.histogram(&found.key));
            }
            histograms[number].show(self.histogram(found, words));
        }
        if words[LOST] > 0 {
            inner.counter(&Key::from_static_name(LOST_EVENTS)).raise_to(words[LOST]);
        }
    }
}
