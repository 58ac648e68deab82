//! Senders that send as much as they may, and send again what was not acknowledged.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use crate::command_support::GIVE_UP;
use crate::ledger::Ledger;
use crate::peers::Protocol;
use crate::records::Batch;

/// Senders at work.
pub struct Load {
    shared: Arc<Shared>,
    /// Where the stage listens.
    pub to: watch::Sender<SocketAddr>,
    tasks: JoinSet<()>,
}

/// How senders use their connections.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// So many batches are under way at once, instead of as many as the protocol's senders usually have.
    pub window: Option<usize>,
    /// After so many batches they end a connection, and make another.
    pub stay: u64,
    /// All batches are large.
    pub large: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            window: None,
            stay: u64::MAX,
            large: false,
        }
    }
}

struct Shared {
    protocol: Protocol,
    ledger: Arc<Ledger>,
    enough: AtomicBool,
    largest: u64,
    habits: Habits,
    ended: AtomicU64,
    sent: AtomicU64,
    /// By sender.
    batches: Vec<AtomicU64>,
    reconnects: AtomicU64,
    acknowledged: Vec<AtomicU64>,
}

impl Load {
    /// So many senders with batches of at most so many records. Every second one packs them.
    pub fn start(
        protocol: Protocol,
        to: SocketAddr,
        senders: usize,
        largest: u64,
        ledger: &Arc<Ledger>,
    ) -> Load {
        Load::with(Habits::default(), protocol, to, senders, largest, ledger)
    }

    /// Senders with other habits.
    pub fn with(
        habits: Habits,
        protocol: Protocol,
        to: SocketAddr,
        senders: usize,
        largest: u64,
        ledger: &Arc<Ledger>,
    ) -> Load {
        let shared = Arc::new(Shared {
            protocol,
            ledger: ledger.clone(),
            enough: AtomicBool::new(false),
            largest,
            habits,
            ended: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            batches: (0..senders).map(|_| AtomicU64::new(0)).collect(),
            reconnects: AtomicU64::new(0),
            acknowledged: (0..senders).map(|_| AtomicU64::new(0)).collect(),
        });
        let (to, mut tasks) = (watch::Sender::new(to), JoinSet::new());
        for sender in 0..senders {
            tasks.spawn(shared.clone().send(sender, to.subscribe()));
        }
        Load { shared, to, tasks }
    }

    /// Records that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        let all = self.shared.acknowledged.iter();
        all.map(|one| one.load(Ordering::SeqCst)).sum()
    }

    /// Records that were written to the stage, some of them again and again.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// How often senders ended their connection themselves.
    pub fn ended(&self) -> u64 {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// How often senders lost their connection.
    pub fn reconnects(&self) -> u64 {
        self.shared.reconnects.load(Ordering::SeqCst)
    }

    /// Waits until so many more batches were acknowledged.
    #[track_caller]
    pub fn advance(&self, batches: u64) -> impl Future<Output = ()> {
        let goal = self.shared.batches().iter().sum::<u64>() + batches;
        self.until(move |batches| batches.iter().sum::<u64>() >= goal)
    }

    /// Waits until everything that was under way by now has been acknowledged.
    #[track_caller]
    pub fn pass(&self) -> impl Future<Output = ()> {
        let window = self.shared.habits.window.unwrap_or(3) as u64;
        let now = self.shared.batches().into_iter();
        let goals: Vec<u64> = now.map(|now| now + window + 1).collect();
        self.until(move |batches| batches.iter().zip(&goals).all(|(now, goal)| now >= goal))
    }

    #[track_caller]
    fn until(&self, holds: impl Fn(Vec<u64>) -> bool) -> impl Future<Output = ()> {
        let shared = self.shared.clone();
        async move {
            let reached = async {
                while !holds(shared.batches()) {
                    sleep(Duration::from_millis(1)).await;
                    shared.ledger.check();
                }
            };
            timeout(GIVE_UP, reached).await.expect("nothing moves");
        }
    }

    /// Has the senders end once all that they have sent is acknowledged.
    pub async fn end(&mut self) {
        self.shared.enough.store(true, Ordering::SeqCst);
        let ended = timeout(GIVE_UP, async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.unwrap();
            }
        });
        ended.await.expect("all is acknowledged at the end");
        self.shared.ledger.check();
    }
}

impl Shared {
    fn batches(&self) -> Vec<u64> {
        let batches = self.batches.iter();
        batches.map(|one| one.load(Ordering::SeqCst)).collect()
    }

    async fn send(self: Arc<Shared>, sender: usize, to: watch::Receiver<SocketAddr>) {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(sender as u64);
        loop {
            let to = *to.borrow();
            let ended = timeout(GIVE_UP, self.connection(sender, to, &mut dice)).await;
            match ended {
                Ok(Ok(())) if self.enough.load(Ordering::SeqCst) => return,
                Ok(Ok(())) => {
                    self.ended.fetch_add(1, Ordering::SeqCst);
                }
                Ok(Err(error)) => {
                    self.reconnects.fetch_add(1, Ordering::Relaxed);
                    if error.to_string().starts_with("WRONG") {
                        self.ledger.wrong(error.to_string());
                    }
                }
                // A connection need not end within this time, but then the next one goes on.
                Err(_) => {}
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Sends on one connection, until it fails, or for as long as is its habit, or until it is enough.
    async fn connection(
        &self,
        sender: usize,
        to: SocketAddr,
        dice: &mut Xoshiro256PlusPlus,
    ) -> io::Result<()> {
        let mut connection = self.protocol.connect(to).await?;
        let window = self.habits.window.unwrap_or(self.protocol.window(sender));
        let mut under_way = VecDeque::new();
        let mut first = self.acknowledged[sender].load(Ordering::SeqCst);
        let mut left = self.habits.stay;
        loop {
            while left > 0 && under_way.len() < window && !self.enough.load(Ordering::SeqCst) {
                left -= 1;
                let end = first + self.size(dice);
                let batch = Batch { sender, first, end };
                connection.send(batch, sender % 2 == 1).await?;
                self.sent.fetch_add(end - first, Ordering::SeqCst);
                under_way.push_back(end);
                first = end;
            }
            let Some(end) = under_way.pop_front() else {
                return Ok(());
            };
            connection.accepted().await?;
            if self.ledger.arrived(sender) < end {
                let what = format!("{sender}-{end} was acknowledged and is not there");
                self.ledger.wrong(what);
            }
            self.acknowledged[sender].store(end, Ordering::SeqCst);
            self.batches[sender].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Most batches are small, few are large.
    fn size(&self, dice: &mut Xoshiro256PlusPlus) -> u64 {
        if self.habits.large {
            return self.largest / 2 + dice.next_u64() % (self.largest / 2);
        }
        let most = match dice.next_u64() % 16 {
            0..=5 => 1,
            6..=11 => 30,
            12..=14 => 400,
            _ => self.largest,
        };
        1 + dice.next_u64() % most.min(self.largest)
    }
}
