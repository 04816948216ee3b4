use super::keys::Keys;
use super::*;
use crate::kernel::{self, Level};
use alloc::vec::Vec;
use proptest::prelude::*;

/// The value by the definition in the docs of `Fingerprint`.
fn defined(data: &[u8], seed: u64) -> u64 {
    let keys = if seed == 0 { Keys::fixed() } else { Keys::seeded(seed) };
    let mut total = clmul(data.len() as u64, keys.len());
    for (block, data) in (0..).zip(data.chunks(8 * 1024)) {
        let products = words(data).zip(keys.words().as_flattened()).map(|(word, &key)| clmul(word, key));
        let sum = products.fold(0, |sum, product| sum ^ product);
        let [low, high] = keys.block(block);
        total ^= clmul(sum as u64, low) ^ clmul((sum >> 64) as u64, high);
    }
    // The remainder modulo x⁶⁴ + x⁴ + x³ + x + 1, by long division.
    for bit in (64..128).rev() {
        if total >> bit & 1 == 1 {
            total ^= (1 << 64 | 0b11011) << (bit - 64);
        }
    }
    total as u64
}

/// A carry-less product by its definition: shift and XOR.
fn clmul(a: u64, b: u64) -> u128 {
    (0..64).filter(|i| a >> i & 1 == 1).fold(0, |product, i| product ^ u128::from(b) << i)
}

/// Both kinds through one set of names.
trait Kind: Sized {
    fn make(seed: u64) -> Self;
    fn load(&mut self, data: &[u8]) -> u64;
    fn update(&mut self, data: &[u8]) -> u64;
    fn write(&mut self, piece: &[u8]);
    fn finish(&mut self) -> u64;
    fn replace(&mut self, index: usize, old: u64, new: u64) -> Result<(), IndexOutOfRange>;
    fn accum(&mut self, index: usize, delta: u64) -> Result<(), IndexOutOfRange>;
    fn value(&self) -> u64;
    fn changed(&self) -> bool;
    fn set_reference(&mut self);
    fn reset(&mut self);
}

macro_rules! kind {
    ($type:ty, $make:expr) => {
        impl Kind for $type {
            fn make(seed: u64) -> Self {
                $make(seed)
            }
            fn load(&mut self, data: &[u8]) -> u64 {
                self.load(data)
            }
            fn update(&mut self, data: &[u8]) -> u64 {
                self.update(data)
            }
            fn write(&mut self, piece: &[u8]) {
                self.write(piece);
            }
            fn finish(&mut self) -> u64 {
                self.finish()
            }
            fn replace(&mut self, index: usize, old: u64, new: u64) -> Result<(), IndexOutOfRange> {
                self.replace(index, old, new)
            }
            fn accum(&mut self, index: usize, delta: u64) -> Result<(), IndexOutOfRange> {
                self.accum(index, delta)
            }
            fn value(&self) -> u64 {
                self.value()
            }
            fn changed(&self) -> bool {
                self.changed()
            }
            fn set_reference(&mut self) {
                self.set_reference();
            }
            fn reset(&mut self) {
                self.reset();
            }
        }
    };
}
kind!(Fingerprint, Fingerprint::with_seed);
kind!(FoldFingerprint, |_| FoldFingerprint::new());

