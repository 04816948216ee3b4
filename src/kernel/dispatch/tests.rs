use super::*;

/// A second choice on every target. Choices are told apart by their addresses.
static OTHER: Kernels = Kernels { ..portable::KERNELS };

#[test]
fn a_first_choice_does_not_replace_one_that_another_thread_made_meanwhile() {
    let (best, capped) = (PORTABLE, &OTHER);
    let choice = Choice::none();
    // A thread finds no choice, and is about to make the first one.
    assert!(choice.get().is_none());
    // Another thread caps the level.
    choice.set(capped);
    // The first thread goes on.
    assert!(ptr::eq(choice.get_or_set(best), capped));
    assert!(choice.get().is_some_and(|chosen| ptr::eq(chosen, capped)));
}

#[test]
fn a_first_choice_holds_until_the_next_cap() {
    let (first, second) = (PORTABLE, &OTHER);
    let choice = Choice::none();
    assert!(ptr::eq(choice.get_or_set(first), first));
    assert!(choice.get().is_some_and(|chosen| ptr::eq(chosen, first)));
    choice.set(second);
    assert!(choice.get().is_some_and(|chosen| ptr::eq(chosen, second)));
}
