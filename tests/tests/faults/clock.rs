//! The wall clock jumps. Timers keep to another clock, and exceptions to this one: they expire and come back with it, and
//! nothing stalls, is lost or panics.

use std::path::PathBuf;

use crate::command_support::RULE_A;
use crate::peers::Protocol;
use crate::scene::{Scene, until};

/// What gives a process another clock, Debian's package `libfaketime`.
fn faketime() -> Option<PathBuf> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let files = folders.map(|name| format!("/usr/lib/{name}/faketime/libfaketimeMT.so.1"));
    files
        .map(PathBuf::from)
        .into_iter()
        .find(|file| file.exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_may_jump() {
    let Some(library) = faketime() else {
        println!("skipped: there is no libfaketime");
        return;
    };
    let mut scene = Scene::new(Protocol::Forward, Protocol::Forward, 3, "", "").await;
    let folder = &scene.config.folder;
    let trusted =
        "- {id: us, reason: it is us, owner: Ann, domain: fabrikam.example, expires: 2026-12-31}\n";
    let exceptions = folder.file("exceptions.yaml", trusted);
    let clock = folder.file("clock", "2026-11-22 12:00:00\n");
    let to = Protocol::Forward.sink(scene.downstream.address, "10s");
    let source = Protocol::Forward.source("");
    let more = format!("    exceptions: ['{exceptions}']\n");
    scene.config.write(&source, &to, &more);
    scene.stage = scene.config.start_with(&[], |command| {
        command.env("LD_PRELOAD", &library);
        command.env("FAKETIME_TIMESTAMP_FILE", &clock);
        command.env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.env("TZ", "UTC");
    });
    scene.ledger.rules.lock().unwrap().clear();
    let load = scene.load(3, 300);
    let rule: &'static str = format!("[\"{RULE_A}\"]").leak();
    for (now, rules) in [
        ("2026-11-22 12:00:00", "[]"),
        ("2027-03-01 00:00:00", rule),
        ("2026-01-01 00:00:00", "[]"),
        ("2037-12-31 23:59:59", rule),
        ("2001-01-01 00:00:00", "[]"),
        ("2026-12-31 00:00:00", "[]"),
    ] {
        scene.config.folder.file("clock.new", format!("{now}\n"));
        // From the jump on tags may be of either time.
        scene.ledger.rules.lock().unwrap().clear();
        std::fs::rename(scene.config.folder.path("clock.new"), &clock).unwrap();
        // What gives the process another clock may look at it late.
        let ledger = scene.ledger.clone();
        until("it is so late", move || {
            *ledger.last.lock().unwrap() == rules
        })
        .await;
        // What was tagged before the jump.
        load.pass().await;
        *scene.ledger.rules.lock().unwrap() = rules.to_owned();
        load.advance(60).await;
        // Retries go on by the other clock.
        scene.downstream.kill().await;
        scene.downstream.revive().await;
        load.advance(20).await;
    }
    scene.end(load).await;
}
