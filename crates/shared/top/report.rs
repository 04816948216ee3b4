//! Reports as JSON, and as text.

use std::io::{self, Write};
use std::time::SystemTime;

use atomik_shared::{Lane, LaneState};
use serde_json::{Value, json};

use crate::sample::{Change, LaneTotal, Report, Total};

/// Writes one JSON object. Totals are unsigned words, also where a sum has gone below zero.
pub(crate) fn write_json(report: &Report, mut out: impl Write) -> io::Result<()> {
    let totals: Vec<Value> = report.totals.iter().map(total).collect();
    let lanes: Vec<Value> = report.lanes.iter().map(lane).collect();
    let Report { path, kind, algebra, len, shown, seconds, .. } = report;
    let value = json!({
        "file": path.to_string_lossy(),
        "kind": kind,
        "algebra": algebra,
        "len": len,
        "shown": shown,
        "seconds": seconds,
        "totals": totals,
        "lanes": lanes,
    });
    writeln!(out, "{value}")
}

fn total(total: &Total) -> Value {
    let Total { addr, name, total, change } = total;
    json!({ "addr": addr, "name": name, "total": total, "rate": rate(*change), "changed": *change != Change::None })
}

fn lane(row: &LaneTotal) -> Value {
    let LaneTotal { lane, sum, change } = row;
    let since = lane.claimed_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    json!({
        "lane": lane.index,
        "state": state(lane.state),
        "incarnation": lane.incarnation,
        "pid": lane.pid,
        "claimed_at": since.map(|since| since.as_secs_f64()),
        "label": lane.label,
        "sum": sum,
        "rate": rate(*change),
        "changed": *change != Change::None,
    })
}

/// What was added a second; `null` where there is no such number.
fn rate(change: Change) -> Option<f64> {
    match change {
        Change::None => Some(0.0),
        Change::Rate(rate) => Some(rate),
        Change::Other => None,
    }
}

pub(crate) fn state(state: LaneState) -> &'static str {
    match state {
        LaneState::Unused => "unused",
        LaneState::Alive => "alive",
        LaneState::Returned => "returned",
        LaneState::Dead => "dead",
        _ => "unknown",
    }
}

/// Writes the report for people.
pub(crate) fn write_text(report: &Report, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "{}\n", title(report))?;
    writeln!(out, "{:>10} {:>22} {:>14}  NAME", "ADDRESS", "TOTAL", "PER SECOND")?;
    for row in &report.totals {
        let [addr, total, rate, name] = total_cells(report, row);
        writeln!(out, "{addr:>10} {total:>22} {rate:>14}  {name}")?;
    }
    if report.lanes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:>4} {:<8} {:>7} {:>9} {:>11} {:>22} {:>14}  LABEL",
        "LANE", "STATE", "OWNERS", "PID", "AGE", "SUM", "PER SECOND"
    )?;
    for row in &report.lanes {
        let [lane, state, owners, pid, age, sum, rate, label] = lane_cells(report, row);
        writeln!(out, "{lane:>4} {state:<8} {owners:>7} {pid:>9} {age:>11} {sum:>22} {rate:>14}  {label}")?;
    }
    Ok(())
}

/// The first line: what the file is.
pub(crate) fn title(report: &Report) -> String {
    let Report { path, kind, algebra, len, shown, lanes, .. } = report;
    let alive = lanes.iter().filter(|row| row.lane.state == LaneState::Alive).count();
    let mut title = format!("{}: {kind} of {len} on {algebra}", printable(&path.to_string_lossy()));
    if !lanes.is_empty() {
        title += &format!(", {alive} of {} lanes alive", lanes.len());
    }
    if shown < len {
        title += &format!(" (the first {shown} addresses)");
    }
    title
}

/// The cells of an address: address, total, rate, name.
pub(crate) fn total_cells(report: &Report, row: &Total) -> [String; 4] {
    let name = row.name.as_deref().map(printable).unwrap_or_default();
    [row.addr.to_string(), word(report, row.total), change(row.change), name]
}

/// The cells of a lane: number, state, how many owners it has had, process, age, sum, rate, label.
pub(crate) fn lane_cells(report: &Report, row: &LaneTotal) -> [String; 8] {
    let Lane { index, incarnation, pid, claimed_at, label, .. } = &row.lane;
    let age = claimed_at.and_then(|at| SystemTime::now().duration_since(at).ok());
    [
        index.to_string(),
        state(row.lane.state).to_owned(),
        incarnation.to_string(),
        pid.map(|pid| pid.to_string()).unwrap_or_default(),
        age.map(|age| duration(age.as_secs())).unwrap_or_default(),
        row.sum.map(|sum| word(report, sum)).unwrap_or_default(),
        change(row.change),
        label.as_deref().map(printable).unwrap_or_default(),
    ]
}

/// Sums may be negative; words of XOR are bits.
fn word(report: &Report, word: u64) -> String {
    if report.algebra == "add" { word.cast_signed().to_string() } else { format!("{word:#018x}") }
}

fn change(change: Change) -> String {
    match change {
        Change::None => String::new(),
        Change::Rate(rate) => format!("{rate:+.1}"),
        Change::Other => "changed".to_owned(),
    }
}

fn duration(seconds: u64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes}:{seconds:02}"),
        (hours @ 0..48, minutes) => format!("{hours}:{minutes:02}:{seconds:02}"),
        (hours, _) => format!("{} days", hours / 24),
    }
}

/// Text of the file without what a terminal would take for a command.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let found = [0, 59, 60, 3_599, 3_661, 172_799, 172_800].map(duration);
        assert_eq!(found, ["0 s", "59 s", "1:00", "59:59", "1:01:01", "47:59:59", "2 days"]);
    }

    #[test]
    fn labels_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
    }
}
