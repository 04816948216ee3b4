//! Nodes over loopback: `cargo bench -p atomik-benches --bench nodes [-- [--record]]`, after
//! `cargo build --release -p atomik-node`. Exits with 1 if a ratio misses its target by more than 15 %. Needs Debian's
//! `redis-server` and `redis-tools`, and a server of NATS whose path is in `ATOMIK_NATS_SERVER`: `ci/nats.sh --server`.

mod nats;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio, exit};
use std::thread;
use std::time::{Duration, Instant};

use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{Add, DeltaMessage, Table};
use atomik_net::Node;
use atomik_replica::{ClusterConfig, Timing};
use tokio::runtime::Runtime;

const ANY: &str = "127.0.0.1:0";
const LEN: usize = 4_096;
/// The default of a node.
const TICK: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let mut run = Run::from_args("nodes");
    run.subject("nodes", |subject| {
        let runtime = Runtime::new().expect("threads can be started");
        stream_of_deltas(subject, &runtime);
        latency(subject, &runtime);
        producing(subject, &runtime);
        coming_back(subject, &runtime);
    });
    run.subject("nats", |subject| {
        let runtime = Runtime::new().expect("threads can be started");
        if let Err(error) = nats::stream_of_deltas(subject, &runtime) {
            eprintln!("nats: {error}");
            exit(2);
        }
    });
    run.subject("redis", |subject| {
        if let Err(error) = redis(subject) {
            eprintln!("redis: {error}");
            exit(2);
        }
    });
    run.finish()
}

fn cluster(len: usize, tick: Duration) -> ClusterConfig {
    ClusterConfig::new("bench", len).with_timing(Timing::new().with_tick(tick))
}

/// Two nodes that are connected and take what the other one writes.
fn pair(runtime: &Runtime, len: usize, tick: Duration) -> [Node<Add>; 2] {
    runtime.block_on(async {
        let one = Node::<Add>::builder(cluster(len, tick), 1).listen(ANY).start().await.expect("it starts");
        let address = one.local_addr().expect("it listens").to_string();
        let two =
            Node::<Add>::builder(cluster(len, tick), 2).peer(&address).start().await.expect("it starts");
        one.reached(1).await.expect("it runs");
        two.reached(1).await.expect("it runs");
        [one, two]
    })
}

/// Deltas from one node to another, from the first `accum` until the other has all, against a message for each.
fn stream_of_deltas(subject: &mut Subject, runtime: &Runtime) {
    const DELTAS: usize = 20_000_000;
    const MESSAGES: usize = 300_000;
    let [one, two] = pair(runtime, LEN, TICK);
    let mut producer = one.producer();
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for round in 1..=5 {
        let begin = Instant::now();
        (0..DELTAS).for_each(|delta| producer.accum(delta % LEN, 1));
        runtime.block_on(one.converged()).expect("it runs");
        ours = ours.min(begin.elapsed().as_nanos() as f64 / DELTAS as f64);
        let sum: u64 = (0..LEN).map(|addr| two.view().read(addr)).sum();
        assert_eq!(sum, (round * DELTAS) as u64);
        theirs = theirs.min(messages(MESSAGES) / MESSAGES as f64);
    }
    subject.push(Ratio::new(
        "a delta to another node over TCP",
        "a message of 16 bytes a write",
        [ours, theirs],
        10.0,
    ));
}

/// A message a `write`, which another thread applies to a table. Returns the nanoseconds for all.
fn messages(count: usize) -> f64 {
    let listener = TcpListener::bind(ANY).expect("loopback is there");
    let mut stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    stream.set_nodelay(true).expect("it is a socket");
    let receiver = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("it connects");
        let (mut stream, table) = (BufReader::new(stream), Table::<Add>::new(LEN));
        let mut bytes = [0; 16];
        for _ in 0..count {
            stream.read_exact(&mut bytes).expect("all are sent");
            let message = DeltaMessage::from_bytes(&bytes).expect("it has 16 bytes");
            table[message.addr as usize].accum(message.delta);
        }
        table.iter().map(|context| context.read()).sum::<u64>()
    });
    let begin = Instant::now();
    for number in 0..count {
        let message = DeltaMessage { addr: (number % LEN) as u32, delta: 1, seq: number as u32 };
        stream.write_all(&message.to_bytes()).expect("the receiver reads");
    }
    assert_eq!(receiver.join().expect("it only counts"), count as u64);
    begin.elapsed().as_nanos() as f64
}

/// From an `accum` until another node's view has it, in the worst of a hundred cases, against a tick and the way of a
/// packet there and back.
fn latency(subject: &mut Subject, runtime: &Runtime) {
    let [one, two] = pair(runtime, LEN, TICK);
    let mut producer = one.producer();
    let mut seen: Vec<f64> = (1..=200_u64)
        .map(|count| {
            // At any time of the tick.
            thread::sleep(Duration::from_micros(13_000 + 97 * (count % 101)));
            let begin = Instant::now();
            producer.accum(7, 1);
            while two.view().read(7) < count {
                thread::yield_now();
            }
            begin.elapsed().as_nanos() as f64
        })
        .collect();
    seen.sort_unstable_by(f64::total_cmp);
    let way = round_trip() / 2.0;
    let bound = TICK.as_nanos() as f64 + way;
    println!("  median {:.1} ms, one way {:.0} us", seen[100] / 1e6, way / 1e3);
    subject.push(Ratio::new(
        "a delta is seen elsewhere, 99 % of them",
        "a tick and one way",
        [seen[197], bound],
        0.67,
    ));
}

