//! Every kernel at every level against the plain loop, on arbitrary words at arbitrary places.
#![no_main]

use arbitrary::Arbitrary;
use atomik_core::kernel::{self, Level};
use atomik_core::{Add, Algebra, DeltaBatch, FoldFingerprint, Xor};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// A word of `a`, and what is to be XORed to it for `b`: mostly nothing, so that the two are alike.
    words: Vec<(u64, Option<u64>)>,
    /// Where in its memory each slice starts.
    start_a: u8,
    start_b: u8,
    level: u8,
    bytes: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let level = [Level::Portable, Level::Sse2, Level::Avx2, Level::Avx512][usize::from(input.level % 4)];
    kernel::force_level(level);
    let (start_a, start_b) = (usize::from(input.start_a % 8), usize::from(input.start_b % 8));
    let a = placed(start_a, input.words.iter().map(|word| word.0));
    let b = placed(start_b, input.words.iter().map(|word| word.0 ^ word.1.unwrap_or(0)));
    agree::<Xor>(&a[start_a..], &b[start_b..]);
    agree::<Add>(&a[start_a..], &b[start_b..]);

    let fold = input.bytes.chunks(8).fold(0, |total, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        total ^ u64::from_le_bytes(word)
    });
    assert_eq!(FoldFingerprint::new().load(&input.bytes), fold);
});

fn placed(start: usize, words: impl Iterator<Item = u64>) -> Box<[u64]> {
    std::iter::repeat_n(0, start).chain(words).collect()
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
