//! A plain model of an undo stack, and the steps in which a stack is compared with it.

use super::*;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use core::marker::PhantomData;
use proptest::prelude::*;

/// An edit: deltas by address, none of them the identity.
pub(super) type Deltas = BTreeMap<u32, u64>;

fn compose<'a, A: Algebra>(edits: impl IntoIterator<Item = &'a Deltas>) -> Deltas {
    let mut total = Deltas::new();
    for (&addr, &delta) in edits.into_iter().flatten() {
        let sum = total.entry(addr).or_insert(A::IDENTITY);
        *sum = A::compose(*sum, delta);
    }
    total.retain(|_, delta| *delta != A::IDENTITY);
    total
}

/// What happens in a group, and how it ends.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) steps: Vec<GroupStep>,
    pub(super) end: End,
}

#[derive(Clone, Debug)]
pub(super) enum GroupStep {
    Apply(Deltas),
    Group(Group),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Drop,
    Cancel,
    /// Unwinds all groups that are open.
    Panic,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Apply(Deltas),
    Group(Group),
    Undo,
    Redo,
    UndoTo(u8),
    Checkpoint(u8),
    Forget(u8),
    Clear,
}

fn deltas(len: u32) -> impl Strategy<Value = Deltas> {
    // Few values, so that edits cancel each other.
    let delta = prop_oneof![1..3u64, Just(u64::MAX), any::<u64>()];
    let deltas = prop::collection::btree_map(0..len, delta, 0..=len as usize);
    deltas.prop_map(|mut deltas| {
        deltas.retain(|_, delta| *delta != 0);
        deltas
    })
}

fn group(len: u32) -> impl Strategy<Value = Group> {
    let end = || prop_oneof![3 => Just(End::Drop), 1 => Just(End::Cancel), 1 => Just(End::Panic)];
    let group = |step: BoxedStrategy<GroupStep>| {
        (prop::collection::vec(step, 0..4), end()).prop_map(|(steps, end)| Group { steps, end })
    };
    let apply = move || deltas(len).prop_map(GroupStep::Apply).boxed();
    let inner = group(apply()).prop_map(GroupStep::Group);
    group(prop_oneof![2 => apply(), 1 => inner].boxed())
}

pub(super) fn steps(len: u32) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => deltas(len).prop_map(Step::Apply),
        2 => group(len).prop_map(Step::Group),
        4 => Just(Step::Undo),
        2 => Just(Step::Redo),
        2 => (0..4u8).prop_map(Step::UndoTo),
        3 => (0..4u8).prop_map(Step::Checkpoint),
        1 => (0..4u8).prop_map(Step::Forget),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 0..60)
}

/// The model: the edits of each level in a list, names by the number of levels before them, and all numbers
/// counted again when a level goes.
struct Model<A> {
    start: Vec<u64>,
    levels: Vec<Deltas>,
    applied: usize,
    depth: Option<usize>,
    names: BTreeMap<String, usize>,
    algebra: PhantomData<A>,
}

impl<A: Algebra> Model<A> {
    fn states(&self) -> Vec<u64> {
        let mut states = self.start.clone();
        for (&addr, &delta) in self.levels[..self.applied].iter().flatten() {
            states[addr as usize] = A::compose(states[addr as usize], delta);
        }
        states
    }

    fn apply(&mut self, edit: &Deltas) {
        if edit.is_empty() {
            return;
        }
        self.levels.truncate(self.applied);
        self.names.retain(|_, at| *at <= self.applied);
        self.levels.push(edit.clone());
        self.applied += 1;
        if self.depth.is_some_and(|depth| self.levels.len() > depth) {
            let oldest = self.levels.remove(0);
            self.levels[0] = compose::<A>([&oldest, &self.levels[0]]);
            self.applied -= 1;
            self.names.retain(|_, at| *at != 1);
            self.names.values_mut().for_each(|at| *at = at.saturating_sub(1));
        }
    }

    fn undo_to(&mut self, name: &str) -> Option<Deltas> {
        let at = *self.names.get(name).filter(|at| **at <= self.applied)?;
        let undone = compose::<A>(&self.levels[at..self.applied]);
        self.applied = at;
        Some(undone)
    }

