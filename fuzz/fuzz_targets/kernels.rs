//! Compares every kernel and fingerprint with a plain loop, on every level, for arbitrary words at arbitrary addresses.
//! (Processors without VPCLMULQDQ use other functions, which the tests in `src/kernel` compare.)
#![no_main]

use arbitrary::Arbitrary;
use atomik_core::kernel::{self, Level};
use atomik_core::{Add, Algebra, DeltaBatch, Fingerprint, FoldFingerprint, Xor};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// Words of `a`, each with what is XORed to it for `b`. Half of them have nothing, so that the slices are similar.
    words: Vec<(u64, Option<u64>)>,
    /// How often the words are repeated, so that slices are long enough for all loops of the kernels.
    repeats: u8,
    /// The index of one more difference, which is not repeated.
    odd: u16,
    /// The offset of each slice in its allocation, in words.
    start_a: u8,
    start_b: u8,
    /// The offset of the fingerprints' data in their allocation, and how many bytes their last word lacks.
    start_bytes: u8,
    cut: u8,
    level: u8,
}

fuzz_target!(|input: Input| {
    let level = [Level::Portable, Level::Sse2, Level::Avx2, Level::Avx512][usize::from(input.level % 4)];
    kernel::set_level(level);
    let words = input.words.repeat(1 + usize::from(input.repeats % 32));
    let (start_a, start_b) = (usize::from(input.start_a % 8), usize::from(input.start_b % 8));
    let a = placed(start_a, words.iter().map(|word| word.0));
    let mut b = placed(start_b, words.iter().map(|word| word.0 ^ word.1.unwrap_or(0)));
    if let Some(word) = b[start_b..].get_mut(usize::from(input.odd)) {
        *word ^= 1 << 63;
    }
    agree::<Xor>(&a[start_a..], &b[start_b..]);
    agree::<Add>(&a[start_a..], &b[start_b..]);

    let start = usize::from(input.start_bytes % 64);
    let bytes = a.iter().flat_map(|word| word.to_le_bytes());
    let mut data: Vec<u8> = std::iter::repeat_n(0, start).chain(bytes).collect();
    data.truncate(start.max(data.len().saturating_sub(usize::from(input.cut % 8))));
    fingerprints_agree(&data.into_boxed_slice()[start..], 1 + usize::from(input.odd % 1000), level);
});

fn placed(start: usize, words: impl Iterator<Item = u64>) -> Box<[u64]> {
    std::iter::repeat_n(0, start).chain(words).collect()
}

/// Compares the fingerprints of all bytes at once, and of pieces of a certain length, with those that follow each word,
/// computed without vectors.
fn fingerprints_agree(data: &[u8], piece_len: usize, level: Level) {
    kernel::set_level(Level::Portable);
    let mut fold = 0;
    let mut followed = Fingerprint::new();
    followed.load(&vec![0; data.len()]);
    for (index, chunk) in data.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        fold ^= u64::from_le_bytes(word);
        followed.accum(index, u64::from_le_bytes(word)).expect("the data have this word");
    }
    kernel::set_level(level);
    assert_eq!(FoldFingerprint::new().load(data), fold);
    assert_eq!(Fingerprint::new().load(data), followed.value());

    let (mut fold_stream, mut stream) = (FoldFingerprint::new(), Fingerprint::new());
    for piece in data.chunks(piece_len) {
        fold_stream.write(piece);
        stream.write(piece);
    }
    assert_eq!(fold_stream.finish(), fold);
    assert_eq!(stream.finish(), followed.value());
}

fn agree<A: Algebra>(a: &[u64], b: &[u64]) {
    let fold = a.iter().fold(0, |total, &word| A::compose(total, word));
    assert_eq!(kernel::fold::<A>(a), fold);

    let mut sums = a.to_vec();
    kernel::accum::<A>(&mut sums, b);
    assert!(sums.iter().eq(a.iter().zip(b).map(|(&a, &b)| A::compose(a, b)).collect::<Vec<_>>().iter()));

    assert_eq!(kernel::equal(a, b), a == b);
    let difference = a.iter().zip(b).position(|(a, b)| a != b);
    assert_eq!(kernel::first_difference(a, b), difference);

    let mut batch = DeltaBatch::<A>::new();
    kernel::diff(a, b, &mut batch);
    let plain = (0..).zip(a.iter().zip(b)).filter(|(_, (a, b))| a != b);
    assert!(batch.iter().eq(plain.map(|(addr, (&a, &b))| (addr, A::compose(b, A::invert(a))))));

    let mut words = a.to_vec();
    kernel::apply(&mut words, &batch).expect("the batch comes from a slice of this length");
    assert_eq!(words, b);
}
