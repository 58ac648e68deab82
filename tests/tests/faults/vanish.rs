//! Peers that go without a word: senders in the middle of a message, receivers that never answer.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::command_support::GIVE_UP;
use crate::downstream::{Downstream, Mood};
use crate::load::Load;
use crate::peers::Protocol;
use crate::scene::{Scene, until};
use crate::stage::Config;

/// Senders that stop in the middle hold room only for so long as they may; then others are served.
async fn half_a_message(protocol: Protocol, half: &[u8]) {
    let limits = ", limits: { largest: 4MiB, patience: 500ms }";
    let more = "    room: 8MiB\n";
    let scene = Scene::new(protocol, Protocol::Forward, 2, limits, more).await;
    let load = scene.load(2, 100);
    for count in 1..=3 {
        let mut vanished = Vec::new();
        // More of them than there is room for.
        for _ in 0..4 * count {
            let mut stream = TcpStream::connect(scene.stage.address()).await.unwrap();
            stream.write_all(half).await.unwrap();
            vanished.push(stream);
        }
        load.advance(10).await;
        // Each is told, or closed: read to its end.
        for mut stream in vanished {
            let mut rest = Vec::new();
            let closed = timeout(GIVE_UP, stream.read_to_end(&mut rest)).await;
            let _ = closed.expect("it is closed");
        }
    }
    scene.end(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_message_holds_nobody_up() {
    let forward = [b"\x93\xA4o365\xC6\x00\x30\x00\x00", &[0x80; 70_000][..]].concat();
    half_a_message(Protocol::Forward, &forward).await;
    half_a_message(Protocol::Forward, b"\x93").await;
    // No length of all: an array of events.
    let events = [
        b"\x92\xA4o365\xDC\xFF\xFF",
        &[0x92, 0x05, 0x80].repeat(20_000)[..],
    ]
    .concat();
    half_a_message(Protocol::Forward, &events).await;
    let http = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n{";
    half_a_message(Protocol::Http, http).await;
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n{";
    half_a_message(Protocol::Http, chunked).await;
    half_a_message(Protocol::Http, b"POST / HTTP/1.1\r\nHos").await;
}

/// A sender whose acknowledgements are never read holds no room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_no_answers_holds_nobody_up() {
    let limits = ", limits: { largest: 4MiB, patience: 500ms }";
    let more = "    room: 8MiB\n";
    let scene = Scene::new(Protocol::Forward, Protocol::Forward, 2, limits, more).await;
    // An acknowledgement of 3 MB, and many of them.
    let id = "i".repeat(3 << 20);
    let message = crate::peers::forward::chunk(b"", &id, Default::default());
    let mut silent = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(scene.stage.address()).await.unwrap();
        let message = message.clone();
        silent.push(tokio::spawn(async move {
            while stream.write_all(&message).await.is_ok() {}
            stream
        }));
    }
    let load = scene.load(2, 100);
    load.advance(50).await;
    for silent in silent {
        let ended = timeout(GIVE_UP, silent).await;
        drop(ended.expect("it is closed").unwrap());
    }
    scene.end(load).await;
}

/// A receiver that takes everything and says nothing, or does not even accept: the next one is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_receiver_is_used_if_one_never_answers() {
    let scene = Scene::new(Protocol::Forward, Protocol::Forward, 3, "", "").await;
    // Another ledger: what it takes counts for nothing.
    let nowhere = crate::ledger::Ledger::new(3, Protocol::Forward, Protocol::Forward).into();
    let mute = Downstream::start(Protocol::Forward, nowhere).await;
    mute.mood.send_replace(Mood::Mute);
    let full = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = [
        mute.address,
        full.local_addr().unwrap(),
        scene.downstream.address,
    ];
    let to = to.map(|to| format!("'{to}'")).join(", ");
    let sink = format!("{{ type: forward, connect: [{to}], ack_timeout: 200ms }}");
    let config = Config::new(&Protocol::Forward.source(""), &sink, "");
    let mut stage = config.start();
    let mut load = Load::start(Protocol::Forward, stage.address(), 3, 100, &scene.ledger);
    load.advance(100).await;
    load.end().await;
    stage.check();
    assert!(mute.ledger.all() > 0 && scene.ledger.all() >= load.acknowledged());
}

/// The only receiver says nothing for a while: what it took is sent again, and comes through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_answered_is_sent_again() {
    for sink in [Protocol::Forward, Protocol::Http] {
        let scene = Scene::new(Protocol::Forward, sink, 3, "", "").await;
        let to = sink.sink(scene.downstream.address, "200ms");
        let source = Protocol::Forward.source("");
        scene.config.write(&source, &to, "");
        scene.stage.signal(libc::SIGHUP);
        scene.stage.expect("were read again", 1);
        let load = scene.load(3, 100);
        load.advance(20).await;
        scene.downstream.mood.send_replace(Mood::Mute);
        let ledger = scene.ledger.clone();
        let twice = || ledger.duplicates.load(std::sync::atomic::Ordering::SeqCst) > 20;
        until("it is sent again", twice).await;
        scene.downstream.mood.send_replace(Mood::Well);
        load.advance(20).await;
        scene.end(load).await;
    }
}
