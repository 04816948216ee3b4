//! UDP: packets in datagrams, in several if one is too short.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use atomik_replica::Peer;
use bytes::{Bytes, BytesMut};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::input::Input;
use crate::link::LinkContext;

/// The magic of a datagram, with the version of this protocol.
const MAGIC: [u8; 4] = *b"AKU1";
/// What precedes a fragment: magic, node, number of the packet, index and count of the fragments, and the CRC-32C of
/// these. Packets have checksums of their own.
const HEADER: usize = 24;
/// What the checksum covers.
const CHECKED: usize = HEADER - 4;
/// The longest fragment, so that a datagram has at most 1,200 bytes, which every path on the internet takes.
const FRAGMENT: usize = 1_200 - HEADER;
/// How long a packet may be incomplete.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many bytes of incomplete packets are kept.
const MAX_INCOMPLETE: usize = 4 << 20;

/// After how long a node that is not heard is not sent to any more.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How many nodes are remembered.
const MAX_SOURCES: usize = 1_024;

/// A datagram that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Datagram<'a> {
    node: u64,
    number: u32,
    index: u16,
    count: u16,
    fragment: &'a [u8],
}

impl<'a> Datagram<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, fragment) = bytes.split_first_chunk::<HEADER>()?;
        let number = |at: usize, len: usize| {
            header[at..at + len].iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte))
        };
        let (index, count) = (number(16, 2) as u16, number(18, 2) as u16);
        let is_last = index.checked_add(1) == Some(count);
        let fits = if is_last { fragment.len() <= FRAGMENT } else { fragment.len() == FRAGMENT };
        let is_whole = number(CHECKED, 4) == u64::from(crc32c::crc32c(&header[..CHECKED]));
        (header[..4] == MAGIC && is_whole && index < count && fits && !fragment.is_empty()).then_some(Self {
            node: number(4, 8),
            number: number(12, 4) as u32,
            index,
            count,
            fragment,
        })
    }
}

/// A packet of which some fragments arrived.
struct Incomplete {
    fragments: Vec<Option<Bytes>>,
    missing: usize,
    bytes: usize,
}

/// The packets of which some fragments arrived, by source and number.
struct Reassembly {
    max_packet: usize,
    incomplete: HashMap<(SocketAddr, u32), Incomplete>,
    /// In the order in which they began.
    order: VecDeque<(Instant, (SocketAddr, u32))>,
    bytes: usize,
}

impl Reassembly {
    fn new(max_packet: usize) -> Self {
        Self { max_packet, incomplete: HashMap::new(), order: VecDeque::new(), bytes: 0 }
    }

    /// Takes a datagram. Returns the packet if it is complete, and how many packets were given up.
    fn take(&mut self, now: Instant, from: SocketAddr, datagram: Datagram<'_>) -> (Option<Bytes>, usize) {
        let Datagram { number, index, count, fragment, .. } = datagram;
        if count == 1 {
            return (Some(Bytes::copy_from_slice(fragment)), 0);
        }
        if (usize::from(count) - 1) * FRAGMENT >= self.max_packet {
            return (None, 1);
        }
        let given_up = self.give_up(now);
        let key = (from, number);
        if !self.incomplete.contains_key(&key) {
            self.order.push_back((now, key));
        }
        let packet = self.incomplete.entry(key).or_insert_with(|| {
            // What the list takes counts, too.
            let bytes = usize::from(count) * size_of::<Option<Bytes>>();
            self.bytes += bytes;
            Incomplete { fragments: vec![None; count.into()], missing: count.into(), bytes }
        });
        if packet.fragments.len() != usize::from(count) || packet.fragments[usize::from(index)].is_some() {
            return (None, given_up);
        }
        packet.fragments[usize::from(index)] = Some(Bytes::copy_from_slice(fragment));
        packet.missing -= 1;
        packet.bytes += fragment.len();
        self.bytes += fragment.len();
        if packet.missing > 0 {
            return (None, given_up);
        }
        let Some(packet) = self.remove(key) else { return (None, given_up) };
        let mut whole = BytesMut::with_capacity(packet.bytes);
        packet.fragments.into_iter().flatten().for_each(|fragment| whole.extend_from_slice(&fragment));
        (Some(whole.freeze()), given_up)
    }

    fn remove(&mut self, key: (SocketAddr, u32)) -> Option<Incomplete> {
        let packet = self.incomplete.remove(&key)?;
        self.bytes -= packet.bytes;
        Some(packet)
    }

