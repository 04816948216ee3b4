//! Lanes as people and programs look at them.

use std::io;
use std::time::{Duration, SystemTime};

use crate::descriptor::{Described, Descriptor, LABEL_BYTES, Owner, Phase};
use crate::layout::FileLayout;
use crate::mapping::Mapping;

/// How often a lane is looked at again if it has changed meanwhile.
const ATTEMPTS: usize = 64;

/// A lane of a file, as it was at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lane {
    /// The number of the lane.
    pub index: usize,
    /// Whether it has an owner.
    pub state: LaneState,
    /// How often it was claimed.
    pub incarnation: u64,
    /// The process that claimed it last, by its number in its own PID namespace. For people: nothing is decided by it.
    pub pid: Option<u64>,
    /// When it was claimed last, by the clock of that process.
    pub claimed_at: Option<SystemTime>,
    /// What its last owner calls itself.
    pub label: Option<String>,
}

/// Whether a lane has an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LaneState {
    /// It has never had one.
    Unused,
    /// It has one: a producer in a process that is alive.
    Alive,
    /// Its last owner was dropped, and has returned it.
    Returned,
    /// Its last owner's process ended without returning it. Its deltas are all there, and the next owner continues from
    /// them.
    Dead,
}

/// The descriptor of a lane in a mapping.
pub(crate) fn descriptor<'a>(mapping: &'a Mapping, layout: &FileLayout, lane: usize) -> &'a Descriptor {
    assert!(lane < layout.lanes());
    let at = layout.descriptors + lane as u64 * layout.descriptor_stride;
    let words = mapping.at(at, size_of::<Descriptor>() / 8);
    // SAFETY: `at` has checked that it is in the mapping, and `FileLayout::check` that it is aligned to 128 bytes. It is
    // made of atomics only, which are valid whatever they hold.
    unsafe { words.cast().as_ref() }
}

/// Where the lock of a lane is: at the first byte of its descriptor.
pub(crate) fn lock_at(layout: &FileLayout, lane: usize) -> u64 {
    layout.descriptors + lane as u64 * layout.descriptor_stride
}

/// All lanes of a file. `is_locked` tells whether a lane's lock is held.
pub(crate) fn list(
    mapping: &Mapping,
    layout: &FileLayout,
    is_locked: impl Fn(usize) -> io::Result<bool>,
) -> io::Result<Vec<Lane>> {
    (0..layout.lanes())
        .map(|index| {
            let descriptor = descriptor(mapping, layout, index);
            let mut found = descriptor.read();
            for _ in 0..ATTEMPTS {
                // The owner writes to the descriptor while it has the lock. So if the descriptor is the same before and
                // after, the lock is that of the owner that it names.
                let is_locked = is_locked(index)?;
                let again = descriptor.read();
                if (again.incarnation, again.phase) == (found.incarnation, found.phase) {
                    return Ok(lane(index, again, is_locked));
                }
                found = again;
            }
            // It is claimed and returned all the time.
            Ok(lane(index, found, true))
        })
        .collect()
}

fn lane(index: usize, described: Described, is_locked: bool) -> Lane {
    let state = match described.phase {
        _ if is_locked => LaneState::Alive,
        Phase::Unused => LaneState::Unused,
        Phase::Claiming | Phase::Claimed => LaneState::Dead,
        Phase::Returned => LaneState::Returned,
    };
    let owner = described.owner.as_ref();
    Lane {
        index,
        state,
        incarnation: described.incarnation,
        pid: owner.map(|owner| owner.pid),
        claimed_at: owner
            .and_then(|owner| SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(owner.claimed_at))),
        label: owner.map(Owner::label_text),
    }
}

impl Owner {
    /// This process, which calls itself so. A label that is too long is cut at a character.
    pub(crate) fn this_process(label: &str) -> Self {
        let cut = &label[..boundary(label)];
        let mut padded = [0; LABEL_BYTES];
        padded[..cut.len()].copy_from_slice(cut.as_bytes());
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let claimed_at = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Self { pid: std::process::id().into(), claimed_at, label: padded }
    }

    fn label_text(&self) -> String {
        let end = self.label.iter().position(|&byte| byte == 0).unwrap_or(LABEL_BYTES);
        String::from_utf8_lossy(&self.label[..end]).into_owned()
    }
}

/// How much of a label there is room for.
fn boundary(label: &str) -> usize {
    (0..=LABEL_BYTES.min(label.len())).rev().find(|&end| label.is_char_boundary(end)).unwrap_or(0)
}
