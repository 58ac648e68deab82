//! Stage and downstream are killed again and again, under load. What was acknowledged is there, and nothing is altered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::ledger::Ledger;
use crate::load::Load;
use crate::peers::Protocol;
use crate::process::Downstream;
use crate::stage::Config;

/// How often both are killed. `POSEUR_FAULT_ROUNDS` asks for more.
fn rounds() -> u64 {
    let rounds = std::env::var("POSEUR_FAULT_ROUNDS").ok();
    rounds.map_or(5, |rounds| rounds.parse().expect("a number"))
}

/// Senders at once.
const SENDERS: usize = 4;

/// A batch of so many records has about 2 MB.
const LARGEST: u64 = 6000;

async fn nothing_is_lost(source: Protocol, sink: Protocol) {
    let (began, rounds) = (Instant::now(), rounds());
    let ledger = Arc::new(Ledger::new(SENDERS, source, sink));
    let mut downstream = Downstream::start(sink, ledger.clone()).await;
    let to = sink.sink(downstream.address, "5s");
    let config = Config::new(&source.source(""), &to, "");
    let mut stage = config.start();
    let mut load = Load::start(source, stage.address(), SENDERS, LARGEST, &ledger);
    let mut peak = 0;
    for round in 0..rounds {
        load.advance(1 + round % 9).await;
        sleep(a_moment(round)).await;
        peak = peak.max(stage.kill());
        let both = round % 4 == 3;
        if both {
            downstream.kill();
        }
        stage = config.start();
        load.to.send_replace(stage.address());
        if both {
            downstream.revive();
        }
        load.advance(1 + round % 7).await;
        sleep(a_moment(round + 1)).await;
        downstream.kill();
        sleep(a_moment(round + 2)).await;
        downstream.revive();
    }
    load.advance(SENDERS as u64).await;
    load.end().await;
    peak = peak.max(stage.kill());
    // What a sender was told is there, to the last record; more than that may be.
    assert!(ledger.all() >= load.acknowledged());
    assert!(load.reconnects() >= rounds);
    assert!(ledger.tagged.load(Ordering::SeqCst) > 0);
    println!(
        "{source:?} → {sink:?}: {rounds} rounds in {:?}, records: {} sent, {} acknowledged, {} twice or more, {} tagged; \
         {} connections lost; {} MB at most",
        began.elapsed(),
        load.sent(),
        load.acknowledged(),
        ledger.duplicates.load(Ordering::SeqCst),
        ledger.tagged.load(Ordering::SeqCst),
        load.reconnects(),
        peak >> 20,
    );
}

/// Some other time each time, so that the end comes wherever it may.
fn a_moment(round: u64) -> Duration {
    Duration::from_micros(round * 7919 % 23 * 401)
}

macro_rules! pairs {
    ($($name:ident: $source:ident to $sink:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            nothing_is_lost(Protocol::$source, Protocol::$sink).await;
        }
    )*};
}

pairs! {
    nothing_is_lost_from_forward_to_forward: Forward to Forward;
    nothing_is_lost_from_forward_to_http: Forward to Http;
    nothing_is_lost_from_forward_to_vector: Forward to Vector;
    nothing_is_lost_from_http_to_forward: Http to Forward;
    nothing_is_lost_from_http_to_http: Http to Http;
    nothing_is_lost_from_http_to_vector: Http to Vector;
    nothing_is_lost_from_vector_to_forward: Vector to Forward;
    nothing_is_lost_from_vector_to_http: Vector to Http;
    nothing_is_lost_from_vector_to_vector: Vector to Vector;
}
