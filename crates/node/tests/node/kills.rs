//! Nodes that are killed under load and started again: with their store, with an older copy of it, and without any.
//! What a peer had confirmed is there, and nothing is there twice.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Client, Process, until};

/// What one node wrote to a key of its own: what a peer confirmed, and what was sent since.
#[derive(Clone, Copy, Default)]
struct Account {
    confirmed: i64,
    sent: i64,
}

struct Random(u64);

impl Random {
    fn next(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Nodes {
    random: Random,
    folder: tempfile::TempDir,
    nodes: Vec<Process>,
    accounts: [Account; 3],
}

fn is_ready(client: &mut Client, peers: usize) -> bool {
    let info = client.call("INFO");
    info.contains(&format!("connected_peers:{peers}")) && info.contains("listening:0")
}

impl Nodes {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cluster =
            Self { random: Random(seed), folder, nodes: Vec::new(), accounts: Default::default() };
        for number in 0..3 {
            let node = cluster.start(number, "127.0.0.1:0");
            cluster.nodes.push(node);
        }
        cluster.wait_until_ready();
        cluster
    }

    fn store(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("{number}.db"))
    }

    fn start(&self, number: usize, listen: &str) -> Process {
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != number);
        let peers: String = others.map(|(_, node)| format!(" --peer {}", node.address("listen"))).collect();
        let store = self.store(number);
        Process::start(&format!(
            "--id {number} --members 0,1,2 --len 1000 --redis 127.0.0.1:0 --listen {listen} --store {}{peers}",
            store.display()
        ))
    }

    fn wait_until_ready(&self) {
        for node in &self.nodes {
            let mut client = node.client();
            until("nodes are connected", || is_ready(&mut client, 2));
        }
    }

    /// Kills a node after it was told something, and starts it again with what is left of its store.
    fn round(&mut self) {
        let number = self.random.next(3) as usize;
        for (other, node) in self.nodes.iter().enumerate() {
            let mut client = node.client();
            let account = &mut self.accounts[other];
            for _ in 0..=self.random.next(3) {
                account.sent += 5;
                client.call(&format!("INCRBY {other} 5"));
            }
            if other != number || self.random.next(2) == 0 {
                assert_eq!(client.call("ATOMIK.WAIT 20000"), ":2\r\n");
                account.confirmed += std::mem::take(&mut account.sent);
            }
        }
        let backup = self.folder.path().join("backup");
        let takes_backup = self.random.next(3) == 0;
        let listen = self.nodes[number].address("listen").to_owned();
        let dead = self.nodes.remove(number);
        if takes_backup {
            copy(&self.store(number), &backup);
        }
        // What it is told now may be anywhere, or nowhere.
        let mut client = dead.client();
        self.accounts[number].sent += 5 * 20;
        client.send(format!("INCRBY {number} 5\r\n").repeat(20).as_bytes());
        dead.kill();
        match self.random.next(3) {
            0 => remove(&self.store(number)),
            1 if takes_backup => copy(&backup, &self.store(number)),
            _ => {}
        }
        remove(&backup);
        let placeholder = self.start_beside(number, &listen);
        self.nodes.insert(number, placeholder);
        self.wait_until_ready();
        self.check();
    }

    /// Starts a node while it is not among the others.
    fn start_beside(&self, number: usize, listen: &str) -> Process {
        let peers: String =
            self.nodes.iter().map(|node| format!(" --peer {}", node.address("listen"))).collect();
        Process::start(&format!(
            "--id {number} --members 0,1,2 --len 1000 --redis 127.0.0.1:0 --listen {listen} --store {}{peers}",
            self.store(number).display()
        ))
    }

    fn check(&mut self) {
        for node in &self.nodes {
            assert_eq!(node.client().call("ATOMIK.WAIT 20000"), ":2\r\n");
        }
        for (key, account) in self.accounts.iter_mut().enumerate() {
            let found: Vec<i64> = self.nodes.iter().map(|node| node.client().get(key)).collect();
            assert!(found.iter().all(|value| *value == found[0]), "key {key}: {found:?}");
            let most = account.confirmed + account.sent;
            assert!((account.confirmed..=most).contains(&found[0]), "key {key}: {} of {most}", found[0]);
            // From here on, all of it has been confirmed.
            *account = Account { confirmed: found[0], sent: 0 };
        }
    }
}

/// The files of a store.
fn files(store: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| PathBuf::from(format!("{}{suffix}", store.display())))
}

fn remove(store: &Path) {
    files(store).iter().for_each(|file| drop(fs::remove_file(file)));
}

fn copy(from: &Path, to: &Path) {
    remove(to);
    // The shared memory is made again from the log.
    for (from, to) in files(from).iter().zip(files(to)).take(2).filter(|(from, _)| from.exists()) {
        fs::copy(from, to).unwrap();
    }
}

/// `ATOMIK_ROUNDS` chooses how many.
#[test]
fn what_a_peer_confirmed_survives_sigkill_whatever_is_left_of_the_store() {
    let rounds = std::env::var("ATOMIK_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    let mut cluster = Nodes::new(rounds ^ 0x5EED);
    for _ in 0..rounds {
        cluster.round();
    }
}
