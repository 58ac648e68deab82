//! Requests of one HTTP connection, of HTTP/2 several at once: delivered one after the other, in the order in which they came.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::timeout;

/// Requests on a connection at once. They are delivered one after the other, so more would only wait.
pub const AT_ONCE: u32 = 8;

/// So much of a request comes before it has room.
pub const WINDOW: u32 = 128 << 10;

/// So much of all of them. Requests that wait must not take the window from the one that is read: it would never end.
pub const ALL_WINDOWS: u32 = AT_ONCE * WINDOW;

/// When all is answered, a sender has so long to close the connection that we would close.
pub const GOODBYE: Duration = Duration::from_secs(1);

/// Requests of a connection that are not answered yet.
#[derive(Clone, Default)]
pub struct Unanswered(Arc<watch::Sender<usize>>);

/// A request that is not answered yet.
pub struct Open(Unanswered);

impl Unanswered {
    /// Counts one more, until what is returned is dropped.
    pub fn one(&self) -> Open {
        self.0.send_modify(|open| *open += 1);
        Open(self.clone())
    }

    /// Waits until there was none for so long.
    pub async fn none_for(&self, limit: Duration) {
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
