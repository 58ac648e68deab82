//! Frames through workers, on one thread or on many, and out in the order in which they came in.
//!
//! With many threads, one reads, and each worker takes the next frame that is waiting. When it has
//! decided about the records it waits for its turn: frames are delivered in the order of their
//! numbers, by the workers themselves, straight from the input's buffer. The worker with the lowest
//! number never waits, so there is always one that gets on. Frames in flight are bounded by the
//! number of buffers, which go round, and where lines are long by their bytes.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use poseur_tagger::frames::FRAME;

use crate::input::{Feed, Job};

/// All buffers together take about as much, unless lines are long.
const MEMORY: usize = 8 << 20;

/// While more than this is in flight, nothing is read.
const MOST_IN_FLIGHT: usize = 12 << 20;

/// A frame with more bytes than this leaves much memory behind in the worker that read it. All of
/// them are for the first worker, so that no other's memory grows; there is never more than one
/// of the largest on its way.
pub const LARGE: usize = FRAME;

/// What is done with a frame.
pub trait Worker: Send {
    /// What frames are delivered to, in order.
    type Sink: Send;

    /// Works on a frame. Whatever is done with `turn` is done in the order of the frames; all else
    /// happens on several threads at once.
    ///
    /// # Errors
    /// Those of delivering; they end the run.
    fn work(&mut self, job: &Job, turn: &mut Turn<'_, Self::Sink>) -> io::Result<()>;
}

/// A worker's access to the sink.
pub enum Turn<'a, S> {
    /// There is only one worker.
    Alone(&'a mut S),
    /// There are others: wait until those before have delivered.
    Ordered {
        /// The frames in flight.
        queue: &'a Queue,
        /// The sink.
        sink: &'a Mutex<&'a mut S>,
        /// Which frame this is.
        number: u64,
    },
}

impl<S> Turn<'_, S> {
    /// Delivers to the sink, once all frames before this one have been delivered.
    ///
    /// # Errors
    /// Those of `deliver`.
    pub fn take(&mut self, deliver: impl FnOnce(&mut S) -> io::Result<()>) -> io::Result<()> {
        match self {
            Turn::Alone(sink) => deliver(sink),
            Turn::Ordered {
                queue,
                sink,
                number,
            } => {
                if !queue.wait_for(*number) {
                    return Ok(());
                }
                deliver(&mut lock(sink))
            }
        }
    }
}

/// How large frames should be for a number of threads.
pub fn frame_size(threads: usize) -> usize {
    (MEMORY / buffers(threads)).clamp(64 << 10, FRAME)
}

/// Two for each worker: one to work on, one that is being read meanwhile.
fn buffers(threads: usize) -> usize {
    if threads > 1 { 2 * threads } else { 1 }
}

/// Runs all frames of a feed through the workers, each on a thread of its own if there are several.
///
/// # Errors
/// The first error of delivering. The feed reports its own.
pub fn run<W: Worker>(feed: Feed, workers: &mut [W], sink: &mut W::Sink) -> io::Result<()> {
    match workers {
        [] => Ok(()),
        [worker] => alone(feed, worker, sink),
        workers => together(feed, workers, sink),
    }
}

fn alone<W: Worker>(mut feed: Feed, worker: &mut W, sink: &mut W::Sink) -> io::Result<()> {
    let mut job = Job::default();
    while feed.next(&mut job) {
        worker.work(&job, &mut Turn::Alone(sink))?;
    }
    Ok(())
}

