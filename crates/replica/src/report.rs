//! What a node reports of the starts that it knows, and the numbers that it consists of.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// Set in the first number of a report if its node is settled.
const SETTLED: u64 = 1;
/// A claim as numbers: node, incarnation, round.
const CLAIM: usize = 3;
/// A shard of an ended start as numbers: node, incarnation, shard, version.
const HELD: usize = 4;

/// The greatest start that is known of a node, and how often that one has asked anew what the members have. It is never
/// lowered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    pub(crate) incarnation: u64,
    pub(crate) round: u64,
}

/// What a member says: which starts it knows of, and what it has of those that have ended.
///
/// What it has of others does not matter here. A claim makes a start an ended one for whoever knows it, and only
/// reports that know the claim are asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The start of the member that speaks.
    pub(crate) id: ReplicaId,
    /// The number of the report among those of this start. The same number means the same content.
    pub(crate) seq: u64,
    pub(crate) settled: bool,
    pub(crate) claims: BTreeMap<u64, Claim>,
    /// The versions of the shards of ended starts. What is not here is not held, or covered.
    pub(crate) held: BTreeMap<ShardKey, u64>,
}

impl Report {
    pub(crate) fn empty(id: ReplicaId, seq: u64) -> Self {
        Self { id, seq, settled: false, claims: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// Whether the member knew a claim, its round included, when it made this report.
    pub(crate) fn knows(&self, node: u64, claim: Claim) -> bool {
        self.claims.get(&node).is_some_and(|known| *known >= claim)
    }
}

/// The numbers of a report, in parts of at most `most` numbers.
pub(crate) fn parts_of(report: &Report, most: usize) -> Vec<Vec<u64>> {
    let flags = if report.settled { SETTLED } else { 0 };
    let claims: Vec<[u64; CLAIM]> =
        report.claims.iter().map(|(&node, claim)| [node, claim.incarnation, claim.round]).collect();
    let held: Vec<[u64; HELD]> = report
        .held
        .iter()
        .map(|(key, &version)| [key.origin.node, key.origin.incarnation, key.shard as u64, version])
        .collect();
    let room = most.saturating_sub(2).max(CLAIM + HELD);
    let (mut claims, mut held) = (&claims[..], &held[..]);
    let mut parts = Vec::new();
    loop {
        let (now, later) = claims.split_at(claims.len().min(room / CLAIM));
        claims = later;
        let left = (room - now.len() * CLAIM) / HELD;
        let (held_now, held_later) = held.split_at(held.len().min(left));
        held = held_later;
        let mut part = Vec::from([flags, now.len() as u64]);
        part.extend(now.iter().flatten().chain(held_now.iter().flatten()));
        parts.push(part);
        if claims.is_empty() && held.is_empty() {
            return parts;
        }
    }
}

/// Adds the numbers of a part to a report. `None` if they are none of a report.
pub(crate) fn add_part(report: &mut Report, numbers: &[u64]) -> Option<()> {
    let (&[flags, count], rest) = numbers.split_first_chunk()?;
    let (claims, held) = rest.split_at_checked(usize::try_from(count).ok()?.checked_mul(CLAIM)?)?;
    report.settled = flags & SETTLED != 0;
    for &[node, incarnation, round] in claims.as_chunks().0 {
        report.claims.insert(node, Claim { incarnation, round });
    }
    let (held, rest) = held.as_chunks();
    for &[node, incarnation, shard, version] in held {
        let origin = ReplicaId { node, incarnation };
        report.held.insert(ShardKey { origin, shard: usize::try_from(shard).ok()? }, version);
    }
    rest.is_empty().then_some(())
}

/// The claims and the mark of a store, as numbers.
pub(crate) fn known_numbers(known: &BTreeMap<u64, Claim>, settled: bool) -> Vec<u64> {
    let claims = known.iter().flat_map(|(&node, claim)| [node, claim.incarnation, claim.round]);
    let flags = if settled { SETTLED } else { 0 };
    [flags, known.len() as u64].into_iter().chain(claims).collect()
}

/// The claims and the mark that [`known_numbers`] wrote.
pub(crate) fn known_from_numbers(numbers: &[u64]) -> Option<(BTreeMap<u64, Claim>, bool)> {
    let id = ReplicaId { node: 0, incarnation: 0 };
    let mut report = Report::empty(id, 0);
    add_part(&mut report, numbers)?;
    report.held.is_empty().then_some((report.claims, report.settled))
}
