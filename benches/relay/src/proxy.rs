//! The limit: a proxy that cuts the stream into messages as the stage does, and copies each of them, and each
//! acknowledgement. It looks into none.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use poseur_relay::forward::codec::Messages;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Decoder;

/// Runs until it is killed.
pub fn run(listen: SocketAddr, to: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.expect("a free port");
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            tokio::spawn(copy(stream, to));
        }
    });
}

async fn copy(sender: TcpStream, to: SocketAddr) -> io::Result<()> {
    let receiver = TcpStream::connect(to).await?;
    let (mut sender, mut receiver) = (Side::new(sender)?, Side::new(receiver)?);
    while let Some(message) = sender.message().await? {
        receiver.stream.write_all(&message).await?;
        let Some(answer) = receiver.message().await? else {
            break;
        };
        sender.stream.write_all(&answer).await?;
    }
    Ok(())
}

struct Side {
    stream: TcpStream,
    buffer: BytesMut,
    messages: Messages,
}

impl Side {
    fn new(stream: TcpStream) -> io::Result<Side> {
        stream.set_nodelay(true)?;
        Ok(Side {
            stream,
            buffer: BytesMut::new(),
            messages: Messages::new(64 << 20),
        })
    }

    async fn message(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let message = self.messages.decode(&mut self.buffer);
            if let Some(message) = message.map_err(io::Error::other)? {
                return Ok(Some(message));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
