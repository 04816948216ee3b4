//! The command line.

use std::path::PathBuf;

const USAGE: &str = "\
usage: prefork [--seconds N] [--workers N] [--port N] [--path FILE] [--json]

  --seconds N   stop after so many seconds; without it, run until interrupted
  --workers N   worker processes (default 3)
  --port N      the service's port (default: any)
  --path FILE   the file that the workers share (default: a new one in /dev/shm)
  --json        print figures for programs at the end, and nothing else";

#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) seconds: Option<u64>,
    pub(crate) workers: usize,
    pub(crate) port: u16,
    pub(crate) path: PathBuf,
    pub(crate) json: bool,
    /// The port of a worker, if this process is one.
    pub(crate) worker: Option<u16>,
}

impl Args {
    /// Reads the command line. If it can't be understood, it says so and ends the process with 2.
    pub(crate) fn from_command_line() -> Self {
        Self::parse(std::env::args().skip(1)).unwrap_or_else(|message| {
            eprintln!("{message}\n\n{USAGE}");
            std::process::exit(2)
        })
    }

    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let name = format!("/dev/shm/prefork-{}", std::process::id());
        let mut args =
            Self { seconds: None, workers: 3, port: 0, path: name.into(), json: false, worker: None };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--json" => args.json = true,
                "--seconds" => args.seconds = Some(number(&argument, given.next())?),
                "--workers" => args.workers = number(&argument, given.next())?,
                "--port" => args.port = number(&argument, given.next())?,
                "--worker" => args.worker = Some(number(&argument, given.next())?),
                "--path" => args.path = given.next().ok_or("--path needs a file")?.into(),
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        match args {
            Self { workers: 0 | 33.., .. } => Err("the number of workers is from 1 to 32".into()),
            Self { seconds: None, json: true, worker: None, .. } => Err("--json needs --seconds".into()),
            args => Ok(args),
        }
    }
}

fn number<T: std::str::FromStr>(argument: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{argument} needs a number"))?;
    value.parse().map_err(|_| format!("{argument} needs a number, not {value}"))
}
