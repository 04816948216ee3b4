//! Which version vectors of peers are arriving.

use alloc::collections::BTreeMap;

use crate::peer::Peer;

/// The version vectors that peers are sending, in sections.
#[derive(Default)]
pub(super) struct Hearings(BTreeMap<Peer, Hearing>);

/// A version vector of which the first sections arrived.
struct Hearing {
    vector: u64,
    sections: u64,
    /// Whether one of them had a version that is not here.
    behind: bool,
}

impl Hearings {
    /// How many peers are heard at a time. Further ones have to be asked again.
    const BOUND: usize = 1_024;

    /// Notes that a section of a version vector arrived.
    pub(super) fn section(&mut self, peer: Peer, [number, vector]: [u64; 2], behind: bool) {
        if number == 1 {
            if self.0.len() < Self::BOUND || self.0.contains_key(&peer) {
                self.0.insert(peer, Hearing { vector, sections: 1, behind });
            }
        } else if let Some(hearing) = self.0.get_mut(&peer)
            && (hearing.sections + 1, hearing.vector) == (number, vector)
        {
            hearing.sections = number;
            hearing.behind |= behind;
        }
    }

    /// Notes that the end of a version vector arrived. Returns whether all sections had arrived before it, in order,
    /// and had nothing that is not here.
    pub(super) fn end(&mut self, peer: Peer, [sections, vector]: [u64; 2]) -> bool {
        let Some(hearing) = self.0.get(&peer) else { return false };
        let is_whole = (hearing.sections, hearing.vector) == (sections, vector);
        let heard_out = is_whole && !hearing.behind;
        if is_whole {
            self.0.remove(&peer);
        }
        heard_out
    }

    /// Forgets a peer.
    pub(super) fn remove(&mut self, peer: Peer) {
        self.0.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Peer = Peer(1);

    #[test]
    fn a_peer_is_heard_out_when_all_sections_arrived_in_order_and_none_is_ahead() {
        let heard_out = |sections: &[(u64, u64, bool)], end| {
            let mut hearings = Hearings::default();
            for &(number, vector, behind) in sections {
                hearings.section(PEER, [number, vector], behind);
            }
            let heard_out = hearings.end(PEER, end);
            assert!(!hearings.end(Peer(2), end), "another peer");
            assert!(!heard_out || !hearings.end(PEER, end), "a second time");
            heard_out
        };
        assert!(heard_out(&[(1, 7, false)], [1, 7]));
        assert!(heard_out(&[(1, 7, false), (2, 7, false), (2, 7, false)], [2, 7]));
        // Another vector begins, and the pieces of the first one come late.
        assert!(heard_out(&[(1, 7, false), (1, 8, false), (2, 7, false), (2, 8, false)], [2, 8]));
        assert!(!heard_out(&[(1, 7, false), (1, 8, false), (2, 7, false)], [2, 7]));
        for sections in
            [&[][..], &[(2, 7, false)], &[(1, 7, false), (3, 7, false)], &[(0, 7, false), (1, 8, false)]]
        {
            assert!(!heard_out(sections, [sections.len() as u64, 7]), "{sections:?}");
        }
        assert!(!heard_out(&[(1, 7, true), (2, 7, false)], [2, 7]));
        assert!(!heard_out(&[(1, 7, false), (2, 7, true)], [2, 7]));
    }

    #[test]
    fn only_so_many_peers_are_heard_at_a_time() {
        let mut hearings = Hearings::default();
        (0..5_000).for_each(|peer| hearings.section(Peer(peer), [1, 7], false));
        assert_eq!(hearings.0.len(), Hearings::BOUND);
        hearings.section(PEER, [1, 8], false);
        assert!(hearings.end(PEER, [1, 8]));
    }
}
