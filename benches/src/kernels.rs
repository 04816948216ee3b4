//! The data that the kernels are measured on, and the plain loops that they are measured against.

use std::sync::Mutex;
use std::thread;

use atomik_core::kernel::{self, Level};
use atomik_core::{AtomikTable, DeltaMessage, Fingerprint};
use zerocopy::IntoBytes;

use crate::measure::{Random, pin};

/// All levels, the best first.
pub const LEVELS: [Level; 4] = [Level::Avx512, Level::Avx2, Level::Sse2, Level::Portable];

/// The levels that this processor has, the best first. The best is in force afterwards.
#[must_use]
pub fn levels_here() -> Vec<Level> {
    let here = LEVELS.into_iter().filter(|&level| force(level) == level).collect();
    force(LEVELS[0]);
    here
}

/// Puts a level in force, or the best one below it that the processor has. Returns the level in force.
pub fn force(level: Level) -> Level {
    kernel::set_level(level)
}

/// The name of a level in tables and plots.
#[must_use]
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Avx512 => "AVX-512",
        Level::Avx2 => "AVX2",
        Level::Sse2 => "SSE2",
        _ => "portable",
    }
}

/// A table of random words.
#[must_use]
pub fn random_words(len: usize, seed: u64) -> AtomikTable {
    let mut random = Random(seed);
    let mut table = AtomikTable::new(len);
    table.as_mut_words().fill_with(|| random.next_u64());
    table
}

/// Changes this percentage of the words at random places, and at least one word unless it is 0.
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

/// `kernel::diff` as a plain loop. The plain loops are functions of their own, so that the compiler knows that
/// the vector doesn't overlap the words, which makes the loops as fast as they can be.
#[inline(never)]
pub fn plain_diff(reference: &[u64], state: &[u64], pairs: &mut Vec<(u32, u64)>) {
    pairs.clear();
    for (addr, (old, new)) in (0..).zip(reference.iter().zip(state)) {
        if old != new {
            pairs.push((addr, old ^ new));
        }
    }
}

/// `kernel::apply` as a plain loop.
#[inline(never)]
pub fn plain_apply(words: &mut [u64], pairs: &[(u32, u64)]) {
    for &(addr, delta) in pairs {
        words[addr as usize] ^= delta;
    }
}

/// Asserts that the fingerprint of `words` equals that of the portable level, unless that takes too long, and that
/// `Fingerprint::accum` follows a changed word. Leaves the words unchanged.
///
/// # Panics
///
/// Panics if the fingerprint is wrong.
pub fn assert_right_fingerprint(fingerprint: &mut Fingerprint, words: &mut [u64]) {
    let before = fingerprint.load(words.as_bytes());
    let level = kernel::level();
    if words.len() <= 1 << 18 {
        force(Level::Portable);
        assert_eq!(Fingerprint::new().load(words.as_bytes()), before);
        force(level);
    }
    let index = words.len() / 2;
    fingerprint.accum(index, 5).expect("within the words");
    words[index] ^= 5;
    assert_eq!(Fingerprint::new().load(words.as_bytes()), fingerprint.value());
    assert_ne!(fingerprint.value(), before);
    words[index] ^= 5;
}

/// Messages to random addresses below `len`.
#[must_use]
pub fn messages(count: usize, len: usize) -> Vec<u8> {
    let mut random = Random(11);
    let message = |seq| {
        let addr = ((u64::from(random.next_u32()) * len as u64) >> 32) as u32;
        DeltaMessage { addr, delta: random.next_u64(), seq }.to_bytes()
    };
    (0..count as u32).flat_map(message).collect()
}

/// `kernel::apply_wire` as a plain loop.
///
/// # Panics
///
/// Panics if an address is out of range.
#[inline(never)]
pub fn plain_apply_wire(words: &mut [u64], bytes: &[u8]) {
    for message in bytes.chunks_exact(DeltaMessage::WIRE_LEN) {
        let message = DeltaMessage::from_bytes(message).expect("16 bytes");
        words[message.addr as usize] ^= message.delta;
    }
}

/// The same on words behind a lock, which is taken for each message. The messages are divided among so many
/// threads.
///
/// # Panics
///
/// Panics if an address is out of range.
pub fn apply_wire_under_lock(words: &Mutex<Vec<u64>>, bytes: &[u8], threads: usize) {
    let apply = |messages: &[u8]| {
        for message in messages.chunks_exact(DeltaMessage::WIRE_LEN) {
            let message = DeltaMessage::from_bytes(message).expect("16 bytes");
            words.lock().expect("no thread panics")[message.addr as usize] ^= message.delta;
        }
    };
    let share = (bytes.len() / DeltaMessage::WIRE_LEN).div_ceil(threads) * DeltaMessage::WIRE_LEN;
    thread::scope(|scope| {
        for (thread, share) in bytes.chunks(share).enumerate() {
            scope.spawn(move || {
                pin(thread);
                apply(share);
            });
        }
    });
}
