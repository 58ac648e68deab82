//! Both ends of a stage, as tests play them. A protocol is a file here.

pub mod forward;
pub mod http;
pub mod vector;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::downstream::Manner;
use crate::ledger::Ledger;
use crate::records::Batch;

/// What is spoken on a side of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Forward,
    Http,
    Vector,
}

/// Puts a message where it outlives the downstream that took it.
pub type Keep = Arc<dyn Fn(&[u8]) + Send + Sync>;

impl Protocol {
    /// As configurations call it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Forward => "forward",
            Protocol::Http => "http",
            Protocol::Vector => "vector",
        }
    }

    /// A stage's source, in YAML.
    pub fn source(self, more: &str) -> String {
        let kind = self.name();
        format!("{{ type: {kind}, listen: '127.0.0.1:0'{more} }}")
    }

    /// A stage's sink, in YAML, and how long it waits for an answer.
    pub fn sink(self, to: SocketAddr, patience: &str) -> String {
        match self {
            Protocol::Forward => {
                format!("{{ type: forward, connect: ['{to}'], ack_timeout: {patience} }}")
            }
            Protocol::Http => {
                format!("{{ type: http, url: 'http://{to}/logs', timeout: {patience} }}")
            }
            Protocol::Vector => {
                format!("{{ type: vector, connect: ['{to}'], timeout: {patience} }}")
            }
        }
    }

    /// Connects as a sender.
    pub async fn connect(self, to: SocketAddr) -> io::Result<Sender> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(match self {
            Protocol::Forward => Sender::Forward(forward::Sender::new(stream)),
            Protocol::Http => Sender::Http(http::Sender::new(stream)),
            Protocol::Vector => Sender::Vector(vector::Sender::new(stream).await?),
        })
    }

    /// Batches that a sender may have under way at once, if what follows a refused one is to be refused, too.
    pub fn window(self, sender: usize) -> usize {
        match self {
            Protocol::Forward => 1 + sender % 3,
            Protocol::Http | Protocol::Vector => 1,
        }
    }

    /// Serves a connection as a downstream, to its end.
    pub async fn serve(self, stream: TcpStream, keep: Keep, manner: Manner) -> io::Result<()> {
        match self {
            Protocol::Forward => forward::serve(stream, keep, manner).await,
            Protocol::Http => http::serve(stream, keep, manner).await,
            Protocol::Vector => vector::serve(stream, keep, manner).await,
        }
    }

    /// Enters into a ledger what a downstream has kept.
    pub fn read(self, ledger: &Ledger, message: &[u8]) {
        match self {
            Protocol::Forward => ledger.message(message),
            Protocol::Http => ledger.lines(message),
            Protocol::Vector => ledger.push(message),
        }
    }
}

/// A sender's connection.
pub enum Sender {
    Forward(forward::Sender),
    Http(http::Sender),
    Vector(vector::Sender),
}

impl Sender {
    /// Sends a batch, packed with gzip or as it is.
    pub async fn send(&mut self, batch: Batch, gzip: bool) -> io::Result<()> {
        match self {
            Sender::Forward(sender) => sender.send(batch, gzip).await,
            Sender::Http(sender) => sender.send(batch, gzip).await,
            Sender::Vector(sender) => sender.send(batch, gzip).await,
        }
    }

    /// Waits for the answer to the oldest batch that has none; an error if it is not that the batch was accepted.
    pub async fn accepted(&mut self) -> io::Result<()> {
        match self {
            Sender::Forward(sender) => sender.accepted().await,
            Sender::Http(sender) => sender.accepted().await,
            Sender::Vector(sender) => sender.accepted().await,
        }
    }
}

/// Packs a body.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::fast();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    io::Write::write_all(&mut encoder, body).unwrap();
    encoder.finish().unwrap()
}
