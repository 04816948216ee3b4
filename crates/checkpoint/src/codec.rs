//! The bytes of checkpoints and their checksums.

use atomik_core::{Algebra, DeltaBatch};

use crate::log::{CheckpointHeader, CheckpointKind, CheckpointPiece};

/// The states in a piece of a full checkpoint: half a megabyte.
const STATES: usize = 64 << 10;
/// The bytes of a state.
const STATE_LEN: usize = 8;

/// The changes in a piece of a sparse checkpoint.
const CHANGES: usize = 40 << 10;
/// The bytes of an address.
const ADDRESS_LEN: usize = 4;
/// The bytes of a change: an address and a delta.
const CHANGE_LEN: usize = ADDRESS_LEN + STATE_LEN;

/// The number of pieces of a full checkpoint.
pub(crate) fn full_count<A: Algebra>(states: &[u64]) -> usize {
    used::<A>(states).count()
}

/// The pieces of a full checkpoint. Pieces in which all states are the identity are left out.
pub(crate) fn full_pieces<A: Algebra>(
    sequence: u64,
    states: &[u64],
) -> impl Iterator<Item = CheckpointPiece> + '_ {
    used::<A>(states).map(move |(index, states)| {
        let mut words = vec![0; states.len() * STATE_LEN];
        let (places, _) = words.as_chunks_mut::<STATE_LEN>();
        for (place, state) in places.iter_mut().zip(states) {
            *place = state.to_be_bytes();
        }
        piece(sequence, index, words)
    })
}

/// The states of each piece that a full checkpoint has, with its place.
fn used<A: Algebra>(states: &[u64]) -> impl Iterator<Item = (u64, &[u64])> {
    let pieces = (0..).zip(states.chunks(STATES));
    pieces.filter(|(_, states)| states.iter().any(|&state| state != A::IDENTITY))
}

/// The number of pieces of a sparse checkpoint.
pub(crate) fn sparse_count<A: Algebra>(batch: &DeltaBatch<A>) -> usize {
    batch.len().div_ceil(CHANGES)
}

/// The pieces of a sparse checkpoint.
pub(crate) fn sparse_pieces<A: Algebra>(
    sequence: u64,
    batch: &DeltaBatch<A>,
) -> impl Iterator<Item = CheckpointPiece> + '_ {
    let pieces = batch.addresses().chunks(CHANGES).zip(batch.deltas().chunks(CHANGES));
    (0..).zip(pieces).map(move |(index, (addresses, deltas))| {
        let mut words = vec![0; addresses.len() * CHANGE_LEN];
        let (places, _) = words.as_chunks_mut::<CHANGE_LEN>();
        for ((place, addr), delta) in places.iter_mut().zip(addresses).zip(deltas) {
            let (left, right) = place.split_at_mut(ADDRESS_LEN);
            left.copy_from_slice(&addr.to_be_bytes());
            right.copy_from_slice(&delta.to_be_bytes());
        }
        piece(sequence, index, words)
    })
}

fn piece(sequence: u64, index: u64, words: Vec<u8>) -> CheckpointPiece {
    let checksum = piece_checksum(sequence, index, &words);
    CheckpointPiece { index, words, checksum }
}

/// Composes a piece into the states. Before a full checkpoint, they have to be the identity.
///
/// # Errors
///
/// What is wrong with the piece. Some of its words may be in the states then.
pub(crate) fn compose_piece<A: Algebra>(
    header: &CheckpointHeader,
    piece: &CheckpointPiece,
    states: &mut [u64],
) -> Result<(), String> {
    if piece.checksum != piece_checksum(header.sequence, piece.index, &piece.words) {
        return Err(format!("piece {} does not match its checksum", piece.index));
    }
    let outside = || format!("piece {} has words outside the table", piece.index);
    match header.kind {
        CheckpointKind::Full => {
            let (words, []) = piece.words.as_chunks::<STATE_LEN>() else { return Err(outside()) };
            let start = usize::try_from(piece.index).ok().and_then(|index| index.checked_mul(STATES));
            let states = start.and_then(|start| states.get_mut(start..)?.get_mut(..words.len()));
            let states = states.ok_or_else(outside)?;
            for (state, &word) in states.iter_mut().zip(words) {
                *state = A::compose(*state, u64::from_be_bytes(word));
            }
        }
        CheckpointKind::Sparse => {
            let (changes, []) = piece.words.as_chunks::<CHANGE_LEN>() else { return Err(outside()) };
            for [a, b, c, d, delta @ ..] in changes {
                let addr = u32::from_be_bytes([*a, *b, *c, *d]);
                let state = states.get_mut(addr as usize).ok_or_else(outside)?;
                *state = A::compose(*state, u64::from_be_bytes(*delta));
            }
        }
    }
    Ok(())
}

/// The checksum of a piece. It covers the place, so that a piece in the place of another is noticed.
fn piece_checksum(sequence: u64, index: u64, words: &[u8]) -> u32 {
    let place = [sequence.to_be_bytes(), index.to_be_bytes()];
    crc32c::crc32c_append(crc32c::crc32c(place.as_flattened()), words)
}

/// The checksum of a header.
pub(crate) fn header_checksum(header: &CheckpointHeader) -> u32 {
    let CheckpointHeader { sequence, epoch, kind, algebra, len, pieces, caller, checksum: _ } = header;
    let kind = u64::from(*kind == CheckpointKind::Sparse);
    let numbers = [*sequence, *epoch, kind, u64::from(*algebra), *len, *pieces].map(u64::to_be_bytes);
    crc32c::crc32c_append(crc32c::crc32c(numbers.as_flattened()), caller)
}
