//! The command line.

const USAGE: &str = "\
usage: service [--seconds N] [--connections N] [--port N] [--json]

  --seconds N      stop after so many seconds; without it, run until interrupted
  --connections N  connections of the load generator (default 16)
  --port N         the service's port (default: any)
  --json           print figures for programs at the end, and no view";

#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) seconds: Option<f64>,
    pub(crate) connections: usize,
    pub(crate) port: u16,
    pub(crate) json: bool,
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
        let mut args = Self { seconds: None, connections: 16, port: 0, json: false };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--json" => args.json = true,
                "--seconds" => args.seconds = Some(number(&argument, given.next())?),
                "--connections" => args.connections = number(&argument, given.next())?,
                "--port" => args.port = number(&argument, given.next())?,
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        match args {
            Self { connections: 0, .. } => Err("at least one connection is needed".into()),
            // A float that isn't finite and positive is no duration.
            Self { seconds: Some(seconds), .. } if !(0.0..1e6).contains(&seconds) => {
                Err(format!("{seconds} seconds are out of range"))
            }
            Self { seconds: None, json: true, .. } => Err("--json needs --seconds".into()),
            args => Ok(args),
        }
    }
}

fn number<T: std::str::FromStr>(argument: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{argument} needs a number"))?;
    value.parse().map_err(|_| format!("{argument} needs a number, not {value}"))
}
