//! Both ends of a stage, as tests play them. A protocol is a file here.

pub mod forward;
pub mod http;

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
}

impl Protocol {
    /// A stage's source, in YAML.
    pub fn source(self, more: &str) -> String {
        let kind = match self {
            Protocol::Forward => "forward",
            Protocol::Http => "http",
        };
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
        }
    }

    /// Connects as a sender.
    pub async fn connect(self, to: SocketAddr) -> io::Result<Sender> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(match self {
            Protocol::Forward => Sender::Forward(forward::Sender::new(stream)),
            Protocol::Http => Sender::Http(http::Sender::new(stream)),
        })
    }

    /// Batches that a sender may have under way at once, if what follows a refused one is to be refused, too.
    pub fn window(self, sender: usize) -> usize {
        match self {
            Protocol::Forward => 1 + sender % 3,
            Protocol::Http => 1,
        }
    }

    /// Serves a connection as a downstream, to its end.
    pub async fn serve(
        self,
        stream: TcpStream,
        ledger: Arc<Ledger>,
        manner: Manner,
    ) -> io::Result<()> {
        match self {
            Protocol::Forward => forward::serve(stream, &ledger, &manner).await,
            Protocol::Http => http::serve(stream, &ledger, &manner).await,
        }
    }
}

/// A sender's connection.
pub enum Sender {
    Forward(forward::Sender),
    Http(http::Sender),
}

impl Sender {
    /// Sends a batch, packed with gzip or as it is.
    pub async fn send(&mut self, batch: Batch, gzip: bool) -> io::Result<()> {
        match self {
            Sender::Forward(sender) => sender.send(batch, gzip).await,
            Sender::Http(sender) => sender.send(batch, gzip).await,
        }
    }

    /// Waits for the answer to the oldest batch that has none; an error if it is not that the batch was accepted.
    pub async fn accepted(&mut self) -> io::Result<()> {
        match self {
            Sender::Forward(sender) => sender.accepted().await,
            Sender::Http(sender) => sender.accepted().await,
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
