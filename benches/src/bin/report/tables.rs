//! The tables of BENCHMARKS.md.

use std::fmt::Write as _;

use atomik_benches::circumstances::Circumstances;
use atomik_benches::places::place_bytes;
use atomik_benches::ratio::{Ratio, Verdict};

use crate::criterion_results::{KERNELS, Line, Sweep};
use crate::processors::{METRICS, Processor};

/// The machine, and what was measured when.
pub(crate) fn circumstances(processor: &Processor) -> String {
    let mut runs: Vec<(&Circumstances, Vec<&str>)> = Vec::new();
    for (name, now) in processor.circumstances() {
        let same =
            |run: &&mut (&Circumstances, _)| (&run.0.commit, &run.0.rustc) == (&now.commit, &now.rustc);
        match runs.iter_mut().find(same) {
            Some(run) => run.1.push(name),
            None => runs.push((now, vec![name])),
        }
    }
    let Some((Circumstances { machine, caches, .. }, _)) = runs.first() else { return String::new() };
    let list = |sizes: &mut dyn Iterator<Item = (&str, u64)>| {
        sizes.map(|(name, bytes)| format!("{name} {}", size(bytes))).collect::<Vec<_>>().join(", ")
    };
    let places = list(&mut place_bytes(caches).into_iter());
    let caches = list(&mut caches.iter().map(|cache| (&*cache.0, cache.1)));
    let mut table = format!(
        "| | |\n|---|---|\n| machine | {machine} |\n| caches of a core | {caches} |\n\
         | data of all operands | {places} |\n"
    );
    runs.sort_by(|a, b| (&b.0.date, b.1.len()).cmp(&(&a.0.date, a.1.len())));
    let all = runs.len() == 1;
    for (Circumstances { rustc, commit, date, .. }, names) in &runs {
        let what = if all { "everything".to_owned() } else { names.join(", ") };
        let _ = writeln!(table, "| commit {commit}, {date}, {rustc} | {what} |");
    }
    table
}

/// Bytes in the largest unit that gives a whole number.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

/// A throughput with about three digits.
fn rate(rate: f64) -> String {
    if rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// A time in nanoseconds with three digits or more.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        1000.0.. => format!("{nanoseconds:.0}"),
        100.0.. => format!("{nanoseconds:.1}"),
        _ => format!("{nanoseconds:.2}"),
    }
}

