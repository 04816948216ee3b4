//! What both ends of a connection say first.

use atomik_core::Algebra;
use atomik_replica::{ClusterConfig, ReplicaId};

/// The magic, with the version of this protocol.
const MAGIC: [u8; 8] = *b"ATMKNET1";
/// The length of a handshake in bytes.
pub(crate) const LEN: usize = 40;

/// The first bytes of a connection, from either end:
///
/// ```text
///  0  magic "ATMKNET1"
///  8  algebra              9  zero, 3 bytes
/// 12  CRC-32C of the other 36 bytes
/// 16  digest of the cluster
/// 24  node                32  incarnation
/// ```
///
/// All numbers are big-endian. The checksum is there because everything that arrives by the connection counts as
/// from the node that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) algebra: u8,
    pub(crate) cluster: u64,
    pub(crate) id: ReplicaId,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no handshake, or one of another version.
    Handshake,
    /// The peer belongs to another cluster, or to another algebra.
    Cluster,
    /// The peer is this node itself.
    Itself,
}

impl Handshake {
    pub(crate) fn new<A: Algebra>(cluster: &ClusterConfig, id: ReplicaId) -> Self {
        Self { algebra: A::ID, cluster: cluster.digest(), id }
    }

    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = self.algebra;
        let numbers = [self.cluster, self.id.node, self.id.incarnation];
        for (bytes, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_be_bytes());
        }
        let checksum = checksum(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// Checks what the other end said. Returns its id.
    pub(crate) fn check(self, bytes: &[u8; LEN]) -> Result<ReplicaId, Refused> {
        let is_whole = bytes[12..16] == checksum(bytes).to_be_bytes();
        if bytes[..8] != MAGIC || bytes[9..12] != [0; 3] || !is_whole {
            return Err(Refused::Handshake);
        }
        let number = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        if (bytes[8], number(16)) != (self.algebra, self.cluster) {
            return Err(Refused::Cluster);
        }
        let id = ReplicaId { node: number(24), incarnation: number(32) };
        if id == self.id { Err(Refused::Itself) } else { Ok(id) }
    }
}

/// The checksum of a handshake.
fn checksum(bytes: &[u8; LEN]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use atomik_core::{Add, Xor};

    #[test]
    fn a_handshake_is_read_back_and_others_are_refused_by_reason() {
        let cluster = ClusterConfig::new("a", 100);
        let here = ReplicaId { node: 1, incarnation: 7 };
        let there = ReplicaId { node: 2, incarnation: 9 };
        let own = Handshake::new::<Add>(&cluster, here);
        let bytes = Handshake::new::<Add>(&cluster, there).to_bytes();
        assert_eq!(bytes[..12], *b"ATMKNET1\x01\0\0\0");
        assert_eq!(own.check(&bytes), Ok(there));
        assert_eq!(own.check(&own.to_bytes()), Err(Refused::Itself));
        assert_eq!(own.check(&Handshake::new::<Xor>(&cluster, there).to_bytes()), Err(Refused::Cluster));
        let other = ClusterConfig::new("b", 100);
        assert_eq!(own.check(&Handshake::new::<Add>(&other, there).to_bytes()), Err(Refused::Cluster));
        // Whatever bit is wrong: it is not taken for another node, nor for another cluster.
        for bit in 0..8 * LEN {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(own.check(&bytes), Err(Refused::Handshake), "bit {bit}");
        }
    }
}
