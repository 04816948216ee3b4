//! Reads of many live contexts, whichever table or plane they are in.

use crate::algebra::Algebra;
use crate::context::Context;
use crate::sync::{Ordering, fence};

/// How many words [`are_equal`] compares without a branch between them. With half as many the compiler unrolls the
/// whole loop, which makes it slower than memory.
const COMPARED: usize = 64;

/// Copies the states of contexts. Acquire for each of them.
pub(crate) fn copy<A: Algebra>(contexts: &[Context<A>], out: &mut [u64]) {
    for (word, context) in out.iter_mut().zip(contexts) {
        *word = context.read_relaxed();
    }
    // Acquire: pairs with the Release in `Context`'s `load`, `accum` and `swap`, for all loads above.
    fence(Ordering::Acquire);
}

/// Composes the states of contexts with the words in `out`. Acquire for each of them.
pub(crate) fn compose<A: Algebra>(contexts: &[Context<A>], out: &mut [u64]) {
    for (word, context) in out.iter_mut().zip(contexts) {
        *word = A::compose(*word, context.read_relaxed());
    }
    // Acquire: pairs with the Release in `Context`'s `load`, `accum` and `swap`, for all loads above.
    fence(Ordering::Acquire);
}

/// Whether each context was in the given state when it was read. If so, there is no new delta whose writer's past would
/// have to be visible, so there is no fence.
pub(crate) fn are_equal<A: Algebra>(contexts: &[Context<A>], states: &[u64]) -> bool {
    let (chunks, tail) = contexts.as_chunks::<COMPARED>();
    let (chunks_of_states, tail_of_states) = states.as_chunks::<COMPARED>();
    let is_chunk = |(contexts, states): (&[Context<A>; COMPARED], &[u64; COMPARED])| {
        let words = contexts.iter().zip(states);
        words.fold(0, |differences, (context, state)| differences | (context.read_relaxed() ^ state)) == 0
    };
    let is_word = |(context, &state): (&Context<A>, &u64)| context.read_relaxed() == state;
    chunks.iter().zip(chunks_of_states).all(is_chunk) && tail.iter().zip(tail_of_states).all(is_word)
}

#[cfg(test)]
mod tests;
