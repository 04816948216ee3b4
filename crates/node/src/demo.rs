//! `atomik-node --demo`: three nodes as processes, and what becomes of what is written to them.

use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use comfy_table::Table;

use crate::client::{Client, Reply};

const ANY: &str = "127.0.0.1:0";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How wide a bar is.
const BAR: usize = 24;

/// A node in a process of its own, which ends with this.
struct Process {
    child: Child,
    number: usize,
    /// Where it listens for nodes and for clients.
    listen: String,
    redis: String,
}

impl Process {
    /// Starts a node, and waits until it can be used.
    fn start(algebra: &str, number: usize, listen: &str, peers: &[&str]) -> Result<Self, Box<dyn Error>> {
        let program: PathBuf = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args([
            "--id",
            &number.to_string(),
            "--members",
            "1,2,3",
            "--cluster",
            "demo",
            "--len",
            "1000",
        ]);
        command.args(["--algebra", algebra, "--listen", listen, "--redis", ANY]);
        for peer in peers {
            command.args(["--peer", peer]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the node has no output")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        // From here on, the process ends with this.
        let mut process = Self { child, number, listen: String::new(), redis: String::new() };
        read?;
        let field = |name: &str| {
            let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            value.map(str::to_owned).ok_or_else(|| format!("node {number} did not start: {line:?}"))
        };
        (process.listen, process.redis) = (field("listen=")?, field("redis=")?);
        Ok(process)
    }

    fn client(&self) -> io::Result<Client> {
        Client::connect(&self.redis)
    }

    /// Ends the node as a power cut would: SIGKILL.
    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Three nodes of a cluster.
struct Nodes(Vec<Process>);

impl Nodes {
    fn start(algebra: &str) -> Result<Self, Box<dyn Error>> {
        let mut nodes: Vec<Process> = Vec::new();
        for number in 1..=3 {
            let peers: Vec<&str> = nodes.iter().map(|node| node.listen.as_str()).collect();
            let node = Process::start(algebra, number, ANY, &peers)?;
            println!("  node {number}: redis-cli -p {}", node.redis.rsplit(':').next().unwrap_or_default());
            nodes.push(node);
        }
        let nodes = Self(nodes);
        nodes.wait_for("each node is connected with the others, and takes what they write", |client| {
            let info = client.call("INFO")?.to_string();
            Ok(info.contains("connected_peers:2") && info.contains("listening:0"))
        })?;
        Ok(nodes)
    }

    /// Waits until something holds at each node.
    fn wait_for(
        &self,
        what: &str,
        holds: impl Fn(&mut Client) -> io::Result<bool>,
    ) -> Result<(), Box<dyn Error>> {
        let begin = Instant::now();
        for node in &self.0 {
            let mut client = node.client()?;
            while !holds(&mut client)? {
                if begin.elapsed() > PATIENCE {
                    return Err(format!("not in time at node {}: {what}", node.number).into());
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// Waits until all have everything, and shows some keys at each node. Returns their values, which are equal.
    fn show(&self, what: &str, keys: &[usize]) -> Result<Vec<u64>, Box<dyn Error>> {
        for node in &self.0 {
            node.client()?.call("ATOMIK.WAIT 30000")?;
        }
        let mut table = Table::new();
        table.set_header(
            std::iter::once(what.to_owned()).chain(self.0.iter().map(|node| format!("node {}", node.number))),
        );
        let mut values = Vec::new();
        for key in keys {
            let mut row = Vec::new();
            for node in &self.0 {
                row.push(value(&mut node.client()?, *key)? as u64);
            }
            if row.iter().any(|value| *value != row[0]) {
                return Err(format!("the nodes do not agree on key {key}: {row:x?}").into());
            }
            table.add_row(
                std::iter::once(format!("key {key}")).chain(row.iter().map(|value| format!("{value:#x}"))),
            );
            values.push(row[0]);
        }
        println!("{table}");
        Ok(values)
    }
}

fn value(client: &mut Client, key: usize) -> io::Result<i128> {
    match client.call(&format!("GET {key}"))? {
        Reply::Text(text) => text.parse().map_err(|_| io::Error::other(text)),
        other => Err(io::Error::other(format!("GET answered {other}"))),
    }
}

fn expect(what: &str, found: &[u64], expected: &[u64]) -> Result<(), Box<dyn Error>> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:x?} instead of {expected:x?}").into())
    }
}

/// Runs the demonstration.
///
/// # Errors
///
/// If the nodes don't agree, or not in time.
pub fn demo() -> Result<(), Box<dyn Error>> {
    steps()?;
    account()
}

/// The steps of the tutorials.
fn steps() -> Result<(), Box<dyn Error>> {
    println!("Three nodes, each a process, with words of 64 bits:");
    let nodes = Nodes::start("xor")?;
    let [one, two, three] = &*nodes.0 else { return Err("there are three nodes".into()) };
    let (mut one, mut two, mut three) = (one.client()?, two.client()?, three.client()?);
    let (cafebabe, deadbeef) = (0xCAFE_BABE, 0xDEAD_BEEF);
    one.call("ATOMIK.PUT 0 0xCAFEBABE")?;
    expect("a put", &nodes.show("node 1 puts 0xCAFEBABE", &[0])?, &[cafebabe])?;
    two.call("ATOMIK.PUT 0 0xDEADBEEF")?;
    expect("a second put", &nodes.show("node 2 puts 0xDEADBEEF", &[0])?, &[deadbeef])?;
    one.call("ATOMIK.PUT 1 0x1111")?;
    three.call("ATOMIK.PUT 2 0x2222")?;
    expect("two keys", &nodes.show("two keys at once", &[1, 2])?, &[0x1111, 0x2222])?;
    // Both are deltas from 0xDEADBEEF, unless one of them arrived before the other was made.
    one.send(&["ATOMIK.PUT 0 0xAAAA"])?;
    two.send(&["ATOMIK.PUT 0 0xBBBB"])?;
    one.reply()?;
    two.reply()?;
    let put = nodes.show("one key at once, by put", &[0])?;
    if ![0xAAAA, 0xBBBB, 0xAAAA ^ 0xBBBB ^ deadbeef].contains(&put[0]) {
        return Err(format!("puts at once gave {:#x}", put[0]).into());
    }
    one.send(&["SET 0 0xAAAA"])?;
    two.send(&["SET 0 0xBBBB"])?;
    one.reply()?;
    two.reply()?;
    let set = nodes.show("one key at once, by set", &[0])?;
    if ![0xAAAA, 0xBBBB].contains(&set[0]) {
        return Err(format!("sets at once gave {:#x}", set[0]).into());
    }
    Ok(())
}

/// What a writer knows of what it wrote.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// What all peers have.
    confirmed: i64,
    /// What was sent since, of which any part may be there.
    sent: i64,
}

/// Adds to a key in pipelines until it is told to stop, or the node is gone. After some, it waits until the peers have
/// it.
fn write(mut client: Client, key: usize, stop: &AtomicBool) -> Account {
    let mut account = Account::default();
    let add = format!("INCRBY {key} 3");
    let pipeline = vec![add.as_str(); 50];
    let mut round = || -> io::Result<()> {
        account.sent += 3 * pipeline.len() as i64;
        client.send(&pipeline)?;
        for _ in &pipeline {
            client.reply()?;
        }
        client.call("ATOMIK.WAIT 30000")?;
        account.confirmed += std::mem::take(&mut account.sent);
        Ok(())
    };
    while !stop.load(Ordering::Relaxed) && round().is_ok() {}
    account
}

/// Writers at all nodes, one of which is killed in the middle and brought back.
fn account() -> Result<(), Box<dyn Error>> {
    println!(
        "\nThree nodes that count. Node 3 is killed by SIGKILL while everybody writes, and brought back without its data:"
    );
    let mut nodes = Nodes::start("add")?;
    let stop = AtomicBool::new(false);
    let keys = [10, 20, 30];
    let accounts = thread::scope(|scope| -> Result<Vec<Account>, Box<dyn Error>> {
        let mut writers = Vec::new();
        for (node, key) in nodes.0.iter().zip(keys) {
            let client = node.client()?;
            let stop = &stop;
            writers.push(scope.spawn(move || write(client, key, stop)));
        }
        let ended = watch_and_kill(&mut nodes);
        stop.store(true, Ordering::Relaxed);
        let accounts = writers.into_iter().map(|writer| writer.join().unwrap_or_default()).collect();
        ended.map(|()| accounts)
    })?;
    let mut latest = nodes.0[2].client()?;
    latest.call("INCRBY 30 1000000")?;
    let found = nodes.show("what all have in the end", &keys)?;
    let expected =
        [accounts[0], accounts[1], Account { confirmed: accounts[2].confirmed + 1_000_000, ..accounts[2] }];
    for ((key, found), account) in keys.iter().zip(found).zip(expected) {
        let found = found as i64;
        let most = account.confirmed + account.sent;
        println!(
            "  key {key}: {found}; {} were confirmed before the end, and {} sent",
            account.confirmed, most
        );
        if found < account.confirmed || found > most {
            return Err(format!("key {key} has {found}: not from {} to {most}", account.confirmed).into());
        }
    }
    println!("All nodes agree with the account.");
    Ok(())
}

/// Shows what each node holds, kills node 3 and brings it back.
fn watch_and_kill(nodes: &mut Nodes) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    for step in 0..15 {
        thread::sleep(Duration::from_millis(100));
        if step == 5 {
            nodes.0[2].kill()?;
            println!("  {:>5} ms  node 3 is killed", begin.elapsed().as_millis());
        }
        if step == 9 {
            let listen = nodes.0[2].listen.clone();
            let peers = [nodes.0[0].listen.clone(), nodes.0[1].listen.clone()];
            nodes.0[2] = Process::start("add", 3, &listen, &[&peers[0], &peers[1]])?;
            println!("  {:>5} ms  node 3 starts again", begin.elapsed().as_millis());
        }
        let sums: Vec<Option<i64>> = nodes.0.iter().map(|node| sum(node).ok()).collect();
        let most = sums.iter().flatten().copied().max().unwrap_or(0).max(1);
        let bars: Vec<String> = sums.iter().map(|sum| bar(*sum, most)).collect();
        println!("  {:>5} ms  {}", begin.elapsed().as_millis(), bars.join("  "));
    }
    Ok(())
}

/// The sum of the keys that are written.
fn sum(node: &Process) -> io::Result<i64> {
    let mut client = node.client()?;
    Ok([10, 20, 30].map(|key| value(&mut client, key)).into_iter().sum::<io::Result<i128>>()? as i64)
}

/// A bar as long as a sum is of the greatest one, and the sum.
fn bar(sum: Option<i64>, most: i64) -> String {
    let Some(sum) = sum else { return format!("{:<BAR$} {:>9}", "", "gone") };
    let len = (sum as f64 / most as f64 * BAR as f64).round().clamp(0.0, BAR as f64) as usize;
    format!("{:<BAR$} {sum:>9}", "█".repeat(len))
}
