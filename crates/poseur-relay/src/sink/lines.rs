//! Lines over TCP, to a Unix socket, or to standard output: NDJSON. Nobody acknowledges, so what was written counts as
//! delivered: this is best effort.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;

use super::{Failure, Lane, Sink};
use crate::batch::{Batch, Form};
use crate::config::values::Span;
use crate::net::connect::{Connector, within};
use crate::net::{Stream, tls};
use crate::pieces::Pieces;

/// Lines over TCP.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TcpSink")]
pub struct Tcp {
    /// `host:port` of the receiver.
    pub connect: String,
    /// Speaks TLS.
    pub tls: Option<tls::Client>,
    /// How long connecting may take, and how long the receiver may take nothing.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

/// Lines to a Unix socket.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UnixSink")]
pub struct Unix {
    /// The socket's path.
    pub connect: PathBuf,
    /// How long the receiver may take nothing.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

/// Lines to standard output.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StdoutSink")]
pub struct Stdout {}

fn timeout() -> Span {
    Span(Duration::from_secs(10))
}

impl Tcp {
    pub(super) fn sink(&self) -> Result<ToSocket, String> {
        let tls = self.tls.as_ref();
        let tls = tls.map(|tls| tls::Connector::new(tls, &[])).transpose()?;
        Ok(ToSocket(Connector {
            receivers: vec![self.connect.clone()],
            tls,
            limit: self.timeout.0,
        }))
    }
}

impl Unix {
    pub(super) fn sink(&self) -> ToSocket {
        ToSocket(Connector {
            receivers: vec![self.connect.display().to_string()],
            tls: None,
            limit: self.timeout.0,
        })
    }
}

/// The lines of a batch, and what the last of them lacks.
fn lines(batch: &Batch) -> (&Pieces, &'static [u8]) {
    let lines = batch.body.pieces();
    (
        lines,
        if lines.last() == Some(b'\n') {
            b""
        } else {
            b"\n"
        },
    )
}

/// A socket.
#[derive(Debug)]
pub struct ToSocket(Connector);

impl Sink for ToSocket {
    fn form(&self) -> Form {
        Form::Lines
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(SocketLane {
            connector: self.0.clone(),
            stream: None,
        })
    }
}

struct SocketLane {
    connector: Connector,
    stream: Option<Stream>,
}

impl SocketLane {
    async fn attempt(&mut self, batch: &Batch) -> io::Result<()> {
        let limit = self.connector.limit;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let connect = self.connector.connect(0);
                none.insert(within(limit, "connecting", connect).await?)
            }
        };
        // A receiver has nothing to say. If it has gone, what is written now would be lost without an error.
        if let Some(Ok(0) | Err(_)) = stream.read(&mut [0]).now_or_never() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let (lines, end) = lines(batch);
        let mut left = bytes::Buf::chain(lines.reader(), end);
        while bytes::Buf::has_remaining(&left) {
            within(limit, "writing", stream.write_buf(&mut left)).await?;
        }
        stream.flush().await
    }
}

#[async_trait]
impl Lane for SocketLane {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let outcome = self.attempt(batch).await;
        outcome.map_err(|error| {
            // It may have ended in the middle of a line.
            self.stream = None;
            Failure::Unavailable(format!("{}: {error}", self.connector.receiver(0)))
        })
    }
}

/// Standard output.
#[derive(Debug)]
pub struct ToStdout;

impl Sink for ToStdout {
    fn form(&self) -> Form {
        Form::Lines
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(ToStdout)
    }
}

#[async_trait]
impl Lane for ToStdout {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let (lines, end) = lines(batch);
        let lines = lines.clone();
        // Under one lock, so that batches of several connections do not mix.
        let write = spawn_blocking(move || {
            let mut out = io::stdout().lock();
            lines.iter().try_for_each(|part| out.write_all(part))?;
            out.write_all(end)?;
            out.flush()
        });
        match write.await {
            Ok(Ok(())) => Ok(()),
            // Who has closed it does not open it again.
            Ok(Err(error)) => Err(Failure::Refused(format!("standard output: {error}"))),
            Err(error) => Err(Failure::Unavailable(error.to_string())),
        }
    }
}
