//! What nodes do, and what the oracle is told about it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Checked, Node, Packet, World};
use crate::case::Then;
use crate::driving::Input;
use crate::oracle::Versions;
use atomik_core::Algebra;
use atomik_replica::{PacketError, Peer, Recipient, ReplicaId};

impl<A: Algebra> World<A> {
    pub(super) fn accum(&mut self, node: usize, addr: usize, delta: u64) {
        let running = self.nodes[node].running.as_mut().expect("only running nodes are picked");
        let at = delta as usize % running.producers.len();
        running.producers[at].accum(addr, delta);
        let unticked = running.unticked.entry(addr).or_insert(0);
        *unticked = self.oracle.join(*unticked, delta);
    }

    /// Tells the oracle about a tick that comes next.
    fn expect_tick(&mut self, node: usize) {
        let versions = self.versions(node);
        self.note_tick(node, &versions);
    }

    /// Tells the oracle about a tick of a node that knew these versions.
    fn note_tick(&mut self, node: usize, versions: &Versions) {
        let deltas = core::mem::take(&mut self.running(node).unticked);
        self.note_deltas(node, versions, deltas);
    }

    /// Tells the oracle that a node ticks one address next.
    fn expect_tick_of(&mut self, node: usize, addr: usize) {
        let versions = self.versions(node);
        let delta = self.running(node).unticked.remove(&addr);
        self.note_deltas(node, &versions, delta.into_iter().map(|delta| (addr, delta)).collect());
    }

    fn note_deltas(&mut self, node: usize, versions: &Versions, mut deltas: BTreeMap<usize, u64>) {
        deltas.retain(|_, delta| *delta != 0);
        deltas.iter().for_each(|(&addr, &delta)| self.observe(node, addr, delta));
        self.oracle.tick(self.nodes[node].writer, versions, &deltas);
    }

    pub(super) fn tick(&mut self, node: usize) -> Checked {
        self.expect_tick(node);
        self.replica(node).tick();
        Ok(())
    }

    pub(super) fn put(&mut self, node: usize, addr: usize, value: u64) -> Checked {
        self.expect_tick_of(node, addr);
        let mut versions = self.versions(node);
        let writer = self.nodes[node].writer;
        for (&(of, shard), version) in &mut versions {
            if of == writer {
                *version = self.oracle.made(writer, shard);
            }
        }
        let shard = self.oracle.shard_of(addr);
        versions.insert((writer, shard), self.oracle.made(writer, shard));
        let delta = self.oracle.between(self.oracle.state(&versions, addr), value);
        self.observe(node, addr, delta);
        if delta != 0 {
            self.oracle.tick(writer, &versions, &BTreeMap::from([(addr, delta)]));
        }
        let replica = self.replica(node);
        prop_assert_eq!(replica.put(addr, value), Ok(()));
        prop_assert_eq!(replica.merged()[addr], value);
        Ok(())
    }

