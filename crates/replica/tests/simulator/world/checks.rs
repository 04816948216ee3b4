//! What must be true of a node after every step, and of all nodes once the links have healed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use atomik_core::Algebra;
use atomik_replica::{Event, Peer, ReplicaId};
use proptest::prelude::*;

use super::{ADDRS, Checked, LEN, Node, Running, World};
use crate::driving;
use crate::oracle::{Loaded, Versions, Writer};

impl<A: Algebra> World<A> {
    /// Checks what a node would answer: it has everything that changed since a version, as it is now. If the node answers
    /// about its own plane, all words are of blocks that changed.
    pub(super) fn probe(&mut self, node: usize, pick: u8, since: u8) -> Checked {
        let keys: Vec<_> = self.versions(node).into_iter().collect();
        let Some(&((writer, shard), version)) = keys.get(pick as usize % keys.len().max(1)) else {
            return Ok(());
        };
        let since = u64::from(since) % (version + 1);
        let origin = ReplicaId { node: writer.0, incarnation: writer.1 };
        let Some(frame) = self.replica(node).frame_since(origin, shard, since) else { return Ok(()) };
        let frame = Frame::parse(&frame);
        prop_assert_eq!((frame.from, frame.to), (since, version));
        let changed = self.check_frame(writer, shard, &frame)?;
        if writer == self.nodes[node].writer {
            for addr in frame.words.keys() {
                let in_block =
                    changed.iter().any(|other| self.oracle.block_of(*other) == self.oracle.block_of(*addr));
                prop_assert!(in_block, "address {} did not change after version {}", addr, since);
            }
        }
        Ok(())
    }

    /// Checks that a frame has everything that changed between its versions, as it is at the later one. Returns the
    /// addresses that changed.
    fn check_frame(
        &self,
        writer: Writer,
        shard: usize,
        frame: &Frame,
    ) -> Result<BTreeSet<usize>, TestCaseError> {
        let Frame { from, to, words, entries } = frame;
        prop_assert!(from < to, "an answer from version {} to version {}", from, to);
        let changed = self.oracle.changed(writer, shard, *from, *to);
        for addr in &changed {
            let has = words.contains_key(addr) || entries.contains_key(addr);
            prop_assert!(has, "the frame from version {} lacks address {}", from, addr);
        }
        for (&addr, &total) in words {
            if !ADDRS.contains(&addr) {
                // Nobody ever touches it, so there is no need to ask the oracle.
                prop_assert!(total == 0 && !entries.contains_key(&addr), "address {} changed", addr);
                continue;
            }
            prop_assert_eq!(total, self.oracle.word(writer, *to, addr));
            // The words and entries of a block always travel together.
            prop_assert_eq!(entries.get(&addr).copied(), self.oracle.entry(writer, *to, addr));
        }
        for (&addr, &entry) in entries {
            prop_assert_eq!(Some(entry), self.oracle.entry(writer, *to, addr));
        }
        Ok(changed)
    }

    /// What a node says it knows.
    pub(super) fn versions(&self, node: usize) -> Versions {
        let running = self.nodes[node].running.as_ref().expect("only running nodes are asked");
        let versions = running.node.replica.version_vector();
        versions.map(|(id, shard, version)| (((id.node, id.incarnation), shard), version)).collect()
    }

    /// Takes the changes that a node reports.
    fn take_changes(&mut self, node: usize) -> Checked {
        let handed_out = core::mem::take(&mut self.running(node).node.environment.changes);
        let waiting: Vec<_> = std::iter::from_fn(|| self.replica(node).poll_changes()).collect();
        for batch in handed_out.into_iter().chain(waiting) {
            prop_assert!(!batch.is_empty());
            batch.iter().for_each(|(addr, delta)| self.observe(node, addr as usize, delta));
        }
        Ok(())
    }

    /// Checks a node: its merged states are those of the oracle for the versions that it knows, and its live states are
    /// these composed with what was not ticked. The changes that it reports lead to the same states.
    pub(super) fn check(&mut self, node: usize) -> Checked {
        self.take_changes(node)?;
        let versions = self.versions(node);
        for (&(writer, shard), &version) in &versions {
            let made = self.oracle.made(writer, shard);
            prop_assert!(version <= made, "{writer:?} made {made} versions of shard {shard}, not {version}");
        }
        let Node { writer, running, .. } = &self.nodes[node];
        let running = running.as_ref().expect("only running nodes are checked");
        let Running { node: driving::Node { replica, .. }, unticked, observed, .. } = running;
        for shard in 0..replica.shards() {
            let known = versions.get(&(*writer, shard)).copied().unwrap_or(0);
            prop_assert_eq!(known, self.oracle.made(*writer, shard), "the own version of shard {}", shard);
        }
        let view = replica.view();
        for addr in ADDRS {
            let state = self.oracle.state(&versions, addr);
            prop_assert_eq!(replica.merged()[addr], state, "node {}, merged {}", node, addr);
            prop_assert_eq!(observed[addr], state, "node {}, observed {}", node, addr);
            let live = self.oracle.join(state, unticked.get(&addr).copied().unwrap_or(0));
            prop_assert_eq!(view.read(addr), live, "node {}, live {}", node, addr);
        }
        Ok(())
    }

