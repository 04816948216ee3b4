//! Digests of states, to tell whether an epoch continues a checkpoint.

use atomik_core::{Algebra, DeltaBatch, Fingerprint};

/// The words that are turned into bytes at a time.
const WORDS: usize = 512;

/// The fingerprint of all states of a table.
#[derive(Clone, Debug)]
pub(crate) struct Digest(Fingerprint);

impl Digest {
    /// The digest of some states. Reads all of them.
    pub(crate) fn of(states: &[u64]) -> Self {
        let mut fingerprint = Fingerprint::new();
        let mut bytes = [[0; 8]; WORDS];
        for states in states.chunks(WORDS) {
            for (bytes, state) in bytes.iter_mut().zip(states) {
                *bytes = state.to_le_bytes();
            }
            fingerprint.write(bytes[..states.len()].as_flattened());
        }
        fingerprint.finish();
        Self(fingerprint)
    }

    /// Follows the changes of a batch that led to these states.
    pub(crate) fn follow<A: Algebra>(&mut self, batch: &DeltaBatch<A>, states: &[u64]) {
        for (addr, delta) in batch.iter() {
            let new = states[addr as usize];
            let old = A::compose(new, A::invert(delta));
            self.0.replace(addr as usize, old, new).expect("the batch has addresses of the table");
        }
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.value() == other.0.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atomik_core::{Add, Table};

    #[test]
    fn a_digest_follows_an_epoch() {
        let table = Table::<Add>::from_iter((0..2_000).map(|state| state * state));
        let mut epoch = table.epoch();
        let mut digest = Digest::of(epoch.reference());
        for addr in (0..2_000).step_by(37) {
            table[addr].accum(u64::MAX - 5);
        }
        let batch = epoch.swap();
        assert!(digest != Digest::of(epoch.reference()));
        digest.follow(&batch, epoch.reference());
        assert!(digest == Digest::of(epoch.reference()));
    }
}
