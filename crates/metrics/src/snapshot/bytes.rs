//! Snapshots as bytes.

use core::fmt;

use super::{Buckets, HistogramSnapshot, Specials};
use crate::schema::Schema;

/// The version of the format, which is its first byte.
const VERSION: u8 = 1;

impl HistogramSnapshot {
    /// The snapshot in a compact form, which [`from_bytes`](Self::from_bytes) reads on any machine. It takes some 3
    /// bytes for each bucket that is not empty.
    ///
    /// The bytes are, in this order: the byte 1; the schema; the sum as the little-endian bytes of an `f64`; the counts
    /// of zero, +∞, −∞ and NaN; the positive buckets; and the negative buckets. The buckets of a sign are their number,
    /// and then for each bucket the distance of its index from that of the bucket before, and its count. The distance
    /// of the first bucket is that from the index of [`f64::MIN_POSITIVE`], plus one. Counts and distances are LEB128
    /// numbers.
    ///
    /// ```
    /// use atomik_metrics::{HistogramSnapshot, Schema};
    ///
    /// let mut here = HistogramSnapshot::new(Schema::default());
    /// here.record_many(0.25, 1_000);
    /// let mut there = HistogramSnapshot::from_bytes(&here.to_bytes()).unwrap();
    /// there.merge(&here);
    /// assert_eq!(there.count(), 2_000);
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.schema.get()];
        bytes.extend_from_slice(&self.sum.to_le_bytes());
        let Specials { zero, positive_infinity, negative_infinity, nan } = self.specials;
        for count in [zero, positive_infinity, negative_infinity, nan] {
            write_number(&mut bytes, count);
        }
        for buckets in [&self.positive, &self.negative] {
            write_number(&mut bytes, buckets.0.len() as u64);
            let mut before = before_first(self.schema);
            for &(index, count) in &buckets.0 {
                write_number(&mut bytes, u64::from(index.abs_diff(before)));
                write_number(&mut bytes, count);
                before = index;
            }
        }
        bytes
    }

    /// Reads the bytes that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// If the bytes are anything else. No bytes make it panic, or allocate more than a small multiple of their length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut bytes = bytes;
        let [version, schema] = take(&mut bytes)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let schema = Schema::new(schema).ok_or(SnapshotError::Schema(schema))?;
        let sum = f64::from_le_bytes(take(&mut bytes)?);
        if !sum.is_finite() {
            return Err(SnapshotError::Sum);
        }
        let specials = Specials {
            zero: read_number(&mut bytes)?,
            positive_infinity: read_number(&mut bytes)?,
            negative_infinity: read_number(&mut bytes)?,
            nan: read_number(&mut bytes)?,
        };
        let positive = read_buckets(&mut bytes, schema)?;
        let negative = read_buckets(&mut bytes, schema)?;
        if !bytes.is_empty() {
            return Err(SnapshotError::Trailing(bytes.len()));
        }
        Ok(Self { schema, sum, specials, positive, negative })
    }
}

/// What is wrong with the bytes of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes end too early.
    Truncated,
    /// This many bytes are left over.
    Trailing(usize),
    /// The format has this version, which is unknown.
    Version(u8),
    /// There is no schema of this number.
    Schema(u8),
    /// The sum is infinite or NaN.
    Sum,
    /// A number does not fit 64 bits, or is not written in as few bytes as possible.
    Number,
    /// The bucket at this position among those of its sign is empty or out of order, or its index is out of range.
    Bucket(usize),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the snapshot is truncated"),
            Self::Trailing(len) => write!(f, "{len} bytes follow the snapshot"),
            Self::Version(version) => write!(f, "format version {version} is unknown"),
            Self::Schema(schema) => write!(f, "schema {schema} is not from 0 to 8"),
            Self::Sum => f.write_str("the sum is not finite"),
            Self::Number => f.write_str("a number is malformed"),
            Self::Bucket(position) => write!(f, "bucket {position} is empty, out of order or out of range"),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// The index below that of the first bucket.
fn before_first(schema: Schema) -> i32 {
    schema.index_of_power(-1022) - 1
}

fn read_buckets(bytes: &mut &[u8], schema: Schema) -> Result<Buckets, SnapshotError> {
    let len = read_number(bytes)?;
    let mut buckets = Vec::new();
    let mut before = before_first(schema);
    for position in 0..len {
        let (distance, count) = (read_number(bytes)?, read_number(bytes)?);
        let index = i32::try_from(distance).ok().and_then(|distance| before.checked_add(distance));
        let in_range = |&index: &i32| index > before && index <= schema.index_of_power(1024);
        match index.filter(in_range) {
            Some(index) if count > 0 => {
                buckets.push((index, count));
                before = index;
            }
            _ => return Err(SnapshotError::Bucket(position as usize)),
        }
    }
    Ok(Buckets(buckets))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], SnapshotError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(SnapshotError::Truncated)?;
    *bytes = rest;
    Ok(*first)
}

pub(crate) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, SnapshotError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(bytes)?;
        let digits = u64::from(byte & 0x7F);
        if shift == 63 && digits > 1 || shift > 0 && byte == 0 {
            break;
        }
        number |= digits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(SnapshotError::Number)
}
