//! Senders and a receiver of the Forward protocol, with plain blocking sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use bytes::BytesMut;
use jiff::Timestamp;
use memchr::memmem;
use poseur_benches::{Traffic, events, tagger_with};
use poseur_relay::forward::chunk::{Message, write_ack, write_head};
use poseur_relay::forward::codec::Messages;
use poseur_relay::forward::options::Options;
use poseur_tagger::TagOptions;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use tokio_util::codec::Decoder;

use crate::load::{Load, Pace};

const ID: &[u8] = b"bench";

/// The pipeline between such a sender and a receiver.
pub fn pipeline(to: SocketAddr) -> String {
    format!(
        "    source: {{ type: forward, listen: 'LISTEN' }}\n    sink: {{ type: forward, connect: ['{to}'] }}\n"
    )
}

/// Records in chunks of this size.
pub fn chunks(traffic: &Traffic, size: usize) -> Load {
    let events = events(traffic, size);
    let matcher = tagger_with(&[]).matcher().clone();
    let mut tagger = ChunkTagger::new(matcher, TagOptions::default());
    for chunk in &events {
        let tagged = tagger.tag(chunk, Timestamp::now());
        assert!(tagged.is_ok(), "whole events");
    }
    let messages = events.iter().map(|events| {
        // As Fluent Bit and Fluentd say it.
        let options = Options {
            chunk: Some(ID),
            size: Some(events.len() as u64 / 1000),
            ..Options::default()
        };
        let mut message = Vec::with_capacity(events.len() + 64);
        write_head(b"o365.teams", events.len(), &mut message);
        message.extend_from_slice(events);
        options.write(&mut message);
        message
    });
    Load {
        messages: messages.collect(),
        bytes: events.iter().map(Vec::len).sum(),
        matching: tagger.counts().matched,
        records: traffic.truths.records,
    }
}

struct Sender {
    stream: TcpStream,
    ack: Vec<u8>,
}

impl Sender {
    fn new(to: SocketAddr) -> Sender {
        let stream = TcpStream::connect(to).expect("somebody listens");
        stream.set_nodelay(true).expect("no delay");
        let mut ack = Vec::new();
        write_ack(ID, &mut ack);
        Sender { stream, ack }
    }

    /// Sends a message and waits for its acknowledgement.
    fn send(&mut self, message: &[u8]) {
        self.stream.write_all(message).expect("it is taken");
        let mut answer = vec![0; self.ack.len()];
        self.stream.read_exact(&mut answer).expect("it is answered");
        assert_eq!(answer, self.ack);
    }
}

/// Sends until a moment. Answers how many chunks were acknowledged.
pub fn send(to: SocketAddr, load: &Load, deadline: Instant) -> u64 {
    let (mut sender, mut sent) = (Sender::new(to), 0);
    for message in load.messages.iter().cycle() {
        if Instant::now() >= deadline {
            break;
        }
        sender.send(message);
        sent += 1;
    }
    sent
}

/// Sends at a pace, and measures each.
pub fn send_paced(to: SocketAddr, load: &Load, pace: &mut Pace) {
    let mut sender = Sender::new(to);
    for message in load.messages.iter().cycle() {
        let Some(began) = pace.next() else { return };
        sender.send(message);
        pace.times.push(began.elapsed());
    }
}

/// What a receiver has seen.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    pub chunks: u64,
    pub tags: u64,
}

/// Takes chunks, counts tags in them, and acknowledges.
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<[AtomicU64; 2]>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let seen: Arc<[AtomicU64; 2]> = Arc::default();
        let all = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = all.clone();
                thread::spawn(move || receive(stream, &seen));
            }
        });
        Receiver { address, seen }
    }

    pub fn seen(&self) -> Seen {
        let [chunks, tags] = [0, 1].map(|at| self.seen[at].load(Relaxed));
        Seen { chunks, tags }
    }
}

fn receive(mut stream: TcpStream, seen: &[AtomicU64; 2]) {
    let _ = stream.set_nodelay(true);
    let tag = memmem::Finder::new(b"\xA6poseur");
    let (mut buffer, mut messages) = (BytesMut::new(), Messages::new(64 << 20));
    let mut part = vec![0; 256 << 10];
    loop {
        if let Ok(Some(message)) = messages.decode(&mut buffer) {
            let Ok(Message::Chunk(chunk)) = Message::read(&message) else {
                return;
            };
            seen[0].fetch_add(1, Relaxed);
            seen[1].fetch_add(tag.find_iter(&chunk.events).count() as u64, Relaxed);
            let mut ack = Vec::new();
            write_ack(chunk.options.chunk.unwrap_or_default(), &mut ack);
            if stream.write_all(&ack).is_err() {
                return;
            }
            continue;
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(read) => buffer.extend_from_slice(&part[..read]),
        }
    }
}
