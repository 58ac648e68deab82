//! Senders that speak the Forward protocol: Fluent Bit, Fluentd, the loggers of many languages.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use poseur_tagger::msgpack::chunks::Chunk as Chunks;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::codec::Decoder;
use tracing::warn;

use super::{Connection, Ended, Entrance, Limits, Source};
use crate::batch::{Batch, Body};
use crate::compression::UnpackError;
use crate::config::Say;
use crate::config::values::{Secret, User, hostname, secrets};
use crate::forward::chunk::{Message, write_ack};
use crate::forward::codec::{CutError, Messages};
use crate::forward::handshake::{Denied, Helo, Ping, Pong, Secrets};
use crate::forward::read::Wrong;
use crate::net::place::Place;
use crate::net::{Stream, tls};
use crate::pipeline::{Taken, Way};

/// A message up to this size is read without asking for room.
const SMALL: usize = 16 << 10;

/// After an error of the UDP socket nothing is tried for so long.
const PAUSE: Duration = Duration::from_millis(50);

/// Options behind the events are hardly larger.
const OPTIONS: usize = 256;

/// Senders that speak the Forward protocol.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ForwardSource")]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Speaks TLS.
    pub tls: Option<tls::Server>,
    /// Listens on an address that other machines can reach, without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// The key that senders must know. Without it nobody is asked.
    pub shared_key: Option<Secret>,
    /// Names and passwords; senders must give one of them, beside the key.
    #[serde(default)]
    pub users: Vec<User>,
    /// Our name in the handshake; the machine's, if it is not given.
    pub hostname: Option<String>,
    /// What connections may cost.
    #[serde(default)]
    pub limits: Limits,
}

impl Config {
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            place: Place::Tcp(self.listen),
            tls: self.tls.clone(),
            protocols: &[],
            limits: self.limits,
            insecure: self.insecure,
        }
    }

    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.shared_key.is_none() && !self.users.is_empty() {
            say(
                "source.users",
                "the protocol asks for users only beside a `shared_key`",
            );
        }
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let passwords = self.users.iter().map(|user| &user.password);
        self.shared_key.iter().chain(passwords).collect()
    }

    pub(super) fn source(&self) -> Result<Forward, String> {
        Ok(Forward {
            secrets: secrets(self.shared_key.as_ref(), &self.users)?.map(Arc::new),
            hostname: hostname(self.hostname.as_ref()),
        })
    }
}

impl From<CutError> for Ended {
    fn from(error: CutError) -> Ended {
        Ended::Broken(error.to_string())
    }
}

impl From<Wrong> for Ended {
    fn from(error: Wrong) -> Ended {
        Ended::Broken(format!("a message that is no chunk: {error}"))
    }
}

impl From<UnpackError> for Ended {
    fn from(error: UnpackError) -> Ended {
        Ended::Broken(error.to_string())
    }
}

impl From<Denied> for Ended {
    fn from(error: Denied) -> Ended {
        Ended::Denied(error.to_string())
    }
}

/// The Forward protocol.
#[derive(Debug)]
pub struct Forward {
    /// For the handshake; without it there is none.
    pub secrets: Option<Arc<Secrets>>,
    /// Our name in the handshake.
    pub hostname: String,
}

#[async_trait]
impl Source for Forward {
    async fn serve(&self, connection: Connection) -> Result<(), Ended> {
        let Connection {
            stream,
            way,
            soon,
            limits,
            ..
        } = connection;
        let mut session = Session {
            stream,
            buffer: BytesMut::new(),
            messages: Messages::new(limits.largest.0),
            limits,
            way,
        };
        if let Some(secrets) = &self.secrets {
            session.greet(&self.hostname, secrets).await?;
        }
        loop {
            // Between messages a connection may end; what has begun to come is waited for.
            let begun = tokio::select! {
                begun = timeout(limits.idle.0, session.begin()) => begun,
                () = soon.cancelled() => return Ok(()),
            };
            // Nothing came for long, or nothing will.
            let Ok(begun) = begun else { return Ok(()) };
            if !begun? {
                return Ok(());
            }
            let (message, taken) = session.message("the rest of a message").await?;
            session.handle(message, taken).await?;
        }
    }

    /// Answers heartbeats over UDP, at the same port, as Fluentd sends them with `heartbeat_type udp`.
    async fn beside(&self, place: Option<Place>) {
        if let Some(Place::Tcp(address)) = place {
            match UdpSocket::bind(address).await {
                Ok(socket) => answer_heartbeats(&socket).await,
                Err(error) => warn!("no heartbeats over UDP at {address}: {error}"),
            }
        }
    }
}

