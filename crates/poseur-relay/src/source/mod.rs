//! Where batches come from. A kind of source is a file here: its configuration, and what it speaks on a connection.

pub mod forward;
pub mod http;
pub mod kafka;
pub mod lines;
mod requests;
pub mod vector;

use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::config::values::{Secret, Size, Span};
use crate::config::{self, Say};
use crate::net::listen::Stop;
use crate::net::place::{Peer, Place};
use crate::net::{Stream, tls};
use crate::pipeline::{Pipeline, Undelivered, Way};

/// What is spoken on a connection.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Serves a connection until its end.
    ///
    /// # Errors
    /// If it ended early.
    async fn serve(&self, connection: Connection) -> Result<(), Ended>;

    /// What has to be done beside its connections, as long as somebody listens at this place. Mostly nothing.
    async fn beside(&self, _place: Option<Place>) {}
}

/// A source that goes and gets its records, instead of being connected to.
#[async_trait]
pub trait Fetch: Debug + Send + Sync {
    /// Fetches until it is told to stop, and then ends what is on its way. Returns whether all was well.
    async fn run(&self, pipeline: Arc<Pipeline>, stop: Stop) -> bool;
}

/// How records come.
#[derive(Debug)]
pub enum Kind {
    /// Senders connect.
    Listens(Arc<dyn Source>),
    /// They are fetched.
    Fetches(Arc<dyn Fetch>),
}

/// A connection of a source.
pub struct Connection {
    /// What comes, and what goes back.
    pub stream: Stream,
    /// Where batches go.
    pub way: Way,
    /// Nothing new is to be taken once this is cancelled.
    pub soon: CancellationToken,
    /// What it may cost.
    pub limits: Limits,
    /// Who is at the other end.
    pub peer: Peer,
}

/// What a connection may cost, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest message, body or line, and the largest when it is unpacked.
    pub largest: Size,
    /// Connections at once; more wait to be accepted.
    #[schemars(range(min = 1))]
    pub connections: usize,
    /// A connection on which nothing comes for so long is closed; over HTTP/1.1 after `patience`, if that is less.
    pub idle: Span,
    /// A message that began, headers and handshakes must be there after so long, and answers must be taken.
    pub patience: Span,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            largest: Size(16 << 20),
            connections: 1000,
            idle: Span(Duration::from_secs(300)),
            patience: Span(Duration::from_secs(60)),
        }
    }
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// It failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The handshake of TLS failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    /// What came is not what the source speaks, or it is damaged.
    #[error("{0}")]
    Broken(String),
    /// What came is larger than [`Limits::largest`].
    #[error("{0} is larger than {1} bytes: send less at once, or raise `limits.largest`")]
    TooLarge(&'static str, usize),
    /// The sender has not proved who it is.
    #[error("{0}")]
    Denied(String),
    /// It took longer than [`Limits::patience`].
    #[error("{0} did not come within {1:?}")]
    Late(&'static str, Duration),
    /// A batch was not delivered. The sender has no acknowledgement, and will send it again.
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
}

impl Ended {
    /// The kind of reason, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Ended::Io(_) => "io",
            Ended::Tls(_) => "tls",
            Ended::Broken(_) => "broken",
            Ended::TooLarge(..) => "too_large",
            Ended::Denied(_) => "denied",
            Ended::Late(..) => "late",
            Ended::Undelivered(_) => "undelivered",
        }
    }
}

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schemars(rename = "Source")]
pub enum Config {
    /// Senders that speak the Forward protocol: Fluent Bit, Fluentd, many loggers.
    Forward(forward::Config),
    /// Senders that POST NDJSON or JSON arrays.
    Http(http::Config),
    /// Senders that speak Vector's protocol: its `vector` sink.
    Vector(vector::Config),
    /// Lines over TCP. Nothing is acknowledged: what is on its way when either side ends may be lost.
    Tcp(lines::Tcp),
    /// Lines over a Unix socket. Nothing is acknowledged.
    Unix(lines::Unix),
    /// Topics of Kafka, as a member of a consumer group.
    Kafka(kafka::Config),
    /// Lines from standard input. When it ends, and all is delivered, the process ends.
    Stdin(lines::Stdin),
}

/// What every kind has, however it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrance {
    /// Where connections come from.
    pub place: Place,
    /// They must speak TLS.
    pub tls: Option<tls::Server>,
    /// Application protocols that TLS may agree on.
    pub protocols: &'static [&'static [u8]],
    /// What they may cost.
    pub limits: Limits,
    /// Other machines may come without TLS.
    pub insecure: bool,
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Config::Forward(_) => "forward",
            Config::Http(_) => "http",
            Config::Vector(_) => "vector",
            Config::Tcp(_) => "tcp",
            Config::Unix(_) => "unix",
            Config::Stdin(_) => return f.write_str("stdin"),
            Config::Kafka(config) => return write!(f, "{config}"),
        };
        write!(f, "{kind} {}", self.entrance().place)
    }
}

impl Config {
    /// How its connections come in.
    pub fn entrance(&self) -> Entrance {
        match self {
            Config::Forward(config) => config.entrance(),
            Config::Http(config) => config.entrance(),
            Config::Vector(config) => config.entrance(),
            Config::Tcp(config) => config.entrance(),
            Config::Unix(config) => config.entrance(),
            Config::Stdin(config) => config.entrance(),
            Config::Kafka(config) => config.entrance(),
        }
    }

    /// What no type can say.
    pub(crate) fn check(&self, say: &mut Say<'_>) {
        let Entrance {
            place,
            tls,
            limits,
            insecure,
            ..
        } = self.entrance();
        let is_open = matches!(&place, Place::Tcp(address) if !address.ip().is_loopback());
        if is_open && tls.is_none() && !insecure {
            say(
                "source.listen",
                "other machines could send here without TLS: listen on 127.0.0.1, give `tls` a certificate, or \
                 say `insecure: true`",
            );
        }
        if limits.connections == 0 {
            say("source.limits.connections", "at least one is needed");
        }
        match self {
            Config::Forward(config) => config.check(say),
            Config::Kafka(config) => config.check(say),
            _ => {}
        }
    }

    /// The secrets that it refers to.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        match self {
            Config::Forward(config) => config.secrets(),
            Config::Kafka(config) => config.settings.secrets().collect(),
            _ => Vec::new(),
        }
    }

    /// What is spoken on its connections, or what fetches its records for this pipeline.
    ///
    /// # Errors
    /// If a secret cannot be read, or a client cannot be made as it says.
    pub fn source(&self, name: &str, pipeline: &config::Pipeline) -> Result<Kind, String> {
        let source: Arc<dyn Source> = match self {
            Config::Forward(config) => Arc::new(config.source()?),
            Config::Http(_) => Arc::new(http::Http),
            Config::Vector(_) => Arc::new(vector::Vector),
            Config::Tcp(_) | Config::Unix(_) | Config::Stdin(_) => Arc::new(lines::Lines),
            Config::Kafka(config) => {
                return crate::kafka::fetcher(config, name, pipeline).map(Kind::Fetches);
            }
        };
        Ok(Kind::Listens(source))
    }
}
