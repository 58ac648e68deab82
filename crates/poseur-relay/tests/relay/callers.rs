//! Clients and servers of gRPC, as tests play them.

use std::convert::Infallible;
use std::future::ready;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use poseur_relay::grpc::{Code, Status};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The method that takes events.
pub const PUSH: &str = "/vector.Vector/PushEvents";

/// A message as it is on a connection.
pub fn framed(flag: u8, message: &[u8]) -> Bytes {
    let size = u32::try_from(message.len()).unwrap().to_be_bytes();
    Bytes::from([&[flag], &size[..], message].concat())
}

/// Packs as a sender would.
pub fn packed(encoding: &str, message: &[u8]) -> Vec<u8> {
    match encoding {
        "identity" => message.to_vec(),
        "gzip" => {
            let fast = flate2::Compression::fast();
            let mut packed = Vec::new();
            let mut encoder = flate2::read::GzEncoder::new(message, fast);
            encoder.read_to_end(&mut packed).unwrap();
            packed
        }
        "zstd" => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            ruzstd::encoding::compress_to_vec(message, level)
        }
        other => panic!("{other}"),
    }
}

fn unpacked(encoding: &str, packed: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(packed).read_to_end(&mut message),
        "zstd" => ruzstd::decoding::StreamingDecoder::new(packed)
            .unwrap()
            .read_to_end(&mut message),
        other => panic!("{other}"),
    }
    .unwrap();
    message
}

/// A client, with one connection.
#[derive(Clone)]
pub struct Caller(SendRequest<Full<Bytes>>);

impl Caller {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Caller {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (requests, connection) = handshake.unwrap();
        tokio::spawn(connection);
        Caller(requests)
    }

    /// Whether the other side has ended the connection.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Calls a method with a body as it is; the status, and the body of the answer. The request is on its way when this
    /// returns.
    pub async fn call(
        &mut self,
        path: &str,
        encoding: &str,
        body: Bytes,
    ) -> impl Future<Output = (Status, Bytes)> + use<> {
        self.0.ready().await.unwrap();
        let request = Request::post(format!("http://relay{path}"))
            .header("content-type", "application/grpc")
            .header("grpc-encoding", encoding)
            .header("te", "trailers");
        let request = request.body(Full::new(body)).unwrap();
        let response = self.0.send_request(request);
        async move {
            let response = response.await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "application/grpc");
            let body = response.into_body().collect().await.unwrap();
            let status = body.trailers().and_then(Status::read);
            (status.expect("a status in the trailers"), body.to_bytes())
        }
    }

    /// Sends events and waits for what became of them.
    pub async fn push(&mut self, encoding: &str, message: &[u8]) -> Status {
        let flag = u8::from(encoding != "identity");
        let body = framed(flag, &packed(encoding, message));
        let (status, body) = self.call(PUSH, encoding, body).await.await;
        let expected: &[u8] = if status.code == Code::Ok {
            &[0; 5]
        } else {
            &[]
        };
        assert_eq!(body, expected);
        status
    }
}

/// What a downstream has got: the encoding of each message, and the message unpacked.
pub type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A downstream that notes everything.
pub struct Downstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it got.
    pub got: Got,
    /// What it answers, as the number of a status; `None`: nothing for now.
    pub answer: watch::Sender<Option<&'static str>>,
}

impl Downstream {
    /// Everything it got since it was asked last.
    pub fn take(&self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    /// Starts one that accepts everything.
    pub async fn start() -> Downstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (got, (answer, answers)) = (Got::default(), watch::channel(Some("0")));
        let all = got.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (got, answers) = (all.clone(), answers.clone());
                let service = service_fn(move |request| {
                    let (got, mut answers) = (got.clone(), answers.clone());
                    async move {
                        note(request, &got).await;
                        let answer = *answers.wait_for(Option::is_some).await.unwrap();
                        Ok::<_, Infallible>(Response::new(answered(answer.unwrap())))
                    }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Downstream {
            address,
            got,
            answer,
        }
    }
}

async fn note(request: Request<hyper::body::Incoming>, got: &Got) {
    assert_eq!(request.uri().path(), PUSH);
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert_eq!(request.headers()["te"], "trailers");
    let encoding = request.headers().get("grpc-encoding");
    let encoding = encoding.map_or("identity", |name| name.to_str().unwrap());
    let encoding = encoding.to_owned();
    let Ok(body) = request.into_body().collect().await else {
        return;
    };
    let body = body.to_bytes();
    let message = match body[0] {
        0 => body[5..].to_vec(),
        _ => unpacked(&encoding, &body[5..]),
    };
    assert_eq!(framed(body[0], &body[5..]), body);
    got.lock().unwrap().push((encoding, message));
}

fn answered(status: &str) -> impl hyper::body::Body<Data = Bytes, Error = Infallible> + use<> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", "as%20told".parse().unwrap());
    Full::new(framed(0, b"")).with_trailers(ready(Some(Ok(trailers))))
}
