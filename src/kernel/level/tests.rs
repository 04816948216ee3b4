use super::*;
use alloc::string::ToString;

#[test]
fn every_level_is_read_from_its_name() {
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
        assert_eq!(level.to_string().to_uppercase().parse(), Ok(level));
    }
}

#[test]
fn the_levels_are_in_order() {
    assert!(Level::ALL.is_sorted());
}

#[test]
fn another_name_is_an_error_that_shows_it() {
    for name in ["", "avx", "avx-512", " avx2"] {
        let error = name.parse::<Level>().unwrap_err();
        assert_eq!(
            error.to_string(),
            std::format!("{name:?} is not one of the levels portable, sse2, avx2 and avx512")
        );
    }
}
