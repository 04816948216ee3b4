//! The words of all counters: a table that grows.

use std::sync::Arc;

use crate::lanes::Lanes;
use crate::sync::{Mutex, lock};

/// The number of words in the first chunk. Each further chunk has twice as many as the one before, up to
/// [`LAST_CHUNK`]. So a thread that writes to a few counters has small planes, and a thread that writes to many
/// counters has few planes.
const FIRST_CHUNK: usize = if cfg!(atomik_loom) { 1 } else { 64 };
const LAST_CHUNK: usize = if cfg!(atomik_loom) { 1 } else { 512 };

/// A growing table of counters. It is locked only while a word is handed out or taken back. A counter writes to its word
/// without the table.
#[derive(Debug, Default)]
pub(crate) struct CounterTable {
    words: Mutex<Words>,
}

#[derive(Debug, Default)]
struct Words {
    chunks: Vec<Arc<Lanes>>,
    /// How many words of the last chunk have been handed out.
    used: usize,
    /// The words that were returned, each as the number of its chunk and its place there.
    free: Vec<(u32, u32)>,
}

/// The word of a counter. It goes back to the table when it is dropped.
#[derive(Debug)]
pub(crate) struct Word {
    lanes: Arc<Lanes>,
    place: u32,
    chunk: u32,
    table: Arc<CounterTable>,
}

impl CounterTable {
    /// A word for a new counter. It may hold the count of an earlier counter, which the caller must subtract and which no
    /// longer changes.
    pub(crate) fn claim(self: &Arc<Self>) -> Word {
        let mut words = lock(&self.words);
        let (chunk, place) = match words.free.pop() {
            Some(place) => place,
            None => words.next(),
        };
        let lanes = Arc::clone(&words.chunks[chunk as usize]);
        Word { lanes, place, chunk, table: Arc::clone(self) }
    }

    /// The sums of all words, chunk by chunk.
    pub(crate) fn snapshot(&self) -> Vec<Vec<u64>> {
        let chunks = lock(&self.words).chunks.clone();
        let sums = |lanes: Arc<Lanes>| {
            let mut sums = Vec::new();
            lanes.snapshot(&mut sums);
            sums
        };
        chunks.into_iter().map(sums).collect()
    }

    /// How many words there are, whether in use or free.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        lock(&self.words).chunks.iter().map(|chunk| chunk.len()).sum()
    }
}

impl Words {
    /// A word that has never been handed out.
    fn next(&mut self) -> (u32, u32) {
        let len = self.chunks.last().map_or(0, |chunk| chunk.len());
        if self.used == len {
            let len = if len == 0 { FIRST_CHUNK } else { (2 * len).min(LAST_CHUNK) };
            self.chunks.push(Arc::new(Lanes::new(len)));
            self.used = 0;
        }
        self.used += 1;
        (self.chunks.len() as u32 - 1, self.used as u32 - 1)
    }
}

impl Word {
    /// Adds to the word. Wait-free after the thread's first addition in this chunk.
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        self.lanes.add(self.place as usize, count);
    }

    pub(crate) fn read(&self) -> u64 {
        self.lanes.read(self.place as usize)
    }

    /// The sum of the word in a snapshot that was taken after the word was claimed. Such a snapshot has the word's chunk.
    pub(crate) fn read_in(&self, snapshot: &[Vec<u64>]) -> u64 {
        snapshot[self.chunk as usize][self.place as usize]
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        lock(&self.table.words).free.push((self.chunk, self.place));
    }
}
