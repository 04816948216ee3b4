//! The places where data can lie: the caches of the processor, and memory.

use crate::circumstances::caches;

/// A place where data lie, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The name of the cache, or "memory".
    pub name: &'static str,
    /// The number of words of all operands together.
    pub words: usize,
    /// The number of rounds in each visit.
    pub rounds: usize,
}

/// The places of this machine.
#[must_use]
pub fn places() -> [Place; 4] {
    let sizes = place_bytes(&caches());
    let place = |index: usize, rounds| {
        let (name, bytes) = sizes[index];
        Place { name, words: (bytes / 8) as usize, rounds }
    };
    [place(0, 75), place(1, 50), place(2, 5), place(3, 2)]
}

/// The names of the places, and the bytes of all operands together, on a machine with these caches: 24 KiB in
/// L1, half of L2, half of L3 but at most 32 MiB, since other machines may share it, and 512 MiB in memory.
#[must_use]
pub fn place_bytes(caches: &[(String, u64)]) -> [(&'static str, u64); 4] {
    let half = |name: &str, default: u64| {
        let cache = caches.iter().find(|cache| cache.0 == name);
        cache.map_or(default, |cache| cache.1) / 2
    };
    [
        ("L1", 24 << 10),
        ("L2", half("L2", 1 << 20)),
        ("L3", half("L3", 64 << 20).min(32 << 20)),
        ("memory", 512 << 20),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_caches() {
        let caches = |l2: u64, l3: u64| [("L2".to_owned(), l2 << 20), ("L3".to_owned(), l3 << 20)];
        let bytes = |caches: &[_]| place_bytes(caches).map(|place| place.1 >> 10);
        assert_eq!(bytes(&caches(2, 300)), [24, 1 << 10, 32 << 10, 512 << 10]);
        assert_eq!(bytes(&caches(1, 32)), [24, 512, 16 << 10, 512 << 10]);
        assert_eq!(bytes(&[]), [24, 512, 32 << 10, 512 << 10]);
    }
}
