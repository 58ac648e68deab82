//! What an operator sees: health, metrics, the live page and its events.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use poseur_relay::admin::{Admin, Config};
use poseur_relay::batch::{Batch, Body};
use poseur_relay::config::Config as PipelinesConfig;
use poseur_relay::net::place::Place;
use poseur_relay::serve::Relay;
use poseur_relay::stage::Stage;
use poseur_relay::telemetry::quiet::Quiet;
use poseur_relay::telemetry::{Meter, Telemetry};
use poseur_rule::pack;
use poseur_tagger::TagOptions;
use poseur_tests::protobuf;
use poseur_tests::tagging::{RULE_A, RULE_B, compile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;

use crate::peers::{MATCHING, OTHER, Peer, downstream, event, id};

const LIMIT: Duration = Duration::from_secs(60);

/// An address that answers for this telemetry.
async fn admin(telemetry: &Arc<Telemetry>) -> (SocketAddr, CancellationToken) {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        insecure: false,
    };
    let admin = Admin::open(&config).await.unwrap();
    let (address, stop) = (admin.address().unwrap(), CancellationToken::new());
    tokio::spawn(admin.serve(telemetry.clone(), stop.clone()));
    (address, stop)
}

/// The whole answer to a request.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = timeout(LIMIT, read).await.expect("the answer ends");
    String::from_utf8(answer).unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n");
    ask(address, &request).await
}

/// What comes on an open stream, until this is in it.
async fn until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&all).contains(wanted) {
            assert!(stream.read_buf(&mut all).await.unwrap() > 0, "it ended");
        }
    };
    timeout(LIMIT, read).await.expect(wanted);
    String::from_utf8(all).unwrap()
}

/// Lets a stage tag some lines.
fn tag(stage: &Stage, lines: &str) {
    let body = Body::Lines(lines.as_bytes().to_vec().into());
    stage.tag(Batch::new(Bytes::new(), body), Timestamp::now());
}

#[tokio::test]
async fn every_path_answers() {
    let telemetry = Arc::new(Telemetry::default());
    let (address, _stop) = admin(&telemetry).await;
    let page = get(address, "/").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; script-src 'sha256-",
    ] {
        assert!(page.contains(&format!("\r\n{header}")), "{header}\n{page}");
    }
    assert!(page.ends_with("</html>\n"));
    for (path, status) in [
        ("/healthz", "200 OK"),
        ("/metrics", "200 OK"),
        // There is no pipeline.
        ("/readyz", "503 Service Unavailable"),
        ("/favicon.ico", "404 Not Found"),
        ("/metrics/", "404 Not Found"),
        ("/../metrics", "404 Not Found"),
    ] {
        let answer = get(address, path).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{path} {answer}"
        );
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"));
    }
    for (request, status) in [
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
            "405",
        ),
        ("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n", "405"),
        // The browser of somebody here, on a page of somebody elsewhere.
        ("GET /events HTTP/1.1\r\nHost: evil.example:9765\r\n", "421"),
        ("GET /metrics HTTP/1.1\r\nHost: [::1]:9765\r\n", "200"),
        ("nonsense\r\n", "400"),
    ] {
        let answer = ask(address, &format!("{request}Connection: close\r\n\r\n")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}{answer}"
        );
    }
    for path in ["/", "/metrics", "/events", "/healthz"] {
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = ask(address, &head).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{path} {answer}");
    }
}

