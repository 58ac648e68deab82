//! Pipelines from a configuration: started together, their rules kept up, stopped when all is delivered.

use std::fs;
use std::time::Duration;

use crate::peers::{MATCHING, OTHER, Peer, downstream, event, id};
use poseur_relay::config::Config;
use poseur_relay::serve::Relay;
use tokio::time::{sleep, timeout};

const RULE: &str = "title: Sent\nid: aaaaaaaa-0000-4000-8000-000000000001\n\
logsource: {category: test}\ndetection:\n  sent: {event.action: MessageSent}\n  condition: sent\n";

/// Sends a record and answers whether it came out tagged.
async fn is_tagged(sender: &mut Peer, got: &crate::peers::Got, json: &str) -> bool {
    let event = event(json);
    sender.send(&event, id("one")).await;
    assert_eq!(sender.ack().await.unwrap(), b"one");
    let got = got.lock().unwrap();
    got.last().expect("it is there").1 != event
}

#[tokio::test]
async fn rules_are_read_again_and_bad_ones_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(
        rules.join("sent.yml"),
        RULE.replace("MessageSent", "Nothing"),
    )
    .unwrap();
    let (to, got) = downstream(usize::MAX).await;
    let text = format!(
        "pipelines:\n  own:\n    rules: [{rules:?}]\n    source: {{ type: forward, listen: 127.0.0.1:0 }}\n    \
         sink: {{ type: forward, connect: ['{to}'] }}\n  built-in:\n    rules: [builtin, {rules:?}]\n    \
         source: {{ type: forward, listen: 127.0.0.1:0 }}\n    sink: {{ type: forward, connect: ['{to}'] }}\n"
    );
    let config = Config::parse("c.yaml", &text).unwrap();
    let relay = Relay::start(&config).await.unwrap();
    let address = |name: &str| relay.listening.iter().find(|one| one.0 == name).unwrap().1;
    let mut own = Peer::connect(address("own")).await;
    let mut built_in = Peer::connect(address("built-in")).await;
    assert!(!is_tagged(&mut own, &got, MATCHING).await);
    assert!(is_tagged(&mut built_in, &got, MATCHING).await);
    assert!(!is_tagged(&mut own, &got, OTHER).await);
    fs::write(rules.join("sent.yml"), RULE).unwrap();
    let changed = async {
        while !is_tagged(&mut own, &got, OTHER).await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), changed).await.unwrap();
    // Nothing is left that loads: the last good rule stays.
    fs::write(rules.join("sent.yml"), "title: [").unwrap();
    sleep(Duration::from_millis(2500)).await;
    assert!(is_tagged(&mut own, &got, OTHER).await);
    assert!(
        relay.stop(Duration::from_secs(10)).await,
        "all was delivered"
    );
    assert_eq!(own.message().await, None);
}

#[tokio::test]
async fn what_is_on_its_way_is_waited_for() {
    // Nobody listens there yet.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = free.local_addr().unwrap();
    drop(free);
    let text = format!(
        "pipelines:\n  a:\n    source: {{ type: forward, listen: 127.0.0.1:0 }}\n    \
         sink: {{ type: forward, connect: ['{to}'] }}\n    retry: {{ first: 10ms, longest: 50ms, limit: 60s }}\n"
    );
    for arrives in [true, false] {
        let relay = Relay::start(&Config::parse("c.yaml", &text).unwrap())
            .await
            .unwrap();
        let mut sender = Peer::connect(relay.listening[0].1).await;
        sender.send(&event(OTHER), id("one")).await;
        sleep(Duration::from_millis(200)).await;
        let late = tokio::spawn(async move {
            sleep(Duration::from_millis(500)).await;
            if arrives {
                let listener = tokio::net::TcpListener::bind(to).await.unwrap();
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
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "pipelines:\n  a:\n    rules: [/no/such.yml]\n    source: {{ type: forward, listen: '{address}' }}\n    \
         sink: {{ type: forward, connect: [127.0.0.1:1], shared_key: {{ env: POSEUR_TEST_NOT_SET }} }}\n  b:\n    \
         source: {{ type: forward, listen: '{address}' }}\n    sink: {{ type: forward, connect: [127.0.0.1:1] }}\n"
    );
    let config = Config::parse("c.yaml", &text).unwrap();
    let error = Relay::start(&config).await.unwrap_err();
    let told = error.to_string();
    for part in [
        "a: the variable POSEUR_TEST_NOT_SET is not set",
        "a: /no/such.yml: cannot be read",
        "b: cannot listen on 127.0.0.1:",
    ] {
        assert!(told.contains(part), "{told}");
    }
}
