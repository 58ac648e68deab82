//! Connections, whatever carries them: TCP, Unix sockets, standard input; with TLS or without.

pub mod connect;
pub mod listen;
pub mod place;
pub mod tls;

use tokio::io::{AsyncRead, AsyncWrite};

/// What bytes come from and go to.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection.
pub type Stream = Box<dyn Io>;
