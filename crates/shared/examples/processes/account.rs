//! What the processes say they did, and what is in the file.

use std::fmt;

use crate::child::Ended;
use crate::view::View;

/// The addresses of each process.
pub(crate) const ADDRESSES: usize = 16;

/// The delta of a call. No two calls of a process have the same.
pub(crate) fn delta(call: u64) -> u64 {
    call + 1
}

/// What the first calls of a process add up to, at one of its addresses.
fn expected(calls: u64, address: u64) -> u64 {
    let width = ADDRESSES as u64;
    // So many calls were made at this address, each with a delta that is larger than the last one by `width`.
    let at_address = (calls + width - 1 - address) / width;
    let first = delta(address);
    at_address * first + width * (at_address * at_address.saturating_sub(1) / 2)
}

/// The account of all processes that have ended.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) started: u64,
    pub(crate) killed: u64,
    /// The calls of `accum` that had returned, as the processes said.
    pub(crate) reported: u64,
    /// The calls whose deltas are in the file.
    pub(crate) found: u64,
    /// What does not agree.
    pub(crate) wrong: Vec<String>,
}

impl Account {
    /// Adds a process. The file must hold the deltas of its first calls, and of no others: those that it has reported,
    /// and if it was killed some of those that it had begun.
    pub(crate) fn add(&mut self, view: &View, ended: &Ended, is_killed: bool) {
        let Ended { number, report } = *ended;
        let first = number as usize * ADDRESSES;
        let states: Vec<u64> = (first..first + ADDRESSES).map(|addr| view.read(addr)).collect();
        let is = |calls: u64| (0..).zip(&states).all(|(address, &state)| state == expected(calls, address));
        let most = if is_killed { report.begun } else { report.returned };
        match (report.returned..=most).find(|&calls| is(calls)) {
            Some(calls) => self.found += calls,
            None => self.wrong.push(format!(
                "process {number} reported {} calls and has {states:?} in the file",
                report.returned
            )),
        }
        self.reported += report.returned;
        self.started += 1;
        self.killed += u64::from(is_killed);
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} processes, {} of them killed", self.started, self.killed)?;
        writeln!(f, "{:>15} calls of accum had returned, as the processes reported", self.reported)?;
        writeln!(f, "{:>15} more were made in the batches that were under way", self.found - self.reported)?;
        writeln!(f, "{:>15} calls have their deltas in the file, each once", self.found)?;
        match self.wrong.len() {
            0 => write!(f, "The account is exact."),
            wrong => write!(f, "The account of {wrong} processes is wrong."),
        }
    }
}
