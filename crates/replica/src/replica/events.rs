//! Events: what a program should know about failures.

use alloc::collections::VecDeque;

use atomik_core::Algebra;

use super::Replica;
use crate::packet_error::PacketErrorKind;
use crate::peer::Peer;
use crate::replica_id::ReplicaId;

/// Something that the program should know: a failure of memory or of a disk, here or at a peer, another instance under
/// the same id, or a section that was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer has other content under the same version of a shard. Its copy is damaged, or the one here is.
    ///
    /// Compare the digests of more holders. [`Replica::refetch`] replaces a damaged copy here. If the shard belongs to
    /// the own origin, go on under a new incarnation: see [`Replica::renew`].
    Diverged {
        /// The origin whose totals they are.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The version.
        version: u64,
        /// The peer with the other content.
        peer: Peer,
        /// The digest of the content here.
        ours: u64,
        /// The digest of the peer's content.
        theirs: u64,
    },
    /// The totals or entries of a shard changed here, although no frame and no tick changed them: memory failed. What
    /// to do is the same as for [`Diverged`](Self::Diverged), and it is known which copy is damaged.
    CopyDamaged {
        /// The origin whose totals they are.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The version.
        version: u64,
    },
    /// A peer has other merged states of a shard, although both know the same versions of it. The next
    /// [`heartbeat`](Replica::heartbeat) audits the shard here. The peer does the same when it hears this replica's
    /// digest. If neither has anything to repair, the totals or the base of one of them are damaged.
    MergedDiverged {
        /// The shard.
        shard: usize,
        /// The peer with the other states.
        peer: Peer,
        /// The digest of the merged states here.
        ours: u64,
        /// The digest of the peer's merged states.
        theirs: u64,
    },
    /// An [`audit`](Replica::audit) found merged states that were not the composition of the base and the planes. It
    /// set them right.
    MergedRepaired {
        /// The shard.
        shard: usize,
        /// How many addresses were wrong.
        addresses: usize,
    },
    /// An [`audit`](Replica::audit) found that readers of the live states got something else than the base and what
    /// other origins wrote. It set that right.
    RemoteRepaired {
        /// The shard.
        shard: usize,
        /// How many addresses were wrong.
        addresses: usize,
    },
    /// Registers of loaded addresses were not the winning ones of the planes. An [`audit`](Replica::audit), or the call
    /// that was about to use one of them, set them right.
    RegistersRepaired {
        /// The shard.
        shard: usize,
    },
    /// An [`audit`](Replica::audit) found that the version of a shard, or stamps of its blocks, had changed by
    /// themselves. It set them right.
    VersionRepaired {
        /// The origin whose shard it is.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The version that was found. It is the right one if only stamps were wrong.
        found: u64,
        /// The version.
        version: u64,
    },
    /// An [`audit`](Replica::audit) found that a version of a shard, of an origin that is not known, had changed by
    /// itself, and that frames replaced it since. The copy here may lack what the origin wrote meanwhile.
    VersionsDamaged {
        /// The shard.
        shard: usize,
    },
    /// An [`audit`](Replica::audit) found that the initial base of a shard is not what it was at the start. Merged
    /// states are not compared with it any more. Start the replica again.
    BaseDamaged {
        /// The shard.
        shard: usize,
    },
    /// Another instance runs under the id of this replica, or a peer's copy of a version is damaged: a version of the
    /// own plane arrived that was not made here. The replica sends nothing more under this id, and makes no versions,
    /// until [`renew`](Replica::renew) gives it a new incarnation. It happens once for each id.
    Cloned {
        /// The shard.
        shard: usize,
        /// The version that arrived.
        found: u64,
        /// The version that was made here.
        own: u64,
        /// The peer that sent it.
        peer: Peer,
    },
    /// A later start of this node is known: another process runs under its name, or this one began with an incarnation
    /// below an earlier one. This start makes no versions and sends nothing more under its id, until
    /// [`renew`](Replica::renew) gives it a greater incarnation. What is not ticked stays in the fan-in.
    ///
    /// If another process runs under the name, stop one of them. Otherwise they push each other out for ever.
    Superseded {
        /// The greatest start that is known.
        by: ReplicaId,
    },
    /// A frame of a start that has ended was not taken: no member has reported so late a version, so the start that
    /// folds it would not hear of it. What is only in that version is void.
    Late {
        /// The start that has ended.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The version of the frame.
        version: u64,
        /// The peer that sent it.
        peer: Peer,
    },
    /// The origin of a shard says that it did not make the version of it that is here: two instances run under one id,
    /// or the version here is damaged, so that the origin's later versions seem to be known already.
    ///
    /// If the copy here is damaged, [`refetch`](Replica::refetch) it from that peer.
    VersionDenied {
        /// The origin.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The version here.
        version: u64,
        /// The last version that the origin made.
        made: u64,
        /// The peer that said so.
        peer: Peer,
    },
    /// A peer did not send a shard that was to be [fetched again](Replica::refetch). What was here stays.
    RefetchFailed {
        /// The origin whose shard it is.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The peer that was asked.
        peer: Peer,
    },
    /// A section of a packet was skipped, which this replica does not take by its own rules.
    Skipped {
        /// The peer that sent it.
        peer: Peer,
        /// What is wrong with it.
        kind: PacketErrorKind,
    },
}

/// Events that wait to be polled.
#[derive(Default)]
pub(super) struct EventQueue(VecDeque<Event>);

impl EventQueue {
    /// How many events wait at most.
    const BOUND: usize = 1_024;

    /// Adds an event. It is dropped if too many wait.
    pub(super) fn push(&mut self, event: Event) {
        if self.0.len() < Self::BOUND {
            self.0.push_back(event);
        }
    }

    /// Adds an event, unless one of the last few is the same.
    pub(super) fn push_new(&mut self, event: Event) {
        if !self.0.iter().rev().take(8).any(|other| *other == event) {
            self.push(event);
        }
    }
}

/// Events.
impl<A: Algebra> Replica<A> {
    /// The next event. At most 1,024 events wait. Further ones are dropped.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.0.pop_front()
    }
}
