//! Datagrams between nodes: arbitrary ones, and fragments of packets in any order, some of them more than once. There is no
//! panic; memory stays bounded; what is written is read back; and a packet comes out as it went in, or not at all.
#![no_main]
#![allow(dead_code)]

#[path = "."]
mod udp {
    #[path = "../../crates/net/src/udp/datagram.rs"]
    pub(crate) mod datagram;
    #[path = "../../crates/net/src/udp/reassembly.rs"]
    pub(crate) mod reassembly;
}

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tokio::time::Instant;
use udp::datagram::{Datagram, FRAGMENT};
use udp::reassembly::Reassembly;

const MAX_PACKET: usize = 20_000;
const MAX_BYTES: usize = 30_000;

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes {
        from: u8,
        bytes: Vec<u8>,
    },
    /// A datagram that is whole, whatever it says.
    Datagram {
        from: u8,
        number: u8,
        index: u16,
        count: u16,
        /// That of a fragment which is not the last, if there is none.
        len: Option<u16>,
    },
    /// Some fragments of a packet.
    Packet {
        number: u8,
        len: u32,
        order: Vec<u8>,
    },
    Time(u16),
}

/// The byte of a packet at a place, so that packets differ.
fn byte(number: u32, at: usize) -> u8 {
    (number as usize * 31 + at * 7 + at / 251) as u8
}

fuzz_target!(|pieces: Vec<Piece>| {
    let mut reassembly = Reassembly::new(MAX_PACKET, MAX_BYTES);
    let mut now = Instant::now();
    let mut datagram = Vec::new();
    for piece in &pieces {
        match piece {
            Piece::Bytes { from, bytes } => {
                if let Some(parsed) = Datagram::parse(bytes) {
                    datagram.clear();
                    parsed.write(&mut datagram);
                    assert_eq!(&datagram, bytes);
                    reassembly.take(now, ([127, 0, 0, *from], 1).into(), parsed);
                }
            }
            Piece::Datagram { from, number, index, count, len } => {
                let len = len.map_or(FRAGMENT, |len| usize::from(len) % (FRAGMENT + 2));
                let fragment = vec![9; len];
                let written = Datagram {
                    node: 7,
                    number: (*number).into(),
                    index: *index,
                    count: *count,
                    fragment: &fragment,
                };
                datagram.clear();
                written.write(&mut datagram);
                if let Some(parsed) = Datagram::parse(&datagram) {
                    assert_eq!(parsed, written);
                    // Another source than that of the packets below.
                    reassembly.take(now, ([127, 0, 0, *from], 1).into(), parsed);
                }
            }
            Piece::Packet { number, len, order } => {
                let (number, len) = (u32::from(*number), 1 + *len as usize % (MAX_PACKET + 10));
                let packet: Vec<u8> = (0..len).map(|at| byte(number, at)).collect();
                let fragments: Vec<&[u8]> = packet.chunks(FRAGMENT).collect();
                for place in order {
                    let index = usize::from(*place) % fragments.len();
                    let count = fragments.len() as u16;
                    let written =
                        Datagram { node: 7, number, index: index as u16, count, fragment: fragments[index] };
                    datagram.clear();
                    written.write(&mut datagram);
                    let parsed = Datagram::parse(&datagram).expect("it is one");
                    let (whole, _) = reassembly.take(now, ([127, 0, 1, 1], 1).into(), parsed);
                    if let Some(whole) = whole {
                        // Packets of one number differ in length only: fragments of both make neither.
                        assert!(whole.iter().enumerate().all(|(at, found)| *found == byte(number, at)));
                        assert_eq!(whole.len().div_ceil(FRAGMENT), fragments.len());
                    }
                }
            }
            Piece::Time(milliseconds) => now += Duration::from_millis((*milliseconds).into()),
        }
        assert!(reassembly.bytes <= MAX_BYTES + MAX_PACKET);
    }
});
