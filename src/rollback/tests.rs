use super::*;
use crate::algebra::{Add, Xor};
use crate::context::{AtomikContext, Context, Counter};
use crate::delta::{AddressOutOfRange, DeltaBatch};
use crate::fan_in::TableFanIn;
use crate::table::{Table, TableSource};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

fn depth(levels: usize) -> NonZeroUsize {
    NonZeroUsize::new(levels).unwrap()
}

#[test]
fn a_checkpoint_is_found_again() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(1);
    edits.checkpoint("one");
    edits.apply(2);
    edits.apply(3);
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (3, 0));
    assert_eq!(edits.undo_to("one"), Ok(5));
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (1, 2));
    assert_eq!(counter.read(), 1);
    assert_eq!(edits.undo_to("one"), Ok(0));
    assert_eq!((edits.redo(), edits.redo(), edits.redo()), (Some(2), Some(3), None));
    assert_eq!(counter.read(), 6);
}

#[test]
fn a_checkpoint_that_cannot_be_reached_is_an_error_and_changes_nothing() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(2));
    let name = |name: &str| String::from(name);
    edits.checkpoint("start");
    edits.apply(1);
    edits.checkpoint("inside");
    edits.apply(10);
    edits.checkpoint("edge");
    edits.apply(100);
    edits.checkpoint("end");
    assert_eq!(edits.undo_to("inside"), Err(RollbackError::Unknown { name: name("inside") }));
    assert_eq!(edits.undo_to("nowhere"), Err(RollbackError::Unknown { name: name("nowhere") }));
    assert_eq!(counter.read(), 111);
    assert_eq!(edits.undo_to("edge"), Ok(100));
    assert_eq!(edits.undo_to("end"), Err(RollbackError::Undone { name: name("end") }));
    assert_eq!(counter.read(), 11);
    edits.apply(1_000);
    assert_eq!(edits.undo_to("end"), Err(RollbackError::Unknown { name: name("end") }));
    assert_eq!(edits.undo_to("start"), Ok(1_011));
    assert_eq!(counter.read(), 0);
}

#[test]
fn an_identity_delta_makes_no_level_and_keeps_the_redo_levels() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(5);
    edits.undo();
    edits.checkpoint("saved");
    edits.apply(0);
    let mut group = edits.group();
    group.apply(0);
    drop(group);
    let mut group = edits.group();
    group.apply(7);
    group.apply(7u64.wrapping_neg());
    drop(group);
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (0, 1));
    assert!(edits.is_at("saved"));
    assert_eq!(edits.redo(), Some(5));
}

#[test]
fn collapsed_levels_that_cancel_each_other_stay_a_level() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(2));
    for delta in [7, 7u64.wrapping_neg(), 1] {
        edits.apply(delta);
    }
    assert_eq!((edits.undo(), edits.undo(), edits.undo()), (Some(1), Some(0), None));
    assert_eq!(counter.read(), 0);
}

#[test]
fn names_inside_collapsed_levels_are_forgotten() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(8));
    for i in 0..1_000 {
        edits.apply(1);
        edits.checkpoint(format!("save {i}"));
    }
    assert_eq!(format!("{edits:?}").matches("save ").count(), 8);
    assert!(edits.undo_to("save 991").is_err());
    assert_eq!(edits.undo_to("save 992"), Ok(7));
}

#[test]
fn names_at_discarded_levels_are_forgotten() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    for i in 0..1_000 {
        edits.apply(1);
        edits.checkpoint(format!("save {i}"));
    }
    edits.undo_to("save 9").unwrap();
    edits.apply(1);
    assert_eq!(format!("{edits:?}").matches("save ").count(), 10);
}

/// What an undo means across somebody's LOAD, and the two ways out.
#[test]
fn an_undo_across_a_load_takes_back_what_the_load_overwrote() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(5);
    counter.load(100);
    edits.undo();
    assert_eq!(counter.read(), 95, "relative to the state that was loaded");

    counter.load(100);
    edits.clear();
    assert_eq!((edits.undo(), edits.redo()), (None, None));
    assert_eq!(counter.read(), 100);

    edits.apply(Add::delta(counter.read(), 7));
    assert_eq!(counter.read(), 7);
    edits.undo();
    assert_eq!(counter.read(), 100);
}

