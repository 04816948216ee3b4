//! The task that owns the replica of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atomik_core::{Algebra, Fingerprint};
use atomik_replica::{Event, Peer, Recipient, Replica, ReplicaId};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::changes::Mailbox;
use crate::input::{Call, Input};
#[cfg(feature = "nats")]
use crate::nats::{BROKER, Broker, NatsEvent};
use crate::outgoing::Outgoing;
use crate::stats::Counters;
use crate::status::Status;
#[cfg(feature = "store")]
use crate::store::StoreWriter;
use crate::udp::Udp;

/// How many transactions are written at a time: one, while the next one waits.
#[cfg(feature = "store")]
const WRITES: usize = 2;
/// How long a node that ends answers peers, which may lack what it announced last.
const FAREWELL: Duration = Duration::from_secs(2);
/// After how long peers are asked again while someone waits for them, at first and at last.
const FIRST_QUESTION: Duration = Duration::from_millis(5);
const LAST_QUESTION: Duration = Duration::from_millis(200);
/// The waits before a start goes on under another incarnation again: two programs under one name would take turns.
const FIRST_RENEWAL: Duration = Duration::from_secs(1);
const LAST_RENEWAL: Duration = Duration::from_secs(60);
/// How many inputs are taken before what is due is done.
const INPUTS: usize = 64;

/// Those who wait until peers have what was here when they asked.
#[derive(Default)]
struct Converging {
    /// The peers that are awaited, for those who asked first.
    peers: BTreeSet<Peer>,
    waiting: Vec<oneshot::Sender<usize>>,
    /// Who asked since.
    next: Vec<oneshot::Sender<usize>>,
    ask_again: Option<Instant>,
    /// After how long they are asked the next time.
    pause: Duration,
    /// How many peers there were.
    count: usize,
}

pub(crate) struct Driver<A: Algebra> {
    pub(crate) replica: Replica<A>,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) mailboxes: Arc<Mutex<Vec<Arc<Mailbox<A>>>>>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) udp: Option<Udp>,
    #[cfg(feature = "nats")]
    pub(crate) broker: Option<Broker>,
    #[cfg(feature = "store")]
    pub(crate) store: Option<StoreWriter>,
    links: BTreeMap<Peer, Vec<Arc<Outgoing>>>,
    /// Whether other nodes are connected, or reached through NATS, than the status says.
    peers_changed: bool,
    converging: Converging,
    begin: Instant,
    /// When the node goes on under another incarnation, and how long it waits for that the next time.
    renew_at: Option<Instant>,
    renewal_wait: Duration,
    end: Option<Instant>,
}

impl<A: Algebra> Driver<A> {
    pub(crate) fn new(
        replica: Replica<A>,
        inputs: mpsc::Receiver<Input>,
        counters: Arc<Counters>,
        mailboxes: Arc<Mutex<Vec<Arc<Mailbox<A>>>>>,
        status: watch::Sender<Status>,
    ) -> Self {
        Self {
            replica,
            inputs,
            counters,
            mailboxes,
            status,
            udp: None,
            #[cfg(feature = "nats")]
            broker: None,
            #[cfg(feature = "store")]
            store: None,
            links: BTreeMap::new(),
            peers_changed: false,
            converging: Converging::default(),
            begin: Instant::now(),
            renew_at: None,
            renewal_wait: Duration::ZERO,
            end: None,
        }
    }

