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
use hyper::{Method, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::requests::{self, Answer, Refused, Shared, turn};
use super::{Connection, Ended, Entrance, Limits, Source};
use crate::batch::{Batch, Body};
use crate::compression::{Compression, UnpackError};
use crate::config::values::{Size, Span};
use crate::grpc::{self, CONTENT, Code, Reader, Status, answer, compression, no_grpc};
use crate::net::place::Place;
use crate::net::tls;
use crate::pipeline::{Room, Taken, Undelivered, Way};

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

/// Why a call has no good answer.
struct Refusal {
    status: Status,
    /// The kind of reason, in a word, if it is ours.
    kind: Option<&'static str>,
}

impl Refusal {
    fn new(kind: &'static str, code: Code, reason: impl Into<String>) -> Refusal {
        Refusal {
            status: Status::new(code, reason),
            kind: Some(kind),
        }
    }

    fn too_large(largest: usize) -> Refusal {
        let told = format!(
            "the message is larger than {largest} bytes: send less at once, or raise `limits.largest`"
        );
        Refusal::new("too_large", Code::OutOfRange, told)
    }
}

/// What is no message.
impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        let kind = Some("broken");
        Refusal { status, kind }
    }
}

impl From<UnpackError> for Refusal {
    fn from(error: UnpackError) -> Refusal {
        match error {
            UnpackError::TooLarge(largest) => Refusal::too_large(largest),
            UnpackError::Broken(_) => {
                Refusal::new("broken", Code::InvalidArgument, error.to_string())
            }
        }
    }
}

impl From<Undelivered> for Refusal {
    fn from(undelivered: Undelivered) -> Refusal {
        let code = match &undelivered {
            Undelivered::Unavailable(..) => Code::Unavailable,
            Undelivered::Refused(_) => Code::InvalidArgument,
        };
        Refusal {
            status: Status::new(code, undelivered.to_string()),
            kind: None,
        }
    }
}

async fn call(
    request: Request<Incoming>,
    turn: Option<impl Future<Output = OwnedMutexGuard<Way>>>,
    limits: Limits,
) -> Answer<grpc::Answer> {
    let content = request.headers().get(CONTENT_TYPE);
    let is_grpc = content.is_some_and(|kind| kind.as_bytes().starts_with(CONTENT.as_bytes()));
    if request.method() != Method::POST || !is_grpc {
        let refused = Refused {
            kind: "not_found",
            reason: "it is no call of gRPC".to_owned(),
        };
        return Answer {
            response: no_grpc(),
            refused: Some(refused),
        };
    }
    let outcome = match (request.uri().path(), turn) {
        (_, Some(turn)) => push(request, turn, limits).await.map(|()| b"".as_slice()),
        // Serving is its default, and so it needs no byte.
        ("/vector.Vector/HealthCheck", _) => Ok(b"".as_slice()),
        ("/grpc.health.v1.Health/Check", _) => check(request, limits).await,
        (other, _) => {
            let told = format!("there is no method {other}");
            Err(Refusal::new("not_found", Code::Unimplemented, told))
        }
    };
    match outcome {
        Ok(message) => answer(Ok(message)).into(),
        Err(Refusal { status, kind }) => {
            let reason = status.message.clone();
            Answer {
                response: answer(Err(status)),
                refused: kind.map(|kind| Refused { kind, reason }),
            }
        }
    }
}

async fn push(
    request: Request<Incoming>,
    turn: impl Future<Output = OwnedMutexGuard<Way>>,
    limits: Limits,
) -> Result<(), Refusal> {
    let compression = encoding(&request)?;
    let mut way = turn.await;
    let room = &way.pipeline().room;
    let (message, compression, _taken) =
        read(request.into_body(), compression, limits, Some(room)).await?;
    let unpacked = room.unpack(compression, message, limits.largest.0).await;
    let (message, packed, _unpacked) = unpacked?;
    if message.is_empty() {
        return Ok(());
    }
    let batch = Batch {
        packed,
        ..Batch::new(Bytes::new(), Body::Push(message.into()))
    };
    Ok(way.deliver(batch).await?)
}

/// Answers for all of us, and for the service that there is. Who asks needs no room: we are well while all of it is taken.
async fn check(request: Request<Incoming>, mut limits: Limits) -> Result<&'static [u8], Refusal> {
    let compression = encoding(&request)?;
    limits.largest.0 = QUESTION;
    let (message, compression, _) = read(request.into_body(), compression, limits, None).await?;
    let mut question = Vec::new();
    compression.unpack(&message, QUESTION, &mut question)?;
    match &question[..] {
        b"" | b"\x0A\x00" | b"\x0A\x0Dvector.Vector" => Ok(SERVING),
        _ => Err(Refusal::new(
            "not_found",
            Code::NotFound,
            "there is no such service",
        )),
    }
}

fn encoding(request: &Request<Incoming>) -> Result<Compression, Refusal> {
    compression(request.headers()).map_err(|status| Refusal {
        status,
        kind: Some("encoding"),
    })
}

/// Reads the message of a request, and takes room for it before it comes: the message, and how it is packed.
async fn read(
    body: Incoming,
    compression: Compression,
    limits: Limits,
    room: Option<&Room>,
) -> Result<(Bytes, Compression, Option<Taken>), Refusal> {
    let (largest, patience) = (limits.largest.0, limits.patience.0);
    let mut reader = Reader::new(body);
    let head = within(patience, reader.head()).await?;
    if head.size > largest {
        return Err(Refusal::too_large(largest));
    }
    let taken = match room {
        Some(room) => Some(room.take(head.size).await),
        None => None,
    };
    let message = within(patience, reader.message(head)).await?;
    let compression = match head.is_packed {
        true => compression,
        false => Compression::None,
    };
    Ok((message, compression, taken))
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Refusal> {
    let late = |_| {
        let told = format!("the message did not come within {patience:?}");
        Refusal::new("late", Code::Unavailable, told)
    };
    Ok(timeout(patience, work).await.map_err(late)??)
}
