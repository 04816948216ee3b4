//! The rules of folding, as STREAMS.md has them in "Folding planes of ended incarnations", stage A, for tables of four
//! words. Nothing here is shared with the library: a plane is a map, and states are added up from all planes anew.

use std::collections::{BTreeMap, BTreeSet};

/// The words of a shard. Each stands for the first address of a block.
pub(crate) const WORDS: usize = 2;
pub(crate) const SHARDS: usize = 2;

/// A node and one of its incarnations.
pub(crate) type Start = (u64, u64);
/// The greatest incarnation that is known of a node, and how often it had to ask anew.
pub(crate) type Claim = (u64, u64);

/// What an origin knows of a word that was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The counter and the origin of the LOAD.
    pub(crate) timestamp: (u64, Start),
    pub(crate) value: u64,
    pub(crate) total: u64,
}

/// A shard of an origin's plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Plane {
    pub(crate) version: u64,
    pub(crate) words: [u64; WORDS],
    pub(crate) entries: [Option<Entry>; WORDS],
    pub(crate) stamps: [u64; WORDS],
    /// Whether it covers all earlier starts of its node.
    pub(crate) covers: bool,
}

/// What a node keeps in its store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Kept {
    pub(crate) planes: [BTreeMap<Start, Plane>; SHARDS],
    pub(crate) claims: BTreeMap<u64, Claim>,
    pub(crate) settled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Report {
    pub(crate) speaker: Start,
    pub(crate) seq: u64,
    pub(crate) settled: bool,
    pub(crate) claims: BTreeMap<u64, Claim>,
    /// All versions that are held, by origin and shard.
    pub(crate) held: BTreeMap<(Start, usize), u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Message {
    Frame {
        origin: Start,
        shard: usize,
        from: u64,
        /// The plane at the version that the frame leads to. What was stamped after `from` is in the frame.
        plane: Plane,
    },
    NamedFold {
        origin: Start,
        shard: usize,
        to: u64,
        taken: Vec<(Start, u64)>,
    },
    Report(Report),
}

/// A node, and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) adds: bool,
    pub(crate) origin: Start,
    pub(crate) kept: Kept,
    pub(crate) members: BTreeSet<u64>,
    /// The last report of each member.
    pub(crate) reports: BTreeMap<u64, Report>,
    /// Whether reports list only the starts that have ended, as those of the replica do. Nothing depends on the others.
    pub(crate) lists_ended: bool,
    pub(crate) last_report: Option<Report>,
}

impl Node {
    /// Starts a node. It folds what it can at once.
    pub(crate) fn start(
        adds: bool,
        origin: Start,
        kept: Kept,
        members: &BTreeSet<u64>,
    ) -> (Self, Vec<Message>) {
        let mut node = Self {
            adds,
            origin,
            kept,
            members: members.clone(),
            reports: BTreeMap::new(),
            lists_ended: false,
            last_report: None,
        };
        let origins: Vec<Start> = node.kept.planes.iter().flat_map(|planes| planes.keys().copied()).collect();
        origins.into_iter().for_each(|origin| node.learn(origin));
        node.learn(origin);
        (0..SHARDS).for_each(|shard| node.drop_covered(shard));
        node.settle_alone();
        let folds = node.fold();
        (node, folds)
    }

    /// Goes on under another incarnation.
    pub(crate) fn renew(&mut self, incarnation: u64) -> Vec<Message> {
        self.origin.1 = incarnation;
        self.learn(self.origin);
        self.last_report = None;
        self.fold()
    }

    pub(crate) fn set_members(&mut self, members: BTreeSet<u64>) -> Vec<Message> {
        if self.members.difference(&members).next().is_some() {
            let claim = self.claim(self.origin.0);
            if claim.0 == self.origin.1 {
                self.learn_claim(self.origin.0, (claim.0, claim.1 + 1));
            }
        }
        self.reports.retain(|node, _| members.contains(node));
        self.members = members;
        self.settle_alone();
        self.fold()
    }

