//! Undo and redo, 8 bytes a level.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::num::NonZeroUsize;

use crate::algebra::Algebra;
use crate::context::Source;

/// A chain of deltas that can be undone and redone, level by level: 8 bytes a level, whatever the state
/// stands for.
///
/// Undoing accumulates the inverse, so it takes back this chain's own deltas and nothing else: several
/// chains, in several threads, may work on one [`Context`](crate::Context) (or
/// [`FanIn`](crate::FanIn)), and their undoing composes. The chain itself belongs to one thread at a
/// time. `S` is the state, owned, by reference or in an `Arc`.
///
/// Each method that changes the state does so by one `accum`, with the progress and ordering of that. Keeping the
/// books takes O(1), but for [`undo_to`](Self::undo_to), O(the levels it undoes), and for an
/// [`apply`](Self::apply) after an undo, O(the levels and checkpoints that it forgets, and those it keeps).
///
/// ```
/// use atomik_core::{AtomikContext, Rollback};
///
/// let context = AtomikContext::new(0xCAFE);
/// let mut chain = Rollback::new(&context);
/// chain.apply(0x0001);
/// chain.checkpoint("before the experiment");
/// chain.apply(0x0100);
/// chain.apply(0x1000);
/// assert_eq!(chain.undo(), Some(0x1000));
/// assert_eq!(chain.redo(), Some(0x1000));
/// chain.undo_to("before the experiment")?;
/// assert_eq!(context.read(), 0xCAFF);
/// # Ok::<(), atomik_core::RollbackError>(())
/// ```
pub struct Rollback<S> {
    target: S,
    /// The levels, oldest first: those applied, then those undone.
    levels: VecDeque<u64>,
    /// How many levels are applied.
    applied: usize,
    /// How many levels were collapsed into the oldest one.
    collapsed: usize,
    depth: Option<NonZeroUsize>,
    /// The position at which each checkpoint was set.
    checkpoints: BTreeMap<String, usize>,
}

impl<S: Source> Rollback<S> {
    /// An empty chain on a state, of any depth.
    #[must_use]
    pub fn new(target: S) -> Self {
        Self {
            target,
            levels: VecDeque::new(),
            applied: 0,
            collapsed: 0,
            depth: None,
            checkpoints: BTreeMap::new(),
        }
    }

    /// An empty chain of at most `depth` levels: when one more is applied, the two oldest collapse into
    /// one, which is undone as one.
    ///
    /// ```
    /// use core::num::NonZeroUsize;
    /// use atomik_core::{Counter, Rollback};
    ///
    /// let counter = Counter::new(0);
    /// let mut chain = Rollback::with_depth(&counter, NonZeroUsize::new(2).unwrap());
    /// for delta in [1, 10, 100] {
    ///     chain.apply(delta);
    /// }
    /// assert_eq!(chain.undo(), Some(100));
    /// assert_eq!(chain.undo(), Some(11));
    /// assert_eq!(counter.read(), 0);
    /// ```
    #[must_use]
    pub fn with_depth(target: S, depth: NonZeroUsize) -> Self {
        Self { depth: Some(depth), ..Self::new(target) }
    }

    /// Accumulates a delta as a new level. What was undone before can't be redone any more, and checkpoints
    /// set there are forgotten.
    pub fn apply(&mut self, delta: u64) {
        let position = self.position();
        if self.applied < self.levels.len() {
            self.levels.truncate(self.applied);
            self.checkpoints.retain(|_, at| *at <= position);
        }
        if self.applied == 0 {
            self.collapsed = 0;
        }
        self.target.accum(delta);
        self.levels.push_back(delta);
        if self.depth.is_some_and(|depth| self.levels.len() > depth.get()) {
            self.collapse();
        }
        self.applied = self.levels.len();
    }

    /// Makes one level of the two oldest.
    fn collapse(&mut self) {
        if let (Some(oldest), Some(next)) = (self.levels.pop_front(), self.levels.front_mut()) {
            *next = S::Algebra::compose(oldest, *next);
        }
        self.collapsed += 1;
    }

    /// Takes the latest level back and tells its delta; `None` if all are undone.
    pub fn undo(&mut self) -> Option<u64> {
        let delta = *self.levels.get(self.applied.checked_sub(1)?)?;
        self.applied -= 1;
        self.target.accum(S::Algebra::invert(delta));
        Some(delta)
    }

    /// Applies the level undone last once more and tells its delta; `None` if there is none.
    pub fn redo(&mut self) -> Option<u64> {
        let delta = *self.levels.get(self.applied)?;
        self.applied += 1;
        self.target.accum(delta);
        Some(delta)
    }

    /// Names the present position, so that [`undo_to`](Self::undo_to) leads back to it. A name that is
    /// taken moves here.
    pub fn checkpoint(&mut self, name: impl Into<String>) {
        let position = self.position();
        self.checkpoints.insert(name.into(), position);
    }

