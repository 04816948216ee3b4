//! The names that a cluster uses at a server of NATS.

use atomik_replica::{Peer, Recipient, ReplicaId};

use super::events::{BROKER, ShardKey};
use crate::handshake::Handshake;

/// The subjects of a cluster, as a node of it uses them:
///
/// ```text
/// atomik.CLUSTER.all.FROM                          packets to all nodes
/// atomik.CLUSTER.to.NODE.FROM                      packets to one node
/// atomik.CLUSTER.shard.NODE.INCARNATION.SHARD      the newest version of a shard, in the stream
/// ```
///
/// `CLUSTER` has the digest of the cluster and the number of the algebra in hexadecimal digits; the other numbers are
/// decimal.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    prefix: String,
    stream: String,
    node: u64,
}

impl Subjects {
    pub(super) fn new(handshake: &Handshake) -> Self {
        let cluster = format!("{:016x}-{:x}", handshake.cluster, handshake.algebra);
        Self {
            prefix: format!("atomik.{cluster}"),
            stream: format!("atomik-{cluster}"),
            node: handshake.id.node,
        }
    }

    /// The name of the stream.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Where packets of this node go.
    pub(super) fn packets(&self, to: Recipient) -> String {
        let Self { prefix, node, .. } = self;
        match to {
            Recipient::All => format!("{prefix}.all.{node}"),
            Recipient::Peer(Peer(to)) => format!("{prefix}.to.{to}.{node}"),
        }
    }

    /// Where packets to this node come from.
    pub(super) fn incoming(&self) -> [String; 2] {
        let Self { prefix, node, .. } = self;
        [format!("{prefix}.all.*"), format!("{prefix}.to.{node}.*")]
    }

    /// Who sent a packet to this node.
    pub(super) fn sender(&self, subject: &str) -> Option<Peer> {
        let rest = subject.strip_prefix(&self.prefix)?;
        let from = match rest.strip_prefix(".all.") {
            Some(from) => from,
            None => {
                let (to, from) = rest.strip_prefix(".to.")?.split_once('.')?;
                from.get(..).filter(|_| number(to) == Some(self.node))?
            }
        };
        number(from).map(Peer).filter(|peer| *peer != BROKER)
    }

    /// The subject of a shard.
    pub(super) fn shard(&self, key: ShardKey) -> String {
        let ShardKey { origin: ReplicaId { node, incarnation }, shard } = key;
        format!("{}.shard.{node}.{incarnation}.{shard}", self.prefix)
    }

    /// The subjects of all shards.
    pub(super) fn shards(&self) -> String {
        format!("{}.shard.*.*.*", self.prefix)
    }

    /// The shard that a subject is about.
    pub(super) fn key(&self, subject: &str) -> Option<ShardKey> {
        let mut numbers =
            subject.strip_prefix(&self.prefix)?.strip_prefix(".shard.")?.splitn(3, '.').map(number);
        let (node, incarnation, shard) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(ShardKey { origin: ReplicaId { node, incarnation }, shard: usize::try_from(shard).ok()? })
    }
}

/// A number as [`Subjects`] writes it: each has one subject only.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use atomik_core::Add;
    use atomik_replica::ClusterConfig;

    use super::*;

    fn subjects(node: u64) -> Subjects {
        let id = ReplicaId { node, incarnation: 3 };
        Subjects::new(&Handshake::new::<Add>(&ClusterConfig::new("page views", 100), id))
    }

    #[test]
    fn what_one_node_sends_the_other_can_read() {
        let (one, two) = (subjects(1), subjects(2));
        assert_eq!(two.sender(&one.packets(Recipient::All)), Some(Peer(1)));
        assert_eq!(two.sender(&one.packets(Recipient::Peer(Peer(2)))), Some(Peer(1)));
        assert_eq!(two.sender(&one.packets(Recipient::Peer(Peer(3)))), None);
        let key = ShardKey { origin: ReplicaId { node: u64::MAX - 1, incarnation: 1 << 63 }, shard: 17 };
        assert_eq!(one.shard(key).split('.').count(), one.shards().split('.').count());
        assert_eq!(two.key(&one.shard(key)), Some(key));
        assert!(!one.stream().contains(['.', ' ', '*', '>', '/']));
    }

    #[test]
    fn other_subjects_say_nothing() {
        let one = subjects(1);
        let other = Subjects::new(&Handshake::new::<Add>(
            &ClusterConfig::new("other", 100),
            ReplicaId { node: 1, incarnation: 3 },
        ));
        assert_eq!(one.sender(&other.packets(Recipient::All)), None);
        for end in ["", "x", "-1", "+1", "01", "18446744073709551616", "18446744073709551615", "1.1"] {
            assert_eq!(one.sender(&format!("{}.all.{end}", one.prefix)), None, "{end}");
        }
        for end in ["1", "1.2", "1.2.x", "1.2.", "1.2.03", "1.2.3.4"] {
            assert_eq!(one.key(&format!("{}.shard.{end}", one.prefix)), None, "{end}");
        }
    }
}
