//! Pipelines from a configuration: started together, their rules kept up, stopped when all is delivered.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::peers::{Got, MATCHING, OTHER, Peer, closed, downstream, event, id};
use poseur_relay::config::Config;
use poseur_relay::net::place::Place;
use poseur_relay::serve::Relay;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const RULE: &str = "title: Sent\nid: aaaaaaaa-0000-4000-8000-000000000001\n\
logsource: {category: test}\ndetection:\n  sent: {event.action: MessageSent}\n  condition: sent\n";

/// Sends a record and answers whether it came out tagged.
async fn is_tagged(sender: &mut Peer, got: &Got, json: &str) -> bool {
    let event = event(json);
    sender.send(&event, id("one")).await;
    assert_eq!(sender.ack().await.unwrap(), b"one");
    let got = got.lock().unwrap();
    got.last().expect("it is there").1 != event
}

/// Keeps a relay up in a task of its own, and asks it to read everything again.
struct Kept {
    places: BTreeMap<String, SocketAddr>,
    ask: mpsc::Sender<()>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Relay>,
}

impl Kept {
    async fn new(file: &Path) -> Kept {
        let mut relay = Relay::open(file).await.unwrap();
        let place = |place: &Place| match place {
            Place::Tcp(address) => *address,
            _ => panic!("no address"),
        };
        let places = relay.places().into_iter();
        let places = places.map(|(name, at)| (name.to_owned(), place(&at)));
        let places = places.collect();
        let (ask, mut asked) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = relay.keep_up(&mut asked) => {}
                _ = stopped => {}
            }
            relay
        });
        Kept {
            places,
            ask,
            stop,
            task,
        }
    }

    async fn end(self) -> Relay {
        let _ = self.stop.send(());
        self.task.await.unwrap()
    }
}

/// Waits until a record comes out tagged, or does not.
async fn becomes_tagged(sender: &mut Peer, got: &Got, json: &str, expected: bool) {
    let changed = async {
        while is_tagged(sender, got, json).await != expected {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), changed).await.unwrap();
}

#[tokio::test]
async fn rules_are_read_again_and_bad_ones_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).unwrap();
    let other = RULE.replace("MessageSent", "Nothing");
    fs::write(rules.join("sent.yml"), other).unwrap();
    let (to, got) = downstream(usize::MAX).await;
    let text = format!(
        "pipelines:\n  own:\n    rules: [{rules:?}]\n    source: {{ type: forward, listen: 127.0.0.1:0 }}\n    \
         sink: {{ type: forward, connect: ['{to}'] }}\n  built-in:\n    rules: [builtin, {rules:?}]\n    \
         source: {{ type: forward, listen: 127.0.0.1:0 }}\n    sink: {{ type: forward, connect: ['{to}'] }}\n"
    );
    let file = folder.path().join("poseur.yaml");
    fs::write(&file, &text).unwrap();
    let kept = Kept::new(&file).await;
    let mut own = Peer::connect(kept.places["own"]).await;
    let mut built_in = Peer::connect(kept.places["built-in"]).await;
    assert!(!is_tagged(&mut own, &got, MATCHING).await);
    assert!(is_tagged(&mut built_in, &got, MATCHING).await);
    assert!(!is_tagged(&mut own, &got, OTHER).await);
    fs::write(rules.join("sent.yml"), RULE).unwrap();
    becomes_tagged(&mut own, &got, OTHER, true).await;
    // Nothing is left that loads: the last good rule stays, whoever asks.
    fs::write(rules.join("sent.yml"), "title: [").unwrap();
    kept.ask.send(()).await.unwrap();
    sleep(Duration::from_millis(1500)).await;
    kept.ask.send(()).await.unwrap();
    kept.ask.send(()).await.unwrap();
    assert!(is_tagged(&mut own, &got, OTHER).await);
    // Another key: on the same connection.
    fs::write(rules.join("sent.yml"), RULE).unwrap();
    fs::write(&file, text.replace("  own:\n", "  own:\n    key: posing\n")).unwrap();
    let changed = async {
        loop {
            assert!(is_tagged(&mut own, &got, OTHER).await);
            let last = got.lock().unwrap().last().unwrap().1.clone();
            if last.windows(6).any(|bytes| bytes == b"posing") {
                break;
            }
        }
    };
    timeout(Duration::from_secs(60), changed).await.unwrap();
    let relay = kept.end().await;
    assert!(
        relay.stop(Duration::from_secs(10)).await,
        "all was delivered"
    );
    assert_eq!(own.message().await, None);
}

