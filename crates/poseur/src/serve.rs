//! `poseur serve`: the pipelines of a configuration, until a signal ends them.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use poseur_relay::serve::{Checked, Relay, StartError};
use poseur_relay::telemetry::quiet::Quiet;
use poseur_setup::ready::Notice;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::Error;
use crate::files;
use crate::memory;
use crate::output;
use crate::terminal::{Colour, Paint, harmless};

/// How often the log says how much it has left out, if it has.
const MORE: Duration = Duration::from_secs(5);

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
    memory::prepare_for_serving();
    files::raise();
    let quiet = log(args.log);
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().map_err(Error::Runtime)?;
    let drain = Duration::from_secs(args.drain);
    let told = quiet.clone();
    runtime.spawn(async move {
        loop {
            sleep(MORE).await;
            told.tell();
        }
    });
    let outcome = runtime.block_on(serve(&args.config, drain));
    quiet.tell_all();
    // A thread may still be waiting for standard input; nobody needs what it would get.
    runtime.shutdown_background();
    outcome
}

/// Says what a configuration would do.
///
/// # Errors
/// With everything that is wrong with it, and with what it names.
pub fn check(path: &Path) -> Result<(), Error> {
    let checked =
        poseur_relay::serve::check(path).map_err(|StartError(errors)| Error::Config(errors))?;
    let paint = Paint::stdout();
    let mut out = Vec::new();
    for Checked { name, way, notices } in checked {
        let name = paint.of(Colour::Bold, harmless(&name).into_owned());
        out.extend_from_slice(format!("{name}: {way}\n").as_bytes());
        for notice in notices {
            let line = match notice {
                Notice::Info(text) => format!("  {text}\n"),
                Notice::Warning(text) => format!("  warning: {text}\n"),
                Notice::Error(text) => format!("  error: {text}\n"),
            };
            out.extend_from_slice(line.as_bytes());
        }
    }
    output::print(&out)
}

async fn serve(path: &Path, drain: Duration) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Runtime)?;
    let (ask, mut asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // One that waits already is as good as two.
            let _ = ask.try_send(());
        }
    });
    let relay = Relay::open(path).await;
    let mut relay = relay.map_err(|error| Error::Config(error.0))?;
    files::check(relay.most_connections());
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        well = relay.keep_up(&mut asked) => {
            info!("all sources have ended");
            return if well { Ok(()) } else { Err(Error::Undelivered) };
        }
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

/// Begins a log to standard error, which does not flood.
fn log(format: LogFormat) -> Quiet {
    let quiet = Quiet::default();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(LevelFilter::INFO)
        .with(quiet.clone())
        .init();
    quiet
}
