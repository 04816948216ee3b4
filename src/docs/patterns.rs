//! Five patterns and a cache, in Python and in Rust.
//!
//! The tutorials of the Python package [`atomik-core`] show five ways to use delta-state algebra, and build a cache on
//! three nodes. This page has each of them twice: on the left for that package, on the right for this crate. All
//! programs run: those in Rust are doc tests, and `ci/interop.sh` runs those in Python with version 0.4.0.
//!
//! [Names of the Python package](super::python) lists the counterpart of each call.
//!
//! <style>
//! .sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26em), 1fr)); column-gap: 1em;
//!   margin-bottom: 1em; }
//! .sides > div { min-width: 0; }
//! .sides pre { font-size: 0.9em; }
//! </style>
//!
//! # Accumulator fan-in
//!
//! Several writers accumulate into one state. Deltas commute, so the result does not depend on their order.
//!
//! <div class="sides"><div>
//!
//! ```python
//! import threading
//! from atomik_core import AtomikContext
//!
//! flags = AtomikContext()
//!
//! def worker(delta):
//!     flags.accum(delta)
//!
//! threads = []
//! for i in range(4):
//!     delta = 0xFF << 8 * i
//!     thread = threading.Thread(
//!         target=worker, args=[delta]
//!     )
//!     threads.append(thread)
//!     thread.start()
//! for thread in threads:
//!     thread.join()
//! assert flags.read() == 0xFFFF_FFFF
//! ```
//!
//! </div><div>
//!
//! ```
//! use atomik_core::{FanIn, Xor};
//!
//! static FLAGS: FanIn<Xor> = FanIn::new(0);
//!
//! std::thread::scope(|scope| {
//!     for i in 0..4 {
//!         scope.spawn(move || {
//!             let mut flags = FLAGS.producer();
//!             flags.accum(0xFF << (8 * i));
//!         });
//!     }
//! });
//! assert_eq!(FLAGS.read(), 0xFFFF_FFFF);
//! ```
//!
//! </div></div>
//!
//! In Python, `accum` reads the accumulator and then writes it: that no delta gets lost between the two is due to the
//! interpreter's global lock. A [`FanIn`](crate::FanIn) needs no lock, because each producer has a slot that nobody
//! else writes to. Counts need `FanIn<Add>`, because XOR can't sum. Where a single word is enough, use a
//! [`Context`](crate::Context); for many addresses, a [`TableFanIn`](crate::TableFanIn); for a gauge that goes up and
//! down, an [`UpDown`](crate::UpDown).
//!
//! # Epoch checkpointing
//!
//! From time to time a checkpoint closes the epoch: the state becomes the reference of the next one, whose accumulator
//! is empty.
//!
//! <div class="sides"><div>
//!
//! ```python
//! from atomik_core import AtomikContext
//!
//! state = AtomikContext()
//! state.load(0xCAFE)
//!
//! saved = []
//! for deltas in [[0x01, 0x10], [0x100]]:
//!     for delta in deltas:
//!         state.accum(delta)
//!     saved.append(state.swap())
//!
//! assert saved == [0xCAEF, 0xCBEF]
//! assert state.is_clean
//! ```
//!
//! </div><div>
//!
//! ```
//! use atomik_core::AtomikContext;
//!
//! let state = AtomikContext::new(0xCAFE);
//! let mut epoch = state.epoch();
//!
//! let mut saved = Vec::new();
//! for deltas in [&[0x01, 0x10][..], &[0x100]] {
//!     for &delta in deltas {
//!         state.accum(delta);
//!     }
//!     saved.push(epoch.swap());
//! }
//! assert_eq!(saved[0].state, 0xCAEF);
//! assert_eq!(saved[1].state, 0xCBEF);
//! assert_eq!(saved[1].delta, 0x100);
//! assert!(epoch.is_clean());
//! ```
//!
//! </div></div>
//!
//! In Rust the reference belongs to an observer, [`Epoch`](crate::Epoch), and not to the state. So any number of
//! observers can each have epochs of their own, while threads go on writing. [How epochs work](super::epochs) shows
//! why every delta is in exactly one epoch of each observer.
//!
//! # Fingerprint gate
//!
//! Expensive work is done only if its input has changed.
//!
//! <div class="sides"><div>
//!
//! ```python
//! from atomik_core import Fingerprint
//!
//! gate = Fingerprint()
//! gate.load(b"21.5 degrees")
//!
//! sent = []
//! for reading in [
//!     b"21.5 degrees",
//!     b"21.6 degrees",
//!     b"21.6 degrees",
//! ]:
//!     gate.update(reading)
//!     if gate.changed:
//!         sent.append(reading)
//!         gate.load(reading)
//!
//! assert sent == [b"21.6 degrees"]
//! ```
//!
//! </div><div>
//!
//! ```
//! use atomik_core::Fingerprint;
//!
//! let mut gate = Fingerprint::new();
//! gate.load(b"21.5 degrees");
//!
//! let mut sent = Vec::new();
//! for reading in [
//!     b"21.5 degrees",
//!     b"21.6 degrees",
//!     b"21.6 degrees",
//! ] {
//!     gate.update(reading);
//!     if gate.changed() {
//!         sent.push(reading);
//!         gate.set_reference();
//!     }
//! }
//! assert_eq!(sent, [b"21.6 degrees"]);
//! ```
//!
//! </div></div>
//!
//! The Python class folds the words by XOR, so it does not notice words that change places. The
//! [`Fingerprint`](crate::Fingerprint) of this crate depends on positions and on the length. The plain fold, with the
//! values of the Python package, is [`FoldFingerprint`](crate::FoldFingerprint). Both also take data in pieces, by
//! [`write`](crate::Fingerprint::write) and [`finish`](crate::Fingerprint::finish).
//!
//! # Rollback chain
//!
//! An undo stack keeps deltas instead of snapshots, 8 bytes a level.
//!
//! <div class="sides"><div>
//!
//! ```python
//! from atomik_core import AtomikContext
//!
//! document = AtomikContext(64, 0xD000)
//! undo_stack = []
//!
//! def apply(delta):
//!     document.accum(delta)
//!     undo_stack.append(delta)
//!
//! def undo():
//!     if undo_stack:
//!         delta = undo_stack.pop()
//!         document.rollback(delta)
//!
//! apply(0x001)
//! apply(0x010)
//! apply(0x100)
//! undo()
//! undo()
//! assert document.read() == 0xD001
//! ```
//!
//! </div><div>
//!
//! ```
//! use atomik_core::{AtomikContext, Rollback};
//!
//! let document = AtomikContext::new(0xD000);
//! let mut edits = Rollback::new(&document);
//!
//! edits.apply(0x001);
//! edits.apply(0x010);
//! edits.apply(0x100);
//! assert_eq!(edits.undo(), Some(0x100));
//! assert_eq!(edits.undo(), Some(0x010));
//! assert_eq!(document.read(), 0xD001);
//!
//! assert_eq!(edits.redo(), Some(0x010));
//! ```
//!
//! </div></div>
//!
//! [`Rollback`](crate::Rollback) can also redo, undo a [group](crate::Rollback::group) of edits as one, return to named
//! checkpoints, and bound its depth. An undo takes back an edit of this chain; deltas that others accumulated meanwhile
//! stay.
//!
//! # Multi-stream convergence
//!
//! Nodes that start from the same states send one another each delta in 16 bytes. The encoding is the same in both
//! languages, so a node in Python and a node in Rust understand each other.
//!
//! <div class="sides"><div>
//!
//! ```python
//! from atomik_core import (
//!     DeltaMessage, DeltaStream,
//! )
//!
//! here, there = DeltaStream(), DeltaStream()
//! for node in [here, there]:
//!     node.load(0, 0xCAFE)
//!
//! wire = here.accum(0, 0x00FF).to_bytes()
//! assert len(wire) == 16
//!
//! message = DeltaMessage.from_bytes(wire)
//! there.apply(message)
//! assert there.read(0) == 0xCA01
//! ```
//!
//! </div><div>
//!
//! ```
//! use atomik_core::{
//!     DeltaMessage, DeltaStream, Xor,
//! };
//!
//! let mut here = DeltaStream::<Xor>::new(256);
//! let mut there = here.clone();
//! for node in [&mut here, &mut there] {
//!     node.load(0, 0xCAFE)?;
//! }
//!
//! let wire = here.accum(0, 0x00FF)?.to_bytes();
//! assert_eq!(wire.len(), 16);
//!
//! let message =
//!     DeltaMessage::from_bytes(&wire)?;
//! there.apply_from(1, &message)?;
//! there.apply_from(1, &message)?; // dropped
//! assert_eq!(there.read(0), Some(0xCA01));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! </div></div>
//!
//! In Python a message that arrives twice cancels itself, and one that gets lost is never noticed.
//! [`DeltaStream::apply_from`](crate::DeltaStream::apply_from) drops duplicates, and
//! [`missing`](crate::DeltaStream::missing) shows losses. A [`DeltaStream`](crate::DeltaStream) can't repair them:
//! where the transport loses messages, use the crate `atomik-replica`.
//!
//! # A cache on three nodes
//!
//! Each node can write any key. It sends the delta from the old value to the new one to its peers.
//!
//! <div class="sides"><div>
//!
//! ```python
//! from atomik_core import (
//!     DeltaMessage, DeltaStream,
//! )
//!
//! class Node:
//!     def __init__(self):
//!         self.stream = DeltaStream()
//!         self.stream.load(0, 0xCAFE_BABE)
//!
//!     def put(self, key, value):
//!         delta = self.get(key) ^ value
//!         message = self.stream.accum(key, delta)
//!         return message.to_bytes()
//!
//!     def receive(self, wire):
//!         message = DeltaMessage.from_bytes(wire)
//!         self.stream.apply(message)
//!
//!     def get(self, key):
//!         return self.stream.read(key)
//!
//! nodes = [Node() for _ in range(3)]
//!
//! def put(at, key, value):
//!     wire = nodes[at].put(key, value)
//!     for to, node in enumerate(nodes):
//!         if to != at:
//!             node.receive(wire)
//!
//! put(0, 0, 0xDEAD_BEEF)
//! put(1, 1, 0x1111)
//! put(2, 2, 0x2222)
//! for node in nodes:
//!     values = [node.get(key) for key in range(3)]
//!     assert values == [0xDEAD_BEEF, 0x1111, 0x2222]
//! ```
//!
//! </div><div>
//!
//! ```
//! use atomik_core::{
//!     DeltaMessage, DeltaStream,
//!     StreamError, Xor,
//! };
//! use std::error::Error;
//!
//! struct Node(DeltaStream<Xor>);
//!
//! impl Node {
//!     fn new() -> Result<Node, StreamError> {
//!         let mut stream =
//!             DeltaStream::without_pending(256);
//!         stream.load(0, 0xCAFE_BABE)?;
//!         Ok(Node(stream))
//!     }
//! }
//!
//! let mut nodes =
//!     [Node::new()?, Node::new()?, Node::new()?];
//!
//! let mut put = |at: usize, key, value| {
//!     let message = nodes[at].0.put(key, value)?;
//!     let wire = message.to_bytes();
//!     for to in (0..3).filter(|&to| to != at) {
//!         let Node(stream) = &mut nodes[to];
//!         let message =
//!             DeltaMessage::from_bytes(&wire)?;
//!         stream.apply_from(at as u64, &message)?;
//!     }
//!     Ok::<(), Box<dyn Error>>(())
//! };
//!
//! put(0, 0, 0xDEAD_BEEF)?;
//! put(1, 1, 0x1111)?;
//! put(2, 2, 0x2222)?;
//! for Node(stream) in &nodes {
//!     assert_eq!(
//!         stream.states()[..3],
//!         [0xDEAD_BEEF, 0x1111, 0x2222],
//!     );
//! }
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! </div></div>
//!
//! Two limits of this cache are the same in both languages. It needs a transport that delivers every message, and two
//! nodes that write the same key at the same time leave a value that neither of them wrote: the deltas compose. The
//! crate `atomik-replica` lifts both: it converges on transports that lose and repeat packets, and its `load` is a
//! last-writer-wins register. Its example `cache` is this cache again.
//!
//! [`atomik-core`]: https://pypi.org/project/atomik-core/0.4.0/