    fn settle_alone(&mut self) {
        self.kept.settled |= self.members.iter().all(|&node| node == self.origin.0);
    }

    fn join(&self, a: u64, b: u64) -> u64 {
        if self.adds { a.wrapping_add(b) } else { a ^ b }
    }

    pub(crate) fn claim(&self, node: u64) -> Claim {
        self.kept.claims.get(&node).copied().unwrap_or_default()
    }

    fn learn_claim(&mut self, node: u64, claim: Claim) {
        let known = self.kept.claims.entry(node).or_default();
        *known = claim.max(*known);
    }

    fn learn(&mut self, (node, incarnation): Start) {
        self.learn_claim(node, (incarnation, 0));
    }

    /// Whether a later start of this node is known.
    pub(crate) fn is_superseded(&self) -> bool {
        self.claim(self.origin.0).0 > self.origin.1
    }

    fn is_covered(&self, shard: usize, (node, incarnation): Start) -> bool {
        let covers = |(&(by, end), plane): (&Start, &Plane)| by == node && incarnation < end && plane.covers;
        self.kept.planes[shard].iter().any(covers)
    }

    /// The version of a shard. Of a covered one, all are held.
    fn held(&self, shard: usize, origin: Start) -> u64 {
        if self.is_covered(shard, origin) {
            return u64::MAX;
        }
        self.kept.planes[shard].get(&origin).map_or(0, |plane| plane.version)
    }

    fn drop_covered(&mut self, shard: usize) {
        let origins: Vec<Start> = self.kept.planes[shard].keys().copied().collect();
        for origin in origins.into_iter().filter(|&origin| self.is_covered(shard, origin)).collect::<Vec<_>>()
        {
            self.kept.planes[shard].remove(&origin);
        }
    }

    fn entries(&self, shard: usize, word: usize) -> impl Iterator<Item = Entry> {
        self.kept.planes[shard].values().filter_map(move |plane| plane.entries[word])
    }

    /// The LOAD of a word that wins.
    fn winner(&self, shard: usize, word: usize) -> Option<Entry> {
        self.entries(shard, word).max_by_key(|entry| (entry.timestamp, entry.value))
    }

    /// The state of a word: what all planes add up to.
    pub(crate) fn state(&self, shard: usize, word: usize) -> u64 {
        match self.winner(shard, word) {
            None => self.kept.planes[shard].values().fold(0, |sum, plane| self.join(sum, plane.words[word])),
            Some(winner) => self
                .entries(shard, word)
                .filter(|entry| entry.timestamp == winner.timestamp)
                .fold(winner.value, |sum, entry| self.join(sum, entry.total)),
        }
    }

    /// Makes a version with a delta. Returns its frame.
    pub(crate) fn tick(&mut self, shard: usize, word: usize, delta: u64) -> Message {
        let winner = self.winner(shard, word);
        let origin = self.origin;
        let mut plane = self.kept.planes[shard].remove(&origin).unwrap_or_default();
        let from = plane.version;
        plane.version += 1;
        plane.stamps[word] = plane.version;
        match winner {
            None => plane.words[word] = self.join(plane.words[word], delta),
            Some(Entry { timestamp, value, .. }) => {
                let own = plane.entries[word].filter(|entry| entry.timestamp == timestamp);
                let total = self.join(own.map_or(0, |entry| entry.total), delta);
                plane.entries[word] = Some(Entry { timestamp, value, total });
            }
        }
        self.kept.planes[shard].insert(origin, plane.clone());
        Message::Frame { origin, shard, from, plane }
    }

