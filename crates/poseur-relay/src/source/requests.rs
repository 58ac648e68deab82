//! Requests of one HTTP/2 connection: several at once, delivered one after the other, in the order in which they came.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Requests on a connection at once. They are delivered one after the other, so more would only wait.
pub const AT_ONCE: u32 = 8;

/// So much of a request comes before it has room.
pub const WINDOW: u32 = 128 << 10;

/// So much of all of them. Requests that wait must not take the window from the one that is read: it would never end.
pub const ALL_WINDOWS: u32 = AT_ONCE * WINDOW;

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
