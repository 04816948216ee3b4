//! Names of the Python package `atomik-core`, and their counterparts here.
//!
//! The tables list every public name of version 0.4.0. Where a call has no counterpart, they show what to compose it
//! from; the program below each table runs these compositions. `ci/interop.sh` fails if the package has a name that is
//! not on this page.
//!
//! Three differences concern all types:
//!
//! - **Width.** A state has 64 bits. For a narrower one, mask the value that is read; for a wider one, use several
//!   addresses of a [`Table`](crate::Table).
//! - **Algebra.** The package has XOR alone. Most types here take an algebra as a parameter: [`Xor`](crate::Xor), or
//!   [`Add`](crate::Add) for counts.
//! - **Threads.** [`Context`](crate::Context), [`Table`](crate::Table), [`FanIn`](crate::FanIn) and
//!   [`TableFanIn`](crate::TableFanIn) are shared between threads without a lock. The types for messages, fingerprints
//!   and undo belong to one thread.
//!
//! # `AtomikContext`
//!
//! The package stores the reference and the accumulator. Here a [`Context`](crate::Context) `ctx` stores the state, and
//! the reference belongs to an observer, an [`Epoch`](crate::Epoch): `let mut epoch = ctx.epoch();`.
//!
//! | Python | Rust |
//! |---|---|
//! | `AtomikContext(initial_state=v)` | [`AtomikContext::new(v)`](crate::Context::new) |
//! | `ctx.load(v)` | [`ctx.load(v)`](crate::Context::load) |
//! | `ctx.accum(d)` | [`ctx.accum(d)`](crate::Context::accum) |
//! | `ctx.read()` | [`ctx.read()`](crate::Context::read) |
//! | `ctx.swap()` | [`epoch.swap()`](crate::Epoch::swap), which returns a [`Checkpoint`](crate::Checkpoint) |
//! | `ctx.swap(v)` | [`ctx.swap(v)`](crate::Context::swap) |
//! | `ctx.rollback(d)` | [`ctx.rollback(d)`](crate::Context::rollback); a stack of deltas is [`Rollback`](crate::Rollback) |
//! | `ctx.reference` | [`epoch.reference()`](crate::Epoch::reference) |
//! | `ctx.accumulator` | [`epoch.accumulator()`](crate::Epoch::accumulator) |
//! | `ctx.is_clean` | [`epoch.is_clean()`](crate::Epoch::is_clean) |
//! | `ctx.merge(other)` | `ctx.accum(other_epoch.accumulator())` |
//! | `ctx.delta_count` | an [`Epoch`](crate::Epoch) of a [`Counter`](crate::Counter) beside it: `edits.accumulator()` |
//! | `ctx.snapshot()` | `epoch.clone().swap()`, a [`Checkpoint`](crate::Checkpoint) that leaves the epoch open |
//! | `AtomikContext.from_snapshot(s)` | [`AtomikContext::new(s.state)`](crate::Context::new), then [`Epoch::resume`](crate::Epoch::resume) |
//! | `ctx.width` | 64 |
//! | `with ctx:` | `ctx.load(0)` at the end |
//! | `a == b` | `a.read() == b.read()` |
//!
//! ```
//! use atomik_core::{AtomikContext, Counter, Epoch};
//!
//! // merge: `other` started from the same reference.
//! let (ctx, other) = (AtomikContext::new(0xCAFE), AtomikContext::new(0xCAFE));
//! let (epoch, other_epoch) = (ctx.epoch(), other.epoch());
//! ctx.accum(0x00FF);
//! other.accum(0xFF00);
//! ctx.accum(other_epoch.accumulator());
//! assert_eq!(ctx.read(), 0xCAFE ^ 0xFFFF);
//!
//! // delta_count: count the deltas where they are made.
//! let mut edits = Epoch::new(Counter::new(0));
//! for delta in [1, 2, 3] {
//!     ctx.accum(delta);
//!     edits.get_ref().accum(1);
//! }
//! assert_eq!(edits.accumulator(), 3);
//! edits.swap(); // with each swap of the context
//! assert_eq!(edits.accumulator(), 0);
//!
//! // snapshot and from_snapshot.
//! let snapshot = epoch.clone().swap();
//! assert_eq!((snapshot.state, snapshot.delta), (epoch.read(), epoch.accumulator()));
//! let restored = AtomikContext::new(snapshot.state);
//! let epoch = Epoch::resume(&restored, snapshot);
//! assert_eq!((restored.read(), epoch.number()), (ctx.read(), 1));
//! ```
//!
//! # `AtomikTable`
//!
//! A [`Table`](crate::Table) is a slice of contexts, so `table[addr]` has all the calls above.
//!
//! | Python | Rust |
//! |---|---|
//! | `AtomikTable(num_contexts=n)` | [`AtomikTable::new(n)`](crate::Table::new) |
//! | `table.load(addr, v)`, `.accum(addr, d)`, `.read(addr)` | `table[addr].load(v)`, `.accum(d)`, `.read()`; `table.get(addr)` returns an `Option` |
//! | `table.swap(addr)` | [`table.epoch()`](crate::Table::epoch) for all addresses, `table[addr].epoch()` for one |
//! | `table.swap(addr, v)` | `table[addr].swap(v)` |
//! | `table.context(addr)` | `&table[addr]` |
//! | `table.batch_accum({addr: d})` | [`table.accum_batch(&batch)`](crate::Table::accum_batch) |
//! | `table.snapshot()` | [`TableEpoch::from_identity(&table).swap()`](crate::TableEpoch::from_identity); all states: [`table.snapshot(&mut words)`](crate::Table::snapshot) |
//! | `table.num_contexts` | `table.len()` |
//! | `table.width` | 64 |
//!
//! ```
//! use atomik_core::{AtomikTable, DeltaBatch, TableEpoch};
//!
//! let table = AtomikTable::new(256);
//! table[0].load(0x1000);
//! let deltas: DeltaBatch = [(0, 0x0010), (2, 0x0030)].into_iter().collect();
//! table.accum_batch(&deltas)?;
//!
//! // snapshot: the states that are not zero.
//! let snapshot = TableEpoch::from_identity(&table).swap();
//! assert!(snapshot.iter().eq([(0, 0x1010), (2, 0x0030)]));
//! # Ok::<(), atomik_core::AddressOutOfRange>(())
//! ```
//!
//! # `DeltaMessage` and `DeltaStream`
//!
//! The 16 bytes of a message are the same. Python's `msg.epoch` is not among them.
//!
//! | Python | Rust |
//! |---|---|
//! | `DeltaMessage(addr=a, delta=d, seq=s)` | [`DeltaMessage { addr, delta, seq }`](crate::DeltaMessage) |
//! | `msg.addr`, `.delta`, `.seq` | the same fields |
//! | `msg.epoch` | none; an [`Epoch`](crate::Epoch) numbers its epochs |
//! | `msg.to_bytes()` | [`message.to_bytes()`](crate::DeltaMessage::to_bytes) |
//! | `DeltaMessage.from_bytes(b)` | [`DeltaMessage::from_bytes(&b)`](crate::DeltaMessage::from_bytes) |
//! | `msg.to_dict()`, `DeltaMessage.from_dict(m)` | the feature `serde` |
//! | `DeltaStream(num_contexts=n)` | [`DeltaStream::<Xor>::new(n)`](crate::DeltaStream::new), or [`without_pending(n)`](crate::DeltaStream::without_pending) to send what `accum` returns |
//! | `stream.load(a, v)` | [`stream.load(a, v)`](crate::DeltaStream::load) |
//! | `stream.accum(a, d)` | [`stream.accum(a, d)`](crate::DeltaStream::accum) |
//! | `stream.apply(msg)` | [`stream.apply_from(sender, &message)`](crate::DeltaStream::apply_from); [`apply`](crate::DeltaStream::apply) does not drop duplicates |
//! | `stream.read(a)` | [`stream.read(a)`](crate::DeltaStream::read) |
//! | `stream.pending()` | [`stream.pending()`](crate::DeltaStream::pending) |
//! | `stream.contexts()` | [`stream.states()`](crate::DeltaStream::states) |
//!
//! # `Fingerprint`
//!
//! [`FoldFingerprint`](crate::FoldFingerprint) has the values of the package. The
//! [`Fingerprint`](crate::Fingerprint) of this crate has the same calls, and also sees words that change places.
//!
//! | Python | Rust |
//! |---|---|
//! | `Fingerprint()` | [`FoldFingerprint::new()`](crate::FoldFingerprint::new), [`Fingerprint::new()`](crate::Fingerprint::new) |
//! | `fp.load(data)` | [`load(&data)`](crate::Fingerprint::load) |
//! | `fp.update(data)` | [`update(&data)`](crate::Fingerprint::update) |
//! | `fp.accumulate_delta(old, new)` | [`replace(index, old, new)`](crate::Fingerprint::replace) |
//! | `fp.changed` | [`changed()`](crate::Fingerprint::changed) |
//! | `fp.value` | [`value()`](crate::Fingerprint::value) |
//! | `fp.delta` | [`FoldFingerprint::delta()`](crate::FoldFingerprint::delta) |
//! | `fp.reset()` | [`reset()`](crate::Fingerprint::reset) |
//!
//! ```
//! use atomik_core::FoldFingerprint;
//!
//! let mut fingerprint = FoldFingerprint::new();
//! let reference = fingerprint.load(&7u64.to_le_bytes());
//!
//! fingerprint.replace(0, 7, 9)?; // accumulate_delta
//! assert_eq!(fingerprint.delta(), 7 ^ 9);
//! fingerprint.reset();
//! assert_eq!(fingerprint.value(), reference);
//! # Ok::<(), atomik_core::IndexOutOfRange>(())
//! ```
//!
//! # `SyncTable` and its relatives
//!
//! These send a delta for each write and count on a transport that delivers each exactly once. The crate
//! `atomik-replica` does not: its `Replica` converges although packets are lost, repeated and reordered. Where the
//! transport is as good as that, a [`DeltaStream`](crate::DeltaStream) does what a `SyncTable` does:
//!
//! | Python | on a reliable transport | on any |
//! |---|---|---|
//! | `SyncTable(n)`, `AsyncSyncTable(n)` | [`DeltaStream::<Xor>::without_pending(n)`](crate::DeltaStream::without_pending) | `Replica::new` |
//! | `table.put(a, v)` | [`stream.put(a, v)`](crate::DeltaStream::put) | `replica.put`, or `replica.load` for the last writer to win |
//! | `table.on_delta(f)` | call `f` with the message that `put` returns | `poll_transmit`, in a loop |
//! | `table.receive(msg)` | [`stream.apply_from(sender, &message)`](crate::DeltaStream::apply_from) | `replica.receive` |
//! | `table.get(a)` | [`stream.read(a)`](crate::DeltaStream::read) | `replica.view().read` |
//! | `table.snapshot()` | [`stream.states().to_vec()`](crate::DeltaStream::states) | the stored shards |
//! | `SyncTable.from_snapshot(s)` | [`load`](crate::DeltaStream::load) each state, then [`begin`](crate::DeltaStream::begin) each sender | the stored shards |
//! | `table.diff(other)` | [`kernel::diff`](crate::kernel::diff) of the states | the version vectors and digests |
//! | `table.num_contexts`, `len(table)` | `stream.states().len()` | the length in its configuration |
//! | `table.width` | 64 | 64 |
//! | `iter(table)`, `a in table` | `0..len`, `stream.read(a).is_some()` | |
//! | `PersistentSyncTable(path=p)`, `.compact()`, `.close()` | a [`Table`](crate::Table) in the crate `atomik-checkpoint` | a store that the caller provides |
//! | `MemoryTransport().connect(t)`, `.disconnect(t)`, `.peer_count` | a loop over the nodes, as in [the cache](super::patterns#a-cache-on-three-nodes) | |
//! | `CallbackTransport(t, send_fn)`, `.receive_bytes(b)` | `send(message.to_bytes())`, [`from_bytes`](crate::DeltaMessage::from_bytes) | |
//! | `AsyncCallbackTransport(t, send_fn)`, `.send_pending()`, `.pending_count` | [`DeltaStream::new`](crate::DeltaStream::new), [`pending()`](crate::DeltaStream::pending) and its `len()` | |
//!
//! ```
//! use atomik_core::{DeltaBatch, DeltaStream, Xor, kernel};
//!
//! let (mut here, mut there) = (DeltaStream::<Xor>::new(256), DeltaStream::<Xor>::new(256));
//! let message = here.put(7, 0xBEEF)?;
//!
//! // diff: the addresses at which two tables differ.
//! let mut differences = DeltaBatch::new();
//! kernel::diff::<Xor>(here.states(), there.states(), &mut differences);
//! assert_eq!(differences.addresses(), [7]);
//! there.apply_from(1, &message)?;
//! assert_eq!(there.states(), here.states());
//!
//! // snapshot and from_snapshot.
//! let (snapshot, next) = (here.states().to_vec(), here.next_seq().unwrap());
//! let mut joined = DeltaStream::<Xor>::new(256);
//! for (addr, state) in (0..).zip(snapshot) {
//!     joined.load(addr, state)?;
//! }
//! joined.begin(1, next);
//! assert_eq!(joined.apply_from(1, &here.put(7, 0xF00D)?), Ok(true));
//! assert_eq!(joined.read(7), Some(0xF00D));
//! # Ok::<(), atomik_core::StreamError>(())
//! ```
//!
//! # The rest
//!
//! | Python | Rust |
//! |---|---|
//! | `bench_rollback()`, `bench_change_detection()`, `bench_convergence()`, `bench_bandwidth()`, `bench_throughput()` | the benchmarks behind `BENCHMARKS.md`, run by `ci/bench.sh` |
//! | `DeviceContext`, `DeviceTable`: `load`, `accum`, `read`, `swap`, `num_contexts`, `info`, `table_id`, `close` | none: these go through a kernel module. [`AtomikContext`](crate::AtomikContext) and [`AtomikTable`](crate::AtomikTable) are in the memory of the process |