    pub(super) fn load(&mut self, node: usize, addr: usize, value: u64) -> Checked {
        self.expect_tick_of(node, addr);
        let mut versions = self.versions(node);
        let (writer, shard) = (self.nodes[node].writer, self.oracle.shard_of(addr));
        versions.insert((writer, shard), self.oracle.made(writer, shard));
        self.oracle.load(writer, &versions, addr, value);
        let replica = self.replica(node);
        prop_assert_eq!(replica.load(addr, value), Ok(()));
        prop_assert_eq!(replica.merged()[addr], value);
        Ok(())
    }

    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        from != to && (self.sides >> from & 1) == (self.sides >> to & 1)
    }

    /// Cuts and restores links. The nodes at their ends are told.
    pub(super) fn partition(&mut self, sides: u8) {
        let before = core::mem::replace(&mut self.sides, sides);
        let is_link = |sides: u8, a: usize, b: usize| (sides >> a & 1) == (sides >> b & 1);
        let nodes = self.nodes.len();
        for (node, Node { running, .. }) in self.nodes.iter_mut().enumerate() {
            let Some(running) = running else { continue };
            for peer in (0..nodes).filter(|&peer| peer != node) {
                let input = match (is_link(before, node, peer), is_link(sides, node, peer)) {
                    (false, true) => Input::Connected(Peer(peer as u64)),
                    (true, false) => Input::Disconnected(Peer(peer as u64)),
                    _ => continue,
                };
                running.node.handle(running.now, input);
            }
        }
    }

    /// Lets time pass for a node, which then does what is due.
    pub(super) fn turn(&mut self, node: usize, elapsed: Duration) -> Checked {
        let ticks = self.running(node).unticked.values().any(|delta| *delta != 0);
        let before = ticks.then(|| self.versions(node));
        let running = self.running(node);
        running.now += elapsed;
        let due = running.node.turn(running.now);
        prop_assert!(due > running.now, "a turn is due at once again");
        if let Some(before) = before {
            self.note_own_versions(node, &before);
        }
        self.route(node);
        Ok(())
    }

    /// If a node has made versions of its own since it knew these, tells the oracle that it ticked.
    fn note_own_versions(&mut self, node: usize, before: &Versions) {
        let (own, after) = (self.nodes[node].writer, self.versions(node));
        if after.iter().any(|(key, version)| key.0 == own && before.get(key) != Some(version)) {
            self.note_tick(node, before);
        }
    }

    /// Puts what a node has sent into the network.
    fn route(&mut self, from: usize) {
        for (recipient, bytes) in core::mem::take(&mut self.running(from).node.environment.packets) {
            let bytes = Rc::new(bytes);
            self.history.push(Rc::clone(&bytes));
            let all = 0..self.nodes.len();
            let peers = match recipient {
                Recipient::All => all,
                Recipient::Peer(Peer(peer)) => peer as usize..peer as usize + 1,
            };
            let reached: Vec<usize> = peers.filter(|&to| self.reaches(from, to)).collect();
            for to in reached {
                self.network.push(Packet { from, to, bytes: Rc::clone(&bytes) });
            }
        }
    }

    /// Takes a packet out of the network.
    pub(super) fn take(&mut self, pick: u16) -> Option<Packet> {
        let len = self.network.len();
        (len > 0).then(|| self.network.swap_remove(pick as usize % len))
    }

    pub(super) fn deliver(&mut self, pick: u16, stays: bool) -> Checked {
        let Some(packet) = self.take(pick) else { return Ok(()) };
        if self.nodes[packet.to].running.is_some() && self.reaches(packet.from, packet.to) {
            self.receive(packet.to, packet.from, &packet.bytes)?;
        }
        if stays {
            self.network.push(packet);
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, node: usize, peer: usize) -> Checked {
        let vector = self.replica(peer).version_vector_packets().concat();
        self.receive(node, peer, &vector)?;
        for (from, to) in [(node, peer), (peer, node)] {
            let sent = self.network.len();
            self.turn(from, Duration::ZERO)?;
            for packet in self.network.split_off(sent) {
                if packet.to == to {
                    self.receive(to, from, &packet.bytes)?;
                } else {
                    self.network.push(packet);
                }
            }
        }
        Ok(())
    }

    pub(super) fn receive(&mut self, node: usize, from: usize, bytes: &[u8]) -> Checked {
        self.receive_unchecked(node, from, bytes)?;
        self.check(node)
    }

    /// Lets a node receive a valid packet, without a check of the node afterwards.
    pub(super) fn receive_unchecked(&mut self, node: usize, from: usize, bytes: &[u8]) -> Checked {
        let refused = self.hand_over(node, from, bytes);
        prop_assert_eq!(refused, [], "a valid packet was refused");
        Ok(())
    }

    /// Gives a packet to a node. Returns what was refused.
    fn hand_over(&mut self, node: usize, from: usize, bytes: &[u8]) -> Vec<PacketError> {
        let running = self.running(node);
        running.node.handle(running.now, Input::Packet(Peer(from as u64), bytes));
        core::mem::take(&mut running.node.environment.refused)
    }

    pub(super) fn damage(&mut self, pick: u16, bit: u16) -> Checked {
        let Some(packet) = self.take(pick) else { return Ok(()) };
        if self.nodes[packet.to].running.is_some() {
            let mut bytes = (*packet.bytes).clone();
            let at = bit as usize / 8 % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
            // It is refused, or it was known already. The check shows whether it changed anything that it should not.
            self.hand_over(packet.to, packet.from, &bytes);
            self.check(packet.to)?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, node: usize, pick: u8, fails_after: Option<u8>) -> Checked {
        let Node { running, store, .. } = &mut self.nodes[node];
        let running = running.as_mut().expect("only running nodes are picked");
        let transactions = &mut running.node.environment.transactions;
        let Some(at) = (pick as usize).checked_rem(transactions.len()) else { return Ok(()) };
        let transaction = transactions.remove(at);
        let store = store.as_mut().expect("only a replica with a store has transactions");
        let count = fails_after.map_or(usize::MAX, |count| count as usize % transaction.shards.len());
        let number = transaction.number;
        for shard in transaction.shards.into_iter().take(count) {
            let key = ((shard.origin.node, shard.origin.incarnation), shard.shard);
            let (version, parts) = store.entry(key).or_default();
            if shard.replaces {
                parts.clear();
            }
            *version = shard.version;
            parts.extend(shard.parts.into_iter().map(|part| (part.part, Rc::new(part.bytes))));
        }
        if fails_after.is_none() {
            running.written.push(number);
            return Ok(());
        }
        self.end_transaction(node, Input::StoreFailed(number))
    }

    /// Confirms one of the transactions that were written, in any order.
    pub(super) fn confirm(&mut self, node: usize) -> Checked {
        let running = self.running(node);
        let count = running.written.len();
        if count == 0 {
            return Ok(());
        }
        let number = running.written.swap_remove(count / 2);
        self.end_transaction(node, Input::Stored(number))
    }

    fn end_transaction(&mut self, node: usize, input: Input<'_>) -> Checked {
        let running = self.running(node);
        let storing = running.node.replica.storing();
        running.node.handle(running.now, input);
        prop_assert_eq!(running.node.replica.storing() + 1, storing);
        Ok(())
    }

    /// Writes and confirms all that a node has to store.
    pub(super) fn store_all(&mut self, node: usize) -> Checked {
        for _ in 0..1_000 {
            if self.replica(node).is_stored() {
                return Ok(());
            }
            // After a failure, time has to pass.
            self.turn(node, Duration::from_millis(10))?;
            self.write(node, 0, None)?;
            self.confirm(node)?;
        }
        Err(TestCaseError::fail(format!("node {node} does not get everything stored")))
    }

    /// Ends a node by its loop. Then the store has everything that the node ever made.
    pub(super) fn shut_down(&mut self, node: usize) -> Checked {
        let before = self.versions(node);
        let running = self.running(node);
        running.node.handle(running.now, Input::ShutDown);
        self.note_own_versions(node, &before);
        let ticked = self.running(node).unticked.values().all(|delta| *delta == 0);
        prop_assert!(ticked, "node {} does not make a last version", node);
        for _ in 0..100 {
            let running = self.running(node);
            if running.node.has_ended(running.now) {
                break;
            }
            self.store_all(node)?;
            self.turn(node, Duration::from_millis(100))?;
        }
        let Node { writer, running, store, .. } = &self.nodes[node];
        let running = running.as_ref().expect("only running nodes are picked");
        prop_assert!(running.node.has_ended(running.now), "node {} does not end", node);
        if let Some(store) = store {
            for shard in 0..running.node.replica.shards() {
                let stored = store.get(&(*writer, shard)).map_or(0, |(version, _)| *version);
                prop_assert_eq!(stored, self.oracle.made(*writer, shard), "shard {} is not stored", shard);
            }
        }
        Ok(())
    }

    pub(super) fn crash(&mut self, node: usize, then: Then) -> Checked {
        self.nodes[node].running = None;
        match then {
            Then::Nothing => return Ok(()),
            Then::Anew => {
                if let Some(store) = &mut self.nodes[node].store {
                    store.clear();
                }
                self.start_anew(node);
            }
            Then::RestoreBackup if self.nodes[node].store.is_some() => {
                self.nodes[node].store = Some(self.nodes[node].backup.clone());
                self.start_anew(node);
            }
            Then::Resume if self.nodes[node].store.is_some() => {
                self.start(node, true);
                self.forget_unstored(node);
            }
            Then::Restore | Then::RestoreBackup | Then::Resume => self.start_anew(node),
        }
        self.check(node)
    }

    /// Tells the oracle that a node continues from what its store has of its own plane.
    fn forget_unstored(&mut self, node: usize) {
        let Node { writer, store, .. } = &self.nodes[node];
        let versions = store.iter().flatten().filter(|((of, _), _)| of == writer);
        let versions = versions.map(|(&(_, shard), &(version, _))| (shard, version)).collect();
        self.oracle.truncate(*writer, &versions);
    }

    pub(super) fn refetch(&mut self, node: usize, pick: u8, peer: u8) -> Checked {
        let peer = Peer((peer as usize % self.nodes.len()) as u64);
        let own = self.nodes[node].writer;
        let keys: Vec<_> = self.versions(node).into_keys().filter(|&(writer, _)| writer != own).collect();
        if let Some(&(writer, shard)) = keys.get(pick as usize % keys.len().max(1)) {
            let origin = ReplicaId { node: writer.0, incarnation: writer.1 };
            let before = self.versions(node);
            prop_assert_eq!(self.replica(node).refetch(origin, shard, peer), Ok(()));
            prop_assert_eq!(self.versions(node), before, "what is here stays until the answer has come");
        }
        Ok(())
    }
}
