//! HTTP in, Forward out: answered when the records are delivered, whatever a body looks like.

use std::io::Write;
use std::time::Duration;

use crate::peers::{MATCHING, OTHER, Stage, closed, downstream};
use poseur_relay::convert::events_to_lines;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn relay(to: std::net::SocketAddr) -> Stage {
    let source =
        "{ type: http, listen: 127.0.0.1:0, limits: { largest: 1MiB, patience: 500ms, idle: 5s } }";
    let sink = format!("{{ type: forward, connect: ['{to}'] }}");
    Stage::start(source, &sink, "").await
}

/// Sends bytes on a connection of their own, and reads until it ends.
pub async fn talk(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

pub async fn post(address: std::net::SocketAddr, headers: &str, body: &[u8]) -> String {
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    talk(address, &[head.as_bytes(), body].concat()).await
}

#[tokio::test]
async fn bodies_of_all_forms_are_delivered() {
    let (to, got) = downstream(usize::MAX).await;
    let relay = relay(to).await;
    let address = relay.address();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(MATCHING.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    for (headers, body, lines, tagged) in [
        (
            "",
            format!("{OTHER}\n{MATCHING}\n{OTHER}\n").into_bytes(),
            3,
            1,
        ),
        (
            "",
            format!("{MATCHING}\nno JSON at all\n{OTHER}").into_bytes(),
            3,
            1,
        ),
        ("Content-Encoding: gzip\r\n", gzip, 1, 1),
        ("", format!("{{\n{}", &MATCHING[1..]).into_bytes(), 1, 1),
    ] {
        let answer = post(address, headers, &body).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let got = got.lock().unwrap();
        let out = events_to_lines(&got.last().unwrap().1).unwrap();
        let out = String::from_utf8(out.to_vec()).unwrap();
        assert_eq!(out.lines().count(), lines, "{out}");
        assert_eq!(out.matches("\"poseur\":").count(), tagged, "{out}");
    }
    // Nothing to deliver.
    let before = got.lock().unwrap().len();
    assert!(
        post(address, "", b"")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    assert_eq!(got.lock().unwrap().len(), before);
    assert!(relay.relay.stop(Duration::from_secs(30)).await);
}

#[tokio::test]
async fn what_is_wrong_is_answered() {
    let (to, got) = downstream(usize::MAX).await;
    let relay = relay(to).await;
    let address = relay.address();
    let large = vec![b'x'; (1 << 20) + 1];
    let bomb = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 20 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    for (headers, body, status) in [
        ("", &large[..], "413"),
        ("Content-Encoding: gzip\r\n", &bomb, "413"),
        ("Content-Encoding: gzip\r\n", b"no gzip", "400"),
        ("Content-Encoding: br\r\n", b"{}", "415"),
    ] {
        let answer = post(address, headers, body).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    for (request, status) in [
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "405",
        ),
        (
            "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "404",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\n{",
            "408",
        ),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = talk(address, request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}{answer}"
        );
    }
    // Slow headers: the connection is closed.
    let answer = talk(address, b"POST / HTTP/1.1\r\nHost:").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    assert!(got.lock().unwrap().is_empty());
    let reasons = [
        ("broken", 1),
        ("encoding", 1),
        ("late", 1),
        ("not_found", 2),
        ("too_large", 2),
    ];
    assert_eq!(relay.refusals(), reasons.into());
}

#[tokio::test]
async fn what_cannot_be_delivered_is_to_come_again() {
    let relay = relay(closed().await).await;
    let address = relay.address();
    let answer = post(address, "", OTHER.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.to_lowercase().contains("\r\nretry-after: 1\r\n"),
        "{answer}"
    );
}
