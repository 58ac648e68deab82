//! Senders and a receiver of Vector's gRPC protocol, over hyper.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2 as client;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use memchr::memmem;
use poseur_benches::{Traffic, tagger_with};
use poseur_tagger::TagOptions;
use poseur_tagger::protobuf::push::PushTagger;
use poseur_tests::protobuf::{events_of, packed, request};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::forward::Seen;
use crate::load::Load;

const STATUS: &str = "grpc-status";

/// The pipeline between such a sender and a receiver.
pub fn pipeline(to: SocketAddr) -> String {
    format!(
        "    source: {{ type: vector, listen: 'LISTEN' }}\n    sink: {{ type: vector, connect: ['{to}'] }}\n"
    )
}

/// Records in requests of this size.
pub fn requests(traffic: &Traffic, size: usize) -> Load {
    let (mut all, mut events, mut together) = (Vec::new(), Vec::new(), 0);
    for line in traffic.bytes.split(|byte| *byte == b'\n') {
        let Some(fields) = packed(line) else { continue };
        let [event, _] = events_of(&fields);
        events.push(event);
        together += line.len();
        if together > size {
            all.push(request(&events));
            (events, together) = (Vec::new(), 0);
        }
    }
    all.push(request(&events));
    let matcher = tagger_with(&[]).matcher().clone();
    let mut tagger = PushTagger::new(matcher, TagOptions::default());
    for request in &all {
        let tagged = tagger.tag(request, Timestamp::now());
        assert!(tagged.is_ok(), "whole events");
    }
    let matching = tagger.counts().matched;
    assert_eq!(matching, traffic.matches());
    let framed = all.iter().map(|request| {
        let size = u32::try_from(request.len()).expect("a message's size");
        [&[0], &size.to_be_bytes()[..], request].concat()
    });
    Load {
        messages: framed.collect(),
        bytes: all.iter().map(Vec::len).sum(),
        matching,
        records: traffic.truths.records,
    }
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Sends until a moment. Answers how many requests were answered with OK.
pub fn send(to: SocketAddr, load: &Load, deadline: Instant) -> u64 {
    runtime().block_on(async {
        let stream = TcpStream::connect(to).await.expect("somebody listens");
        stream.set_nodelay(true).expect("no delay");
        let io = TokioIo::new(stream);
        let handshake = client::handshake(TokioExecutor::new(), io).await;
        let (mut requests, connection) = handshake.expect("a handshake");
        tokio::spawn(connection);
        let bodies = load.messages.iter().cloned().map(Bytes::from);
        let bodies: Vec<Bytes> = bodies.collect();
        let mut sent = 0;
        for body in bodies.iter().cycle() {
            if Instant::now() >= deadline {
                break;
            }
            let request = Request::post(format!("http://{to}/vector.Vector/PushEvents"))
                .header(CONTENT_TYPE, "application/grpc")
                .header("te", "trailers")
                .body(Full::new(body.clone()))
                .expect("a request");
            let response = requests.send_request(request).await.expect("an answer");
            let answer = response.into_body().collect().await.expect("all of it");
            let trailers = answer.trailers().expect("its trailers");
            assert_eq!(trailers[STATUS], "0");
            sent += 1;
        }
        sent
    })
}

/// Takes requests, counts tags in them, and accepts them.
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<[AtomicU64; 2]>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        listener.set_nonblocking(true).expect("no blocking");
        let seen: Arc<[AtomicU64; 2]> = Arc::default();
        let all = seen.clone();
        thread::spawn(move || runtime().block_on(accept(listener, all)));
        Receiver { address, seen }
    }

    pub fn seen(&self) -> Seen {
        let [chunks, tags] = [0, 1].map(|at| self.seen[at].load(Relaxed));
        Seen { chunks, tags }
    }
}

async fn accept(listener: std::net::TcpListener, seen: Arc<[AtomicU64; 2]>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let seen = seen.clone();
        let service = service_fn(move |request| {
            let seen = seen.clone();
            async move { Ok::<_, Infallible>(Response::new(receive(request, &seen).await)) }
        });
        let builder = server::Builder::new(TokioExecutor::new());
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
    }
}

async fn receive(
    request: Request<Incoming>,
    seen: &[AtomicU64; 2],
) -> impl hyper::body::Body<Data = Bytes, Error = Infallible> + use<> {
    let mut body = request.into_body();
    let mut message = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.expect("it does not break off");
        message.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
    }
    let size = u32::try_from(message.len() - 5).expect("a message's size");
    assert_eq!(message[1..5], size.to_be_bytes());
    seen[0].fetch_add(1, Relaxed);
    let tags = memmem::find_iter(&message, b"\x0A\x06poseur").count();
    seen[1].fetch_add(tags as u64, Relaxed);
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    Full::new(Bytes::from_static(&[0; 5])).with_trailers(ready(Some(Ok(trailers))))
}
