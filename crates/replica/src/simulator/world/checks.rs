//! What must be: of a node after every step, and of all of them once the links have healed.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{ADDRS, Checked, LEN, Node, Running, World};
use crate::simulator::oracle::{Loaded, Versions};
use crate::{Peer, Recipient, ReplicaId};
use atomik_core::Algebra;

impl<A: Algebra> World<A> {
    /// Looks at what a node would answer: all that changed since, as it is now; and from its own origin,
    /// blocks that changed since, and no other.
    pub(super) fn probe(&mut self, node: usize, pick: u8, since: u8) -> Checked {
        let keys: Vec<_> = self.versions(node).into_iter().collect();
        let Some(&((writer, shard), version)) = keys.get(pick as usize % keys.len().max(1)) else {
            return Ok(());
        };
        let since = u64::from(since) % (version + 1);
        let origin = ReplicaId { node: writer.0, incarnation: writer.1 };
        let Some(frame) = self.running(node).replica.frame_since(origin, shard, since) else { return Ok(()) };
        prop_assert!(since < version, "an answer to who has version {} already", version);
        let (from, to, words, entries) = parse(&frame);
        prop_assert_eq!((from, to), (since, version));
        let changed = self.oracle.changed(writer, shard, since, version);
        for &addr in &changed {
            prop_assert!(
                words.contains_key(&addr) || entries.contains_key(&addr),
                "the answer since {} lacks address {}",
                since,
                addr
            );
        }
        for (&addr, &total) in &words {
            prop_assert_eq!(total, self.oracle.word(writer, version, addr));
        }
        for (&addr, &entry) in &entries {
            prop_assert_eq!(Some(entry), self.oracle.entry(writer, version, addr));
        }
        if writer == self.nodes[node].writer {
            for addr in words.keys() {
                let is_of_block = changed.iter().any(|other| other / 64 == addr / 64);
                prop_assert!(is_of_block, "address {} did not change since {}", addr, since);
            }
        }
        Ok(())
    }

    /// What a node knows, by its own word.
    pub(super) fn versions(&self, node: usize) -> Versions {
        let running = self.nodes[node].running.as_ref().expect("only running nodes are asked");
        let planes = running.replica.planes().iter();
        planes
            .flat_map(|plane| {
                let writer = (plane.origin.node, plane.origin.incarnation);
                plane.shards().map(move |(shard, found)| ((writer, shard), found.version))
            })
            .collect()
    }

    /// A node's merged states are the oracle's for what it knows; and the live states are these and what
    /// wasn't ticked.
    pub(super) fn check(&self, node: usize) -> Checked {
        let versions = self.versions(node);
        for (&(writer, shard), &version) in &versions {
            let made = self.oracle.made(writer, shard);
            prop_assert!(version <= made, "{writer:?} made {made} versions of {shard}, here is {version}");
        }
        let Node { writer, running, .. } = &self.nodes[node];
        let Running { replica, unticked, .. } = running.as_ref().expect("only running nodes are checked");
        for shard in 0..replica.shards() {
            let known = versions.get(&(*writer, shard)).copied().unwrap_or(0);
            prop_assert_eq!(known, self.oracle.made(*writer, shard), "the own version of shard {}", shard);
        }
        let view = replica.view();
        for addr in ADDRS {
            let state = self.oracle.state(&versions, addr);
            prop_assert_eq!(replica.merged()[addr], state, "node {}, merged {}", node, addr);
            let live = self.oracle.join(state, unticked.get(&addr).copied().unwrap_or(0));
            prop_assert_eq!(view.read(addr), live, "node {}, live {}", node, addr);
        }
        Ok(())
    }

    /// The links heal: everyone must come to know all that anyone knows.
    pub(super) fn heal(&mut self) -> Checked {
        self.sides = 0;
        self.network.clear();
        let running: Vec<usize> =
            (0..self.nodes.len()).filter(|&node| self.nodes[node].running.is_some()).collect();
        for &node in &running {
            self.tick(node)?;
        }
        let mut all = Versions::new();
        for &node in &running {
            for (key, version) in self.versions(node) {
                let greatest = all.entry(key).or_insert(0);
                *greatest = version.max(*greatest);
            }
        }
        // What was dropped here is known elsewhere, or was never told; nobody can bring back version 0.
        all.retain(|_, version| *version > 0);
        for _ in 0..4 {
            for &node in &running {
                self.write(node, None)?;
                self.confirm(node);
                self.running(node).replica.send_version_vector(Recipient::All);
                self.send(node)?;
            }
            while let Some(packet) = self.network.pop() {
                if self.nodes[packet.to].running.is_some() {
                    self.receive(packet.to, packet.from, &packet.bytes)?;
                    self.write(packet.to, None)?;
                    self.confirm(packet.to);
                    self.send(packet.to)?;
                }
            }
        }
        running.iter().try_for_each(|&node| self.check_healed(node, &all))?;
        running.iter().try_for_each(|&node| self.replay(node))
    }

