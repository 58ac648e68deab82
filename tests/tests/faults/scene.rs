//! A stage between senders and a downstream.

use std::sync::Arc;

use tokio::time::{Duration, sleep, timeout};

use crate::command_support::GIVE_UP;
use crate::downstream::Downstream;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::peers::Protocol;
use crate::stage::{Config, Stage};

/// Everything that is needed to see whether records get through.
pub struct Scene {
    pub source: Protocol,
    pub ledger: Arc<Ledger>,
    pub downstream: Downstream,
    pub config: Config,
    pub stage: Stage,
}

impl Scene {
    /// `limits` goes into the source, `more` is further lines of the pipeline.
    pub async fn new(
        source: Protocol,
        sink: Protocol,
        senders: usize,
        limits: &str,
        more: &str,
    ) -> Scene {
        let ledger = Arc::new(Ledger::new(senders, source, sink));
        let downstream = Downstream::start(sink, ledger.clone()).await;
        let to = sink.sink(downstream.address, "300s");
        let config = Config::new(&source.source(limits), &to, more);
        let stage = config.start();
        Scene {
            source,
            ledger,
            downstream,
            config,
            stage,
        }
    }

    /// Senders for it.
    pub fn load(&self, senders: usize, largest: u64) -> Load {
        Load::start(
            self.source,
            self.stage.address(),
            senders,
            largest,
            &self.ledger,
        )
    }

    /// All that senders still have gets through, and nothing is wrong.
    pub async fn end(mut self, mut load: Load) {
        load.end().await;
        self.stage.check();
        assert!(self.ledger.all() >= load.acknowledged() && load.acknowledged() > 0);
    }
}

/// Polls until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let polled = async move {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    async move {
        timeout(GIVE_UP, polled)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"))
    }
}
