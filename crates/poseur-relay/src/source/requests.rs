//! Requests of one HTTP connection, of HTTP/2 several at once: delivered one after the other, in the order in which they came.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::timeout;

use super::{Connection, Ended, Limits};
use crate::pipeline::Way;

/// Requests on a connection at once. They are delivered one after the other, so more would only wait.
const AT_ONCE: u32 = 8;

/// So much of a request comes before it has room.
const WINDOW: u32 = 128 << 10;

/// So much of all of them. Requests that wait must not take the window from the one that is read: it would never end.
const ALL_WINDOWS: u32 = AT_ONCE * WINDOW;

/// When all is answered, a sender has so long to close the connection that we would close.
const GOODBYE: Duration = Duration::from_secs(1);

/// The way of a connection, which its requests take in [`turn`].
pub type Shared = Arc<Mutex<Way>>;

/// The answer to a request.
pub struct Answer<B> {
    /// What its sender gets.
    pub response: Response<B>,
    /// Why the request was refused, if it was we who did.
    pub refused: Option<Refused>,
}

/// Why a source has refused a request by itself.
pub struct Refused {
    /// The kind of reason, in a word.
    pub kind: &'static str,
    /// The reason.
    pub reason: String,
}

impl<B> From<Response<B>> for Answer<B> {
    fn from(response: Response<B>) -> Answer<B> {
        let refused = None;
        Answer { response, refused }
    }
}

/// Serves the requests of a connection until its end: until its sender or [`Connection::soon`] ends it, or nothing was
/// asked for long. What was asked by then is answered.
///
/// `answer` is called for each request in the order in which they came; the answers are made side by side.
///
/// # Errors
/// If it ended early.
pub async fn serve<F, B>(
    builder: auto::Builder<TokioExecutor>,
    connection: Connection,
    answer: impl Fn(Request<Incoming>, &Shared) -> F + Send,
) -> Result<(), Ended>
where
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let Connection {
        stream,
        way,
        soon,
        limits,
        peer,
    } = connection;
    let pipeline = way.pipeline().clone();
    let way = Arc::new(Mutex::new(way));
    let unanswered = Unanswered::default();
    let service = service_fn(|request| {
        let (answer, open) = (answer(request, &way), unanswered.one());
        let (pipeline, peer) = (pipeline.clone(), peer.clone());
        async move {
            let _open = open;
            let Answer { response, refused } = answer.await;
            if let Some(Refused { kind, reason }) = refused {
                pipeline.turned_away(&peer, kind, &reason);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(|error| Ended::Broken(error.to_string())),
        () = soon.cancelled() => {}
        // hyper's own limits begin when it knows which version is spoken.
        () = unanswered.none_for(limits.idle.0) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = unanswered.none_for(GOODBYE) => {}
    }
    Ok(())
}

/// How connections are served, but for which versions of HTTP they may speak.
pub fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience.0.min(limits.idle.0));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.patience.0)
        .max_concurrent_streams(AT_ONCE)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(ALL_WINDOWS);
    builder
}

/// Requests of a connection that are not answered yet.
#[derive(Clone, Default)]
struct Unanswered(Arc<watch::Sender<usize>>);

/// A request that is not answered yet.
struct Open(Unanswered);

impl Unanswered {
    /// Counts one more, until what is returned is dropped.
    fn one(&self) -> Open {
        self.0.send_modify(|open| *open += 1);
        Open(self.clone())
    }

    /// Waits until there was none for so long.
    async fn none_for(&self, limit: Duration) {
        let mut open = self.0.subscribe();
        loop {
            let is_silent = *open.borrow_and_update() == 0;
            let changed = match is_silent {
                true => timeout(limit, open.changed()).await,
                false => Ok(open.changed().await),
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| *open -= 1);
    }
}

/// What the requests of a connection share, one after the other. Who calls this first has it first, whenever the result
/// is awaited: requests that come together are run by different threads, which may begin with any of them.
pub fn turn<T>(shared: &Arc<Mutex<T>>) -> impl Future<Output = OwnedMutexGuard<T>> + use<T> {
    let mut turn = Box::pin(shared.clone().lock_owned());
    // A place in the queue is taken when a lock is first polled.
    let polled = turn.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    async move {
        match polled {
            Poll::Ready(guard) => guard,
            Poll::Pending => turn.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_first_is_first() {
        let shared = Arc::new(Mutex::new(Vec::new()));
        let held = turn(&shared).await;
        let waiting: Vec<_> = (0..9).map(|_| turn(&shared)).collect();
        drop(held);
        // The last is awaited first; one of them is given up.
        let mut tasks = Vec::new();
        for (number, turn) in waiting.into_iter().enumerate().rev() {
            if number != 4 {
                tasks.push(tokio::spawn(async move { turn.await.push(number) }));
                tokio::task::yield_now().await;
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*shared.lock().await, [0, 1, 2, 3, 5, 6, 7, 8]);
    }
}
