//! The tables of BENCHMARKS.md.

use std::fmt::Write as _;

use atomik_benches::kernels::PLACES;
use atomik_benches::record::{Circumstances, Ratio};

use crate::criterion_results::{KERNELS, Line, Sweep};

pub(crate) fn circumstances(now: &Circumstances) -> String {
    let Circumstances { machine, caches, rustc, commit, date } = now;
    let caches: Vec<_> = caches.iter().map(|(name, bytes)| format!("{name} {}", size(*bytes))).collect();
    format!(
        "| | |\n|---|---|\n| machine | {machine} |\n| caches of a core | {} |\n| compiler | {rustc} |\n\
         | commit | {commit} |\n| date | {date} |\n| command | `./ci/bench.sh` |",
        caches.join(", ")
    )
}

/// Bytes, in the largest unit that gives a whole number.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

/// Throughput with about three digits.
fn rate(rate: f64) -> String {
    if rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

pub(crate) fn ratios(rows: &[Ratio]) -> String {
    let mut table = String::from("| work | ns | rival | ns | ratio | target |\n|---|--:|---|--:|--:|--:|\n");
    for row in rows {
        let target = if row.target == 0.0 { String::new() } else { format!("{}x", row.target) };
        let emphasis = if row.verdict() == "missed" { "**" } else { "" };
        let _ = writeln!(
            table,
            "| {} | {:.2} | {} | {:.2} | {emphasis}{:.2}x{emphasis} | {target} |",
            row.work,
            row.ours,
            row.rival,
            row.theirs,
            row.ratio(),
        );
    }
    table
}

/// A ratio and, in brackets, its target; in bold if missed.
fn cell(row: &Ratio) -> String {
    let ratio =
        if row.ratio() < 9.95 { format!("{:.2}", row.ratio()) } else { format!("{:.0}", row.ratio()) };
    match row.verdict() {
        "" => ratio,
        "missed" => format!("**{ratio}** ({})", row.target),
        _ => format!("{ratio} ({})", row.target),
    }
}

/// A table with a row for each work and rival and a column for each place, all as they first come.
pub(crate) fn pivot<'a>(rows: impl Iterator<Item = &'a Ratio> + Clone, corner: &str) -> String {
    let (mut works, mut places) = (Vec::new(), Vec::new());
    for row in rows.clone() {
        let work = (row.work.as_str(), row.rival.as_str());
        if !works.contains(&work) {
            works.push(work);
        }
        if !places.contains(&row.place.as_str()) {
            places.push(row.place.as_str());
        }
    }
    let before = |place: &&str| if corner.is_empty() { (*place).into() } else { format!("{place} {corner}") };
    let heads: Vec<String> = places.iter().map(before).collect();
    let mut table =
        format!("| | against | {} |\n|---|---|{}\n", heads.join(" | "), "--:|".repeat(places.len()));
    for (work, rival) in works {
        let _ = write!(table, "| `{work}` | {rival} |");
        for &place in &places {
            let row = rows
                .clone()
                .find(|row| (row.work.as_str(), row.rival.as_str(), &*row.place) == (work, rival, place));
            let _ = write!(table, " {} |", row.map(cell).unwrap_or_default());
        }
        table.push('\n');
    }
    table
}

fn in_a_cache_or_memory(row: &Ratio) -> bool {
    PLACES.iter().any(|place| place.name == row.place)
}

/// The kernels' ratios at a level.
pub(crate) fn places(rows: &[Ratio], level: &str) -> String {
    pivot(rows.iter().filter(|row| row.level == level && in_a_cache_or_memory(row)), "")
}

/// The levels that were measured, as they first come.
pub(crate) fn levels(rows: &[Ratio]) -> Vec<&str> {
    let mut levels = Vec::new();
    for row in rows.iter().filter(|row| !row.level.is_empty()) {
        if !levels.contains(&row.level.as_str()) {
            levels.push(row.level.as_str());
        }
    }
    levels
}

