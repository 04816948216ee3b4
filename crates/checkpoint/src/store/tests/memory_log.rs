//! A log for the tests of the store.

use super::*;

/// A log in memory that fails when it is told to.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryLog {
    pub(super) checkpoints: BTreeMap<u64, (CheckpointHeader, Vec<CheckpointPiece>)>,
    pub(super) fault: Fault,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// The next append fails and stores nothing.
    NotStored,
    /// The next append stores the checkpoint and fails all the same.
    AnswerLost,
}

#[derive(Debug)]
pub(super) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the log failed")
    }
}

impl std::error::Error for Failed {}

impl CheckpointLog for MemoryLog {
    type Error = Failed;

    fn last(&mut self) -> Result<Option<CheckpointHeader>, Failed> {
        Ok(self.checkpoints.values().next_back().map(|(header, _)| header.clone()))
    }

    fn headers(&mut self) -> Result<Vec<CheckpointHeader>, Failed> {
        Ok(self.checkpoints.values().map(|(header, _)| header.clone()).collect())
    }

    fn pieces(
        &mut self,
        sequence: u64,
        each: &mut dyn FnMut(&CheckpointPiece) -> bool,
    ) -> Result<(), Failed> {
        let pieces = self.checkpoints.get(&sequence).map(|(_, pieces)| &pieces[..]).unwrap_or_default();
        pieces.iter().take_while(|piece| each(piece)).for_each(drop);
        Ok(())
    }

    fn append(
        &mut self,
        header: &CheckpointHeader,
        pieces: &mut dyn Iterator<Item = CheckpointPiece>,
    ) -> Result<bool, Failed> {
        let fault = std::mem::take(&mut self.fault);
        if fault == Fault::NotStored {
            return Err(Failed);
        }
        if self.checkpoints.keys().next_back().map_or(0, |&last| last) + 1 != header.sequence {
            return Ok(false);
        }
        if header.kind == CheckpointKind::Full {
            self.checkpoints.clear();
        }
        self.checkpoints.insert(header.sequence, (header.clone(), pieces.collect()));
        if fault == Fault::AnswerLost { Err(Failed) } else { Ok(true) }
    }

    fn truncate(&mut self, sequence: u64) -> Result<(), Failed> {
        self.checkpoints.retain(|&at, _| at < sequence);
        Ok(())
    }

    fn check(&mut self) -> Result<(), Failed> {
        Ok(())
    }
}
