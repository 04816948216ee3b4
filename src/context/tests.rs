use super::*;
use proptest::prelude::*;
use std::sync::Barrier;
use std::thread;

const _: () = {
    const fn is_shared<T: Send + Sync + Unpin>() {}
    is_shared::<AtomikContext>();
    is_shared::<Counter>();
    assert!(size_of::<AtomikContext>() == 8 && align_of::<AtomikContext>() == 8);
};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Load(u64),
    Accum(u64),
    Swap(u64),
    Rollback(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        any::<u64>().prop_map(Operation::Load),
        any::<u64>().prop_map(Operation::Accum),
        any::<u64>().prop_map(Operation::Swap),
        any::<u64>().prop_map(Operation::Rollback),
    ]
}

/// The definition is state = reference ∘ accumulator.
fn follows_the_definition<A: Algebra>(start: u64, operations: &[Operation]) -> Result<(), TestCaseError> {
    let context = Context::<A>::new(start);
    let (mut reference, mut accumulator) = (start, A::IDENTITY);
    for &operation in operations {
        let state = A::compose(reference, accumulator);
        match operation {
            Operation::Load(v) => {
                context.load(v);
                (reference, accumulator) = (v, A::IDENTITY);
            }
            Operation::Accum(d) => {
                context.accum(d);
                accumulator = A::compose(accumulator, d);
            }
            Operation::Swap(v) => {
                prop_assert_eq!(context.swap(v), state);
                (reference, accumulator) = (v, A::IDENTITY);
            }
            Operation::Rollback(d) => {
                context.rollback(d);
                accumulator = A::compose(accumulator, A::invert(d));
            }
        }
        prop_assert_eq!(context.read(), A::compose(reference, accumulator));
    }
    prop_assert_eq!(context.read(), context.into_inner());
    Ok(())
}

proptest! {
    #[test]
    fn xor_follows_the_definition(start: u64, operations in prop::collection::vec(operation(), 0..50)) {
        follows_the_definition::<Xor>(start, &operations)?;
    }

    #[test]
    fn add_follows_the_definition(start: u64, operations in prop::collection::vec(operation(), 0..50)) {
        follows_the_definition::<Add>(start, &operations)?;
    }
}

#[test]
fn no_delta_is_lost_between_threads() {
    static COUNT: Counter = Counter::new(0);
    let context = AtomikContext::new(0);
    thread::scope(|scope| {
        for thread in 0..4u64 {
            let context = &context;
            scope.spawn(move || {
                for i in 0..10_000 {
                    context.accum((thread << 32) | i);
                    COUNT.accum(1);
                }
            });
        }
    });
    let expected = (0..4u64).flat_map(|t| (0..10_000).map(move |i| (t << 32) | i));
    assert_eq!(context.read(), expected.fold(0, |a, b| a ^ b));
    assert_eq!(COUNT.read(), 40_000);
}

#[test]
fn a_load_takes_effect_before_or_after_a_concurrent_accum() {
    let context = AtomikContext::new(0);
    for _ in 0..2_000 {
        context.load(0);
        let together = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                context.load(0b01);
            });
            scope.spawn(|| {
                together.wait();
                context.accum(0b10);
            });
        });
        assert!(matches!(context.read(), 0b01 | 0b11), "the delta was kept and the load lost");
    }
}

#[test]
fn get_mut_is_the_state() {
    let mut context = AtomikContext::new(1);
    *context.get_mut() ^= 2;
    assert_eq!(context.read(), 3);
}

#[test]
fn read_signed_is_the_state_in_twos_complement() {
    for signed in [0, 1, -1, i64::MAX, i64::MIN] {
        assert_eq!(Counter::new(signed as u64).read_signed(), signed);
    }
}

#[test]
fn a_context_from_a_word_is_in_that_state() {
    assert_eq!(AtomikContext::from(7).read(), 7);
    assert_eq!(Counter::default().read(), 0);
}

#[test]
fn debug_shows_bits_in_hexadecimal_and_counts_in_decimal() {
    assert_eq!(std::format!("{:?}", AtomikContext::new(0xCAFE)), "Context(0x000000000000cafe)");
    assert_eq!(std::format!("{:?}", Counter::new(400)), "Context(400)");
}
