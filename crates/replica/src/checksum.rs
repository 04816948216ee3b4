//! The two checksums of the protocol: CRC-32C for what travels, CRC-64 for comparing what is awaiting_store.

#[cfg(any(not(feature = "std"), test))]
use crc::CRC_32_ISCSI;
use crc::{CRC_64_XZ, Crc, Table};

#[cfg(not(feature = "std"))]
pub(super) use self::by_tables as crc32c;
/// CRC-32C ([RFC 3720], Castagnoli's polynomial), by the CPU's own instruction where it has one.
///
/// [RFC 3720]: https://www.rfc-editor.org/rfc/rfc3720#section-12.1
#[cfg(feature = "std")]
pub(super) use ::crc32c::crc32c;

/// CRC-32C by tables.
#[cfg(any(not(feature = "std"), test))]
pub(super) fn by_tables(bytes: &[u8]) -> u32 {
    static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
    CRC.checksum(bytes)
}

/// A digest of words: CRC-64/XZ of their big-endian bytes. It finds what memory and disks do to data, not
/// what an adversary would.
pub(super) struct WordDigest(crc::Digest<'static, u64, Table<16>>);

impl WordDigest {
    pub(super) fn new() -> Self {
        static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);
        Self(CRC.digest())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn word(&mut self, word: u64) {
        self.0.update(&word.to_be_bytes());
    }

    pub(super) fn finish(self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn hardware_and_tables_agree(bytes in proptest::collection::vec(any::<u8>(), 0..5_000)) {
            prop_assert_eq!(crc32c(&bytes), by_tables(&bytes));
        }
    }
}
