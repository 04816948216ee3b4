//! Three nodes over UDP, each with a store of files. One of them is stopped and started again while all of them count.
//!
//! The loop is that of the documentation. Here are the threads, sockets and files around it.
//!
//! `cargo run -p atomik-replica --example nodes`

// UDP has no connections, so two of the loop's inputs do not occur.
#[allow(dead_code, unreachable_pub)]
#[path = "../src/docs/node.rs"]
mod node;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use atomik_core::{Add, DeltaBatch, TableFanIn};
use atomik_replica::{
    ClusterConfig, Event, PacketError, Peer, Recipient, Replica, ReplicaId, Timing, Transaction, View,
};

use node::{Environment, Input, Node};

const LEN: usize = 1_000;
const COUNTS: u64 = 100_000;

/// What other threads tell the thread of a node.
enum Message {
    Packet(Peer, Vec<u8>),
    Stored(u64),
    StoreFailed(u64),
    ShutDown,
}

impl Message {
    fn as_input(&self) -> Input<'_> {
        match self {
            Self::Packet(from, bytes) => Input::Packet(*from, bytes),
            Self::Stored(number) => Input::Stored(*number),
            Self::StoreFailed(number) => Input::StoreFailed(*number),
            Self::ShutDown => Input::ShutDown,
        }
    }
}

/// The program around a node.
struct Program {
    socket: UdpSocket,
    peers: Vec<(Peer, SocketAddr)>,
    disk: Sender<Transaction>,
    /// How many addresses changed elsewhere, counted again each time they change.
    changes: usize,
}

impl Environment<Add> for Program {
    fn send(&mut self, to: Recipient, packet: Vec<u8>) {
        for (peer, address) in &self.peers {
            if to == Recipient::All || to == Recipient::Peer(*peer) {
                // A packet that can't be sent is a lost one.
                let _ = self.socket.send_to(&packet, address);
            }
        }
    }

    fn write(&mut self, transaction: Transaction) {
        self.disk.send(transaction).expect("the thread of the disk ends after this one");
    }

    fn changed(&mut self, changes: DeltaBatch<Add>) {
        self.changes += changes.len();
    }

    fn refused(&mut self, from: Peer, error: PacketError) {
        eprintln!("a packet of {from:?}: {error}");
    }

    fn report(&mut self, event: Event) {
        eprintln!("{event:?}");
    }
}

/// Writes what changed in each shard to a file: all of it or nothing. A file has a number and a length before each part.
fn write(folder: &Path, transaction: &Transaction) -> io::Result<()> {
    for shard in &transaction.shards {
        let ReplicaId { node, incarnation } = shard.origin;
        let path = folder.join(format!("{node:x}-{incarnation:x}-{}", shard.shard));
        let mut parts = if shard.replaces { BTreeMap::new() } else { parts(&fs::read(&path)?)? };
        parts.extend(shard.parts.iter().map(|part| (part.part, part.bytes.clone())));
        let written = path.with_extension("new");
        let mut file = File::create(&written)?;
        for (part, bytes) in parts {
            file.write_all(&part.to_be_bytes())?;
            file.write_all(&(bytes.len() as u32).to_be_bytes())?;
            file.write_all(&bytes)?;
        }
        file.sync_all()?;
        fs::rename(written, path)?;
        if shard.covers {
            remove_earlier(folder, shard.origin, shard.shard)?;
        }
    }
    // The names are durable, too.
    File::open(folder)?.sync_all()
}

/// Removes the files of a shard of earlier starts of a node, which are folded into that of a later one.
fn remove_earlier(folder: &Path, origin: ReplicaId, shard: usize) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut numbers = name.split('-').map(|number| u64::from_str_radix(number, 16).ok());
        let (node, incarnation) = (numbers.next().flatten(), numbers.next().flatten());
        let is_earlier = incarnation.is_some_and(|incarnation| incarnation < origin.incarnation);
        if node == Some(origin.node) && is_earlier && name.ends_with(&format!("-{shard}")) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The parts in a file, by their numbers.
fn parts(mut file: &[u8]) -> io::Result<BTreeMap<u32, Vec<u8>>> {
    let mut parts = BTreeMap::new();
    while let Some((part, rest)) = file.split_first_chunk() {
        let (bytes, rest) = rest
            .split_first_chunk()
            .and_then(|(len, rest)| rest.split_at_checked(u32::from_be_bytes(*len) as usize))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        parts.insert(u32::from_be_bytes(*part), bytes.to_vec());
        file = rest;
    }
    Ok(parts)
}

fn stored(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    let mut stored = Vec::new();
    for path in files.iter().filter(|path| path.extension().is_none()) {
        stored.extend(parts(&fs::read(path)?)?.into_values());
    }
    Ok(stored)
}

/// A node that runs.
struct Running {
    local: Arc<TableFanIn<Add>>,
    view: View<Add>,
    messages: Sender<Message>,
    threads: Vec<JoinHandle<()>>,
    address: SocketAddr,
}

