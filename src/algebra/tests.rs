use super::*;
use proptest::prelude::*;

/// The group laws, stated once for both algebras.
fn group_laws<A: Algebra>(a: u64, b: u64, c: u64) -> Result<(), TestCaseError> {
    prop_assert_eq!(A::compose(A::compose(a, b), c), A::compose(a, A::compose(b, c)));
    prop_assert_eq!(A::compose(a, b), A::compose(b, a));
    prop_assert_eq!(A::compose(a, A::IDENTITY), a);
    prop_assert_eq!(A::compose(a, A::invert(a)), A::IDENTITY);
    prop_assert_eq!(A::compose(a, A::delta(a, b)), b);
    Ok(())
}

proptest! {
    #[test]
    fn xor_is_an_abelian_group(a: u64, b: u64, c: u64) {
        group_laws::<Xor>(a, b, c)?;
    }

    #[test]
    fn add_is_an_abelian_group(a: u64, b: u64, c: u64) {
        group_laws::<Add>(a, b, c)?;
    }
}

#[test]
fn xor_is_self_inverse_and_add_is_not() {
    assert_eq!(Xor::invert(5), 5);
    assert_ne!(Add::invert(5), 5);
}
