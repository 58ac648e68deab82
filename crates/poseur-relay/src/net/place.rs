//! Where connections come from, and who is at their other end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};

use super::Stream;

/// Connections that the system keeps until they are accepted. A sender that comes when there is no more place believes
/// that it is connected, and if it is silent it is never told that it is not. The system may allow fewer.
const QUEUE: u32 = 4096;

/// Where connections come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
    /// Standard input: one connection, nothing is written back.
    Stdin,
    /// Nowhere here: the source goes there itself.
    Away(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(address) => address.fmt(f),
            Place::Unix(path) => path.display().fmt(f),
            Place::Stdin => f.write_str("standard input"),
            Place::Away(place) => f.write_str(place),
        }
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A process of this machine.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Local => f.write_str("local"),
        }
    }
}

/// Accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// At an address.
    Tcp(TcpListener),
    /// At a socket in the file system.
    Unix(UnixListener),
}

impl Listener {
    /// Listens at a place; `None` where there is nothing to listen at.
    ///
    /// # Errors
    /// If it is taken, or not allowed.
    pub async fn open(place: &Place) -> io::Result<Option<Listener>> {
        Ok(match place {
            Place::Tcp(address) => Some(Listener::Tcp(listen(*address)?)),
            Place::Unix(path) => {
                remove_stale(path).await?;
                Some(Listener::Unix(UnixListener::bind(path)?))
            }
            Place::Stdin | Place::Away(_) => None,
        })
    }

    /// The same place, listened at twice: who comes is accepted by either.
    ///
    /// # Errors
    /// If no file is left to open.
    pub fn again(&self) -> io::Result<Listener> {
        Ok(match self {
            Listener::Tcp(listener) => {
                let copy = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned()?;
                Listener::Tcp(TcpListener::from_std(copy.into())?)
            }
            Listener::Unix(listener) => {
                let copy = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned()?;
                Listener::Unix(UnixListener::from_std(copy.into())?)
            }
        })
    }

    /// Where it is; a port of 0 has become a real one.
    pub fn place(&self) -> Option<Place> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok().map(Place::Tcp),
            Listener::Unix(listener) => {
                let address = listener.local_addr().ok()?;
                Some(Place::Unix(address.as_pathname()?.to_owned()))
            }
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// If no file is left to open, or who came is gone already.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        Ok(match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Acknowledgements are small, and somebody waits for each.
                stream.set_nodelay(true)?;
                (Box::new(stream), Peer::Tcp(peer))
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                (Box::new(stream), Peer::Local)
            }
        })
    }
}

/// As [`TcpListener::bind`], but with a longer queue.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A stage that starts again must not wait for connections of the last one to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// A socket at which nobody listens any more is in the way after a crash.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
