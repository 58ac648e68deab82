//! A downstream that speaks the Forward protocol: Fluentd, Fluent Bit, another stage.
//!
//! Every chunk asks for an acknowledgement, and nothing counts as delivered without it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::Decoder;

use super::{Failure, Lane, Sink};
use crate::batch::{Batch, Body, Form};
use crate::compression::Compression;
use crate::config::Say;
use crate::config::values::{Secret, Span, User, hostname, secrets};
use crate::forward::chunk::{read_ack, write_head};
use crate::forward::codec::Messages;
use crate::forward::handshake::{Helo, Ping, Pong, Secrets};
use crate::forward::options::Options;
use crate::net::connect::{Connector, within};
use crate::net::{Stream, tls};

/// An answer of a receiver is small.
const LARGEST_ANSWER: usize = 64 << 10;

/// A receiver that speaks the Forward protocol.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ForwardSink")]
pub struct Config {
    /// `host:port` of each receiver, or the path of a Unix socket. The first that can be reached is used; the
    /// next one if it fails.
    #[schemars(length(min = 1))]
    pub connect: Vec<String>,
    /// Speaks TLS.
    pub tls: Option<tls::Client>,
    /// The key that receivers ask for.
    pub shared_key: Option<Secret>,
    /// The name and password that receivers ask for.
    pub user: Option<User>,
    /// Our name in the handshake; the machine's, if it is not given.
    pub hostname: Option<String>,
    /// The tag of records whose source gives them none.
    #[serde(default = "tag")]
    pub tag: String,
    /// How chunks are compressed. What comes with gzip and is not changed goes on as it came.
    #[serde(default)]
    pub compress: Compression,
    /// How long connecting may take, with its handshakes.
    #[serde(default = "super::connect_timeout")]
    pub connect_timeout: Span,
    /// How long an acknowledgement may take.
    #[serde(default = "super::answer_timeout")]
    pub ack_timeout: Span,
}

fn tag() -> String {
    "poseur".to_owned()
}

impl Config {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.connect.is_empty() {
            say("sink.connect", "at least one `host:port` is needed");
        }
        if self.shared_key.is_none() && self.user.is_some() {
            say(
                "sink.user",
                "the protocol asks for users only beside a `shared_key`",
            );
        }
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let password = self.user.iter().map(|user| &user.password);
        self.shared_key.iter().chain(password).collect()
    }

    pub(super) fn sink(&self) -> Result<Forward, String> {
        let user: Vec<User> = self.user.iter().cloned().collect();
        let tls = self.tls.as_ref();
        let tls = tls.map(|tls| tls::Connector::new(tls, &[])).transpose()?;
        Ok(Forward(Arc::new(Settings {
            connector: Connector {
                receivers: self.connect.clone(),
                tls,
                limit: self.connect_timeout.0,
            },
            secrets: secrets(self.shared_key.as_ref(), &user)?,
            hostname: hostname(self.hostname.as_ref()),
            tag: Bytes::from(self.tag.clone()),
            compress: self.compress,
            ack_timeout: self.ack_timeout.0,
        })))
    }
}

#[derive(Debug)]
struct Settings {
    connector: Connector,
    secrets: Option<Secrets>,
    hostname: String,
    tag: Bytes,
    compress: Compression,
    ack_timeout: Duration,
}

/// The downstream.
#[derive(Debug)]
pub struct Forward(Arc<Settings>);

impl Sink for Forward {
    fn form(&self) -> Form {
        Form::Events
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(ForwardLane {
            settings: self.0.clone(),
            connection: None,
            receiver: 0,
        })
    }
}

struct ForwardLane {
    settings: Arc<Settings>,
    connection: Option<Connection>,
    /// Which of them is used, or tried next.
    receiver: usize,
}

struct Connection {
    stream: Stream,
    buffer: BytesMut,
    messages: Messages,
}

#[async_trait]
impl Lane for ForwardLane {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let Err(error) = self.attempt(batch).await else {
            return Ok(());
        };
        // What comes on it later cannot be told from what is to come.
        self.connection = None;
        let receiver = self.settings.connector.receiver(self.receiver);
        let failed = Failure::Unavailable(format!("{receiver}: {error}"));
        self.receiver += 1;
        Err(failed)
    }
}

impl ForwardLane {
    async fn attempt(&mut self, batch: &Batch) -> io::Result<()> {
        let settings = &self.settings;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let connect = Connection::new(self.receiver, settings);
                none.insert(within(settings.connector.limit, "connecting", connect).await?)
            }
        };
        let send = connection.send(batch, settings);
        within(settings.ack_timeout, "the acknowledgement", send).await
    }
}

impl Connection {
    async fn new(receiver: usize, settings: &Settings) -> io::Result<Connection> {
        let stream = settings.connector.connect(receiver).await?;
        let mut connection = Connection {
            stream,
            buffer: BytesMut::new(),
            messages: Messages::new(LARGEST_ANSWER),
        };
        if let Some(secrets) = &settings.secrets {
            connection.greet(&settings.hostname, secrets).await?;
        }
        Ok(connection)
    }

    async fn greet(&mut self, hostname: &str, secrets: &Secrets) -> io::Result<()> {
        let helo = self.answer().await?;
        let helo = Helo::read(&helo).map_err(io::Error::other)?;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        let mut ping = Vec::new();
        Ping::write(&helo, hostname.as_bytes(), &salt, secrets, &mut ping);
        self.stream.write_all(&ping).await?;
        let pong = self.answer().await?;
        Pong::read(&pong, &helo, hostname.as_bytes(), &salt, secrets).map_err(io::Error::other)?;
        Ok(())
    }

    /// Sends a batch and waits for its acknowledgement.
    async fn send(&mut self, batch: &Batch, settings: &Settings) -> io::Result<()> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        let id = STANDARD.encode(id);
        // Every receiver of the protocol understands gzip.
        let compression = batch.gzip_or(settings.compress);
        let events = batch.packed_as(compression);
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let tag = if batch.tag.is_empty() {
            &settings.tag
        } else {
            &batch.tag
        };
        write_head(tag, events.len(), &mut head);
        let signal = match batch.body {
            Body::Signal(signal, _) => signal,
            _ => 0,
        };
        let options = Options {
            chunk: Some(id.as_bytes()),
            compression,
            signal,
            ..Options::default()
        };
        options.write(&mut tail);
        let mut message = bytes::Buf::chain(
            bytes::Buf::chain(Bytes::from(head), events.reader()),
            Bytes::from(tail),
        );
        self.stream.write_all_buf(&mut message).await?;
        self.stream.flush().await?;
        let answer = self.answer().await?;
        match read_ack(&answer) {
            Ok(ack) if ack == id.as_bytes() => Ok(()),
            Ok(_) => Err(io::Error::other("another chunk was acknowledged")),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    async fn answer(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(answer) = self
                .messages
                .decode(&mut self.buffer)
                .map_err(io::Error::other)?
            {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the connection was closed before an answer",
                ));
            }
        }
    }
}
