use super::*;
use alloc::format;
use alloc::vec::Vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u64),
    Remove(u8),
    RemoveAt(u64),
    RemoveAfter(u64),
    KeepOnly(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8, 0..5u64).prop_map(|(name, at)| Step::Set(name, at)),
        1 => (0..6u8).prop_map(Step::Remove),
        1 => (0..5u64).prop_map(Step::RemoveAt),
        1 => (0..5u64).prop_map(Step::RemoveAfter),
        1 => (0..5u64, 0..5u64).prop_map(|(from, to)| Step::KeepOnly(from, to)),
    ]
}

/// Name 0 is the empty one.
fn name(number: u8) -> Arc<str> {
    "x".repeat(number.into()).into()
}

proptest! {
    /// The model is one map that is searched as a whole.
    #[test]
    fn names_follow_the_model(steps in prop::collection::vec(step(), 0..40)) {
        let mut names = Names::new();
        let mut model: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(number, at) => {
                    names.set(name(number), at);
                    model.insert(name(number), at);
                }
                Step::Remove(number) => {
                    prop_assert_eq!(names.remove(&name(number)), model.remove(&name(number)).is_some());
                }
                Step::RemoveAt(position) => {
                    names.remove_at(position);
                    model.retain(|_, at| *at != position);
                }
                Step::RemoveAfter(position) => {
                    names.remove_after(position);
                    model.retain(|_, at| *at <= position);
                }
                Step::KeepOnly(from, to) => {
                    names.keep_only(from, to);
                    model.retain(|_, at| *at == from);
                    model.values_mut().for_each(|at| *at = to);
                }
            }
            for number in 0..6 {
                prop_assert_eq!(names.position(&name(number)), model.get(&name(number)).copied());
            }
            prop_assert_eq!(format!("{names:?}"), format!("{model:?}"));
            let mut by_position: Vec<_> = model.iter().map(|(name, &at)| (at, name.clone())).collect();
            by_position.sort();
            prop_assert!(names.by_position.iter().eq(&by_position));
        }
    }
}
