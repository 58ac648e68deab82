//! Senders and receivers of the Forward protocol, as tests play them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use poseur_relay::forward::chunk::{Message, read_ack, write_ack, write_head};
use poseur_relay::forward::codec::Messages;
use poseur_relay::forward::options::Options;
use poseur_tests::msgpack::{TIMES, packed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