    /// Gives up the oldest packets: those that took too long, and as many as take too much memory.
    fn give_up(&mut self, now: Instant) -> usize {
        let mut given_up = 0;
        while let Some(&(began, key)) = self.order.front()
            && (self.bytes > MAX_INCOMPLETE || now.duration_since(began) > PATIENCE)
        {
            self.order.pop_front();
            given_up += usize::from(self.remove(key).is_some());
        }
        given_up
    }
}

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
        for (index, fragment) in (0..count).zip(packet.chunks(FRAGMENT)) {
            self.datagram.clear();
            self.datagram.extend(MAGIC);
            self.datagram.extend(self.node.to_be_bytes());
            self.datagram.extend(self.number.to_be_bytes());
            self.datagram.extend(index.to_be_bytes());
            self.datagram.extend(count.to_be_bytes());
            let checksum = crc32c::crc32c(&self.datagram);
            self.datagram.extend(checksum.to_be_bytes());
            self.datagram.extend_from_slice(fragment);
            self.socket.try_send_to(&self.datagram, to).ok()?;
            bytes += self.datagram.len() as u64;
        }
        Some((u64::from(count), bytes))
    }
}

/// Hands on what arrives, for ever.
pub(crate) async fn receive(context: LinkContext, socket: Arc<UdpSocket>) {
    let LinkContext { limits, inputs, counters, handshake } = context;
    let mut reassembly = Reassembly::new(limits.packet);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(number: u32, index: u16, count: u16, fragment: &[u8]) -> Datagram<'_> {
        Datagram { node: 7, number, index, count, fragment }
    }

    fn from(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn fragments_make_a_packet_in_any_order_and_once() {
        let (mut reassembly, now) = (Reassembly::new(10_000), Instant::now());
        let packet: Vec<u8> = (0..3_000_u32).map(|byte| byte as u8).collect();
        let fragments: Vec<&[u8]> = packet.chunks(FRAGMENT).collect();
        assert_eq!(fragments.len(), 3);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut complete = None;
            for index in order {
                assert!(complete.is_none());
                // A fragment that comes twice changes nothing.
                for _ in 0..2 {
                    let of = datagram(order[0] as u32, index as u16, 3, fragments[index]);
                    complete = complete.or(reassembly.take(now, from(1), of).0);
                }
            }
            assert_eq!(complete.as_deref(), Some(&*packet));
        }
        assert_eq!(
            reassembly.take(now, from(1), datagram(9, 0, 1, &packet[..5])).0.as_deref(),
            Some(&packet[..5])
        );
    }

    #[test]
    fn incomplete_packets_are_bounded_in_time_and_memory() {
        let (mut reassembly, now) = (Reassembly::new(1 << 20), Instant::now());
        let fragment = [7; FRAGMENT];
        let mut given_up = 0;
        for number in 0..20_000 {
            given_up += reassembly.take(now, from(number as u16 % 7), datagram(number, 0, 3, &fragment)).1;
            assert!(reassembly.bytes <= MAX_INCOMPLETE + 2 * FRAGMENT);
        }
        assert!(given_up > 10_000);
        let later = now + PATIENCE * 2;
        reassembly.take(later, from(1), datagram(1, 0, 3, &fragment));
        assert_eq!((reassembly.incomplete.len(), reassembly.order.len()), (1, 1));
        // A packet that would be longer than any is refused at its first fragment.
        assert_eq!(reassembly.take(later, from(1), datagram(2, 0, 60_000, &fragment)), (None, 1));
        assert_eq!(reassembly.incomplete.len(), 1);
    }

    #[test]
    fn a_datagram_that_nobody_sends_is_refused() {
        let whole = |index, count| {
            let header = [&MAGIC[..], &[0; 7], &[9], &[0, 0, 0, 5], &[0, index], &[0, count]].concat();
            [&header[..], &crc32c::crc32c(&header).to_be_bytes(), b"abc"].concat()
        };
        let bytes = whole(0, 1);
        let parsed = Datagram::parse(&bytes).unwrap();
        assert_eq!((parsed.node, parsed.number, parsed.fragment), (9, 5, &b"abc"[..]));
        for len in 0..=HEADER {
            assert_eq!(Datagram::parse(&bytes[..len]), None, "{len}");
        }
        // Whatever bit is wrong, it does not come from another node.
        for bit in 0..8 * HEADER {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Datagram::parse(&other), None, "bit {bit}");
        }
        // The index is not below the count, and only the last fragment may be short.
        for (index, count) in [(1, 1), (0, 0), (0, 2)] {
            assert_eq!(Datagram::parse(&whole(index, count)), None);
        }
    }
}
