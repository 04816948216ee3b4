//! The tasks of a connection to NATS.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use atomik_replica::Recipient;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::broker::{Broker, UNDER_WAY};
use super::error::NatsError;
use super::events::{Command, NatsEvent, StreamEvent};
use super::limits::Needs;
use super::settings::Nats;
use super::stream::{OpenError, PATIENCE, ShardStream};
use super::subjects::Subjects;
use crate::backoff::Backoff;
use crate::input::Input;
use crate::link::LinkContext;
use crate::outgoing::Outgoing;
use crate::stats::Counters;

/// The waits between attempts to connect, and to open the stream.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(10);
/// How many messages wait for a subscription, at least and at most. When they are more, messages are dropped.
const WAITING: [usize; 2] = [1 << 9, 1 << 14];

/// What the tasks of a connection share with their node.
#[derive(Clone)]
pub(crate) struct NatsContext {
    pub(crate) nats: Nats,
    pub(crate) link: LinkContext,
    pub(crate) shards: usize,
}

/// Whether a server can be reached, and for which time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reached {
    times: u64,
    is_now: bool,
}

/// Connects to a server, and checks what it allows if it answers soon. Returns the sending half, and what runs until
/// the node ends. If the server does not answer, that goes on trying.
pub(crate) async fn connect(
    context: NatsContext,
) -> Result<(Broker, impl Future<Output = ()> + Send), NatsError> {
    let NatsContext { nats, link, shards } = context;
    let subjects = Subjects::new(&link.handshake);
    let needs = Needs::new(link.limits.packet, shards);
    let (state, mut reached) = watch::channel(Reached::default());
    let waiting = (link.limits.waiting / needs.message).clamp(WAITING[0], WAITING[1]);
    let options = options(&nats, state, Arc::clone(&link.counters)).await?.subscription_capacity(waiting);
    let servers = nats.servers.split(',').map(|address| address.trim().parse::<ServerAddr>());
    let servers = servers.collect::<Result<Vec<_>, _>>().map_err(NatsError::Address)?;
    let client = options
        .connect(servers)
        .await
        .map_err(|error| NatsError::Address(std::io::Error::new(std::io::ErrorKind::InvalidInput, error)))?;
    let answers = timeout(link.limits.silence / 5, changed(&mut reached, Reached::default())).await.is_ok();
    if answers && let Err(OpenError::Unfit(error)) = ShardStream::open(&client, &nats, &subjects, needs).await
    {
        return Err(error);
    }
    let outgoing = Arc::new(Outgoing::new(link.limits.waiting));
    let (send, commands) = mpsc::channel(4 * UNDER_WAY);
    let broker = Broker::new(Arc::clone(&outgoing), send, Arc::clone(&link.counters), nats.interval);
    let tasks = Connection { client, nats, link, subjects, needs, reached, outgoing };
    Ok((broker, tasks.run(commands)))
}

