//! The two checksums of the protocol: CRC-32C of sections, and CRC-64 of what replicas hold.

#[cfg(any(not(feature = "std"), test))]
use crc::CRC_32_ISCSI;
use crc::{CRC_64_XZ, Crc, Table};

#[cfg(not(feature = "std"))]
pub(crate) use self::crc32c_by_tables as crc32c;
/// CRC-32C ([RFC 3720], Castagnoli's polynomial), by the processor's own instruction where it has one.
///
/// [RFC 3720]: https://www.rfc-editor.org/rfc/rfc3720#section-12.1
#[cfg(feature = "std")]
pub(crate) use ::crc32c::crc32c;

/// CRC-32C by lookup tables.
#[cfg(any(not(feature = "std"), test))]
pub(crate) fn crc32c_by_tables(bytes: &[u8]) -> u32 {
    static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
    CRC.checksum(bytes)
}

/// A digest of words: CRC-64/XZ of their big-endian bytes.
///
/// It detects the damage that memory and disks do. It does not protect against an adversary.
pub(crate) struct WordDigest(crc::Digest<'static, u64, Table<16>>);

impl WordDigest {
    pub(crate) fn new() -> Self {
        static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);
        Self(CRC.digest())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.0.update(&word.to_be_bytes());
    }

    pub(crate) fn finish(self) -> u64 {
        self.0.finalize()
    }
}

/// Mixes a word into a digest, so that each bit of both changes about half of the bits of the result: the finalizer of
/// SplitMix64. Unlike CRCs, such digests may be composed by XOR.
#[inline]
pub(crate) const fn mix(digest: u64, word: u64) -> u64 {
    let mut mixed = (digest ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn crc32c_gives_the_check_value_of_its_specification() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn hardware_and_tables_agree(bytes in proptest::collection::vec(any::<u8>(), 0..5_000)) {
            prop_assert_eq!(crc32c(&bytes), crc32c_by_tables(&bytes));
        }
    }
}