async fn answer_heartbeats(socket: &UdpSocket) {
    let mut heartbeat = [0; 64];
    loop {
        match socket.recv_from(&mut heartbeat).await {
            // One byte for one, so that nobody can use us to flood others.
            Ok((1.., sender)) => drop(socket.send_to(b"\0", sender).await),
            Ok(_) => {}
            // Somebody whom we answered has gone.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

struct Session {
    stream: Stream,
    buffer: BytesMut,
    messages: Messages,
    limits: Limits,
    way: Way,
}

impl Session {
    /// Waits until a message begins; `false` if none comes any more.
    async fn begin(&mut self) -> Result<bool, Ended> {
        if !self.buffer.is_empty() {
            return Ok(true);
        }
        // The last message's memory is its own; between messages a connection has next to none.
        self.buffer = BytesMut::with_capacity(SMALL);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Reads a message, and takes room for it once it is not small. It must be there in time, but that we have no
    /// room is not the sender's fault.
    async fn message(&mut self, what: &'static str) -> Result<(Bytes, Option<Taken>), Ended> {
        let patience = self.limits.patience.0;
        let mut until = Instant::now() + patience;
        let mut taken = None;
        loop {
            let message = self.messages.decode(&mut self.buffer)?;
            let size = match (&message, self.messages.coming()) {
                (Some(message), _) => message.len(),
                (None, Some(coming)) => coming.max(self.buffer.len()),
                // A message that does not say how large it is counts as the largest.
                (None, None) if self.buffer.len() > SMALL => self.limits.largest.0,
                (None, None) => 0,
            };
            if taken.is_none() && (message.is_some() || size > SMALL) {
                let asked = Instant::now();
                taken = Some(self.way.pipeline().room.take(size).await);
                until += asked.elapsed();
            }
            if let Some(message) = message {
                return Ok((message, taken));
            }
            self.make_room(size);
            let read = timeout_at(until, self.stream.read_buf(&mut self.buffer)).await;
            if read.map_err(|_| Ended::Late(what, patience))?? == 0 {
                return Err(Ended::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Memory for a message of this size, if it is known, and no more than that: a buffer that grows by itself would
    /// end up twice as large, for each connection.
    fn make_room(&mut self, size: usize) {
        let wanted = size + OPTIONS;
        if self.buffer.capacity() >= wanted {
            return self.buffer.reserve(OPTIONS);
        }
        let mut larger = BytesMut::with_capacity(wanted.max(SMALL));
        larger.extend_from_slice(&self.buffer);
        self.buffer = larger;
    }

    async fn greet(&mut self, hostname: &str, secrets: &Secrets) -> Result<(), Ended> {
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
        let (ping, _) = self.message("the handshake").await?;
        let ping = Ping::read(&ping)?;
        let hostname = hostname.as_bytes();
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
        let events = match &chunk.events {
            Cow::Borrowed(events) => message.slice_ref(events),
            Cow::Owned(events) => Bytes::from(events.clone()),
        };
        let (compression, largest) = (chunk.options.compression, self.limits.largest.0);
        let pipeline = self.way.pipeline();
        let unpacked = pipeline.room.unpack(compression, events, largest).await;
        let (events, packed, unpacked) = unpacked?;
        let body = match chunk.options.signal {
            0 => {
                let records = records(&events, chunk.options.size);
                pipeline.stage.meter().add_records(records);
                Body::Events(events.into())
            }
            signal => Body::Signal(signal, events.into()),
        };
        let batch = Batch {
            packed,
            // A piece of the message would keep all of it.
            ..Batch::new(Bytes::copy_from_slice(chunk.tag), body)
        };
        let ack = chunk.options.chunk.map(|id| {
            let mut ack = Vec::new();
            write_ack(id, &mut ack);
            ack
        });
        // Where records take another form, nobody needs what came.
        drop(message);
        self.way.deliver(batch).await?;
        // Others need not wait for a sender that does not read.
        drop((taken, unpacked));
        if let Some(ack) = ack {
            self.stream.write_all(&ack).await?;
        }
        Ok(())
    }
}

/// How many events there are: as many as the sender says, but no more than there is room for; if it says nothing, they
/// are counted. This is for figures only.
fn records(events: &[u8], stated: Option<u64>) -> u64 {
    // An array of two, a time, a record.
    const SMALLEST: u64 = 3;
    match stated {
        Some(stated) => stated.min(events.len() as u64 / SMALLEST),
        None => poseur_tagger::events::records::<Chunks>(events),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_stated_or_counted() {
        let events = b"\x92\x05\x80".repeat(4);
        assert_eq!(records(&events, Some(2)), 2);
        assert_eq!(records(&events, Some(u64::MAX)), 4);
        assert_eq!(records(&events, None), 4);
        assert_eq!(records(&events[..11], None), 3);
        assert_eq!(records(b"", None), 0);
    }
}