/// A time with two digits.
fn two_digits(time: f64) -> String {
    match time {
        9.95.. => format!("{time:.0}"),
        0.995.. => format!("{time:.1}"),
        _ => format!("{time:.2}"),
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

/// In bold if the target was missed.
fn emphasised(row: &Ratio, text: String) -> String {
    if row.verdict() == Verdict::Missed { format!("**{text}**") } else { text }
}

/// The ratio and, in brackets, its target.
fn cell(row: &Ratio) -> String {
    let text = emphasised(row, ratio(row.ratio()));
    if row.verdict() == Verdict::NoTarget { text } else { format!("{text} ({})", target(row)) }
}

/// The target with two digits at most.
fn target(row: &Ratio) -> String {
    ((row.target * 100.0).round() / 100.0).to_string()
}

/// A row for each ratio, with both times.
pub(crate) fn ratios(rows: &[Ratio]) -> Option<String> {
    let mut table = String::from("| work | ns | rival | ns | ratio | target |\n|---|--:|---|--:|--:|--:|\n");
    for row in rows {
        let target = if row.target == 0.0 { String::new() } else { target(row) };
        let place = if row.place.is_empty() { String::new() } else { format!(", {} contexts", row.place) };
        let _ = writeln!(
            table,
            "| {}{place} | {} | {} | {} | {} | {target} |",
            row.work,
            time(row.ours),
            row.rival,
            time(row.theirs),
            emphasised(row, ratio(row.ratio())),
        );
    }
    (!rows.is_empty()).then_some(table)
}

/// A row for each ratio of sizes, in bytes.
pub(crate) fn bytes(rows: &[Ratio]) -> Option<String> {
    let mut table = String::from("| | bytes | rival | bytes | ratio |\n|---|--:|---|--:|--:|\n");
    for row in rows {
        let (work, rival) = (&row.work, &row.rival);
        let _ = writeln!(
            table,
            "| {work} | {:.0} | {rival} | {:.0} | {} |",
            row.ours,
            row.theirs,
            ratio(row.ratio())
        );
    }
    (!rows.is_empty()).then_some(table)
}

/// The cost of reads by the number of slots and planes.
pub(crate) fn growth(processor: &Processor) -> Option<String> {
    let mut text = String::new();
    for (name, unit) in [("fan_in_reads", "slot"), ("fan_in_snapshots", "plane")] {
        let rows = processor.ratios(name);
        let Some(first) = rows.first() else { continue };
        let _ = writeln!(
            text,
            "| {unit}s | {}, ns | ns a {unit} | {}, ns |\n|--:|--:|--:|--:|",
            first.work, first.rival
        );
        for row in rows {
            let each = row.ours / row.place.parse().unwrap_or(f64::NAN);
            let (ours, theirs) = (time(row.ours), time(row.theirs));
            let _ = writeln!(text, "| {} | {ours} | {} | {theirs} |", row.place, time(each));
        }
        text.push('\n');
    }
    if let Some(table) = ratios(processor.ratios("fan_in_past_producers")) {
        text += &table;
    }
    (!text.is_empty()).then_some(text)
}

/// What replicas cost by the number of origins, words and peers.
pub(crate) fn replica_growth(processor: &Processor) -> Option<String> {
    let tables = [
        times(processor.ratios("replica_origins")),
        times(processor.ratios("replica_words")),
        bytes(processor.ratios("replica_traffic")),
    ];
    let tables: Vec<String> = tables.into_iter().flatten().collect();
    (!tables.is_empty()).then(|| tables.join("\n"))
}

/// A table of times in nanoseconds, with a row for each work and a column for each place.
fn times(rows: &[Ratio]) -> Option<String> {
    let (mut works, mut places) = (Vec::new(), Vec::new());
    for row in rows {
        if !works.contains(&row.work.as_str()) {
            works.push(&row.work);
        }
        if !places.contains(&row.place.as_str()) {
            places.push(&row.place);
        }
    }
    let mut table = format!("| ns | {} |\n|---|{}\n", places.join(" | "), "--:|".repeat(places.len()));
    for work in works {
        let of_work = rows.iter().filter(|row| row.work == work);
        let cells: Vec<String> = of_work.map(|row| emphasised(row, time(row.ours))).collect();
        let _ = writeln!(table, "| {work} | {} |", cells.join(" | "));
    }
    (!rows.is_empty()).then_some(table)
}

/// A table with a row for each work and rival and a column for each place, in the order of the ratios.
pub(crate) fn pivot(rows: &[Ratio]) -> Option<String> {
    let (mut works, mut places) = (Vec::new(), Vec::new());
    for row in rows {
        let work = (row.work.as_str(), row.rival.as_str());
        if !works.contains(&work) {
            works.push(work);
        }
        if !places.contains(&row.place.as_str()) {
            places.push(row.place.as_str());
        }
    }
    let mut table =
        format!("| | against | {} |\n|---|---|{}\n", places.join(" | "), "--:|".repeat(places.len()));
    for work in works {
        let _ = write!(table, "| `{}` | {} |", work.0, work.1);
        for &place in &places {
            let found = rows.iter().find(|row| ((&*row.work, &*row.rival), &*row.place) == (work, place));
            let _ = write!(table, " {} |", found.map(cell).unwrap_or_default());
        }
        table.push('\n');
    }
    (!rows.is_empty()).then_some(table)
}

/// The ratios of all kernels at a level.
pub(crate) fn kernels(processor: &Processor, level: &str) -> Option<String> {
    let names = ["fold", "accum", "equal", "diff", "fingerprint"];
    let rows = names.into_iter().flat_map(|name| processor.ratios(name));
    pivot(&rows.filter(|row| row.level == level).cloned().collect::<Vec<_>>())
}

/// The levels of these ratios, in their order.
fn levels(rows: &[Ratio]) -> Vec<&str> {
    let mut levels = Vec::new();
    for row in rows {
        if !levels.contains(&row.level.as_str()) {
            levels.push(row.level.as_str());
        }
    }
    levels
}

/// `equal` on few words: the median and the least of the ratios of several lengths.
pub(crate) fn short_equal(processor: &Processor) -> Option<String> {
    const LENGTHS: [(usize, usize); 7] = [(1, 9), (10, 16), (17, 32), (33, 40), (41, 48), (49, 55), (56, 64)];
    let rows = processor.ratios("short_equal");
    let mut table = String::from("| words |");
    for level in levels(rows) {
        let _ = write!(table, " {level} |");
    }
    let _ = writeln!(table, "\n|---|{}", "---|".repeat(levels(rows).len()));
    for (from, to) in LENGTHS {
        let _ = write!(table, "| {from} to {to} |");
        for level in levels(rows) {
            let within = |row: &&Ratio| row.place.parse().is_ok_and(|len| (from..=to).contains(&len));
            let mut rows: Vec<&Ratio> = rows.iter().filter(|row| row.level == level).filter(within).collect();
            rows.sort_unstable_by(|a, b| a.ratio().total_cmp(&b.ratio()));
            let (Some(least), Some(median)) = (rows.first(), rows.get(rows.len() / 2)) else { continue };
            let least_ratio = emphasised(least, ratio(least.ratio()));
            let _ = write!(
                table,
                " {}, least {least_ratio} at {} |",
                emphasised(median, ratio(median.ratio())),
                least.place
            );
        }
        table.push('\n');
    }
    (!rows.is_empty()).then_some(table)
}

/// The fingerprint against XXH3 in both builds.
pub(crate) fn fingerprint_builds(processor: &Processor) -> Option<String> {
    let builds = [("default", "fingerprint"), ("`target-cpu=native`", "fingerprint_native")];
    let mut table = String::from("| level | build | L1 | L2 | L3 | memory |\n|---|---|--:|--:|--:|--:|\n");
    for level in levels(processor.ratios("fingerprint")) {
        for (build, name) in builds {
            let _ = write!(table, "| {level} | {build} |");
            for place in ["L1", "L2", "L3", "memory"] {
                let found = |row: &&Ratio| row.place == place && row.level == level;
                let row = processor.ratios(name).iter().find(found);
                let _ = write!(table, " {} |", row.map(cell).unwrap_or_default());
            }
            table.push('\n');
        }
    }
    (!processor.ratios("fingerprint").is_empty()).then_some(table)
}

/// The fingerprint's throughput and that of the bare multiplications that it needs.
pub(crate) fn fingerprint_limit(processor: &Processor) -> Option<String> {
    let rows = processor.ratios("fingerprint_limit");
    let (_, now) = processor.circumstances().next()?;
    let places = place_bytes(&now.caches);
    let mut table = String::from(
        "| level | data in | `Fingerprint::load`, GB/s | bare multiplications, GB/s | share (target) |\n\
         |---|---|--:|--:|--:|\n",
    );
    for row in rows {
        let bytes = places.iter().find(|place| place.0 == row.place).map_or(f64::NAN, |place| place.1 as f64);
        let (ours, theirs) = (rate(bytes / row.ours), rate(bytes / row.theirs));
        let _ = writeln!(table, "| {} | {} | {ours} | {theirs} | {} |", row.level, row.place, cell(row));
    }
    (!rows.is_empty()).then_some(table)
}

/// `fold` by two cores in deltas a second, and its ratio to what it is measured against.
pub(crate) fn two_cores(processor: &Processor) -> Option<String> {
    let rows = processor.ratios("two_cores");
    let mut table = String::from("| | G deltas/s | fold against it | target |\n|---|--:|--:|--:|\n");
    let first = rows.first()?;
    let _ = writeln!(table, "| {}, {} | {:.1} | | |", first.work, first.level, 1.0 / first.ours);
    for row in rows {
        let ratio = emphasised(row, ratio(row.ratio()));
        let _ = writeln!(table, "| {} | {:.1} | {ratio} | {:.2} |", row.rival, 1.0 / row.theirs, row.target);
    }
    Some(table)
}

/// The throughput of each kernel and level at four sizes.
pub(crate) fn throughput(processor: &Processor) -> Option<String> {
    const SIZES: [u64; 4] = [16 << 10, 1 << 20, 16 << 20, 256 << 20];
    const LEVELS: [&str; 4] = ["AVX-512", "AVX2", "SSE2", "portable"];
    const RIVALS: [&str; 6] =
        ["bare loads, AVX-512", "copy_from_slice", "==", "equal", "loop with Vec::push", "XXH3-64"];
    let cell = |line: Option<&Line>| {
        let Some(line) = line else { return String::new() };
        let at = |size| {
            let point = line.points.iter().find(|point| point.0 == size);
            point.map_or_else(|| "–".into(), |point| rate(point.1))
        };
        SIZES.map(at).join(" / ")
    };
    let mut table =
        String::from("| | limit or rival | AVX-512 | AVX2 | SSE2 | portable |\n|---|---|--:|--:|--:|--:|\n");
    let empty = table.len();
    for (kernel, title) in KERNELS {
        let lines = || processor.lines(kernel).iter().filter(|line| line.unit == "bytes");
        let named = |name: &str| lines().find(|line| line.name == name);
        if lines().next().is_none() {
            continue;
        }
        let rival = RIVALS.into_iter().find_map(named);
        let _ = write!(table, "| {title} | {} {} |", rival.map_or("", |line| &line.name), cell(rival));
        for level in LEVELS {
            let _ = write!(table, " {} |", cell(named(level)));
        }
        table.push('\n');
    }
    (table.len() > empty).then_some(table)
}

/// The time of a delta by method and number of threads, and its plot.
pub(crate) fn threads(processor: &Processor) -> Option<String> {
    let mut table =
        String::from("| method | 1 thread | 2 threads | 4 threads | 8 threads |\n|---|--:|--:|--:|--:|\n");
    for Sweep { method, nanoseconds } in &processor.threads.as_ref()?.results {
        let _ = write!(table, "| {method} |");
        for time in nanoseconds {
            let _ = write!(table, " {time:.2} |");
        }
        table.push('\n');
    }
    let id = &processor.id;
    let _ = write!(
        table,
        "\n![Time of a delta by the number of threads](benches/record/{id}/fan_in_threads.svg)"
    );
    Some(table)
}

/// What a delta costs with one and with two threads by the main methods, for the README.
pub(crate) fn deltas(processors: &[Processor]) -> String {
    const METHODS: [(&str, &str); 5] = [
        ("Producer::accum", "`Producer::accum`, loop-local handle"),
        ("Producer::accum, handle in memory", "`Producer::accum`, handle behind a reference"),
        ("FanIn::accum", "`FanIn::accum`, without a handle"),
        ("fetch_xor", "`fetch_xor` on a shared word"),
        ("std Mutex", "`std::sync::Mutex`"),
    ];
    // The processor of each vendor that was measured last.
    let vendor = |processor: &Processor| processor.id.split('-').next().map(str::to_owned);
    let is_last = |(at, processor): &(usize, &Processor)| {
        processors[..*at].iter().all(|earlier| vendor(earlier) != vendor(processor))
    };
    let records: Vec<_> =
        processors.iter().enumerate().filter(is_last).filter_map(|(_, it)| it.threads.as_ref()).collect();
    let mut table = String::from("| |");
    for record in &records {
        let machine = &record.circumstances.machine;
        let machine = machine.rsplit_once(", ").map_or(&**machine, |(processor, _)| processor);
        let machine = machine.replace("(R)", "").replace(" Processor", "");
        let machine = machine.replace("(family ", "").replace(", model ", "/").replace(')', "");
        let _ = write!(table, " {machine}, 1 thread | 2 threads |");
    }
    let _ = writeln!(table, "\n|---|{}", "--:|--:|".repeat(records.len()));
    for (method, title) in METHODS {
        let _ = write!(table, "| {title} |");
        for record in &records {
            let found = record.results.iter().find(|sweep| sweep.method == method);
            let cell = |threads: usize| found.map(|sweep| two_digits(sweep.nanoseconds[threads]));
            let _ = write!(table, " {} | {} |", cell(0).unwrap_or_default(), cell(1).unwrap_or_default());
        }
        table.push('\n');
    }
    table
}

/// The metrics libraries by the number of threads, with their plots.
pub(crate) fn metrics(processor: &Processor) -> Option<String> {
    let mut table = pivot(processor.ratios("metrics_threads"))?;
    for (name, _) in METRICS {
        let id = &processor.id;
        let _ = write!(table, "\n![Time of a {name} event](benches/record/{id}/metrics_{name}.svg)");
    }
    Some(table)
}

/// The plots of all kernels, with a column for each processor.
pub(crate) fn plots(processors: &[Processor]) -> String {
    let ids: Vec<&str> = processors.iter().map(|processor| &*processor.id).collect();
    let mut table = format!("| {} |\n|{}\n", ids.join(" | "), "---|".repeat(ids.len()));
    for (kernel, title) in KERNELS {
        table.push('|');
        for Processor { id, .. } in processors {
            let _ = write!(table, " ![{title}](benches/record/{id}/sweep_{kernel}.svg) |");
        }
        table.push('\n');
    }
    table
}
