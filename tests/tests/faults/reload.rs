//! Rules, exceptions and the configuration change again and again under load. No record is lost, what is bad changes
//! nothing, and after what is good its tag is there.

use std::fs;

use crate::command_support::{exception, rule};
use crate::downstream::Downstream;
use crate::load::Load;
use crate::peers::Protocol;
use crate::scene::Scene;

const SENDERS: usize = 3;

struct Reloads {
    scene: Scene,
    load: Load,
    good: usize,
    bad: usize,
}

impl Reloads {
    /// Writes a file at once, as who replaces a file under load should.
    fn file(&self, name: &str, text: &str) {
        let new = self.scene.config.folder.file("new", text);
        fs::create_dir_all(self.scene.config.folder.path("rules")).unwrap();
        fs::rename(new, self.scene.config.folder.path(name)).unwrap();
    }

    fn configure(&self, to: std::net::SocketAddr, room: &str) {
        let folder = &self.scene.config.folder;
        let more = format!(
            "    room: {room}\n    rules: ['{}']\n    exceptions: ['{}']\n",
            folder.path("rules"),
            folder.path("exceptions.yaml")
        );
        let sink = Protocol::Forward.sink(to, "10s");
        let source = Protocol::Forward.source(", limits: { largest: 4MiB }");
        self.scene.config.write(&source, &sink, &more);
    }

    /// Asks for a reload, or leaves it to the stage to see that a file has changed.
    fn ask(&self, by_signal: bool) {
        if by_signal {
            self.scene.stage.signal(libc::SIGHUP);
        }
    }

    /// After a good change tags are those, and no others.
    async fn good(&mut self, by_signal: bool, rules: &str) {
        let before = self.scene.stage.count("were read again");
        let wanted = &self.scene.ledger.rules;
        wanted.lock().unwrap().clear();
        self.ask(by_signal);
        self.scene.stage.expect("were read again", before + 1);
        self.good += 1;
        // What was on its way comes with the tags of before.
        self.load.pass().await;
        *wanted.lock().unwrap() = rules.to_owned();
        self.load.advance(40).await;
    }

    /// A bad change is told of, and changes nothing.
    async fn bad(&mut self, by_signal: bool) {
        let before = self.scene.stage.count("nothing was changed");
        self.ask(by_signal);
        self.scene.stage.expect("nothing was changed", before + 1);
        self.bad += 1;
        self.load.advance(20).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_lose_nothing() {
    let scene = Scene::new(Protocol::Forward, Protocol::Forward, SENDERS, "", "").await;
    let mut other = Downstream::start(Protocol::Forward, scene.ledger.clone()).await;
    let load = scene.load(SENDERS, 300);
    let (first, second) = (scene.downstream.address, other.address);
    let mut all = Reloads {
        scene,
        load,
        good: 0,
        bad: 0,
    };
    all.load.advance(10).await;
    let rounds = std::env::var("POSEUR_FAULT_ROUNDS").ok();
    let rounds = rounds.map_or(4, |rounds| rounds.parse::<usize>().unwrap() / 5);
    let mut tagged = String::new();
    for round in 0..rounds {
        let by_signal = round % 3 != 2;
        // Rules.
        let id = format!("00000000-0000-4000-8000-{round:012}");
        let text = rule(&id, "A chat", "Operation", "ChatCreated");
        all.file("rules/a.yml", &text);
        all.file("exceptions.yaml", "[]\n");
        if round == 0 {
            all.configure(first, "8MiB");
        }
        tagged = format!("[\"{id}\"]");
        all.good(by_signal, &tagged).await;
        all.file(
            "rules/a.yml",
            &text.replace("condition: sel", "condition: nobody"),
        );
        all.bad(by_signal).await;
        all.file("rules/a.yml", &text);
        all.good(true, &tagged).await;
        // Exceptions.
        let known = exception("us", "fabrikam.example", "");
        all.file("exceptions.yaml", &known.replace("reason", "raisin"));
        all.bad(by_signal).await;
        all.file("exceptions.yaml", "[]\n");
        all.good(true, &tagged).await;
        // The configuration: its connections end when the source is another, and its downstream may be.
        let room = ["8MiB", "9MiB"][round % 2];
        all.configure([second, first][round % 2], room);
        all.good(by_signal, &tagged).await;
        all.scene.config.folder.file("c.yaml", "pipelines: nothing");
        all.bad(by_signal).await;
        all.configure([second, first][round % 2], room);
        all.good(true, &tagged).await;
    }
    assert!(!tagged.is_empty());
    let Reloads {
        scene,
        load,
        good,
        bad,
    } = all;
    println!(
        "{good} good and {bad} bad reloads, {} connections ended",
        load.reconnects()
    );
    assert!(load.reconnects() >= SENDERS as u64);
    scene.end(load).await;
    other.kill().await;
}
