//! The live view of the file.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use atomik_core::Add;
use atomik_shared::{SharedError, SharedView};

/// How often the view is drawn.
pub(crate) const EVERY: Duration = Duration::from_millis(200);

/// A reader of the file.
pub(crate) struct View {
    file: SharedView<Add>,
    states: Vec<u64>,
    start: Instant,
    drawn: Option<Instant>,
    /// The lines that were drawn last.
    lines: usize,
}

impl View {
    pub(crate) fn open(path: &Path) -> Result<Self, SharedError> {
        let file = SharedView::open(path)?;
        let states = vec![0; file.len()];
        Ok(Self { file, states, start: Instant::now(), drawn: None, lines: 0 })
    }

    pub(crate) fn read(&self, addr: usize) -> u64 {
        self.file.read(addr)
    }

    /// How often a lane was claimed that had had an owner before.
    pub(crate) fn takeovers(&self) -> Result<u64, SharedError> {
        Ok(self.file.lanes()?.iter().map(|lane| lane.incarnation.saturating_sub(1)).sum())
    }

    /// Draws the view: in place on a terminal, and elsewhere as one line a second.
    pub(crate) fn show(&mut self) -> Result<(), Box<dyn Error>> {
        let is_terminal = io::stdout().is_terminal();
        let every = if is_terminal { EVERY } else { Duration::from_secs(1) };
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < every) {
            return Ok(());
        }
        let before: u64 = self.states.iter().sum();
        self.file.snapshot(&mut self.states);
        let total: u64 = self.states.iter().sum();
        let lanes = self.file.lanes()?;
        let seconds = self.drawn.map_or(1.0, |drawn| drawn.elapsed().as_secs_f64());
        self.drawn = Some(Instant::now());
        let rate = (total - before) as f64 / seconds;
        let mut text =
            format!("{:6.1} s: sum {total}, {rate:.2e} more a second", self.start.elapsed().as_secs_f64());
        if is_terminal {
            for lane in &lanes {
                let (state, label) = (format!("{:?}", lane.state), lane.label.as_deref().unwrap_or("-"));
                let (pid, incarnation) = (lane.pid.unwrap_or(0), lane.incarnation);
                write!(
                    text,
                    "\x1b[K\n  lane {:3} {state:9} {pid:8} {label:14} owner {incarnation}",
                    lane.index
                )?;
            }
            // Up to where the last one began.
            let up = if self.lines > 0 { format!("\x1b[{}A", self.lines) } else { String::new() };
            println!("{up}{text}\x1b[K");
            self.lines = lanes.len() + 1;
        } else {
            let alive = lanes.iter().filter(|lane| lane.state == atomik_shared::LaneState::Alive).count();
            println!("{text}, {alive} of {} lanes with a living owner", lanes.len());
        }
        Ok(())
    }
}