/// A source that is another: connections end between messages, and who comes again finds the same port.
#[tokio::test]
async fn sources_change_and_nobody_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let (to, got) = downstream(usize::MAX).await;
    let address = closed().await;
    let text = format!(
        "pipelines:\n  a:\n    source: {{ type: forward, listen: '{address}' }}\n    \
         sink: {{ type: forward, connect: ['{to}'] }}\n"
    );
    let file = folder.path().join("poseur.yaml");
    fs::write(&file, &text).unwrap();
    let kept = Kept::new(&file).await;
    let mut sender = Peer::connect(address).await;
    for (number, (from, to)) in [
        (" }\n    sink", ", limits: { connections: 3 } }\n    sink"),
        ("  a:", "  b:"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!is_tagged(&mut sender, &got, OTHER).await, "{number}");
        fs::write(&file, text.replace(from, to)).unwrap();
        assert_eq!(sender.message().await, None);
        sender = Peer::connect(address).await;
    }
    assert!(!is_tagged(&mut sender, &got, OTHER).await);
    // One that cannot be started: the old one goes on.
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    fs::write(&file, text.replace(&address.to_string(), &taken)).unwrap();
    kept.ask.send(()).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert!(!is_tagged(&mut sender, &got, OTHER).await);
    assert!(kept.end().await.stop(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn what_is_on_its_way_is_waited_for() {
    // Nobody listens there yet.
    let to = closed().await;
    let text = format!(
        "pipelines:\n  a:\n    source: {{ type: forward, listen: 127.0.0.1:0 }}\n    \
         sink: {{ type: forward, connect: ['{to}'] }}\n    retry: {{ first: 10ms, longest: 50ms, limit: 60s }}\n"
    );
    for arrives in [true, false] {
        let relay = Relay::start(&Config::parse("c.yaml", &text).unwrap())
            .await
            .unwrap();
        let mut sender = Peer::connect(match relay.places()["a"] {
            Place::Tcp(address) => address,
            _ => panic!("no address"),
        })
        .await;
        sender.send(&event(OTHER), id("one")).await;
        sleep(Duration::from_millis(200)).await;
        let late = tokio::spawn(async move {
            sleep(Duration::from_millis(500)).await;
            if arrives {
                let listener = TcpListener::bind(to).await.unwrap();
                let mut peer = Peer::new(listener.accept().await.unwrap().0);
                let message = peer.message().await.unwrap();
                peer.acknowledge(&message).await;
            }
        });
        let limit = Duration::from_secs(if arrives { 30 } else { 1 });
        assert_eq!(relay.stop(limit).await, arrives);
        late.await.unwrap();
        let expected = arrives.then(|| b"one".to_vec());
        assert_eq!(sender.ack().await, expected);
    }
}

#[tokio::test]
async fn nothing_starts_if_anything_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let free = closed().await;
    let pipeline = |name: &str, listen: SocketAddr, rules: &str, key: &str| {
        format!(
            "  {name}:\n    rules: [{rules}]\n    source: {{ type: forward, listen: '{listen}' }}\n    \
             sink: {{ type: forward, connect: [127.0.0.1:1]{key} }}\n"
        )
    };
    let key = ", shared_key: { env: POSEUR_TEST_NOT_SET }";
    let files = pipeline("a", address, "/no/such.yml", key) + &pipeline("b", free, "builtin", "");
    let places = pipeline("a", free, "builtin", "") + &pipeline("b", address, "builtin", "");
    for (pipelines, parts) in [
        (
            files,
            &[
                "a: the variable POSEUR_TEST_NOT_SET is not set",
                "a: /no/such.yml: cannot be read",
            ][..],
        ),
        (places, &["b: cannot listen on 127.0.0.1:"]),
    ] {
        let config = Config::parse("c.yaml", &format!("pipelines:\n{pipelines}")).unwrap();
        let told = Relay::start(&config).await.unwrap_err().to_string();
        for part in parts {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(told.lines().count(), parts.len(), "{told}");
        // Nobody listens.
        TcpListener::bind(free).await.unwrap();
    }
}
