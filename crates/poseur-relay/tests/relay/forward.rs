//! Forward in, Forward out: tagged, in order, acknowledged when the downstream has it and not before.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::peers::{MATCHING, OTHER, Peer, downstream, event, id};
use poseur_relay::forward::compression::Compression;
use poseur_relay::forward::handshake::Secrets;
use poseur_relay::forward::options::Options;
use poseur_relay::pipeline::{Pipeline, Retry, Room};
use poseur_relay::sink::forward::{Forward, Settings as Out};
use poseur_relay::source::forward::{Ended, Settings as In, serve};
use poseur_relay::source::listen::Stop;
use poseur_relay::stage::Stage;
use poseur_tagger::TagOptions;
use poseur_tests::tagging::compile;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

struct Relay {
    address: SocketAddr,
    pipeline: Arc<Pipeline>,
    stop: Stop,
    task: tokio::task::JoinHandle<()>,
    ended: Arc<Mutex<Vec<String>>>,
}

fn settings() -> In {
    In {
        secrets: None,
        hostname: "relay".into(),
        largest: 1 << 20,
        connections: 10,
        idle: Duration::from_secs(60),
        patience: Duration::from_secs(60),
    }
}

async fn relay(to: Vec<SocketAddr>, settings: In, secrets: Option<Secrets>) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let matcher = compile(poseur_rule::pack::built_in(), Vec::new());
    let sink = Forward::new(Out {
        connect: to.iter().map(ToString::to_string).collect(),
        secrets,
        hostname: "relay out".into(),
        connect_timeout: Duration::from_secs(5),
        ack_timeout: Duration::from_secs(5),
    });
    let retry = Retry {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(20),
        limit: Duration::from_millis(500),
    };
    let stage = Stage::new(matcher, TagOptions::default());
    let pipeline = Pipeline::new(stage, Room::new(4 << 20), retry, Box::new(sink));
    let (pipeline, stop) = (Arc::new(pipeline), Stop::default());
    let ended: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = ended.clone();
    let task = tokio::spawn(serve(
        listener,
        settings,
        pipeline.clone(),
        stop.clone(),
        move |_, reason: Ended| note.lock().unwrap().push(reason.to_string()),
    ));
    Relay {
        address,
        pipeline,
        stop,
        task,
        ended,
    }
}

#[tokio::test]
async fn chunks_come_out_tagged_and_are_acknowledged() {
    let (to, got) = downstream(usize::MAX).await;
    let relay = relay(vec![to], settings(), None).await;
    let mut sender = Peer::connect(relay.address).await;
    let (other, matching) = (event(OTHER), event(MATCHING));
    let mixed = [&other[..], &matching, &other].concat();
    // A heartbeat is no chunk.
    sender.stream.write_all(b"\xC0").await.unwrap();
    sender.send(&mixed, id("one")).await;
    assert_eq!(sender.ack().await.unwrap(), b"one");
    // Without an id nobody waits, and the next one comes after it all the same.
    sender.send(&other, Options::default()).await;
    let metrics = Options {
        signal: 1,
        ..id("two")
    };
    sender.send(&mixed, metrics).await;
    assert_eq!(sender.ack().await.unwrap(), b"two");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &mixed).unwrap();
    let gzip = Options {
        compression: Compression::Gzip,
        ..id("three")
    };
    sender.send(&encoder.finish().unwrap(), gzip).await;
    assert_eq!(sender.ack().await.unwrap(), b"three");
    let got = got.lock().unwrap().clone();
    let tagged = &got[0].1;
    assert!(tagged.starts_with(&other) && tagged.ends_with(&other) && tagged.len() > mixed.len());
    let plain = |events: &[u8], signal| (b"o365".to_vec(), events.to_vec(), signal);
    let expected = [
        plain(tagged, 0),
        plain(&other, 0),
        plain(&mixed, 1),
        plain(tagged, 0),
    ];
    assert_eq!(got, expected);
    let (counts, opaque) = relay.pipeline.stage.counts();
    assert_eq!((counts.matched, opaque), (2, 0));
    assert_eq!(relay.pipeline.room.used(), 0);
    // Told to stop, it ends although the sender stays.
    relay.stop.soon.cancel();
    relay.task.await.unwrap();
    assert_eq!(sender.message().await, None);
    assert_eq!(*relay.ended.lock().unwrap(), [""; 0]);
}