    /// Undoes all levels applied since a checkpoint, by one `accum`, and tells what they composed to: the
    /// identity if there were none. They can be redone.
    ///
    /// # Errors
    ///
    /// Nothing is undone if there is no such checkpoint ([`RollbackError::Unknown`]), if it was set at a level
    /// that has since been undone ([`RollbackError::Undone`]), or if it lies inside levels that collapsed
    /// into one ([`RollbackError::Collapsed`]).
    pub fn undo_to(&mut self, name: &str) -> Result<u64, RollbackError> {
        let Some(&at) = self.checkpoints.get(name) else {
            return Err(RollbackError::Unknown { name: name.into() });
        };
        // The oldest level stands for `collapsed + 1` of them; before it lies position 0.
        let target = match at {
            0 => 0,
            _ if at <= self.collapsed => return Err(RollbackError::Collapsed { name: name.into() }),
            _ if at > self.position() => return Err(RollbackError::Undone { name: name.into() }),
            _ => at - self.collapsed,
        };
        let undone = self.levels.range(target..self.applied);
        let delta = undone.fold(S::Algebra::IDENTITY, |total, &delta| S::Algebra::compose(total, delta));
        self.applied = target;
        self.target.accum(S::Algebra::invert(delta));
        Ok(delta)
    }

    /// How many levels can be undone.
    #[must_use]
    pub fn undo_levels(&self) -> usize {
        self.applied
    }

    /// How many levels can be redone.
    #[must_use]
    pub fn redo_levels(&self) -> usize {
        self.levels.len() - self.applied
    }

    /// What the chain works on.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.target
    }

    /// How many deltas are applied, those of a collapsed level counted singly.
    fn position(&self) -> usize {
        if self.applied == 0 { 0 } else { self.collapsed + self.applied }
    }
}

impl<S: Source> fmt::Debug for Rollback<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rollback")
            .field("undo_levels", &self.undo_levels())
            .field("redo_levels", &self.redo_levels())
            .field("depth", &self.depth)
            .field("checkpoints", &self.checkpoints)
            .finish()
    }
}

/// Why [`Rollback::undo_to`] could not go to a checkpoint. Nothing was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollbackError {
    /// There is no checkpoint of this name.
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The checkpoint is at a level that has been undone: it lies ahead, and [`Rollback::redo`] leads there.
    Undone {
        /// The name asked for.
        name: String,
    },
    /// The checkpoint is inside levels that collapsed into one.
    Collapsed {
        /// The name asked for.
        name: String,
    },
}

impl fmt::Display for RollbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "there is no checkpoint {name:?}"),
            Self::Undone { name } => write!(f, "the levels up to checkpoint {name:?} are undone"),
            Self::Collapsed { name } => {
                write!(f, "checkpoint {name:?} lies inside levels that collapsed into one")
            }
        }
    }
}

