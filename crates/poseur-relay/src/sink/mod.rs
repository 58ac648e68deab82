//! Where batches go. A kind of sink is a file here: its configuration, and how it delivers a batch.

pub mod forward;
pub mod http;
pub mod kafka;
pub mod lines;
pub mod null;
pub mod vector;

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::batch::{Batch, Form};
use crate::config::Say;
use crate::config::values::{Secret, Span};
use crate::net::tls;

/// A downstream.
pub trait Sink: Debug + Send + Sync {
    /// What it takes.
    fn form(&self) -> Form;

    /// A way to it for batches that must stay in order.
    fn lane(&self) -> Box<dyn Lane>;
}

/// Delivers batches in order, one at a time. One whose delivery was given up before it returned is not used again; after
/// an error, it is for the lane to use nothing again of which it does not know how much was sent.
#[async_trait]
pub trait Lane: Send {
    /// Delivers a batch, which has the sink's form; returns when the downstream has accepted it.
    ///
    /// # Errors
    /// If it has not, or nothing is known about it.
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure>;
}

/// Why a batch was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may be another time.
    Unavailable(String),
    /// It will never be.
    Refused(String),
}

/// How long connecting may take, if nothing else is said.
fn connect_timeout() -> Span {
    Span(Duration::from_secs(10))
}

/// How long an answer may take, if nothing else is said.
fn answer_timeout() -> Span {
    Span(Duration::from_secs(60))
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schemars(rename = "Sink")]
pub enum Config {
    /// A receiver that speaks the Forward protocol. Every chunk must be acknowledged.
    Forward(forward::Config),
    /// A receiver to which NDJSON is POSTed.
    Http(http::Config),
    /// A receiver that speaks Vector's protocol: its `vector` source.
    Vector(vector::Config),
    /// A topic of Kafka.
    Kafka(kafka::Config),
    /// Lines over TCP. Nothing is acknowledged: what was written counts as delivered.
    Tcp(lines::Tcp),
    /// Lines to a Unix socket. Nothing is acknowledged: what was written counts as delivered.
    Unix(lines::Unix),
    /// Lines to standard output.
    Stdout(lines::Stdout),
    /// Nowhere. For trials and measurements.
    Null(null::Config),
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Config::Forward(config) => write!(f, "forward {}", config.connect.join(", ")),
            Config::Http(config) => write!(f, "http {}", config.url),
            Config::Vector(config) => write!(f, "vector {}", config.connect.join(", ")),
            Config::Kafka(config) => write!(f, "{config}"),
            Config::Tcp(config) => write!(f, "tcp {}", config.connect),
            Config::Unix(config) => write!(f, "unix {}", config.connect.display()),
            Config::Stdout(_) => f.write_str("stdout"),
            Config::Null(_) => f.write_str("null"),
        }
    }
}

impl Config {
    /// What no type can say.
    pub(crate) fn check(&self, say: &mut Say<'_>) {
        match self {
            Config::Forward(config) => config.check(say),
            Config::Http(config) => config.check(say),
            Config::Vector(config) => config.check(say),
            Config::Kafka(config) => config.check(say),
            Config::Tcp(_) | Config::Unix(_) | Config::Stdout(_) | Config::Null(_) => {}
        }
    }

    /// The secrets that it refers to.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        match self {
            Config::Forward(config) => config.secrets(),
            Config::Http(config) => config.secrets(),
            Config::Kafka(config) => config.secrets(),
            _ => Vec::new(),
        }
    }

    /// Its TLS, if it speaks it.
    pub(crate) fn tls(&self) -> Option<&tls::Client> {
        match self {
            Config::Forward(config) => config.tls.as_ref(),
            Config::Http(config) => config.tls.as_ref(),
            Config::Vector(config) => config.tls.as_ref(),
            Config::Tcp(config) => config.tls.as_ref(),
            Config::Kafka(_) | Config::Unix(_) | Config::Stdout(_) | Config::Null(_) => None,
        }
    }

    /// The downstream. Nothing is connected yet.
    ///
    /// # Errors
    /// If a secret or a certificate cannot be read.
    pub fn sink(&self) -> Result<Box<dyn Sink>, String> {
        Ok(match self {
            Config::Forward(config) => Box::new(config.sink()?),
            Config::Http(config) => Box::new(config.sink()?),
            Config::Vector(config) => Box::new(config.sink()?),
            Config::Kafka(config) => crate::kafka::sink(config)?,
            Config::Tcp(config) => Box::new(config.sink()?),
            Config::Unix(config) => Box::new(config.sink()),
            Config::Stdout(_) => Box::new(lines::ToStdout),
            Config::Null(_) => Box::new(null::Null),
        })
    }
}
