//! Small clusters, exhaustively: every order in which two or three nodes can tick, load, restart and receive packets,
//! over a network that loses, duplicates and reorders them.
//!
//! The transitions are the library's own code. In a state of the model, a node is the content of its store. Each step
//! resumes a `Replica` from the store, lets it do one thing, and stores it again. A packet that was sent stays in the
//! network, and may arrive at any time, again, or never. What the states must be is computed from single operations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, Algebra, TableFanIn, TableProducer, Xor};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};
use stateright::{Checker, Model, Property};

const LEN: usize = 2;
/// The models leave the timers out: each of their calls may come at any time.
const NOW: Duration = Duration::ZERO;

/// A LOAD: counter, node, incarnation, value.
type Loaded = (u64, u64, u64, u64);
type Writer = (u64, u64);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Operation {
    writer: Writer,
    version: u64,
    addr: usize,
    /// The LOAD that this operation is, or the one that the writer of this delta knew.
    loaded: Option<Loaded>,
    delta: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    incarnation: u64,
    /// The table has one shard, so there are the parts of one for each writer.
    store: BTreeMap<(Writer, u32), Vec<u8>>,
    known: BTreeMap<Writer, u64>,
    /// The merged and the live state of each address.
    states: [(u64, u64); LEN],
    ticks: u8,
    loads: u8,
    restarts: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    nodes: Vec<Node>,
    network: BTreeSet<(usize, usize, Vec<u8>)>,
    operations: Vec<Operation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Tick {
        node: usize,
        addr: usize,
    },
    Load {
        node: usize,
        addr: usize,
    },
    Restart {
        node: usize,
        keeps_store: bool,
    },
    /// Sends the whole version vector to all.
    VersionVector {
        node: usize,
    },
    Deliver {
        packet: usize,
    },
}

/// How much each node may do, and whether version vectors are sent.
#[derive(Clone, Debug)]
struct Limits {
    nodes: usize,
    ticks: u8,
    /// Nodes from this one on never tick.
    tickers: usize,
    loads: u8,
    /// Nodes from this one on never load.
    loaders: usize,
    restarts: u8,
    /// Nodes from this one on never restart.
    restarters: usize,
    version_vectors: bool,
}

struct Protocol<A> {
    limits: Limits,
    adds: bool,
    algebra: std::marker::PhantomData<fn() -> A>,
}

fn resume<A: Algebra>(node: usize, state: &Node) -> (Replica<A>, TableProducer<'static, A>) {
    let local = Arc::new(TableFanIn::new(LEN));
    let producer = local.producer_owned();
    let origin = ReplicaId { node: node as u64, incarnation: state.incarnation };
    let cluster = ClusterConfig::new("model", LEN).with_shard_words(64).with_packet_len(1);
    let replica = Replica::resume(&cluster, local, origin, state.store.values());
    (replica.expect("it continues from its own store"), producer)
}

fn store<A: Algebra>(replica: &mut Replica<A>, stored: &mut BTreeMap<(Writer, u32), Vec<u8>>) {
    if let Some(transaction) = replica.poll_store() {
        for shard in transaction.shards {
            let writer = (shard.origin.node, shard.origin.incarnation);
            if shard.replaces {
                stored.retain(|key, _| key.0 != writer);
            }
            stored.extend(shard.parts.into_iter().map(|part| ((writer, part.part), part.bytes)));
        }
        assert!(replica.stored(transaction.number));
    }
}

impl<A: Algebra> Protocol<A> {
    fn join(&self, a: u64, b: u64) -> u64 {
        if self.adds { a.wrapping_add(b) } else { a ^ b }
    }

    /// The LOAD of an address that wins among those that these versions cover.
    fn winner(state: &State, known: &BTreeMap<Writer, u64>, addr: usize) -> Option<Loaded> {
        Self::covered(state, known, addr).filter_map(|operation| operation.loaded).max()
    }