fn follows_single_changes<F: Kind>(
    seed: u64,
    mut data: Vec<u8>,
    changes: &[(usize, [u8; 8])],
) -> Result<(), TestCaseError> {
    let mut followed = F::make(seed);
    let reference = followed.load(&data);
    for &(at, new) in changes {
        let index = at % data.len().div_ceil(WORD);
        let old = words(&data).nth(index).unwrap();
        let range = index * WORD..data.len().min(index * WORD + WORD);
        data[range.clone()].copy_from_slice(&new[..range.len()]);
        let new = words(&data).nth(index).unwrap();
        if at % 2 == 0 {
            followed.replace(index, old, new).unwrap();
        } else {
            followed.accum(index, old ^ new).unwrap();
        }
        let mut fresh = F::make(seed);
        prop_assert_eq!(followed.value(), fresh.load(&data));
        prop_assert_eq!(followed.changed(), followed.value() != reference);
    }
    let mut updated = F::make(seed);
    updated.load(&[]);
    prop_assert_eq!(updated.update(&data), followed.value());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fingerprints_follow_single_changes(
        seed: u64,
        data in prop::collection::vec(any::<u8>(), 1..20_000),
        changes: Vec<(usize, [u8; 8])>,
    ) {
        follows_single_changes::<Fingerprint>(seed, data, &changes[..changes.len().min(3)])?;
    }

    #[test]
    fn fold_fingerprints_follow_single_changes(
        data in prop::collection::vec(any::<u8>(), 1..100),
        changes: Vec<(usize, [u8; 8])>,
    ) {
        follows_single_changes::<FoldFingerprint>(0, data, &changes)?;
    }

    #[test]
    fn fingerprints_equal_their_definition(seed: u64, data in prop::collection::vec(any::<u8>(), 0..40_000)) {
        prop_assert_eq!(Fingerprint::with_seed(seed).load(&data), defined(&data, seed));
    }

    /// L is linear: the values of three buffers and of their XOR, all of one length, cancel.
    #[test]
    fn fingerprints_are_linear(seed: u64, words in prop::collection::vec(any::<[[u8; 8]; 3]>(), 1..1500)) {
        let part = |i: usize| words.iter().flat_map(|word| word[i]).collect::<Vec<u8>>();
        let (a, b, c) = (part(0), part(1), part(2));
        let sum: Vec<u8> = a.iter().zip(&b).zip(&c).map(|((a, b), c)| a ^ b ^ c).collect();
        let value = |data: &[u8]| Fingerprint::with_seed(seed).load(data);
        prop_assert_eq!(value(&a) ^ value(&b) ^ value(&c), value(&sum));
    }
}

/// Whether a stream of pieces that end at these cuts has the value of the whole, on every level.
fn streams_equal_loads<F: Kind>(seed: u64, data: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).chain([0, data.len()]).collect();
    cuts.sort_unstable();
    let expected = F::make(seed).load(data);
    let _level = kernel::tests::lock_level();
    for level in [Level::Portable, Level::Sse2, Level::Avx2, Level::Avx512] {
        kernel::set_level(level);
        let mut streamed = F::make(seed);
        streamed.load(data);
        for cut in cuts.windows(2) {
            streamed.write(&data[cut[0]..cut[1]]);
        }
        prop_assert_eq!(streamed.finish(), expected, "{}", level);
        prop_assert!(!streamed.changed());
    }
    kernel::set_level(Level::Avx512);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streams_have_the_value_of_the_whole_however_they_are_cut(
        seed: u64,
        data in prop::collection::vec(any::<u8>(), 0..40_000),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        streams_equal_loads::<Fingerprint>(seed, &data, &cuts)?;
        streams_equal_loads::<FoldFingerprint>(seed, &data, &cuts)?;
    }

    #[test]
    fn streams_of_many_short_pieces_have_the_value_of_the_whole(
        data in prop::collection::vec(any::<u8>(), 0..500),
        cuts in prop::collection::vec(any::<usize>(), 0..500),
    ) {
        streams_equal_loads::<Fingerprint>(0, &data, &cuts)?;
        streams_equal_loads::<FoldFingerprint>(0, &data, &cuts)?;
    }
}

#[test]
fn streams_cut_around_the_ends_of_rows_and_blocks_have_the_value_of_the_whole() {
    let data: Vec<u8> = (0..20_000u32).map(|i| (i * i) as u8).collect();
    for len in [63, 64, 65, 8_191, 8_192, 8_193, 16_384, 20_000] {
        for cut in [1, 8, 63, 64, 65, 8_128, 8_191, 8_192, 8_193, 16_383] {
            streams_equal_loads::<Fingerprint>(0, &data[..len], &[cut]).unwrap();
            streams_equal_loads::<FoldFingerprint>(0, &data[..len], &[cut]).unwrap();
        }
    }
}

