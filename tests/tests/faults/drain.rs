//! SIGTERM: nothing new is taken, what was taken is delivered or not acknowledged, and the process ends well.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::downstream::Mood;
use crate::peers::Protocol;
use crate::scene::{Scene, until};

/// Waits until nobody can connect any more.
async fn closed(to: std::net::SocketAddr) {
    while TcpStream::connect(to).await.is_ok() {
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_is_delivered_before_the_end() {
    for (source, sink) in [
        (Protocol::Forward, Protocol::Forward),
        (Protocol::Http, Protocol::Http),
    ] {
        let mut scene = Scene::new(source, sink, 4, "", "").await;
        let mut load = scene.load(4, 1000);
        load.advance(30).await;
        // It cannot end while somebody waits.
        scene.downstream.mood.send_replace(Mood::Mute);
        let before = scene.ledger.all();
        let ledger = scene.ledger.clone();
        until("something is on its way", || ledger.all() > before).await;
        scene.stage.signal(libc::SIGTERM);
        crate::command_support::poll(|| scene.stage.count("nothing new is taken") > 0);
        tokio::time::timeout(
            crate::command_support::GIVE_UP,
            closed(scene.stage.address()),
        )
        .await
        .expect("nobody can connect any more");
        scene.stage.check();
        scene.downstream.mood.send_replace(Mood::Well);
        assert_eq!(scene.stage.end(), Some(0), "{}", scene.stage.tail());
        scene
            .stage
            .expect("all that was taken has been delivered", 1);
        // Whatever they have no acknowledgement for goes to the next one.
        scene.stage = scene.config.start();
        load.to.send_replace(scene.stage.address());
        load.advance(10).await;
        load.end().await;
        assert!(scene.ledger.all() >= load.acknowledged());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_has_a_limit() {
    let mut scene = Scene::new(Protocol::Forward, Protocol::Http, 2, "", "").await;
    scene.stage = scene.config.start_with(&["--drain", "1"], |_| {});
    let mut load = scene.load(2, 100);
    load.advance(10).await;
    scene.downstream.mood.send_replace(Mood::Mute);
    let before = scene.ledger.all();
    let ledger = scene.ledger.clone();
    until("something is on its way", || ledger.all() > before).await;
    let asked = Instant::now();
    scene.stage.signal(libc::SIGTERM);
    assert_eq!(scene.stage.end(), Some(0), "{}", scene.stage.tail());
    assert!(asked.elapsed() >= Duration::from_secs(1));
    scene.stage.expect("some was not delivered", 1);
    scene.downstream.mood.send_replace(Mood::Well);
    scene.stage = scene.config.start();
    load.to.send_replace(scene.stage.address());
    load.end().await;
    assert!(scene.ledger.all() >= load.acknowledged());
}