/// The median time of a byte there and back.
fn round_trip() -> f64 {
    let listener = TcpListener::bind(ANY).expect("loopback is there");
    let mut stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    let (mut other, _) = listener.accept().expect("it connects");
    thread::spawn(move || {
        let mut byte = [0];
        while other.read_exact(&mut byte).and_then(|()| other.write_all(&byte)).is_ok() {}
    });
    let mut times: Vec<f64> = (0..1_000)
        .map(|_| {
            let begin = Instant::now();
            stream.write_all(&[1]).and_then(|()| stream.read_exact(&mut [0])).expect("the other end answers");
            begin.elapsed().as_nanos() as f64
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[500]
}

/// A producer while its node replicates all that it writes, a tick each millisecond, against the same without a peer and
/// with the default tick.
fn producing(subject: &mut Subject, runtime: &Runtime) {
    let count = |node: &Node<Add>| {
        let (mut producer, begin) = (node.producer(), Instant::now());
        let mut count = 0;
        while begin.elapsed() < Duration::from_millis(200) {
            (0..LEN).for_each(|addr| producer.accum(addr, 1));
            count += LEN;
        }
        begin.elapsed().as_nanos() as f64 / count as f64
    };
    let alone = Node::<Add>::builder(cluster(LEN, TICK), 9);
    let alone = runtime.block_on(alone.start()).expect("it starts");
    let [one, _two] = pair(runtime, LEN, Duration::from_millis(1));
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..7 {
        ours = ours.min(count(&one));
        theirs = theirs.min(count(&alone));
    }
    subject.push(Ratio::new("a producer while its node replicates", "a node alone", [ours, theirs], 0.9));
}

/// The bytes that move when a node comes back to a million words of which 1 % changed, against frames of these words.
fn coming_back(subject: &mut Subject, runtime: &Runtime) {
    const WORDS: usize = 1 << 20;
    const CHANGED: usize = WORDS / 100;
    let folder = tempfile::tempdir().expect("the folder can be written");
    let store = folder.path().join("node.db");
    let bytes = runtime.block_on(async {
        let one = Node::<Add>::builder(cluster(WORDS, TICK), 1).listen(ANY).start().await.expect("it starts");
        let address = one.local_addr().expect("it listens").to_string();
        let start = || Node::<Add>::builder(cluster(WORDS, TICK), 2).peer(&address).store(&store).start();
        let two = start().await.expect("it starts");
        one.reached(1).await.expect("it runs");
        let mut producer = one.producer();
        (0..WORDS).for_each(|addr| producer.accum(addr, 1));
        one.converged().await.expect("it runs");
        two.shutdown().await;
        (0..CHANGED).for_each(|addr| producer.accum(addr, 1));
        tokio::time::sleep(TICK * 5).await;
        let before = one.stats();
        let two = start().await.expect("it starts");
        one.reached(1).await.expect("it runs");
        one.converged().await.expect("it runs");
        assert_eq!((two.view().read(0), two.view().read(WORDS - 1)), (2, 1));
        let after = one.stats();
        after.bytes_sent + after.bytes_received - before.bytes_sent - before.bytes_received
    });
    let frames = 16 * CHANGED.next_multiple_of(64);
    println!("  {bytes} bytes for {CHANGED} words");
    // Bytes instead of nanoseconds.
    let each = [bytes as f64, frames as f64].map(|bytes| bytes / CHANGED as f64);
    subject.push(Ratio::new("a node comes back, bytes a changed word", "frames of these words", each, 0.67));
}

/// A process that ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Requests by `redis-benchmark` to one of three nodes that replicate, against `redis-server`.
fn redis(subject: &mut Subject) -> Result<(), Box<dyn std::error::Error>> {
    // Beside the folder of this program.
    let program =
        std::env::current_exe()?.parent().and_then(Path::parent).ok_or("no folder")?.join("atomik-node");
    let (mut nodes, mut ports, mut listens) = (Vec::new(), Vec::new(), Vec::<String>::new());
    for number in 1..=3 {
        let mut command = Command::new(&program);
        command.args(["--id", &number.to_string(), "--redis", ANY, "--listen", ANY]);
        listens.iter().for_each(|peer| {
            command.args(["--peer", peer]);
        });
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("the node has no output")?).read_line(&mut line)?;
        nodes.push(Server(child));
        let field =
            |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)).map(str::to_owned);
        let address = field("redis=").ok_or("the node did not start")?;
        ports.push(address.rsplit(':').next().unwrap_or_default().to_owned());
        listens.push(field("listen=").ok_or("the node did not start")?);
    }
    // A port that was free a moment ago.
    let port = TcpListener::bind(ANY)?.local_addr()?.port().to_string();
    let server = Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn()?;
    let _server = Server(server);
    thread::sleep(Duration::from_secs(5));
    for (name, arguments, target) in [
        (
            "INCRBY pipelined by 100, 2 connections",
            "-n 2000000 -P 100 -c 2 -r 100000 INCRBY __rand_int__ 3",
            1.0,
        ),
        ("INCR, 50 connections", "-n 200000 -c 50 -r 100000 INCRBY __rand_int__ 1", 0.9),
    ] {
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..5 {
            ours = ours.min(benchmark(&ports[0], arguments)?);
            theirs = theirs.min(benchmark(&port, arguments)?);
        }
        subject.push(Ratio::new(format!("{name}, three nodes"), "redis-server", [ours, theirs], target));
    }
    Ok(())
}

/// The nanoseconds of a request, by `redis-benchmark`.
fn benchmark(port: &str, arguments: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let output = Command::new("redis-benchmark")
        .args(["-h", "127.0.0.1", "-p", port, "--csv"])
        .args(arguments.split_whitespace())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().ok_or("redis-benchmark says nothing")?;
    let rate: f64 = line.split(',').nth(1).ok_or("no rate")?.trim_matches('"').parse()?;
    Ok(1e9 / rate)
}