/// Starts node `number`. The others are at `addresses`.
fn start(
    number: usize,
    socket: &UdpSocket,
    addresses: &[SocketAddr],
    folder: &Path,
) -> Result<Running, Box<dyn Error>> {
    let timing = Timing::new().with_heartbeat(Duration::from_millis(100));
    // Frames of 64 words and packets of 1,200 bytes, because they are datagrams.
    let cluster = ClusterConfig::new("example", LEN).with_shard_words(64).with_packet_len(1_200);
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let id = ReplicaId::draw(number as u64);
    let replica = Replica::restore(&cluster.with_timing(timing), Arc::clone(&local), id, stored(folder)?)?;
    let view = replica.view();

    let (messages, inputs) = channel();
    let (disk, transactions) = channel::<Transaction>();
    let peers: Vec<_> = (0..).map(Peer).zip(addresses.iter().copied()).collect();
    let others = peers.iter().copied().filter(|(peer, _)| peer.0 != id.node).collect();
    let program = Program { socket: socket.try_clone()?, peers: others, disk, changes: 0 };
    let (receiver, to_node) = (socket.try_clone()?, messages.clone());
    let (written, folder) = (messages.clone(), folder.to_owned());
    let threads = vec![
        thread::spawn(move || run(Node::new(replica, program), &inputs)),
        thread::spawn(move || receive(&receiver, &peers, &to_node)),
        thread::spawn(move || {
            for transaction in transactions {
                let number = transaction.number;
                let result = write(&folder, &transaction);
                let message = result.map_or(Message::StoreFailed(number), |()| Message::Stored(number));
                // The node may have ended.
                let _ = written.send(message);
            }
        }),
    ];
    Ok(Running { local, view, messages, threads, address: addresses[number] })
}

/// The thread that owns a node.
fn run(mut node: Node<Add, Program>, inputs: &Receiver<Message>) {
    let clock = Instant::now();
    let mut due = node.turn(clock.elapsed());
    while !node.has_ended(clock.elapsed()) {
        match inputs.recv_timeout(due.saturating_sub(clock.elapsed())) {
            Ok(message) => node.handle(clock.elapsed(), message.as_input()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("the thread of the socket ends later"),
        }
        due = node.turn(clock.elapsed());
    }
    let Node { replica, environment, .. } = &node;
    println!("node {} ends; {} changes came from elsewhere", replica.id(), environment.changes);
}

/// Passes packets on until the node has ended.
fn receive(socket: &UdpSocket, peers: &[(Peer, SocketAddr)], node: &Sender<Message>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok((len, address)) = socket.recv_from(&mut buffer) else { continue };
        let Some((peer, _)) = peers.iter().find(|(_, known)| *known == address) else { continue };
        if node.send(Message::Packet(*peer, buffer[..len].to_vec())).is_err() {
            break;
        }
    }
}

impl Running {
    /// Counts at each address in turn, from a thread of its own.
    fn count(&self, counts: u64) -> JoinHandle<()> {
        let mut producer = self.local.producer_owned();
        thread::spawn(move || {
            for count in 0..counts {
                producer.accum(count as usize % LEN, 1);
                if count % 200 == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        })
    }

    /// Tells the node to end. Its producers have ended.
    fn shut_down(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.messages.send(Message::ShutDown)?)
    }

    /// Waits until the node has ended.
    fn join(self, socket: &UdpSocket) -> Result<(), Box<dyn Error>> {
        let mut threads = self.threads.into_iter();
        let node = threads.next().map(JoinHandle::join);
        // Wakes the thread of the socket, which then finds that the node has ended.
        socket.send_to(&[], self.address)?;
        node.into_iter()
            .chain(threads.map(JoinHandle::join))
            .try_for_each(|ended| ended.map_err(|_| "a thread panicked"))?;
        Ok(())
    }

    fn sum(&self) -> u64 {
        let mut states = [0; LEN];
        self.view.snapshot(&mut states);
        states.iter().sum()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("atomik-nodes-{:x}", ReplicaId::draw(0).incarnation));
    let folders: Vec<PathBuf> = (0..3).map(|node| folder.join(node.to_string())).collect();
    folders.iter().try_for_each(fs::create_dir_all)?;
    let sockets = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0"));
    let sockets: Vec<UdpSocket> = sockets.into_iter().collect::<Result<_, _>>()?;
    let addresses: Vec<SocketAddr> = sockets.iter().map(UdpSocket::local_addr).collect::<Result<_, _>>()?;
    let start = |node: usize| start(node, &sockets[node], &addresses, &folders[node]);

    let mut nodes = vec![start(0)?, start(1)?, start(2)?];
    let counting = [nodes[0].count(COUNTS), nodes[1].count(COUNTS)];
    // Meanwhile, node 2 counts, is stopped, and counts again as a new start from its store.
    nodes[2].count(COUNTS / 10).join().map_err(|_| "a thread panicked")?;
    nodes[2].shut_down()?;
    nodes.remove(2).join(&sockets[2])?;
    nodes.push(start(2)?);
    nodes[2].count(COUNTS / 10).join().map_err(|_| "a thread panicked")?;
    for thread in counting {
        thread.join().map_err(|_| "a thread panicked")?;
    }

    let clock = Instant::now();
    let sums = || nodes.iter().map(Running::sum).collect::<Vec<_>>();
    let counted = 2 * COUNTS + 2 * (COUNTS / 10);
    while sums() != [counted; 3] && clock.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(5));
    }
    println!("counted {counted}: the nodes have {:?}, {:?} later", sums(), clock.elapsed());
    let converged = sums() == [counted; 3];
    nodes.iter().try_for_each(Running::shut_down)?;
    for (node, socket) in nodes.into_iter().zip(&sockets) {
        node.join(socket)?;
    }
    fs::remove_dir_all(folder)?;
    if converged { Ok(()) } else { Err("the nodes differ".into()) }
}
