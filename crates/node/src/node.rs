//! A node from its start to its end.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, Algebra, Xor};
use atomik_net::{Node, Tls};
use atomik_replica::{ClusterConfig, Timing};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{AlgebraName, Config};
use crate::session::Cache;
use crate::{http, server};

/// Runs a node until a signal ends it. Prints a line with its addresses when it can be used.
///
/// # Errors
///
/// If an address, the store or a certificate can't be used.
pub async fn run(config: Config) -> Result<(), Box<dyn Error>> {
    match config.algebra {
        AlgebraName::Add => run_with::<Add>(config).await,
        AlgebraName::Xor => run_with::<Xor>(config).await,
    }
}

async fn run_with<A: Algebra>(config: Config) -> Result<(), Box<dyn Error>> {
    let timing = Timing::new().with_tick(Duration::from_millis(config.tick));
    let mut cluster = ClusterConfig::new(&config.cluster, config.len).with_timing(timing);
    if !config.members.is_empty() {
        cluster = cluster.with_members(config.members.iter().copied());
    }
    let mut builder = Node::<A>::builder(cluster, config.id);
    if let Some(address) = &config.listen {
        builder = builder.listen(address);
    }
    builder = config.peers.iter().fold(builder, |builder, peer| builder.peer(peer));
    if let Some(address) = &config.udp {
        builder = builder.udp(address);
    }
    builder = config.udp_peers.iter().fold(builder, |builder, peer| builder.udp_peer(peer));
    if let Some(path) = &config.store {
        builder = builder.store(path);
    }
    if let Some(nats) = config.nats {
        builder = builder.nats(nats);
    }
    if let Some([certificate, key, authority]) = &config.tls {
        builder = builder.tls(Tls::from_pem(certificate, key, authority)?);
    }
    // Before anything listens, so that a signal at any time ends it in order.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let node = builder.start().await?;
    let clients = listen("--redis", &config.redis).await?;
    let metrics = match &config.http {
        Some(address) => Some(listen("--http", address).await?),
        None => None,
    };
    let clients_at = clients.local_addr()?;
    let metrics_at = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    let description = format!(
        "redis:{clients_at}\r\nalgebra:{:?}\r\nstore:{}\r\ntick_ms:{}\r\n",
        config.algebra,
        config.store.is_some(),
        config.tick
    );
    let cache =
        Arc::new(Cache { node: node.clone(), len: config.len, password: config.password, description });
    announce(&node, clients_at, metrics_at)?;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(server::serve(clients, Arc::clone(&cache)));
    if let Some(listener) = metrics {
        let cache = Arc::clone(&cache);
        tasks.spawn(async move {
            if let Err(error) = http::serve(listener, cache).await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // No client writes any more when the last version is made.
    tasks.shutdown().await;
    node.shutdown().await;
    Ok(())
}

/// Tells where the node can be reached, in one line that programs can read.
fn announce<A: Algebra>(
    node: &Node<A>,
    clients: SocketAddr,
    metrics: Option<SocketAddr>,
) -> std::io::Result<()> {
    let mut line = format!("ready id={} redis={clients}", node.id());
    for (name, address) in [("listen", node.local_addr()), ("udp", node.udp_addr()), ("http", metrics)] {
        if let Some(address) = address {
            line += &format!(" {name}={address}");
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn listen(option: &str, address: &str) -> Result<TcpListener, Box<dyn Error>> {
    TcpListener::bind(address).await.map_err(|cause| format!("{option} {address}: {cause}").into())
}
