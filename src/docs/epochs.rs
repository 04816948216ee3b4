//! Why every delta is in exactly one epoch of each observer, and why the order of deltas does not matter.
//!
//! # Terms
//!
//! A *state word* is the word of a [`Context`](crate::Context), or one of the words of a
//! [`FanIn`](crate::FanIn): the slot of one writer, or the cell that holds the initial state and the deltas of
//! threads without a slot. The *modification order* of a word is the sequence of its values, in the order in which
//! they were written: `s₀, s₁, s₂, …`. Each write stands for a *delta* `dᵢ = sᵢ₋₁⁻¹ ∘ sᵢ`. The delta of an ACCUM is
//! the one that was given. The delta of a LOAD or a SWAP(v) leads from the state that it overwrites to `v`.
//!
//! An *observer* reads the word once when it is created, and once in each [`swap`](crate::Epoch::swap). Let
//! `r₀, r₁, r₂, …` be the positions in the modification order of the values that it read. Epoch k of the observer
//! has the delta from the state at `rₖ` to the state at `rₖ₊₁`. (The observer of a table may read a word twice in a
//! swap, first to see whether it changed. Then the second read counts, both for the delta and for the reference.)
//!
//! # One word
//!
//! **The write of an ACCUM directly follows the value that it read.** An ACCUM is one read-modify-write, which reads
//! the value before its own write in the modification order ([C++ standard][rmw], whose memory model Rust uses). So
//! `sᵢ = sᵢ₋₁ ∘ d` with its own `d`. No delta is lost or doubled, whatever other threads write. In a slot, a load and
//! a store by the only writer have the same effect, because no other thread writes to the slot. The next owner of the
//! slot takes it over with an Acquire that pairs with a Release of the last owner.
//!
//! **The reads of an observer only move forward**: `r₀ ≤ r₁ ≤ r₂ ≤ …`. This is read-read coherence, which holds for
//! all accesses of one thread to one word, whatever their ordering ([C++ standard][coherence]). Where an observer or a
//! checkpoint passes to another thread, the reads before happen before the reads after
//! ([`Epoch::resume`](crate::Epoch::resume) requires that).
//!
//! **So each delta is in exactly one epoch.** By the laws of the group, the delta of epoch k telescopes:
//!
//! ```text
//! s(rₖ)⁻¹ ∘ s(rₖ₊₁)  =  d(rₖ+1) ∘ d(rₖ+2) ∘ … ∘ d(rₖ₊₁)
//! ```
//!
//! The intervals `(rₖ, rₖ₊₁]` are disjoint, because the positions don't move back, and together they contain every
//! position between `r₀` and the last read. A delta `dᵢ` with `i ≤ r₀` is in the first reference. A later one is in
//! the epoch whose interval contains i. One after the last read is in the open epoch, that is, in its
//! [`accumulator`](crate::Epoch::accumulator). An observer takes nothing out of the word, so another observer has
//! positions of its own, and the same argument holds for it. ∎
//!
//! A `swap` that read the word twice, once for the delta and once for the reference, would lose the deltas between the
//! two reads. The model `epochs_of_a_context` fails on such a `swap`.
//!
//! # Many words
//!
//! The state of a fan-in is the composition of its words, and [`FanIn::read`](crate::FanIn::read) reads each word
//! once. Composition is commutative and associative, so the inverse of a composition is the composition of the
//! inverses. The delta of an epoch is therefore the composition of one delta for each word, and the argument above
//! holds for each word: each of its deltas is in exactly one epoch.
//!
//! Two conditions have to hold. An observer that has seen a word must see it in every later read, and a word that it
//! has not seen must have contributed the identity. The first holds because a list of slots never shrinks. The
//! pointer to one of its chunks is a word that changes once, from null to the chunk, and coherence holds for it too.
//! The chunks are made in order, so a reader that stops at the first missing chunk misses none that an earlier read
//! found. The second holds because a new slot contains the identity, and a slot that gets a new owner keeps its value.
//!
//! The words of one read are *not* those of one instant, because the read takes them one after the other. Of two
//! deltas by different writers, the later one may be in an epoch and the earlier one in the next epoch. Each is
//! in exactly one. An address of a [`Table`](crate::Table) is a word of its own. An address of a
//! [`TableFanIn`](crate::TableFanIn) has one word in each plane, and the pointer to a plane changes once, as that to a
//! chunk. So the argument for a [`TableEpoch`](crate::TableEpoch) is the argument above, for each address.
//!
//! # Any order
//!
//! **The state after all writers have finished depends on which deltas were made, and not on their order.** By
//! induction over the modification order, `sₙ = s₀ ∘ d₁ ∘ … ∘ dₙ`. Any permutation is a sequence of exchanges of
//! neighbours, and `x ∘ dᵢ ∘ dᵢ₊₁ = x ∘ dᵢ₊₁ ∘ dᵢ` because the group is associative and commutative. The composition of
//! several words is again a composition of all their deltas. LOAD and SWAP(v) are different: the delta of such a write
//! depends on the state that it overwrites, so the caller has to order them. ∎
//!
//! **So a delta can be taken back at any time.** Compose the inverse of `dᵢ` after `dₙ`, and exchange neighbours until
//! `dᵢ` and its inverse are next to each other. Together they are the identity, so the state is what it would be without
//! `dᵢ` ([`rollback`](crate::Context::rollback), [`Rollback`](crate::Rollback)). A LOAD after `dᵢ` has a delta that
//! depends on `dᵢ`, so taking `dᵢ` back changes the state that was loaded.
//!
//! # What needs an ordering
//!
//! For one word, nothing above needs an ordering stronger than Relaxed. A fan-in needs stronger ones, to hand over
//! slots and to publish what a pointer points to. The library guarantees more: a thread that reads a state sees
//! *everything that the writer of each delta in it did before*. Each ACCUM is a Release, later read-modify-writes
//! continue its release sequence, and a read is an Acquire, so the writer of each delta in the value happens before
//! the reader. A LOAD by another thread starts a new release sequence. A SWAP(v) continues the old one, and because it
//! is also an Acquire, it passes on what it acquired.
//!
//! # Where this is checked
//!
//! | claim | check |
//! |---|---|
//! | the laws of the groups, telescoping and rollback, for all words | `ci/prove-algebra.sh` |
//! | each delta is in one epoch, and each ordering is needed | the models in `loom-tests`, `ci/mutate-orderings.py` |
//! | the operations are linearizable, and a read of a fan-in contains what happened before it | `tests/linearizability` |
//! | all of it under load, while writers come and go | `ci/soak.sh` |
//!
//! [rmw]: https://eel.is/c++draft/atomics.order
//! [coherence]: https://eel.is/c++draft/intro.races
