//! A shared file as one process uses it: which words belong to which series, and the lanes of its threads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use atomik_core::Add;
use atomik_shared::{Metadata, SharedFanIn, SharedProducer, SharedView};
use metrics::Key;

use super::entry::{BlockPlace, Entry, FIRST_WORD, LOST, Owner};
use super::error::SharedRecorderError;
use super::size::SharedSize;
use crate::schema::Schema;

/// What the metadata of a file say, as far as they were read.
#[derive(Debug)]
pub(super) struct Index {
    /// Where the entries begin that were not read yet.
    position: usize,
    /// The first word that belongs to nothing.
    next: usize,
    /// Whether there was an entry that can't be read.
    is_damaged: bool,
    /// In the order of the file.
    pub(super) counters: Vec<(Key, usize)>,
    pub(super) histograms: Vec<FoundHistogram>,
    by_key: HashMap<(bool, Key), usize>,
    by_start: HashMap<usize, usize>,
    blocks: usize,
}

#[derive(Debug)]
pub(super) struct FoundHistogram {
    pub(super) key: Key,
    pub(super) schema: Schema,
    pub(super) start: usize,
    pub(super) blocks: Vec<(BlockPlace, Block)>,
}

/// Where a block of a histogram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) start: usize,
    /// The number of the block among all blocks of the file.
    pub(super) number: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            position: 0,
            next: FIRST_WORD,
            is_damaged: false,
            counters: Vec::new(),
            histograms: Vec::new(),
            by_key: HashMap::new(),
            by_start: HashMap::new(),
            blocks: 0,
        }
    }
}

impl Index {
    /// Reads the entries that were appended since the last call.
    pub(super) fn read(&mut self, metadata: Metadata<'_>, len: usize) {
        let mut entries = metadata.entries_from(self.position);
        while let Some(bytes) = entries.next() {
            self.position = entries.position();
            let schema_of = |start| Some(self.histograms[*self.by_start.get(&start)?].schema);
            match Entry::from_bytes(&bytes, len, schema_of) {
                Some(entry) => self.add(entry),
                // Whoever wrote it, it is shown to nobody. Nothing may be appended, since its words may be in use.
                None => self.is_damaged = true,
            }
        }
    }

    fn add(&mut self, entry: Entry) {
        self.next = self.next.max(entry.end());
        let start = entry.start;
        match entry.of {
            Owner::Counter(key) => {
                self.by_key.insert((false, key.clone()), self.counters.len());
                self.counters.push((key, start));
            }
            Owner::Histogram { schema, key } => {
                let number = self.histograms.len();
                self.by_key.insert((true, key.clone()), number);
                self.by_start.insert(start, number);
                self.histograms.push(FoundHistogram { key, schema, start, blocks: Vec::new() });
            }
            Owner::Block { histogram, place, .. } => {
                if let Some(&number) = self.by_start.get(&histogram) {
                    self.histograms[number].blocks.push((place, Block { start, number: self.blocks }));
                    self.blocks += 1;
                }
            }
        }
    }

    pub(super) fn counter(&self, key: &Key) -> Option<usize> {
        self.by_key.get(&(false, key.clone())).map(|&number| self.counters[number].1)
    }

    pub(super) fn histogram(&self, key: &Key) -> Option<(Schema, usize)> {
        let found = &self.histograms[*self.by_key.get(&(true, key.clone()))?];
        Some((found.schema, found.start))
    }

    pub(super) fn block(&self, histogram: usize, place: BlockPlace) -> Option<Block> {
        let found = &self.histograms[*self.by_start.get(&histogram)?];
        found.blocks.iter().find(|(other, _)| *other == place).map(|&(_, block)| block)
    }
}

/// A file that is written to.
#[derive(Debug)]
pub(super) struct File {
    id: u64,
    fan_in: SharedFanIn<Add>,
    view: SharedView<Add>,
    index: Mutex<Index>,
    /// The lane that threads without a lane of their own take turns on.
    spare: Mutex<OwnLane>,
}

/// A lane that is written to, with the sums in it.
#[derive(Debug)]
struct OwnLane {
    producer: SharedProducer<Add>,
    /// The lane's sum of each block, by the block's number, once it was read.
    sums: Vec<Option<f64>>,
}

thread_local! {
    /// The calling thread's lane of each file, by the file's id. `None` if there was no free one.
    static LANES: RefCell<Vec<(u64, Option<OwnLane>)>> = const { RefCell::new(Vec::new()) };
}

