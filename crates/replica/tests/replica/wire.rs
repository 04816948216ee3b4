//! Sections as bytes, by the layout in the documentation, and a test of that page. This shares no code with the replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};

use crate::{NOW, sent};

/// The length of a header.
pub(crate) const HEADER: usize = 80;

/// CRC-32C, bit by bit.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    })
}

/// Corrects the checksums of a packet with one section.
pub(crate) fn fix_checksums(section: &mut [u8]) {
    let origin = crc32c(&section[16..32]);
    section[32..36].copy_from_slice(&origin.to_be_bytes());
    let body = crc32c(&section[HEADER..]);
    section[72..76].copy_from_slice(&body.to_be_bytes());
    let header = crc32c(&section[..76]);
    section[76..80].copy_from_slice(&header.to_be_bytes());
}

/// The sections of a packet.
pub(crate) fn sections(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = Vec::new();
    let mut rest = packet;
    while !rest.is_empty() {
        let len = u32::from_be_bytes(rest[68..72].try_into().unwrap()) as usize;
        let (section, after) = rest.split_at(HEADER + len);
        sections.push(section.to_vec());
        rest = after;
    }
    sections
}

/// The lines of the page about the format.
fn page() -> Vec<&'static str> {
    let page = include_str!("../../src/docs/wire.rs").lines();
    page.map(|line| line.strip_prefix("//!").expect("it is all documentation").trim()).collect()
}

/// The tables of places and lengths on the page: the name, the place and the length of each field.
fn tables() -> Vec<Vec<(&'static str, usize, usize)>> {
    let mut tables = Vec::new();
    for line in page() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match *cells {
            ["at", "bytes", "field"] => tables.push(Vec::new()),
            [at, bytes, field] if at.parse::<usize>().is_ok() => {
                let name = field.split(':').next().unwrap();
                tables.last_mut().unwrap().push((name, at.parse().unwrap(), bytes.parse().unwrap()));
            }
            _ => {}
        }
    }
    tables
}

/// The examples on the page.
fn examples() -> Vec<Vec<u8>> {
    let page = page().join("\n");
    let blocks = page.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches("text"));
    let bytes =
        |block: &str| block.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    blocks.map(bytes).collect()
}

