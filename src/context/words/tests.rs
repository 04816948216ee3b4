use super::*;
use crate::algebra::{Add, Xor};

#[test]
fn zeroed_contexts_are_in_the_identity_state() {
    for len in [0, 1, 1000] {
        let contexts = Context::<Xor>::zeroed(len).unwrap();
        assert_eq!(contexts.len(), len);
        assert!(contexts.iter().all(|context| context.read() == 0));
    }
}

#[test]
fn memory_that_cannot_be_had_is_none() {
    assert!(Context::<Add>::zeroed(usize::MAX).is_none(), "more bytes than a usize can count");
    #[cfg(target_pointer_width = "64")]
    assert!(Context::<Add>::zeroed(1 << 58).is_none(), "more than any address space");
}

#[test]
fn contexts_and_words_are_views_of_the_same_states() {
    let mut contexts = [Context::<Add>::new(1), Context::new(2)];
    Context::words_mut(&mut contexts)[1] += 40;
    assert_eq!(contexts[1].read(), 42);
}

#[test]
#[cfg(feature = "rayon")]
fn words_are_shared_as_contexts() {
    let mut words = [1, 2, 3];
    // Absent on 32-bit x86 if the array starts at an odd multiple of 4.
    if let Some(contexts) = Context::<Add>::from_words_mut(&mut words) {
        contexts[2].accum(39);
        assert_eq!(words, [1, 2, 42]);
    }
}
