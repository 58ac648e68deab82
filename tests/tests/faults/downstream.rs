//! A downstream that can be stalled, and one in whose place there is nobody for a while. The one that is killed is a
//! [`process`](crate::process).

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

use crate::command_support::GIVE_UP;
use crate::ledger::Ledger;
use crate::peers::{Keep, Protocol};

/// How a downstream behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// It takes a pause of so long before each message.
    Slow(Duration),
    /// It reads nothing.
    Deaf,
    /// It takes everything and never says so.
    Mute,
}

/// The mood of all connections of a downstream.
#[derive(Debug, Clone)]
pub struct Manner(watch::Receiver<Mood>);

impl Manner {
    /// As it should be, always.
    pub fn well() -> Manner {
        Manner(watch::Sender::new(Mood::Well).subscribe())
    }

    pub async fn may_read(&self) {
        let mut mood = self.0.clone();
        let fits = mood.wait_for(|mood| *mood != Mood::Deaf).await;
        let mood = fits.map(|mood| *mood);
        if let Ok(Mood::Slow(pause)) = mood {
            sleep(pause).await;
        }
    }

    pub async fn may_answer(&self) {
        let _ = self.0.clone().wait_for(|mood| *mood != Mood::Mute).await;
    }
}

/// A downstream. What it has taken outlives it.
pub struct Downstream {
    pub protocol: Protocol,
    pub address: SocketAddr,
    pub ledger: Arc<Ledger>,
    pub mood: watch::Sender<Mood>,
    task: Option<JoinHandle<()>>,
}

impl Downstream {
    pub async fn start(protocol: Protocol, ledger: Arc<Ledger>) -> Downstream {
        let listener = listener().await;
        let mut downstream = Downstream {
            protocol,
            address: listener.local_addr().unwrap(),
            ledger,
            mood: watch::Sender::new(Mood::Well),
            task: None,
        };
        downstream.listen(listener);
        downstream
    }

    fn listen(&mut self, listener: TcpListener) {
        let (protocol, ledger) = (self.protocol, self.ledger.clone());
        let manner = Manner(self.mood.subscribe());
        let keep: Keep = Arc::new(move |message| protocol.read(&ledger, message));
        self.task = Some(tokio::spawn(accept(listener, protocol, keep, manner)));
    }

    /// Ends it: its sockets are closed wherever it was.
    pub async fn kill(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        let _ = task.await;
    }

    /// Starts it again where it was.
    pub async fn revive(&mut self) {
        let bound = timeout(GIVE_UP, async {
            loop {
                // Sockets of the one that was killed may take a moment to go.
                match TcpListener::bind(self.address).await {
                    Ok(listener) => return listener,
                    Err(_) => sleep(Duration::from_millis(1)).await,
                }
            }
        });
        let listener = bound.await.expect("the address is free");
        self.listen(listener);
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}

/// Serves all connections, until it is dropped and they with it.
pub async fn accept(listener: TcpListener, protocol: Protocol, keep: Keep, manner: Manner) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(protocol.serve(stream, keep.clone(), manner.clone()));
        while let Some(ended) = connections.try_join_next() {
            let panicked = ended.is_err_and(|ended| ended.is_panic());
            assert!(!panicked, "the downstream itself failed");
        }
    }
}

/// At an address of its own: a port that somebody leaves is taken by nobody else then.
pub async fn listener() -> TcpListener {
    let number = anything();
    let address = format!(
        "127.{}.{}.{}:0",
        1 + number[0] % 250,
        number[1],
        1 + number[2] % 250
    );
    TcpListener::bind(address).await.unwrap()
}

fn anything() -> [u8; 4] {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&std::time::Instant::now(), &mut hasher);
    std::hash::Hash::hash(&std::process::id(), &mut hasher);
    (std::hash::Hasher::finish(&hasher) as u32).to_be_bytes()
}
