//! Keeps what the benchmarks left in `target` as raw results in `benches/record`, and writes the tables and plots
//! of BENCHMARKS.md from these. Called by `ci/bench.sh` after them. With `--again` it writes them from what is kept.

mod criterion_results;
mod plot;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atomik_benches::record::{Circumstances, Ratio, Ratios};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use criterion_results::{KERNELS, Line, Sweep, THREADS};

/// The benchmarks of ratios, by the names that they save them under.
const RATIOS: [&str; 5] = ["fan_in", "kernel", "kernel_native", "kernel_threads", "stream"];

fn main() -> ExitCode {
    let again = std::env::args().any(|arg| arg == "--again");
    let kept = if again { Ok(()) } else { keep_all() };
    match kept.and_then(|()| write_page()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn keep_all() -> Result<(), String> {
    let circumstances = Circumstances::now();
    for name in RATIOS {
        keep(&format!("{name}_ratios"), &circumstances, &Ratios::saved(name)?.rows)?;
    }
    keep("fan_in_threads", &circumstances, &criterion_results::threads()?)?;
    keep("kernel", &circumstances, &criterion_results::kernels()?)
}

fn write_page() -> Result<(), String> {
    let mut page = Page::open("BENCHMARKS.md")?;
    let (circumstances, lines) = kept::<Line>("kernel")?;
    page.put("circumstances", &tables::circumstances(&circumstances))?;

    let ratios = |name: &str| Ok::<_, String>(kept::<Ratio>(&format!("{name}_ratios"))?.1);
    let kernel = ratios("kernel")?;
    let levels = tables::levels(&kernel);
    for level in ["AVX-512", "AVX2"] {
        let name = level.to_lowercase().replace('-', "");
        page.put(&format!("kernel_ratios_{name}"), &tables::places(&kernel, level))?;
    }
    page.put("kernel_short", &tables::short_equal(&kernel, &levels))?;
    page.put("kernel_builds", &tables::builds(&kernel, &ratios("kernel_native")?, &levels))?;
    page.put("apply_wire", &tables::pivot(kernel.iter().filter(|row| row.work == "apply_wire"), "contexts"))?;
    let threads = ratios("kernel_threads")?;
    page.put("two_cores", &tables::two_cores(&threads))?;
    page.put("kernel_par", &tables::pivot(threads.iter().filter(|row| row.place != "L1"), ""))?;
    for name in ["fan_in", "stream"] {
        page.put(&format!("{name}_ratios"), &tables::ratios(&ratios(name)?))?;
    }

    page.put("kernel_sweep", &tables::throughput(&lines))?;
    for (kernel, title) in KERNELS {
        let path = project_file("benches/record").join(format!("kernel_{kernel}.svg"));
        let lines: Vec<&Line> = lines.iter().filter(|line| line.kernel == kernel).collect();
        plot::kernel(&path, title, &lines, &circumstances.caches)?;
    }

    let (_, sweep) = kept::<Sweep>("fan_in_threads")?;
    page.put("fan_in_threads", &tables::threads(&sweep))?;
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

#[derive(Deserialize)]
struct Record<T> {
    circumstances: Circumstances,
    results: Vec<T>,
}

fn record_path(name: &str) -> PathBuf {
    project_file("benches/record").join(name).with_extension("json")
}

/// Keeps raw results, with the circumstances, as `benches/record/NAME.json`, a line each.
fn keep(name: &str, circumstances: &Circumstances, results: &[impl Serialize]) -> Result<(), String> {
    let json = |value: &dyn Fn() -> serde_json::Result<String>| value().map_err(|error| error.to_string());
    let head = json(&|| serde_json::to_string(circumstances))?;
    let rows: Result<Vec<String>, String> =
        results.iter().map(|row| json(&|| serde_json::to_string(row))).collect();
    let text = format!("{{\"circumstances\": {head},\n\"results\": [\n{}\n]}}\n", rows?.join(",\n"));
    let path = record_path(name);
    fs::create_dir_all(project_file("benches/record"))
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// What was kept under a name.
fn kept<T: DeserializeOwned>(name: &str) -> Result<(Circumstances, Vec<T>), String> {
    let path = record_path(name);
    let at = |error: String| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| at(error.to_string()))?;
    let record: Record<T> = serde_json::from_str(&text).map_err(|error| at(error.to_string()))?;
    Ok((record.circumstances, record.results))
}
