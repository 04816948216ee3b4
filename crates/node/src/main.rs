//! The program: see `atomik-node --help`.

use std::error::Error;
use std::process::ExitCode;

use atomik_node::{Options, demo, run};
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("ATOMIK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let options = Options::parse();
    let done = if options.demo { demo() } else { start(options) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("atomik-node: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> Result<(), Box<dyn Error>> {
    let config = options.into_config()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(config))
}
