//! The stacks on one state and on a table follow the model.

use super::model::{Deltas, End, Group, GroupStep, Stack, follows_the_model, steps};
use super::*;
use crate::algebra::{Add, Xor};
use crate::context::Context;
use crate::delta::DeltaBatch;
use crate::fan_in::TableFanIn;
use crate::table::{Table, TableSource};
use proptest::prelude::*;

/// The methods of [`Stack`] that are the same calls of both stacks.
macro_rules! same_calls {
    () => {
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

        fn debug(&self) -> String {
            format!("{self:?}")
        }
    };
}

/// The delta of address 0.
fn only(deltas: &Deltas) -> u64 {
    deltas.get(&0).copied().unwrap_or(0)
}

fn at_0(delta: u64) -> Deltas {
    (delta != 0).then_some((0, delta)).into_iter().collect()
}

/// Ends an open group.
fn close<G>(open: G, end: End, cancel: impl FnOnce(G)) {
    match end {
        End::Drop => drop(open),
        End::Cancel => cancel(open),
        End::Panic => resume_unwind(Box::new(())),
    }
}

fn run<S: Source>(mut open: EditGroup<'_, S>, group: &Group) {
    for step in &group.steps {
        match step {
            GroupStep::Apply(deltas) => open.apply(only(deltas)),
            GroupStep::Group(inner) => run(open.group(), inner),
        }
    }
    close(open, group.end, |open| _ = open.cancel());
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

    same_calls!();

    fn states(&self) -> Vec<u64> {
        vec![self.get_ref().read()]
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
    close(open, group.end, |open| _ = open.cancel());
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

    same_calls!();

    fn states(&self) -> Vec<u64> {
        (0..self.get_ref().table_len()).map(|addr| self.get_ref().read(addr)).collect()
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
