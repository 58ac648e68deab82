//! Records that are POSTed: NDJSON, a JSON array, or one object. Vector's and Fluent Bit's `http` outputs speak this, and
//! curl.
//!
//! A request is answered with 200 when its records are delivered, and not before. A bad line costs nobody but itself:
//! it is passed on as it is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::batch::{Batch, Body};
use crate::convert::in_lines;
use crate::forward::compression::{Compression, UnpackError};
use crate::pipeline::{Pipeline, Undelivered, Way};
use crate::source::listen::{Stop, accept};

/// What is taken from senders.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of the largest body, and of the largest when it is unpacked.
    pub largest: usize,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// A connection on which nothing comes for so long is closed.
    pub idle: Duration,
    /// The headers, and then the body, must be there after so long.
    pub patience: Duration,
}

/// Serves connections until it is told to stop.
pub async fn serve(listener: TcpListener, settings: Settings, pipeline: Arc<Pipeline>, stop: Stop) {
    let settings = Arc::new(settings);
    let soon = stop.soon.clone();
    accept(listener, settings.connections, stop, |stream, _| {
        let (settings, way, soon) = (settings.clone(), pipeline.way(), soon.clone());
        async move {
            let _ = stream.set_nodelay(true);
            serve_one(stream, settings, way, soon).await;
        }
    })
    .await;
}

async fn serve_one(
    stream: TcpStream,
    settings: Arc<Settings>,
    way: Way,
    soon: tokio_util::sync::CancellationToken,
) {
    // Requests of a connection are delivered in order; HTTP/2 may have several at once.
    let way = Arc::new(Mutex::new(way));
    let service = service_fn(|request| {
        let (settings, way) = (settings.clone(), way.clone());
        async move { Ok::<_, Infallible>(answer(request, &settings, &way).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.patience.min(settings.idle));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.idle);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = soon.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // A sender that breaks off is its own affair.
            let _ = connection.await;
        }
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

impl Refusal {
    fn response(self) -> Response<Full<Bytes>> {
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
        let mut response = Response::new(Full::from(text + "\n"));
        *response.status_mut() = status;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(RETRY_AFTER, soon);
        }
        response
    }
}

async fn answer(
    request: Request<Incoming>,
    settings: &Settings,
    way: &Mutex<Way>,
) -> Response<Full<Bytes>> {
    match take(request, settings, way).await {
        Ok(()) => Response::new(Full::default()),
        Err(refusal) => refusal.response(),
    }
}

async fn take(
    request: Request<Incoming>,
    settings: &Settings,
    way: &Mutex<Way>,
) -> Result<(), Refusal> {
    if request.uri().path() != "/" {
        return Err(Refusal::NotFound);
    }
    if request.method() != Method::POST {
        return Err(Refusal::NotPost);
    }
    let compression = encoding(&request)?;
    let mut way = way.lock().await;
    // A body that does not say how large it is counts as the largest.
    let announced = hyper::body::Body::size_hint(request.body()).exact();
    let announced = announced.and_then(|size| usize::try_from(size).ok());
    let largest = settings.largest;
    if announced.is_some_and(|size| size > largest) {
        return Err(Refusal::TooLarge(largest));
    }
    let room = match compression {
        Compression::None => announced.unwrap_or(largest),
        _ => largest,
    };
    let _taken = way.pipeline().room.take(room).await;
    let body = Limited::new(request.into_body(), largest).collect();
    let body = timeout(settings.patience, body).await;
    let body = body.map_err(|_| Refusal::Late(settings.patience))?;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => Refusal::TooLarge(largest),
        false => Refusal::Broken(format!("the body broke off: {error}")),
    })?;
    let body = unpack(body.to_bytes(), compression, largest)?;
    let lines = match in_lines(&body) {
        std::borrow::Cow::Borrowed(_) => body,
        std::borrow::Cow::Owned(line) => Bytes::from(line),
    };
    if lines.is_empty() {
        return Ok(());
    }
    let batch = Batch {
        tag: Bytes::new(),
        body: Body::Lines(lines),
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

fn unpack(body: Bytes, compression: Compression, largest: usize) -> Result<Bytes, Refusal> {
    if compression == Compression::None {
        return Ok(body);
    }
    let mut unpacked = Vec::new();
    match compression.unpack(&body, largest, &mut unpacked) {
        Ok(()) => Ok(Bytes::from(unpacked)),
        Err(UnpackError::TooLarge(limit)) => Err(Refusal::TooLarge(limit)),
        Err(error) => Err(Refusal::Broken(error.to_string())),
    }
}
