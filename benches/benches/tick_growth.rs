//! The cost of a tick that finds one changed address, by the length of the table and the number of producers, against
//! reading the whole table: `cargo bench -p atomik-benches --bench tick_growth [-- [--record]]`. There are no targets.

use std::process::ExitCode;
use std::sync::Arc;

use atomik_benches::measure::race;
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Replica, ReplicaId};

/// The most words in all planes together: 512 MiB.
const MOST: usize = 1 << 26;

fn main() -> ExitCode {
    let mut run = Run::from_args("tick_growth");
    run.subject("tick_growth", |subject: &mut Subject| {
        for producers in [1, 8, 64] {
            for bits in (10..=22).step_by(2).filter(|bits| producers << bits <= MOST) {
                subject.push(tick(producers, bits));
            }
        }
    });
    run.finish()
}

/// Every producer has written to every address. Then one of them writes to one address before each tick.
fn tick(producers: usize, bits: u32) -> Ratio {
    let len = 1 << bits;
    let local = Arc::new(TableFanIn::<Add>::new(len));
    let id = ReplicaId { node: 1, incarnation: 1 };
    let replica = Replica::new(&ClusterConfig::new("bench", len), Arc::clone(&local), id);
    let mut replica = replica.expect("the configuration matches the table");
    let mut writers: Vec<_> = (0..producers).map(|_| local.producer()).collect();
    writers.iter_mut().for_each(|writer| (0..len).for_each(|addr| writer.accum(addr, 1)));
    assert_eq!(replica.tick(), len);
    let mut addr = 0;
    let mut tick = || {
        addr = (addr + 0x9E37_79B1) % len;
        writers[addr % producers].accum(addr, 1);
        assert_eq!(replica.tick(), 1);
    };
    let mut states = vec![0; len];
    let mut read = || local.snapshot(&mut states);
    let times = race(3, 5, [&mut tick, &mut read]);
    drop(writers);
    local.snapshot(&mut states);
    assert_eq!(states, replica.merged());
    let who = if producers == 1 { "1 producer".into() } else { format!("{producers} producers") };
    Ratio::new(format!("tick, 2^{bits} words, {who}"), "reading the table", times, 0.0)
}
