//! The entries of a file's metadata: which words belong to which series.
//!
//! An entry begins with a byte for its kind, then has as little-endian `u32`s the address of its first word and the
//! number of its words, and then:
//!
//! - `c`, a counter: its key. One word.
//! - `h`, a histogram: a byte for its schema, and its key. Four words: how many values were zero or subnormal, +∞, −∞ and
//!   NaN.
//! - `b`, a block of a histogram: the address of the histogram's first word, a byte for the sign (0 or 1), and the
//!   number of the block as a `u16`. A word for each of the block's buckets, and then the sum of their values as the
//!   bits of an `f64`.
//!
//! A key is its name, the number of its labels as a `u32`, and the name and the value of each label. Each of these
//! texts is its length as a `u32` and its bytes in UTF-8.

use metrics::{Key, Label};

use crate::histogram::{BLOCK_OCTAVES, BLOCKS};
use crate::schema::Schema;

/// The words before the first entry's: how many events were lost because the file had no room for their series.
pub(super) const LOST: usize = 0;
pub(super) const FIRST_WORD: usize = 1;
/// The words of a histogram's entry.
pub(super) const ZERO: usize = 0;
pub(super) const POSITIVE_INFINITY: usize = 1;
pub(super) const NEGATIVE_INFINITY: usize = 2;
pub(super) const NAN: usize = 3;
const HISTOGRAM_WORDS: usize = 4;

/// An entry, with the address of its first word.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) start: usize,
    pub(super) of: Owner,
}

/// What an entry's words belong to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Owner {
    Counter(Key),
    Histogram { schema: Schema, key: Key },
    Block { histogram: usize, schema: Schema, place: BlockPlace },
}

/// Which of a histogram's blocks it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockPlace {
    pub(super) is_negative: bool,
    pub(super) number: usize,
}

/// How many buckets a block has.
pub(super) fn block_buckets(schema: Schema) -> usize {
    1 << (schema.get() + BLOCK_OCTAVES)
}

impl Owner {
    /// How many words it takes.
    pub(super) fn words(&self) -> usize {
        match self {
            Self::Counter(_) => 1,
            Self::Histogram { .. } => HISTOGRAM_WORDS,
            Self::Block { schema, .. } => block_buckets(*schema) + 1,
        }
    }

    /// The bytes of the entry whose first word has this address.
    pub(super) fn to_bytes(&self, start: usize) -> Vec<u8> {
        let kind = match self {
            Self::Counter(_) => b'c',
            Self::Histogram { .. } => b'h',
            Self::Block { .. } => b'b',
        };
        let mut bytes = vec![kind];
        number(&mut bytes, start);
        number(&mut bytes, self.words());
        match self {
            Self::Counter(key) => write_key(&mut bytes, key),
            Self::Histogram { schema, key } => {
                bytes.push(schema.get());
                write_key(&mut bytes, key);
            }
            Self::Block { histogram, place, .. } => {
                number(&mut bytes, *histogram);
                bytes.push(u8::from(place.is_negative));
                bytes.extend_from_slice(&(place.number as u16).to_le_bytes());
            }
        }
        bytes
    }
}

impl Entry {
    /// Reads an entry of a file whose table has `len` words. `schema_of` gives the schema of the histogram at an address.
    /// `None` if these bytes are no entry.
    pub(super) fn from_bytes(
        bytes: &[u8],
        len: usize,
        schema_of: impl Fn(usize) -> Option<Schema>,
    ) -> Option<Self> {
        let mut bytes = bytes;
        let [kind] = take(&mut bytes)?;
        let (start, words) = (read_number(&mut bytes)?, read_number(&mut bytes)?);
        let of = match kind {
            b'c' => Owner::Counter(read_key(&mut bytes)?),
            b'h' => {
                let [schema] = take(&mut bytes)?;
                Owner::Histogram { schema: Schema::new(schema)?, key: read_key(&mut bytes)? }
            }
            b'b' => {
                let histogram = read_number(&mut bytes)?;
                let [is_negative @ (0 | 1)] = take(&mut bytes)? else { return None };
                let number = usize::from(u16::from_le_bytes(take(&mut bytes)?));
                let place = BlockPlace { is_negative: is_negative == 1, number };
                let schema = schema_of(histogram).filter(|_| number < BLOCKS)?;
                Owner::Block { histogram, schema, place }
            }
            _ => return None,
        };
        let is_inside = start >= FIRST_WORD && start.checked_add(words).is_some_and(|end| end <= len);
        (is_inside && words == of.words() && bytes.is_empty()).then_some(Self { start, of })
    }

