//! Why every delta is in exactly one epoch of each observer, and why the order of deltas does not matter.
//!
//! # The terms
//!
//! *A state word* is the word of a [`Context`](crate::Context), or one of those that a
//! [`FanIn`](crate::FanIn) is made of: the slot of one writer, or the cell that holds the initial state and the deltas
//! of threads without a slot. All its values, in the order in which they were written, are its *modification
//! order*: `s₀, s₁, s₂, …`. Each write stands for a *delta* `dᵢ = sᵢ₋₁⁻¹ ∘ sᵢ`: of an ACCUM it is the delta given,
//! of a LOAD or a SWAP(v) it is what leads from the state overwritten to `v`.
//!
//! An *observer* reads the word at the start, then once for each [`swap`](crate::Epoch::swap). Let `r₀, r₁, r₂, …`
//! be the positions in the modification order of what it read. Its epoch k has the delta from the state at
//! `rₖ` to that at `rₖ₊₁`. (The observer of a table may look first and read only if there is a change; of such two
//! reads the last is the one that counts, for the delta and for the reference alike.)
//!
//! # One word
//!
//! **An ACCUM's write follows directly on the value it took.** It is one read-modify-write, which reads the value
//! before its own in the modification order ([C++ standard][rmw], whose memory model Rust's is). So
//! `sᵢ = sᵢ₋₁ ∘ d` with its own `d`: no delta is lost or doubled, whoever else writes meanwhile. In a slot the one
//! writer's load and store do the same: there nobody else writes, and the next owner of the slot takes over by
//! an Acquire from the last one's Release.
//!
//! **An observer's reads only go forward**: `r₀ ≤ r₁ ≤ r₂ ≤ …`. This is read-read coherence, which holds for
//! accesses of one word by one thread with any ordering ([the same standard][coherence]); where the observer or its
//! checkpoint is handed to another thread, the handing over orders them
//! ([`Epoch::resume`](crate::Epoch::resume) asks for that).
//!
//! **So each delta is in exactly one epoch.** By the group's laws the delta of epoch k telescopes:
//!
//! ```text
//! s(rₖ)⁻¹ ∘ s(rₖ₊₁)  =  d(rₖ+1) ∘ d(rₖ+2) ∘ … ∘ d(rₖ₊₁)
//! ```
//!
//! The intervals `(rₖ, rₖ₊₁]` are disjoint, since the positions don't go back, and between `r₀` and the last
//! read they leave nothing out. So `dᵢ` with `i ≤ r₀` is in the reference that the observer started from, each
//! later one in the one epoch whose interval has i, and those after the last read in the open epoch: its
//! [`accumulator`](crate::Epoch::accumulator). Nothing is taken from the word, so another observer's positions
//! are its own, and the same holds for it. ∎
//!
//! A `swap` that read the word twice, once for the delta and once for the reference, would leave out what came
//! in between; the model `epochs_of_a_context` fails on that.
//!
//! # Many words
//!
//! A fan-in's state is the composition of its words, and [`FanIn::read`](crate::FanIn::read) reads each of them
//! once. Composition is commutative and associative, so the inverse of a composition is that of the inverses, and the
//! delta of an epoch can be written word by word, as the composition of what that epoch has of each word. For each word the argument above holds: each delta is in
//! exactly one epoch.
//!
//! This needs that a word, once seen, is seen by every later read of the same observer, and that a word not seen
//! yet contributed the identity. Lists only grow, a chunk's pointer is a word with one change, from null to the
//! chunk, and coherence holds for it too; a new slot holds the identity. GrowingList are made in order, so a reader that
//! stops at the first that is missing misses no chunk that an earlier read found. A slot that changes hands is neither
//! reset nor moved.
//!
//! What is *not* shown, because it does not hold: that the state is that of one instant. The positions in
//! different words are chosen one after the other. Of two deltas by different writers, the later may be in an
//! epoch and the earlier in the next. Each is in one all the same. An address of a
//! [`Table`](crate::Table) is a word of its own, and one of a [`TableFanIn`](crate::TableFanIn) has a word in each plane,
//! whose pointer changes once as a chunk's does; so a [`TableEpoch`](crate::TableEpoch) is one argument for each address.
//!
//! # Any order
//!
//! **The state after all writers are done depends on which deltas were made, not on their order.** By induction
//! over the modification order `sₙ = s₀ ∘ d₁ ∘ … ∘ dₙ`. Any permutation is a sequence of swaps of neighbours,
//! and `x ∘ dᵢ ∘ dᵢ₊₁ = x ∘ dᵢ₊₁ ∘ dᵢ` by associativity and commutativity. Over several words the compositions of
//! the words compose to the same. LOAD and SWAP(v) are the exception: the delta of such a write depends on what
//! it overwrites, so they have to be ordered by whoever makes them. ∎
//!
//! **So a delta can be taken back at any time**: with the inverse of `dᵢ` composed after `dₙ`, neighbours
//! swapped until both stand side by side compose to the identity, and the state is what it would be without
//! `dᵢ` ([`rollback`](crate::Context::rollback), [`Rollback`](crate::Rollback)).
//!
//! # What else is needed for the past
//!
//! On the word of a context, nothing above needs an ordering stronger than Relaxed. (A fan-in does: for the handing
//! over of slots, and to find what a pointer leads to as it was made.) That whoever reads a state sees *what each writer of a
//! delta in it did before* does: each ACCUM is Release, later RMWs continue its release sequence, and a read is
//! Acquire, so that each writer whose delta is in the value read happens before the reader. A LOAD by
//! another thread starts a new sequence; a SWAP(v) continues the old one and, being an Acquire as well, hands on what it
//! took.
//!
//! # Where it is checked
//!
//! | claim | check |
//! |---|---|
//! | group laws, telescoping, rollback, for all words | `ci/prove-algebra.sh` |
//! | each delta in one epoch, each ordering needed | the models in `loom-tests`, `ci/mutate-orderings.py` |
//! | operations are linearizable; a fan-in's reads hold what came before | `tests/linearizability` |
//! | all of it for minutes, with writers that come and go | `ci/soak.sh` |
//! | replicas converge | `ci/simulate.sh`, `models` |
//!
//! [rmw]: https://eel.is/c++draft/atomics.order
//! [coherence]: https://eel.is/c++draft/intro.races
