//! Seeded runs of a whole cluster, checked against an oracle.
//!
//! The nodes are driven by the loop of the documentation, each with a clock of its own. They exchange nothing but
//! packets, over a network that drops, duplicates, reorders and damages them and delivers very old ones. There are
//! partitions, stores that fail or take their time, crashes, restarts from stores and from backups, nodes that join
//! late and nodes that never come back. After every step, the node that acted is checked. At the end the links heal,
//! and all nodes are checked.
//!
//! A second kind of case flips one bit in the memory of a node, or in a section before its checksums are made.
//!
//! `ci/simulate.sh SEEDS [FIRST]` runs any number of seeds. A case that fails is run up to `ATOMIK_SHRINKS` times more,
//! to find a smaller one. `ci/simulator-faults.py` shows that the simulator notices faults.

mod case;
/// The loop of the documentation, by which the nodes are driven.
#[allow(unreachable_pub)] // Programs that copy the file may have it anywhere.
#[path = "../../src/docs/node.rs"]
mod driving;
mod flips;
mod oracle;
mod world;

use atomik_core::{Add, Xor};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::case::Case;
use self::flips::FlipCase;
use self::world::World;

/// Runs a case until the cluster has healed.
fn run(case: &Case) -> Result<(), TestCaseError> {
    if case.adds { World::<Add>::run(case) } else { World::<Xor>::run(case) }
}

/// Runs the case of a seed. If it fails, returns the smallest failing case that was found.
fn run_seed<S: Strategy>(
    seed: u64,
    shrinks: u32,
    cases: S,
    run: impl Fn(&S::Value) -> Result<(), TestCaseError>,
) -> Result<(), TestError<S::Value>> {
    let config = Config { failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let tree = cases.new_tree(&mut runner).expect("the strategy rejects nothing");
    runner.run_one(tree, |case| run(&case)).map(drop)
}

/// Runs the cases of all seeds. Panics with the first one that fails, and its smallest failing case.
fn run_seeds<S: Strategy>(
    cases: impl Fn() -> S + Copy + Send,
    run: impl Fn(&S::Value) -> Result<(), TestCaseError> + Copy + Send,
) {
    let first = number_from_env("ATOMIK_FIRST_SEED", 0);
    let count = number_from_env("ATOMIK_SEEDS", 1_000);
    let shrinks = number_from_env("ATOMIK_SHRINKS", 20_000) as u32;
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in count * thread / threads..count * (thread + 1) / threads {
                    let seed = first + seed;
                    if let Err(error) = run_seed(seed, shrinks, cases(), run) {
                        panic!("seed {seed}: {error}");
                    }
                }
            });
        }
    });
}

fn number_from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is not a number")),
        Err(_) => default,
    }
}

#[test]
fn every_seed_converges() {
    run_seeds(case::case, run);
}

#[test]
fn every_flip_is_repaired_or_reported() {
    run_seeds(
        flips::case,
        |case: &FlipCase| {
            if case.adds { flips::run::<Add>(case) } else { flips::run::<Xor>(case) }
        },
    );
}