    fn covered<'a>(
        state: &'a State,
        known: &'a BTreeMap<Writer, u64>,
        addr: usize,
    ) -> impl Iterator<Item = &'a Operation> {
        state.operations.iter().filter(move |operation| {
            operation.addr == addr && known.get(&operation.writer).is_some_and(|&v| operation.version <= v)
        })
    }

    fn expected(&self, state: &State, known: &BTreeMap<Writer, u64>, addr: usize) -> u64 {
        let winner = Self::winner(state, known, addr);
        Self::covered(state, known, addr)
            .filter(|operation| operation.loaded == winner)
            .fold(winner.map_or(0, |winner| winner.3), |sum, operation| self.join(sum, operation.delta))
    }

    /// Lets a node act, stores its shards, and sends its packets.
    fn act(
        state: &mut State,
        node: usize,
        act: impl FnOnce(&mut Replica<A>, &mut TableProducer<'static, A>),
    ) {
        let (mut replica, mut producer) = resume::<A>(node, &state.nodes[node]);
        act(&mut replica, &mut producer);
        store(&mut replica, &mut state.nodes[node].store);
        while let Some((recipient, bytes)) = replica.poll_transmit() {
            for to in 0..state.nodes.len() {
                let is_recipient = match recipient {
                    Recipient::All => to != node,
                    Recipient::Peer(Peer(peer)) => to as u64 == peer,
                };
                if is_recipient {
                    state.network.insert((node, to, bytes.clone()));
                }
            }
        }
        Self::look(state, node, &replica);
    }

    /// Notes which versions a node knows, and its states.
    fn look(state: &mut State, node: usize, replica: &Replica<A>) {
        let view = replica.view();
        let found = &mut state.nodes[node];
        found.states = std::array::from_fn(|addr| (replica.merged()[addr], view.read(addr)));
        found.known = found
            .store
            .keys()
            .map(|&((node, incarnation), _)| {
                ((node, incarnation), replica.version(ReplicaId { node, incarnation }, 0))
            })
            .collect();
    }

    fn operate(state: &mut State, node: usize, addr: usize, load: Option<u64>) {
        let Node { incarnation, known, .. } = &state.nodes[node];
        let writer = (node as u64, *incarnation);
        let version = known.get(&writer).copied().unwrap_or(0) + 1;
        let winner = Self::winner(state, known, addr);
        let counter = winner.map_or(0, |winner| winner.0) + 1;
        let loaded = load.map(|value| (counter, writer.0, writer.1, value)).or(winner);
        let delta = u64::from(load.is_none());
        state.operations.push(Operation { writer, version, addr, loaded, delta });
        // Sorted, so that equal sets of operations are equal states of the model.
        state.operations.sort_unstable_by_key(|operation| (operation.writer, operation.version));
    }

    /// Whether the states of every node are the composition of what it knows.
    fn is_right(&self, state: &State) -> bool {
        state.nodes.iter().all(|node| {
            (0..LEN).all(|addr| {
                let expected = self.expected(state, &node.known, addr);
                node.states[addr] == (expected, expected)
            })
        })
    }

    fn all_loaded(&self, state: &State) -> bool {
        state.nodes.iter().all(|node| node.states[0].0 >= 100)
    }

    /// Whether all nodes would reach the states of everything that is known, if the links healed now.
    fn heals(&self, state: &State) -> bool {
        let mut all = BTreeMap::new();
        for (&writer, &version) in state.nodes.iter().flat_map(|node| &node.known) {
            let most = all.entry(writer).or_insert(0);
            *most = version.max(*most);
        }
        let mut shards = BTreeMap::new();
        let mut nodes: Vec<_> =
            state.nodes.iter().enumerate().map(|(node, found)| resume::<A>(node, found).0).collect();
        for _ in 0..2 {
            let count = nodes.len();
            for (from, to) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
                if from != to {
                    let vector = nodes[from].version_vector_packets().concat();
                    nodes[to].receive(NOW, Peer(from as u64), &vector).expect("it is valid");
                    for (asks, answers) in [(to, from), (from, to)] {
                        while let Some((_, packet)) = nodes[asks].poll_transmit() {
                            nodes[answers].receive(NOW, Peer(asks as u64), &packet).expect("it is valid");
                        }
                        store(&mut nodes[answers], &mut shards);
                    }
                }
            }
        }
        let expected: Vec<u64> = (0..LEN).map(|addr| self.expected(state, &all, addr)).collect();
        nodes.iter().all(|node| node.merged() == expected)
    }
}