/// The numbers of a record, by the names of their fields.
fn fields(table: &[(&'static str, usize, usize)], bytes: &[u8]) -> BTreeMap<&'static str, u64> {
    let number = |at: usize, len: usize| {
        bytes[at..at + len].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    table.iter().filter(|field| field.2 <= 8).map(|&(name, at, len)| (name, number(at, len))).collect()
}

fn start(node: u64, incarnation: u64) -> (Replica<Add>, Arc<TableFanIn<Add>>) {
    start_with_shards(node, incarnation, 64)
}

fn start_with_shards(
    node: u64,
    incarnation: u64,
    shard_words: usize,
) -> (Replica<Add>, Arc<TableFanIn<Add>>) {
    let local = Arc::new(TableFanIn::new(128));
    let cluster = ClusterConfig::new("wire", 128).with_shard_words(shard_words);
    (Replica::new(&cluster, Arc::clone(&local), ReplicaId { node, incarnation }).unwrap(), local)
}

/// What replicas write, in the order of the examples on the page.
fn written() -> Vec<Vec<u8>> {
    let ((mut one, local), (mut other, _)) = (start(1, 2), start(3, 4));
    local.producer().accum(5, 7);
    one.tick();
    one.load(6, 9).unwrap();
    let frame = sent(&mut one);
    let vector = one.version_vector_packets().concat();
    other.hello(Recipient::All);
    let hello = sent(&mut other);
    other.receive(NOW, Peer(1), &vector).unwrap();
    let request = sent(&mut other);
    one.heartbeat(0);
    drop(sent(&mut one));
    one.heartbeat(1);
    let heartbeat = sent(&mut one);
    let mut instance = start(1, 2).0;
    instance.receive(NOW, Peer(1), &vector).unwrap();
    let denial = sent(&mut instance);
    let mut written = vec![frame, vector, hello, request, heartbeat, denial];
    written.extend(written_after_a_fold());
    written
}

/// A fold by name, and the frame and the report of the start that folded an earlier one.
fn written_after_a_fold() -> [Vec<u8>; 3] {
    let start = |node, incarnation| {
        let (mut replica, local) = start_with_shards(node, incarnation, 16);
        replica.set_members([1, 2]);
        (replica, local)
    };
    let ((mut earlier, local), (mut other, _)) = (start(1, 2), start(2, 3));
    local.producer().accum(5, 7);
    earlier.tick();
    other.end_wait();
    other.receive(NOW, Peer(1), &sent(&mut earlier)).unwrap();
    let mut later = start(1, 9).0;
    later.hello(Recipient::All);
    while later.cover(1, 0).is_none() {
        other.receive(NOW, Peer(1), &sent(&mut later)).unwrap();
        other.send_version_vector(Recipient::All);
        later.receive(NOW, Peer(2), &sent(&mut other)).unwrap();
    }
    let after = sections(&sent(&mut later));
    let named = after.into_iter().find(|section| section[5] == 8).unwrap();
    other.hello(Recipient::All);
    later.receive(NOW, Peer(2), &sent(&mut other)).unwrap();
    let reply = sections(&sent(&mut later));
    let report = reply.into_iter().find(|section| section[5] == 7).unwrap();
    [named, later.frame_since(later.id(), 0, 0).unwrap(), report]
}

/// Bytes in lines of sixteen, as on the page.
fn hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    bytes.chunks(16).map(|bytes| format!("//! {}\n", line(bytes))).collect()
}

/// All later versions must read what is written today.
#[test]
fn what_is_written_is_what_the_page_says() {
    let (examples, written) = (examples(), written());
    let on_page = written.iter().map(|bytes| hex(bytes)).collect::<Vec<_>>().join("\n");
    assert!(examples == written, "the page should have\n{on_page}");
}

#[test]
fn the_tables_of_the_page_describe_what_is_written() {
    let tables = tables();
    let lens = [HEADER, 16, 44, 32, 24];
    assert_eq!(tables.len(), lens.len());
    for (table, len) in tables.iter().zip(lens) {
        let end = table.iter().fold(0, |next, &(name, at, bytes)| {
            assert_eq!(at, next, "{name}");
            at + bytes
        });
        assert_eq!(end, len);
    }
    let frame = &written()[0];
    let header = fields(&tables[0], frame);
    let crc = |range: std::ops::Range<usize>| u64::from(crc32c(&frame[range]));
    let numbers = [
        ("magic", 0x4154_4D4B),
        ("format", 2),
        ("kind", 1),
        ("algebra", 1),
        ("reserved", 0),
        ("node", 1),
        ("incarnation", 2),
        ("origin checksum", crc(16..32)),
        ("shard", 0),
        ("from", 0),
        ("to", 2),
        ("words", 1),
        ("entries", 1),
        ("folds", 0),
        ("body length", 60),
        ("body checksum", crc(80..140)),
        ("header checksum", crc(0..76)),
    ];
    for (name, number) in numbers {
        assert_eq!(header[name], number, "{name}");
    }
    let word = [("address", 5), ("total", 7), ("version", 2)];
    assert_eq!(fields(&tables[1], &frame[80..]), word.into_iter().collect());
    let entry = [("address", 6), ("counter", 1), ("node", 1), ("incarnation", 2), ("value", 9), ("total", 0)];
    assert_eq!(fields(&tables[2], &frame[96..]), entry.into_iter().collect());

    // The kinds that travel, in the order of the examples.
    let kinds: Vec<u8> =
        written().iter().flat_map(|packet| sections(packet)).map(|section| section[5]).collect();
    assert_eq!(kinds, [1, 2, 9, 5, 3, 4, 10, 11, 8, 1, 7]);
    let rows = page().join("\n");
    kinds.iter().for_each(|kind| assert!(rows.contains(&format!("\n| {kind} | ")), "kind {kind}"));
}

#[test]
fn a_stored_shard_is_what_the_page_says() {
    let none: [&[u8]; 0] = [];
    let cluster = ClusterConfig::new("wire", 128).with_shard_words(64);
    let local = Arc::new(TableFanIn::<Add>::new(128));
    let mut one = Replica::restore(&cluster, local, ReplicaId { node: 1, incarnation: 2 }, none).unwrap();
    one.put(5, 7).unwrap();
    one.load(6, 9).unwrap();
    let parts = &one.poll_store().unwrap().shards[0].parts;
    assert_eq!(parts.iter().map(|part| part.part).collect::<Vec<_>>(), [0, 1]);
    let [version, block] = [0, 1].map(|part| &parts[part].bytes);
    let tables = tables();
    let names = ["kind", "from", "to", "words", "entries", "body length"];
    let header = fields(&tables[0], version);
    assert_eq!(names.map(|name| header[name]), [6, 0, 2, 2, 0, 16]);
    let number = |part: &[u8], at: usize| u64::from_be_bytes(part[80 + 8 * at..][..8].try_into().unwrap());
    assert_eq!([0, 1].map(|at| number(version, at)), [1, mix(mix(0, 0), 2)]);

    let header = fields(&tables[0], block);
    assert_eq!(names.map(|name| header[name]), [12, 0, 2, 64, 1, 512 + 44]);
    assert!((0..64).all(|word| number(block, word) == if word == 5 { 7 } else { 0 }));
    assert_eq!(fields(&tables[2], &block[80 + 512..])["value"], 9);
}

/// SplitMix64, which shares no code with the replica.
fn mix(a: u64, b: u64) -> u64 {
    let mut state = (a ^ b).wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}
