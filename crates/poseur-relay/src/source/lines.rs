//! Lines over TCP, over a Unix socket, or from standard input: NDJSON. Nothing is acknowledged, so this is best effort:
//! what a sender has written, and we have not delivered when either of us ends, is lost.

use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use memchr::memrchr;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::{Connection, Ended, Entrance, Limits, Source};
use crate::batch::{Batch, Body};
use crate::net::place::Place;
use crate::net::tls;

/// So much is read from a sender before room is taken.
const SMALL: usize = 4 << 10;

/// Lines are delivered together up to about so many bytes, and as soon as no more are there.
const TOGETHER: usize = 256 << 10;

/// Lines over TCP.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TcpSource")]
pub struct Tcp {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Speaks TLS.
    pub tls: Option<tls::Server>,
    /// Listens on an address that other machines can reach, without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// What connections may cost.
    #[serde(default)]
    pub limits: Limits,
}

/// Lines over a Unix socket.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UnixSource")]
pub struct Unix {
    /// The socket's path. It is made; who may write to it is the affair of its folder.
    pub listen: PathBuf,
    /// What connections may cost.
    #[serde(default)]
    pub limits: Limits,
}

/// Lines from standard input.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StdinSource")]
pub struct Stdin {
    /// What it may cost. `idle` has no meaning here.
    #[serde(default)]
    pub limits: Limits,
}

impl Tcp {
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            place: Place::Tcp(self.listen),
            tls: self.tls.clone(),
            protocols: &[],
            limits: self.limits,
            insecure: self.insecure,
        }
    }
}

impl Unix {
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            place: Place::Unix(self.listen.clone()),
            tls: None,
            protocols: &[],
            limits: self.limits,
            insecure: false,
        }
    }
}

impl Stdin {
    pub(super) fn entrance(&self) -> Entrance {
        let mut limits = self.limits;
        limits.idle.0 = std::time::Duration::MAX;
        limits.connections = limits.connections.min(1);
        Entrance {
            place: Place::Stdin,
            tls: None,
            protocols: &[],
            limits,
            insecure: false,
        }
    }
}

/// Lines.
#[derive(Debug)]
pub struct Lines;

#[async_trait]
impl Source for Lines {
    async fn serve(&self, connection: Connection) -> Result<(), Ended> {
        let Connection {
            mut stream,
            mut way,
            soon,
            limits,
            ..
        } = connection;
        let largest = limits.largest.0;
        let mut buffer = BytesMut::new();
        loop {
            // Nothing is set aside for a sender that is silent; an empty buffer may hold what it once needed.
            if buffer.is_empty() {
                buffer = BytesMut::new();
            }
            buffer.reserve(SMALL);
            let begun = tokio::select! {
                begun = timeout(limits.idle.0, stream.read_buf(&mut buffer)) => Some(begun),
                () = soon.cancelled() => None,
            };
            let mut last = match begun {
                Some(Ok(read)) => read? == 0,
                // Silent for long, or told to stop: what is there is the last.
                Some(Err(_)) | None => true,
            };
            let taken = way.pipeline().room.take(buffer.len() + TOGETHER).await;
            buffer.reserve(TOGETHER);
            while buffer.len() < buffer.capacity() {
                match stream.read_buf(&mut buffer).now_or_never() {
                    Some(read) if read.is_err() || matches!(read, Ok(0)) => {
                        last = true;
                        break;
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            let complete = match memrchr(b'\n', &buffer) {
                _ if last => buffer.len(),
                Some(end) => end + 1,
                None if buffer.len() > largest => return Err(Ended::TooLarge("a line", largest)),
                None => 0,
            };
            if complete > 0 {
                let lines = buffer.split_to(complete).freeze();
                way.deliver(Batch::new(Bytes::new(), Body::Lines(lines.into())))
                    .await?;
            }
            drop(taken);
            if last {
                return Ok(());
            }
        }
    }
}