fn together<W: Worker>(mut feed: Feed, workers: &mut [W], sink: &mut W::Sink) -> io::Result<()> {
    let queue = Arc::new(Queue::new(buffers(workers.len()), feed.frame_size()));
    let reading = queue.clone();
    // Not a scoped thread: a reader may be waiting for input that never comes while the output is
    // closed already, and nobody waits for it then.
    let reader = thread::spawn(move || {
        let _end = EndOnPanic(&reading);
        while let Some(mut job) = reading.buffer() {
            if !feed.next(&mut job) {
                break;
            }
            reading.push(job);
        }
        reading.close();
    });
    let sink = Mutex::new(sink);
    thread::scope(|scope| {
        for (at, worker) in workers.iter_mut().enumerate() {
            let (queue, sink) = (&*queue, &sink);
            scope.spawn(move || {
                let _end = EndOnPanic(queue);
                while let Some((number, job)) = queue.pop(at == 0) {
                    let outcome = worker.work(
                        &job,
                        &mut Turn::Ordered {
                            queue,
                            sink,
                            number,
                        },
                    );
                    queue.done(number, job, outcome);
                }
            });
        }
    });
    let outcome = lock(&queue.state).failed.take();
    match outcome {
        Some(error) => Err(error),
        None => {
            // The workers have ended because the reader has; a panic of its is passed on.
            if let Err(panic) = reader.join() {
                std::panic::resume_unwind(panic);
            }
            Ok(())
        }
    }
}

/// The frames in flight.
pub struct Queue {
    state: Mutex<State>,
    /// Something changed that somebody may be waiting for.
    changed: Condvar,
    frame_size: usize,
}

struct State {
    /// Read, and waiting for a worker.
    waiting: VecDeque<(u64, Job)>,
    /// Buffers that are not in use.
    free: Vec<Job>,
    /// Bytes of memory of the buffers that are in use.
    in_flight: usize,
    /// The number of the next frame to be read.
    next: u64,
    /// The number of the frame whose turn it is to be delivered.
    turn: u64,
    /// No more frames come.
    closed: bool,
    /// Nothing is delivered any more.
    stopped: bool,
    failed: Option<io::Error>,
}

