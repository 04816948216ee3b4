//! The output: tables and a histogram for people, one JSON object for programs.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use indicatif::{BinaryBytes, HumanCount};
use serde_json::{Value, json};

use crate::histogram;
use crate::input::Input;
use crate::race::{Entrant, Race};

/// The results of a run. `Display` is the report for people.
pub(crate) struct Report<'a> {
    pub(crate) input: &'a Input,
    pub(crate) job: &'a Race,
    pub(crate) accumulation: &'a Race,
}

impl Report<'_> {
    /// Whether the methods agree on every total.
    pub(crate) fn agree(&self) -> bool {
        self.job.agree && self.accumulation.agree
    }

    /// The report for programs: one JSON object on one line.
    pub(crate) fn json(&self) -> String {
        let totals = &self.job.totals;
        let report = json!({
            "lines": totals.lines,
            "bytes": totals.bytes,
            "digest": hex(totals.digest),
            "threads": self.job.threads,
            "agree": self.agree(),
            "methods": methods(self.job),
            "accumulation": {
                "events": self.accumulation.totals.lines,
                "methods": methods(self.accumulation),
            },
        });
        format!("{report}\n")
    }
}

/// Explains the figures of the tables.
const NOTES: &str = "\
An event is four deltas (lines, bytes, digest, histogram): four stores for
fan_in, one lock for a mutex, four atomic instructions for atomic.
The digest is the XOR of the lines' XXH3-64, whatever their order.
";

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let totals = &self.job.totals;
        writeln!(f, "{}", self.input.name())?;
        writeln!(f, "  lines   {}", HumanCount(totals.lines))?;
        writeln!(f, "  bytes   {} ({})", HumanCount(totals.bytes), BinaryBytes(totals.bytes))?;
        writeln!(f, "  digest  {}", hex(totals.digest))?;
        if totals.lines == 0 {
            return writeln!(f, "\nNo lines, so there is nothing to compare.");
        }
        section(f, "The whole job: read, split, hash, accumulate", self.job)?;
        section(f, "Accumulation alone: events made beforehand from lines of all parts", self.accumulation)?;
        let agree = if self.agree() { "All four agree on every total." } else { "They DISAGREE." };
        writeln!(f, "\nratio: the time as a multiple of fan_in's. {agree}")?;
        f.write_str(NOTES)?;
        write!(f, "\nLines by length in bytes\n{}", histogram::draw(&totals.histogram))
    }
}

fn section(f: &mut Formatter<'_>, title: &str, race: &Race) -> fmt::Result {
    let (events, threads) = (HumanCount(race.totals.lines), race.threads);
    let plural = if threads == 1 { "" } else { "s" };
    writeln!(f, "\n{title}")?;
    writeln!(f, "{events} events, {threads} thread{plural}, fastest pass in {} rounds", race.rounds)?;
    writeln!(f, "{}", table(race).trim_fmt())
}

/// One rule, under the header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

fn table(race: &Race) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(["method", "time", "events/s", "ratio"]);
    let fan_in = &race.entrants[0];
    for entrant in &race.entrants {
        table.add_row([
            entrant.name.to_owned(),
            milliseconds(entrant.best),
            format!("{:.1} M", per_second(race, entrant) / 1e6),
            format!("{:.1}x", entrant.best.as_secs_f64() / fan_in.best.as_secs_f64().max(1e-9)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Events per second in the fastest pass.
fn per_second(race: &Race, entrant: &Entrant) -> f64 {
    race.totals.lines as f64 / entrant.best.as_secs_f64().max(1e-9)
}

fn hex(digest: u64) -> String {
    format!("{digest:#018x}")
}

/// The results of each method, for programs.
fn methods(race: &Race) -> Vec<Value> {
    let method = |entrant: &Entrant| {
        json!({
            "name": entrant.name,
            "seconds": entrant.best.as_secs_f64(),
            "events_per_second": per_second(race, entrant),
        })
    };
    race.entrants.iter().map(method).collect()
}
