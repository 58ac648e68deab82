//! A thousand connections that say nothing or not enough, while somebody has something to send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::command_support::GIVE_UP;
use crate::peers::Protocol;
use crate::scene::{Scene, until};

/// Connections that the stage serves at once.
const SEATS: usize = 1000;

/// As many files as the system lets us have: our side of each connection is one.
fn many_files() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads and writes the limit that it is given.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    assert!(
        limit.rlim_cur > 3000,
        "too few open files are allowed: `ulimit -Hn`"
    );
}

async fn a_crowd_is_in_nobodys_way(protocol: Protocol, slow: &'static [u8]) {
    many_files();
    let limits =
        format!(", limits: {{ connections: {SEATS}, idle: 10s, patience: 5s, largest: 4MiB }}");
    let more = "    room: 8MiB\n";
    let mut scene = Scene::new(protocol, Protocol::Forward, 2, &limits, more).await;
    let to = scene.stage.address();
    let alone = scene.stage.open();
    let load = scene.load(2, 100);
    load.advance(5).await;
    let (mut crowd, mut largest) = (JoinSet::new(), 0);
    // In two waves, of which the second finds too few seats.
    for wave in [0..SEATS * 6 / 10, SEATS * 6 / 10..SEATS * 3 / 2] {
        let enough = alone + (wave.start + SEATS / 2).min(SEATS * 9 / 10);
        for number in wave {
            crowd.spawn(async move {
                let mut stream = TcpStream::connect(to).await?;
                if number % 2 == 0 {
                    stream.write_all(&slow[..1]).await?;
                    for byte in &slow[1..] {
                        sleep(Duration::from_millis(300)).await;
                        stream.write_all(&[*byte]).await?;
                    }
                }
                // To its end.
                while stream.read(&mut [0; 512]).await? > 0 {}
                std::io::Result::Ok(())
            });
        }
        // They are served while the crowd is there.
        until("the crowd is there", || {
            largest = largest.max(scene.stage.open());
            largest > enough
        })
        .await;
        load.advance(20).await;
    }
    let ended = timeout(GIVE_UP, async {
        while let Some(ended) = crowd.join_next().await {
            // Turned away or closed; how does not matter.
            let _ = ended.expect("no panic");
            largest = largest.max(scene.stage.open());
        }
    });
    ended.await.expect("all of them are closed");
    // Beside the seats: what was open before, and connections downstream.
    assert!(largest <= alone + SEATS + 8, "{largest} files open");
    load.advance(50).await;
    let open = scene.stage.open();
    println!(
        "{protocol:?}: {largest} files open at most, {open} after it, {} MB at most",
        scene.stage.memory("VmHWM:") >> 20
    );
    assert!(open <= alone + 16, "{open} files stay open");
    scene.stage.check();
    scene.end(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forward_crowd_is_in_nobodys_way() {
    a_crowd_is_in_nobodys_way(Protocol::Forward, b"\x93\xA4o365\xC6\x00\x00\x10\x00").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_crowd_is_in_nobodys_way() {
    a_crowd_is_in_nobodys_way(Protocol::Http, b"POST / HTTP/1.1\r\nHost: a").await;
}
