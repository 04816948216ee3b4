//! The descriptor of a lane: who owns it, for people and for readers in other processes.

use crate::sync::{AtomicU64, Ordering, fence};

/// The words of a label.
#[cfg(not(atomik_loom))]
const LABEL_WORDS: usize = 12;
#[cfg(atomik_loom)]
const LABEL_WORDS: usize = 1;

/// The longest label in bytes.
pub(crate) const LABEL_BYTES: usize = 8 * LABEL_WORDS;

/// How often a reader starts again when a new owner writes at the same time. A descriptor changes when its lane is
/// claimed, so a reader that meets so many claims in a row is told nothing of the owner.
const ATTEMPTS: usize = if cfg!(atomik_loom) { 2 } else { 64 };

/// The low bits of the state word.
const PHASE_BITS: u32 = 8;

/// What the owner of a lane has last said about it. Only the lock shows whether the owner is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The lane has never had an owner.
    Unused,
    /// An owner is about to describe itself.
    Claiming,
    /// The lane has an owner, or one that died.
    Claimed,
    /// The last owner has returned the lane.
    Returned,
}

impl Phase {
    fn of(state: u64) -> Self {
        match state & ((1 << PHASE_BITS) - 1) {
            0 => Self::Unused,
            1 => Self::Claiming,
            2 => Self::Claimed,
            _ => Self::Returned,
        }
    }

    fn state(self, incarnation: u64) -> u64 {
        let phase = match self {
            Self::Unused => 0,
            Self::Claiming => 1,
            Self::Claimed => 2,
            Self::Returned => 3,
        };
        incarnation << PHASE_BITS | phase
    }
}

/// Who owns a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u64,
    /// Nanoseconds since 1970.
    pub(crate) claimed_at: u64,
    /// At most [`LABEL_BYTES`], padded with zeros.
    pub(crate) label: [u8; LABEL_BYTES],
}

/// A descriptor as a reader found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// How often the lane was claimed.
    pub(crate) incarnation: u64,
    pub(crate) phase: Phase,
    /// The owner of this incarnation. `None` if it has not described itself yet.
    pub(crate) owner: Option<Owner>,
}

/// The descriptor in the file, 128 bytes. Only the owner of the lane's lock writes to it.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(crate) struct Descriptor {
    /// The incarnation, and the phase in the low 8 bits.
    state: AtomicU64,
    pid: AtomicU64,
    claimed_at: AtomicU64,
    reserved: AtomicU64,
    label: [AtomicU64; LABEL_WORDS],
}

impl Descriptor {
    /// The owner of the lane's lock describes itself. Returns the number of its incarnation.
    ///
    /// A sequence lock: the phase is `Claiming` while the fields change, and the incarnation is new.
    pub(crate) fn claim(&self, owner: &Owner) -> u64 {
        // Relaxed: the last owner's store happened before, by the lock.
        let incarnation = (self.state.load(Ordering::Relaxed) >> PHASE_BITS).wrapping_add(1);
        // Relaxed: the fence below orders it before the fields.
        self.state.store(Phase::Claiming.state(incarnation), Ordering::Relaxed);
        // Release: pairs with the fence(Acquire) in `read`. A reader that sees one of the fields below, sees that the
        // state has changed.
        fence(Ordering::Release);
        // Relaxed, for all fields: the fence above and the store below order them.
        self.pid.store(owner.pid, Ordering::Relaxed);
        self.claimed_at.store(owner.claimed_at, Ordering::Relaxed);
        let (words, _) = owner.label.as_chunks::<8>();
        for (word, bytes) in self.label.iter().zip(words) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        // Release: pairs with the Acquire in `read`, which then sees the fields.
        self.state.store(Phase::Claimed.state(incarnation), Ordering::Release);
        incarnation
    }

    /// The owner of the lane's lock is about to return it.
    pub(crate) fn give_back(&self) {
        // Relaxed: the owner itself stored it, or another thread of the process that handed the producer over.
        let incarnation = self.state.load(Ordering::Relaxed) >> PHASE_BITS;
        // Release: pairs with the Acquire in `read`.
        self.state.store(Phase::Returned.state(incarnation), Ordering::Release);
    }

    /// What the descriptor says. Wait-free. The fields of two owners are never mixed.
    pub(crate) fn read(&self) -> Described {
        let mut state = 0;
        for _ in 0..ATTEMPTS {
            // Acquire: pairs with the Release in `claim`, so that the fields are those of this incarnation or newer.
            state = self.state.load(Ordering::Acquire);
            let phase = Phase::of(state);
            if matches!(phase, Phase::Unused | Phase::Claiming) {
                break;
            }
            // Relaxed, for all fields: the Acquire above and the fence below order them.
            let (pid, claimed_at) =
                (self.pid.load(Ordering::Relaxed), self.claimed_at.load(Ordering::Relaxed));
            let mut label = [0; LABEL_BYTES];
            for (bytes, word) in label.chunks_exact_mut(8).zip(&self.label) {
                bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
            }
            // Acquire: pairs with the fence(Release) in `claim`.
            fence(Ordering::Acquire);
            // Relaxed: ordered after the fields by the fence.
            let after = self.state.load(Ordering::Relaxed);
            if after >> PHASE_BITS == state >> PHASE_BITS {
                let owner = Some(Owner { pid, claimed_at, label });
                return Described { incarnation: after >> PHASE_BITS, phase: Phase::of(after), owner };
            }
        }
        Described { incarnation: state >> PHASE_BITS, phase: Phase::of(state), owner: None }
    }
}
