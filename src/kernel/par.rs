//! The kernels on rayon's threads, for slices larger than the caches.
//!
//! Each is the function of [`kernel`](super) with the same name, and has the same results, panics and errors. Slices are
//! divided into chunks of 512 KiB; a slice of one chunk is left to the calling thread. Where one core saturates the
//! memory, further ones gain nothing, so measure.

use rayon::prelude::*;

use super::vector::{LANES, prefetch};
use super::{ApplyWireError, diff_more, same_length, scatter};
use crate::algebra::Algebra;
use crate::context::Context;
use crate::delta::{AddressOutOfRange, DeltaBatch, DeltaMessage};

/// The words that one thread takes at a time: so many that handing them over takes a small part of the time, and a whole
/// number of vectors.
const TASK_WORDS: usize = 8192 * LANES;

/// [`kernel::fold`](super::fold) on all threads.
///
/// ```
/// use atomik_core::{Add, kernel};
///
/// let words: Vec<u64> = (0..1_000_000).collect();
/// assert_eq!(kernel::par::fold::<Add>(&words), 499_999_500_000);
/// ```
#[must_use]
pub fn fold<A: Algebra>(words: &[u64]) -> u64 {
    if words.len() <= TASK_WORDS {
        return super::fold::<A>(words);
    }
    words.par_chunks(TASK_WORDS).map(super::fold::<A>).reduce(|| A::IDENTITY, A::compose)
}

/// [`kernel::accum`](super::accum) on all threads.
///
/// # Panics
///
/// If the slices have different lengths.
#[track_caller]
pub fn accum<A: Algebra>(words: &mut [u64], deltas: &[u64]) {
    same_length(words.len(), deltas.len());
    if words.len() <= TASK_WORDS {
        return super::accum::<A>(words, deltas);
    }
    let chunks = words.par_chunks_mut(TASK_WORDS).zip(deltas.par_chunks(TASK_WORDS));
    chunks.for_each(|(words, deltas)| super::accum::<A>(words, deltas));
}

/// [`kernel::equal`](super::equal) on all threads.
#[must_use]
pub fn equal(a: &[u64], b: &[u64]) -> bool {
    if a.len() != b.len() || a.len() <= TASK_WORDS {
        return super::equal(a, b);
    }
    a.par_chunks(TASK_WORDS).zip(b.par_chunks(TASK_WORDS)).all(|(a, b)| super::equal(a, b))
}

/// [`kernel::first_difference`](super::first_difference) on all threads.
#[must_use]
pub fn first_difference(a: &[u64], b: &[u64]) -> Option<usize> {
    let shorter = a.len().min(b.len());
    if shorter <= TASK_WORDS {
        return super::first_difference(a, b);
    }
    let chunks = a[..shorter].par_chunks(TASK_WORDS).zip(b[..shorter].par_chunks(TASK_WORDS)).enumerate();
    let found = chunks
        .find_map_first(|(number, (a, b))| super::first_difference(a, b).map(|at| number * TASK_WORDS + at));
    found.or_else(|| (a.len() != b.len()).then_some(shorter))
}

/// [`kernel::diff`](super::diff) on all threads. It needs twice the memory for the changes.
///
/// # Panics
///
/// If the slices have different lengths, or more than 2³² words.
#[track_caller]
pub fn diff<A: Algebra>(reference: &[u64], state: &[u64], batch: &mut DeltaBatch<A>) {
    if reference.len() <= TASK_WORDS || reference.len() as u64 > 1 << 32 {
        return super::diff(reference, state, batch);
    }
    same_length(reference.len(), state.len());
    let chunks = reference.par_chunks(TASK_WORDS).zip(state.par_chunks(TASK_WORDS)).enumerate();
    let parts: alloc::vec::Vec<DeltaBatch<A>> = chunks
        .map(|(number, (reference, state))| {
            let mut part = DeltaBatch::new();
            diff_more((number * TASK_WORDS) as u32, reference, state, true, &mut part);
            part
        })
        .collect();
    batch.clear();
    for mut part in parts {
        batch.changes_mut().append(part.changes_mut());
    }
}