impl<A: Algebra> Model for Protocol<A> {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let Limits { nodes, ticks, loads, restarts, .. } = self.limits;
        let node = Node {
            incarnation: 1,
            store: BTreeMap::new(),
            known: BTreeMap::new(),
            states: [(0, 0); LEN],
            ticks,
            loads,
            restarts,
        };
        vec![State { nodes: vec![node; nodes], network: BTreeSet::new(), operations: Vec::new() }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (node, found) in state.nodes.iter().enumerate() {
            for addr in 0..LEN {
                if found.ticks > 0 && node < self.limits.tickers {
                    actions.push(Action::Tick { node, addr });
                }
                // Only one of the addresses is ever loaded.
                if found.loads > 0 && addr == 0 && node < self.limits.loaders {
                    actions.push(Action::Load { node, addr });
                }
            }
            if found.restarts > 0 && node < self.limits.restarters {
                actions.push(Action::Restart { node, keeps_store: true });
                actions.push(Action::Restart { node, keeps_store: false });
            }
            if self.limits.version_vectors {
                actions.push(Action::VersionVector { node });
            }
        }
        actions.extend((0..state.network.len()).map(|packet| Action::Deliver { packet }));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick { node, addr } => {
                Self::operate(&mut state, node, addr, None);
                state.nodes[node].ticks -= 1;
                Self::act(&mut state, node, |replica, producer| {
                    producer.accum(addr, 1);
                    assert_eq!(replica.tick(), 1);
                });
                // The next fan-in begins at the identity, so the live states are the merged ones again.
            }
            Action::Load { node, addr } => {
                let value = 100 + node as u64;
                Self::operate(&mut state, node, addr, Some(value));
                state.nodes[node].loads -= 1;
                Self::act(&mut state, node, |replica, _| {
                    replica.load(addr, value).expect("the address is of the table");
                });
            }
            Action::Restart { node, keeps_store } => {
                let found = &mut state.nodes[node];
                found.restarts -= 1;
                found.incarnation += 1;
                if !keeps_store {
                    found.store.clear();
                }
                Self::act(&mut state, node, |_, _| {});
            }
            Action::VersionVector { node } => {
                let (replica, _) = resume::<A>(node, &state.nodes[node]);
                for bytes in replica.version_vector_packets() {
                    let others = (0..state.nodes.len()).filter(|&to| to != node);
                    state.network.extend(others.map(|to| (node, to, bytes.clone())));
                }
            }
            Action::Deliver { packet } => {
                let (from, to, bytes) = last.network.iter().nth(packet)?.clone();
                Self::act(&mut state, to, |replica, _| {
                    replica.receive(NOW, Peer(from as u64), &bytes).expect("it is valid");
                });
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("states are the composition of what is known", Self::is_right),
            Property::always("nodes converge once links heal", Self::heals),
            Property::sometimes("a load is known to all", Self::all_loaded),
        ]
    }
}

fn check<A: Algebra>(adds: bool, limits: Limits) {
    let name = format!("{limits:?}");
    let model = Protocol::<A> { limits, adds, algebra: std::marker::PhantomData };
    let checker = model.checker().threads(2).spawn_dfs().join();
    println!("{name}: {} states, {} of them different", checker.state_count(), checker.unique_state_count());
    assert!(checker.is_done(), "some states were not visited");
    checker.assert_properties();
}

/// Two nodes, each of which ticks once. One of them loads.
const LITTLE: Limits = Limits {
    nodes: 2,
    ticks: 1,
    tickers: 2,
    loads: 1,
    loaders: 1,
    restarts: 0,
    restarters: 0,
    version_vectors: false,
};

#[test]
fn two_nodes_tick_twice() {
    check::<Xor>(false, Limits { ticks: 2, ..LITTLE });
}

#[test]
fn two_nodes_load_and_restart() {
    check::<Add>(true, Limits { loaders: 2, restarts: 1, restarters: 2, ..LITTLE });
}

#[test]
fn two_nodes_exchange_version_vectors() {
    check::<Add>(true, Limits { version_vectors: true, ..LITTLE });
}

#[test]
fn three_nodes() {
    check::<Xor>(false, Limits { nodes: 3, ..LITTLE });
}

#[test]
fn three_nodes_and_a_restart() {
    check::<Add>(true, Limits { nodes: 3, restarts: 1, restarters: 2, ..LITTLE });
}
