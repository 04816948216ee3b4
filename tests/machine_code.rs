//! The progress guarantees as machine code: the operations, compiled in release as a user would (`ci/crates/probe`),
//! are the instructions that the docs name.
#![cfg(target_arch = "x86_64")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The instructions of each function of the probe, without the directives between them.
static PROBE: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("probe");
    let assembly = target.with_extension("s");
    let compiled = Command::new(env!("CARGO"))
        .args(["rustc", "--release", "--lib", "--locked", "--quiet", "--target-dir"])
        .arg(&target)
        .args(["--", "-Ccodegen-units=1", "-Cdebuginfo=0", "--emit"])
        .arg(format!("asm={}", assembly.display()))
        .current_dir(root.join("ci/crates/probe"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    functions(&std::fs::read_to_string(assembly).unwrap())
});

fn functions(assembly: &str) -> HashMap<String, Vec<String>> {
    let mut found = HashMap::<String, Vec<String>>::new();
    let (mut name, mut aliases) = (None, Vec::new());
    for line in assembly.lines() {
        let code = line.split('#').next().unwrap().trim();
        // Two functions of the same code are one, with two names.
        if let Some((alias, same)) = code.split_once(" = ") {
            aliases.push((alias.to_owned(), same.to_owned()));
        }
        if let Some(label) = code.strip_suffix(':') {
            if label.starts_with(".Lfunc_end") {
                name = None;
            } else if !label.starts_with('.') {
                name = Some(label.to_owned());
            }
        } else if let Some(name) = &name
            && !code.is_empty()
            && !code.starts_with('.')
        {
            found
                .entry(name.clone())
                .or_default()
                .push(code.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    for (alias, same) in aliases {
        if let Some(code) = found.get(&same).cloned() {
            found.insert(alias, code);
        }
    }
    found
}

fn code(function: &str) -> &'static [String] {
    PROBE.get(function).unwrap_or_else(|| panic!("the probe has no function {function}"))
}

/// The instructions that write to memory that others may see, or order accesses, at once: with a `lock`, or an
/// exchange with memory, which locks by itself, or a fence.
fn locked(function: &str) -> Vec<&'static str> {
    let locks = |line: &&String| {
        line.starts_with("lock") || line.contains("fence") || (line.starts_with("xchg") && line.contains('('))
    };
    code(function).iter().filter(locks).map(String::as_str).collect()
}

fn has_no_jump(function: &str) -> bool {
    code(function).iter().all(|line| !line.starts_with('j') && !line.starts_with("call"))
}

/// The function is a straight line with one locked instruction, which begins like this.
fn is_one_rmw(function: &str, instruction: &str) {
    let locked = locked(function);
    assert!(
        locked.len() == 1 && locked[0].starts_with(instruction) && has_no_jump(function),
        "{function} is not one {instruction}: {:#?}",
        code(function)
    );
}

/// The function is a straight line of moves, and no instruction is locked.
fn is_plain(function: &str) {
    assert!(
        locked(function).is_empty() && has_no_jump(function),
        "{function} is not plain: {:#?}",
        code(function)
    );
}

#[test]
fn accum_is_one_locked_instruction_and_no_loop() {
    is_one_rmw("context_accum", "lock xor");
    is_one_rmw("context_rollback", "lock xor");
    is_one_rmw("counter_accum", "lock add");
    is_one_rmw("counter_rollback", "lock");
}

#[test]
fn swap_is_one_exchange() {
    is_one_rmw("context_swap", "xchg");
}

#[test]
fn read_and_load_are_plain_moves() {
    for function in ["context_read", "context_load"] {
        is_plain(function);
        let moves = code(function).iter().filter(|line| line.starts_with("mov")).count();
        assert_eq!(moves, code(function).len() - 1, "{function} does more than move: {:#?}", code(function));
    }
}

#[test]
fn producers_lock_nothing() {
    is_plain("producer_accum");
    assert!(locked("table_producer_accum").is_empty(), "{:#?}", code("table_producer_accum"));
    // Without a handle: nothing either, once the thread has its slot; the first call is a function apart.
    assert!(locked("fan_in_accum").is_empty(), "{:#?}", code("fan_in_accum"));
    assert!(locked("table_fan_in_accum").is_empty(), "{:#?}", code("table_fan_in_accum"));
}

#[test]
fn the_test_sees_a_loop_and_a_fence() {
    assert!(
        locked("planted_loop").iter().any(|line| line.contains("cmpxchg")) && !has_no_jump("planted_loop")
    );
    assert_eq!(locked("planted_fence").len(), 1);
}
