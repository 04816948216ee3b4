//! The environment variable `ATOMIK_LEVEL`. It is read once in a process, so each case runs in a process of its own:
//! this test program again, with one test that prints what it sees.
#![cfg(all(target_arch = "x86_64", feature = "std"))]

use std::env;
use std::process::Command;

use atomik_core::kernel::{self, Level};

/// What a process with this value of the variable prints.
fn seen_with(value: Option<&str>) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "print_what_is_seen", "--ignored", "--nocapture"]);
    match value {
        Some(value) => command.env("ATOMIK_LEVEL", value),
        None => command.env_remove("ATOMIK_LEVEL"),
    };
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let seen = output.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    seen.unwrap_or_else(|| panic!("{output}")).0.to_owned()
}

#[test]
#[ignore = "run by the other tests"]
fn print_what_is_seen() {
    // A change after the first use has no effect.
    let first = kernel::level();
    // SAFETY: this process runs one test, on one thread that uses the environment.
    unsafe { env::set_var("ATOMIK_LEVEL", "portable") };
    let cap = match kernel::env_level() {
        Ok(cap) => cap.map_or("none".to_owned(), |cap| cap.to_string()),
        Err(error) => error.to_string(),
    };
    println!("<{cap}; {first}; after set_level(avx512): {}>", kernel::set_level(Level::Avx512));
}

/// The best level of this processor that is at most `cap`.
fn best(cap: Level) -> Level {
    let has = [
        (Level::Avx512, is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl")),
        (Level::Avx2, is_x86_feature_detected!("avx2")),
        (Level::Sse2, true),
    ];
    let mut usable = has.into_iter().filter(|&(level, has)| has && level <= cap);
    usable.next().map_or(Level::Portable, |(level, _)| level)
}

#[test]
fn the_variable_caps_the_level_for_good() {
    for cap in [Level::Portable, Level::Sse2, Level::Avx2, Level::Avx512] {
        let level = best(cap);
        let expected = format!("{cap}; {level}; after set_level(avx512): {level}");
        assert_eq!(seen_with(Some(&cap.to_string())), expected);
    }
}

#[test]
fn without_the_variable_the_best_level_is_used() {
    let level = best(Level::Avx512);
    let expected = format!("none; {level}; after set_level(avx512): {level}");
    assert_eq!(seen_with(None), expected);
    assert_eq!(seen_with(Some("")), expected);
}

#[test]
fn a_name_that_is_no_level_is_reported_and_otherwise_ignored() {
    let level = best(Level::Avx512);
    assert_eq!(
        seen_with(Some("avx1024")),
        format!(
            "\"avx1024\" is not one of the levels portable, sse2, avx2 and avx512; {level}; \
             after set_level(avx512): {level}"
        )
    );
}
