//! A run of a program that measures ratios.

use std::process::{ExitCode, exit};

use crate::circumstances::Circumstances;
use crate::ratio::{Ratio, Verdict};
use crate::record::Record;

/// A run of a program that measures the ratios of several subjects.
///
/// The command line is `[--short] [--record] [SUBJECT...]`. `--short` leaves out what takes long, `--record`
/// writes each subject's ratios to `benches/record`, and without a subject all are measured.
#[derive(Debug)]
pub struct Run {
    part: &'static str,
    wanted: Vec<String>,
    known: Vec<&'static str>,
    record: bool,
    short: bool,
    missed: bool,
}

impl Run {
    /// The run of this part of `ci/bench.sh`.
    #[must_use]
    pub fn from_args(part: &'static str) -> Self {
        let (mut record, mut short, mut wanted) = (false, false, Vec::new());
        for arg in std::env::args().skip(1) {
            match arg.as_str() {
                "--bench" => {} // From Cargo.
                "--short" => short = true,
                "--record" => record = true,
                _ => wanted.push(arg),
            }
        }
        Self { part, wanted, known: Vec::new(), record, short, missed: false }
    }

    /// Whether to leave out what takes long.
    #[must_use]
    pub fn short(&self) -> bool {
        self.short
    }

    /// Measures a subject, if it is wanted.
    pub fn subject(&mut self, name: &'static str, measure: impl FnOnce(&mut Subject)) {
        self.known.push(name);
        if !self.wanted.is_empty() && !self.wanted.iter().any(|wanted| wanted == name) {
            return;
        }
        let mut subject = Subject { short: self.short, ratios: Vec::new() };
        measure(&mut subject);
        self.missed |= subject.ratios.iter().any(|ratio| ratio.verdict() == Verdict::Missed);
        if self.record {
            // Native builds differ in the rival, so they have records of their own.
            let native = if cfg!(target_feature = "avx2") { "_native" } else { "" };
            let record = Record { circumstances: Circumstances::now(self.part), results: subject.ratios };
            if let Err(error) = record.write(&format!("{name}{native}")) {
                eprintln!("{error}");
                exit(2);
            }
        }
    }

    /// The exit status: 1 if a target was missed, 2 if a wanted subject doesn't exist. A run that records
    /// succeeds even if a target was missed, since the page tells that.
    #[must_use]
    pub fn finish(self) -> ExitCode {
        if let Some(unknown) = self.wanted.iter().find(|wanted| !self.known.contains(&wanted.as_str())) {
            eprintln!("there is no subject {unknown}; there are {}", self.known.join(", "));
            return ExitCode::from(2);
        }
        ExitCode::from(u8::from(self.missed && !self.record))
    }
}

/// The ratios of one subject.
#[derive(Debug)]
pub struct Subject {
    /// Whether to leave out what takes long.
    pub short: bool,
    ratios: Vec<Ratio>,
}

impl Subject {
    /// Prints a ratio and keeps it.
    pub fn push(&mut self, ratio: Ratio) {
        let what: Vec<&str> = [&*ratio.work, &*ratio.place, &*ratio.level]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        println!(
            "{:<48} {:>12.3} ns   {:<34} {:>12.3} ns   ratio {:>7.2}   target {:>6.2}  {}",
            what.join(", "),
            ratio.ours,
            ratio.rival,
            ratio.theirs,
            ratio.ratio(),
            ratio.target,
            ratio.verdict()
        );
        self.ratios.push(ratio);
    }

    /// The same, after the throughput of work on so many bytes.
    pub fn push_bytes(&mut self, bytes: usize, ratio: Ratio) {
        print!("{:6.1} GB/s  ", bytes as f64 / ratio.ours);
        self.push(ratio);
    }
}
