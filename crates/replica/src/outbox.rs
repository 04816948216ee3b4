//! What waits to be polled.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use super::frame::{self, FrameContext, Header, Section, SectionKind, WireEntry, WireWord};
use super::replica_id::ReplicaId;
use super::shard::{BLOCK_WORDS, Shard};

/// A peer, by the name that the transport gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// Whom a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// Every peer.
    All,
    /// One of them.
    Peer(Peer),
}

/// A shard of an origin.
pub(super) type Key = (ReplicaId, usize);

/// What an own shard changed since it was last announced.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The version that was announced last.
    pub(super) from: u64,
    /// A bit for each word that changed, and one for each entry; a pair of masks for each block.
    masks: Vec<[u64; 2]>,
}

impl Change {
    pub(super) fn since(from: u64) -> Self {
        Self { from, masks: Vec::new() }
    }

    /// FrameContext the word at an offset of the shard as changed, or its entry.
    pub(super) fn mark(&mut self, offset: usize, entry: bool) {
        let block = offset / BLOCK_WORDS;
        if block >= self.masks.len() {
            self.masks.resize(block + 1, [0; 2]);
        }
        self.masks[block][usize::from(entry)] |= 1 << (offset % BLOCK_WORDS);
    }

    /// The offsets of the words that changed, or of the entries, ascending.
    fn offsets(&self, entry: bool) -> impl Iterator<Item = u32> {
        let masks = self.masks.iter().map(move |masks| masks[usize::from(entry)]);
        (0u32..).step_by(BLOCK_WORDS).zip(masks).flat_map(|(start, mask)| {
            let mut rest = mask;
            core::iter::from_fn(move || {
                let offset = (rest != 0).then(|| start + rest.trailing_zeros());
                rest &= rest.wrapping_sub(1);
                offset
            })
        })
    }

    /// Writes the frame that announces the change.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        context: FrameContext,
        origin: ReplicaId,
        index: usize,
        shard: &Shard,
    ) {
        let to = shard.version;
        let first = shard.first();
        let words = |to| -> Vec<WireWord> {
            let addrs = self.offsets(false).map(|offset| first + offset);
            addrs.map(|addr| WireWord::new(addr, shard.total(addr), to)).collect()
        };
        let entries = self.offsets(true).filter_map(|offset| shard.entry(first + offset));
        let entries: Vec<WireEntry> = entries.map(WireEntry::new).collect();
        let header = |from, to| Header { kind: SectionKind::Totals, origin, shard: index as u32, from, to };
        #[cfg(test)]
        if planted!(TwoVersions) && !entries.is_empty() && to - self.from > 1 {
            frame::write(out, context, header(self.from, to - 1), &words(to - 1), &[]);
            frame::write::<WireWord>(out, context, header(to - 1, to), &[], &entries);
            return;
        }
        frame::write(out, context, header(self.from, to), &words(to), &entries);
    }
}

/// Questions, answers and announcements that have no bytes yet, and packets that have.
#[derive(Default)]
pub(super) struct Outbox {
    packets: VecDeque<(Recipient, Vec<u8>)>,
    /// Own shards that changed, by index.
    pub(super) changes: BTreeMap<usize, Change>,
    /// "Since what you have", and the version that the peer is known to have.
    pub(super) requests: BTreeMap<(Peer, Key), u64>,
    /// Who asked for which shard, since which version.
    pub(super) answers: BTreeMap<(Peer, Key), u64>,
    /// Answers whose shards the store doesn't have yet.
    pub(super) awaiting_store: BTreeMap<(Peer, Key), u64>,
    /// Who is to get the whole vector.
    pub(super) vectors: BTreeSet<Recipient>,
    /// Who is asked for its whole vector.
    pub(super) hellos: BTreeSet<Recipient>,
    /// The shards whose versions changed since the last heartbeat.
    pub(super) dirty: BTreeSet<Key>,
    /// Whether all peers are to get the versions of these.
    pub(super) heartbeat: bool,
    /// The shards whose digests all peers are to get.
    pub(super) digests: BTreeSet<Key>,
}

impl Outbox {
    /// The next packet that has its bytes.
    pub(super) fn pop(&mut self) -> Option<(Recipient, Vec<u8>)> {
        self.packets.pop_front()
    }

    /// Where to write a section for a recipient: the last packet, if it is for the same one and has room, or a
    /// new one. At `bound` packets the oldest is dropped; what was in it will be asked for again.
    pub(super) fn packet(&mut self, to: Recipient, packet_len: usize, bound: usize) -> &mut Vec<u8> {
        let has_room =
            self.packets.back().is_some_and(|(last, bytes)| *last == to && bytes.len() < packet_len);
        if !has_room {
            if self.packets.len() >= bound.max(1) {
                self.packets.pop_front();
            }
            self.packets.push_back((to, vec![]));
        }
        &mut self.packets.back_mut().expect("pushed if there was none").1
    }

