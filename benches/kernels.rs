//! What the kernels are measured on, and what they are measured against.

use std::sync::Mutex;

use atomik_core::kernel::{self, Level};
use atomik_core::{AtomikTable, DeltaMessage, Fingerprint};
use zerocopy::IntoBytes;

use crate::measure::Random;

/// Where data lie.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which cache.
    pub name: &'static str,
    /// How many words there are of all operands together.
    pub words: usize,
    /// How often contestants take turns there, at each visit.
    pub rounds: usize,
}

/// L1 and L2 of this class of machine, each filled by half; L3, which other machines share; and memory.
pub const PLACES: [Place; 4] = [
    Place { name: "L1", words: 3 << 10, rounds: 75 },
    Place { name: "L2", words: 128 << 10, rounds: 50 },
    Place { name: "L3", words: 4 << 20, rounds: 5 },
    Place { name: "memory", words: 64 << 20, rounds: 2 },
];

/// All levels, the best first.
pub const LEVELS: [Level; 4] = [Level::Avx512, Level::Avx2, Level::Sse2, Level::Portable];

/// The levels that this processor has, the best first, which is in force afterwards.
#[must_use]
pub fn levels_here() -> Vec<Level> {
    let here = LEVELS.into_iter().filter(|&level| kernel::set_level(level) == level).collect();
    kernel::set_level(Level::Avx512);
    here
}

/// A level as a reader knows it.
#[must_use]
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Avx512 => "AVX-512",
        Level::Avx2 => "AVX2",
        Level::Sse2 => "SSE2",
        _ => "portable",
    }
}

/// Random words, 64-byte-aligned, as the table that owns them.
#[must_use]
pub fn random_words(len: usize, seed: u64) -> AtomikTable {
    let mut random = Random(seed);
    let mut table = AtomikTable::new(len);
    table.as_mut_words().fill_with(|| random.next_u64());
    table
}

/// Changes some percent of the words, at random places; with 1 % or more, at least one.
pub fn change(words: &mut [u64], percent: u32) {
    let mut random = Random(7);
    for word in &mut *words {
        if random.next_u32() % 100 < percent {
            *word ^= u64::from(random.next_u32()) + 1;
        }
    }
    if percent > 0 {
        words[0] ^= 1 << 63;
    }
}

/// `kernel::diff` as one would write it without. In a function of its own, like the others here: then the
/// compiler knows that the vector is no part of the words, and the loop is at its fastest.
#[inline(never)]
pub fn plain_diff(reference: &[u64], state: &[u64], pairs: &mut Vec<(u32, u64)>) {
    pairs.clear();
    for (addr, (old, new)) in (0..).zip(reference.iter().zip(state)) {
        if old != new {
            pairs.push((addr, old ^ new));
        }
    }
}

/// `kernel::apply` as one would write it without.
#[inline(never)]
pub fn plain_apply(words: &mut [u64], pairs: &[(u32, u64)]) {
    for &(addr, delta) in pairs {
        words[addr as usize] ^= delta;
    }
}

/// Asserts that a fingerprint is that of the portable level where that doesn't take long, and that a delta to
/// a word changes it as it changes that of all words; leaves the words as they are.
///
/// # Panics
///
/// If it is another.
pub fn assert_right_fingerprint(fingerprint: &mut Fingerprint, words: &mut [u64]) {
    let before = fingerprint.load(words.as_bytes());
    let level = kernel::level();
    if words.len() <= 1 << 18 {
        kernel::set_level(Level::Portable);
        assert_eq!(Fingerprint::new().load(words.as_bytes()), before);
        kernel::set_level(level);
    }
    let index = words.len() / 2;
    fingerprint.accum(index, 5).expect("within the words");
    words[index] ^= 5;
    assert_eq!(Fingerprint::new().load(words.as_bytes()), fingerprint.value());
    assert_ne!(fingerprint.value(), before);
    words[index] ^= 5;
}

/// Messages for random addresses below `len`.
#[must_use]
pub fn messages(count: usize, len: usize) -> Vec<u8> {
    let mut random = Random(11);
    let message = |seq| {
        let addr = ((u64::from(random.next_u32()) * len as u64) >> 32) as u32;
        DeltaMessage { addr, delta: random.next_u64(), seq }.to_bytes()
    };
    (0..count as u32).flat_map(message).collect()
}

/// `kernel::apply_wire` as one would write it without.
///
/// # Panics
///
/// If an address lies past the end of `words`.
#[inline(never)]
pub fn plain_apply_wire(words: &mut [u64], bytes: &[u8]) {
    for message in bytes.chunks_exact(DeltaMessage::WIRE_LEN) {
        let message = DeltaMessage::from_bytes(message).expect("16 bytes");
        words[message.addr as usize] ^= message.delta;
    }
}

/// The same by two threads, half of the messages each, on words under one lock.
///
/// # Panics
///
/// If an address lies past the end of the words.
pub fn apply_wire_under_lock(words: &Mutex<Vec<u64>>, bytes: &[u8]) {
    let half = bytes.len() / 2 / DeltaMessage::WIRE_LEN * DeltaMessage::WIRE_LEN;
    let (first, second) = bytes.split_at(half);
    std::thread::scope(|scope| {
        for half in [first, second] {
            scope.spawn(move || {
                for message in half.chunks_exact(DeltaMessage::WIRE_LEN) {
                    let message = DeltaMessage::from_bytes(message).expect("16 bytes");
                    words.lock().expect("nobody panics")[message.addr as usize] ^= message.delta;
                }
            });
        }
    });
}
