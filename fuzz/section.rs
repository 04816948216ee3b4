//! What the targets of replication share: sections with valid checksums, and an allocator that counts.
#![allow(dead_code, reason = "each target uses a shard of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Replica, ReplicaError, ReplicaId, StoredShard};

pub const LEN: usize = 300;
pub const HEADER: usize = 80;
/// The members where starts fold.
pub const MEMBERS: [u64; 3] = [0, 1, 2];

/// The system's allocator. It counts the live bytes and their maximum.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls are passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: the targets run in one thread.
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs some work on input of this size. Panics if the work takes more memory than such input may cost: a block of 528
/// bytes for a word of 16, and a constant for the table.
pub fn bounded<R>(input: usize, work: impl FnOnce() -> R) -> R {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = work();
    let took = MOST.load(Ordering::Relaxed) - before;
    assert!(took <= 48 * input + (64 << 10), "{took} bytes for an input of {input}");
    result
}

pub fn cluster() -> ClusterConfig {
    ClusterConfig::new("fuzz", LEN).with_shard_words(128).with_max_origins(4).with_max_waiting(16)
}

pub fn replica() -> Replica<Add> {
    let local = Arc::new(TableFanIn::new(LEN));
    Replica::new(&cluster(), local, ReplicaId { node: 0, incarnation: 0 }).expect("it is the first")
}

/// Starts a replica from a store with these parts.
pub fn resume<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>) -> Result<Replica<Add>, ReplicaError> {
    let local = Arc::new(TableFanIn::new(LEN));
    Replica::resume(&cluster(), local, ReplicaId { node: 0, incarnation: 0 }, parts)
}

/// The parts of a store, by origin, shard and number.
pub type Store = BTreeMap<(ReplicaId, usize, u32), Vec<u8>>;

/// Writes what a replica has for its store.
pub fn write(replica: &mut Replica<Add>, store: &mut Store) {
    while let Some(transaction) = replica.poll_store() {
        for StoredShard { origin, shard, replaces, covers, parts, .. } in transaction.shards {
            if replaces {
                store.retain(|key, _| (key.0, key.1) != (origin, shard));
            }
            store.extend(parts.into_iter().map(|part| ((origin, shard, part.part), part.bytes)));
            if covers {
                store.retain(|key, _| key.1 != shard || key.0.node != origin.node || key.0 >= origin);
            }
        }
        assert!(replica.stored(transaction.number));
    }
}

/// Checks that a replica which starts from a store equals the one that wrote it. A version of the own origin of 2^63 or
/// more can't be continued.
pub fn check_start(replica: &Replica<Add>, store: &Store) {
    if (0..replica.shards()).any(|shard| replica.version(replica.id(), shard) >= 1 << 63) {
        return;
    }
    let again = resume(store.values()).expect("what a replica stored it can start from");
    for (origin, shard, version) in replica.version_vector() {
        let digest = again.digest(origin, shard);
        assert_eq!(digest, replica.digest(origin, shard));
        assert_eq!(digest.map(|digest| digest.version), Some(version));
    }
    assert_eq!((again.merged(), again.origins()), (replica.merged(), replica.origins()));
}

/// Everything that must not change when a packet is refused.
pub fn state(replica: &Replica<Add>) -> (Vec<u64>, Vec<u64>, usize) {
    let origins = (0..8).map(|node| ReplicaId { node, incarnation: 0 });
    let versions = origins.flat_map(|origin| (0..3).map(move |shard| replica.version(origin, shard)));
    (replica.merged().to_vec(), versions.collect(), replica.origins())
}

/// An address. It is mostly in the table, and mostly one of a few, so that sections have addresses in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Addr(pub u16);

impl<'a> Arbitrary<'a> for Addr {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let few = bytes.ratio(3, 4)?;
        Ok(Self(if few {
            20 * bytes.int_in_range(0..=15)?
        } else {
            bytes.int_in_range(0..=LEN as u16 + 9)?
        }))
    }
}

impl Addr {
    pub fn is_in(self, range: &Range<usize>) -> bool {
        range.contains(&usize::from(self.0))
    }

    pub fn to_be_bytes(self) -> [u8; 4] {
        u32::from(self.0).to_be_bytes()
    }
}

/// An address, the counter and node of its timestamp, the value and the total.
pub type Entry = (Addr, u64, u8, u64, u64);

/// The header of a section, without the fields that [`fix_checksums`] fills in.
pub fn header(node: u8, shard: u8, [from, to]: [u64; 2], words: usize, entries: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[23] = node;
    bytes[39] = shard;
    bytes[40..48].copy_from_slice(&from.to_be_bytes());
    bytes[48..56].copy_from_slice(&to.to_be_bytes());
    bytes[56..60].copy_from_slice(&(words as u32).to_be_bytes());
    bytes[60..64].copy_from_slice(&(entries as u32).to_be_bytes());
    bytes
}

pub fn write_entries(bytes: &mut Vec<u8>, entries: &[Entry]) {
    for &(addr, counter, node, value, total) in entries {
        bytes.extend(addr.to_be_bytes());
        [counter, node.into(), 0, value, total].iter().for_each(|word| bytes.extend(word.to_be_bytes()));
    }
}

/// Appends the fold of a shard that covers all earlier starts of its node, and counts it.
pub fn write_cover(bytes: &mut Vec<u8>, node: u8, incarnation: u8) {
    bytes[67] += 1;
    [1, node.into(), 0, incarnation.into()].iter().for_each(|word: &u64| bytes.extend(word.to_be_bytes()));
}

/// The addresses of a shard.
pub fn range(shard: u8) -> Range<usize> {
    let shard = usize::from(shard);
    128 * shard..LEN.min(128 * (shard + 1))
}

/// Whether the addresses of entries ascend within a range, and their counters are possible.
pub fn are_valid(entries: &[Entry], range: &Range<usize>) -> bool {
    entries.windows(2).all(|pair| pair[0].0 < pair[1].0)
        && entries.iter().all(|entry| entry.0.is_in(range) && entry.1 < 1 << 63)
}

/// Corrects the fixed bytes, the length and the checksums of a section, so that the checks behind them are reached.
pub fn fix_checksums(section: &mut [u8], kind: Option<u8>) {
    if section.len() < HEADER {
        return;
    }
    static OWN: LazyLock<Vec<u8>> = LazyLock::new(|| replica().version_vector_packets().concat());
    let own = &*OWN;
    section[..5].copy_from_slice(&own[..5]);
    section[6..16].copy_from_slice(&own[6..16]);
    if let Some(kind) = kind {
        section[5] = kind;
    }
    let origin = crc32c::crc32c(&section[16..32]);
    section[32..36].copy_from_slice(&origin.to_be_bytes());
    let body_len = (section.len() - HEADER) as u32;
    section[68..72].copy_from_slice(&body_len.to_be_bytes());
    let body = crc32c::crc32c(&section[HEADER..]);
    section[72..76].copy_from_slice(&body.to_be_bytes());
    let header = crc32c::crc32c(&section[..76]);
    section[76..80].copy_from_slice(&header.to_be_bytes());
}
