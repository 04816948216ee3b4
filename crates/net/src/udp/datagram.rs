//! A datagram: a fragment of a packet, and what precedes it.

/// The magic of a datagram, with the version of this protocol.
const MAGIC: [u8; 4] = *b"AKU1";
/// What precedes a fragment: magic, node, number of the packet, index and count of the fragments, and the CRC-32C of
/// these. Packets have checksums of their own.
const HEADER: usize = 24;
/// What the checksum covers.
const CHECKED: usize = HEADER - 4;
/// The longest fragment, so that a datagram has at most 1,200 bytes, which every path on the internet takes.
pub(crate) const FRAGMENT: usize = 1_200 - HEADER;

/// A datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) node: u64,
    pub(crate) number: u32,
    pub(crate) index: u16,
    pub(crate) count: u16,
    pub(crate) fragment: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads a datagram. `None` if nobody sends such a one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, fragment) = bytes.split_first_chunk::<HEADER>()?;
        let number = |at: usize, len: usize| {
            header[at..at + len].iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte))
        };
        let (index, count) = (number(16, 2) as u16, number(18, 2) as u16);
        let is_last = index.checked_add(1) == Some(count);
        let fits = if is_last { fragment.len() <= FRAGMENT } else { fragment.len() == FRAGMENT };
        let is_whole = number(CHECKED, 4) == u64::from(crc32c::crc32c(&header[..CHECKED]));
        (header[..4] == MAGIC && is_whole && index < count && fits && !fragment.is_empty()).then_some(Self {
            node: number(4, 8),
            number: number(12, 4) as u32,
            index,
            count,
            fragment,
        })
    }

    /// Writes the datagram after what is there, which is nothing.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend(MAGIC);
        out.extend(self.node.to_be_bytes());
        out.extend(self.number.to_be_bytes());
        out.extend(self.index.to_be_bytes());
        out.extend(self.count.to_be_bytes());
        let checksum = crc32c::crc32c(out);
        out.extend(checksum.to_be_bytes());
        out.extend_from_slice(self.fragment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_that_nobody_sends_is_refused() {
        let whole = |index, count| {
            let header = [&MAGIC[..], &[0; 7], &[9], &[0, 0, 0, 5], &[0, index], &[0, count]].concat();
            [&header[..], &crc32c::crc32c(&header).to_be_bytes(), b"abc"].concat()
        };
        let bytes = whole(0, 1);
        let parsed = Datagram::parse(&bytes).unwrap();
        assert_eq!((parsed.node, parsed.number, parsed.fragment), (9, 5, &b"abc"[..]));
        for len in 0..=HEADER {
            assert_eq!(Datagram::parse(&bytes[..len]), None, "{len}");
        }
        // Whatever bit is wrong, it does not come from another node.
        for bit in 0..8 * HEADER {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Datagram::parse(&other), None, "bit {bit}");
        }
        // The index is not below the count, and only the last fragment may be short.
        for (index, count) in [(1, 1), (0, 0), (0, 2)] {
            assert_eq!(Datagram::parse(&whole(index, count)), None);
        }
    }
}
