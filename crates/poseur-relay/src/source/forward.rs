//! Senders that speak the Forward protocol: Fluent Bit, Fluentd, the loggers of many languages.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::codec::Decoder;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Body};
use crate::forward::chunk::{Chunk, Message, write_ack};
use crate::forward::codec::{CutError, Messages};
use crate::forward::compression::{Compression, UnpackError};
use crate::forward::handshake::{Denied, Helo, Ping, Pong, Secrets};
use crate::forward::read::Wrong;
use crate::pipeline::{Pipeline, Taken, Undelivered, Way};
use crate::source::listen::{Stop, accept};

/// A message up to this size is read without asking for room.
const SMALL: usize = 16 << 10;

/// What is taken from senders.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the handshake; without it there is none.
    pub secrets: Option<Secrets>,
    /// Our name in the handshake.
    pub hostname: String,
    /// Bytes of the largest message, and of the largest chunk when it is unpacked.
    pub largest: usize,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// A connection on which nothing comes for so long is closed.
    pub idle: Duration,
    /// A message, or the handshake, that began must be there after so long.
    pub patience: Duration,
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// It failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no message.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// A message has none of the protocol's forms.
    #[error("a message that is no chunk: {0}")]
    Wrong(#[from] Wrong),
    /// Compressed events cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The handshake failed.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// It took too long.
    #[error("{0} did not come within {1:?}")]
    Late(&'static str, Duration),
    /// The batch could not be delivered. The sender has no acknowledgement, and will send it again.
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
}

/// Serves connections until it is told to stop. `ended` is told why they end early.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    pipeline: Arc<Pipeline>,
    stop: Stop,
    ended: impl Fn(SocketAddr, Ended) + Clone + Send + 'static,
) {
    let settings = Arc::new(settings);
    let soon = stop.soon.clone();
    accept(listener, settings.connections, stop, |stream, peer| {
        let connection = Connection::new(stream, settings.clone(), pipeline.way());
        let (soon, ended) = (soon.clone(), ended.clone());
        async move {
            if let Err(reason) = connection.run(soon).await {
                ended(peer, reason);
            }
        }
    })
    .await;
}

struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
    messages: Messages,
    settings: Arc<Settings>,
    way: Way,
}

impl Connection {
    fn new(stream: TcpStream, settings: Arc<Settings>, way: Way) -> Connection {
        Connection {
            stream,
            buffer: BytesMut::new(),
            messages: Messages::new(settings.largest),
            settings,
            way,
        }
    }

    async fn run(mut self, stop: CancellationToken) -> Result<(), Ended> {
        self.stream.set_nodelay(true)?;
        if let Some(secrets) = self.settings.secrets.clone() {
            let patience = self.settings.patience;
            let greeting = timeout(patience, self.greet(&secrets)).await;
            greeting.map_err(|_| Ended::Late("the handshake", patience))??;
        }
        loop {
            let idle = self.settings.idle;
            // Between messages a connection may end; what has begun to come is waited for.
            let begun = tokio::select! {
                begun = timeout(idle, self.begin()) => begun,
                () = stop.cancelled() => return Ok(()),
            };
            // Nothing came for long, or nothing will.
            let Ok(begun) = begun else { return Ok(()) };
            if !begun? {
                return Ok(());
            }
            let patience = self.settings.patience;
            let message = timeout(patience, self.message()).await;
            let (message, taken) =
                message.map_err(|_| Ended::Late("the rest of a message", patience))??;
            self.handle(message, taken).await?;
        }
    }

    /// Waits until a message begins; `false` if none comes any more.
    async fn begin(&mut self) -> Result<bool, Ended> {
        if !self.buffer.is_empty() {
            return Ok(true);
        }
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Reads a message, and takes room for it once it is not small.
    async fn message(&mut self) -> Result<(Bytes, Option<Taken>), Ended> {
        let mut taken = None;
        loop {
            if let Some(message) = self.messages.decode(&mut self.buffer)? {
                if taken.is_none() {
                    taken = Some(self.way.pipeline().room.take(message.len()).await);
                }
                return Ok((message, taken));
            }
            let coming = self.messages.coming();
            if taken.is_none() && self.buffer.len().max(coming.unwrap_or(0)) > SMALL {
                // A message that does not say how large it is counts as the largest.
                let size = coming.unwrap_or(self.settings.largest);
                taken = Some(self.way.pipeline().room.take(size).await);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Ended::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    async fn greet(&mut self, secrets: &Secrets) -> Result<(), Ended> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (nonce, auth) = random.split_at(16);
        let auth = if secrets.users.is_empty() { &[] } else { auth };
        let helo = Helo {
            nonce,
            auth,
            keepalive: true,
        };
        let mut out = Vec::new();
        helo.write(&mut out);
        self.stream.write_all(&out).await?;
        let (ping, _) = self.message().await?;
        let ping = Ping::read(&ping)?;
        let hostname = self.settings.hostname.as_bytes();
        let verdict = ping.check(&helo, hostname, secrets);
        out.clear();
        Pong::write(verdict, &helo, &ping, hostname, secrets, &mut out);
        self.stream.write_all(&out).await?;
        Ok(verdict?)
    }

    async fn handle(&mut self, message: Bytes, taken: Option<Taken>) -> Result<(), Ended> {
        let chunk = match Message::read(&message)? {
            Message::Heartbeat => return Ok(()),
            Message::Chunk(chunk) => chunk,
        };
        let batch = self.batch(&message, &chunk)?;
        self.way.deliver(batch).await?;
        if let Some(id) = chunk.options.chunk {
            let mut ack = Vec::new();
            write_ack(id, &mut ack);
            self.stream.write_all(&ack).await?;
        }
        drop(taken);
        Ok(())
    }

    fn batch(&self, message: &Bytes, chunk: &Chunk<'_>) -> Result<Batch, Ended> {
        let events = match (&chunk.events, chunk.options.compression) {
            (std::borrow::Cow::Borrowed(events), Compression::None) => message.slice_ref(events),
            (events, compression) => {
                let mut unpacked = Vec::new();
                compression.unpack(events, self.settings.largest, &mut unpacked)?;
                Bytes::from(unpacked)
            }
        };
        Ok(Batch {
            tag: message.slice_ref(chunk.tag),
            body: match chunk.options.signal {
                0 => Body::Events(events),
                signal => Body::Signal(signal, events),
            },
        })
    }
}
