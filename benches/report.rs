//! Writes the tables of BENCHMARKS.md from what the benchmarks left in `target`, and keeps the raw results in
//! `benches/record`. Called by `ci/bench.sh` after them.

mod plot;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atomik_benches::record::{Circumstances, Ratios, target};
use serde::Serialize;
use serde_json::Value;

/// The numbers of threads of the Criterion sweep.
const THREADS: [usize; 4] = [1, 2, 4, 8];

fn main() -> ExitCode {
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report() -> Result<(), String> {
    let circumstances = Circumstances::now();
    let mut page = Page::open("BENCHMARKS.md")?;
    page.put("circumstances", &circumstances_table(&circumstances))?;

    for name in ["fan_in", "kernel", "stream"] {
        let ratios = Ratios::saved(name)?;
        page.put(&format!("{name}_ratios"), &ratios_table(&ratios))?;
        keep(&format!("{name}_ratios"), &circumstances, &ratios.rows)?;
    }

    let sweep = thread_sweep()?;
    page.put("fan_in_threads", &sweep_table(&sweep))?;
    keep("fan_in_threads", &circumstances, &sweep)?;
    plot::threads(&project_file("benches/record/fan_in_threads.svg"), &THREADS, &sweep)?;
    page.write()
}

/// A file of the project.
fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A page of prose with tables between marks, which alone are replaced.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn open(path: &str) -> Result<Self, String> {
        let path = project_file(path);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, text })
    }

    /// Replaces what stands between the marks of this name.
    fn put(&mut self, name: &str, content: &str) -> Result<(), String> {
        let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
        let missing = |mark: &str| format!("{} has no line {mark}", self.path.display());
        let (before, rest) = self.text.split_once(&begin).ok_or_else(|| missing(&begin))?;
        let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
        self.text = format!("{before}{begin}\n\n{}\n\n{end}{after}", content.trim_end());
        Ok(())
    }

    fn write(&self) -> Result<(), String> {
        fs::write(&self.path, &self.text).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// Keeps raw results, with the circumstances, as `benches/record/NAME.json`.
fn keep(name: &str, circumstances: &Circumstances, results: &impl Serialize) -> Result<(), String> {
    let path = project_file("benches/record").join(name).with_extension("json");
    let record = serde_json::json!({ "circumstances": circumstances, "results": results });
    let text = serde_json::to_string_pretty(&record).map_err(|error| error.to_string())? + "\n";
    fs::create_dir_all(project_file("benches/record"))
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn circumstances_table(now: &Circumstances) -> String {
    let Circumstances { machine, rustc, commit, date } = now;
    format!(
        "| | |\n|---|---|\n| machine | {machine} |\n| compiler | {rustc} |\n| commit | {commit} |\n| date | {date} |\n\
         | command | `./ci/bench.sh` |"
    )
}

fn ratios_table(ratios: &Ratios) -> String {
    let mut table = String::from("| work | ns | rival | ns | ratio | target |\n|---|--:|---|--:|--:|--:|\n");
    for row in &ratios.rows {
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

/// One method's medians, in nanoseconds for a delta of each thread.
#[derive(Serialize)]
struct Sweep {
    method: String,
    nanoseconds: [f64; THREADS.len()],
}

/// What Criterion kept of the group `fan_in`.
fn thread_sweep() -> Result<Vec<Sweep>, String> {
    let group = target().join("criterion/fan_in");
    let folders = fs::read_dir(&group).map_err(|error| format!("{}: {error}", group.display()))?;
    let mut sweep = Vec::new();
    for folder in folders.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if folder.ends_with("report") {
            continue;
        }
        let mut nanoseconds = [0.0; THREADS.len()];
        let mut method = String::new();
        for (threads, median) in THREADS.into_iter().zip(&mut nanoseconds) {
            let of = |file| read_json(&folder.join(threads.to_string()).join("new").join(file));
            method = of("benchmark.json")?["function_id"].as_str().unwrap_or_default().to_owned();
            *median = of("estimates.json")?["median"]["point_estimate"].as_f64().unwrap_or(f64::NAN);
        }
        sweep.push(Sweep { method, nanoseconds });
    }
    // By the time with two threads.
    sweep.sort_by(|a, b| a.nanoseconds[1].total_cmp(&b.nanoseconds[1]));
    Ok(sweep)
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn sweep_table(sweep: &[Sweep]) -> String {
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