async fn options(
    nats: &Nats,
    state: watch::Sender<Reached>,
    counters: Arc<Counters>,
) -> Result<ConnectOptions, NatsError> {
    let file = |path: &std::path::Path, source| NatsError::File { path: path.to_owned(), source };
    let mut options = ConnectOptions::new();
    if let Some(path) = &nats.credentials {
        options = options.credentials_file(path).await.map_err(|source| file(path, source))?;
    }
    for path in nats.authority.iter().chain(nats.certificate.iter().flat_map(|(one, other)| [one, other])) {
        std::fs::read(path).map_err(|source| file(path, source))?;
    }
    if let Some(path) = &nats.authority {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &nats.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    let state = Arc::new(state);
    Ok(options
        .name("atomik-net")
        .no_echo()
        .retry_on_initial_connect()
        .reconnect_delay_callback(|attempts| {
            let mut backoff = Backoff::new(FIRST_WAIT, LAST_WAIT);
            (1..attempts.min(16)).fold(backoff.wait(), |_, _| backoff.wait())
        })
        .event_callback(move |event| {
            note(&state, &counters, &event);
            std::future::ready(())
        }))
}

/// Notes what the client of NATS reports.
fn note(state: &watch::Sender<Reached>, counters: &Counters, event: &Event) {
    match event {
        Event::Connected => {
            counters.nats_connected.add(1);
            state.send_modify(|state| *state = Reached { times: state.times + 1, is_now: true });
        }
        Event::Disconnected | Event::Closed => state.send_modify(|state| state.is_now = false),
        // One for each message that is dropped.
        Event::SlowConsumer(_) => return counters.dropped_slow.add(1),
        Event::Draining | Event::LameDuckMode => {}
        Event::ServerError(_) | Event::ClientError(_) => {
            counters.nats_failed.add(1);
            return tracing::warn!(%event, "NATS");
        }
    }
    tracing::info!(%event, "NATS");
}

/// A connection to a server of NATS, which the client makes again whenever it ends.
struct Connection {
    client: Client,
    nats: Nats,
    link: LinkContext,
    subjects: Subjects,
    needs: Needs,
    reached: watch::Receiver<Reached>,
    outgoing: Arc<Outgoing<(Recipient, Bytes)>>,
}

impl Connection {
    async fn run(self, commands: mpsc::Receiver<(u64, Command)>) {
        let mut tasks = JoinSet::new();
        for subject in self.subjects.incoming() {
            match self.client.subscribe(subject).await {
                Ok(packets) => {
                    tasks.spawn(receive(self.link.clone(), self.subjects.clone(), packets));
                }
                Err(error) => tracing::error!(%error, "packets from NATS can't be received"),
            }
        }
        let (client, link, subjects) = (self.client.clone(), self.link.clone(), self.subjects.clone());
        tasks.spawn(send(client, link, subjects, Arc::clone(&self.outgoing), self.reached.clone()));
        self.follow_stream(commands).await;
    }

    async fn tell(&self, event: NatsEvent) -> bool {
        self.link.inputs.send(Input::Nats(event)).await.is_ok()
    }

    /// Opens the stream whenever a server can be reached, and does what is to be done with it.
    async fn follow_stream(mut self, mut commands: mpsc::Receiver<(u64, Command)>) {
        let (mut backoff, mut number) = (Backoff::new(FIRST_WAIT, LAST_WAIT), 0);
        let mut told = Reached::default();
        loop {
            if !told.is_now {
                changed(&mut self.reached, told).await;
            }
            let now = *self.reached.borrow();
            if now != told {
                // A connection may have ended and come back unseen.
                let event = if now.is_now { NatsEvent::Connected } else { NatsEvent::Disconnected };
                if !self.tell(event).await {
                    return;
                }
                told = now;
            }
            if !now.is_now {
                continue;
            }
            number += 1;
            match ShardStream::open(&self.client, &self.nats, &self.subjects, self.needs).await {
                Ok(stream) => {
                    let begin = Instant::now();
                    if let Err(error) = self.use_stream(number, now, stream, &mut commands).await {
                        tracing::warn!(?error, "the stream can't be listed");
                    }
                    if begin.elapsed() > LAST_WAIT {
                        backoff.reset();
                    }
                }
                Err(OpenError::Unfit(error)) => {
                    self.link.counters.refused_nats.add(1);
                    tracing::error!(%error, "the stream is not used");
                }
                Err(OpenError::Unavailable(error)) => {
                    self.link.counters.nats_failed.add(1);
                    tracing::warn!(error, "the stream can't be opened");
                }
            }
            tokio::select! {
                () = sleep(backoff.wait()) => {}
                () = changed(&mut self.reached, now) => {}
            }
        }
    }

    /// Lists the stream and does what is to be done, until it has to be opened again.
    async fn use_stream(
        &mut self,
        number: u64,
        reached: Reached,
        stream: ShardStream,
        commands: &mut mpsc::Receiver<(u64, Command)>,
    ) -> Result<(), OpenError> {
        let (mut messages, count) = stream.list().await?;
        let inputs = self.link.inputs.clone();
        let tell = async |event| inputs.send(Input::Nats(NatsEvent::Stream(number, event))).await.is_ok();
        if !self.tell(NatsEvent::Opened(number)).await {
            return Ok(());
        }
        let (mut running, mut all_listed) = (JoinSet::new(), false);
        loop {
            // What was to be listed may have been removed.
            let pause = if count == 0 { Duration::ZERO } else { PATIENCE };
            tokio::select! {
                () = sleep(pause), if !all_listed => {
                    all_listed = true;
                    if !tell(StreamEvent::AllListed).await {
                        return Ok(());
                    }
                }
                () = changed(&mut self.reached, reached) => return Ok(()),
                message = messages.next() => {
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(error)) => return Err(OpenError::Unavailable(error.to_string())),
                        None => return Ok(()),
                    };
                    let is_last = message.info().is_ok_and(|info| info.pending == 0);
                    match stream.listed(&message) {
                        Some(event) => if !tell(event).await { return Ok(()) },
                        None => self.link.counters.refused_packets.add(1),
                    }
                    if is_last && !all_listed {
                        all_listed = true;
                        if !tell(StreamEvent::AllListed).await {
                            return Ok(());
                        }
                    }
                }
                command = commands.recv() => {
                    let Some((of, command)) = command else { return Ok(()) };
                    if of != number {
                        continue;
                    }
                    if command == Command::Reopen {
                        return Ok(());
                    }
                    let (stream, inputs) = (stream.clone(), inputs.clone());
                    running.spawn(async move {
                        if let Some(event) = stream.run(command).await {
                            let _ = inputs.send(Input::Nats(NatsEvent::Stream(number, event))).await;
                        }
                    });
                }
                Some(_) = running.join_next() => {}
            }
        }
    }
}

