//! What the models in `loom-tests` reach: the lanes of a file, whose locks are modelled as what the kernel promises.

use std::io;
use std::sync::Arc;

use atomik_core::{Algebra, Context};

use crate::claim::{KernelLocks, LaneLocks, accum_alone};
use crate::descriptor::{Described, Descriptor, LABEL_BYTES, Owner, Phase};
use crate::sync::{AtomicU64, Ordering};

/// A file with lanes of one address.
#[derive(Debug)]
pub struct File<A: Algebra> {
    lanes: Vec<(Descriptor, Context<A>)>,
    /// The number of the description that has the lock of each lane, or 0.
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
        // AcqRel: whatever the last holder did happens before. That is what the kernel promises.
        let locked = lock.compare_exchange(0, self.description, Ordering::AcqRel, Ordering::Relaxed);
        Ok(matches!(locked, Ok(_)) || locked == Err(self.description))
    }

    fn unlock(&self, lane: usize) {
        // Release: pairs with the exchange in `try_lock`.
        self.file.locks[lane].store(0, Ordering::Release);
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
            let _ = lock.compare_exchange(self.pid, 0, Ordering::Release, Ordering::Relaxed);
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
