//! What the models in `loom-tests` reach: the lanes of a file, whose locks are modelled as what the kernel promises.

use std::io;
use std::sync::Arc;

use atomik_core::{Algebra, Context};

use crate::claim::{KernelLocks, LaneLocks, accum_alone};
use crate::descriptor::{Described, Descriptor, LABEL_BYTES, Owner, Phase};
use crate::metadata::{Metadata, NoRoom};
use crate::sync::{AtomicU64, Ordering};

/// A file with lanes of one address.
#[derive(Debug)]
pub struct File<A: Algebra> {
    lanes: Vec<(Descriptor, Context<A>)>,
    /// Of the lock of each lane, the number of the last description that had it, twice, and 1 more if it still has it.
    locks: Vec<AtomicU64>,
}

impl<A: Algebra> File<A> {
    /// A new file.
    #[must_use]
    pub fn new(lanes: usize) -> Arc<Self> {
        Arc::new(Self {
            lanes: (0..lanes).map(|_| Default::default()).collect(),
            locks: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// READ, as readers compose the lanes.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.lanes.iter().fold(A::IDENTITY, |total, (_, context)| A::compose(total, context.read()))
    }

    /// What the descriptor of a lane says of its owner: the incarnation, whether it is returned, and the process id and
    /// the label of the owner.
    #[must_use]
    pub fn describe(&self, lane: usize) -> (u64, bool, Option<(u64, [u8; LABEL_BYTES])>) {
        let Described { incarnation, phase, owner } = self.lanes[lane].0.read();
        (incarnation, phase == Phase::Returned, owner.map(|owner| (owner.pid, owner.label)))
    }
}

/// The locks, as one open file description has them.
#[derive(Debug)]
struct Locks<A: Algebra> {
    file: Arc<File<A>>,
    description: u64,
}

impl<A: Algebra> KernelLocks for Locks<A> {
    fn try_lock(&self, lane: usize) -> io::Result<bool> {
        let lock = &self.file.locks[lane];
        let mut last = 0;
        loop {
            let ordering = if last >> 1 == self.description {
                // Relaxed: nothing is promised to the threads of one description.
                Ordering::Relaxed
            } else {
                // Acquire: pairs with the Release in `unlock` and in `die`.
                Ordering::Acquire
            };
            match lock.compare_exchange(last, self.description << 1 | 1, ordering, Ordering::Relaxed) {
                Ok(_) => return Ok(true),
                Err(held) if held & 1 == 1 => return Ok(held >> 1 == self.description),
                Err(free) => last = free,
            }
        }
    }

    fn unlock(&self, lane: usize) {
        // Release: pairs with the exchange in `try_lock`.
        self.file.locks[lane].store(self.description << 1, Ordering::Release);
    }
}

/// A process that has the file open.
#[derive(Debug)]
pub struct Process<A: Algebra> {
    locks: LaneLocks<Locks<A>>,
    pid: u64,
}

impl<A: Algebra> Process<A> {
    /// A process. Its id is not 0, and no other one has it.
    #[must_use]
    pub fn new(file: &Arc<File<A>>, pid: u64) -> Self {
        let locks = Locks { file: Arc::clone(file), description: pid };
        Self { locks: LaneLocks::new(file.lanes.len(), locks), pid }
    }

    /// Claims a lane. The label has the byte that is given throughout.
    #[must_use]
    pub fn claim(&self, label: u8) -> Option<Producer<'_, A>> {
        let lanes = &self.locks.kernel().file.lanes;
        let owner = Owner { pid: self.pid, claimed_at: 0, label: [label; LABEL_BYTES] };
        let lane =
            self.locks.claim(|lane| &lanes[lane].0, &owner).expect("the modelled kernel never refuses");
        lane.map(|lane| Producer { process: self, lane })
    }

    /// The process ends, wherever its threads are. The kernel drops its locks, after all that its threads did.
    pub fn die(&self) {
        let file = &self.locks.kernel().file;
        for lock in &file.locks {
            // Release: pairs with the exchange in `try_lock`.
            let (held, free) = (self.pid << 1 | 1, self.pid << 1);
            let _ = lock.compare_exchange(held, free, Ordering::Release, Ordering::Relaxed);
        }
    }
}

/// A producer. Unlike that of the library, it keeps its lane when it is dropped.
#[derive(Debug)]
pub struct Producer<'a, A: Algebra> {
    process: &'a Process<A>,
    lane: usize,
}

impl<A: Algebra> Producer<'_, A> {
    /// The number of the lane.
    #[must_use]
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// ACCUM.
    pub fn accum(&mut self, delta: u64) {
        accum_alone(&self.process.locks.kernel().file.lanes[self.lane].1, delta);
    }

    /// Returns the lane.
    pub fn give_back(self) {
        let locks = &self.process.locks;
        locks.give_back(self.lane, &locks.kernel().file.lanes[self.lane].0);
    }
}

/// The metadata of a file, with room for two entries of 8 bytes. One process at a time may append: whoever has the lock,
/// which is not modelled here.
#[derive(Debug)]
pub struct Entries(Vec<AtomicU64>);

impl Entries {
    /// Metadata without any entry.
    #[must_use]
    pub fn new() -> Self {
        Self((0..5).map(|_| AtomicU64::new(0)).collect())
    }

    /// Appends an entry.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    pub fn append(&self, entry: &[u8]) {
        if let Err(NoRoom { needed, left }) = Metadata::in_words(&self.0).append(entry) {
            panic!("the entry takes {needed} bytes, and {left} are left");
        }
    }

    /// All entries.
    #[must_use]
    pub fn all(&self) -> Vec<Vec<u8>> {
        Metadata::in_words(&self.0).entries().collect()
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self::new()
    }
}