impl Error for RollbackError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::{Add, Xor};
    use crate::context::{AtomikContext, Context, Counter};
    use alloc::format;
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use std::thread;

    #[test]
    fn a_checkpoint_is_found_again() {
        let counter = Counter::new(0);
        let mut chain = Rollback::new(&counter);
        chain.apply(1);
        chain.checkpoint("one");
        chain.apply(2);
        chain.apply(3);
        assert_eq!((chain.undo_levels(), chain.redo_levels()), (3, 0));
        assert_eq!(chain.undo_to("one"), Ok(5));
        assert_eq!((chain.undo_levels(), chain.redo_levels()), (1, 2));
        assert_eq!(counter.read(), 1);
        assert_eq!(chain.undo_to("one"), Ok(0));
        assert_eq!((chain.redo(), chain.redo(), chain.redo()), (Some(2), Some(3), None));
        assert_eq!(counter.read(), 6);
    }

    #[test]
    fn checkpoints_that_cannot_be_reached_are_errors_and_change_nothing() {
        let counter = Counter::new(0);
        let mut chain = Rollback::with_depth(&counter, NonZeroUsize::new(2).unwrap());
        let name = |name: &str| String::from(name);
        chain.checkpoint("start");
        chain.apply(1);
        chain.checkpoint("inside");
        chain.apply(10);
        chain.checkpoint("edge");
        chain.apply(100);
        chain.checkpoint("end");
        assert_eq!(chain.undo_to("inside"), Err(RollbackError::Collapsed { name: name("inside") }));
        assert_eq!(chain.undo_to("nowhere"), Err(RollbackError::Unknown { name: name("nowhere") }));
        assert_eq!(counter.read(), 111);
        assert_eq!(chain.undo_to("edge"), Ok(100));
        assert_eq!(chain.undo_to("end"), Err(RollbackError::Undone { name: name("end") }));
        assert_eq!(counter.read(), 11);
        chain.apply(1_000);
        assert_eq!(chain.undo_to("end"), Err(RollbackError::Unknown { name: name("end") }));
        assert_eq!(chain.undo_to("start"), Ok(1_011));
        assert_eq!(counter.read(), 0);
        assert_eq!(chain.undo_to("inside"), Err(RollbackError::Collapsed { name: name("inside") }));
    }

    #[test]
    fn undoing_by_several_threads_composes() {
        let context = AtomikContext::new(0xCAFE);
        thread::scope(|scope| {
            for thread in 1..=3u64 {
                let context = &context;
                scope.spawn(move || {
                    let mut chain = Rollback::new(context);
                    (0..1_000).for_each(|i| chain.apply((thread << 40) | i));
                    (1..1_000).rev().for_each(|i| assert_eq!(chain.undo(), Some((thread << 40) | i)));
                });
            }
        });
        assert_eq!(context.read(), 0xCAFE ^ (1 << 40) ^ (2 << 40) ^ (3 << 40));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Apply(u64),
        Undo,
        Redo,
        Checkpoint(u8),
        UndoTo(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => any::<u64>().prop_map(Step::Apply),
            2 => Just(Step::Undo),
            1 => Just(Step::Redo),
            1 => (0..4u8).prop_map(Step::Checkpoint),
            1 => (0..4u8).prop_map(Step::UndoTo),
        ]
    }

    /// The model: the list of all states ever passed, of which those inside the oldest level are gone.
    fn follows_the_model<A: Algebra>(depth: Option<usize>, steps: &[Step]) -> Result<(), TestCaseError> {
        let context = Context::<A>::new(77);
        let mut chain = match depth.and_then(NonZeroUsize::new) {
            Some(depth) => Rollback::with_depth(&context, depth),
            None => Rollback::new(&context),
        };
        // States by position, whether a position can be gone to, and where we are.
        let mut states = alloc::vec![(77u64, true)];
        let mut here = 0;
        let mut names: BTreeMap<u8, usize> = BTreeMap::new();
        for step in steps {
            let reachable: Vec<usize> = (0..states.len()).filter(|&at| states[at].1).collect();
            let below = reachable.iter().copied().rfind(|&at| at < here);
            match *step {
                Step::Apply(delta) => {
                    states.truncate(here + 1);
                    names.retain(|_, at| *at <= here);
                    states.push((A::compose(states[here].0, delta), true));
                    here += 1;
                    chain.apply(delta);
                    let kept: Vec<usize> = (1..states.len()).filter(|&at| states[at].1).collect();
                    if depth.is_some_and(|depth| kept.len() > depth) {
                        states[kept[0]].1 = false;
                    }
                }
                Step::Undo => {
                    prop_assert_eq!(chain.undo(), below.map(|at| A::delta(states[at].0, states[here].0)));
                    here = below.unwrap_or(here);
                }
                Step::Redo => {
                    let above = reachable.iter().copied().find(|&at| at > here);
                    prop_assert_eq!(chain.redo(), above.map(|at| A::delta(states[here].0, states[at].0)));
                    here = above.unwrap_or(here);
                }
                Step::Checkpoint(name) => {
                    chain.checkpoint(format!("{name}"));
                    names.insert(name, here);
                }
                Step::UndoTo(name) => {
                    let result = chain.undo_to(&format!("{name}"));
                    match names.get(&name) {
                        Some(&at) if at <= here && states[at].1 => {
                            prop_assert_eq!(result, Ok(A::delta(states[at].0, states[here].0)));
                            here = at;
                        }
                        _ => prop_assert!(result.is_err()),
                    }
                }
            }
            prop_assert_eq!(context.read(), states[here].0);
            prop_assert!(depth.is_none_or(|depth| chain.levels.len() <= depth));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn xor_chains_follow_the_model(depth in prop::option::of(1..5usize), steps in prop::collection::vec(step(), 0..60)) {
            follows_the_model::<Xor>(depth, &steps)?;
        }

        #[test]
        fn add_chains_follow_the_model(depth in prop::option::of(1..5usize), steps in prop::collection::vec(step(), 0..60)) {
            follows_the_model::<Add>(depth, &steps)?;
        }
    }

    #[test]
    fn debug_shows_levels_and_checkpoints() {
        let counter = Counter::new(0);
        let mut chain = Rollback::with_depth(&counter, NonZeroUsize::new(4).unwrap());
        chain.apply(1);
        chain.checkpoint("one");
        chain.apply(2);
        chain.apply(3);
        chain.undo();
        assert_eq!(
            format!("{chain:?}"),
            "Rollback { undo_levels: 2, redo_levels: 1, depth: Some(4), checkpoints: {\"one\": 1} }"
        );
    }

    #[test]
    fn errors_tell_the_checkpoint() {
        use alloc::string::ToString;
        let name = || String::from("a");
        assert_eq!(RollbackError::Unknown { name: name() }.to_string(), "there is no checkpoint \"a\"");
        assert_eq!(
            RollbackError::Undone { name: name() }.to_string(),
            "the levels up to checkpoint \"a\" are undone"
        );
        assert_eq!(
            RollbackError::Collapsed { name: name() }.to_string(),
            "checkpoint \"a\" lies inside levels that collapsed into one"
        );
    }
}
