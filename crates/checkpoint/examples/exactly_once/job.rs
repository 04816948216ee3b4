//! The job: threads that process their shares, and checkpoints of what they did.

use std::error::Error;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use atomik_checkpoint::{CheckpointStore, Saved};
use atomik_core::{Add, FanIn, TableEpoch, TableFanIn, Xor};
use fan_in_demo::events::{self, Event};
use fan_in_demo::histogram::{BUCKETS, Histogram};
use fan_in_demo::input::Input;

use crate::position::Position;

/// The addresses of the totals in the table; the histogram follows.
const LINES: usize = 0;
const BYTES: usize = 1;
const FIRST_BUCKET: usize = 2;

/// The bytes that a thread processes between two looks at the gate. The pause before a checkpoint is as long.
const PIECE: u64 = 256 << 10;

pub(crate) struct Totals {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: u64,
    pub(crate) histogram: Histogram,
}

pub(crate) struct Job {
    totals: Arc<TableFanIn<Add>>,
    digest: FanIn<Xor>,
    epoch: TableEpoch<Arc<TableFanIn<Add>>>,
    position: Position,
    /// What each thread has not processed yet.
    left: Vec<Mutex<Vec<Range<u64>>>>,
    /// Held for reading while a thread works on a piece, and for writing while an epoch is closed.
    gate: RwLock<()>,
}

impl Job {
    /// Continues from the last checkpoint of a store, or starts if there is none.
    pub(crate) fn recover(
        store: &mut CheckpointStore,
        input: &Input,
        threads: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let totals = Arc::new(TableFanIn::<Add>::new(FIRST_BUCKET + BUCKETS));
        let (epoch, position) = match store.recover::<Add>()? {
            Some(recovered) => {
                let mut producer = totals.producer();
                for (addr, &state) in recovered.states().iter().enumerate() {
                    producer.accum(addr, state);
                }
                let mut position = Position::parse(recovered.caller(), input)?;
                position.restarts += 1;
                (recovered.resume(Arc::clone(&totals)), position)
            }
            None => (TableEpoch::new(Arc::clone(&totals)), Position::start(input)?),
        };
        let left = position.divide(input, threads)?.into_iter().map(Mutex::new).collect();
        let digest = FanIn::new(position.digest);
        Ok(Self { totals, digest, epoch, position, left, gate: RwLock::new(()) })
    }

    /// Processes what is left of the input, with a checkpoint at the start, at the end and every so often.
    pub(crate) fn run(
        &mut self,
        store: &mut CheckpointStore,
        input: &Input,
        every: Duration,
    ) -> Result<Saved, Box<dyn Error>> {
        // At the start, so that a restart is counted even if this run ends before its first checkpoint.
        self.save(store)?;
        thread::scope(|scope| {
            let (done, is_done) = mpsc::channel();
            let Self { totals, digest, epoch, position, left, gate } = self;
            let (totals, digest, left, gate) = (&*totals, &*digest, &left[..], &*gate);
            for share in left {
                let done = done.clone();
                scope.spawn(move || {
                    let result = process(input, share, gate, totals, digest);
                    // Only fails if the checkpoints have failed, and then that is the error that counts.
                    let _ = done.send(result);
                });
            }
            let mut watch = || {
                let mut running = left.len();
                while running > 0 {
                    match is_done.recv_timeout(every) {
                        Ok(result) => {
                            result?;
                            running -= 1;
                        }
                        Err(_) => {
                            save(store, epoch, position, digest, left, gate)?;
                        }
                    }
                }
                Ok::<(), Box<dyn Error>>(())
            };
            // After an error, the threads have nothing left to do.
            watch()
                .inspect_err(|_| left.iter().for_each(|left| left.lock().expect("no thread panics").clear()))
        })?;
        self.save(store)
    }

    fn save(&mut self, store: &mut CheckpointStore) -> Result<Saved, Box<dyn Error>> {
        save(store, &mut self.epoch, &mut self.position, &self.digest, &self.left, &self.gate)
    }

    /// The totals, once the job is done.
    pub(crate) fn totals(&self) -> Totals {
        let mut states = [0; FIRST_BUCKET + BUCKETS];
        self.totals.snapshot(&mut states);
        let mut histogram = [0; BUCKETS];
        histogram.copy_from_slice(&states[FIRST_BUCKET..]);
        Totals { lines: states[LINES], bytes: states[BYTES], digest: self.digest.read(), histogram }
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.position.restarts
    }
}

/// Closes an epoch while the threads pause, and writes it while they go on.
fn save(
    store: &mut CheckpointStore,
    epoch: &mut TableEpoch<Arc<TableFanIn<Add>>>,
    position: &mut Position,
    digest: &FanIn<Xor>,
    left: &[Mutex<Vec<Range<u64>>>],
    gate: &RwLock<()>,
) -> Result<Saved, Box<dyn Error>> {
    let closed = {
        let _pause = gate.write().expect("no thread panics");
        position.digest = digest.read();
        position.left = left.iter().flat_map(|left| left.lock().expect("no thread panics").clone()).collect();
        store.close(epoch)?
    };
    Ok(store.write(closed, &serde_json::to_vec(position)?)?)
}

/// Processes a share of the input, piece by piece.
fn process(
    input: &Input,
    share: &Mutex<Vec<Range<u64>>>,
    gate: &RwLock<()>,
    totals: &TableFanIn<Add>,
    digest: &FanIn<Xor>,
) -> io::Result<()> {
    let (mut totals, mut digest) = (totals.producer(), digest.producer());
    loop {
        let _working = gate.read().expect("nobody panics at the gate");
        let Some(range) = share.lock().expect("no thread panics").last().cloned() else { return Ok(()) };
        let end = input.line_start(range.end.min(range.start + PIECE))?.min(range.end);
        events::for_each(input, range.start..end, |Event { bytes, bucket, digest: of_line }| {
            totals.accum(LINES, 1);
            totals.accum(BYTES, bytes);
            totals.accum(FIRST_BUCKET + bucket, 1);
            digest.accum(of_line);
        })?;
        let mut share = share.lock().expect("no thread panics");
        share.pop();
        if end < range.end {
            share.push(end..range.end);
        }
    }
}
