//! What a file holds, and what has changed since it was looked at last.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use atomik_core::{Add, Algebra, TableRead, Xor};
use atomik_shared::{FileKind, FileLayout, Lane, SharedError, SharedErrorKind, SharedView};

/// The addresses that are looked at: those of larger files would fill the memory of this process.
const ADDRESSES: usize = 1 << 24;
/// The words of all lanes, up to which the sum of each lane is taken.
const LANE_WORDS: usize = 1 << 22;

/// A file of either algebra.
trait View {
    fn layout(&self) -> &FileLayout;
    fn copy(&self, out: &mut [u64]);
    fn lanes(&self) -> Result<Vec<Lane>, SharedError>;
    /// What the first addresses of a lane compose to.
    fn lane_sum(&self, lane: usize, addresses: usize) -> u64;
    fn entries(&self) -> Vec<Vec<u8>>;
}

impl<A: Algebra> View for SharedView<A> {
    fn layout(&self) -> &FileLayout {
        self.layout()
    }

    fn copy(&self, out: &mut [u64]) {
        self.copy_states(0, out);
    }

    fn lanes(&self) -> Result<Vec<Lane>, SharedError> {
        self.lanes()
    }

    fn lane_sum(&self, lane: usize, addresses: usize) -> u64 {
        (0..addresses).fold(A::IDENTITY, |sum, addr| A::compose(sum, self.read_lane(lane, addr)))
    }

    fn entries(&self) -> Vec<Vec<u8>> {
        self.metadata().entries().collect()
    }
}

/// A file that is looked at again and again.
pub(crate) struct Watch {
    path: PathBuf,
    view: Box<dyn View>,
    algebra: &'static str,
    states: Vec<u64>,
    /// The sum of each lane.
    sums: Vec<Option<u64>>,
    at: Instant,
}

/// What is in a file, and what has changed since the look before.
pub(crate) struct Report {
    pub(crate) path: PathBuf,
    pub(crate) kind: &'static str,
    pub(crate) algebra: &'static str,
    pub(crate) len: usize,
    /// The number of addresses that were looked at, from 0 on.
    pub(crate) shown: usize,
    /// The seconds since the look before.
    pub(crate) seconds: f64,
    /// The addresses that are not in the identity state, or have changed.
    pub(crate) totals: Vec<Total>,
    pub(crate) lanes: Vec<LaneTotal>,
}

/// An address.
pub(crate) struct Total {
    pub(crate) addr: usize,
    pub(crate) name: Option<String>,
    pub(crate) total: u64,
    pub(crate) change: Change,
}

/// A lane, and the sum of its words if there are few enough of them.
pub(crate) struct LaneTotal {
    pub(crate) lane: Lane,
    pub(crate) sum: Option<u64>,
    pub(crate) change: Change,
}

/// What has become of a word since the look before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// It is the same.
    None,
    /// So much was added a second.
    Rate(f64),
    /// It is another word: words of XOR have no rate.
    Other,
}

impl Watch {
    pub(crate) fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let (view, algebra): (Box<dyn View>, _) = match SharedView::<Add>::open(path) {
            Ok(view) => (Box::new(view), "add"),
            Err(error) if matches!(error.kind(), SharedErrorKind::OtherAlgebra { .. }) => {
                (Box::new(SharedView::<Xor>::open(path)?), "xor")
            }
            Err(error) => return Err(error.into()),
        };
        let mut watch = Self {
            path: path.to_owned(),
            states: vec![0; view.layout().len().min(ADDRESSES)],
            sums: Vec::new(),
            at: Instant::now(),
            view,
            algebra,
        };
        watch.look()?;
        Ok(watch)
    }

    /// Looks at the file.
    pub(crate) fn look(&mut self) -> Result<Report, SharedError> {
        let layout = self.view.layout();
        let mut states = vec![0; self.states.len()];
        self.view.copy(&mut states);
        let now = Instant::now();
        let seconds = (now - self.at).as_secs_f64();
        let change = |before: u64, now: u64| match now.wrapping_sub(before).cast_signed() {
            0 => Change::None,
            added if self.algebra == "add" => Change::Rate(added as f64 / seconds),
            _ => Change::Other,
        };

        let mut names = names(&self.view.entries(), states.len());
        let rows = self.states.iter().zip(&states).enumerate();
        let totals = rows
            .filter(|(_, (before, total))| **total != 0 || before != total)
            .map(|(addr, (&before, &total))| Total {
                addr,
                name: names.remove(&addr),
                total,
                change: change(before, total),
            })
            .collect();

        let has_sums = layout.lanes().saturating_mul(states.len()) <= LANE_WORDS;
        let lanes: Vec<LaneTotal> = self
            .view
            .lanes()?
            .into_iter()
            .map(|lane| {
                let sum = has_sums.then(|| self.view.lane_sum(lane.index, states.len()));
                let before = self.sums.get(lane.index).copied().flatten();
                let change = before.zip(sum).map_or(Change::None, |(before, sum)| change(before, sum));
                LaneTotal { lane, sum, change }
            })
            .collect();

        let report = Report {
            path: self.path.clone(),
            kind: match layout.kind() {
                FileKind::Table => "table",
                FileKind::FanIn => "fan-in",
            },
            algebra: self.algebra,
            len: layout.len(),
            shown: states.len(),
            seconds,
            totals,
            lanes,
        };
        self.sums = report.lanes.iter().map(|lane| lane.sum).collect();
        (self.states, self.at) = (states, now);
        Ok(report)
    }
}

/// The names of addresses: an entry of the metadata that is an address, a space and a text is the name of the address.
fn names(entries: &[Vec<u8>], len: usize) -> BTreeMap<usize, String> {
    let name = |entry: &Vec<u8>| {
        let (addr, name) = std::str::from_utf8(entry).ok()?.split_once(' ')?;
        Some((addr.parse().ok().filter(|&addr| addr < len)?, name.to_owned()))
    };
    entries.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_with_an_address_of_the_file_are_names() {
        let entries =
            ["7 requests total", "9 too far", "x y", "-1 z", "3", "\u{1}"].map(|entry| entry.into());
        let invalid = vec![b'1', b' ', 0xFF];
        let names = names(&[&entries[..], &[invalid]].concat(), 9);
        assert_eq!(names, BTreeMap::from([(7, "requests total".to_owned())]));
    }
}
