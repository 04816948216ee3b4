//! Sections that have their bytes, as packets.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::frame::{FrameContext, HEADER_LEN, Header, Section};
use crate::peer::Recipient;

/// The greatest number of versions in a section: 1 KiB of them.
const MOST_NUMBERS: usize = 128;

/// Packets of a bounded length. Only the last one takes further sections.
pub(crate) struct Packets {
    packet_len: usize,
    waiting: VecDeque<(Recipient, Vec<u8>)>,
}

impl Packets {
    /// No packets. A packet that has two sections or more has at most `packet_len` bytes.
    pub(crate) fn new(packet_len: usize) -> Self {
        Self { packet_len, waiting: VecDeque::new() }
    }

    /// How many versions fit into a section that fits into a packet: one at least.
    pub(crate) fn numbers_in_section(&self) -> usize {
        (self.packet_len.saturating_sub(HEADER_LEN) / 8).clamp(1, MOST_NUMBERS)
    }

    /// Whether a packet waits that takes no further sections.
    pub(crate) fn has_complete(&self) -> bool {
        self.waiting.len() > 1
            || self.waiting.front().is_some_and(|(_, packet)| packet.len() >= self.packet_len)
    }

    pub(crate) fn pop(&mut self) -> Option<(Recipient, Vec<u8>)> {
        self.waiting.pop_front()
    }

    /// Writes a section, or none: to the end of the last packet, if that goes to the same recipient and has room, or
    /// else to a new one.
    pub(crate) fn write(&mut self, to: Recipient, write: impl FnOnce(&mut Vec<u8>)) {
        if self.waiting.back().is_none_or(|(last, _)| *last != to) {
            self.waiting.push_back((to, Vec::new()));
        }
        let Some((_, packet)) = self.waiting.back_mut() else { return };
        let start = packet.len();
        write(packet);
        if start > 0 && packet.len() > self.packet_len {
            let section = packet.split_off(start);
            self.waiting.push_back((to, section));
        } else if packet.is_empty() {
            self.waiting.pop_back();
        }
    }

    /// Removes the packets to a recipient.
    pub(crate) fn remove_recipient(&mut self, gone: Recipient) {
        self.waiting.retain(|(to, _)| *to != gone);
    }

    /// Removes the sections that are not to be kept.
    pub(crate) fn retain_sections(&mut self, context: FrameContext, keeps: impl Fn(Header) -> bool) {
        self.waiting.retain_mut(|(_, packet)| {
            let mut kept = Vec::with_capacity(packet.len());
            let mut rest = packet.as_slice();
            while let Ok((Ok(section), after)) = Section::split(rest, context) {
                if keeps(section.header()) {
                    kept.extend_from_slice(&rest[..rest.len() - after.len()]);
                }
                rest = after;
            }
            *packet = kept;
            !packet.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Header;
    use crate::frame::SectionKind;
    use crate::frame::tests::raw_section;
    use crate::peer::Peer;
    use crate::replica_id::ReplicaId;
    use atomik_core::Xor;

    const ORIGIN: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

    fn push(packets: &mut Packets, to: u64, section: &[u8]) {
        packets.write(Recipient::Peer(Peer(to)), |packet| packet.extend_from_slice(section));
    }

    #[test]
    fn a_packet_takes_sections_while_they_fit_and_a_longer_section_has_its_own() {
        let mut packets = Packets::new(10);
        let mut complete = Vec::new();
        for (to, bytes) in [(1, 9), (1, 1), (1, 3), (1, 0), (2, 4), (2, 7), (2, 20), (1, 5), (3, 6)] {
            push(&mut packets, to, &[0; 20][..bytes]);
            complete.push(packets.has_complete());
        }
        let packets: Vec<_> =
            core::iter::from_fn(|| packets.pop()).map(|(to, packet)| (to, packet.len())).collect();
        let expected = [(1, 10), (1, 3), (2, 4), (2, 7), (2, 20), (1, 5), (3, 6)];
        assert_eq!(packets, expected.map(|(to, len)| (Recipient::Peer(Peer(to)), len)));
        assert_eq!(complete, [false, true, true, true, true, true, true, true, true]);
    }

    #[test]
    fn as_many_versions_as_fit_are_in_a_section() {
        let numbers = |packet_len| Packets::new(packet_len).numbers_in_section();
        assert_eq!([0, 1, HEADER_LEN + 8, HEADER_LEN + 15].map(numbers), [1; 4]);
        assert_eq!([HEADER_LEN + 16, 1_200, 1 << 16].map(numbers), [2, 128, 128]);
    }

    #[test]
    fn only_the_totals_of_a_forgotten_shard_are_removed() {
        let context = FrameContext::new::<Xor>(1);
        let section = |kind, shard: u32, to| {
            let header = Header { kind, origin: ORIGIN, shard, from: 0, to };
            raw_section(context, header, &[[0; 0]; 0], &[])
        };
        let totals = |shard, to| section(SectionKind::Totals, shard, to);
        let others = [totals(1, 5), section(SectionKind::Request, 0, 6), totals(2, 7)];
        let mut packets = Packets::new(1_000);
        let [one, two, three] = &others;
        for section in [&totals(0, 1), one, two, &totals(0, 2), three] {
            push(&mut packets, 1, section);
        }
        push(&mut packets, 2, &totals(0, 3));
        packets.retain_sections(context, |header| header.kind != SectionKind::Totals || header.shard != 0);
        assert_eq!(packets.waiting, [(Recipient::Peer(Peer(1)), others.concat())]);
    }
}
