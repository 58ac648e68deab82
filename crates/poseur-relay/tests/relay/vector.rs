//! Vector's protocol in and out: what passes, what each side is told, and how much may wait.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::callers::{Caller, Downstream, PUSH, framed, packed};
use crate::peers::{MATCHING, OTHER, Peer, Stage, closed};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use poseur_relay::grpc::{Code, Status};
use poseur_tagger::TagOptions;
use poseur_tests::protobuf::{
    Event, EventWrapper, Named, events_of, nothing_but_tags, packed as fields, records, request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// Longer than anything takes here; shorter than what is not meant to happen takes.
const LONG: Duration = Duration::from_secs(30);

/// A stage that takes this and sends that; where it listens.
async fn start(source: &str, sink: &str) -> (Stage, SocketAddr) {
    start_with(source, sink, "64MiB").await
}

async fn start_with(source: &str, sink: &str, room: &str) -> (Stage, SocketAddr) {
    let source = format!("{{ listen: 127.0.0.1:0, type: {source} }}");
    let room = format!("    room: {room}\n");
    let stage = Stage::start(&source, &format!("{{ {sink} }}"), &room).await;
    let address = stage.address();
    (stage, address)
}

async fn relay(to: &Downstream) -> (Stage, SocketAddr) {
    let sink = format!("type: vector, connect: ['{}']", to.address);
    start("vector, limits: { largest: 1MiB }", &sink).await
}

/// Bytes that no packing makes much smaller.
fn noise(size: usize, mut seed: u64) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

#[tokio::test]
async fn requests_pass_as_they_are_however_they_are_packed() {
    for (compress, kept) in [("none", "identity"), ("gzip", "gzip"), ("zstd", "zstd")] {
        let to = Downstream::start().await;
        let sink = format!(
            "type: vector, connect: ['{}'], compress: {compress}",
            to.address
        );
        let (stage, address) = start("vector", &sink).await;
        let mut sender = Caller::connect(address).await;
        for encoding in ["identity", "gzip", "zstd"] {
            // What comes packed with gzip need not be packed again.
            let expected = if encoding == "gzip" { "gzip" } else { kept };
            // Far from protobuf, and far smaller when it is packed than it is meant to be.
            for message in [noise(10, 1), noise(300_000, 2), vec![0xFF; 3_000_000]] {
                assert_eq!(sender.push(encoding, &message).await.code, Code::Ok);
                assert_eq!(to.take(), [(expected.to_owned(), message)]);
            }
        }
        // Nothing is nothing to deliver.
        assert_eq!(sender.push("identity", b"").await.code, Code::Ok);
        assert_eq!(to.take(), []);
        assert!(stage.relay.stop(LONG).await);
    }
}

#[tokio::test]
async fn logs_are_tagged_and_nothing_else_changes() {
    let log = |json: &str| {
        let [event, _] = events_of(&fields(json.as_bytes()).unwrap());
        event
    };
    let metric = Event::Metric(Named { name: "m".into() });
    let trace = Event::Trace(Default::default());
    let [metric, trace] = [metric, trace].map(|event| EventWrapper { event: Some(event) });
    let events = vec![log(OTHER), metric, trace, log(OTHER)];
    let plain = request(&events);
    let mixed = request(&[events.clone(), vec![log(MATCHING)], events].concat());
    let to = Downstream::start().await;
    let (stage, address) = relay(&to).await;
    let mut sender = Caller::connect(address).await;
    for encoding in ["identity", "gzip", "zstd"] {
        assert_eq!(sender.push(encoding, &plain).await.code, Code::Ok);
        assert!(to.take()[0].1 == plain);
        assert_eq!(sender.push(encoding, &mixed).await.code, Code::Ok);
        let (encoding, tagged) = to.take().remove(0);
        // It is no longer what came with gzip.
        assert_eq!(encoding, "identity");
        nothing_but_tags(&mixed, &tagged, &TagOptions::default());
        let tags: Vec<bool> = records(&tagged)
            .iter()
            .map(|log| log.contains_key("poseur"))
            .collect();
        assert_eq!(tags, [false, false, true, false, false]);
    }
    let counts = stage.pipeline.stage.counts();
    assert_eq!(counts.0.matched, 3);
}

#[tokio::test]
async fn health_is_told() {
    let to = Downstream::start().await;
    let (_stage, address) = relay(&to).await;
    let mut caller = Caller::connect(address).await;
    let standard = "/grpc.health.v1.Health/Check";
    let vector = "/vector.Vector/HealthCheck";
    for (path, question, expected) in [
        (vector, b"".as_slice(), Ok(b"".as_slice())),
        (standard, b"", Ok(b"\x08\x01")),
        (standard, b"\x0A\x0Dvector.Vector", Ok(b"\x08\x01")),
        (standard, b"\x0A\x05other", Err(Code::NotFound)),
        (standard, &[0; 10_000], Err(Code::OutOfRange)),
        (
            "/grpc.health.v1.Health/Watch",
            b"",
            Err(Code::Unimplemented),
        ),
        ("/vector.Vector/Push", b"", Err(Code::Unimplemented)),
    ] {
        for encoding in ["identity", "gzip"] {
            let flag = u8::from(encoding != "identity");
            let body = framed(flag, &packed(encoding, question));
            let (status, body) = caller.call(path, encoding, body).await.await;
            match expected {
                Ok(answer) => assert_eq!((status.code, body), (Code::Ok, framed(0, answer))),
                Err(code) => assert_eq!((status.code, body), (code, Bytes::new())),
            }
        }
    }
    // Health is told while the downstream keeps everybody waiting.
    to.answer.send_replace(None);
    let body = framed(0, b"events");
    let waiting = caller.call(PUSH, "identity", body).await;
    let mut health = caller.clone();
    let asked = health.call(vector, "identity", framed(0, b"")).await;
    assert_eq!(timeout(LONG, asked).await.unwrap().0.code, Code::Ok);
    to.answer.send_replace(Some("0"));
    assert_eq!(timeout(LONG, waiting).await.unwrap().0.code, Code::Ok);
}

#[tokio::test]
async fn what_the_downstream_says_decides() {
    let to = Downstream::start().await;
    let (_stage, address) = relay(&to).await;
    let mut sender = Caller::connect(address).await;
    // After these Vector does not send again.
    let last = ["3", "5", "6", "7", "11", "12", "15", "16"];
    for status in [
        "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        "17", "none",
    ] {
        to.answer.send_replace(Some(status));
        let told = sender.push("identity", b"events").await;
        let attempts = to.take().len();
        match last.contains(&status) {
            true => assert_eq!(
                (told.code, attempts),
                (Code::InvalidArgument, 1),
                "{status}"
            ),
            false => assert!(
                told.code == Code::Unavailable && attempts > 1,
                "{status}: {told} after {attempts} attempts"
            ),
        }
        assert!(told.message.contains("as told"), "{told}");
        assert!(told.message.contains(&to.address.to_string()), "{told}");
    }
    to.answer.send_replace(Some("0"));
    assert_eq!(sender.push("identity", b"events").await.code, Code::Ok);
}

#[tokio::test]
async fn another_receiver_takes_over() {
    let to = Downstream::start().await;
    let ill = Downstream::start().await;
    ill.answer.send_replace(Some("14"));
    let sink = format!(
        "type: vector, connect: ['{}', '{}', '{}']",
        closed().await,
        ill.address,
        to.address
    );
    let (_stage, address) = start("vector", &sink).await;
    let mut sender = Caller::connect(address).await;
    for _ in 0..3 {
        assert_eq!(sender.push("gzip", b"events").await.code, Code::Ok);
    }
    assert_eq!((ill.take().len(), to.take().len()), (1, 3));

    let sink = format!("type: vector, connect: ['{}']", closed().await);
    let (_stage, address) = start("vector", &sink).await;
    let told = Caller::connect(address).await.push("zstd", b"events").await;
    assert_eq!(told.code, Code::Unavailable, "{told}");
}

#[tokio::test]
async fn what_cannot_be_accepted_is_refused() {
    let to = Downstream::start().await;
    let (stage, address) = relay(&to).await;
    let largest = 1 << 20;
    let bomb = vec![b' '; 8 << 20];
    let (gzip, zstd) = (packed("gzip", &bomb), packed("zstd", &bomb));
    assert!(gzip.len() < largest && zstd.len() < largest);
    let cut = &packed("gzip", &noise(1000, 3))[..500];
    let mut announced = framed(0, b"little").to_vec();
    announced[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    let two = [framed(0, b"one"), framed(0, b"two")].concat();
    let mut sender = Caller::connect(address).await;
    for (encoding, body, code) in [
        (
            "identity",
            framed(0, &noise(largest + 1, 4)),
            Code::OutOfRange,
        ),
        ("identity", Bytes::from(announced), Code::OutOfRange),
        ("gzip", framed(1, &gzip), Code::OutOfRange),
        ("zstd", framed(1, &zstd), Code::OutOfRange),
        ("gzip", framed(1, cut), Code::InvalidArgument),
        ("gzip", framed(1, b"no gzip"), Code::InvalidArgument),
        ("zstd", framed(1, b"no zstd"), Code::InvalidArgument),
        ("snappy", framed(1, b"events"), Code::Unimplemented),
        ("identity", framed(2, b"events"), Code::InvalidArgument),
        ("identity", Bytes::from(two), Code::InvalidArgument),
        (
            "identity",
            framed(0, b"events").slice(..7),
            Code::Unavailable,
        ),
        ("identity", Bytes::new(), Code::Unavailable),
    ] {
        let called = sender.call(PUSH, encoding, body.clone()).await;
        let (status, _) = timeout(LONG, called).await.unwrap();
        assert_eq!(
            status.code,
            code,
            "{status} for {:?}",
            &body[..body.len().min(20)]
        );
    }
    assert_eq!(to.take(), []);
    let reasons = [("broken", 7), ("encoding", 1), ("too_large", 4)];
    assert_eq!(stage.refusals(), reasons.into());
    // As large as it may be, and not packed though the headers could mean it.
    for (encoding, flag) in [("identity", 0), ("gzip", 0)] {
        let message = noise(largest, 5);
        let called = sender.call(PUSH, encoding, framed(flag, &message)).await;
        assert_eq!(called.await.0.code, Code::Ok);
        assert_eq!(to.take(), [("identity".to_owned(), message)]);
    }
}

#[tokio::test]
async fn what_is_no_grpc_costs_nobody_else_anything() {
    let to = Downstream::start().await;
    let (_stage, address) = relay(&to).await;
    let mut sender = Caller::connect(address).await;
    for bytes in [
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        &noise(1000, 6),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let ended = timeout(LONG, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{bytes:?}");
        assert_eq!(sender.push("identity", b"events").await.code, Code::Ok);
    }
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut requests, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for (method, kind, status) in [
        ("GET", "application/grpc", 415),
        ("POST", "application/json", 415),
        ("POST", "application/grpc+proto", 200),
    ] {
        let request = hyper::Request::builder()
            .method(method)
            .uri(format!("http://relay{PUSH}"))
            .header("content-type", kind)
            .body(Full::new(framed(0, b"")))
            .unwrap();
        let response = requests.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{method} {kind}");
    }
}

/// Larger than the windows of a connection, several at once: those that wait must not keep the first from its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_a_connection_keep_their_order() {
    let to = Downstream::start().await;
    let sink = format!("type: vector, connect: ['{}']", to.address);
    let (_stage, address) = start("vector", &sink).await;
    let mut sender = Caller::connect(address).await;
    // The connection's limits are known from here on.
    assert_eq!(sender.push("identity", b"first").await.code, Code::Ok);
    to.take();
    let messages: Vec<Vec<u8>> = (0..12).map(|number| noise(1_000_000, number)).collect();
    let mut calls = Vec::new();
    for message in &messages {
        let call = sender.call(PUSH, "identity", framed(0, message)).await;
        calls.push(tokio::spawn(call));
    }
    for call in calls {
        let (status, _) = timeout(LONG, call).await.unwrap().unwrap();
        assert_eq!(status.code, Code::Ok);
    }
    let got: Vec<Vec<u8>> = to.take().into_iter().map(|(_, message)| message).collect();
    assert!(got == messages, "in another order, or not all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_share_little_room() {
    let to = Downstream::start().await;
    let sink = format!("type: vector, connect: ['{}']", to.address);
    let source = "vector, limits: { largest: 64KiB }";
    let (stage, address) = start_with(source, &sink, "64KiB").await;
    let senders: Vec<_> = (0..8_u8)
        .map(|number| {
            tokio::spawn(async move {
                let mut sender = Caller::connect(address).await;
                for turn in 0..20_u8 {
                    let encoding = ["identity", "gzip", "zstd"][usize::from(turn) % 3];
                    let mut message = noise(40_000, turn.into());
                    message[..2].copy_from_slice(&[number, turn]);
                    assert_eq!(sender.push(encoding, &message).await.code, Code::Ok);
                }
            })
        })
        .collect();
    for sender in senders {
        timeout(LONG, sender).await.unwrap().unwrap();
    }
    let mut turns: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (_, message) in to.take() {
        turns.entry(message[0]).or_default().push(message[1]);
    }
    let all: Vec<u8> = (0..20).collect();
    assert_eq!(turns.len(), 8);
    assert!(turns.values().all(|turns| *turns == all), "{turns:?}");
    assert!(stage.relay.stop(LONG).await);
}

#[tokio::test]
async fn what_is_on_its_way_is_waited_for() {
    for arrives in [true, false] {
        let to = Downstream::start().await;
        to.answer.send_replace(None);
        let (stage, address) = relay(&to).await;
        let mut sender = Caller::connect(address).await;
        let call = sender.call(PUSH, "identity", framed(0, b"events")).await;
        let call = tokio::spawn(call);
        while to.got.lock().unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        let limit = if arrives {
            LONG
        } else {
            Duration::from_millis(300)
        };
        let stop = tokio::spawn(stage.relay.stop(limit));
        // Nobody new is let in.
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        if arrives {
            assert!(!call.is_finished());
            to.answer.send_replace(Some("0"));
            let (status, _) = timeout(LONG, call).await.unwrap().unwrap();
            assert_eq!(status.code, Code::Ok);
        }
        assert_eq!(timeout(LONG, stop).await.unwrap().unwrap(), arrives);
    }
}

/// What a sender gives up halfway must not harm what comes after it.
#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_trace() {
    let to = Downstream::start().await;
    let (_stage, address) = relay(&to).await;
    let mut sender = Caller::connect(address).await;
    to.answer.send_replace(None);
    let call = sender.call(PUSH, "identity", framed(0, b"given up")).await;
    let call = tokio::spawn(call);
    while to.got.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    to.answer.send_replace(Some("0"));
    assert_eq!(sender.push("identity", b"next").await.code, Code::Ok);
    assert_eq!(to.take().last().unwrap().1, b"next");
}

/// Forward chunks go one after the other on a connection: half of one would make the next unreadable.
#[tokio::test]
async fn half_a_chunk_is_followed_by_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let (_stage, address) = start("http", &format!("type: forward, connect: ['{to}']")).await;
    let mut sender = Caller::connect(address).await;
    let line = |size| Bytes::from(format!("{{\"text\":\"{}\"}}\n", "a".repeat(size)));
    let call = sender.call("/", "identity", line(8 << 20)).await;
    let call = tokio::spawn(call);
    let (mut half, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    half.read_u8().await.unwrap();
    call.abort();
    let next = sender.call("/", "identity", line(10)).await;
    let next = tokio::spawn(next);
    let (whole, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    let message = timeout(LONG, Peer::new(whole).message()).await.unwrap();
    assert!((50..200).contains(&message.unwrap().len()));
    next.abort();
}

#[tokio::test]
async fn the_silent_and_the_slow_are_sent_away() {
    let to = Downstream::start().await;
    let sink = format!("type: vector, connect: ['{}']", to.address);
    let source = "vector, limits: { idle: 300ms, patience: 300ms }";
    let (_stage, address) = start(source, &sink).await;
    let ends = async |caller: &Caller| {
        let closed = async {
            while !caller.is_closed() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, closed).await.expect("it is closed");
    };
    // One that asks is not silent, even while it has to wait.
    let mut sender = Caller::connect(address).await;
    to.answer.send_replace(None);
    let call = sender.call(PUSH, "identity", framed(0, b"events")).await;
    let call = tokio::spawn(call);
    sleep(Duration::from_millis(700)).await;
    to.answer.send_replace(Some("0"));
    let (status, _) = timeout(LONG, call).await.unwrap().unwrap();
    assert_eq!(status.code, Code::Ok);
    ends(&sender).await;
    // Who never says anything.
    let mut stream = TcpStream::connect(address).await.unwrap();
    timeout(LONG, stream.read_to_end(&mut Vec::new()))
        .await
        .expect("it is closed")
        .unwrap();
    // A request that never ends.
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut requests, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::post(format!("http://relay{PUSH}"))
        .header("content-type", "application/grpc")
        .body(Endless(Some(framed(0, &[0; 100]).slice(..20))))
        .unwrap();
    let response = async {
        let response = requests.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap()
    };
    let response = timeout(LONG, response).await.unwrap();
    let status = Status::read(response.trailers().unwrap()).unwrap();
    let told = "the message did not come within 300ms";
    assert_eq!(status, Status::new(Code::Unavailable, told));
    assert_eq!(to.take().len(), 1);
}

/// A body that begins, and has no end.
struct Endless(Option<Bytes>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(beginning) => Poll::Ready(Some(Ok(Frame::data(beginning)))),
            None => Poll::Pending,
        }
    }
}