    fn clear(&mut self) {
        self.start = self.states();
        self.names.retain(|_, at| *at == self.applied);
        self.names.values_mut().for_each(|at| *at = 0);
        self.levels.clear();
        self.applied = 0;
    }
}

/// The edits that a group leaves, and whether it panicked.
fn edits_of<A: Algebra>(group: &Group) -> (Vec<Deltas>, bool) {
    let mut edits = Vec::new();
    for step in &group.steps {
        match step {
            GroupStep::Apply(deltas) => edits.push(deltas.clone()),
            GroupStep::Group(inner) => {
                let (inner, panicked) = edits_of::<A>(inner);
                edits.extend(inner);
                if panicked {
                    return (edits, true);
                }
            }
        }
    }
    match group.end {
        End::Drop => (edits, false),
        End::Cancel => (Vec::new(), false),
        End::Panic => (edits, true),
    }
}

/// An undo stack under test.
pub(super) trait Stack {
    fn apply(&mut self, edit: &Deltas);
    /// Does as the group says, and may panic with it.
    fn group(&mut self, group: &Group);
    fn undo(&mut self) -> Option<Deltas>;
    fn redo(&mut self) -> Option<Deltas>;
    fn undo_to(&mut self, name: &str) -> Result<Deltas, RollbackError>;
    fn checkpoint(&mut self, name: &str);
    fn is_at(&self, name: &str) -> bool;
    fn forget(&mut self, name: &str) -> bool;
    fn clear(&mut self);
    /// The numbers of levels that can be undone and redone.
    fn levels(&self) -> (usize, usize);
    fn states(&self) -> Vec<u64>;
    fn debug(&self) -> String;
}

pub(super) fn follows_the_model<A: Algebra>(
    mut stack: impl Stack,
    depth: Option<usize>,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut model = Model::<A> {
        start: stack.states(),
        levels: Vec::new(),
        applied: 0,
        depth,
        names: BTreeMap::new(),
        algebra: PhantomData,
    };
    for step in steps {
        match step {
            Step::Apply(edit) => {
                stack.apply(edit);
                model.apply(edit);
            }
            Step::Group(group) => {
                let result = catch_unwind(AssertUnwindSafe(|| stack.group(group)));
                let (edits, panicked) = edits_of::<A>(group);
                prop_assert_eq!(result.is_err(), panicked);
                model.apply(&compose::<A>(&edits));
            }
            Step::Undo => {
                let undone = model.applied.checked_sub(1);
                prop_assert_eq!(stack.undo(), undone.map(|at| model.levels[at].clone()));
                model.applied = undone.unwrap_or(0);
            }
            Step::Redo => {
                let redone = model.levels.get(model.applied).cloned();
                model.applied += usize::from(redone.is_some());
                prop_assert_eq!(stack.redo(), redone);
            }
            Step::UndoTo(name) => {
                let name = name.to_string();
                let ahead = model.names.get(&name).is_some_and(|at| *at > model.applied);
                let expected = model.undo_to(&name).ok_or_else(|| match ahead {
                    true => RollbackError::Undone { name: name.clone() },
                    false => RollbackError::Unknown { name: name.clone() },
                });
                prop_assert_eq!(stack.undo_to(&name), expected);
            }
            Step::Checkpoint(name) => {
                stack.checkpoint(&name.to_string());
                model.names.insert(name.to_string(), model.applied);
            }
            Step::Forget(name) => {
                let known = model.names.remove(&name.to_string()).is_some();
                prop_assert_eq!(stack.forget(&name.to_string()), known);
            }
            Step::Clear => {
                stack.clear();
                model.clear();
            }
        }
        prop_assert_eq!(stack.states(), model.states());
        prop_assert_eq!(stack.levels(), (model.applied, model.levels.len() - model.applied));
        for name in (0..4u8).map(|name| name.to_string()) {
            let at = model.names.get(&name);
            prop_assert_eq!(stack.is_at(&name), at == Some(&model.applied));
            prop_assert_eq!(stack.debug().contains(&format!("{name:?}: ")), at.is_some(), "kept names");
        }
    }
    Ok(())
}