/// [`kernel::apply`](super::apply) on all threads.
///
/// # Errors
///
/// Those of [`kernel::apply`](super::apply).
pub fn apply<A: Algebra>(words: &mut [u64], batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
    if words.len() <= TASK_WORDS {
        return super::apply(words, batch);
    }
    batch.check_fits(words.len())?;
    let (addresses, deltas) = (batch.addresses(), batch.deltas());
    words.par_chunks_mut(TASK_WORDS).enumerate().for_each(|(number, words)| {
        let start = number * TASK_WORDS;
        let from = addresses.partition_point(|&addr| (addr as usize) < start);
        let to = addresses.partition_point(|&addr| (addr as usize) < start + words.len());
        for (&addr, &delta) in addresses[from..to].iter().zip(&deltas[from..to]) {
            let word = &mut words[addr as usize - start];
            *word = A::compose(*word, delta);
        }
    });
    Ok(())
}

/// [`kernel::apply_wire`](super::apply_wire) on all threads, for a table larger than the caches.
///
/// Each thread takes some of the messages. Two threads can reach the same word, so atomic instructions are used, which
/// are worthwhile where words come from memory. For a table of less than 32 MiB, or for at most 32,768 messages, the
/// calling thread works alone.
///
/// # Errors
///
/// Those of [`kernel::apply_wire`](super::apply_wire).
///
/// ```
/// use atomik_core::{DeltaMessage, Xor, kernel};
///
/// let mut words = vec![0; 8 << 20];
/// let messages = (0..100_000).map(|seq| DeltaMessage { addr: seq * 83, delta: 1, seq });
/// let bytes: Vec<u8> = messages.flat_map(|message| message.to_bytes()).collect();
/// kernel::par::apply_wire::<Xor>(&mut words, &bytes)?;
/// assert_eq!(words[83 * 99_999], 1);
/// # Ok::<(), kernel::ApplyWireError>(())
/// ```
pub fn apply_wire<A: Algebra>(words: &mut [u64], bytes: &[u8]) -> Result<(), ApplyWireError> {
    if words.len() < SHARED_TABLE || bytes.len() <= TASK_MESSAGES * DeltaMessage::WIRE_LEN {
        return super::apply_wire::<A>(words, bytes);
    }
    apply_wire_shared::<A>(words, bytes)
}

/// The words of the smallest table to which two threads apply messages faster than one.
const SHARED_TABLE: usize = 4 << 20;

/// The messages that one thread takes at a time: 512 KiB, as for words.
const TASK_MESSAGES: usize = 32 << 10;

fn apply_wire_shared<A: Algebra>(words: &mut [u64], bytes: &[u8]) -> Result<(), ApplyWireError> {
    let (messages, remainder) = bytes.as_chunks::<{ DeltaMessage::WIRE_LEN }>();
    if !remainder.is_empty() {
        return Err(ApplyWireError::Length { len: bytes.len() });
    }
    let len = words.len();
    let past_the_end = messages.par_chunks(TASK_MESSAGES).enumerate().find_map_first(|(number, part)| {
        let past = |message: &[u8; _]| DeltaMessage::decode(*message).addr as usize >= len;
        part.iter().position(past).map(|at| number * TASK_MESSAGES + at)
    });
    if let Some(at) = past_the_end {
        let offset = at * DeltaMessage::WIRE_LEN;
        return Err(ApplyWireError::Address { offset, addr: DeltaMessage::decode(messages[at]).addr, len });
    }
    let Some(contexts) = Context::<A>::from_words_mut(words) else {
        return super::apply_wire::<A>(words, bytes);
    };
    let contexts = &*contexts;
    messages.par_chunks(TASK_MESSAGES).for_each(|part| {
        for (at, message) in part.iter().enumerate() {
            prefetch_later(contexts, part, at);
            let DeltaMessage { addr, delta, .. } = DeltaMessage::decode(*message);
            contexts[addr as usize].accum(delta);
        }
    });
    Ok(())
}

/// Prefetches the word of the message that comes some messages after the one at `at`.
#[inline(always)]
fn prefetch_later<A: Algebra>(contexts: &[Context<A>], messages: &[[u8; DeltaMessage::WIRE_LEN]], at: usize) {
    if let Some(later) = messages.get(at + scatter::LOOKAHEAD) {
        prefetch(contexts, DeltaMessage::decode(*later).addr as usize);
    }
}

#[cfg(test)]
mod tests;