#[tokio::test]
async fn matches_are_counted_and_told() {
    let telemetry = Arc::new(Telemetry::default());
    let (address, stop) = admin(&telemetry).await;
    let meter = telemetry.meter("teams");
    meter.set_listening(Some("tcp 127.0.0.1:1".into()));
    let stage = Stage::on(
        meter.clone(),
        compile(pack::built_in(), Vec::new()),
        TagOptions::default(),
    );
    tag(&stage, &format!("{MATCHING}\n{{\n{{}}\n"));

    let mut events = TcpStream::connect(address).await.unwrap();
    let request = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    events.write_all(request).await.unwrap();
    // What happened before somebody looked on.
    let told = until(&mut events, "event: matches\n").await;
    assert!(
        told.contains("\r\ncontent-type: text/event-stream\r\n"),
        "{told}"
    );
    let told = told + &until(&mut events, "\n\n").await;
    for part in [
        "\"who\":\"helpdesk@fabrikam.example\"",
        "\"pipeline\":\"teams\"",
        "\"time\":\"2026-11-20T08:00:00\"",
        "\"keyword\":\"helpdesk\"",
        "\"suppressed\":null",
        &format!("\"rule\":\"{RULE_A}\""),
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    // And what happens then.
    tag(&stage, &MATCHING.replace("fabrikam", "<b>x"));
    until(&mut events, "helpdesk@<b>x.example").await;
    until(&mut events, "\"matches\":2,").await;

    let metrics = get(address, "/metrics").await;
    for line in [
        &format!("poseur_matches_total{{pipeline=\"teams\",rule=\"{RULE_A}\"}} 2"),
        "poseur_records_total{pipeline=\"teams\"} 4",
        "poseur_matched_records_total{pipeline=\"teams\"} 2",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}\n{metrics}");
    }
    // Who has seen the first match is told of the second only.
    let id = told
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    for request in [
        format!("GET /events?after={id} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {id}\r\n\r\n"),
    ] {
        let mut events = TcpStream::connect(address).await.unwrap();
        events.write_all(request.as_bytes()).await.unwrap();
        let told = until(&mut events, "helpdesk@<b>x.example").await;
        assert!(!told.contains("fabrikam"), "{told}");
    }
    stop.cancel();
    let mut rest = Vec::new();
    let ended = timeout(LIMIT, events.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "who looks on is cut off at the end");
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let telemetry = Arc::new(Telemetry::default());
    let (address, _stop) = admin(&telemetry).await;
    let (one, other) = (telemetry.meter("one"), telemetry.meter("other"));
    one.set_listening(Some("here".into()));
    let answer = get(address, "/readyz").await;
    assert!(
        answer.ends_with("\r\n\r\nother: the source does not listen\n"),
        "{answer}"
    );
    other.set_listening(Some("there".into()));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    one.failed("127.0.0.1:1: connection refused");
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("\none: the sink fails: 127.0.0.1:1: connection refused\n"),
        "{answer}"
    );
    one.accepted(1, Duration::from_millis(1));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
}

/// Time is not waited for: it passes when nothing else happens.
#[tokio::test(start_paused = true)]
async fn who_is_slow_is_cut_off() {
    let telemetry = Arc::new(Telemetry::default());
    let (address, _stop) = admin(&telemetry).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: loc", "GET /"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{answer}"
        );
    }
}

/// From a configuration: figures of a whole pipeline; the address stays, moves and goes with the configuration.
#[tokio::test]
async fn a_relay_shows_itself() {
    let (to, _) = downstream(usize::MAX).await;
    let config = |admin: &str| {
        let text = format!(
            "pipelines:\n  teams:\n    source: {{ type: forward, listen: 127.0.0.1:0 }}\n    \
             sink: {{ type: forward, connect: ['{to}'] }}\n{admin}"
        );
        PipelinesConfig::parse("c.yaml", &text)
    };
    let here = config("admin: { listen: 127.0.0.1:0 }\n").unwrap();
    let mut relay = Relay::start(&here).await.unwrap();
    let address = relay.admin().unwrap();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    let Place::Tcp(source) = relay.places()["teams"].clone() else {
        panic!("no address");
    };
    let mut sender = Peer::connect(source).await;
    let events = [event(MATCHING), event(OTHER)].concat();
    sender.send(&events, id("one")).await;
    assert_eq!(sender.ack().await.unwrap(), b"one");
    let metrics = get(address, "/metrics").await;
    let bytes = events.len();
    for line in [
        "poseur_records_total{pipeline=\"teams\"} 2",
        "poseur_batches_total{pipeline=\"teams\",result=\"delivered\"} 1",
        "poseur_connections{pipeline=\"teams\"} 1",
        "poseur_source_listening{pipeline=\"teams\"} 1",
        "poseur_ack_latency_seconds_count{pipeline=\"teams\"} 1",
        "poseur_room_bytes{pipeline=\"teams\"} 33554432",
        &format!("poseur_received_bytes_total{{pipeline=\"teams\"}} {bytes}"),
        &format!("poseur_matches_total{{pipeline=\"teams\",rule=\"{RULE_A}\"}} 1"),
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}\n{metrics}");
    }
    let delivered = metrics
        .lines()
        .find_map(|line| line.strip_prefix("poseur_delivered_bytes_total{pipeline=\"teams\"} "));
    assert!(
        delivered.unwrap().parse::<usize>().unwrap() > bytes,
        "with a tag"
    );

    relay.change(&here).await.unwrap();
    assert_eq!(relay.admin(), Some(address), "it stays");
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = taken.local_addr().unwrap();
    let elsewhere = config(&format!("admin: {{ listen: '{place}' }}\n")).unwrap();
    let error = relay.change(&elsewhere).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("admin: cannot listen on {place}: ")),
        "{error}"
    );
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    drop(taken);
    relay.change(&elsewhere).await.unwrap();
    assert!(get(place, "/healthz").await.starts_with("HTTP/1.1 200 "));
    let metrics = get(place, "/metrics").await;
    assert!(
        metrics.contains("poseur_records_total{pipeline=\"teams\"} 2\n"),
        "{metrics}"
    );
    refused(address).await;
    relay.change(&config("").unwrap()).await.unwrap();
    assert_eq!(relay.admin(), None);
    refused(place).await;

    let open = config("admin: { listen: 0.0.0.0:9765 }\n").unwrap_err();
    assert!(
        open[0].to_string().starts_with("c.yaml: admin.listen: "),
        "{open:?}"
    );
}

