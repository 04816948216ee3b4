//! The results that Criterion left in `target/criterion`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The numbers of threads of the sweep of fan-in.
pub(crate) const THREADS: [usize; 4] = [1, 2, 4, 8];

/// The kernels of the sweep, and the title of each.
pub(crate) const KERNELS: [(&str, &str); 9] = [
    ("fold", "fold"),
    ("accum", "accum"),
    ("equal", "equal, on equal slices"),
    ("diff_0", "diff, nothing changed"),
    ("diff_1", "diff, 1 % changed"),
    ("diff_50", "diff, 50 % changed"),
    ("fingerprint", "Fingerprint::load"),
    ("apply", "apply, a delta to each 64th word"),
    ("apply_wire", "apply_wire, a million messages"),
];

/// The medians of one method, in nanoseconds for a delta of each thread.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) method: String,
    pub(crate) nanoseconds: [f64; THREADS.len()],
}

/// One line of a kernel's plot: a level, a limit or a rival.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) kernel: String,
    pub(crate) name: String,
    /// The unit of throughput: `bytes` or `deltas`.
    pub(crate) unit: String,
    /// The bytes of all operands, and the throughput in units a nanosecond: the best of Criterion's samples and
    /// their median.
    pub(crate) points: Vec<(u64, f64, f64)>,
}

/// A measurement of Criterion's.
struct Measurement {
    function: String,
    parameter: u64,
    median: f64,
    best: f64,
    throughput: Value,
}

/// The nanoseconds and the number of calls of each of Criterion's samples.
#[derive(Deserialize)]
struct Samples {
    times: Vec<f64>,
    iters: Vec<f64>,
}

/// The measurements of a group, or `None` if it was not measured.
fn measurements(group: &str) -> Result<Option<Vec<Measurement>>, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let group = target.join("criterion").join(group);
    if !group.exists() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for function in folders(&group)? {
        for parameter in folders(&function)? {
            let of = |file| read_json(&parameter.join("new").join(file));
            let (benchmark, estimates) = (of("benchmark.json")?, of("estimates.json")?);
            let samples: Samples =
                serde_json::from_value(of("sample.json")?).map_err(|error| error.to_string())?;
            let best = samples.times.iter().zip(&samples.iters).map(|(time, calls)| time / calls);
            let best = best.fold(f64::INFINITY, f64::min);
            let parsed = (|| {
                Some(Measurement {
                    function: benchmark["function_id"].as_str()?.to_owned(),
                    parameter: benchmark["value_str"].as_str()?.parse().ok()?,
                    median: estimates["median"]["point_estimate"].as_f64()?,
                    best,
                    throughput: benchmark["throughput"].clone(),
                })
            })();
            found.push(
                parsed.ok_or_else(|| {
                    format!("{}: not a measurement of these benchmarks", parameter.display())
                })?,
            );
        }
    }
    Ok(Some(found))
}

/// The folders in a folder, except for Criterion's own reports.
fn folders(path: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir() && !path.ends_with("report")).collect())
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The sweep of fan-in over threads, sorted by the time with two threads. `None` if it was not measured.
pub(crate) fn threads() -> Result<Option<Vec<Sweep>>, String> {
    let Some(measurements) = measurements("fan_in")? else { return Ok(None) };
    let mut methods = BTreeMap::new();
    for Measurement { function, parameter, median, .. } in measurements {
        let nanoseconds = methods.entry(function).or_insert([f64::NAN; THREADS.len()]);
        if let Some(index) = THREADS.iter().position(|&threads| threads as u64 == parameter) {
            nanoseconds[index] = median;
        }
    }
    let methods = methods.into_iter();
    let mut sweep: Vec<_> = methods.map(|(method, nanoseconds)| Sweep { method, nanoseconds }).collect();
    sweep.sort_by(|a, b| a.nanoseconds[1].total_cmp(&b.nanoseconds[1]));
    Ok(Some(sweep))
}

/// The sweep of one kernel over sizes. `None` if it was not measured.
pub(crate) fn kernel(kernel: &str) -> Result<Option<Vec<Line>>, String> {
    let Some(measurements) = measurements(&format!("kernel_{kernel}"))? else { return Ok(None) };
    let mut lines = BTreeMap::<String, Line>::new();
    for Measurement { function, parameter, median, best, throughput } in measurements {
        let (unit, count) = match (throughput["Bytes"].as_f64(), throughput["Elements"].as_f64()) {
            (Some(bytes), _) => ("bytes", bytes),
            (_, Some(elements)) => ("deltas", elements),
            _ => return Err(format!("kernel_{kernel}, {function}: no throughput")),
        };
        let line = lines.entry(function).or_insert_with_key(|name| Line {
            kernel: kernel.into(),
            name: name.clone(),
            unit: unit.into(),
            points: Vec::new(),
        });
        line.points.push((parameter, count / best, count / median));
    }
    lines.values_mut().for_each(|line| line.points.sort_unstable_by_key(|point| point.0));
    Ok(Some(lines.into_values().collect()))
}
