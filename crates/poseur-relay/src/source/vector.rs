//! Vector's `vector` sink, and whatever else speaks its gRPC protocol, version 2.
//!
//! A request is answered with OK when its events are delivered, and not before. Vector sends again after every status but
//! NotFound, InvalidArgument, AlreadyExists, PermissionDenied, OutOfRange, Unimplemented, Unauthenticated and DataLoss, and takes
//! these for a rejection. So:
//!
//! | what happened | status | Vector |
//! |---|---|---|
//! | delivered | OK | |
//! | not delivered, broken off, too late | Unavailable | sends again |
//! | refused by the downstream | InvalidArgument | rejected |
//! | cannot be unpacked, or is more than one message | InvalidArgument | rejected |
//! | larger than the limit, unpacked or not | OutOfRange, as Vector itself answers | rejected |
//! | an unknown method or compression | Unimplemented | rejected |

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::requests::{self, Shared, turn};
use super::{Connection, Ended, Entrance, Limits, Source};
use crate::batch::{Batch, Body, Packed};
use crate::compression::{Compression, UnpackError};
use crate::config::values::{Size, Span};
use crate::grpc::{Answer, CONTENT, Code, Reader, Status, answer, compression, no_grpc};
use crate::net::place::Place;
use crate::net::tls;
use crate::pipeline::{Room, Taken, Undelivered, Way};

/// A packed message is taken to be at most so many times as large when it is unpacked. One that is larger waits for room
/// once more, and for as much as the largest needs.
const USUAL: usize = 16;

/// The method that takes events.
pub const PUSH: &str = "/vector.Vector/PushEvents";

/// The largest question about health.
const QUESTION: usize = 4 << 10;

/// Health, as the standard service tells it: `status: SERVING`.
const SERVING: &[u8] = b"\x08\x01";

/// Senders that speak Vector's protocol.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VectorSource")]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Speaks TLS.
    pub tls: Option<tls::Server>,
    /// Listens on an address that other machines can reach, without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// What connections may cost. Vector sends a thousand events at once, of any size: `largest` is 64MiB if it is not
    /// given.
    #[serde(default = "limits", deserialize_with = "WithDefaults::deserialize")]
    #[schemars(with = "Limits")]
    pub limits: Limits,
}

/// Vector's sink puts up to a thousand events into a request, and has no limit of its own in bytes
/// (`RealtimeEventBasedDefaultBatchSettings`). It drops what is refused for its size, so that must be rare: this is enough for
/// a thousand events of 64 KiB.
fn limits() -> Limits {
    Limits {
        largest: Size(64 << 20),
        ..Limits::default()
    }
}

/// Limits of which those that are not given are ours.
#[derive(Deserialize)]
#[serde(remote = "Limits", deny_unknown_fields, default = "limits")]
struct WithDefaults {
    largest: Size,
    connections: usize,
    idle: Span,
    patience: Span,
}

impl Config {
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            place: Place::Tcp(self.listen),
            tls: self.tls.clone(),
            protocols: &[b"h2"],
            limits: self.limits,
            insecure: self.insecure,
        }
    }
}

/// Vector's protocol.
#[derive(Debug)]
pub struct Vector;

#[async_trait]
impl Source for Vector {
    async fn serve(&self, connection: Connection) -> Result<(), Ended> {
        let limits = connection.limits;
        let builder = requests::builder(&limits).http2_only();
        let answer = move |request: Request<Incoming>, way: &Shared| {
            // Their turns are asked for here, where they are seen in their order.
            let turn = (request.uri().path() == PUSH).then(|| turn(way));
            call(request, turn, limits)
        };
        requests::serve(builder, connection, answer).await
    }
}

async fn call(
    request: Request<Incoming>,
    turn: Option<impl Future<Output = OwnedMutexGuard<Way>>>,
    limits: Limits,
) -> Response<Answer> {
    let content = request.headers().get(CONTENT_TYPE);
    let is_grpc = content.is_some_and(|kind| kind.as_bytes().starts_with(CONTENT.as_bytes()));
    if request.method() != Method::POST || !is_grpc {
        return no_grpc();
    }
    answer(match (request.uri().path(), turn) {
        (_, Some(turn)) => push(request, turn, limits).await,
        // Serving is its default, and so it needs no byte.
        ("/vector.Vector/HealthCheck", _) => Ok(b"".as_slice()),
        ("/grpc.health.v1.Health/Check", _) => check(request, limits).await,
        (other, _) => Err(Status::new(
            Code::Unimplemented,
            format!("there is no method {other}"),
        )),
    })
}

