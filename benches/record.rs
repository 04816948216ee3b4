//! Measured ratios: printed as they come, checked against their targets, and kept for BENCHMARKS.md.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// What may be missing of a target before it counts as missed: a shared machine's noise.
const TOLERANCE: f64 = 0.85;

/// The library against a rival on the same work, in one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ratio {
    /// What was done.
    pub work: String,
    /// On data lying where, or of what size; empty where that goes without saying.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// At which level of the kernels; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// Against what.
    pub rival: String,
    /// Nanoseconds a delta, or a call: the library's.
    pub ours: f64,
    /// Nanoseconds a delta, or a call: the rival's.
    pub theirs: f64,
    /// How many times as fast as the rival the library should be; 0 where there is no target.
    pub target: f64,
}

impl Ratio {
    /// How many times as fast as the rival the library is.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.theirs / self.ours
    }

    /// How the ratio stands to its target.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.ratio() / self.target {
            _ if self.target == 0.0 => "",
            part if part >= 1.0 => "reached",
            part if part >= TOLERANCE => "close",
            _ => "missed",
        }
    }
}

/// The ratios of one benchmark.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ratios {
    /// In the order of measurement.
    pub rows: Vec<Ratio>,
}

impl Ratios {
    /// Prints a ratio and keeps it.
    pub fn push(&mut self, row: Ratio) {
        let what = [row.work.as_str(), &row.place, &row.level];
        let what: Vec<_> = what.into_iter().filter(|part| !part.is_empty()).collect();
        println!(
            "{:<44} {:>9.3} ns   {:<22} {:>9.3} ns   ratio {:>7.2}   target {:>6.2}  {}",
            what.join(", "),
            row.ours,
            row.rival,
            row.theirs,
            row.ratio(),
            row.target,
            row.verdict()
        );
        self.rows.push(row);
    }

    /// Whether no ratio misses its target by more than the tolerance.
    #[must_use]
    pub fn all_reached(&self) -> bool {
        self.rows.iter().all(|row| row.verdict() != "missed")
    }

    /// Keeps the ratios as `target/ratios/NAME.json`, where the report finds them.
    ///
    /// # Panics
    ///
    /// If the file can't be written.
    pub fn save(&self, name: &str) {
        let path = ratios_path(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("target can be written to");
        let json = serde_json::to_string_pretty(self).expect("numbers and strings");
        fs::write(&path, json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The ratios saved under a name.
    ///
    /// # Errors
    ///
    /// Says which file can't be read, and why.
    pub fn saved(name: &str) -> Result<Self, String> {
        let path = ratios_path(name);
        let json = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&json).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// A run of a program that measures ratios, as its arguments ask for.
#[derive(Debug, Default)]
pub struct Run {
    /// A part of the names of what shall be measured, if not everything.
    filter: Option<String>,
    /// What the ratios shall be saved as, if at all.
    save: Option<String>,
    /// Whether to leave out what has no target, and all levels but the best.
    pub short: bool,
    ratios: Ratios,
}

impl Run {
    /// From `[--short] [--save NAME] [filter]`.
    #[must_use]
    pub fn from_args() -> Self {
        let mut run = Self::default();
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => {} // From Cargo.
                "--short" => run.short = true,
                "--save" => run.save = args.next(),
                _ => run.filter = Some(arg),
            }
        }
        run
    }

    /// Whether to measure this.
    #[must_use]
    pub fn wants(&self, work: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| work.contains(filter.as_str()))
    }

    /// Prints and keeps a ratio, from the nanoseconds that the work and the rival's took for `bytes`.
    pub fn line(
        &mut self,
        names: [&str; 2],
        level: &str,
        place: &str,
        bytes: usize,
        times: [f64; 2],
        target: f64,
    ) {
        let ([work, rival], [ours, theirs]) = (names.map(String::from), times);
        print!("{:6.1} GB/s  ", bytes as f64 / ours);
        self.ratios.push(Ratio {
            work,
            place: place.into(),
            level: level.into(),
            rival,
            ours,
            theirs,
            target,
        });
    }

    /// Saves what was measured, and says whether no target was missed.
    #[must_use]
    pub fn finish(self) -> ExitCode {
        if let Some(name) = self.save {
            self.ratios.save(&name);
        }
        if self.ratios.all_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Under what circumstances something was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// The processor and how many cores of it there were.
    pub machine: String,
    /// The name and size of each of a core's caches for data, in bytes; empty where Linux doesn't tell.
    #[serde(default)]
    pub caches: Vec<(String, u64)>,
    /// The compiler.
    pub rustc: String,
    /// The commit, with a `+` if the tree differed from it.
    pub commit: String,
    /// The day, UTC.
    pub date: String,
}

impl Circumstances {
    /// Those of now.
    #[must_use]
    pub fn now() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpus.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.into());
        let number = |name| field(name).unwrap_or_else(|| "?".into());
        let changed = if output("git", &["status", "--porcelain", "../src", ".", ":!record"]).is_empty() {
            ""
        } else {
            "+"
        };
        Self {
            machine: format!(
                "{model} (family {}, model {}), {cores} cores",
                number("cpu family"),
                number("model\t")
            ),
            caches: caches(),
            rustc: output("rustc", &["--version"]),
            commit: output("git", &["rev-parse", "--short", "HEAD"]) + changed,
            date: output("date", &["-u", "+%F"]),
        }
    }
}

/// The caches for data of the first core, as Linux lists them.
fn caches() -> Vec<(String, u64)> {
    let cache = |index| {
        let read =
            |file| fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}"));
        let (kind, level, size) = (read("type").ok()?, read("level").ok()?, read("size").ok()?);
        let kibibytes: u64 = size.trim().strip_suffix('K')?.parse().ok()?;
        (kind.trim() != "Instruction").then(|| (format!("L{}", level.trim()), kibibytes << 10))
    };
    (0..8).filter_map(cache).collect()
}

/// What a command prints in the folder of the benchmarks, on one line; empty if it can't be run.
fn output(command: &str, args: &[&str]) -> String {
    let output =
        std::process::Command::new(command).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Cargo's target folder, where benchmarks leave what they measured.
#[must_use]
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => target.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"),
    }
}

fn ratios_path(name: &str) -> PathBuf {
    target().join("ratios").join(name).with_extension("json")
}