    /// Makes a version with a LOAD. Returns its frame.
    pub(crate) fn load(&mut self, shard: usize, word: usize, value: u64) -> Message {
        let counter = self.winner(shard, word).map_or(0, |winner| winner.timestamp.0) + 1;
        let origin = self.origin;
        let plane = self.kept.planes[shard].entry(origin).or_default();
        let from = plane.version;
        plane.version += 1;
        plane.stamps[word] = plane.version;
        plane.entries[word] = Some(Entry { timestamp: (counter, origin), value, total: 0 });
        Message::Frame { origin, shard, from, plane: plane.clone() }
    }

    /// The answer to a request for what changed in a shard after a version.
    pub(crate) fn answer(&self, origin: Start, shard: usize, since: u64) -> Option<Message> {
        let is_silent = self.is_superseded() && origin == self.origin;
        let plane =
            self.kept.planes[shard].get(&origin).filter(|plane| plane.version > since && !is_silent)?;
        Some(Message::Frame { origin, shard, from: since, plane: plane.clone() })
    }

    /// A report. Its number is that of the last one if nothing has changed.
    pub(crate) fn report(&mut self) -> Option<Message> {
        if self.is_superseded() {
            return None;
        }
        let held = (0..SHARDS).flat_map(|shard| {
            self.kept.planes[shard].iter().map(move |(&origin, plane)| ((origin, shard), plane.version))
        });
        let held = held.filter(|((origin, _), _)| !self.lists_ended || self.claim(origin.0).0 > origin.1);
        let seq = self.last_report.as_ref().map_or(0, |last| last.seq);
        let Kept { settled, claims, .. } = self.kept.clone();
        let mut report = Report { speaker: self.origin, seq, settled, claims, held: held.collect() };
        report.seq += u64::from(self.last_report.as_ref() != Some(&report));
        self.last_report = Some(report.clone());
        Some(Message::Report(report))
    }

    /// How far an ended origin may be taken: to what a member has told that knows the claim.
    fn bound(&self, shard: usize, origin: Start) -> u64 {
        let claim = self.claim(origin.0);
        if claim.0 <= origin.1 {
            return u64::MAX;
        }
        let members = self.reports.iter().filter(|(node, _)| self.members.contains(node));
        let knowing =
            members.filter(|(_, report)| report.claims.get(&origin.0).is_some_and(|&known| known >= claim));
        knowing.filter_map(|(_, report)| report.held.get(&(origin, shard)).copied()).max().unwrap_or(0)
    }

    /// Takes a message, and folds what can be folded then.
    pub(crate) fn receive(&mut self, message: &Message) -> Vec<Message> {
        match message {
            Message::Report(report) => self.hear(report),
            Message::Frame { origin, shard, from, plane } => {
                if self.may_take(*origin, *shard, plane.version) && *from <= self.held(*shard, *origin) {
                    let own = self.kept.planes[*shard].entry(*origin).or_default();
                    for word in (0..WORDS).filter(|&word| plane.stamps[word] > *from) {
                        own.words[word] = plane.words[word];
                        own.entries[word] = plane.entries[word].or(own.entries[word]);
                        own.stamps[word] = plane.version;
                    }
                    (own.version, own.covers) = (plane.version, plane.covers);
                    self.drop_covered(*shard);
                }
            }
            Message::NamedFold { origin, shard, to, taken } => {
                let planes = &self.kept.planes[*shard];
                let is_held = |(origin, version): &(Start, u64)| {
                    planes.get(origin).is_some_and(|plane| plane.version == *version)
                };
                let is_exact = taken.iter().all(is_held);
                if self.may_take(*origin, *shard, *to) && self.held(*shard, *origin) + 1 == *to && is_exact {
                    self.fold_into(*shard, *origin, taken);
                }
            }
        }
        self.fold()
    }

    /// Whether a version of a shard is news that this node may take.
    fn may_take(&mut self, origin: Start, shard: usize, to: u64) -> bool {
        if origin == self.origin || !self.kept.settled {
            return false;
        }
        self.learn(origin);
        to > self.held(shard, origin) && to <= self.bound(shard, origin)
    }