async fn push(
    request: Request<Incoming>,
    turn: impl Future<Output = OwnedMutexGuard<Way>>,
    limits: Limits,
) -> Result<&'static [u8], Status> {
    let compression = compression(request.headers())?;
    let mut way = turn.await;
    let room = &way.pipeline().room;
    let body = request.into_body();
    let (message, packed, _taken) = read(body, compression, limits, Some(room)).await?;
    if message.is_empty() {
        return Ok(b"");
    }
    let batch = Batch {
        packed,
        ..Batch::new(Bytes::new(), Body::Push(message.into()))
    };
    match way.deliver(batch).await {
        Ok(()) => Ok(b""),
        Err(undelivered) => {
            let code = match &undelivered {
                Undelivered::Unavailable(..) => Code::Unavailable,
                Undelivered::Refused(_) => Code::InvalidArgument,
            };
            Err(Status::new(code, undelivered.to_string()))
        }
    }
}

/// Answers for all of us, and for the service that there is.
async fn check(request: Request<Incoming>, mut limits: Limits) -> Result<&'static [u8], Status> {
    let compression = compression(request.headers())?;
    limits.largest.0 = QUESTION;
    let (message, ..) = read(request.into_body(), compression, limits, None).await?;
    match &message[..] {
        b"" | b"\x0A\x00" | b"\x0A\x0Dvector.Vector" => Ok(SERVING),
        _ => Err(Status::new(Code::NotFound, "there is no such service")),
    }
}

/// Reads the message of a request, and takes room for it before it comes: the message, and what it was packed to.
async fn read(
    body: Incoming,
    compression: Compression,
    limits: Limits,
    room: Option<&Room>,
) -> Result<(Bytes, Option<Packed>, Option<Taken>), Status> {
    let (largest, patience) = (limits.largest.0, limits.patience.0);
    let take = async |size| match room {
        Some(room) => Some(room.take(size).await),
        None => None,
    };
    let mut reader = Reader::new(body);
    let head = within(patience, reader.head()).await?;
    if head.size > largest {
        return Err(too_large(largest));
    }
    let compression = match head.is_packed {
        true => compression,
        false => Compression::None,
    };
    let likely = match compression {
        Compression::None => head.size,
        _ => head.size.saturating_mul(USUAL).min(largest),
    };
    let mut taken = take(likely).await;
    let message = within(patience, reader.message(head)).await?;
    if compression == Compression::None {
        return Ok((message, None, taken));
    }
    let mut unpacked = unpack(&message, compression, likely);
    if matches!(unpacked, Err(UnpackError::TooLarge(_))) && likely < largest {
        // Who has room must not wait for more: of two that do, neither would ever get it.
        drop(taken);
        taken = take(largest).await;
        unpacked = unpack(&message, compression, largest);
    }
    match unpacked {
        Ok(unpacked) => {
            let packed = Packed {
                compression,
                bytes: message,
            };
            Ok((unpacked, Some(packed), taken))
        }
        Err(UnpackError::TooLarge(_)) => Err(too_large(largest)),
        Err(broken) => Err(Status::new(Code::InvalidArgument, broken.to_string())),
    }
}

fn unpack(message: &[u8], compression: Compression, limit: usize) -> Result<Bytes, UnpackError> {
    let mut unpacked = Vec::new();
    compression.unpack(message, limit, &mut unpacked)?;
    Ok(Bytes::from(unpacked))
}

fn too_large(largest: usize) -> Status {
    let told = format!(
        "the message is larger than {largest} bytes: send less at once, or raise `limits.largest`"
    );
    Status::new(Code::OutOfRange, told)
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let late = |_| {
        let told = format!("the message did not come within {patience:?}");
        Status::new(Code::Unavailable, told)
    };
    timeout(patience, work).await.map_err(late)?
}
