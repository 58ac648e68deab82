//! Connections to receivers, one of several.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{Stream, tls};

/// Connects to receivers. If one fails, the next one is tried.
#[derive(Debug, Clone)]
pub struct Connector {
    /// `host:port` or the path of a Unix socket, of each.
    pub receivers: Vec<String>,
    /// TLS, if they speak it.
    pub tls: Option<tls::Connector>,
    /// How long connecting may take, with its handshakes.
    pub limit: Duration,
}

impl Connector {
    /// The receiver of this number; they are counted around.
    pub fn receiver(&self, number: usize) -> &str {
        &self.receivers[number % self.receivers.len()]
    }

    /// Connects to the receiver of this number.
    ///
    /// # Errors
    /// If it is not to be reached, or its certificate is not good.
    pub async fn connect(&self, number: usize) -> io::Result<Stream> {
        let receiver = self.receiver(number);
        if is_path(receiver) {
            return Ok(Box::new(UnixStream::connect(receiver).await?));
        }
        let stream = TcpStream::connect(receiver).await?;
        // A chunk's end must not wait for its beginning to be confirmed.
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let (host, _) = receiver.rsplit_once(':').unwrap_or((receiver, ""));
        tls.connect(host, Box::new(stream)).await
    }
}

/// Whether this is a Unix socket, and no `host:port`.
pub fn is_path(receiver: &str) -> bool {
    receiver.starts_with('/')
}

/// An error instead of an endless wait.
///
/// # Errors
/// Those of the work, and that it took too long.
pub async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{what} took longer than {limit:?}"),
        )),
    }
}