    /// Cuts the totals of a shard that was dropped out of the packets, so that no copy in doubt gets around.
    pub(super) fn forget(&mut self, key: Key, context: FrameContext) {
        self.packets.retain_mut(|(_, packet)| {
            let mut kept = Vec::with_capacity(packet.len());
            let mut rest = packet.as_slice();
            while let Ok((Section { header, .. }, after)) = Section::split(rest, context) {
                if header.kind != SectionKind::Totals || (header.origin, header.shard as usize) != key {
                    kept.extend_from_slice(&rest[..rest.len() - after.len()]);
                }
                rest = after;
            }
            *packet = kept;
            !packet.is_empty()
        });
    }

    /// Notes a question, unless too many wait; of two about one shard the first stays.
    pub(super) fn queue_request(&mut self, peer: Peer, key: Key, known: u64, bound: usize) {
        if let Some(version) = self.requests.get_mut(&(peer, key)) {
            *version = known.max(*version);
        } else if self.requests.len() < bound {
            self.requests.insert((peer, key), known);
        }
    }

    /// Notes an answer that is owed, unless too many wait; of two about one shard the earlier version stays.
    pub(super) fn queue_answer(&mut self, peer: Peer, key: Key, since: u64, bound: usize) {
        if let Some(version) = self.answers.get_mut(&(peer, key)) {
            *version = since.min(*version);
        } else if self.answers.len() + self.awaiting_store.len() < bound {
            self.answers.insert((peer, key), since);
        }
    }

    /// Notes that a recipient is to get something of which it gets one at a time.
    pub(super) fn note(set: &mut BTreeSet<Recipient>, to: Recipient, bound: usize) {
        if set.len() < bound {
            set.insert(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atomik_core::Xor;

    const KEY: Key = (ReplicaId { node: 2, incarnation: 1 }, 0);

    #[test]
    fn questions_and_answers_are_bounded_and_those_about_one_shard_are_one() {
        let mut outbox = Outbox::default();
        for (peer, version) in [(1, 5), (1, 7), (1, 6), (2, 5), (3, 5), (1, 4)] {
            outbox.queue_request(Peer(peer), KEY, version, 2);
            outbox.queue_answer(Peer(peer), KEY, version, 2);
        }
        let waiting = |versions: [u64; 2]| {
            BTreeMap::from([1, 2].map(|peer| ((Peer(peer), KEY), versions[peer as usize - 1])))
        };
        assert_eq!(outbox.requests, waiting([7, 5]));
        assert_eq!(outbox.answers, waiting([4, 5]));
    }

    #[test]
    fn a_packet_takes_sections_until_it_is_long_enough_and_the_oldest_packet_goes() {
        let mut outbox = Outbox::default();
        for (to, bytes) in [(1, 9), (1, 1), (1, 3), (2, 4), (1, 5), (3, 6)] {
            let packet = outbox.packet(Recipient::Peer(Peer(to)), 10, 4);
            packet.resize(packet.len() + bytes, 0);
        }
        let packets: Vec<_> =
            core::iter::from_fn(|| outbox.pop()).map(|(to, packet)| (to, packet.len())).collect();
        assert_eq!(
            packets,
            [(1, 3), (2, 4), (1, 5), (3, 6)].map(|(to, len)| (Recipient::Peer(Peer(to)), len))
        );
    }

    #[test]
    fn what_is_forgotten_is_the_totals_of_that_shard() {
        let context = FrameContext::new::<Xor>(1);
        let section = |kind, shard: usize, to| {
            let mut bytes = Vec::new();
            let header = Header { kind, origin: KEY.0, shard: shard as u32, from: 0, to };
            frame::write::<WireWord>(&mut bytes, context, header, &[], &[]);
            bytes
        };
        let others = [
            section(SectionKind::Totals, 1, 5),
            section(SectionKind::Request, 0, 6),
            section(SectionKind::Totals, 2, 7),
        ];
        let mut outbox = Outbox::default();
        let [one, two, three] = &others;
        let mixed = [
            section(SectionKind::Totals, 0, 1),
            one.clone(),
            two.clone(),
            section(SectionKind::Totals, 0, 2),
            three.clone(),
        ];
        outbox.packet(Recipient::All, 1, 9).extend(mixed.concat());
        outbox.packet(Recipient::All, 1, 9).extend(section(SectionKind::Totals, 0, 3));
        outbox.forget(KEY, context);
        assert_eq!(outbox.pop(), Some((Recipient::All, others.concat())));
        assert_eq!(outbox.pop(), None);
    }

    #[test]
    fn answers_that_are_held_count() {
        let mut outbox = Outbox::default();
        outbox.awaiting_store.insert((Peer(1), KEY), 0);
        for peer in 2..9 {
            outbox.queue_answer(Peer(peer), KEY, 0, 3);
        }
        assert_eq!(outbox.answers.len(), 2);
    }

    #[test]
    fn recipients_are_bounded() {
        let mut set = BTreeSet::new();
        for peer in [1, 2, 1, 3, 4] {
            Outbox::note(&mut set, Recipient::Peer(Peer(peer)), 3);
        }
        assert_eq!(set.len(), 3);
    }
}
