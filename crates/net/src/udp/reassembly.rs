//! Packets from their fragments.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::datagram::{Datagram, FRAGMENT};

/// How long a packet may be incomplete.
const PATIENCE: Duration = Duration::from_secs(2);

/// A packet of which some fragments arrived.
struct Incomplete {
    fragments: Vec<Option<Bytes>>,
    missing: usize,
    bytes: usize,
}

/// The packets of which some fragments arrived, by source and number.
pub(crate) struct Reassembly {
    max_packet: usize,
    /// How many bytes of incomplete packets are kept.
    max_bytes: usize,
    incomplete: HashMap<(SocketAddr, u32), Incomplete>,
    /// In the order in which they began.
    order: VecDeque<(Instant, (SocketAddr, u32))>,
    pub(crate) bytes: usize,
}

impl Reassembly {
    pub(crate) fn new(max_packet: usize, max_bytes: usize) -> Self {
        Self { max_packet, max_bytes, incomplete: HashMap::new(), order: VecDeque::new(), bytes: 0 }
    }

    /// Takes a datagram. Returns the packet if it is complete, and how many packets were given up.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: Datagram<'_>,
    ) -> (Option<Bytes>, usize) {
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
            && (self.bytes > self.max_bytes || now.duration_since(began) > PATIENCE)
        {
            self.order.pop_front();
            given_up += usize::from(self.remove(key).is_some());
        }
        given_up
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
        let (mut reassembly, now) = (Reassembly::new(10_000, 10_000), Instant::now());
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
        let (mut reassembly, now) = (Reassembly::new(1 << 20, 4 << 20), Instant::now());
        let fragment = [7; FRAGMENT];
        let mut given_up = 0;
        for number in 0..20_000 {
            given_up += reassembly.take(now, from(number as u16 % 7), datagram(number, 0, 3, &fragment)).1;
            assert!(reassembly.bytes <= reassembly.max_bytes + 2 * FRAGMENT);
        }
        assert!(given_up > 10_000);
        let later = now + PATIENCE * 2;
        reassembly.take(later, from(1), datagram(1, 0, 3, &fragment));
        assert_eq!((reassembly.incomplete.len(), reassembly.order.len()), (1, 1));
        // A packet that would be longer than any is refused at its first fragment.
        assert_eq!(reassembly.take(later, from(1), datagram(2, 0, 60_000, &fragment)), (None, 1));
        assert_eq!(reassembly.incomplete.len(), 1);
    }
}
