//! One producing process: what it does, and what its parent has of it.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use atomik_core::Add;
use atomik_shared::SharedFanIn;

use crate::account::{ADDRESSES, delta};

/// The calls of `accum` between two reports.
const BATCH: u64 = 1_000;

/// How far a process has come.
#[derive(Clone, Copy, Default)]
pub(crate) struct Report {
    /// How many calls of `accum` had returned.
    pub(crate) returned: u64,
    /// How many it might make before it reports again.
    pub(crate) begun: u64,
}

/// Counts at the addresses of this process, until the time is over or the parent is gone.
pub(crate) fn produce(path: &Path, number: u64, time: Duration) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + time;
    let fan_in = SharedFanIn::<Add>::open(path)?;
    let mut producer = fan_in.producer_labelled(&format!("process {number}"))?;
    let mut pipe = io::stdout().lock();
    let mut report = |returned: u64, begun: u64| {
        // Not more than a pipe takes at once, so that a report is there completely or not at all.
        pipe.write_all(&[returned.to_ne_bytes(), begun.to_ne_bytes()].concat())?;
        pipe.flush()
    };
    let (first, mut calls) = (number as usize * ADDRESSES, 0);
    while Instant::now() < end {
        report(calls, calls + BATCH)?;
        for call in calls..calls + BATCH {
            producer.accum(first + call as usize % ADDRESSES, delta(call));
        }
        calls += BATCH;
    }
    report(calls, calls)?;
    Ok(())
}

/// A process that counts.
pub(crate) struct Child {
    number: u64,
    process: std::process::Child,
    reports: JoinHandle<io::Result<Report>>,
}

/// A process that has ended.
pub(crate) struct Ended {
    pub(crate) number: u64,
    pub(crate) report: Report,
}

impl Child {
    pub(crate) fn start(path: &Path, number: u64, time: Duration) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").arg(number.to_string()).arg(time.as_millis().to_string());
        command.arg("--path").arg(path).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut pipe = process.stdout.take().expect("it is piped");
        let reports = thread::spawn(move || {
            let (mut last, mut bytes) = (Report::default(), [0; 16]);
            loop {
                match pipe.read_exact(&mut bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(last),
                    Err(error) => return Err(error),
                }
                let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
                last = Report { returned: word(0), begun: word(8) };
            }
        });
        Ok(Self { number, process, reports })
    }

    /// SIGKILL, whatever it is doing.
    pub(crate) fn kill(mut self) -> Result<Ended, Box<dyn Error>> {
        self.process.kill()?;
        self.process.wait()?;
        self.ended()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Result<Ended, Box<dyn Error>> {
        let status = self.process.wait()?;
        if !status.success() {
            return Err(format!("process {} failed: {status}", self.number).into());
        }
        self.ended()
    }

    fn ended(self) -> Result<Ended, Box<dyn Error>> {
        let report = self.reports.join().map_err(|_| "the reader of a pipe panicked")??;
        Ok(Ended { number: self.number, report })
    }
}
