//! Vector's gRPC protocol, over a library's HTTP/2; messages and their frames are the tests' own.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2 as client;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::downstream::Manner;
use crate::peers::{Keep, gzip};
use crate::records::Batch;

const CONTENT: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: &str = "grpc-status";

/// A message as it is on a connection.
fn framed(is_packed: bool, message: &[u8]) -> Bytes {
    let size = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[is_packed.into()], &size[..], message].concat().into()
}

type Answer = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// A sender.
pub struct Sender {
    requests: client::SendRequest<Full<Bytes>>,
    waiting: Option<Answer>,
}

impl Sender {
    pub async fn new(stream: TcpStream) -> io::Result<Sender> {
        let handshake = client::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (requests, connection) = handshake.map_err(io::Error::other)?;
        // It ends when there is no sender any more.
        tokio::spawn(connection);
        Ok(Sender {
            requests,
            waiting: None,
        })
    }

    pub async fn send(&mut self, batch: Batch, packed: bool) -> io::Result<()> {
        let mut request = Request::post("http://stage/vector.Vector/PushEvents")
            .header(CONTENT_TYPE, CONTENT)
            .header(TE, "trailers");
        let mut message = batch.request();
        if packed {
            request = request.header("grpc-encoding", "gzip");
            message = gzip(&message);
        }
        let request = request.body(framed(packed, &message).into()).unwrap();
        self.requests.ready().await.map_err(io::Error::other)?;
        self.waiting = Some(Box::pin(self.requests.send_request(request)));
        Ok(())
    }

    pub async fn accepted(&mut self) -> io::Result<()> {
        let answer = self.waiting.take().expect("a request");
        let (head, body) = answer.await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?;
        let status = body
            .trailers()
            .unwrap_or(&head.headers)
            .get(STATUS)
            .cloned();
        match status.as_ref().map(HeaderValue::as_bytes) {
            Some(b"0") if body.to_bytes() == framed(false, b"") => Ok(()),
            // Unavailable.
            Some(b"14") => Err(io::Error::other("to be sent again")),
            _ => Err(io::Error::other(format!("WRONG: {head:?}"))),
        }
    }
}

/// A downstream's side of a connection.
pub async fn serve(stream: TcpStream, keep: Keep, manner: Manner) -> io::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let (keep, manner) = (keep.clone(), manner.clone());
        async move {
            manner.may_read().await;
            let body = request.into_body().collect().await?;
            keep(&body.to_bytes());
            manner.may_answer().await;
            hyper::Result::Ok(accepted())
        }
    });
    let builder = server::Builder::new(TokioExecutor::new());
    let served = builder.serve_connection(TokioIo::new(stream), service);
    served.await.map_err(io::Error::other)
}

fn accepted() -> Response<impl Body<Data = Bytes, Error = Infallible>> {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let body = Full::new(framed(false, b"")).with_trailers(ready(Some(Ok(trailers))));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, CONTENT);
    response
}