#[test]
fn clearing_keeps_the_checkpoints_at_the_present_position() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.checkpoint("start");
    edits.apply(1);
    edits.checkpoint("saved");
    edits.apply(2);
    edits.checkpoint("ahead");
    edits.undo();
    edits.clear();
    assert_eq!((edits.is_at("start"), edits.is_at("saved"), edits.is_at("ahead")), (false, true, false));
    edits.apply(4);
    assert_eq!(edits.undo_to("saved"), Ok(4));
    assert_eq!(counter.read(), 1);
}

#[test]
fn is_at_is_the_modified_flag_of_an_editor() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(2));
    let mut is_saved = Vec::new();
    assert!(!edits.is_at("saved"), "nothing was saved yet");
    edits.checkpoint("saved");
    is_saved.push(edits.is_at("saved"));
    edits.apply(1);
    is_saved.push(edits.is_at("saved"));
    edits.undo();
    is_saved.push(edits.is_at("saved"));
    edits.redo();
    edits.checkpoint("saved");
    is_saved.push(edits.is_at("saved"));
    edits.undo();
    is_saved.push(edits.is_at("saved"));
    // What was saved is on a branch that can't be reached any more.
    edits.apply(2);
    is_saved.push(edits.is_at("saved"));
    edits.undo();
    is_saved.push(edits.is_at("saved"));
    assert_eq!(is_saved, [true, false, true, true, false, false, false]);
}

#[test]
fn a_saved_position_inside_a_collapsed_level_stays_modified() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(1));
    edits.apply(1);
    edits.checkpoint("saved");
    edits.apply(2);
    edits.undo();
    assert!(!edits.is_at("saved"));
}

#[test]
fn a_name_can_be_moved_and_forgotten() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.checkpoint("here");
    edits.apply(1);
    edits.checkpoint("here");
    edits.apply(2);
    assert_eq!(edits.undo_to("here"), Ok(2));
    assert!(edits.forget("here"));
    assert!(!edits.forget("here"));
    assert!(edits.undo_to("here").is_err());
}

#[test]
fn a_group_that_a_panic_leaves_is_one_level() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut group = edits.group();
        group.apply(1);
        let mut inner = group.group();
        inner.apply(10);
        resume_unwind(Box::new("the work failed"));
    }));
    assert!(result.is_err());
    assert_eq!((counter.read(), edits.undo_levels()), (11, 1));
    assert_eq!(edits.undo(), Some(11));
    assert_eq!(counter.read(), 0);
}

#[test]
fn a_group_that_an_early_return_leaves_is_one_level() {
    fn work(edits: &mut Rollback<&Counter>) -> Option<()> {
        let mut group = edits.group();
        group.apply(1);
        group.apply(2);
        None?;
        group.apply(4);
        Some(())
    }
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    assert_eq!(work(&mut edits), None);
    assert_eq!(edits.undo(), Some(3));
    assert_eq!(counter.read(), 0);
}

#[test]
fn the_edits_of_a_forgotten_group_are_as_another_writers() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(1);
    edits.undo();
    let mut group = edits.group();
    group.apply(10);
    core::mem::forget(group);
    assert_eq!((edits.undo(), edits.redo()), (None, Some(1)));
    assert_eq!(counter.read(), 11);
}

#[test]
fn a_cancelled_group_leaves_the_undone_levels() {
    let counter = Counter::new(0);
    let mut edits = Rollback::new(&counter);
    edits.apply(1);
    edits.undo();
    let mut group = edits.group();
    group.apply(10);
    group.apply(20);
    assert_eq!((group.get_ref().read(), group.cancel()), (30, 30));
    assert_eq!(counter.read(), 0);
    assert_eq!(edits.redo(), Some(1));
}

#[test]
fn stacks_of_several_threads_compose() {
    let context = AtomikContext::new(0xCAFE);
    thread::scope(|scope| {
        for thread in 1..=3u64 {
            let context = &context;
            scope.spawn(move || {
                let mut edits = Rollback::new(context);
                (0..1_000).for_each(|i| edits.apply((thread << 40) | i));
                (1..1_000).rev().for_each(|i| assert_eq!(edits.undo(), Some((thread << 40) | i)));
            });
        }
    });
    assert_eq!(context.read(), 0xCAFE ^ (1 << 40) ^ (2 << 40) ^ (3 << 40));
}

#[test]
fn debug_shows_levels_and_checkpoints() {
    let counter = Counter::new(0);
    let mut edits = Rollback::with_depth(&counter, depth(4));
    edits.apply(1);
    edits.checkpoint("one");
    edits.apply(2);
    edits.apply(3);
    edits.undo();
    assert_eq!(
        format!("{edits:?}"),
        "Rollback { undo_levels: 2, redo_levels: 1, depth: Some(4), checkpoints: {\"one\": 1}, .. }"
    );
    let mut group = edits.group();
    group.apply(7);
    group.apply(8);
    assert_eq!(format!("{group:?}"), "EditGroup { edits: 2, .. }");
}

