//! Forward in, Forward out: tagged, in order, acknowledged when the downstream has it and not before.

use std::net::SocketAddr;
use std::time::Duration;

use crate::peers::{MATCHING, OTHER, Peer, Stage, closed, downstream, event, id};
use poseur_relay::compression::Compression;
use poseur_relay::forward::options::Options;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const SOURCE: &str = "{ type: forward, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";

fn sink(to: &[SocketAddr]) -> String {
    let to: Vec<String> = to.iter().map(|to| format!("'{to}'")).collect();
    let to = to.join(", ");
    format!("{{ type: forward, connect: [{to}], connect_timeout: 5s, ack_timeout: 5s }}")
}

async fn relay(to: &[SocketAddr]) -> Stage {
    Stage::start(SOURCE, &sink(to), "").await
}

#[tokio::test]
async fn chunks_come_out_tagged_and_are_acknowledged() {
    let (to, got) = downstream(usize::MAX).await;
    let relay = relay(&[to]).await;
    let mut sender = Peer::connect(relay.address()).await;
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
    assert!(relay.relay.stop(Duration::from_secs(30)).await);
    assert_eq!(sender.message().await, None);
    assert_eq!(relay.pipeline.ends(), [""; 0]);
}

/// Downstreams that break off all the time: all that is acknowledged has arrived, in order, some of it twice.
#[tokio::test]
async fn nothing_acknowledged_is_lost_when_downstreams_break_off() {
    let ((one, got_one), (two, got_two)) = (downstream(3).await, downstream(0).await);
    let relay = relay(&[two, one]).await;
    let mut sender = Peer::connect(relay.address()).await;
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
    let address = closed().await;
    let relay = relay(&[address]).await;
    let mut sender = Peer::connect(relay.address()).await;
    sender.send(&event(OTHER), id("one")).await;
    assert_eq!(sender.message().await, None);
    let end = relay.end().await;
    assert!(end.starts_with("not delivered for "), "{end}");
    assert!(end.contains(&address.to_string()), "{end}");
}

#[tokio::test]
async fn senders_and_receivers_prove_that_they_know_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |text: &str| {
        let path = folder.path().join(text);
        std::fs::write(&path, text).unwrap();
        format!("{{ file: {path:?} }}")
    };
    let (password, key) = (secret("1"), secret("key"));
    let (to, got) = downstream(usize::MAX).await;
    let source = format!(
        "{{ type: forward, listen: 127.0.0.1:0, hostname: inner, limits: {{ largest: 1MiB }}, shared_key: {key}, \
         users: [{{ name: ann, password: {password} }}] }}"
    );
    let inner = Stage::start(&source, &sink(&[to]), "").await;
    for (key, name, told) in [
        ("key", "ann", None),
        ("another", "ann", Some("shared key mismatch")),
        ("key", "bob", Some("username/password mismatch")),
    ] {
        let address = inner.address();
        let key = secret(key);
        let sink = format!(
            "{{ type: forward, connect: ['{address}'], hostname: outer, shared_key: {key}, \
             user: {{ name: {name}, password: {password} }} }}"
        );
        // The outer one has no secrets for its senders, and speaks to the inner one.
        let outer = Stage::start(SOURCE, &sink, "").await;
        let mut sender = Peer::connect(outer.address()).await;
        sender.send(&event(OTHER), id("one")).await;
        assert_eq!(sender.message().await.is_some(), told.is_none(), "{key}");
        let Some(told) = told else { continue };
        for end in [outer.end().await, inner.end().await] {
            assert!(end.contains(told), "{end}");
        }
    }
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn bad_senders_are_told_of_and_harm_nobody() {
    let (to, got) = downstream(usize::MAX).await;
    let source = SOURCE.replace("1MiB", "1MiB, patience: 200ms");
    let relay = Stage::start(&source, &sink(&[to]), "").await;
    let mut good = Peer::connect(relay.address()).await;
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
        let mut bad = Peer::connect(relay.address()).await;
        bad.stream.write_all(bytes).await.unwrap();
        assert_eq!(bad.message().await, None);
        let end = relay.end().await;
        assert!(end.contains(told), "{end}");
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
    let relay = relay(&[to]).await;
    let large = event(OTHER).repeat(12_000);
    let senders = (0..10).map(|_| {
        let (address, large) = (relay.address(), large.clone());
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

#[tokio::test]
async fn heartbeats_over_udp_are_answered() {
    let relay = relay(&[closed().await]).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let answered = async {
        let mut answer = [1; 8];
        loop {
            // The first may be too early.
            socket.send_to(b"\0", relay.address()).await.unwrap();
            let received = socket.recv_from(&mut answer);
            if let Ok(received) = timeout(Duration::from_millis(100), received).await {
                let (size, from) = received.unwrap();
                assert_eq!((&answer[..size], from), (&b"\0"[..], relay.address()));
                break;
            }
        }
    };
    timeout(Duration::from_secs(30), answered).await.unwrap();
}
