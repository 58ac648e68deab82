//! A downstream that is slow, and one that reads nothing: senders are held back, memory stays bounded, and all gets through
//! in the end.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::downstream::Mood;
use crate::load::{Habits, Load};
use crate::peers::Protocol;
use crate::scene::Scene;

/// What the stage's configuration says that it may hold.
const ROOM: u64 = 16 << 20;

/// What is to be expected beside it: what packed batches are unpacked to (as much again), batches that are being tagged,
/// converted or packed, one on each of two threads, and what connections have for themselves.
const BESIDE: u64 = ROOM + (48 << 20);

/// Senders at once; they have far more to send than there is room.
const SENDERS: usize = 12;

/// Nothing moves for so long.
const STILL: Duration = Duration::from_secs(1);

async fn senders_are_held_back(source: Protocol, sink: Protocol) {
    let more = format!("    room: {ROOM}B\n    retry: {{ limit: 300s }}\n");
    let limits = ", limits: { largest: 8MiB }";
    let scene = Scene::new(source, sink, SENDERS, limits, &more).await;
    let before = scene.stage.memory("VmRSS:");
    let habits = Habits {
        window: (source == Protocol::Forward).then_some(60),
        large: source == Protocol::Http,
        ..Habits::default()
    };
    let to = scene.stage.address();
    let load = Load::with(habits, source, to, SENDERS, 6000, &scene.ledger);
    let mut told = Vec::new();
    for mood in [
        Mood::Slow(Duration::from_millis(5)),
        Mood::Deaf,
        Mood::Well,
        Mood::Mute,
    ] {
        scene.downstream.mood.send_replace(mood);
        match mood {
            Mood::Well | Mood::Slow(_) => load.advance(30).await,
            Mood::Deaf | Mood::Mute => {
                still(|| load.sent()).await;
                // About 400 bytes a record.
                told.push(((load.sent() - load.acknowledged()) * 400) >> 20);
            }
        }
    }
    let most = scene.stage.memory("VmHWM:");
    println!(
        "{source:?} → {sink:?}: held back with about {told:?} MB under way, sockets included; memory {} MB before, {} MB at \
         most, room {} MB",
        before >> 20,
        most >> 20,
        ROOM >> 20
    );
    assert!(most < before + ROOM + BESIDE, "{} MB", most >> 20);
    scene.downstream.mood.send_replace(Mood::Well);
    scene.end(load).await;
}

/// Waits until a figure stays as it is: senders cannot write any more.
async fn still(figure: impl Fn() -> u64) {
    let (mut last, mut since) = (figure(), Instant::now());
    while since.elapsed() < STILL {
        sleep(Duration::from_millis(10)).await;
        let now = figure();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_are_held_back_by_a_forward_downstream() {
    senders_are_held_back(Protocol::Forward, Protocol::Forward).await;
    senders_are_held_back(Protocol::Http, Protocol::Forward).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_are_held_back_by_an_http_downstream() {
    senders_are_held_back(Protocol::Http, Protocol::Http).await;
    senders_are_held_back(Protocol::Forward, Protocol::Http).await;
}
