//! Records that are POSTed: NDJSON, a JSON array, or one object. Vector's and Fluent Bit's `http` outputs speak this, and
//! curl.
//!
//! A request is answered with 200 when its records are delivered, and not before. A bad line costs nobody but itself:
//! it is passed on as it is.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::requests::{self, Answer, Refused, Shared, turn};
use super::{Connection, Ended, Entrance, Limits, Source};
use crate::batch::{Batch, Body};
use crate::compression::{Compression, UnpackError};
use crate::convert::in_lines;
use crate::net::place::Place;
use crate::net::tls;
use crate::pipeline::{Undelivered, Way};

/// Senders that POST NDJSON or JSON arrays to `/`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HttpSource")]
pub struct Config {
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

impl Config {
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            place: Place::Tcp(self.listen),
            tls: self.tls.clone(),
            protocols: &[b"h2", b"http/1.1"],
            limits: self.limits,
            insecure: self.insecure,
        }
    }
}

/// HTTP, of either version.
#[derive(Debug)]
pub struct Http;

#[async_trait]
impl Source for Http {
    async fn serve(&self, connection: Connection) -> Result<(), Ended> {
        let limits = connection.limits;
        let builder = requests::builder(&limits);
        // Requests of a connection are delivered in order; HTTP/2 may have several at once.
        let answer = move |request, way: &Shared| answer(request, limits, turn(way));
        requests::serve(builder, connection, answer).await
    }
}

/// What a sender is told if its records were not delivered.
enum Refusal {
    NotFound,
    NotPost,
    Encoding(String),
    TooLarge(usize),
    Late(Duration),
    Broken(String),
    Undelivered(Undelivered),
}

impl From<UnpackError> for Refusal {
    fn from(error: UnpackError) -> Refusal {
        match error {
            UnpackError::TooLarge(limit) => Refusal::TooLarge(limit),
            UnpackError::Broken(_) => Refusal::Broken(error.to_string()),
        }
    }
}

impl Refusal {
    /// The kind of reason, in a word, if it is ours.
    fn kind(&self) -> Option<&'static str> {
        match self {
            Refusal::NotFound | Refusal::NotPost => Some("not_found"),
            Refusal::Encoding(_) => Some("encoding"),
            Refusal::TooLarge(_) => Some("too_large"),
            Refusal::Late(_) => Some("late"),
            Refusal::Broken(_) => Some("broken"),
            Refusal::Undelivered(_) => None,
        }
    }

    /// What the sender is told, and what we note of it.
    fn answer(self) -> Answer<Full<Bytes>> {
        let (status, text) = match &self {
            Refusal::NotFound => (StatusCode::NOT_FOUND, "records are POSTed to /".to_owned()),
            Refusal::NotPost => (
                StatusCode::METHOD_NOT_ALLOWED,
                "records are POSTed".to_owned(),
            ),
            Refusal::Encoding(name) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the encoding `{name}` is not known: send gzip, zstd or none"),
            ),
            Refusal::TooLarge(limit) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body is larger than {limit} bytes: send less at once, or raise the limit"
                ),
            ),
            Refusal::Late(limit) => (
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come within {limit:?}"),
            ),
            Refusal::Broken(reason) => (StatusCode::BAD_REQUEST, reason.clone()),
            Refusal::Undelivered(undelivered @ Undelivered::Unavailable(..)) => {
                (StatusCode::SERVICE_UNAVAILABLE, undelivered.to_string())
            }
            Refusal::Undelivered(undelivered @ Undelivered::Refused(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, undelivered.to_string())
            }
        };
        let refused = self.kind().map(|kind| Refused {
            kind,
            reason: text.clone(),
        });
        let mut response = Response::new(Full::from(text + "\n"));
        *response.status_mut() = status;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(RETRY_AFTER, soon);
        }
        Answer { response, refused }
    }
}

async fn answer(
    request: Request<Incoming>,
    limits: Limits,
    turn: impl Future<Output = OwnedMutexGuard<Way>>,
) -> Answer<Full<Bytes>> {
    match take(request, limits, turn).await {
        Ok(()) => Response::default().into(),
        Err(refusal) => refusal.answer(),
    }
}

async fn take(
    request: Request<Incoming>,
    limits: Limits,
    turn: impl Future<Output = OwnedMutexGuard<Way>>,
) -> Result<(), Refusal> {
    if request.uri().path() != "/" {
        return Err(Refusal::NotFound);
    }
    if request.method() != Method::POST {
        return Err(Refusal::NotPost);
    }
    let compression = encoding(&request)?;
    let mut way = turn.await;
    // A body that does not say how large it is counts as the largest.
    let announced = hyper::body::Body::size_hint(request.body()).exact();
    let announced = announced.and_then(|size| usize::try_from(size).ok());
    let (largest, patience) = (limits.largest.0, limits.patience.0);
    if announced.is_some_and(|size| size > largest) {
        return Err(Refusal::TooLarge(largest));
    }
    let _taken = way.pipeline().room.take(announced.unwrap_or(largest)).await;
    let body = Limited::new(request.into_body(), largest).collect();
    let body = timeout(patience, body).await;
    let body = body.map_err(|_| Refusal::Late(patience))?;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => Refusal::TooLarge(largest),
        false => Refusal::Broken(format!("the body broke off: {error}")),
    })?;
    let received = body.to_bytes();
    let room = &way.pipeline().room;
    let (body, packed, _unpacked) = room.unpack(compression, received, largest).await?;
    let (lines, packed) = match in_lines(&body) {
        Cow::Borrowed(_) => (body, packed),
        Cow::Owned(line) => (Bytes::from(line), None),
    };
    if lines.is_empty() {
        return Ok(());
    }
    let batch = Batch {
        packed,
        ..Batch::new(Bytes::new(), Body::Lines(lines.into()))
    };
    way.deliver(batch).await.map_err(Refusal::Undelivered)
}

fn encoding(request: &Request<Incoming>) -> Result<Compression, Refusal> {
    let Some(name) = request.headers().get(CONTENT_ENCODING) else {
        return Ok(Compression::None);
    };
    match name.as_bytes() {
        b"identity" => Ok(Compression::None),
        b"gzip" => Ok(Compression::Gzip),
        b"zstd" => Ok(Compression::Zstd),
        other => Err(Refusal::Encoding(
            String::from_utf8_lossy(other).into_owned(),
        )),
    }
}