    /// Runs until the node is shut down, or dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.turn();
            if self.end.is_some_and(|end| end <= Instant::now() || self.is_alone())
                && self.replica.is_stored()
            {
                break;
            }
            let input = tokio::select! {
                input = self.inputs.recv() => input,
                () = sleep_until(due) => continue,
            };
            let Some(input) = input else { break };
            self.handle(input);
            for _ in 1..INPUTS {
                let Ok(input) = self.inputs.try_recv() else { break };
                self.handle(input);
            }
        }
        self.links.values().flatten().for_each(|link| link.close());
        #[cfg(feature = "store")]
        if let Some(store) = self.store.take() {
            // The thread may wait to say that it has stored something.
            self.inputs.close();
            store.close().await;
        }
        self.lock_mailboxes().iter().for_each(|mailbox| mailbox.end());
    }

    fn lock_mailboxes(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Mailbox<A>>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Packet(peer, packet) => self.receive(peer, &packet),
            Input::Datagram(peer, from, packet) => {
                let is_new = self.udp.as_mut().is_some_and(|udp| udp.heard(peer, from));
                self.receive(peer, &packet);
                if is_new {
                    self.replica.hello(Recipient::Peer(peer));
                }
            }
            Input::Connected(peer, link) => {
                self.links.entry(peer).or_default().push(link);
                self.peers_changed = true;
                // The peer asks in the same way, so each gets what it lacks.
                self.replica.hello(Recipient::Peer(peer));
            }
            Input::Disconnected(peer, link) => {
                if let Some(links) = self.links.get_mut(&peer) {
                    links.retain(|other| !Arc::ptr_eq(other, &link));
                    if links.is_empty() {
                        self.links.remove(&peer);
                        self.peers_changed = true;
                        self.replica.remove_peer(peer);
                    }
                }
            }
            // It asks for what it lacks, and gets the newest of each shard.
            Input::CaughtUp(peer) => self.replica.send_version_vector(Recipient::Peer(peer)),
            #[cfg(feature = "nats")]
            Input::Nats(event) => self.handle_nats(event),
            #[cfg(feature = "store")]
            Input::Stored(number) => {
                self.counters.stored.add(1);
                self.replica.stored(number);
            }
            #[cfg(feature = "store")]
            Input::StoreFailed(number) => {
                self.counters.store_failed.add(1);
                let now = self.now();
                self.replica.store_failed(now, number);
            }
            Input::Call(call) => self.call(call),
        }
    }

    #[cfg(feature = "nats")]
    fn handle_nats(&mut self, event: NatsEvent) {
        let Some(broker) = &mut self.broker else { return };
        match event {
            NatsEvent::Connected => {
                broker.connected();
                // All answer, and ask in the same way.
                self.replica.hello(Recipient::All);
            }
            NatsEvent::Disconnected => {
                let gone = broker.disconnected();
                self.forget_peers(gone);
                self.replica.remove_peer(BROKER);
            }
            NatsEvent::Packet(peer, packet) => {
                let is_new = broker.heard(peer);
                self.receive(peer, &packet);
                if is_new {
                    self.peers_changed = true;
                    self.replica.hello(Recipient::Peer(peer));
                }
            }
            NatsEvent::CaughtUp => self.replica.send_version_vector(Recipient::All),
            NatsEvent::Opened(number) => {
                self.replica.remove_peer(BROKER);
                broker.opened(number);
            }
            NatsEvent::Stream(number, event) => {
                if let Some(packet) = broker.handle(&self.replica, number, event) {
                    self.receive(BROKER, &packet);
                }
            }
        }
    }

    /// Does what is due with NATS. A node that was not heard for long is not reached any more.
    #[cfg(feature = "nats")]
    fn turn_broker(&mut self) {
        let Some(broker) = &mut self.broker else { return };
        let gone = broker.forget_silent();
        broker.turn(&mut self.replica);
        self.forget_peers(gone);
    }

    /// Forgets nodes that are not reached through NATS any more, unless they are connected.
    #[cfg(feature = "nats")]
    fn forget_peers(&mut self, gone: Vec<Peer>) {
        self.peers_changed |= !gone.is_empty();
        for peer in gone.into_iter().filter(|peer| !self.links.contains_key(peer)) {
            self.replica.remove_peer(peer);
        }
    }

    /// The nodes that are reached through NATS.
    fn nodes_of_broker(&self) -> impl Iterator<Item = Peer> {
        #[cfg(feature = "nats")]
        return self.broker.iter().flat_map(Broker::nodes);
        #[cfg(not(feature = "nats"))]
        core::iter::empty()
    }

    fn receive(&mut self, peer: Peer, packet: &[u8]) {
        let counters = &self.counters;
        let received = match self.replica.receive(self.begin.elapsed(), peer, packet) {
            Ok(received) => received,
            Err(error) => {
                counters.refused_packets.add(1);
                tracing::warn!(peer = peer.0, %error, "a packet was refused");
                error.received
            }
        };
        counters.frames_applied.add(received.applied as u64);
        counters.frames_known.add(received.known as u64);
        counters.frames_gaps.add(received.gaps as u64);
        counters.frames_late.add(received.late.into());
        counters.shards_asked.add(received.behind as u64);
        let skipped = received.over_bound + received.beyond_table + received.cloned + received.unsupported;
        counters.skipped_sections.add(skipped as u64);
    }

    fn call(&mut self, call: Call) {
        match call {
            // If nobody waits for the answer any more, it has been done all the same.
            Call::Load(loads, answer) => drop(answer.send(self.replica.load_many(&loads))),
            Call::Put(addr, value, answer) => drop(answer.send(self.replica.put(addr, value))),
            Call::SetMembers(members, answer) => {
                self.replica.set_members(members);
                let _ = answer.send(());
            }
            Call::Converge(answer) => self.converging.next.push(answer),
            Call::Digest(answer) => {
                let mut fingerprint = Fingerprint::new();
                for words in self.replica.merged().chunks(512) {
                    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                    fingerprint.write(&bytes);
                }
                let _ = answer.send(fingerprint.finish());
            }
            Call::Answer(answer) => {
                let _ = answer.send(());
            }
            Call::ShutDown => {
                self.replica.tick();
                self.replica.send_version_vector(Recipient::All);
                self.end = Some(Instant::now() + FAREWELL);
                #[cfg(feature = "nats")]
                self.broker.iter_mut().for_each(Broker::hurry);
            }
        }
    }

    /// Whether nobody is there to whom something is to be said before the end.
    fn is_alone(&self) -> bool {
        #[cfg(feature = "nats")]
        if self.broker.as_ref().is_some_and(|broker| !broker.is_settled(&self.replica)) {
            return false;
        }
        self.links.is_empty() && self.udp.is_none() && self.nodes_of_broker().next().is_none()
    }

    /// Does what is due, and hands out what waits. Returns when the next turn is due, if no input comes before.
    fn turn(&mut self) -> Instant {
        let now = self.now();
        if self.renew_at.is_some_and(|at| at <= Instant::now()) {
            self.renew();
        }
        self.replica.handle_timeout(now);
        self.converge();
        #[cfg(feature = "nats")]
        self.turn_broker();
        #[cfg(feature = "store")]
        if let Some(store) = &self.store {
            while self.replica.storing() < WRITES
                && let Some(transaction) = self.replica.poll_store()
            {
                store.write(transaction);
            }
        }
        self.transmit();
        self.hand_out_changes();
        while let Some(event) = self.replica.poll_event() {
            self.report(event);
        }
        self.tell_status();
        let timeout = self.replica.poll_timeout().and_then(|due| self.begin.checked_add(due));
        #[cfg(feature = "nats")]
        let timeout = [timeout, self.broker.as_ref().and_then(Broker::due)].into_iter().flatten().min();
        let due =
            [timeout, self.renew_at, self.end.filter(|&end| end > Instant::now()), self.converging.ask_again];
        due.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600))
    }

    /// Tells the program what has changed. Who is reached is looked through only if that has.
    fn tell_status(&mut self) {
        let peers: Option<Vec<Peer>> = std::mem::take(&mut self.peers_changed).then(|| {
            let all = self.links.keys().copied().chain(self.nodes_of_broker());
            all.collect::<BTreeSet<Peer>>().into_iter().collect()
        });
        let (id, is_listening) =
            (self.replica.id(), self.replica.is_listening() || self.replica.is_waiting());
        self.status.send_if_modified(|status| {
            let mut is_new = (status.id, status.is_listening) != (id, is_listening);
            (status.id, status.is_listening) = (id, is_listening);
            if let Some(peers) = peers {
                is_new |= status.peers != peers;
                status.peers = peers;
            }
            is_new
        });
    }

    fn hand_out_changes(&mut self) {
        let mailboxes = Arc::clone(&self.mailboxes);
        let mut mailboxes = mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        // A mailbox that nobody reads any more is not kept.
        mailboxes.retain(|mailbox| Arc::strong_count(mailbox) > 1);
        if mailboxes.is_empty() {
            return;
        }
        self.replica.observe_changes();
        while let Some(changes) = self.replica.poll_changes() {
            mailboxes.iter().for_each(|mailbox| mailbox.add(&changes));
        }
    }

    fn send(&mut self, to: Recipient, packet: Bytes) {
        match to {
            #[cfg(feature = "nats")]
            Recipient::Peer(BROKER) => {
                if let Some(broker) = &mut self.broker {
                    broker.put(&self.replica, &packet);
                }
            }
            Recipient::All => {
                #[cfg(feature = "nats")]
                if self.broker.as_ref().is_some_and(|broker| !broker.send(to, packet.clone())) {
                    self.counters.dropped_slow.add(1);
                }
                for links in self.links.values() {
                    Self::push(&self.counters, links, packet.clone());
                }
                if let Some(udp) = &mut self.udp {
                    for address in udp.all(|peer| self.links.contains_key(&peer)) {
                        Self::send_datagrams(&self.counters, udp, address, &packet);
                    }
                }
            }
            Recipient::Peer(peer) => {
                self.counters.frames_resent.add(self.replica.frames(&packet).count() as u64);
                if let Some(links) = self.links.get(&peer) {
                    Self::push(&self.counters, links, packet);
                    return;
                }
                #[cfg(feature = "nats")]
                if let Some(broker) = self.broker.as_ref().filter(|broker| broker.reaches(peer)) {
                    if !broker.send(to, packet) {
                        self.counters.dropped_slow.add(1);
                    }
                    return;
                }
                if let Some(udp) = &mut self.udp
                    && let Some(address) = udp.source(peer)
                {
                    Self::send_datagrams(&self.counters, udp, address, &packet);
                } else {
                    self.counters.dropped_unreachable.add(1);
                }
            }
        }
    }

    /// Gives a packet to the newest connection of a peer.
    fn push(counters: &Counters, links: &[Arc<Outgoing>], packet: Bytes) {
        let len = packet.len();
        if !links.last().is_some_and(|link| link.push(packet, len)) {
            counters.dropped_slow.add(1);
        }
    }

    fn send_datagrams(counters: &Counters, udp: &mut Udp, to: SocketAddr, packet: &[u8]) {
        match udp.send(to, packet) {
            Some((_, bytes)) => {
                counters.packets_sent.add(1);
                counters.bytes_sent.add(bytes);
            }
            None => counters.dropped_datagrams.add(1),
        }
    }

    fn report(&mut self, event: Event) {
        let peer_is_wrong = matches!(event, Event::Skipped { .. } | Event::Late { .. });
        if !peer_is_wrong {
            self.counters.events.add(1);
        }
        match event {
            Event::Superseded { .. } | Event::Cloned { .. } => {
                tracing::warn!(?event, wait = ?self.renewal_wait, "going on under another incarnation");
                self.renew_at = Some(Instant::now() + self.renewal_wait);
                self.renewal_wait = (self.renewal_wait * 2).clamp(FIRST_RENEWAL, LAST_RENEWAL);
            }
            event if peer_is_wrong => tracing::debug!(?event, "a section was not taken"),
            event => tracing::error!(?event, "memory or a disk failed, here or at a peer"),
        }
    }

    /// Goes on under a new incarnation, above all that are known.
    fn renew(&mut self) {
        self.renew_at = None;
        let ReplicaId { node, incarnation } = self.replica.id();
        let known = self.replica.claim(node).unwrap_or(incarnation).max(incarnation);
        let drawn = ReplicaId::draw(node).incarnation.max(known.saturating_add(1));
        match self.replica.renew(drawn) {
            Ok(()) => {
                self.counters.renewals.add(1);
                tracing::warn!(id = %self.replica.id(), "this start goes on");
            }
            Err(error) => {
                tracing::error!(%error, "this start can't go on");
                self.renew_at = Some(Instant::now() + LAST_RENEWAL);
            }
        }
    }

    /// The peers that can be reached.
    fn reachable(&self) -> BTreeSet<Peer> {
        let by_udp = self.udp.iter().flat_map(Udp::nodes);
        self.links.keys().copied().chain(by_udp).chain(self.nodes_of_broker()).collect()
    }

    /// Answers those who wait for peers, and asks the peers again.
    fn converge(&mut self) {
        if self.converging.waiting.is_empty() && self.converging.next.is_empty() {
            return;
        }
        let (reachable, now) = (self.reachable(), Instant::now());
        // A peer that can't be reached any more is not waited for.
        let replica = &self.replica;
        self.converging.peers.retain(|peer| reachable.contains(peer) && replica.lacking(*peer) > 0);
        if self.converging.peers.is_empty() {
            answer(&mut self.converging.waiting, self.converging.count);
            if self.converging.next.is_empty() {
                self.converging.ask_again = None;
                return;
            }
            self.begin_to_converge(reachable);
        } else if self.converging.ask_again.is_some_and(|at| at <= now) {
            let Self { converging, replica, .. } = self;
            converging.peers.iter().for_each(|&peer| replica.hello(Recipient::Peer(peer)));
            converging.pause = LAST_QUESTION.min(converging.pause * 2);
            converging.ask_again = Some(now + converging.pause);
        }
    }

    /// Begins to wait until these peers have what is here now.
    fn begin_to_converge(&mut self, reachable: BTreeSet<Peer>) {
        self.replica.tick();
        // What is new goes before the question whether it is there.
        self.transmit();
        reachable.iter().for_each(|&peer| self.replica.await_peer(peer));
        let Self { converging, replica, .. } = self;
        converging.waiting = std::mem::take(&mut converging.next);
        converging.peers = reachable.into_iter().filter(|&peer| replica.lacking(peer) > 0).collect();
        converging.count = converging.peers.len();
        converging.pause = FIRST_QUESTION;
        converging.ask_again = Some(Instant::now() + converging.pause);
        if converging.peers.is_empty() {
            answer(&mut converging.waiting, 0);
            converging.ask_again = None;
        }
    }

    fn transmit(&mut self) {
        while let Some((to, packet)) = self.replica.poll_transmit() {
            self.send(to, packet.into());
        }
    }
}

/// Answers those who wait. If one does not wait any more, nothing is lost.
fn answer(waiting: &mut Vec<oneshot::Sender<usize>>, count: usize) {
    for answer in waiting.drain(..) {
        let _ = answer.send(count);
    }
}
