//! The conformance suite through every source and every sink: the same tags, nothing else changed, nothing missing,
//! in order.

use std::path::Path;
use std::time::Duration;

use crate::callers::{Caller, Downstream};
use crate::peers::{Got, Peer, Stage, downstream, id, request};
use jiff::Timestamp;
use poseur_relay::grpc::Code;
use poseur_rule::pack;
use poseur_tests::conformance::{Case, check_together, suite};
use poseur_tests::msgpack::{TIMES, packed, unpacked};
use poseur_tests::protobuf::{self, LogKind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// So many records are sent at once.
const TOGETHER: usize = 200;

const SOURCES: [&str; 5] = ["forward", "vector", "http", "tcp", "unix"];
const SINKS: [&str; 5] = ["forward", "vector", "http", "tcp", "unix"];

#[tokio::test]
async fn the_conformance_suite() {
    let cases = suite(&pack::built_in(), Timestamp::now());
    for source in SOURCES {
        for sink in SINKS {
            let (all, tagged) = through(source, sink, &cases).await;
            println!("{source} → {sink}: {tagged} of {all} records tagged");
        }
    }
}

async fn through(source: &str, sink: &str, cases: &[Case]) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let (sink, mut arrived) = receiver(sink, folder.path()).await;
    let listen = match source {
        "unix" => folder.path().join("in").display().to_string(),
        _ => "127.0.0.1:0".to_owned(),
    };
    let source_config =
        format!("{{ type: {source}, listen: '{listen}', limits: {{ largest: 4MiB }} }}");
    let stage = Stage::start(&source_config, &sink, "").await;
    let sender = send(source, &stage, folder.path(), cases);
    let receive = async {
        let mut answers = Vec::new();
        while answers.len() < cases.len() {
            answers.push(arrived.recv().await.expect("more records"));
        }
        answers
    };
    let limit = Duration::from_secs(120);
    let (_, answers) = timeout(limit, async { tokio::join!(sender, receive) })
        .await
        .unwrap_or_else(|_| panic!("{source} → {sink}: {:?}", stage.pipeline.ends()));
    // Nothing comes twice.
    assert!(stage.relay.stop(limit).await);
    assert!(arrived.try_recv().is_err());
    check_together(cases, &answers)
}

/// Sends all records on one connection.
async fn send(source: &str, stage: &Stage, folder: &Path, cases: &[Case]) {
    let lines = |cases: &[Case]| -> Vec<u8> {
        let lines = cases.iter().flat_map(|case| [&case.record[..], b"\n"]);
        lines.collect::<Vec<_>>().concat()
    };
    match source {
        "forward" => {
            let mut sender = Peer::connect(stage.address()).await;
            for cases in cases.chunks(TOGETHER) {
                let events = cases.iter().flat_map(|case| {
                    let record = packed(&case.record).expect("an object");
                    [TIMES[0].to_vec(), record]
                });
                sender
                    .send(&events.collect::<Vec<_>>().concat(), id("one"))
                    .await;
                assert_eq!(sender.ack().await.unwrap(), b"one");
            }
        }
        "vector" => {
            let mut sender = Caller::connect(stage.address()).await;
            for cases in cases.chunks(TOGETHER) {
                let events = cases.iter().map(|case| {
                    let fields = protobuf::packed(&case.record).expect("an object");
                    let [event, _] = protobuf::events_of(&fields);
                    event
                });
                let request = protobuf::request(&events.collect::<Vec<_>>());
                assert_eq!(sender.push("identity", &request).await.code, Code::Ok);
            }
        }
        "http" => {
            let mut stream = TcpStream::connect(stage.address()).await.unwrap();
            for cases in cases.chunks(TOGETHER) {
                let body = lines(cases);
                let length = body.len();
                let head =
                    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
                stream
                    .write_all(&[head.as_bytes(), &body].concat())
                    .await
                    .unwrap();
                let mut answer = vec![0; 4096];
                let read = stream.read(&mut answer).await.unwrap();
                assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
            }
        }
        "tcp" => {
            let mut stream = TcpStream::connect(stage.address()).await.unwrap();
            stream.write_all(&lines(cases)).await.unwrap();
        }
        "unix" => {
            let mut stream = UnixStream::connect(folder.join("in")).await.unwrap();
            stream.write_all(&lines(cases)).await.unwrap();
        }
        other => panic!("{other}"),
    }
}

/// A receiver: the sink for it, and the records that arrive, as JSON.
async fn receiver(sink: &str, folder: &Path) -> (String, UnboundedReceiver<Vec<u8>>) {
    let (out, arrived) = unbounded_channel();
    let config = match sink {
        "forward" => {
            let (to, got) = downstream(usize::MAX).await;
            tokio::spawn(records(got, out));
            format!("{{ type: forward, connect: ['{to}'] }}")
        }
        "vector" => {
            let to = Downstream::start().await;
            let config = format!("{{ type: vector, connect: ['{}'] }}", to.address);
            tokio::spawn(logs(to, out));
            config
        }
        "http" => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = listener.local_addr().unwrap();
            tokio::spawn(async move {
                loop {
                    let (_, body) = request(&listener, "200 OK").await;
                    for line in body.split(|byte| *byte == b'\n') {
                        if !line.is_empty() && out.send(line.to_vec()).is_err() {
                            return;
                        }
                    }
                }
            });
            format!("{{ type: http, url: 'http://{to}/' }}")
        }
        "tcp" => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = listener.local_addr().unwrap();
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                read_lines(stream, out).await;
            });
            format!("{{ type: tcp, connect: '{to}' }}")
        }
        "unix" => {
            let to = folder.join("out");
            let listener = UnixListener::bind(&to).unwrap();
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                read_lines(stream, out).await;
            });
            format!("{{ type: unix, connect: {to:?} }}")
        }
        other => panic!("{other}"),
    };
    (config, arrived)
}

async fn read_lines(stream: impl tokio::io::AsyncRead + Unpin, out: UnboundedSender<Vec<u8>>) {
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        if out.send(line).is_err() {
            return;
        }
    }
}

/// The records of the requests that a downstream gets.
async fn logs(to: Downstream, out: UnboundedSender<Vec<u8>>) {
    while !out.is_closed() {
        for (_, request) in to.take() {
            for mut fields in protobuf::records(&request) {
                // When a Forward event was has no other place. JSON has texts, and no points in time.
                let time = fields.get("timestamp").and_then(|time| time.kind.as_ref());
                if matches!(time, Some(LogKind::Timestamp(_))) {
                    fields.remove("timestamp");
                }
                let _ = out.send(protobuf::unpacked(&fields));
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The records of the chunks that a downstream gets.
async fn records(got: Got, out: UnboundedSender<Vec<u8>>) {
    let mut taken = 0;
    while !out.is_closed() {
        let new: Vec<_> = got.lock().unwrap()[taken..].to_vec();
        taken += new.len();
        for (_, events, _) in new {
            let mut rest = &events[..];
            while !rest.is_empty() {
                let before = rest;
                rmpv::decode::read_value(&mut rest).expect("an event");
                let event = &before[..before.len() - rest.len()];
                // `[time, record]`: the record is what follows the time.
                let mut record = &event[1..];
                rmpv::decode::read_value(&mut record).expect("its time");
                let _ = out.send(unpacked(record));
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
