//! HTTP/1.1, as much of it as is needed, written by hand: the stage's own comes from a library.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::downstream::Manner;
use crate::peers::{Keep, gzip};
use crate::records::Batch;

/// One side of a connection, message by message.
pub struct Peer {
    pub stream: TcpStream,
    buffer: BytesMut,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Peer {
        Peer {
            stream,
            buffer: BytesMut::new(),
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next message: its head in lower case, and its body of a length that is given.
    pub async fn message(&mut self) -> io::Result<(String, BytesMut)> {
        let end = loop {
            match self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer.split_to(end)).to_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|text| text.lines().next()?.parse().ok());
        let length: usize = length.unwrap_or(0);
        self.buffer
            .reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok((head, self.buffer.split_to(length)))
    }
}

/// A sender.
pub struct Sender {
    pub peer: Peer,
}

impl Sender {
    pub fn new(stream: TcpStream) -> Sender {
        Sender {
            peer: Peer::new(stream),
        }
    }

    pub async fn send(&mut self, batch: Batch, packed: bool) -> io::Result<()> {
        let mut request = b"POST / HTTP/1.1\r\nHost: stage\r\n".to_vec();
        let mut body = batch.lines();
        if packed {
            request.extend_from_slice(b"Content-Encoding: gzip\r\n");
            body = gzip(&body);
        }
        match batch.sender % 2 {
            0 => {
                let length = format!("Content-Length: {}\r\n\r\n", body.len());
                request.extend_from_slice(length.as_bytes());
                request.extend_from_slice(&body);
            }
            _ => {
                request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(100_000) {
                    request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    request.extend_from_slice(chunk);
                    request.extend_from_slice(b"\r\n");
                }
                request.extend_from_slice(b"0\r\n\r\n");
            }
        }
        self.peer.stream.write_all(&request).await
    }

    pub async fn accepted(&mut self) -> io::Result<()> {
        let (head, body) = self.peer.message().await?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(()),
            Some("503") => Err(io::Error::other("to be sent again")),
            _ => Err(io::Error::other(format!("WRONG: {head}{body:?}"))),
        }
    }
}

/// A downstream's side of a connection.
pub async fn serve(stream: TcpStream, keep: Keep, manner: Manner) -> io::Result<()> {
    let mut peer = Peer::new(stream);
    loop {
        manner.may_read().await;
        let (_, body) = peer.message().await?;
        keep(&body);
        manner.may_answer().await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        peer.stream.write_all(answer).await?;
    }
}
