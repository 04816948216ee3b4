//! The words of all counters: a table that grows.

use std::sync::Arc;

use crate::lanes::Lanes;
use crate::sync::{Mutex, lock};

/// The first chunk has this many words, and each further one twice as many as the one before, up to [`LAST_CHUNK`].
/// So a thread that writes to a few counters has small planes, and a thread that writes to many has few.
const FIRST_CHUNK: usize = if cfg!(atomik_loom) { 1 } else { 64 };
const LAST_CHUNK: usize = if cfg!(atomik_loom) { 1 } else { 512 };

/// A growing table of counters. It is locked only to hand out a word or to take one back; a counter that has its word
/// needs the table no more.
#[derive(Debug, Default)]
pub(crate) struct CounterTable {
    words: Mutex<Words>,
}

#[derive(Debug, Default)]
struct Words {
    chunks: Vec<Arc<Lanes>>,
    /// How many words of the last chunk were handed out.
    used: usize,
    /// Words that were returned, as number of the chunk and place in it.
    free: Vec<(u32, u32)>,
}

/// A counter's word, which it has until it is dropped.
#[derive(Debug)]
pub(crate) struct Word {
    lanes: Arc<Lanes>,
    place: u32,
    chunk: u32,
    table: Arc<CounterTable>,
}

impl CounterTable {
    /// A word for a new counter. What an earlier counter left in it is the caller's to subtract; no thread adds to it
    /// any more.
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

    /// How many words there are, in use or free.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        lock(&self.words).chunks.iter().map(|chunk| chunk.len()).sum()
    }
}

impl Words {
    /// A word that was never handed out before.
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
    /// Wait-free after the thread's first addition to a word of this chunk.
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        self.lanes.add(self.place as usize, count);
    }

    pub(crate) fn read(&self) -> u64 {
        self.lanes.read(self.place as usize)
    }

    /// The word's sum in a snapshot that was taken after the word was claimed, and so has its chunk.
    pub(crate) fn read_in(&self, snapshot: &[Vec<u64>]) -> u64 {
        snapshot[self.chunk as usize][self.place as usize]
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        lock(&self.table.words).free.push((self.chunk, self.place));
    }
}
