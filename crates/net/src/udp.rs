//! UDP: packets in datagrams, in several if one is too short.

mod datagram;
mod reassembly;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use atomik_replica::Peer;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::input::Input;
use crate::link::LinkContext;
use datagram::{Datagram, FRAGMENT};
use reassembly::Reassembly;

/// After how long a node that is not heard is not sent to any more.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How many bytes of incomplete packets are kept.
const MAX_INCOMPLETE: usize = 4 << 20;
/// How many nodes are remembered.
const MAX_SOURCES: usize = 1_024;

/// The sending half.
pub(crate) struct Udp {
    socket: Arc<UdpSocket>,
    /// Where packets to all go.
    peers: Vec<SocketAddr>,
    /// Where the last datagram of each node came from, and when.
    sources: HashMap<Peer, (SocketAddr, Instant)>,
    node: u64,
    number: u32,
    datagram: Vec<u8>,
}

impl Udp {
    pub(crate) fn new(socket: Arc<UdpSocket>, peers: Vec<SocketAddr>, node: u64) -> Self {
        // Packets of an earlier start may still be on their way.
        let number = fastrand::u32(..);
        Self { socket, peers, sources: HashMap::new(), node, number, datagram: Vec::new() }
    }

    /// Notes where a packet came from. Returns whether the node is new.
    pub(crate) fn heard(&mut self, peer: Peer, from: SocketAddr) -> bool {
        let now = Instant::now();
        let is_new = self.source(peer).is_none();
        if is_new && self.sources.len() >= MAX_SOURCES {
            self.sources.retain(|_, (_, heard)| now.duration_since(*heard) < FORGOTTEN);
        }
        if self.sources.len() < MAX_SOURCES || self.sources.contains_key(&peer) {
            self.sources.insert(peer, (from, now));
        }
        is_new
    }

    /// The nodes that were heard not long ago.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Peer> {
        self.sources.keys().copied().filter(|&peer| self.source(peer).is_some())
    }

    /// Where a packet to all goes: to the peers that were named, and to those that were heard not long ago; but not to
    /// nodes that are reached otherwise.
    pub(crate) fn all(&self, is_reached: impl Fn(Peer) -> bool) -> Vec<SocketAddr> {
        let (reached, heard): (Vec<Peer>, Vec<Peer>) = self.nodes().partition(|&peer| is_reached(peer));
        let address = |peer: &Peer| self.source(*peer);
        let reached: Vec<SocketAddr> = reached.iter().filter_map(address).collect();
        let mut all = self.peers.clone();
        all.retain(|peer| !reached.contains(peer));
        for address in heard.iter().filter_map(address) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }

    /// Where a node is, if it was heard not long ago.
    pub(crate) fn source(&self, peer: Peer) -> Option<SocketAddr> {
        let (address, heard) = self.sources.get(&peer)?;
        (heard.elapsed() < FORGOTTEN).then_some(*address)
    }

    /// Sends a packet. Returns how many datagrams were sent and their bytes, or `None` if the system did not take one.
    pub(crate) fn send(&mut self, to: SocketAddr, packet: &[u8]) -> Option<(u64, u64)> {
        self.number = self.number.wrapping_add(1);
        let count = u16::try_from(packet.len().div_ceil(FRAGMENT)).ok()?;
        let mut bytes = 0;
        let (node, number) = (self.node, self.number);
        for (index, fragment) in (0..count).zip(packet.chunks(FRAGMENT)) {
            self.datagram.clear();
            Datagram { node, number, index, count, fragment }.write(&mut self.datagram);
            self.socket.try_send_to(&self.datagram, to).ok()?;
            bytes += self.datagram.len() as u64;
        }
        Some((u64::from(count), bytes))
    }
}

/// Hands on what arrives, for ever.
pub(crate) async fn receive(context: LinkContext, socket: Arc<UdpSocket>) {
    let LinkContext { limits, inputs, counters, handshake } = context;
    let mut reassembly = Reassembly::new(limits.packet, MAX_INCOMPLETE);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // An answer of the system to an earlier datagram, for instance that nobody listens there.
                tracing::debug!(%error, "UDP");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Some(datagram) = Datagram::parse(&buffer[..len]).filter(|it| it.node != handshake.id.node) else {
            counters.refused_datagrams.add(1);
            continue;
        };
        let (packet, given_up) = reassembly.take(Instant::now(), from, datagram);
        counters.dropped_fragments.add(given_up as u64);
        if let Some(packet) = packet {
            counters.packets_received.add(1);
            counters.bytes_received.add(packet.len() as u64);
            if inputs.send(Input::Datagram(Peer(datagram.node), from, packet)).await.is_err() {
                return;
            }
        }
    }
}
