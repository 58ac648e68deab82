//! Senders and receivers of the Forward protocol, as tests play them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use poseur_relay::config::Config;
use poseur_relay::forward::chunk::{Message, read_ack, write_ack, write_head};
use poseur_relay::forward::codec::Messages;
use poseur_relay::forward::options::Options;
use poseur_relay::net::place::Place;
use poseur_relay::pipeline::Pipeline;
use poseur_relay::serve::Relay;
use poseur_tests::msgpack::{TIMES, packed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::codec::Decoder;

/// Matches the built-in rules.
pub const MATCHING: &str = r#"{"CreationTime":"2026-11-20T08:00:00","Operation":"ChatCreated","RecordType":25,"Workload":"MicrosoftTeams","UserId":"helpdesk@fabrikam.example","CommunicationType":"OneOnOne","ParticipantInfo":{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false}}"#;
/// Matches none of them.
pub const OTHER: &str = r#"{"Operation":"MessageSent","Workload":"MicrosoftTeams"}"#;

/// A record as an event.
pub fn event(json: &str) -> Vec<u8> {
    [TIMES[0], &packed(json.as_bytes()).unwrap()].concat()
}

/// One side of a connection, message by message.
pub struct Peer {
    pub stream: TcpStream,
    buffer: BytesMut,
    messages: Messages,
}

impl Peer {
    /// On a connection that is there.
    pub fn new(stream: TcpStream) -> Peer {
        let (buffer, messages) = (BytesMut::new(), Messages::new(64 << 20));
        Peer {
            stream,
            buffer,
            messages,
        }
    }

    /// Connects.
    pub async fn connect(address: SocketAddr) -> Peer {
        Peer::new(TcpStream::connect(address).await.unwrap())
    }

    /// The next message; `None` at the end of the connection.
    pub async fn message(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.messages.decode(&mut self.buffer).unwrap() {
                return Some(message);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Sends a chunk.
    pub async fn send(&mut self, events: &[u8], options: Options<'_>) {
        let mut message = Vec::new();
        write_head(b"o365", events.len(), &mut message);
        message.extend_from_slice(events);
        options.write(&mut message);
        self.stream.write_all(&message).await.unwrap();
    }

    /// Says that a chunk is safe.
    pub async fn acknowledge(&mut self, message: &[u8]) {
        let Ok(Message::Chunk(chunk)) = Message::read(message) else {
            panic!("no chunk");
        };
        let mut ack = Vec::new();
        write_ack(chunk.options.chunk.expect("an id"), &mut ack);
        self.stream.write_all(&ack).await.unwrap();
    }

    /// The id of the next chunk that is acknowledged.
    pub async fn ack(&mut self) -> Option<Vec<u8>> {
        let message = self.message().await?;
        Some(read_ack(&message).unwrap().to_vec())
    }
}

/// One pipeline at work, by the YAML of its source and its sink.
pub struct Stage {
    pub relay: Relay,
    pub pipeline: Arc<Pipeline>,
    pub place: Place,
    config: Config,
}

impl Stage {
    /// With impatient retries and little room; `more` are further lines of the pipeline.
    pub async fn start(source: &str, sink: &str, more: &str) -> Stage {
        let text = format!(
            "pipelines:\n  p:\n    source: {source}\n    sink: {sink}\n    room: 4MiB\n    \
             retry: {{ first: 1ms, longest: 20ms, limit: 500ms }}\n{more}"
        );
        let text = match more.contains("room:") {
            true => text.replacen("    room: 4MiB\n", "", 1),
            false => text,
        };
        let config = Config::parse("c.yaml", &text).unwrap();
        let relay = Relay::start(&config).await.unwrap();
        let pipeline = relay.pipelines().next().unwrap().clone();
        let place = relay.places()["p"].clone();
        Stage {
            relay,
            pipeline,
            place,
            config,
        }
    }

    /// What it was made of.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self.place {
            Place::Tcp(address) => address,
            _ => panic!("no address"),
        }
    }

    /// How many requests its source has refused, by kind of reason.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.pipeline.stage.meter().refusals()
    }

    /// Why the last connection ended; waits for it.
    pub async fn end(&self) -> String {
        let end = async {
            loop {
                match self.pipeline.ends().into_iter().next() {
                    Some(end) => return end,
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(Duration::from_secs(30), end).await.unwrap()
    }
}

/// A port where nobody listens.
pub async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// What a downstream has got: tag, events, signal.
pub type Got = Arc<Mutex<Vec<(Vec<u8>, Vec<u8>, i64)>>>;

/// A downstream that notes everything. Of each connection it acknowledges so many chunks, and then closes it
/// without a word about the next.
pub async fn downstream(acks: usize) -> (SocketAddr, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, got) = (listener.local_addr().unwrap(), Got::default());
    let all = got.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let got = all.clone();
            tokio::spawn(async move {
                let mut peer = Peer::new(stream);
                for number in 0.. {
                    let Some(message) = peer.message().await else {
                        return;
                    };
                    let Ok(Message::Chunk(chunk)) = Message::read(&message) else {
                        panic!("no chunk");
                    };
                    let signal = chunk.options.signal;
                    let entry = (chunk.tag.to_vec(), chunk.events.to_vec(), signal);
                    got.lock().unwrap().push(entry);
                    if number == acks {
                        return;
                    }
                    peer.acknowledge(&message).await;
                }
            });
        }
    });
    (address, got)
}

/// Options with an id.
pub fn id(text: &str) -> Options<'_> {
    Options {
        chunk: Some(text.as_bytes()),
        ..Options::default()
    }
}

/// Reads one request and answers it. Returns its head, in small letters, and its body.
pub async fn request(listener: &TcpListener, status: &str) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut got = Vec::new();
    let head = loop {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
        if let Some(end) = got.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let body = got.split_off(head);
    let head = String::from_utf8(got).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = body;
    while body.len() < length {
        assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0);
    }
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    (head, body)
}
