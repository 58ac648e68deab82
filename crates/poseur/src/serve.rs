//! `poseur serve`: the pipelines of a configuration, until a signal ends them.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use poseur_relay::config::Config;
use poseur_relay::serve::Relay;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::error::Error;

/// How to run, beside the configuration.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// The configuration, a YAML file
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,

    /// How the log is written, to standard error
    #[arg(long, value_enum, default_value_t)]
    pub log: LogFormat,

    /// At the end, wait so many seconds for what is on its way
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub drain: u64,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Serve) -> Result<(), Error> {
    let config = Config::read(&args.config)
        .map_err(|errors| Error::Config(errors.iter().map(ToString::to_string).collect()))?;
    log(args.log);
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().map_err(Error::Runtime)?;
    runtime.block_on(serve(&config, Duration::from_secs(args.drain)))
}

async fn serve(config: &Config, drain: Duration) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let relay = Relay::start(config).await;
    let relay = relay.map_err(|error| Error::Config(error.0))?;
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!("{name}: nothing new is taken; waiting up to {drain:?} for what is on its way");
    match relay.stop(drain).await {
        true => info!("all that was taken has been delivered"),
        false => warn!(
            "some was not delivered: it is not acknowledged, and its senders will send it again"
        ),
    }
    Ok(())
}

fn log(format: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