#[test]
fn a_stream_affects_nothing_before_it_is_finished() {
    fn test<F: Kind>() {
        let mut fingerprint = F::make(1);
        let value = fingerprint.load(b"reference");
        fingerprint.write(b"diff");
        assert_eq!((fingerprint.value(), fingerprint.changed()), (value, false));
        let updated = fingerprint.update(b"updated meanwhile");
        fingerprint.write(b"erent");
        assert_eq!(fingerprint.value(), updated);
        assert_eq!(fingerprint.finish(), F::make(1).load(b"different"));
        assert!(fingerprint.changed());
    }
    test::<Fingerprint>();
    test::<FoldFingerprint>();
}

#[test]
fn a_finished_stream_is_the_current_data() {
    fn test<F: Kind>() {
        let mut fingerprint = F::make(1);
        fingerprint.write(&[7; 17]);
        let value = fingerprint.finish();
        assert_eq!(fingerprint.value(), value);
        assert_eq!(fingerprint.accum(3, 1), Err(IndexOutOfRange { index: 3, words: 3 }));
        fingerprint.accum(2, 1).unwrap();
        fingerprint.set_reference();
        assert!(!fingerprint.changed());
        // The next stream starts from nothing.
        fingerprint.write(&[7; 17]);
        assert_eq!(fingerprint.finish(), value);
        assert!(fingerprint.changed());
        assert_eq!(fingerprint.finish(), 0);
    }
    test::<Fingerprint>();
    test::<FoldFingerprint>();
}

#[test]
fn reset_returns_to_the_reference_and_discards_the_stream() {
    fn test<F: Kind>() {
        let mut fingerprint = F::make(1);
        let value = fingerprint.load(&[1; 17]);
        fingerprint.update(&[2; 8]);
        fingerprint.write(&[3; 100]);
        fingerprint.reset();
        assert_eq!((fingerprint.value(), fingerprint.changed()), (value, false));
        // Its length is that of the reference, too.
        assert_eq!(fingerprint.replace(2, 1, 2), Ok(()));
        fingerprint.write(&[1; 17]);
        assert_eq!(fingerprint.finish(), value);
    }
    test::<Fingerprint>();
    test::<FoldFingerprint>();
}

#[test]
fn the_delta_of_a_fold_is_the_xor_of_all_changes() {
    let mut fold = FoldFingerprint::new();
    fold.load(&[1; 16]);
    assert_eq!(fold.delta(), 0);
    fold.accum(0, 0b110).unwrap();
    fold.accum(1, 0b011).unwrap();
    assert_eq!(fold.delta(), 0b101);
}

#[test]
fn the_state_of_a_stream_has_a_fixed_size() {
    const { assert!(size_of::<Fingerprint>() <= 256 && size_of::<FoldFingerprint>() <= 64) }
}

#[test]
#[cfg(feature = "std")]
fn readers_are_copied_into_fingerprints() {
    fn test<F: Kind + std::io::Write>() {
        let data: Vec<u8> = (0..30_000u32).map(|i| (i * 3) as u8).collect();
        let mut fingerprint = F::make(1);
        assert_eq!(std::io::copy(&mut &*data, &mut fingerprint).unwrap(), data.len() as u64);
        assert_eq!(fingerprint.finish(), F::make(1).load(&data));
    }
    test::<Fingerprint>();
    test::<FoldFingerprint>();
}

/// What the fold can't see and the positional fingerprint must.
#[test]
fn blind_spots_of_the_fold_are_seen_by_position() {
    let data: Vec<u8> = (0..16_384u32).flat_map(|i| (i * i).to_le_bytes()).collect();
    let mut swapped = data.clone();
    swapped.rotate_left(WORD);
    let mut doubled = data.clone();
    doubled.extend([7; 2 * WORD]);
    let mut longer = data.clone();
    longer.push(0);
    // Every byte changes, and the changes cancel.
    let inverted: Vec<u8> = data.iter().map(|byte| !byte).collect();
    for other in [&swapped, &doubled, &longer, &inverted] {
        let mut fold = FoldFingerprint::new();
        fold.load(&data);
        fold.update(other);
        assert!(!fold.changed());
        let mut fingerprint = Fingerprint::new();
        fingerprint.load(&data);
        fingerprint.update(other);
        assert!(fingerprint.changed());
        fingerprint.update(&data);
        assert!(!fingerprint.changed());
    }
}

