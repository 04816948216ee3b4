use super::*;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

mod checkpoints;
mod groups;
mod levels;
mod model;
mod stacks;
mod table;

fn depth(levels: usize) -> NonZeroUsize {
    NonZeroUsize::new(levels).unwrap()
}
