//! The Forward protocol.

use std::collections::VecDeque;
use std::io;

use bytes::{Bytes, BytesMut};
use poseur_relay::compression::Compression;
use poseur_relay::forward::chunk::{read_ack, write_ack, write_head};
use poseur_relay::forward::codec::Messages;
use poseur_relay::forward::options::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Decoder;

use crate::downstream::Manner;
use crate::peers::{Keep, gzip};
use crate::records::Batch;

/// One side of a connection, message by message.
pub struct Peer {
    pub stream: TcpStream,
    buffer: BytesMut,
    messages: Messages,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Peer {
        Peer {
            stream,
            buffer: BytesMut::new(),
            messages: Messages::new(64 << 20),
        }
    }

    /// The next message; an error at the end of the connection.
    pub async fn message(&mut self) -> io::Result<Bytes> {
        loop {
            let message = self.messages.decode(&mut self.buffer);
            if let Some(message) = message.map_err(io::Error::other)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A chunk with an id.
pub fn chunk(events: &[u8], id: &str, compression: Compression) -> Vec<u8> {
    let mut message = Vec::new();
    write_head(b"o365", events.len(), &mut message);
    message.extend_from_slice(events);
    let options = Options {
        chunk: Some(id.as_bytes()),
        compression,
        ..Options::default()
    };
    options.write(&mut message);
    message
}

/// A sender.
pub struct Sender {
    pub peer: Peer,
    waiting: VecDeque<String>,
}

impl Sender {
    pub fn new(stream: TcpStream) -> Sender {
        Sender {
            peer: Peer::new(stream),
            waiting: VecDeque::new(),
        }
    }

    pub async fn send(&mut self, batch: Batch, packed: bool) -> io::Result<()> {
        let id = format!("{batch:?}");
        let message = match packed {
            true => chunk(&gzip(&batch.events()), &id, Compression::Gzip),
            false => chunk(&batch.events(), &id, Compression::None),
        };
        self.waiting.push_back(id);
        self.peer.stream.write_all(&message).await
    }

    pub async fn accepted(&mut self) -> io::Result<()> {
        let message = self.peer.message().await?;
        let ack = read_ack(&message).map_err(io::Error::other)?;
        let wanted = self.waiting.pop_front();
        match wanted.is_some_and(|wanted| wanted.as_bytes() == ack) {
            true => Ok(()),
            false => Err(io::Error::other(
                "WRONG: an acknowledgement of another chunk",
            )),
        }
    }
}

/// A downstream's side of a connection.
pub async fn serve(stream: TcpStream, keep: Keep, manner: Manner) -> io::Result<()> {
    let mut peer = Peer::new(stream);
    loop {
        manner.may_read().await;
        let message = peer.message().await?;
        keep(&message);
        manner.may_answer().await;
        let mut ack = Vec::new();
        write_ack(id(&message).unwrap_or_default().as_bytes(), &mut ack);
        peer.stream.write_all(&ack).await?;
    }
}

/// The id of a message's chunk.
fn id(mut message: &[u8]) -> Option<String> {
    let message = rmpv::decode::read_value(&mut message).ok()?;
    let options = message.as_array()?.last()?;
    option(options, "chunk")
}

/// One of a message's options, if it is text.
pub fn option(options: &rmpv::Value, name: &str) -> Option<String> {
    let mut pairs = options.as_map()?.iter();
    let (_, value) = pairs.find(|(key, _)| key.as_str() == Some(name))?;
    value.as_str().map(str::to_owned)
}
