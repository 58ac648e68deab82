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
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::Decoder;

use super::{Failure, Lane, Sink};
use crate::batch::{Batch, Body};
use crate::convert::lines_to_events;
use crate::forward::chunk::{read_ack, write_head};
use crate::forward::codec::Messages;
use crate::forward::handshake::{Helo, Ping, Pong, Secrets};
use crate::forward::options::Options;

/// An answer of a receiver is small.
const LARGEST_ANSWER: usize = 64 << 10;

/// How to reach the downstream.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port` of each receiver. The first that can be reached is used; the next one if it fails.
    pub connect: Vec<String>,
    /// For the handshake; without it none is expected.
    pub secrets: Option<Secrets>,
    /// Our name in the handshake.
    pub hostname: String,
    /// How long a connection and a handshake may take.
    pub connect_timeout: Duration,
    /// How long an acknowledgement may take.
    pub ack_timeout: Duration,
}

/// The downstream.
#[derive(Debug)]
pub struct Forward {
    settings: Arc<Settings>,
}

impl Forward {
    /// By its settings. Nothing is connected yet.
    pub fn new(settings: Settings) -> Forward {
        Forward {
            settings: Arc::new(settings),
        }
    }
}

impl Sink for Forward {
    fn lane(&self) -> Box<dyn Lane> {
        Box::new(ForwardLane {
            settings: self.settings.clone(),
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
    stream: TcpStream,
    buffer: BytesMut,
    messages: Messages,
}

#[async_trait]
impl Lane for ForwardLane {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let outcome = self.attempt(batch).await;
        if outcome.is_err() {
            // What comes on this connection later cannot be told from what is to come.
            self.connection = None;
            self.receiver += 1;
        }
        outcome.map_err(|error| {
            Failure::Unavailable(format!(
                "{}: {error}",
                self.settings.receiver(self.receiver.wrapping_sub(1))
            ))
        })
    }
}

impl Settings {
    fn receiver(&self, number: usize) -> &str {
        &self.connect[number % self.connect.len()]
    }
}

impl ForwardLane {
    async fn attempt(&mut self, batch: &Batch) -> io::Result<()> {
        let settings = self.settings.clone();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let address = settings.receiver(self.receiver);
                let connect = Connection::new(address, &settings);
                let connected = within(settings.connect_timeout, "connecting", connect).await?;
                none.insert(connected)
            }
        };
        let send = connection.send(batch);
        within(settings.ack_timeout, "the acknowledgement", send).await
    }
}

/// An error instead of an endless wait.
async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{what} took longer than {limit:?}"),
        )),
    }
}

impl Connection {
    async fn new(address: &str, settings: &Settings) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
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
    async fn send(&mut self, batch: &Batch) -> io::Result<()> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        let id = STANDARD.encode(id);
        let events = match &batch.body {
            Body::Events(events) | Body::Signal(_, events) => events.clone(),
            Body::Lines(lines) => lines_to_events(lines, Timestamp::now()),
            Body::Push(_) => return Err(io::Error::other("Vector's events are not converted yet")),
        };
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        write_head(&batch.tag, events.len(), &mut head);
        let signal = match batch.body {
            Body::Events(_) | Body::Lines(_) | Body::Push(_) => 0,
            Body::Signal(signal, _) => signal,
        };
        let options = Options {
            chunk: Some(id.as_bytes()),
            signal,
            ..Options::default()
        };
        options.write(&mut tail);
        let mut message = bytes::Buf::chain(
            bytes::Buf::chain(Bytes::from(head), events),
            Bytes::from(tail),
        );
        self.stream.write_all_buf(&mut message).await?;
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