impl Queue {
    fn new(buffers: usize, frame_size: usize) -> Queue {
        Queue {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                free: (0..buffers).map(|_| Job::default()).collect(),
                in_flight: 0,
                next: 0,
                turn: 0,
                closed: false,
                stopped: false,
                failed: None,
            }),
            changed: Condvar::new(),
            frame_size,
        }
    }

    /// Waits until `ready` gives something.
    fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = lock(&self.state);
        loop {
            if let Some(result) = ready(&mut state) {
                return result;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    /// A free buffer; `None` if nothing more is to be read.
    fn buffer(&self) -> Option<Job> {
        self.wait(|state| match state.stopped {
            true => Some(None),
            false if state.in_flight > MOST_IN_FLIGHT => None,
            false => state.free.pop().map(Some),
        })
    }

    fn push(&self, job: Job) {
        self.change(|state| {
            state.in_flight += job.frame.capacity();
            state.waiting.push_back((state.next, job));
            state.next += 1;
        });
    }

    /// The next frame to work on; `None` if there are no more. A large one is left to the `first`
    /// worker: frames are taken in order, so that worker cannot be waiting for it.
    fn pop(&self, first: bool) -> Option<(u64, Job)> {
        self.wait(|state| {
            if state.stopped {
                return Some(None);
            }
            match state.waiting.front() {
                None if state.closed => Some(None),
                None => None,
                Some((_, job)) if !first && job.frame.bytes().len() > LARGE => None,
                Some(_) => state.waiting.pop_front().map(Some),
            }
        })
    }

    /// Waits for a frame's turn; `false` if it will not come.
    fn wait_for(&self, number: u64) -> bool {
        self.wait(|state| match state.stopped {
            true => Some(false),
            false => (state.turn == number).then_some(true),
        })
    }

    /// A frame was delivered.
    fn done(&self, number: u64, mut job: Job, outcome: io::Result<()>) {
        if outcome.is_ok() && !self.wait_for(number) {
            return;
        }
        let memory = job.frame.capacity();
        if memory > self.frame_size {
            // Grown for a long line; it may be long until this one is used again.
            job = Job::default();
        }
        self.change(|state| match outcome {
            Ok(()) => {
                state.turn = number + 1;
                state.in_flight -= memory;
                state.free.push(job);
            }
            Err(error) => {
                state.stopped = true;
                state.failed.get_or_insert(error);
            }
        });
    }

    fn close(&self) {
        self.change(|state| state.closed = true);
    }

    fn stop(&self) {
        self.change(|state| state.stopped = true);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves behind is only looked at to end.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// If a thread panics, the others end too, instead of waiting for it.
struct EndOnPanic<'a>(&'a Queue);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::terminal::Messages;

    use super::*;

    /// Delivers the frame's bytes, after a delay that differs from frame to frame.
    struct Copy<'a> {
        worked: &'a AtomicUsize,
        fail_at: Option<usize>,
        panic_at: Option<usize>,
    }

    impl Worker for Copy<'_> {
        type Sink = Vec<u8>;

        fn work(&mut self, job: &Job, turn: &mut Turn<'_, Vec<u8>>) -> io::Result<()> {
            let number = self.worked.fetch_add(1, Ordering::Relaxed);
            for _ in 0..job.line * 7919 % 13 {
                thread::yield_now();
            }
            assert!(
                self.panic_at.is_none_or(|at| number < at),
                "as the test wants it"
            );
            turn.take(|sink| {
                if self.fail_at.is_some_and(|at| number >= at) {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                sink.extend_from_slice(job.frame.bytes());
                Ok(())
            })
        }
    }

    struct Files {
        folder: PathBuf,
        paths: Vec<PathBuf>,
        bytes: Vec<u8>,
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    fn files(name: &str) -> Files {
        let folder = std::env::temp_dir().join(format!("poseur-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut all = Files {
            folder,
            paths: Vec::new(),
            bytes: Vec::new(),
        };
        for file in 0..5 {
            let lines =
                (0..400).map(|line| format!("{file} {line} {}\n", "x".repeat(line * 37 % 211)));
            // The last line has no end.
            let text: String = lines.chain(["end".to_owned()]).collect();
            let path = all.folder.join(file.to_string());
            fs::write(&path, &text).unwrap();
            all.paths.push(path);
            all.bytes.extend_from_slice(text.as_bytes());
        }
        all
    }

    fn feed(files: &Files) -> Feed {
        // Some lines are longer than a frame, some too long.
        Feed::new(&files.paths, 180, Messages::new()).with_frame_size(90)
    }

    #[test]
    fn the_order_stays() {
        let files = files("order");
        for threads in [1, 2, 3, 8] {
            let worked = AtomicUsize::new(0);
            let mut workers: Vec<Copy<'_>> = (0..threads)
                .map(|_| Copy {
                    worked: &worked,
                    fail_at: None,
                    panic_at: None,
                })
                .collect();
            let mut out = Vec::new();
            run(feed(&files), &mut workers, &mut out).unwrap();
            assert!(out == files.bytes, "{threads} threads");
        }
    }

    #[test]
    fn a_failure_ends_all_threads() {
        let files = files("failure");
        for threads in [1, 2, 8] {
            for fail_at in [0, 1, 50] {
                let worked = AtomicUsize::new(0);
                let mut workers: Vec<Copy<'_>> = (0..threads)
                    .map(|_| Copy {
                        worked: &worked,
                        fail_at: Some(fail_at),
                        panic_at: None,
                    })
                    .collect();
                let mut out = Vec::new();
                let error = run(feed(&files), &mut workers, &mut out).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                assert!(files.bytes.starts_with(&out));
            }
        }
    }

    #[test]
    fn a_panic_ends_all_threads() {
        let files = files("panic");
        let worked = AtomicUsize::new(0);
        let mut workers: Vec<Copy<'_>> = (0..4)
            .map(|_| Copy {
                worked: &worked,
                fail_at: None,
                panic_at: Some(20),
            })
            .collect();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(feed(&files), &mut workers, &mut Vec::new())
        }));
        assert!(outcome.is_err());
    }
}
