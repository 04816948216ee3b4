//! Sections that waited for the store and may leave.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::peer::Recipient;
use crate::shape::ShardKey;

/// Sections by their recipients. One that goes to several is kept once.
#[derive(Default)]
pub(crate) struct Released {
    queues: BTreeMap<Recipient, VecDeque<Arc<ReleasedSection>>>,
    /// The bytes of all sections.
    len: usize,
}

struct ReleasedSection {
    key: ShardKey,
    bytes: Vec<u8>,
}

impl Released {
    /// Adds a section about a shard.
    pub(crate) fn push(
        &mut self,
        key: ShardKey,
        bytes: Vec<u8>,
        recipients: impl Iterator<Item = Recipient>,
    ) {
        self.len += bytes.len();
        let section = Arc::new(ReleasedSection { key, bytes });
        for to in recipients {
            self.queues.entry(to).or_default().push_back(Arc::clone(&section));
        }
        self.drop_section(section);
    }

    /// How many bytes the sections have.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes the next section out. The sections of one recipient come one after the other.
    pub(crate) fn pop(&mut self, write: impl FnOnce(Recipient, &[u8])) -> bool {
        let Some(mut queue) = self.queues.first_entry() else { return false };
        let to = *queue.key();
        let Some(section) = queue.get_mut().pop_front() else { return false };
        if queue.get().is_empty() {
            queue.remove();
        }
        write(to, &section.bytes);
        self.drop_section(section);
        true
    }

    /// Removes what goes to a recipient.
    pub(crate) fn remove_recipient(&mut self, gone: Recipient) {
        for section in self.queues.remove(&gone).into_iter().flatten() {
            self.drop_section(section);
        }
    }

    /// Removes the sections about some shards.
    pub(crate) fn forget(&mut self, forgets: impl Fn(ShardKey) -> bool) {
        for (to, sections) in core::mem::take(&mut self.queues) {
            let (gone, kept): (VecDeque<_>, VecDeque<_>) =
                sections.into_iter().partition(|section| forgets(section.key));
            gone.into_iter().for_each(|section| self.drop_section(section));
            if !kept.is_empty() {
                self.queues.insert(to, kept);
            }
        }
    }

    /// Drops one of the references to a section, and counts its bytes if it was the last one.
    fn drop_section(&mut self, section: Arc<ReleasedSection>) {
        if let Some(section) = Arc::into_inner(section) {
            self.len -= section.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;
    use crate::replica_id::ReplicaId;

    const KEY: ShardKey = ShardKey { origin: ReplicaId { node: 2, incarnation: 1 }, shard: 0 };
    const OTHER: ShardKey = ShardKey { shard: 1, ..KEY };

    fn peers(peers: &[u64]) -> impl Iterator<Item = Recipient> {
        peers.iter().map(|&peer| Recipient::Peer(Peer(peer)))
    }

    fn three() -> Released {
        let mut released = Released::default();
        released.push(KEY, [1; 10].into(), peers(&[1, 2, 3]));
        released.push(OTHER, [2; 100].into(), peers(&[1, 3]));
        released.push(KEY, [3; 1_000].into(), core::iter::once(Recipient::All));
        released
    }

    fn popped(released: &mut Released) -> Vec<(Recipient, u8, usize)> {
        core::iter::from_fn(|| {
            let mut popped = None;
            released.pop(|to, bytes| popped = Some((to, bytes[0])));
            popped.map(|(to, byte)| (to, byte, released.len()))
        })
        .collect()
    }

    #[test]
    fn a_section_is_counted_once_and_until_its_last_recipient() {
        let mut released = three();
        assert_eq!(released.len(), 1_110);
        let to = |peer| Recipient::Peer(Peer(peer));
        let expected = [
            (Recipient::All, 3, 110),
            (to(1), 1, 110),
            (to(1), 2, 110),
            (to(2), 1, 110),
            (to(3), 1, 100),
            (to(3), 2, 0),
        ];
        assert_eq!(popped(&mut released), expected);
    }

    #[test]
    fn what_is_removed_is_not_counted() {
        let mut released = three();
        released.remove_recipient(Recipient::All);
        assert_eq!(released.len(), 110);
        released.remove_recipient(Recipient::Peer(Peer(3)));
        assert_eq!(released.len(), 110);
        released.forget(|key| key == KEY);
        assert_eq!(popped(&mut released), [(Recipient::Peer(Peer(1)), 2, 0)]);
        released.push(KEY, [1; 10].into(), core::iter::empty());
        assert_eq!(released.len(), 0);
    }
}
