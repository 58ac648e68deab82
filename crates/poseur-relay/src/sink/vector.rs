//! A downstream that speaks Vector's gRPC protocol: Vector, another stage.
//!
//! What comes in Vector's protocol goes out as it came, in messages of the same events.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::task::AbortOnDropHandle;

use super::{Failure, Lane, Sink};
use crate::batch::{Batch, Form};
use crate::compression::Compression;
use crate::config::Say;
use crate::config::values::Span;
use crate::grpc::{CONTENT, Code, ENCODING, Message, Status, message};
use crate::net::connect::{Connector, is_path, within};
use crate::net::{Stream, tls};
use crate::source::vector::PUSH;

/// An answer is small.
const LARGEST_ANSWER: usize = 64 << 10;

/// Receivers that speak Vector's protocol.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VectorSink")]
pub struct Config {
    /// `host:port` of each receiver, or the path of a Unix socket. The first that can be reached is used; the
    /// next one if it fails.
    #[schemars(length(min = 1))]
    pub connect: Vec<String>,
    /// Speaks TLS.
    pub tls: Option<tls::Client>,
    /// How requests are compressed. What comes with gzip and is not changed goes on as it came.
    #[serde(default)]
    pub compress: Compression,
    /// How long connecting may take, with its handshakes.
    #[serde(default = "super::connect_timeout")]
    pub connect_timeout: Span,
    /// How long an answer may take.
    #[serde(default = "super::answer_timeout")]
    pub timeout: Span,
}

impl Config {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if self.connect.is_empty() {
            say("sink.connect", "at least one `host:port` is needed");
        }
        for receiver in &self.connect {
            if let Err(reason) = uri(receiver, false) {
                say("sink.connect", &format!("`{receiver}`: {reason}"));
            }
        }
    }

    pub(super) fn sink(&self) -> Result<Vector, String> {
        let secure = self.tls.is_some();
        let uris = self.connect.iter().map(|receiver| uri(receiver, secure));
        let tls = self.tls.as_ref();
        let tls = tls.map(|tls| tls::Connector::new(tls, &[b"h2"]));
        Ok(Vector(Arc::new(Settings {
            connector: Connector {
                receivers: self.connect.clone(),
                tls: tls.transpose()?,
                limit: self.connect_timeout.0,
            },
            uris: uris.collect::<Result<_, _>>()?,
            compress: self.compress,
            timeout: self.timeout.0,
        })))
    }
}

/// What is called at a receiver.
fn uri(receiver: &str, secure: bool) -> Result<Uri, String> {
    let host = if is_path(receiver) {
        "localhost"
    } else {
        receiver
    };
    let scheme = if secure { "https" } else { "http" };
    let uri = format!("{scheme}://{host}{PUSH}").parse::<Uri>();
    let uri = uri.map_err(|error| error.to_string())?;
    match is_path(receiver) || uri.port().is_some() {
        true => Ok(uri),
        false => Err("`host:port` is expected".to_owned()),
    }
}

#[derive(Debug)]
struct Settings {
    connector: Connector,
    /// Of each receiver.
    uris: Vec<Uri>,
    compress: Compression,
    timeout: Duration,
}

/// The downstream.
#[derive(Debug)]
pub struct Vector(Arc<Settings>);

impl Sink for Vector {
    fn form(&self) -> Form {
        Form::Push
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(VectorLane {
            settings: self.0.clone(),
            connection: None,
            receiver: 0,
        })
    }
}

struct VectorLane {
    settings: Arc<Settings>,
    connection: Option<Connection>,
    /// Which of them is used, or tried next.
    receiver: usize,
}

struct Connection {
    requests: SendRequest<Message>,
    /// Reads and writes for them.
    _work: AbortOnDropHandle<()>,
}

#[async_trait]
impl Lane for VectorLane {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let settings = self.settings.clone();
        let receiver = settings.connector.receiver(self.receiver);
        let request = settings.request(self.receiver, batch)?;
        let failed = match self.attempt(request).await {
            Ok(status) if status.code == Code::Ok => return Ok(()),
            Ok(status) if is_final(status.code) => {
                return Err(Failure::Refused(format!("{receiver}: {status}")));
            }
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        self.connection = None;
        self.receiver += 1;
        Err(Failure::Unavailable(format!("{receiver}: {failed}")))
    }
}

impl Settings {
    fn request(&self, receiver: usize, batch: &Batch) -> Result<Request<Message>, Failure> {
        // Every version of Vector understands gzip.
        let compression = batch.gzip_or(self.compress);
        let unfit = |reason: &dyn fmt::Display| Failure::Refused(reason.to_string());
        let body = message(
            &batch.packed_as(compression),
            compression != Compression::None,
        );
        let body = body.ok_or_else(|| unfit(&"it is larger than a message can be, 4 GiB"))?;
        let mut request = Request::post(&self.uris[receiver % self.uris.len()])
            .header(CONTENT_TYPE, CONTENT)
            .header(TE, "trailers")
            .header(USER_AGENT, concat!("poseur/", env!("CARGO_PKG_VERSION")));
        if let Some(name) = compression.name() {
            request = request.header(ENCODING, name);
        }
        request.body(body).map_err(|error| unfit(&error))
    }
}

/// Whether it would be the same another time: as Vector's own sink sees it.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
            | Code::DataLoss
    )
}

impl VectorLane {
    async fn attempt(&mut self, request: Request<Message>) -> io::Result<Status> {
        let settings = self.settings.clone();
        let connector = &settings.connector;
        // A receiver may have closed a connection that was silent for long.
        let is_closed = |connection: &mut Connection| connection.requests.is_closed();
        self.connection.take_if(is_closed);
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = connector.connect(self.receiver);
                let connect = async { Connection::new(stream.await?).await };
                none.insert(within(connector.limit, "connecting", connect).await?)
            }
        };
        let send = connection.send(request);
        within(settings.timeout, "the answer", send).await
    }
}

impl Connection {
    async fn new(stream: Stream) -> io::Result<Connection> {
        let io = TokioIo::new(stream);
        let handshake = http2::handshake(TokioExecutor::new(), io).await;
        let (requests, work) = handshake.map_err(|error| failed(&error))?;
        // Its errors are those of the requests.
        let work = tokio::spawn(async move { drop(work.await) });
        Ok(Connection {
            requests,
            _work: AbortOnDropHandle::new(work),
        })
    }

    async fn send(&mut self, request: Request<Message>) -> io::Result<Status> {
        let ready = self.requests.ready().await;
        ready.map_err(|error| failed(&error))?;
        let response = self.requests.send_request(request).await;
        let response = response.map_err(|error| failed(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        let body = body.map_err(io::Error::other)?;
        // An answer without a message may have its status in the headers.
        let status = body.trailers().and_then(Status::read);
        status
            .or_else(|| Status::read(&head.headers))
            .ok_or_else(|| {
                let told = format!("HTTP status {} without a status of gRPC", head.status);
                io::Error::other(told)
            })
    }
}

/// With its reason: by itself it only says what failed.
fn failed(error: &hyper::Error) -> io::Error {
    io::Error::other(match error.source() {
        Some(reason) => format!("{error}: {reason}"),
        None => error.to_string(),
    })
}
