//! Deltas through a server of NATS, until the other node and the stream have all, against a message for each.

use std::error::Error;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::{self, Context, stream::Config};
use atomik_benches::ratio::Ratio;
use atomik_benches::run::Subject;
use atomik_core::{Add, DeltaMessage, Table, TableFanIn};
use atomik_net::{Nats, Node};
use atomik_replica::{Peer, Replica, ReplicaId};
use futures_util::StreamExt;
use tokio::runtime::Runtime;

use super::{ANY, LEN, Server, TICK, cluster};

/// Measures both, with the server that `ATOMIK_NATS_SERVER` names.
pub(super) fn stream_of_deltas(subject: &mut Subject, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    const DELTAS: usize = 20_000_000;
    const MESSAGES: usize = 50_000;
    let program = std::env::var_os("ATOMIK_NATS_SERVER").ok_or("ATOMIK_NATS_SERVER is not set")?;
    let folder = tempfile::tempdir()?;
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind(ANY)?.local_addr()?.port();
    let server = Command::new(program)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd", "store", "-l", "server.log"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()?;
    let _server = Server(server);
    thread::sleep(Duration::from_secs(2));
    let url = format!("nats://127.0.0.1:{port}");
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    runtime.block_on(async {
        let client = async_nats::connect(&url).await?;
        let context =
            ContextBuilder::new().max_ack_inflight(256).backpressure_on_inflight(true).build(client);
        let one = Node::<Add>::builder(cluster(LEN, TICK), 1).nats(Nats::new(&url)).start().await?;
        let two = Node::<Add>::builder(cluster(LEN, TICK), 2).nats(Nats::new(&url)).start().await?;
        one.reached(1).await?;
        two.reached(1).await?;
        let mut producer = one.producer();
        for round in 1..=5 {
            let total = (round * DELTAS) as u64;
            let begin = Instant::now();
            (0..DELTAS).for_each(|delta| producer.accum(delta % LEN, 1));
            one.converged().await?;
            assert_eq!((0..LEN).map(|addr| two.view().read(addr)).sum::<u64>(), total);
            while kept(&context, one.id()).await? != total {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ours = ours.min(begin.elapsed().as_nanos() as f64 / DELTAS as f64);
            theirs = theirs.min(messages(&context, round, MESSAGES).await? / MESSAGES as f64);
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    let rival = "a message of 16 bytes for each, 256 under way";
    subject.push(Ratio::new("a delta to another node and to JetStream", rival, [ours, theirs], 10.0));
    Ok(())
}

/// The sum of what the stream has of a start.
async fn kept(context: &Context, id: ReplicaId) -> Result<u64, Box<dyn Error>> {
    let cluster = cluster(LEN, TICK);
    let name = format!("{:016x}-1", cluster.digest());
    let stream = context.get_stream(format!("atomik-{name}")).await?;
    let subject = format!("atomik.{name}.shard.{}.{}.0", id.node, id.incarnation);
    let Ok(message) = stream.direct_get_last_for_subject(subject).await else { return Ok(0) };
    let reader = ReplicaId { node: 9, incarnation: 1 };
    let mut replica = Replica::<Add>::new(&cluster, TableFanIn::new(LEN).into(), reader)?;
    replica.receive(Duration::ZERO, Peer(1), &message.payload)?;
    Ok(replica.merged().iter().sum())
}

/// A message for each delta, acknowledged by the stream, and applied by an ordered consumer. Returns the nanoseconds
/// for all.
async fn messages(context: &Context, round: usize, count: usize) -> Result<f64, Box<dyn Error>> {
    let (name, subject) = (format!("deltas-{round}"), format!("deltas.{round}"));
    let config = Config { name, subjects: vec![subject.clone()], ..Config::default() };
    let stream: jetstream::stream::Stream = context.create_stream(config).await?;
    let mut received = stream.create_consumer(OrderedConfig::default()).await?.messages().await?;
    let begin = Instant::now();
    let receiver = tokio::spawn(async move {
        let table = Table::<Add>::new(LEN);
        for _ in 0..count {
            let message = received.next().await.expect("all arrive").expect("the server runs");
            let message = DeltaMessage::from_bytes(&message.payload).expect("a message has 16 bytes");
            table[message.addr as usize].accum(message.delta);
        }
        table.iter().map(|context| context.read()).sum::<u64>()
    });
    let mut acknowledged = tokio::task::JoinSet::new();
    for number in 0..count {
        let message = DeltaMessage { addr: (number % LEN) as u32, delta: 1, seq: number as u32 };
        let ack = context.publish(subject.clone(), message.to_bytes().to_vec().into()).await?;
        acknowledged.spawn(ack.into_future());
        while acknowledged.try_join_next().transpose()?.transpose()?.is_some() {}
    }
    while let Some(ack) = acknowledged.join_next().await {
        ack??;
    }
    assert_eq!(receiver.await?, count as u64);
    Ok(begin.elapsed().as_nanos() as f64)
}
