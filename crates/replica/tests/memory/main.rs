//! The heap memory of replicas, counted: for the origins that they know, and for what peers send.

mod starts;
mod waiting;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{TableFanIn, Xor};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};

/// No test here waits for a timer.
const NOW: Duration = Duration::ZERO;

/// The system's allocator. It counts, for each thread, the live bytes and their maximum.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    MOST.set(MOST.get().max(live));
}

// SAFETY: all calls are passed on to the system's allocator. The counters have constant initial values and no
// destructors, so counting never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// By how much some work increases the live bytes, at its end and at most.
fn grown<R>(work: impl FnOnce() -> R) -> (usize, usize, R) {
    let before = LIVE.get();
    MOST.set(before);
    let result = work();
    ((LIVE.get() - before).try_into().unwrap_or(0), (MOST.get() - before) as usize, result)
}

fn replica(cluster: &ClusterConfig, len: usize, node: u64) -> Replica<Xor> {
    let origin = ReplicaId { node, incarnation: 1 };
    Replica::new(cluster, Arc::new(TableFanIn::new(len)), origin).unwrap()
}

fn sent(replica: &mut Replica<Xor>) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| replica.poll_transmit()).map(|(_, packet)| packet).collect()
}

/// Everything that a node sends before it has written anything.
fn silent(cluster: &ClusterConfig, len: usize, node: u64) -> Vec<Vec<u8>> {
    let mut peer = replica(cluster, len, node);
    peer.hello(Recipient::All);
    peer.tick();
    peer.heartbeat(8);
    peer.send_version_vector(Recipient::All);
    sent(&mut peer)
}

#[test]
fn an_origin_that_never_wrote_costs_less_than_a_kibibyte() {
    // With many shards, a cost for each of them would show.
    const LEN: usize = 65_536;
    const ORIGINS: usize = 100;
    let cluster = ClusterConfig::new("memory", LEN).with_shard_words(64).with_max_origins(ORIGINS + 2);
    let mut one = replica(&cluster, LEN, 1);
    let packets: Vec<_> = (2..).take(ORIGINS).map(|node| (node, silent(&cluster, LEN, node))).collect();
    // A transport would send what waits.
    let (grown, _, ()) = grown(|| {
        for (node, packets) in &packets {
            for packet in packets {
                one.receive(NOW, Peer(*node), packet).unwrap();
                drop(sent(&mut one));
            }
        }
    });
    println!("{} bytes for {ORIGINS} origins that never wrote", grown);
    assert!(grown < 1_024 * ORIGINS, "{} bytes an origin", grown / ORIGINS);
}

#[test]
fn an_origin_costs_little_more_than_the_blocks_that_it_touched() {
    const LEN: usize = 40_960;
    const ORIGINS: usize = 5;
    let cluster = ClusterConfig::new("memory", LEN);
    let mut one = replica(&cluster, LEN, 1);
    for (origins, step) in [(2, 1), (2 + ORIGINS as u64, 4_096)] {
        let written: Vec<_> = (origins..)
            .take(ORIGINS)
            .map(|node| {
                let local = Arc::new(TableFanIn::new(LEN));
                let mut producer = local.producer_owned();
                (0..LEN).step_by(step).for_each(|addr| producer.accum(addr, node));
                let mut peer = Replica::new(&cluster, local, ReplicaId { node, incarnation: 1 }).unwrap();
                peer.tick();
                sent(&mut peer)
            })
            .collect();
        // Three times, because the cost depends on what was touched and not on what arrived.
        let (grown, _, ()) = grown(|| {
            for packet in written.iter().chain(&written).chain(&written).flatten() {
                one.receive(NOW, Peer(2), packet).unwrap();
            }
        });
        let touched = ORIGINS * LEN.div_ceil(64) / step.div_ceil(64);
        println!("{} bytes for {touched} blocks of 64 words", grown);
        // A block has 64 totals, a stamp, a digest, and pointers to it and to its entries. The rest are shards, planes
        // and the set of dirty shards.
        assert!(grown <= touched * (64 * 8 + 40) + ORIGINS * LEN / 4_096 * 512);
    }
}

