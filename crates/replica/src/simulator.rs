//! Seeded runs of a whole cluster, checked against an oracle.
//!
//! Only bytes pass between the nodes, through a network that drops, doubles, reorders, damages and digs up very
//! old packets, over partitions, crashes, restarts from stores and backups, late joiners and the dead. After
//! every step the node that moved is checked; at the end the links heal, and everyone is.
//!
//! `ci/simulate.sh SEEDS [FIRST]` runs as many seeds as wanted. A case that fails is run up to `ATOMIK_SHRINKS`
//! times more to make it smaller.

mod case;
mod faults;
mod oracle;
mod world;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::case::Case;
use self::world::World;
use crate::fault::Fault;
use atomik_core::{Add, Xor};

/// Runs a case to its end, the healed cluster.
fn run(case: &Case) -> Result<(), TestCaseError> {
    if case.adds { World::<Add>::run(case) } else { World::<Xor>::run(case) }
}

/// Runs the case of a seed; if it fails, the smallest one found that fails too.
fn run_seed(seed: u64, shrinks: u32) -> Result<(), TestError<Case>> {
    let config = Config { failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let tree = case::case().new_tree(&mut runner).expect("the strategy rejects nothing");
    let _: Case = tree.current();
    runner.run_one(tree, |case| run(&case)).map(drop)
}

/// The first failing seed of `count`, shrunk.
fn first_failure(seeds: core::ops::Range<u64>, shrinks: u32) -> Option<(u64, TestError<Case>)> {
    seeds.into_iter().find_map(|seed| run_seed(seed, shrinks).err().map(|error| (seed, error)))
}

fn number_from_env(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is not a number")),
        Err(_) => otherwise,
    }
}

#[test]
fn every_seed_converges() {
    let first = number_from_env("ATOMIK_FIRST_SEED", 0);
    let count = number_from_env("ATOMIK_SEEDS", 1_000);
    let shrinks = number_from_env("ATOMIK_SHRINKS", 20_000) as u32;
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let (start, end) = (count * thread / threads, count * (thread + 1) / threads);
                if let Some((seed, error)) = first_failure(first + start..first + end, shrinks) {
                    panic!("seed {seed}: {error}");
                }
            });
        }
    });
}

/// Plants a fault for as long as it runs a check in this thread.
fn with_fault<R>(fault: Fault, check: impl FnOnce() -> R) -> R {
    crate::fault::PLANTED.set(Some(fault));
    let result = check();
    crate::fault::PLANTED.set(None);
    result
}