/// Waits until this does not hold any more. For ever, if the client has ended.
async fn changed(reached: &mut watch::Receiver<Reached>, last: Reached) {
    if reached.wait_for(|now| *now != last).await.is_err() {
        std::future::pending().await
    }
}

/// Hands on what arrives.
async fn receive(link: LinkContext, subjects: Subjects, mut packets: Subscriber) {
    let LinkContext { inputs, counters, limits, .. } = link;
    while let Some(message) = packets.next().await {
        let Some(peer) = subjects.sender(&message.subject) else {
            counters.refused_packets.add(1);
            continue;
        };
        if message.payload.len() > limits.packet {
            counters.refused_length.add(1);
            continue;
        }
        counters.packets_received.add(1);
        counters.bytes_received.add(message.payload.len() as u64);
        if inputs.send(Input::Nats(NatsEvent::Packet(peer, message.payload))).await.is_err() {
            return;
        }
    }
}

/// Sends what waits.
async fn send(
    client: Client,
    link: LinkContext,
    subjects: Subjects,
    outgoing: Arc<Outgoing<(Recipient, Bytes)>>,
    reached: watch::Receiver<Reached>,
) {
    let LinkContext { inputs, counters, limits, .. } = link;
    while let Some(packets) = outgoing.pop(limits.silence).await {
        let mut taken = 0;
        for (to, packet) in packets {
            let len = packet.len();
            taken += len;
            // What waits for a server that is away would be old when it is back.
            let sending = client.publish(subjects.packets(to), packet);
            if reached.borrow().is_now && matches!(timeout(limits.silence, sending).await, Ok(Ok(()))) {
                counters.packets_sent.add(1);
                counters.bytes_sent.add(len as u64);
            } else {
                counters.dropped_unreachable.add(1);
            }
        }
        let _ = timeout(limits.silence, client.flush()).await;
        if outgoing.sent(taken) && inputs.send(Input::Nats(NatsEvent::CaughtUp)).await.is_err() {
            return;
        }
    }
}