/// Replicas of small shards and of loaded addresses take what the docs say.
#[test]
fn small_shards_and_loaded_addresses_cost_what_is_documented() {
    const LEN: usize = 8_192;
    for (shard_words, a_word) in [(16, 24.0), (32, 17.0), (64, 13.0), (4_096, 8.7)] {
        let cluster = ClusterConfig::new("memory", LEN).with_shard_words(shard_words);
        let start = |node| {
            let local = Arc::new(TableFanIn::new(LEN));
            let producer = local.producer_owned();
            (Replica::<Xor>::new(&cluster, local, ReplicaId { node, incarnation: 1 }).unwrap(), producer)
        };
        let ((mut one, mut producer), (mut two, _b)) = (start(1), start(2));
        (0..LEN).for_each(|addr| producer.accum(addr, 1));
        one.tick();
        let frames = sent(&mut one);
        let (took, _, ()) = grown(|| {
            for frame in &frames {
                two.receive(NOW, Peer(1), frame).unwrap();
            }
            // The set of versions to announce is not for good.
            two.heartbeat(0);
            drop(sent(&mut two));
        });
        println!("{:.2} bytes a word in shards of {shard_words}", took as f64 / LEN as f64);
        assert!(took as f64 <= a_word * LEN as f64 + 1_024.0, "{took} bytes with shards of {shard_words}");
    }
    // Alone in 64 addresses, or all of them.
    const LOADED: usize = 1_024;
    for step in [64, 5, 1] {
        let cluster = ClusterConfig::new("memory", LOADED);
        let [mut one, mut two] = [1, 2].map(|node| replica(&cluster, LOADED, node));
        let mut receive = |change: &dyn Fn(&mut Replica<Xor>, usize)| {
            (0..LOADED).step_by(step).for_each(|addr| change(&mut one, addr));
            for frame in sent(&mut one) {
                two.receive(NOW, Peer(1), &frame).unwrap();
            }
        };
        receive(&|one, addr| one.put(addr, 1).unwrap());
        let (took, _, ()) = grown(|| receive(&|one, addr| one.load(addr, 5).unwrap()));
        // Both replicas have a register and an entry.
        let loaded = LOADED.div_ceil(step);
        println!("{} bytes a loaded address, one of {step}", took / 2 / loaded);
        assert!(took <= 2 * loaded * (64 + 88) + 1_024, "{took} bytes for {loaded} loaded addresses");
    }
}

/// CRC-32C of each byte, bit by bit.
static BYTES: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| crc >> 8 ^ BYTES[(crc as u8 ^ byte) as usize])
}

const HEADER: usize = 80;

/// Corrects the checksums of a packet with one section.
fn fix_checksums(packet: &mut [u8]) {
    let (origin, body) = (crc32c(&packet[16..32]), crc32c(&packet[HEADER..]));
    packet[32..36].copy_from_slice(&origin.to_be_bytes());
    packet[72..76].copy_from_slice(&body.to_be_bytes());
    let header = crc32c(&packet[..76]);
    packet[76..80].copy_from_slice(&header.to_be_bytes());
}

const LEN: usize = 1_000;

/// Small bounds, and one packet for each section.
fn bounded() -> ClusterConfig {
    ClusterConfig::new("memory", LEN)
        .with_shard_words(64)
        .with_max_origins(4)
        .with_max_waiting(16)
        .with_packet_len(1)
}

/// The sections of a packet.
fn sections(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = Vec::new();
    let mut rest = packet;
    while !rest.is_empty() {
        let count = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (section, after) = rest.split_at(HEADER + count(68));
        sections.push(section.to_vec());
        rest = after;
    }
    sections
}

/// Sections of all kinds that travel.
fn packets(cluster: &ClusterConfig) -> Vec<Vec<u8>> {
    let mut peer = replica(cluster, LEN, 2);
    for addr in 0..100 {
        peer.put(addr, 1 + addr as u64).unwrap();
        peer.load(addr, 2).unwrap();
        // Each of them becomes a version of its own.
        drop(sent(&mut peer));
    }
    let frames = [0, 1].map(|shard| peer.frame_since(peer.id(), shard, 0).unwrap());
    let mut asking = replica(cluster, LEN, 3);
    asking.receive(NOW, Peer(2), &peer.version_vector_packets().concat()).unwrap();
    asking.hello(Recipient::All);
    peer.heartbeat(2);
    let mut all = frames.to_vec();
    all.push(peer.version_vector_packets().concat());
    all.extend(sent(&mut asking));
    all.extend(sent(&mut peer));
    let all: Vec<_> = all.iter().flat_map(|packet| sections(packet)).collect();
    assert!((1..=5).all(|kind| all.iter().any(|section| section[5] == kind)));
    all
}

