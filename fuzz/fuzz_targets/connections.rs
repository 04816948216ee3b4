//! Connections between nodes: arbitrary bytes after a handshake, and handshakes with wrong bits. There is no panic; a
//! node is given the packets that a plain loop finds in the bytes; and nobody is taken for a node that it is not.
#![no_main]
#![allow(dead_code, unexpected_cfgs)]

#[path = "../../crates/net/src/handshake.rs"]
mod handshake;
#[path = "../../crates/net/src/input.rs"]
mod input;
#[path = "../../crates/net/src/link.rs"]
mod link;
#[path = "../../crates/net/src/outgoing.rs"]
mod outgoing;
#[path = "../../crates/net/src/stats.rs"]
mod stats;

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use atomik_core::Add;
use atomik_replica::{ClusterConfig, Peer, ReplicaId};
use handshake::Handshake;
use input::Input;
use libfuzzer_sys::fuzz_target;
use link::{Limits, LinkContext};
use stats::Counters;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

const LIMITS: Limits =
    Limits { packet: 1_000, waiting: 1_000, silence: Duration::from_secs(10), connections: 1 };

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Packet(Vec<u8>),
    /// That so many bytes follow.
    Announced(u32),
    Life,
}

impl Piece {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => out.extend(bytes),
            Self::Packet(bytes) => {
                out.extend((bytes.len() as u32).to_be_bytes());
                out.extend(bytes);
            }
            Self::Announced(len) => out.extend(len.to_be_bytes()),
            Self::Life => out.extend([0; 4]),
        }
    }
}

/// The packets in these bytes, up to the first that is too long or not whole; and whether there is one too long.
fn packets(mut bytes: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut packets = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*prefix) as usize;
        if len > LIMITS.packet {
            return (packets, true);
        }
        let Some((packet, rest)) = rest.split_at_checked(len) else { break };
        if len > 0 {
            packets.push(packet);
        }
        bytes = rest;
    }
    (packets, false)
}

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it starts");
}

fuzz_target!(|input: (Option<u16>, Vec<Piece>)| {
    let (wrong, pieces) = input;
    let cluster = ClusterConfig::new("fuzz", 100);
    let id = |node| ReplicaId { node, incarnation: 7 };
    let mut bytes = Handshake::new::<Add>(&cluster, id(2)).to_bytes().to_vec();
    if let Some(wrong) = wrong {
        let bit = usize::from(wrong) % (8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    let begin = bytes.len();
    pieces.iter().for_each(|piece| piece.write(&mut bytes));
    let (inputs, mut taken) = tokio::sync::mpsc::channel(bytes.len() + 2);
    let counters = Arc::<Counters>::default();
    let handshake = Handshake::new::<Add>(&cluster, id(1));
    let context = LinkContext { handshake, limits: LIMITS, inputs, counters: Arc::clone(&counters) };
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            // All bytes have room, and so has what the node says.
            let (near, mut far) = tokio::io::duplex(bytes.len() + 4_096);
            far.write_all(&bytes).await.expect("it has room");
            far.shutdown().await.expect("it is open");
            link::run(&context, near, "fuzz").await;
        });
    });
    let stats = counters.read();
    let mut found = Vec::new();
    while let Ok(input) = taken.try_recv() {
        match input {
            Input::Packet(peer, packet) => {
                assert_eq!(peer, Peer(2));
                found.push(packet);
            }
            Input::Connected(peer, _) | Input::Disconnected(peer, _) => assert_eq!(peer, Peer(2)),
            _ => unreachable!("a connection tells nothing else"),
        }
    }
    let (expected, is_too_long) =
        if wrong.is_some() { (Vec::new(), false) } else { packets(&bytes[begin..]) };
    assert_eq!(found, expected);
    assert_eq!(stats.refused_handshake, u64::from(wrong.is_some()));
    assert_eq!(stats.refused_length, u64::from(is_too_long));
    assert_eq!((stats.packets_received, stats.connections), (expected.len() as u64, 0));
});