/// Downstreams that break off all the time: all that is acknowledged has arrived, in order, some of it twice.
#[tokio::test]
async fn nothing_acknowledged_is_lost_when_downstreams_break_off() {
    let ((one, got_one), (two, got_two)) = (downstream(3).await, downstream(0).await);
    let relay = relay(vec![two, one], settings(), None).await;
    let mut sender = Peer::connect(relay.address).await;
    let chunks: Vec<Vec<u8>> = (0..50)
        .map(|n| event(&format!(r#"{{"Operation":"MessageSent","N":{n}}}"#)))
        .collect();
    for (number, chunk) in chunks.iter().enumerate() {
        let name = number.to_string();
        sender.send(chunk, id(&name)).await;
        assert_eq!(sender.ack().await.unwrap(), name.as_bytes());
    }
    assert!(!got_two.lock().unwrap().is_empty());
    let mut got: Vec<_> = got_one
        .lock()
        .unwrap()
        .iter()
        .map(|got| got.1.clone())
        .collect();
    got.dedup();
    assert_eq!(got, chunks);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_not_acknowledged() {
    // A port where nobody listens.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let relay = relay(vec![address], settings(), None).await;
    let mut sender = Peer::connect(relay.address).await;
    sender.send(&event(OTHER), id("one")).await;
    assert_eq!(sender.message().await, None);
    let ended = relay.ended.lock().unwrap().clone();
    assert!(ended[0].starts_with("not delivered for "), "{ended:?}");
    assert!(ended[0].contains(&address.to_string()), "{ended:?}");
}

#[tokio::test]
async fn senders_and_receivers_prove_that_they_know_the_key() {
    let secrets = |key: &str| Secrets {
        key: key.into(),
        users: vec![("ann".into(), "1".into())],
    };
    let (to, got) = downstream(usize::MAX).await;
    let with = |key| In {
        secrets: Some(secrets(key)),
        hostname: "inner".into(),
        ..settings()
    };
    // The outer one has no secrets for its senders, and speaks to the inner one.
    let inner = relay(vec![to], with("key"), None).await;
    for (key, fine) in [("key", true), ("another", false)] {
        let outer = relay(vec![inner.address], settings(), Some(secrets(key))).await;
        let mut sender = Peer::connect(outer.address).await;
        sender.send(&event(OTHER), id("one")).await;
        assert_eq!(sender.message().await.is_some(), fine, "{key}");
        let told = outer.ended.lock().unwrap().concat();
        assert_eq!(told.contains("shared key mismatch"), !fine, "{told}");
    }
    assert_eq!(got.lock().unwrap().len(), 1);
    assert!(
        inner
            .ended
            .lock()
            .unwrap()
            .iter()
            .all(|told| told == "shared key mismatch")
    );
}

#[tokio::test]
async fn bad_senders_are_told_of_and_harm_nobody() {
    let (to, got) = downstream(usize::MAX).await;
    let patient = In {
        patience: Duration::from_millis(200),
        ..settings()
    };
    let relay = relay(vec![to], patient, None).await;
    let mut good = Peer::connect(relay.address).await;
    for (bytes, told) in [
        (&b"GET / HTTP/1.1\r\n"[..], "a message that is no chunk"),
        (b"\xC1", "no MessagePack"),
        (b"\xC6\xFF\xFF\xFF\xFF", "larger than 1048576 bytes"),
        (b"\x93\xA1t\xC4\x05hello", "did not come within"),
        (
            b"\x93\xA1t\xC4\x01\x1f\x81\xAAcompressed\xA4gzip",
            "cannot be unpacked",
        ),
    ] {
        let mut bad = Peer::connect(relay.address).await;
        bad.stream.write_all(bytes).await.unwrap();
        assert_eq!(bad.message().await, None);
        let ended = relay.ended.lock().unwrap().pop().expect("a reason");
        assert!(ended.contains(told), "{ended}");
        good.send(&event(OTHER), id("one")).await;
        assert_eq!(good.ack().await.unwrap(), b"one");
    }
    // Events that cannot be taken apart pass as they are.
    good.send(b"\xC1 no events", id("two")).await;
    assert_eq!(good.ack().await.unwrap(), b"two");
    assert_eq!(got.lock().unwrap().last().unwrap().1, b"\xC1 no events");
    assert_eq!(relay.pipeline.room.used(), 0);
}

/// More at once than there is room: senders wait, all get through, and nothing stays taken.
#[tokio::test]
async fn senders_wait_for_room() {
    let (to, got) = downstream(usize::MAX).await;
    let relay = relay(vec![to], settings(), None).await;
    let large = event(OTHER).repeat(12_000);
    let senders = (0..10).map(|_| {
        let (address, large) = (relay.address, large.clone());
        tokio::spawn(async move {
            let mut sender = Peer::connect(address).await;
            for name in ["one", "two", "three"] {
                sender.send(&large, id(name)).await;
                assert_eq!(sender.ack().await.unwrap(), name.as_bytes());
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        timeout(Duration::from_secs(60), sender)
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(got.lock().unwrap().len(), 30);
    assert_eq!(relay.pipeline.room.used(), 0);
}
