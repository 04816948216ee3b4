//! What is known of the starts of the members: which of them have ended, and what each member has of those.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::replica_id::ReplicaId;
use crate::report::{Claim, Report};
use crate::shape::ShardKey;

/// What is known of the starts of the members.
#[derive(Debug)]
pub(crate) struct Lifetimes {
    own: ReplicaId,
    /// The nodes whose writing must not be lost. `None` if nobody named any: then no claims are known, nothing is
    /// folded, and nothing is late.
    members: Option<BTreeSet<u64>>,
    /// All nodes that ever were members: their claims are kept.
    named: BTreeSet<u64>,
    claims: BTreeMap<u64, Claim>,
    settled: bool,
    /// The last report of each member but this one.
    reports: BTreeMap<u64, Report>,
    /// How often the claims changed, or whether this node is settled: what a store has to have before others are told.
    changes: u64,
}

impl Lifetimes {
    pub(crate) fn new(own: ReplicaId) -> Self {
        Self {
            own,
            members: None,
            named: BTreeSet::from([own.node]),
            claims: BTreeMap::new(),
            settled: false,
            reports: BTreeMap::new(),
            changes: 0,
        }
    }

    pub(crate) fn members(&self) -> Option<&BTreeSet<u64>> {
        self.members.as_ref()
    }

    pub(crate) fn claims(&self) -> &BTreeMap<u64, Claim> {
        &self.claims
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Sets the members. If one is dropped, others may have taken what only that one reported, so all are asked anew.
    pub(crate) fn set_members(&mut self, members: BTreeSet<u64>) {
        let is_dropped = |node: &u64| !members.contains(node);
        let drops = self.members.as_ref().is_some_and(|old| old.iter().any(is_dropped));
        if drops
            && let Some(claim) = self.claims.get_mut(&self.own.node)
            && claim.incarnation == self.own.incarnation
        {
            claim.round += 1;
        }
        self.reports.retain(|node, _| members.contains(node));
        self.named.extend(&members);
        self.members = Some(members);
        self.changes += 1;
        self.learn(self.own);
    }

    /// Takes claims and a mark from the store.
    pub(crate) fn restore(&mut self, claims: BTreeMap<u64, Claim>, settled: bool) {
        self.claims = claims;
        self.settled = settled;
    }

    /// Goes on under another incarnation.
    pub(crate) fn renew(&mut self, own: ReplicaId) {
        self.own = own;
        self.learn(own);
    }

    /// Learns that there is a start of a node.
    pub(crate) fn learn(&mut self, origin: ReplicaId) {
        self.learn_claim(origin.node, Claim { incarnation: origin.incarnation, round: 0 });
    }

    fn learn_claim(&mut self, node: u64, claim: Claim) {
        // Those of other nodes would take memory without a bound, and nobody is asked about them.
        if self.members.is_some() && self.named.contains(&node) {
            let known = self.claims.entry(node).or_default();
            if claim > *known {
                *known = claim;
                self.changes += 1;
            }
        }
    }

    /// The greatest start that is known of a node.
    pub(crate) fn claim(&self, node: u64) -> Claim {
        self.claims.get(&node).copied().unwrap_or_default()
    }

    /// Whether a later start of the same node is known.
    #[inline]
    pub(crate) fn has_ended(&self, origin: ReplicaId) -> bool {
        self.claims.get(&origin.node).is_some_and(|claim| claim.incarnation > origin.incarnation)
    }

    /// The greatest version of a shard that is taken. For an ended start, it is the greatest that a member reported
    /// which knows that it has ended: the start that folds it will hear of that one too.
    pub(crate) fn bound(&self, key: ShardKey) -> u64 {
        if !self.has_ended(key.origin) {
            return u64::MAX;
        }
        let (node, claim) = (key.origin.node, self.claim(key.origin.node));
        let knowing = self.reports.values().filter(|report| report.knows(node, claim));
        knowing.filter_map(|report| report.held.get(&key).copied()).max().unwrap_or(0)
    }

    /// Takes a report of a member. Returns `false` if it is no news: an older one, or of a node that is no member.
    pub(crate) fn hear(&mut self, report: Report) -> bool {
        let node = report.id.node;
        let is_member = self.members.as_ref().is_some_and(|members| members.contains(&node));
        if !is_member || node == self.own.node {
            return false;
        }
        self.learn(report.id);
        for (&node, &claim) in &report.claims {
            self.learn_claim(node, claim);
        }
        let names_this_start =
            report.claims.get(&self.own.node).is_some_and(|claim| claim.incarnation == self.own.incarnation);
        if report.settled && names_this_start {
            // It was made after this start, so nothing that is late for it comes from there.
            self.settle();
        }
        let age = |report: &Report| (report.id.incarnation, report.seq);
        if self.reports.get(&node).is_some_and(|known| age(known) >= age(&report)) {
            return false;
        }
        self.reports.insert(node, report);
        true
    }

    /// Whether the last report of a member has this number.
    pub(crate) fn has_report(&self, id: ReplicaId, seq: u64) -> bool {
        self.reports.get(&id.node).is_some_and(|report| (report.id, report.seq) == (id, seq))
    }

    /// Whether this start takes no frames yet: late ones of its own node might be among them.
    pub(crate) fn waits(&self) -> bool {
        self.members.is_some() && !self.settled
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Ends the wait. Returns whether it was on.
    pub(crate) fn settle(&mut self) -> bool {
        let waited = !core::mem::replace(&mut self.settled, true);
        self.changes += u64::from(waited);
        waited
    }

    /// Whether every member has reported what it has of the earlier starts of this node in a shard, in knowledge of
    /// this start, and all of that is held here: nothing is missed by a fold. `held` is the version of a shard here, or
    /// the greatest number if it is covered.
    pub(crate) fn is_complete(&self, shard: usize, held: impl Fn(ShardKey) -> u64) -> bool {
        let claim = self.claim(self.own.node);
        let Some(members) = &self.members else { return false };
        if claim.incarnation != self.own.incarnation {
            return false;
        }
        members.iter().filter(|&&node| node != self.own.node).all(|&node| {
            self.reports.get(&node).is_some_and(|report| {
                let is_newest = report.id.incarnation >= self.claim(node).incarnation;
                let is_earlier = |key: &ShardKey| {
                    key.shard == shard
                        && key.origin.node == self.own.node
                        && key.origin.incarnation < self.own.incarnation
                };
                let of_this_node = report.held.iter().filter(|(key, _)| is_earlier(key));
                is_newest
                    && report.knows(self.own.node, claim)
                    && of_this_node.into_iter().all(|(&key, &version)| held(key) >= version)
            })
        })
    }
}