    /// All that was ever sent comes to a node once more, the last first. Of the dead it may bring what nobody knew
    /// any more; what was known already changes nothing.
    fn replay(&mut self, node: usize) -> Checked {
        for index in (0..self.history.len()).rev() {
            let bytes = Rc::clone(&self.history[index]);
            let received = self.running(node).replica.receive(Peer(0), &bytes);
            prop_assert!(received.is_ok(), "a whole packet was refused: {:?}", received);
        }
        self.check(node)
    }

    fn check_healed(&mut self, node: usize, all: &Versions) -> Checked {
        self.check(node)?;
        let mut versions = self.versions(node);
        versions.retain(|_, version| *version > 0);
        prop_assert_eq!(&versions, all, "node {} doesn't know all", node);
        // Addresses that nobody ever touches stay what they were at the start.
        let mut states = self.oracle.base().to_vec();
        for addr in ADDRS {
            states[addr] = self.oracle.state(all, addr);
        }
        let replica = &mut self.nodes[node].running.as_mut().expect("it runs").replica;
        prop_assert_eq!(replica.merged(), states);
        let view = replica.view();
        let mut copied = [u64::MAX; LEN];
        view.snapshot(&mut copied);
        for (addr, &state) in copied.iter().enumerate() {
            prop_assert_eq!(state, view.read(addr), "node {}, copied {}", node, addr);
        }
        prop_assert_eq!(replica.poll_transmit(), None, "something waits for ever");
        prop_assert_eq!(replica.poll_event(), None);
        let mut blocks = 0;
        for plane in replica.planes() {
            let writer = (plane.origin.node, plane.origin.incarnation);
            for (shard, found) in plane.shards() {
                let version = found.version;
                let changed = self.oracle.changed(writer, shard, 0, version);
                let start = shard * self.oracle.shard_words();
                for addr in start..LEN.min(start + self.oracle.shard_words()) {
                    let total = found.total(addr as u32).0;
                    if !ADDRS.contains(&addr) {
                        prop_assert!(total == 0 && found.entry(addr as u32).is_none());
                        continue;
                    }
                    prop_assert_eq!(total, self.oracle.word(writer, version, addr));
                    let entry = found.entry(addr as u32).map(|entry| {
                        let (register, total) = (entry.register, entry.total.0);
                        let by = (register.timestamp.origin.node, register.timestamp.origin.incarnation);
                        (Loaded { counter: register.timestamp.counter, by, value: register.value }, total)
                    });
                    prop_assert_eq!(entry, self.oracle.entry(writer, version, addr));
                }
                blocks += found.blocks().count();
                let touched: alloc::collections::BTreeSet<_> = changed.iter().map(|addr| addr / 64).collect();
                prop_assert!(found.blocks().count() <= touched.len(), "memory beyond what was touched");
            }
        }
        prop_assert!(blocks <= 4 * replica.origins());
        Ok(())
    }
}

type Words = BTreeMap<usize, u64>;
type Entries = BTreeMap<usize, (Loaded, u64)>;

/// A frame's versions, words and entries, read by the layout in STREAMS: no code of the replica's.
fn parse(frame: &[u8]) -> (u64, u64, Words, Entries) {
    let u32_at = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_be_bytes(frame[at..at + 8].try_into().unwrap());
    let (words, entries) = (u32_at(52) as usize, u32_at(56) as usize);
    let after_words = 68 + 16 * words;
    assert_eq!(frame.len(), after_words + 44 * entries);
    let words = (68..after_words).step_by(16).map(|at| (u32_at(at) as usize, u64_at(at + 4)));
    let entries = (after_words..frame.len()).step_by(44).map(|at| {
        let by = (u64_at(at + 12), u64_at(at + 20));
        let loaded = Loaded { counter: u64_at(at + 4), by, value: u64_at(at + 28) };
        (u32_at(at) as usize, (loaded, u64_at(at + 36)))
    });
    (u64_at(36), u64_at(44), words.collect(), entries.collect())
}