    /// Heals the links. Each node must then get to know everything that any node knows.
    pub(super) fn heal(&mut self) -> Checked {
        self.partition(0);
        self.network.clear();
        let running: Vec<usize> =
            (0..self.nodes.len()).filter(|&node| self.nodes[node].running.is_some()).collect();
        // Their timers start, they stop listening, and they tick.
        for &node in &running {
            for millis in [0, 600, 10] {
                self.turn(node, Duration::from_millis(millis))?;
            }
            // Questions for whole shards that nobody answered are given up.
            (0..9).for_each(|_| self.replica(node).heartbeat(0));
        }
        let mut all = Versions::new();
        for &node in &running {
            for (key, version) in self.versions(node) {
                let greatest = all.entry(key).or_insert(0);
                *greatest = version.max(*greatest);
            }
        }
        // Four version vectors of each.
        for _ in 0..8 {
            for &node in &running {
                self.turn(node, Duration::from_millis(150))?;
                self.store_all(node)?;
            }
            while let Some(packet) = self.network.pop() {
                if self.nodes[packet.to].running.is_some() {
                    self.receive_unchecked(packet.to, packet.from, &packet.bytes)?;
                    self.store_all(packet.to)?;
                    self.turn(packet.to, Duration::ZERO)?;
                }
            }
        }
        running.iter().try_for_each(|&node| self.check_healed(node, &all))?;
        running.iter().try_for_each(|&node| self.replay(node))
    }

    /// Delivers every packet that was ever sent to a node once more, the last one first. A packet may contain versions of
    /// dead nodes that nobody knew any more. What is known already must not change anything.
    fn replay(&mut self, node: usize) -> Checked {
        for index in (0..self.history.len()).rev() {
            let bytes = Rc::clone(&self.history[index]);
            let received = self.replica(node).receive(Duration::ZERO, Peer(0), &bytes);
            prop_assert!(received.is_ok(), "a valid packet was refused: {:?}", received);
        }
        self.check(node)
    }

    fn check_healed(&mut self, node: usize, all: &Versions) -> Checked {
        self.check(node)?;
        let mut versions = self.versions(node);
        versions.retain(|_, version| *version > 0);
        prop_assert_eq!(&versions, all, "node {} does not know everything", node);
        // Addresses that no node ever touches keep their initial states.
        let mut states = self.oracle.base().to_vec();
        for addr in ADDRS {
            states[addr] = self.oracle.state(all, addr);
        }
        let driving::Node { replica, environment, .. } =
            &mut self.nodes[node].running.as_mut().expect("it runs").node;
        prop_assert_eq!(replica.merged(), states);
        let view = replica.view();
        let mut copied = [u64::MAX; LEN];
        view.snapshot(&mut copied);
        for (addr, &state) in copied.iter().enumerate() {
            prop_assert_eq!(state, view.read(addr), "node {}, copied {}", node, addr);
        }
        prop_assert_eq!(replica.poll_transmit(), None, "nothing is left to send");
        let events = environment.events.drain(..).chain(std::iter::from_fn(|| replica.poll_event()));
        for event in events {
            prop_assert!(matches!(event, Event::RefetchFailed { .. }), "{:?}", event);
        }
        self.check_planes(node, all)
    }

    /// Checks the planes that a node holds, by the frames that it would send: all content is as the oracle says, and
    /// nothing beyond the touched blocks takes memory.
    fn check_planes(&self, node: usize, all: &Versions) -> Checked {
        let replica =
            &self.nodes[node].running.as_ref().expect("only running nodes are checked").node.replica;
        let mut blocks = 0;
        for (&(writer, shard), &version) in all {
            let origin = ReplicaId { node: writer.0, incarnation: writer.1 };
            let frame = replica.frame_since(origin, shard, 0);
            prop_assert!(frame.is_some(), "{:?} has shard {} at version {}", writer, shard, version);
            let frame = Frame::parse(&frame.unwrap_or_default());
            prop_assert_eq!(frame.to, version);
            let changed = self.check_frame(writer, shard, &frame)?;
            let block_of = |addr: &usize| self.oracle.block_of(*addr);
            let touched: BTreeSet<_> = changed.iter().map(block_of).collect();
            let held: BTreeSet<_> = frame.words.keys().map(block_of).collect();
            prop_assert_eq!(&held, &touched, "blocks that were not touched take memory");
            blocks += held.len();
        }
        prop_assert!(blocks <= (self.oracle.block_of(LEN - 1) + 1) * replica.origins());
        Ok(())
    }
}

/// A frame, read by the layout in the documentation of the format. This shares no code with the replica.
struct Frame {
    from: u64,
    to: u64,
    /// Totals by address.
    words: BTreeMap<usize, u64>,
    /// The LOADs and totals of loaded addresses.
    entries: BTreeMap<usize, (Loaded, u64)>,
}

impl Frame {
    fn parse(frame: &[u8]) -> Self {
        let u32_at = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let u64_at = |at: usize| u64::from_be_bytes(frame[at..at + 8].try_into().unwrap());
        let (words, entries) = (u32_at(56) as usize, u32_at(60) as usize);
        let after_words = 80 + 16 * words;
        assert_eq!(frame.len(), after_words + 44 * entries);
        let words = (80..after_words).step_by(16).map(|at| (u32_at(at) as usize, u64_at(at + 4)));
        let entries = (after_words..frame.len()).step_by(44).map(|at| {
            let by = (u64_at(at + 12), u64_at(at + 20));
            let loaded = Loaded { counter: u64_at(at + 4), by, value: u64_at(at + 28) };
            (u32_at(at) as usize, (loaded, u64_at(at + 36)))
        });
        Self { from: u64_at(40), to: u64_at(48), words: words.collect(), entries: entries.collect() }
    }
}
