//! The rules of folding beside the replica: random traces in lockstep, and a few small clusters in all their states.

mod exhaustive;
mod lockstep;
mod pair;
mod rule;