    fn hear(&mut self, report: &Report) {
        let (node, incarnation) = report.speaker;
        if !self.members.contains(&node) || node == self.origin.0 {
            return;
        }
        self.learn(report.speaker);
        report.claims.iter().for_each(|(&node, &claim)| self.learn_claim(node, claim));
        let names_this_start =
            report.claims.get(&self.origin.0).is_some_and(|claim| claim.0 == self.origin.1);
        self.kept.settled |= report.settled && names_this_start;
        let age = |report: &Report| (report.speaker.1, report.seq);
        if self.reports.get(&node).is_none_or(|known| age(known) < (incarnation, report.seq)) {
            self.reports.insert(node, report.clone());
        }
    }

    /// Whether all members have told, in knowledge of this start, what they have of the earlier ones, and that is here.
    fn is_complete(&self, shard: usize) -> bool {
        let ((node, incarnation), claim) = (self.origin, self.claim(self.origin.0));
        claim.0 == incarnation
            && self.members.iter().filter(|&&member| member != node).all(|member| {
                self.reports.get(member).is_some_and(|report| {
                    let earlier = report.held.iter().filter(|((origin, of), _)| {
                        *of == shard && origin.0 == node && origin.1 < incarnation
                    });
                    report.speaker.1 >= self.claim(*member).0
                        && report.claims.get(&node).is_some_and(|&known| known >= claim)
                        && earlier
                            .into_iter()
                            .all(|((origin, _), &version)| self.held(shard, *origin) >= version)
                })
            })
    }

    /// Folds the earlier starts of this node wherever all members have reported.
    fn fold(&mut self) -> Vec<Message> {
        let mut folds = Vec::new();
        for shard in 0..SHARDS {
            let (node, incarnation) = self.origin;
            let earlier = self.kept.planes[shard].range((node, 0)..(node, incarnation));
            let taken: Vec<_> = earlier.map(|(&origin, plane)| (origin, plane.version)).collect();
            if !taken.is_empty() && self.is_complete(shard) {
                let to = self.fold_into(shard, self.origin, &taken);
                folds.push(Message::NamedFold { origin: self.origin, shard, to, taken });
            }
        }
        folds
    }

    fn fold_into(&mut self, shard: usize, into: Start, taken: &[(Start, u64)]) -> u64 {
        let mut plane = self.kept.planes[shard].remove(&into).unwrap_or_default();
        plane.version += 1;
        for (origin, _) in taken {
            let ended = &self.kept.planes[shard][origin];
            for word in (0..WORDS).filter(|&word| ended.stamps[word] > 0) {
                plane.stamps[word] = plane.version;
                plane.words[word] = self.join(plane.words[word], ended.words[word]);
                plane.entries[word] = match (plane.entries[word], ended.entries[word]) {
                    (Some(own), Some(other)) if own.timestamp == other.timestamp => {
                        Some(Entry { total: self.join(own.total, other.total), ..own })
                    }
                    (own, other) => own.into_iter().chain(other).max_by_key(|entry| entry.timestamp),
                };
            }
        }
        plane.covers = true;
        let version = plane.version;
        self.kept.planes[shard].insert(into, plane);
        self.drop_covered(shard);
        version
    }

    /// All versions that are held.
    pub(crate) fn versions(&self) -> BTreeMap<(Start, usize), u64> {
        let planes = self.kept.planes.iter().enumerate();
        let of = |(shard, planes): (usize, &BTreeMap<Start, Plane>)| {
            planes.iter().map(|(&origin, plane)| ((origin, shard), plane.version)).collect::<Vec<_>>()
        };
        planes.flat_map(of).collect()
    }

    /// The incarnation of the greatest start of a node that covers its earlier ones in a shard.
    pub(crate) fn cover(&self, node: u64, shard: usize) -> Option<u64> {
        let planes = self.kept.planes[shard].iter();
        planes.filter(|((by, _), plane)| *by == node && plane.covers).map(|((_, end), _)| *end).max()
    }
}