    /// The address behind its words.
    pub(super) fn end(&self) -> usize {
        self.start + self.of.words()
    }
}

fn write_key(bytes: &mut Vec<u8>, key: &Key) {
    text(bytes, key.name());
    number(bytes, key.labels().len());
    for label in key.labels() {
        text(bytes, label.key());
        text(bytes, label.value());
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// Everything that is written is far below 2^32: addresses, and lengths of what must fit the metadata.
fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn read_key(bytes: &mut &[u8]) -> Option<Key> {
    let name = read_text(bytes)?;
    let count = read_number(bytes)?;
    // Each label takes eight bytes at least, so that a wrong count ends before it has taken much memory.
    let labels: Option<Vec<Label>> =
        (0..count).map(|_| Some(Label::new(read_text(bytes)?, read_text(bytes)?))).collect();
    Some(Key::from_parts(name, labels?).to_retained())
}

fn read_text(bytes: &mut &[u8]) -> Option<String> {
    let len = read_number(bytes)?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

fn read_number(bytes: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(take(bytes)?) as usize)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const LEN: usize = 10_000;

    fn owner() -> impl Strategy<Value = Owner> {
        let key = (".{0,8}", vec((".{0,5}", ".{0,5}"), 0..4)).prop_map(|(name, labels)| {
            let labels: Vec<_> = labels.into_iter().map(|(name, value)| Label::new(name, value)).collect();
            Key::from_parts(name, labels)
        });
        let schema = (0u8..=8).prop_map(|schema| Schema::new(schema).unwrap());
        prop_oneof![
            key.clone().prop_map(Owner::Counter),
            (schema.clone(), key).prop_map(|(schema, key)| Owner::Histogram { schema, key }),
            (schema, 1..LEN, any::<bool>(), 0..BLOCKS).prop_map(
                |(schema, histogram, is_negative, number)| {
                    Owner::Block { histogram, schema, place: BlockPlace { is_negative, number } }
                }
            ),
        ]
    }

    fn schema_in(owner: &Owner) -> Option<Schema> {
        match owner {
            Owner::Counter(_) => None,
            Owner::Histogram { schema, .. } | Owner::Block { schema, .. } => Some(*schema),
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_written(of in owner(), start in FIRST_WORD..1_000) {
            let bytes = of.to_bytes(start);
            let entry = Entry::from_bytes(&bytes, LEN, |_| schema_in(&of));
            prop_assert_eq!(entry, Some(Entry { start, of }));
        }

        #[test]
        fn an_entry_that_is_cut_or_too_long_is_none(of in owner(), at in any::<prop::sample::Index>()) {
            let mut bytes = of.to_bytes(1);
            let cut = &bytes[..at.index(bytes.len())];
            prop_assert_eq!(Entry::from_bytes(cut, LEN, |_| schema_in(&of)), None);
            bytes.push(0);
            prop_assert_eq!(Entry::from_bytes(&bytes, LEN, |_| schema_in(&of)), None);
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..60)) {
            let _ = Entry::from_bytes(&bytes, LEN, |_| Some(Schema::MAX));
        }
    }

    #[test]
    fn words_outside_the_table_are_none() {
        let counter = Owner::Counter(Key::from_static_name("c"));
        let read = |start| Entry::from_bytes(&counter.to_bytes(start), LEN, |_| None);
        assert!(read(FIRST_WORD).is_some() && read(LEN - 1).is_some());
        assert_eq!((read(LOST), read(LEN), read(usize::MAX)), (None, None, None));
    }
}
