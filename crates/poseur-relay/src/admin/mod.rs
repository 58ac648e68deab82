//! What an operator watches: health, metrics, the live page. Nothing can be changed here.

mod answer;
mod live;
mod snapshot;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::telemetry::Telemetry;
use live::Live;

/// Where the state of the process can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Admin")]
pub struct Config {
    /// Address and port to listen on. Other machines can reach it only if `insecure` says so.
    pub listen: SocketAddr,
    /// Listens on an address that other machines can reach. Who reaches it sees who is attacked and how.
    #[serde(default)]
    pub insecure: bool,
}

impl Config {
    /// What no type can say.
    ///
    /// # Errors
    /// With what is wrong, and what to do.
    pub fn check(&self) -> Result<(), &'static str> {
        match self.listen.ip().is_loopback() || self.insecure {
            true => Ok(()),
            false => Err(
                "admin.listen: other machines could see matches there, without TLS: listen on 127.0.0.1, or say \
                 `insecure: true`",
            ),
        }
    }
}

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 64;

/// A request's headers must be there, and an answer must be taken, within this time. A connection on which no request
/// comes for so long is closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// When nothing can be accepted, the next attempt is after this long.
const PAUSE: Duration = Duration::from_millis(50);

/// An address that answers.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    /// As the configuration has it.
    listen: SocketAddr,
}

impl Admin {
    /// Listens.
    ///
    /// # Errors
    /// If that is not possible.
    pub async fn open(config: &Config) -> io::Result<Admin> {
        Ok(Admin {
            listener: TcpListener::bind(config.listen).await?,
            listen: config.listen,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is told to stop. Who is still connected then is cut off.
    pub async fn serve(self, telemetry: Arc<Telemetry>, stop: CancellationToken) {
        let live = Live::begin(telemetry.clone(), stop.clone());
        let is_loopback = self.listen.ip().is_loopback();
        let desk = Arc::new(answer::Desk::new(telemetry, live, is_loopback));
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = async {
                let seat = seats.clone().acquire_owned().await;
                let seat = seat.expect("the semaphore is never closed");
                (seat, self.listener.accept().await)
            };
            let (seat, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = stop.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let (desk, stop) = (desk.clone(), stop.clone());
            tokio::spawn(async move {
                let _seat = seat;
                stop.run_until_cancelled(connection(stream, desk)).await;
            });
        }
    }
}

/// The address in use, if any, over changes of the configuration.
#[derive(Debug, Default)]
pub struct Reception(Option<Open>);

#[derive(Debug)]
struct Open {
    /// As the configuration has it: with a port of 0, maybe.
    listen: SocketAddr,
    address: SocketAddr,
    _end: DropGuard,
}

/// What is to become of a [`Reception`].
#[derive(Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// Another address, or none any more.
    To(Option<Admin>),
}

impl Reception {
    /// The address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|open| open.address)
    }

    /// Opens what a configuration says. Nothing has changed before [`Reception::change`].
    ///
    /// # Errors
    /// If that is not possible.
    pub async fn prepare(&self, config: Option<&Config>) -> Result<Change, String> {
        let now = self.0.as_ref().map(|open| open.listen);
        match config {
            same if same.map(|config| config.listen) == now => Ok(Change::None),
            None => Ok(Change::To(None)),
            Some(config) => match Admin::open(config).await {
                Ok(admin) => Ok(Change::To(Some(admin))),
                Err(error) => Err(format!("cannot listen on {}: {error}", config.listen)),
            },
        }
    }

    /// Answers at the new address, and no longer at the old one.
    pub fn change(&mut self, change: Change, telemetry: &Arc<Telemetry>) {
        let Change::To(admin) = change else { return };
        self.0 = admin.map(|admin| {
            let (stop, listen) = (CancellationToken::new(), admin.listen);
            let address = admin.address().unwrap_or(listen);
            info!("the live page is at http://{address}/, metrics at http://{address}/metrics");
            tokio::spawn(admin.serve(telemetry.clone(), stop.clone()));
            Open {
                listen,
                address,
                _end: stop.drop_guard(),
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite, desk: Arc<answer::Desk>) {
    let mut stream = TimeoutStream::new(stream);
    // Who does not take an answer is not waited for.
    stream.set_write_timeout(Some(PATIENCE));
    let service = service_fn(|request| {
        let answer = desk.answer(&request);
        async { Ok::<_, Infallible>(answer) }
    });
    // A sender that breaks off is its own affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .await;
}
