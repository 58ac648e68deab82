//! Connections accepted, counted and ended, whatever they speak.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::place::{Listener, Peer};
use super::{Stream, tls};
use crate::pipeline::Pipeline;
use crate::source::{Connection, Ended, Limits, Source};

/// How a source is told to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Nothing new is taken; what is on its way is waited for.
    pub soon: CancellationToken,
    /// What is on its way is given up. Its senders have no acknowledgement, and will send it again.
    pub now: CancellationToken,
}

/// When nothing can be accepted, the next attempt is after this long.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a source's connections come from.
#[derive(Debug)]
pub struct Door {
    /// `None`: from standard input.
    pub listener: Option<Listener>,
    /// Connections must speak TLS.
    pub tls: Option<tls::Acceptor>,
    /// What one of them may cost.
    pub limits: Limits,
}

/// Serves connections until it is told to stop, and then waits for those that are at work; or until standard input
/// ends. At most so many are served at once; more wait to be accepted. Returns whether all was well: many connections
/// may end early, but standard input must not.
pub async fn serve(
    door: Door,
    source: Arc<dyn Source>,
    pipeline: Arc<Pipeline>,
    stop: Stop,
) -> bool {
    let Door {
        listener,
        tls,
        limits,
    } = door;
    let handle = |stream, peer: Peer| {
        let (source, pipeline, tls) = (source.clone(), pipeline.clone(), tls.clone());
        let soon = stop.soon.clone();
        async move {
            let _connected = pipeline.stage.meter().connected();
            let served = async {
                let stream = impatient(stream, limits.patience.0);
                let stream = greet(stream, tls, limits.patience.0).await?;
                let way = pipeline.way();
                let connection = Connection {
                    stream,
                    way,
                    soon,
                    limits,
                    peer: peer.clone(),
                };
                source.serve(connection).await
            };
            let served = served.await;
            let _ = served
                .as_ref()
                .inspect_err(|reason| pipeline.ended(&peer, reason));
            served.is_ok()
        }
    };
    let Some(listener) = listener else {
        let stdin: Stream = Box::new(tokio::io::join(tokio::io::stdin(), tokio::io::empty()));
        let served = handle(stdin, Peer::Local);
        return stop.now.run_until_cancelled(served).await == Some(true);
    };
    let place = listener.place();
    let mut beside = std::pin::pin!(async {
        source.beside(place).await;
        std::future::pending::<()>().await;
    });
    let seats = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    loop {
        let accepted = async {
            let seat = seats.clone().acquire_owned().await;
            let seat = seat.expect("the semaphore is never closed");
            (seat, listener.accept().await)
        };
        let (seat, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.soon.cancelled() => break,
            () = &mut beside => continue,
        };
        let Ok((stream, peer)) = accepted else {
            // No file is left to open, or the sender is gone already: others may have more luck.
            sleep(PAUSE).await;
            continue;
        };
        let (now, work) = (stop.now.clone(), handle(stream, peer));
        tasks.spawn(async move {
            let _seat = seat;
            now.run_until_cancelled(work).await;
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
    true
}

/// Who does not take what is written is not waited for longer: an answer that nobody reads must not hold a connection
/// for ever.
fn impatient(stream: Stream, patience: Duration) -> Stream {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    Box::new(Box::pin(stream))
}

/// The handshake of TLS, if there is one.
async fn greet(
    stream: Stream,
    tls: Option<tls::Acceptor>,
    patience: Duration,
) -> Result<Stream, Ended> {
    let Some(tls) = tls else { return Ok(stream) };
    match timeout(patience, tls.accept(stream)).await {
        Ok(accepted) => accepted.map_err(Ended::Tls),
        Err(_) => Err(Ended::Late("the TLS handshake", patience)),
    }
}