impl File {
    pub(super) fn open(path: &Path, size: SharedSize) -> Result<Self, SharedRecorderError> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let fan_in = SharedFanIn::open_or_create_with(path, size.0)?;
        Ok(Self {
            // Relaxed: the ids only have to be distinct.
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            view: SharedFanIn::open_read_only(path)?,
            index: Mutex::default(),
            spare: Mutex::new(OwnLane::claim(&fan_in)?),
            fan_in,
        })
    }

    /// Looks something up in the metadata. If it isn't there, appends an entry for it.
    pub(super) fn find_or_append<T>(
        &self,
        find: impl Fn(&Index) -> Option<T>,
        owner: impl FnOnce() -> Owner,
    ) -> Result<T, SharedRecorderError> {
        let (len, mut index) = (self.fan_in.len(), self.index.lock().unwrap_or_else(PoisonError::into_inner));
        index.read(self.fan_in.metadata(), len);
        if let Some(found) = find(&index) {
            return Ok(found);
        }
        // From here on no other process appends.
        let mut writer = self.fan_in.metadata_writer()?;
        index.read(writer.metadata(), len);
        if let Some(found) = find(&index) {
            return Ok(found);
        }
        let owner = owner();
        let (needed, left) = (owner.words(), len - index.next);
        if index.is_damaged {
            return Err(SharedRecorderError::Damaged);
        }
        if needed > left {
            return Err(SharedRecorderError::Full { needed, left });
        }
        writer.append(&owner.to_bytes(index.next))?;
        index.read(writer.metadata(), len);
        find(&index).ok_or(SharedRecorderError::Damaged)
    }

    /// Adds to a word of the calling thread's lane.
    #[inline]
    pub(super) fn add(&self, word: usize, count: u64) {
        self.with_lane(|lane| lane.producer.accum(word, count));
    }

    /// Counts an event for which there was no room.
    #[cold]
    pub(super) fn lose(&self) {
        self.add(LOST, 1);
    }

    /// Adds to a bucket of a block, and to the block's sum behind its so many buckets.
    #[inline]
    pub(super) fn add_to_block(&self, block: Block, bucket: usize, buckets: usize, count: u64, sum: f64) {
        self.with_lane(|lane| {
            if lane.sums.len() <= block.number {
                lane.sums.resize(block.number + 1, None);
            }
            let word = block.start + buckets;
            let in_file = || f64::from_bits(self.view.read_lane(lane.producer.lane(), word));
            let last = lane.sums[block.number].unwrap_or_else(in_file);
            let next = last + sum;
            // Deltas are added to the bits. The count last: a reader that reads counts first has their values in the sum.
            lane.producer.accum(word, next.to_bits().wrapping_sub(last.to_bits()));
            lane.producer.accum(block.start + bucket, count);
            lane.sums[block.number] = Some(next);
        });
    }

    /// Raises a word to a value. Nobody else raises a word of the file meanwhile.
    pub(super) fn raise(&self, word: usize, value: u64) -> Result<(), SharedRecorderError> {
        let writer = self.fan_in.metadata_writer()?;
        if let Some(missing @ 1..) = value.checked_sub(self.fan_in.read(word)) {
            self.add(word, missing);
        }
        drop(writer);
        Ok(())
    }

    #[inline]
    fn with_lane<T>(&self, write: impl FnOnce(&mut OwnLane) -> T) -> T {
        let mut write = Some(write);
        let mut run = |lane: &mut OwnLane| write.take().map(|write| write(lane));
        let own = LANES.try_with(|lanes| {
            let mut lanes = lanes.try_borrow_mut().ok()?;
            let at = match lanes.iter().position(|(file, _)| *file == self.id) {
                Some(at) => at,
                None => {
                    lanes.push((self.id, OwnLane::claim(&self.fan_in).ok()));
                    lanes.len() - 1
                }
            };
            run(lanes[at].1.as_mut()?)
        });
        // An error while the thread's locals are being destroyed.
        own.ok().flatten().unwrap_or_else(|| {
            let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
            run(&mut spare).expect("it runs once")
        })
    }
}

impl OwnLane {
    fn claim(fan_in: &SharedFanIn<Add>) -> Result<Self, SharedRecorderError> {
        let thread = std::thread::current();
        let producer = fan_in.producer_labelled(thread.name().unwrap_or("metrics"))?;
        Ok(Self { producer, sums: Vec::new() })
    }
}