/// Waits until nobody answers there.
async fn refused(address: SocketAddr) {
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, refused).await.expect("nobody answers");
}

#[test]
fn figures_outlive_a_reload() {
    let telemetry = Telemetry::default();
    let meter = telemetry.meter("a");
    let options = TagOptions::default;
    let all = || compile(pack::built_in(), Vec::new());
    let stage = Stage::on(meter.clone(), all(), options());
    let found = || -> Vec<u64> {
        let rules = meter.rules();
        rules.values().map(|tally| tally.matches.get()).collect()
    };
    assert_eq!(found(), [0, 0]);
    // The second rule looks 30 days back.
    let now = Timestamp::now();
    let row = format!(
        r#"{{"Timestamp":"{now}","IsExternalThread":true,"RecipientDetails":"Help Desk"}}"#
    );
    tag(&stage, &format!("{MATCHING}\n{row}\n"));
    assert_eq!(found(), [1, 1]);
    // A rule goes, and comes back later; another one stays.
    let mut rules = pack::built_in();
    rules.retain(|rule| rule.id == RULE_A);
    stage.replace(compile(rules, Vec::new()), options());
    assert_eq!(found(), [1]);
    tag(&stage, &format!("{MATCHING}\n{row}\n"));
    assert_eq!(found(), [2]);
    stage.replace(all(), options());
    tag(&stage, &format!("{MATCHING}\n"));
    assert_eq!(meter.rules()[RULE_A].matches.get(), 3);
    assert_eq!(meter.rules()[RULE_B].matches.get(), 0);
    // A pipeline that starts anew under the same name goes on where it was.
    let again = Stage::on(telemetry.meter("a"), all(), options());
    tag(&again, MATCHING);
    assert_eq!(meter.rules()[RULE_A].matches.get(), 4);
    assert_eq!(meter.counts().records, 6);
}

#[test]
fn events_of_a_request_are_counted() {
    let meter = Arc::new(Meter::default());
    let all = compile(pack::built_in(), Vec::new());
    let stage = Stage::on(meter.clone(), all, TagOptions::default());
    let fields = protobuf::packed(MATCHING.as_bytes()).unwrap();
    let request = protobuf::request(&protobuf::events_of(&fields));
    let batch = Batch::new(Bytes::new(), Body::Push(request.into()));
    stage.tag(batch, Timestamp::now());
    assert_eq!(meter.counts().records, 2);
    assert_eq!(meter.rules()[RULE_A].matches.get(), 2);
}

#[test]
fn a_flood_is_counted_and_told_of_in_part() {
    let telemetry = Telemetry::default();
    let meter = telemetry.meter("a");
    let all = compile(pack::built_in(), Vec::new());
    let stage = Stage::on(meter.clone(), all, TagOptions::default());
    tag(&stage, &format!("{MATCHING}\n").repeat(5_000));
    assert_eq!(meter.rules()[RULE_A].matches.get(), 5_000);
    let told = telemetry.matches.since(0).len();
    assert!((1..5_000).contains(&told), "{told}");
}

#[test]
fn a_line_for_each_match_if_asked() {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let log = tracing_subscriber::registry()
        .with(log)
        .with(Quiet::default());
    tracing::subscriber::with_default(log, || {
        let telemetry = Telemetry::default();
        let meter = telemetry.meter("teams");
        let all = compile(pack::built_in(), Vec::new());
        let stage = Stage::on(meter.clone(), all, TagOptions::default());
        tag(&stage, MATCHING);
        meter.log_matches(true);
        let evil = MATCHING.replace("fabrikam", "x\\n\\u001b[2J");
        tag(&stage, &format!("{evil}\n").repeat(300));
    });
    let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert_eq!(written.lines().count(), 300, "{written}");
    let line = written.lines().next().unwrap();
    for part in [
        " INFO ",
        " match pipeline=\"teams\"",
        &format!("rule=\"{RULE_A}\""),
        "level=\"high\"",
        "who=\"helpdesk@x\\n\\u{1b}[2J.example\"",
        "helpdesk)",
    ] {
        assert!(line.contains(part), "{part}\n{line}");
    }
}

#[test]
fn other_machines_are_let_in_only_if_told_so() {
    let config = |listen: &str, insecure| Config {
        listen: listen.parse().unwrap(),
        insecure,
    };
    assert_eq!(config("127.0.0.1:9765", false).check(), Ok(()));
    assert_eq!(config("[::1]:9765", false).check(), Ok(()));
    assert_eq!(config("0.0.0.0:9765", true).check(), Ok(()));
    let refused = config("0.0.0.0:9765", false).check().unwrap_err();
    assert!(refused.contains("`insecure: true`"), "{refused}");
}
