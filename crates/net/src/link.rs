//! Connections: framed packets in both directions, whatever carries the bytes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use atomik_replica::{Peer, ReplicaId};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::handshake::{self, Handshake, Refused};
use crate::input::Input;
use crate::outgoing::Outgoing;
use crate::stats::Counters;

/// The length of what precedes a packet: the packet's own length, big-endian. A length of zero says only that the
/// connection lives.
const PREFIX: usize = 4;

/// For how much of a packet there is memory before anything of it has arrived.
const FIRST: usize = 16 << 10;

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest packet that is taken, in bytes.
    pub(crate) packet: usize,
    /// How many bytes wait for one connection.
    pub(crate) waiting: usize,
    /// How long a peer may take for a handshake, between two packets, for one packet, and to take what is sent.
    pub(crate) silence: Duration,
    /// How many connections there may be that peers made.
    pub(crate) connections: usize,
}

/// What a connection shares with its node.
#[derive(Clone)]
pub(crate) struct LinkContext {
    pub(crate) handshake: Handshake,
    pub(crate) limits: Limits,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) counters: Arc<Counters>,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It is this node itself.
    Itself,
    /// It was in use, and ended.
    Ended,
    /// It never came into use.
    Refused,
}

/// Runs a connection until it ends.
pub(crate) async fn run<S>(context: &LinkContext, mut stream: S, peer_address: &str) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let id = match timeout(context.limits.silence, greet(context.handshake, &mut stream)).await {
        Ok(Ok(Ok(id))) => id,
        Ok(Ok(Err(refused))) => {
            let (counter, end) = match refused {
                Refused::Handshake => (&context.counters.refused_handshake, End::Refused),
                Refused::Cluster => (&context.counters.refused_cluster, End::Refused),
                Refused::Itself => (&context.counters.refused_self, End::Itself),
            };
            counter.add(1);
            tracing::warn!(peer_address, ?refused, "a connection is refused");
            return end;
        }
        Ok(Err(error)) => {
            tracing::debug!(peer_address, %error, "a connection ended before its handshake");
            return End::Refused;
        }
        Err(_) => {
            context.counters.timed_out.add(1);
            tracing::debug!(peer_address, "a connection made no handshake in time");
            return End::Refused;
        }
    };
    let outgoing = Arc::new(Outgoing::new(context.limits.waiting));
    let peer = Peer(id.node);
    if context.inputs.send(Input::Connected(peer, Arc::clone(&outgoing))).await.is_err() {
        return End::Ended;
    }
    tracing::info!(peer_address, %id, "connected");
    context.counters.connections.add(1);
    let (reader, writer) = tokio::io::split(stream);
    let reason = tokio::select! {
        reason = read_all(context, peer, reader) => reason,
        reason = write_all(context, peer, &outgoing, writer) => reason,
    };
    outgoing.close();
    context.counters.connections.sub(1);
    context.counters.connections_ended.add(1);
    tracing::info!(peer_address, %id, reason, "disconnected");
    let _ = context.inputs.send(Input::Disconnected(peer, outgoing)).await;
    End::Ended
}

/// Says who this is, and hears who the other end is.
async fn greet<S>(own: Handshake, stream: &mut S) -> io::Result<Result<ReplicaId, Refused>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&own.to_bytes()).await?;
    stream.flush().await?;
    let mut bytes = [0; handshake::LEN];
    stream.read_exact(&mut bytes).await?;
    Ok(own.check(&bytes))
}

/// Hands on what arrives. Waits while the node is busy, so that the peer waits too. Returns why it ends.
async fn read_all<R: AsyncRead + Unpin>(context: &LinkContext, peer: Peer, mut reader: R) -> &'static str {
    let LinkContext { limits, inputs, counters, .. } = context;
    loop {
        let mut prefix = [0; PREFIX];
        match timeout(limits.silence, reader.read_exact(&mut prefix)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return "the peer closed it",
            Err(_) => {
                counters.timed_out.add(1);
                return "nothing arrived in time";
            }
        }
        let len = u32::from_be_bytes(prefix) as usize;
        if len == 0 {
            continue;
        }
        if len > limits.packet {
            counters.refused_length.add(1);
            return "the peer announced more bytes than a packet may have";
        }
        let packet = match timeout(limits.silence, read_packet(&mut reader, len)).await {
            Ok(Ok(packet)) => packet,
            Ok(Err(_)) => return "the peer closed it within a packet",
            Err(_) => {
                counters.timed_out.add(1);
                return "a packet did not arrive in time";
            }
        };
        counters.packets_received.add(1);
        counters.bytes_received.add((PREFIX + len) as u64);
        if inputs.send(Input::Packet(peer, packet.freeze())).await.is_err() {
            return "the node ended";
        }
    }
}

/// Reads a packet of this length. Memory is taken for what has arrived, and not for what was announced.
async fn read_packet<R: AsyncRead + Unpin>(reader: &mut R, len: usize) -> io::Result<BytesMut> {
    let mut packet = BytesMut::with_capacity(len.min(FIRST));
    let mut rest = reader.take(len as u64);
    while packet.len() < len {
        if rest.read_buf(&mut packet).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(packet)
}

/// Sends what waits. Returns why it ends.
async fn write_all<W: AsyncWrite + Unpin>(
    context: &LinkContext,
    peer: Peer,
    outgoing: &Outgoing,
    mut writer: W,
) -> &'static str {
    let LinkContext { limits, inputs, counters, .. } = context;
    let mut bytes = Vec::new();
    loop {
        let Some(packets) = outgoing.pop(limits.silence / 3).await else { return "the node closed it" };
        let sent: usize = packets.iter().map(Bytes::len).sum();
        bytes.clear();
        if packets.is_empty() {
            bytes.extend([0; PREFIX]);
        }
        for packet in &packets {
            bytes.extend((packet.len() as u32).to_be_bytes());
            bytes.extend_from_slice(packet);
        }
        let writing = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(limits.silence, writing).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return "the peer closed it",
            Err(_) => {
                counters.timed_out.add(1);
                return "the peer did not take what was sent in time";
            }
        }
        counters.packets_sent.add(packets.len() as u64);
        counters.bytes_sent.add(bytes.len() as u64);
        if bytes.capacity() > 1 << 20 {
            bytes = Vec::new();
        }
        if outgoing.sent(sent) && inputs.send(Input::CaughtUp(peer)).await.is_err() {
            return "the node ended";
        }
    }
}
