//! The records of each processor.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use atomik_benches::circumstances::Circumstances;
use atomik_benches::ratio::Ratio;
use atomik_benches::record::Record;

use crate::criterion_results::{KERNELS, Line, Sweep, THREADS};
use crate::plot;

/// The records of ratios.
const RATIOS: [&str; 33] = [
    "fan_in",
    "fan_in_locks",
    "fan_in_reads",
    "fan_in_past_producers",
    "fan_in_snapshots",
    "fold",
    "accum",
    "equal",
    "diff",
    "fingerprint",
    "fingerprint_native",
    "fingerprint_limit",
    "short_equal",
    "apply_wire",
    "two_cores",
    "par",
    "replication",
    "tick_growth",
    "replica_origins",
    "replica_words",
    "replica_traffic",
    "checkpoint",
    "processes",
    "nodes",
    "nats",
    "redis",
    "metrics_counter",
    "metrics_histogram",
    "metrics_macro",
    "metrics_memory",
    "metrics_render",
    "metrics_scraped",
    "metrics_threads",
];

/// The plots of metrics, each with the work that it shows.
pub(crate) const METRICS: [(&str, &str); 2] =
    [("counter", "Counter, increment"), ("histogram", "Histogram, record")];

/// All records of one processor.
pub(crate) struct Processor {
    pub(crate) id: String,
    folder: PathBuf,
    ratios: BTreeMap<&'static str, Record<Ratio>>,
    pub(crate) threads: Option<Record<Sweep>>,
    sweeps: BTreeMap<String, Record<Line>>,
}

/// The processors that have records, the one that was measured last first.
pub(crate) fn all(records: &Path) -> Result<Vec<Processor>, String> {
    let at = |error: std::io::Error| format!("{}: {error}", records.display());
    let mut processors = Vec::new();
    for entry in fs::read_dir(records).map_err(at)? {
        let folder = entry.map_err(at)?.path();
        if folder.is_dir() {
            processors.push(Processor::read(folder)?);
        }
    }
    processors.retain(|processor| processor.circumstances().next().is_some());
    let last = |processor: &Processor| processor.circumstances().map(|now| now.1.date.clone()).max();
    processors.sort_by_key(|processor| std::cmp::Reverse((last(processor), processor.id.clone())));
    Ok(processors)
}

impl Processor {
    fn read(folder: PathBuf) -> Result<Self, String> {
        let (mut ratios, mut sweeps) = (BTreeMap::new(), BTreeMap::new());
        for name in RATIOS {
            if let Some(record) = Record::read(&folder, name)? {
                ratios.insert(name, record);
            }
        }
        for (kernel, _) in KERNELS {
            let name = format!("sweep_{kernel}");
            if let Some(record) = Record::read(&folder, &name)? {
                sweeps.insert(name, record);
            }
        }
        let threads = Record::read(&folder, "fan_in_threads")?;
        let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { id, folder, ratios, threads, sweeps })
    }

    /// The ratios in the record of this name; empty without a record.
    pub(crate) fn ratios(&self, name: &str) -> &[Ratio] {
        self.ratios.get(name).map_or(&[], |record| &record.results)
    }

    /// The lines in a kernel's record; empty without a record.
    pub(crate) fn lines(&self, kernel: &str) -> &[Line] {
        self.sweeps.get(&format!("sweep_{kernel}")).map_or(&[], |record| &record.results)
    }

    /// The circumstances of each record, with its name.
    pub(crate) fn circumstances(&self) -> impl Iterator<Item = (&str, &Circumstances)> {
        let ratios = self.ratios.iter().map(|(&name, record)| (name, &record.circumstances));
        let threads = self.threads.iter().map(|record| ("fan_in_threads", &record.circumstances));
        let sweeps = self.sweeps.iter().map(|(name, record)| (&**name, &record.circumstances));
        ratios.chain(threads).chain(sweeps)
    }

    /// Draws the plots beside the records.
    pub(crate) fn draw(&self) -> Result<(), String> {
        for (kernel, title) in KERNELS {
            let name = format!("sweep_{kernel}");
            if let Some(record) = self.sweeps.get(&name) {
                let path = self.folder.join(name).with_extension("svg");
                let title = format!("{title} ({})", self.id);
                plot::kernel(&path, &title, &record.results, &record.circumstances.caches)?;
            }
        }
        for (name, what) in METRICS {
            let sweep = self.metrics(what);
            if !sweep.is_empty() {
                let path = self.folder.join(format!("metrics_{name}.svg"));
                let title = format!("One {name} event of each thread ({})", self.id);
                plot::threads(&path, &title, &THREADS, &sweep)?;
            }
        }
        let path = self.folder.join("fan_in_threads.svg");
        let title = format!("One delta of each thread ({})", self.id);
        self.threads.iter().try_for_each(|record| plot::threads(&path, &title, &THREADS, &record.results))
    }

    /// The times of all metrics libraries by the number of threads, which record to one series.
    fn metrics(&self, work: &str) -> Vec<Sweep> {
        let mut sweep: Vec<Sweep> = Vec::new();
        for row in self.ratios("metrics_threads").iter().filter(|row| row.work == work) {
            let step =
                THREADS.iter().position(|threads| row.place == format!("{threads} threads, one series"));
            let Some(step) = step else { continue };
            for (method, time) in [(work, row.ours), (&row.rival, row.theirs)] {
                let line = match sweep.iter().position(|line| line.method == method) {
                    Some(line) => &mut sweep[line],
                    None => {
                        sweep.push(Sweep {
                            method: method.to_owned(),
                            nanoseconds: [f64::NAN; THREADS.len()],
                        });
                        sweep.last_mut().expect("it was just pushed")
                    }
                };
                line.nanoseconds[step] = time;
            }
        }
        sweep.sort_by(|a, b| a.nanoseconds[1].total_cmp(&b.nanoseconds[1]));
        sweep
    }
}

/// The table of each processor that has one, under its name.
pub(crate) fn each(processors: &[Processor], table: impl Fn(&Processor) -> Option<String>) -> String {
    let mut text = String::new();
    for processor in processors {
        if let Some(table) = table(processor) {
            let _ = writeln!(text, "On `{}`:\n\n{}\n", processor.id, table.trim_end());
        }
    }
    text
}