/// `equal` on a few words: of the ratios of several lengths, the least and the middle one.
pub(crate) fn short_equal(rows: &[Ratio], levels: &[&str]) -> String {
    const LENGTHS: [(usize, usize); 4] = [(1, 8), (9, 16), (17, 32), (33, 64)];
    let mut table = String::from("| words |");
    for (from, to) in LENGTHS {
        let _ = write!(table, " {from} to {to} |");
    }
    table += " target |\n|---|--:|--:|--:|--:|--:|\n";
    for level in levels {
        let _ = write!(table, "| {level} |");
        for (from, to) in LENGTHS {
            let of_length =
                |row: &&Ratio| row.place.parse().is_ok_and(|len: usize| (from..=to).contains(&len));
            let rows =
                rows.iter().filter(|row| row.work == "short equal" && row.level == *level).filter(of_length);
            let mut rows: Vec<&Ratio> = rows.collect();
            rows.sort_unstable_by(|a, b| a.ratio().total_cmp(&b.ratio()));
            let (least, middle) = (rows.first(), rows.get(rows.len() / 2));
            let show = |row: Option<&&Ratio>| {
                row.map_or_else(String::new, |row| emphasised(row, format!("{:.2}", row.ratio())))
            };
            let _ = write!(table, " {}, least {} |", show(middle), show(least));
        }
        table += " 1 |\n";
    }
    table
}

/// The fingerprint against XXH3 in both builds.
pub(crate) fn builds(default: &[Ratio], native: &[Ratio], levels: &[&str]) -> String {
    let mut table = String::from("| level | build | L1 | L2 | L3 | memory |\n|---|---|--:|--:|--:|--:|\n");
    for level in levels {
        for (build, rows) in [("default", default), ("`target-cpu=native`", native)] {
            let _ = write!(table, "| {level} | {build} |");
            for place in &PLACES {
                let row = rows.iter().find(|row| {
                    row.work.starts_with("Fingerprint") && row.place == place.name && row.level == *level
                });
                let _ = write!(table, " {} |", row.map(cell).unwrap_or_default());
            }
            table.push('\n');
        }
    }
    table
}

/// Two cores folding, in deltas a second, and how many times as fast that is as what it is measured against.
pub(crate) fn two_cores(rows: &[Ratio]) -> String {
    let mut table = String::from("| | G deltas/s | fold against it | target |\n|---|--:|--:|--:|\n");
    let rows: Vec<&Ratio> = rows.iter().filter(|row| row.place == "L1").collect();
    if let Some(row) = rows.first() {
        let _ = writeln!(table, "| {}, {} | {:.1} | | |", row.work, row.level, 1.0 / row.ours);
    }
    for row in rows {
        let ratio = emphasised(row, format!("{:.2}", row.ratio()));
        let _ = writeln!(table, "| {} | {:.1} | {ratio} | {:.2} |", row.rival, 1.0 / row.theirs, row.target);
    }
    table
}

/// In bold if the target was missed.
fn emphasised(row: &Ratio, text: String) -> String {
    if row.verdict() == "missed" { format!("**{text}**") } else { text }
}

/// Throughput of each kernel and level at one size for each place.
pub(crate) fn throughput(lines: &[Line]) -> String {
    const SIZES: [u64; 4] = [16 << 10, 1 << 20, 16 << 20, 256 << 20];
    const LEVELS: [&str; 4] = ["AVX-512", "AVX2", "SSE2", "portable"];
    let cell = |line: Option<&Line>| {
        let Some(line) = line else { return String::new() };
        let at = |size| {
            let point = line.points.iter().find(|point| point.0 == size);
            point.map_or_else(|| "–".into(), |point| rate(point.1))
        };
        SIZES.map(at).join(" / ")
    };
    let mut table =
        String::from("| | roof or rival | AVX-512 | AVX2 | SSE2 | portable |\n|---|---|--:|--:|--:|--:|\n");
    for (kernel, title) in KERNELS {
        let of_kernel = || lines.iter().filter(|line| line.kernel == kernel && line.unit == "bytes");
        if of_kernel().next().is_none() {
            continue;
        }
        let named = |name: &str| of_kernel().find(|line| line.name == name);
        let rivals =
            ["bare loads, AVX-512", "copy_from_slice", "==", "equal", "loop with Vec::push", "XXH3-64"];
        let rival = rivals.into_iter().find_map(named);
        let _ = write!(table, "| {title} | {} {} |", rival.map_or("", |line| &line.name), cell(rival));
        for level in LEVELS {
            let _ = write!(table, " {} |", cell(named(level)));
        }
        table.push('\n');
    }
    table
}

pub(crate) fn threads(sweep: &[Sweep]) -> String {
    let mut table =
        String::from("| method | 1 thread | 2 threads | 4 threads | 8 threads |\n|---|--:|--:|--:|--:|\n");
    for Sweep { method, nanoseconds } in sweep {
        let _ = write!(table, "| {method} |");
        for time in nanoseconds {
            let _ = write!(table, " {time:.2} |");
        }
        table.push('\n');
    }
    table
}