#[test]
fn fingerprints_around_the_ends_of_blocks_equal_their_definition() {
    for blocks in [1, 2, 4, 5] {
        for len in 8_192 * blocks - 9..=8_192 * blocks + 9 {
            let data = [0xFF].repeat(len);
            assert_eq!(Fingerprint::new().load(&data), defined(&data, 0), "{len} bytes");
        }
    }
}

#[test]
fn words_past_the_end_are_refused_and_change_nothing() {
    fn refuses<F: Kind>() {
        let mut fingerprint = F::make(1);
        assert_eq!(fingerprint.accum(0, 1), Err(IndexOutOfRange { index: 0, words: 0 }));
        let value = fingerprint.load(&[1; 17]);
        assert_eq!(fingerprint.replace(3, 0, 1), Err(IndexOutOfRange { index: 3, words: 3 }));
        assert_eq!(fingerprint.value(), value);
        assert_eq!(fingerprint.replace(2, 1, 2), Ok(()));
        // The length is that of the data seen last.
        fingerprint.update(&[1; 8]);
        assert_eq!(fingerprint.accum(1, 1), Err(IndexOutOfRange { index: 1, words: 1 }));
    }
    refuses::<Fingerprint>();
    refuses::<FoldFingerprint>();
}

proptest! {
    /// `align_to` may split the bytes anywhere, also where a word of the middle part would still fit.
    #[test]
    fn a_fold_does_not_depend_on_where_its_data_are_split(
        head in prop::collection::vec(any::<u8>(), 0..20),
        aligned: Vec<u64>,
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut data = head.clone();
        data.extend(aligned.iter().flat_map(|word| word.to_ne_bytes()));
        data.extend(&tail);
        prop_assert_eq!(fold::fold_parts(&head, &aligned, &tail), FoldFingerprint::new().load(&data));
        prop_assert_eq!(FoldFingerprint::new().load(&data), words(&data).fold(0, |total, word| total ^ word));
    }
}

/// The fold reads aligned words and turns them, so it has to be right wherever the data lie.
#[test]
fn fold_fingerprints_at_every_address_and_length() {
    let bytes: Vec<u8> = (0..300u32).map(|i| (i * 37 + 11) as u8).collect();
    for start in 0..16 {
        for len in 0..bytes.len() - start {
            let data = &bytes[start..][..len];
            let expected = words(data).fold(0, |total, word| total ^ word);
            assert_eq!(FoldFingerprint::new().load(data), expected, "{len} bytes at {start}");
        }
    }
}

#[test]
fn zeros_of_different_lengths_differ() {
    let zeros = [0; 100];
    let mut values: Vec<u64> = (0..100).map(|len| Fingerprint::new().load(&zeros[..len])).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 100);
}

#[test]
fn seeds_give_different_values() {
    assert_ne!(Fingerprint::with_seed(1).load(b"data"), Fingerprint::with_seed(2).load(b"data"));
}

#[test]
fn debug_shows_the_value_and_whether_it_changed() {
    let mut fold = FoldFingerprint::new();
    fold.load(&[0xFE, 0xCA]);
    fold.update(&[0xFF]);
    assert_eq!(std::format!("{fold:?}"), "FoldFingerprint { value: 0x00000000000000ff, changed: true }");
    let fingerprint = std::format!("{:?}", Fingerprint::new());
    assert_eq!(fingerprint, "Fingerprint { value: 0x0000000000000000, changed: false }");
}

#[test]
fn an_index_out_of_range_is_named() {
    let error = FoldFingerprint::new().accum(3, 1).unwrap_err();
    assert_eq!(alloc::string::ToString::to_string(&error), "word 3 is past the end of data of 0 words");
}
