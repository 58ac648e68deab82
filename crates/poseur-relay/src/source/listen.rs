//! Connections accepted, counted and ended, whatever they speak.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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

/// Accepts connections until it is told to stop, and then waits for those that are at work. At most so many are
/// served at once; more wait to be accepted. What `connection` makes of each is given up when all is.
pub async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    connections: usize,
    stop: Stop,
    connection: impl Fn(TcpStream, SocketAddr) -> F,
) {
    let seats = Arc::new(Semaphore::new(connections));
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
        };
        let Ok((stream, peer)) = accepted else {
            // No file is left to open, or the sender is gone already: others may have more luck.
            sleep(PAUSE).await;
            continue;
        };
        let (now, work) = (stop.now.clone(), connection(stream, peer));
        tasks.spawn(async move {
            let _seat = seat;
            now.run_until_cancelled(work).await;
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}