#[test]
fn refused_packets_take_no_memory() {
    let cluster = bounded();
    let mut refused = 0;
    for packet in packets(&cluster) {
        for at in 0..packet.len() {
            for fixed in [false, true] {
                let mut packet = packet.clone();
                packet[at] ^= 0x81;
                if fixed {
                    fix_checksums(&mut packet);
                }
                let mut one = replica(&cluster, LEN, 1);
                let (live, most, received) = grown(|| one.receive(NOW, Peer(2), &packet).is_ok());
                if !received {
                    refused += 1;
                    assert_eq!((live, most), (0, 0), "byte {at} of {packet:02x?}");
                }
            }
        }
        // A header that announces more words than memory can hold.
        let mut packet = packet.clone();
        packet[56..64].fill(0xFF);
        packet[68..72].fill(0xFF);
        fix_checksums(&mut packet);
        let mut one = replica(&cluster, LEN, 1);
        let (_, most, received) = grown(|| one.receive(NOW, Peer(2), &packet).is_ok());
        assert!(!received && most == 0);
    }
    assert!(refused > 1_000);
}

/// Packets of each kind, from ever more peers, about ever more origins. Their bytes are valid.
#[test]
fn a_flood_takes_no_more_memory_than_the_bounds_allow() {
    let cluster = bounded();
    let templates = packets(&cluster);
    let mut one = replica(&cluster, LEN, 1);
    let mut taken = 0;
    let mut flood = |rounds: std::ops::Range<u64>, one: &mut Replica<Xor>| {
        for round in rounds {
            for template in &templates {
                let mut packet = template.clone();
                // It changes the origin's id, or the version so that there is a gap, or both.
                if round % 3 != 0 {
                    packet[24..32].copy_from_slice(&(round / 7).to_be_bytes());
                }
                if round % 3 != 1 && packet[5] == 1 {
                    packet[40] = (round % 2) as u8;
                    packet[48] = 2;
                    let (low, words) = (packet[52..56].to_vec(), packet[59] as usize);
                    (0..words).for_each(|word| packet[HEADER + 16 * word + 12..][..4].copy_from_slice(&low));
                }
                fix_checksums(&mut packet);
                taken += usize::from(one.receive(NOW, Peer(round), &packet).is_ok());
            }
        }
    };
    let (first, most, ()) = grown(|| flood(0..1_500, &mut one));
    println!("{first} bytes, at most {most}");
    // Planes of three origins, 16 requests, 16 answers, and events.
    assert!(most <= 3 * (10 * LEN + 100 * 64 + 1_024) + 16 * 1_024 + 1_024 * 128, "{most} bytes");
    let (later, _, ()) = grown(|| flood(1_500..5_000, &mut one));
    assert!(later <= 16_384, "{first} bytes at first, and {later} more later");
    assert!(taken > 5_000, "{taken} packets were taken");
    assert_eq!(one.origins(), 4);
    // The digests, hellos, requests and answers, and 16 version vectors of four origins.
    assert!(sent(&mut one).len() <= 16 * (4 + 4 * LEN.div_ceil(64)));
}

/// The digests of a peer are all wrong, and nobody polls the events.
#[test]
fn events_that_nobody_polls_are_bounded() {
    let cluster = bounded();
    let packets = packets(&cluster);
    let mut one = replica(&cluster, LEN, 1);
    for frame in packets.iter().filter(|packet| packet[5] == 1) {
        one.receive(NOW, Peer(2), frame).unwrap();
    }
    let mut wrong = packets.iter().find(|packet| packet[5] == 4).unwrap().clone();
    wrong[HEADER] ^= 1;
    fix_checksums(&mut wrong);
    let receive = |one: &mut Replica<Xor>, times| {
        for _ in 0..times {
            one.receive(NOW, Peer(2), &wrong).unwrap();
        }
    };
    receive(&mut one, 1_024);
    let (later, ..) = grown(|| receive(&mut one, 5_000));
    assert_eq!(later, 0, "bytes for events past the bound");
    assert_eq!(std::iter::from_fn(|| one.poll_event()).count(), 1_024);
}
