//! What nodes do, and what the oracle is told about it.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::{Checked, Node, Packet, World};
use crate::case::Then;
use atomik_core::Algebra;
use atomik_replica::{Peer, Recipient, ReplicaId};

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
        let mut deltas = core::mem::take(&mut self.running(node).unticked);
        deltas.retain(|_, delta| *delta != 0);
        deltas.iter().for_each(|(&addr, &delta)| self.observe(node, addr, delta));
        self.oracle.tick(self.nodes[node].writer, &versions, &deltas);
    }

    pub(super) fn tick(&mut self, node: usize) -> Checked {
        self.expect_tick(node);
        self.running(node).replica.tick();
        Ok(())
    }

    pub(super) fn put(&mut self, node: usize, addr: usize, value: u64) -> Checked {
        self.expect_tick(node);
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
        let replica = &mut self.running(node).replica;
        prop_assert_eq!(replica.put(addr, value), Ok(()));
        prop_assert_eq!(replica.merged()[addr], value);
        Ok(())
    }

    pub(super) fn load(&mut self, node: usize, addr: usize, value: u64) -> Checked {
        self.expect_tick(node);
        let mut versions = self.versions(node);
        let (writer, shard) = (self.nodes[node].writer, self.oracle.shard_of(addr));
        versions.insert((writer, shard), self.oracle.made(writer, shard));
        self.oracle.load(writer, &versions, addr, value);
        let replica = &mut self.running(node).replica;
        prop_assert_eq!(replica.load(addr, value), Ok(()));
        prop_assert_eq!(replica.merged()[addr], value);
        Ok(())
    }

    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        from != to && (self.sides >> from & 1) == (self.sides >> to & 1)
    }

    pub(super) fn send(&mut self, from: usize) -> Checked {
        while let Some((recipient, bytes)) = self.running(from).replica.poll_transmit() {
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
        Ok(())
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
        let vector = self.running(peer).replica.version_vector_packets().concat();
        self.receive(node, peer, &vector)?;
        for (from, to) in [(node, peer), (peer, node)] {
            let sent = self.network.len();
            self.send(from)?;
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
        let now = self.now;
        let received = self.running(node).replica.receive(now, Peer(from as u64), bytes);
        prop_assert!(received.is_ok(), "a valid packet was refused: {:?}", received);
        self.check(node)
    }

    pub(super) fn damage(&mut self, pick: u16, bit: u16) -> Checked {
        let Some(packet) = self.take(pick) else { return Ok(()) };
        if self.nodes[packet.to].running.is_some() {
            let mut bytes = (*packet.bytes).clone();
            let at = bit as usize / 8 % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
            // It is refused, or it was known already. The check shows whether it changed anything that it should not.
            let now = self.now;
            let _ = self.running(packet.to).replica.receive(now, Peer(packet.from as u64), &bytes);
            self.check(packet.to)?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, node: usize, fails_after: Option<u8>) -> Checked {
        let Node { running, store, .. } = &mut self.nodes[node];
        let running = running.as_mut().expect("only running nodes are picked");
        let Some(transaction) = running.replica.poll_store() else { return Ok(()) };
        let store = store.as_mut().expect("only a replica with a store has transactions");
        let count = fails_after.map_or(usize::MAX, |count| count as usize % transaction.shards.len());
        let number = transaction.number;
        for shard in transaction.shards.into_iter().take(count) {
            let key = ((shard.origin.node, shard.origin.incarnation), shard.shard);
            store.insert(key, (shard.version, Rc::new(shard.bytes)));
        }
        if fails_after.is_none() {
            running.written.push(number);
        } else {
            prop_assert!(running.replica.store_failed(Duration::ZERO, number));
        }
        Ok(())
    }

    /// Confirms one of the transactions that were written, in any order.
    pub(super) fn confirm(&mut self, node: usize) -> Checked {
        let running = self.running(node);
        let count = running.written.len();
        if count > 0 {
            let number = running.written.swap_remove(count / 2);
            prop_assert!(running.replica.stored(number));
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
            prop_assert_eq!(self.running(node).replica.refetch(origin, shard, peer), Ok(()));
        }
        Ok(())
    }
}