/// An edit: deltas by address, none of them the identity.
type Deltas = BTreeMap<u32, u64>;

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
struct Group {
    steps: Vec<GroupStep>,
    end: End,
}

#[derive(Clone, Debug)]
enum GroupStep {
    Apply(Deltas),
    Group(Group),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Drop,
    Cancel,
    /// Unwinds all groups that are open.
    Panic,
}

#[derive(Clone, Debug)]
enum Step {
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

fn steps(len: u32) -> impl Strategy<Value = Vec<Step>> {
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
    algebra: core::marker::PhantomData<A>,
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
trait Stack {
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

fn follows_the_model<A: Algebra>(
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
        algebra: core::marker::PhantomData,
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

/// The delta of address 0.
fn only(deltas: &Deltas) -> u64 {
    deltas.get(&0).copied().unwrap_or(0)
}

fn at_0(delta: u64) -> Deltas {
    (delta != 0).then_some((0, delta)).into_iter().collect()
}

fn run<S: Source>(mut open: EditGroup<'_, S>, group: &Group) {
    for step in &group.steps {
        match step {
            GroupStep::Apply(deltas) => open.apply(only(deltas)),
            GroupStep::Group(inner) => run(open.group(), inner),
        }
    }
    match group.end {
        End::Drop => {}
        End::Cancel => {
            let _ = open.cancel();
        }
        End::Panic => resume_unwind(Box::new(())),
    }
}

impl<A: Algebra> Stack for Rollback<Context<A>> {
    fn apply(&mut self, edit: &Deltas) {
        self.apply(only(edit));
    }

    fn group(&mut self, group: &Group) {
        run(self.group(), group);
    }

    fn undo(&mut self) -> Option<Deltas> {
        self.undo().map(at_0)
    }

    fn redo(&mut self) -> Option<Deltas> {
        self.redo().map(at_0)
    }

    fn undo_to(&mut self, name: &str) -> Result<Deltas, RollbackError> {
        self.undo_to(name).map(at_0)
    }

    fn checkpoint(&mut self, name: &str) {
        self.checkpoint(name);
    }

    fn is_at(&self, name: &str) -> bool {
        self.is_at(name)
    }

    fn forget(&mut self, name: &str) -> bool {
        self.forget(name)
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn levels(&self) -> (usize, usize) {
        (self.undo_levels(), self.redo_levels())
    }

    fn states(&self) -> Vec<u64> {
        vec![self.get_ref().read()]
    }

    fn debug(&self) -> String {
        format!("{self:?}")
    }
}

fn rollback<A: Algebra>(depth: Option<usize>) -> Rollback<Context<A>> {
    let context = Context::new(77);
    match depth.and_then(NonZeroUsize::new) {
        Some(depth) => Rollback::with_depth(context, depth),
        None => Rollback::new(context),
    }
}

fn batch<A: Algebra>(deltas: &Deltas) -> DeltaBatch<A> {
    deltas.iter().map(|(&addr, &delta)| (addr, delta)).collect()
}

fn deltas_of<A: Algebra>(batch: &DeltaBatch<A>) -> Deltas {
    batch.iter().collect()
}

fn run_on_table<S: TableSource>(mut open: TableEditGroup<'_, S>, group: &Group) {
    for step in &group.steps {
        match step {
            GroupStep::Apply(deltas) => open.apply(batch(deltas)).unwrap(),
            GroupStep::Group(inner) => run_on_table(open.group(), inner),
        }
    }
    match group.end {
        End::Drop => {}
        End::Cancel => {
            let _ = open.cancel();
        }
        End::Panic => resume_unwind(Box::new(())),
    }
}

impl<S: TableSource> Stack for TableRollback<S> {
    fn apply(&mut self, edit: &Deltas) {
        self.apply(batch(edit)).unwrap();
    }

    fn group(&mut self, group: &Group) {
        run_on_table(self.group(), group);
    }

    fn undo(&mut self) -> Option<Deltas> {
        self.undo().map(deltas_of)
    }

    fn redo(&mut self) -> Option<Deltas> {
        self.redo().map(deltas_of)
    }

    fn undo_to(&mut self, name: &str) -> Result<Deltas, RollbackError> {
        self.undo_to(name).map(|batch| deltas_of(&batch))
    }

    fn checkpoint(&mut self, name: &str) {
        self.checkpoint(name);
    }

    fn is_at(&self, name: &str) -> bool {
        self.is_at(name)
    }

    fn forget(&mut self, name: &str) -> bool {
        self.forget(name)
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn levels(&self) -> (usize, usize) {
        (self.undo_levels(), self.redo_levels())
    }

    fn states(&self) -> Vec<u64> {
        (0..self.get_ref().table_len()).map(|addr| self.get_ref().read(addr)).collect()
    }

    fn debug(&self) -> String {
        format!("{self:?}")
    }
}

fn table_rollback<S: TableSource>(target: S, depth: Option<usize>) -> TableRollback<S> {
    match depth.and_then(NonZeroUsize::new) {
        Some(depth) => TableRollback::with_depth(target, depth),
        None => TableRollback::new(target),
    }
}

fn depths() -> impl Strategy<Value = Option<usize>> {
    prop::option::of(1..5usize)
}

proptest! {
    #[test]
    fn xor_stacks_follow_the_model(depth in depths(), steps in steps(1)) {
        follows_the_model::<Xor>(rollback::<Xor>(depth), depth, &steps)?;
    }

    #[test]
    fn add_stacks_follow_the_model(depth in depths(), steps in steps(1)) {
        follows_the_model::<Add>(rollback::<Add>(depth), depth, &steps)?;
    }

    #[test]
    fn stacks_on_a_table_follow_the_model(depth in depths(), steps in steps(4)) {
        let table = Table::<Xor>::from_iter([70, 71, 72, 73]);
        follows_the_model::<Xor>(table_rollback(table, depth), depth, &steps)?;
        let table = Table::<Add>::from_iter([70, 71, 72, 73]);
        follows_the_model::<Add>(table_rollback(table, depth), depth, &steps)?;
    }

    #[test]
    fn stacks_on_a_table_fan_in_follow_the_model(depth in depths(), steps in steps(4)) {
        let fan_in = TableFanIn::<Add>::new(4);
        fan_in.accum(1, 70);
        follows_the_model::<Add>(table_rollback(&fan_in, depth), depth, &steps)?;
    }
}

#[test]
fn a_batch_past_the_end_changes_neither_the_table_nor_the_levels() {
    let table = Table::<Add>::new(4);
    let mut edits = TableRollback::new(&table);
    edits.apply(DeltaBatch::from_iter([(0, 1)])).unwrap();
    edits.undo();
    let past: DeltaBatch<Add> = DeltaBatch::from_iter([(0, 1), (4, 1)]);
    let error = AddressOutOfRange { addr: 4, len: 4 };
    assert_eq!(edits.apply(past.clone()), Err(error));
    let mut group = edits.group();
    assert_eq!(group.apply(past), Err(error));
    drop(group);
    assert!(table.iter().all(|context| context.read() == 0));
    assert_eq!((edits.undo_levels(), edits.redo_levels()), (0, 1));
}

#[test]
fn stacks_of_several_threads_on_a_table_compose() {
    let table = Table::<Add>::new(8);
    thread::scope(|scope| {
        for thread in 0..3u32 {
            let table = &table;
            scope.spawn(move || {
                let mut edits = TableRollback::new(table);
                (0..1_000)
                    .for_each(|i| edits.apply(DeltaBatch::from_iter([(thread, 1), (i % 8, 5)])).unwrap());
                (1..1_000).for_each(|_| assert!(edits.undo().is_some()));
            });
        }
    });
    // Each thread kept its first batch.
    assert!(table.iter().map(|context| context.read()).eq([16, 1, 1, 0, 0, 0, 0, 0]));
}

#[test]
fn debug_of_a_table_stack_shows_levels_and_checkpoints() {
    let mut edits = TableRollback::with_depth(Table::<Add>::new(4), depth(4));
    edits.checkpoint("empty");
    let mut group = edits.group();
    group.apply(DeltaBatch::from_iter([(0, 1)])).unwrap();
    group.apply(DeltaBatch::from_iter([(1, 1)])).unwrap();
    assert_eq!(format!("{group:?}"), "TableEditGroup { edits: 2, .. }");
    drop(group);
    assert_eq!(
        format!("{edits:?}"),
        "TableRollback { undo_levels: 1, redo_levels: 0, depth: Some(4), checkpoints: {\"empty\": 0}, .. }"
    );
}
