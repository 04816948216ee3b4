//! How checkpoints are recovered and checked.

use atomik_core::{Algebra, Table};

use super::{CheckpointStore, HEADER_DAMAGED, Last, RecoveryProgress, SparseFrom, table_of};
use crate::codec::{compose_piece, header_checksum};
use crate::digest::Digest;
use crate::error::{CheckpointError, TableKind};
use crate::log::{CheckpointHeader, CheckpointKind, CheckpointLog, CheckpointPiece};
use crate::recovered::Recovered;

impl<L: CheckpointLog> CheckpointStore<L> {
    /// The last checkpoint, or `None` if there is none. Reads the last full one and the sparse ones after it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Damaged`] if one of these is damaged or incomplete: nothing is returned then, and nothing is
    /// removed. [`CheckpointError::OtherTable`] if the checkpoints are of another algebra,
    /// [`CheckpointError::TooLong`] if there is no memory for the states, and [`CheckpointError::Log`] if the log can't
    /// be read.
    pub fn recover<A: Algebra>(&mut self) -> Result<Option<Recovered<A>>, CheckpointError<L::Error>> {
        self.recover_with_progress(|_| {})
    }

    /// Does what [`recover`](Self::recover) does, and reports how far it is: at the start, after each piece of about
    /// half a megabyte, and at the end.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover).
    pub fn recover_with_progress<A: Algebra>(
        &mut self,
        progress: impl FnMut(RecoveryProgress),
    ) -> Result<Option<Recovered<A>>, CheckpointError<L::Error>> {
        self.sparse_from = None;
        let headers = self.checked_headers()?;
        let Some(last) = headers.last() else { return Ok(None) };
        let states = self.compose::<A>(&headers, progress)?;
        self.last = Some(Last::of(last));
        self.sparse_from = Some(SparseFrom {
            states: Digest::of(&states),
            next_epoch: last.epoch.wrapping_add(1),
            sparse: headers.len() as u64 - 1,
        });
        Ok(Some(Recovered::new(last.epoch, states, last.caller.clone())))
    }

    /// The last checkpoint before the first damage, or `None` if there is none. **What comes after it is removed from
    /// the log.** For a store whose [`recover`](Self::recover) reports damage, and of which there is no copy.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), except for damage of a checkpoint.
    pub fn recover_intact<A: Algebra>(&mut self) -> Result<Option<Recovered<A>>, CheckpointError<L::Error>> {
        loop {
            let sequence = match self.recover() {
                Err(CheckpointError::Damaged { sequence, .. }) => sequence,
                recovered => return recovered,
            };
            self.log.truncate(sequence).map_err(CheckpointError::Log)?;
            self.find_last()?;
        }
    }

    /// Checks the whole store: the log by its own means, and all checkpoints by their checksums.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Log`] or [`CheckpointError::Damaged`] at the first damage.
    pub fn check(&mut self) -> Result<(), CheckpointError<L::Error>> {
        self.log.check().map_err(CheckpointError::Log)?;
        let headers = self.checked_headers()?;
        match headers.first().map(|header| header.algebra) {
            None => Ok(()),
            Some(atomik_core::Add::ID) => self.compose::<atomik_core::Add>(&headers, |_| {}).map(drop),
            Some(_) => self.compose::<atomik_core::Xor>(&headers, |_| {}).map(drop),
        }
    }

    /// The last full checkpoint and the sparse ones after it, without a gap and with right checksums.
    fn checked_headers(&mut self) -> Result<Vec<CheckpointHeader>, CheckpointError<L::Error>> {
        let mut headers = self.log.headers().map_err(CheckpointError::Log)?;
        let damaged = |sequence, what: &str| CheckpointError::Damaged { sequence, what: what.to_owned() };
        for header in &headers {
            if header.checksum != header_checksum(header) {
                return Err(damaged(header.sequence, HEADER_DAMAGED));
            }
        }
        let full = headers.iter().rposition(|header| header.kind == CheckpointKind::Full);
        match full {
            Some(full) => drop(headers.drain(..full)),
            None if headers.is_empty() => return Ok(headers),
            None => return Err(damaged(headers[0].sequence, "the full checkpoint before it is missing")),
        }
        let table = table_of(&headers[0]);
        for pair in headers.windows(2) {
            let (before, header) = (&pair[0], &pair[1]);
            if before.sequence.checked_add(1) != Some(header.sequence) {
                return Err(damaged(header.sequence, "the checkpoint before it is missing"));
            }
            if table_of(header) != table || before.epoch.wrapping_add(1) != header.epoch {
                return Err(damaged(header.sequence, "it does not continue the checkpoint before it"));
            }
        }
        Ok(headers)
    }

    /// The states of a full checkpoint and the sparse ones after it.
    fn compose<A: Algebra>(
        &mut self,
        headers: &[CheckpointHeader],
        mut progress: impl FnMut(RecoveryProgress),
    ) -> Result<Vec<u64>, CheckpointError<L::Error>> {
        let Some(first) = headers.first() else { return Ok(Vec::new()) };
        let stored = table_of(first);
        if stored.algebra != A::ID {
            let given = TableKind { algebra: A::ID, ..stored };
            return Err(CheckpointError::OtherTable { stored, given });
        }
        if stored.len > Table::<A>::MAX_LEN as u64 {
            let what = "its table is longer than 32-bit addresses reach".to_owned();
            return Err(CheckpointError::Damaged { sequence: first.sequence, what });
        }
        let mut states = identities::<A>(stored.len).ok_or(CheckpointError::TooLong { len: stored.len })?;
        let total = headers.iter().fold(0u64, |total, header| total.saturating_add(header.pieces));
        let mut done = 0;
        progress(RecoveryProgress { done, total });
        for header in headers {
            let mut pieces = 0;
            let mut wrong = None;
            let mut each = |piece: &CheckpointPiece| {
                wrong = compose_piece::<A>(header, piece, &mut states).err();
                pieces += 1;
                done += 1;
                progress(RecoveryProgress { done, total });
                wrong.is_none() && pieces < header.pieces
            };
            self.log.pieces(header.sequence, &mut each).map_err(CheckpointError::Log)?;
            if wrong.is_none() && pieces != header.pieces {
                wrong = Some(format!("it has {pieces} of its {} pieces", header.pieces));
            }
            if let Some(what) = wrong {
                return Err(CheckpointError::Damaged { sequence: header.sequence, what });
            }
        }
        Ok(states)
    }
}

/// That many identities, or `None` if there is no memory for them.
fn identities<A: Algebra>(len: u64) -> Option<Vec<u64>> {
    let len = usize::try_from(len).ok()?;
    let mut states = Vec::new();
    states.try_reserve_exact(len).ok()?;
    states.resize(len, A::IDENTITY);
    Some(states)
}
