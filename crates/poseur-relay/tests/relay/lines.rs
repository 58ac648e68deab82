//! Lines in and out over sockets, and out over HTTP: tagged, in order, in the same bytes.

use std::io::Read;
use std::time::Duration;

use crate::peers::{MATCHING, OTHER, Stage, closed, request};
use poseur_relay::net::place::Place;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;

/// Everything that comes on the next connection.
async fn all(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    got
}

#[tokio::test]
async fn lines_come_out_as_they_came_but_tagged() {
    let out = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = format!("{{ type: tcp, connect: '{}' }}", out.local_addr().unwrap());
    let source = "{ type: tcp, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";
    let relay = Stage::start(source, &sink, "").await;
    let mut sender = TcpStream::connect(relay.address()).await.unwrap();
    // Longer than what is read at once, an odd line, no end of line at the end.
    let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(700_000));
    let sent = format!("{OTHER}\n{MATCHING}\n\n{long}\r\nno JSON\n{OTHER}\n").repeat(5) + MATCHING;
    let expect = tokio::spawn(async move { all(&out).await });
    for part in sent.as_bytes().chunks(100_001) {
        sender.write_all(part).await.unwrap();
    }
    sender.shutdown().await.unwrap();
    let got = timeout(Duration::from_secs(30), expect)
        .await
        .unwrap()
        .unwrap();
    let (mut tagged, mut untagged) = (0, Vec::new());
    for line in got.lines() {
        match line.find(",\"poseur\":") {
            Some(at) => {
                tagged += 1;
                untagged.push(format!("{}}}", &line[..at]));
            }
            None => untagged.push(line.to_owned()),
        }
    }
    assert_eq!(tagged, 6);
    assert_eq!(untagged.join("\n"), sent.replace("\r\n", "\n"));
    assert!(got.ends_with('\n'), "the last line has got its end");
    assert_eq!(got.matches("\r\n").count(), 5);
    assert_eq!(relay.pipeline.room.used(), 0);
    assert_eq!(relay.pipeline.ends(), [""; 0]);
}

/// A record is there as soon as its line has ended, whatever follows.
#[tokio::test]
async fn nothing_is_held_back() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    let out = UnixListener::bind(&to).unwrap();
    // What a process has left behind that was killed.
    drop(std::os::unix::net::UnixListener::bind(&from).unwrap());
    let source = format!("{{ type: unix, listen: {from:?} }}");
    let sink = format!("{{ type: unix, connect: {to:?} }}");
    let relay = Stage::start(&source, &sink, "    room: 16MiB\n").await;
    assert_eq!(relay.place, Place::Unix(from.clone()));
    let mut sender = UnixStream::connect(&from).await.unwrap();
    sender
        .write_all(format!("{OTHER}\n{{\"half\":").as_bytes())
        .await
        .unwrap();
    let (stream, _) = timeout(Duration::from_secs(30), out.accept())
        .await
        .unwrap()
        .unwrap();
    let mut got = BufReader::new(stream).lines();
    assert_eq!(got.next_line().await.unwrap().unwrap(), OTHER);
    sender.write_all(b"1}\n{\"last\":1}").await.unwrap();
    assert_eq!(got.next_line().await.unwrap().unwrap(), "{\"half\":1}");
    // Told to stop, it takes what is there.
    assert!(relay.relay.stop(Duration::from_secs(30)).await);
    assert_eq!(got.next_line().await.unwrap().unwrap(), "{\"last\":1}");
    assert_eq!(got.next_line().await.unwrap(), None);
    assert!(!from.exists(), "the socket is gone");
}

#[tokio::test]
async fn a_line_may_be_too_long() {
    let sink = "{ type: 'null' }";
    let source = "{ type: tcp, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";
    let relay = Stage::start(source, sink, "").await;
    let mut sender = TcpStream::connect(relay.address()).await.unwrap();
    let _ = sender.write_all(&vec![b'x'; 3 << 20]).await;
    let told = "a line is larger than 1048576 bytes: send less at once, or raise `limits.largest`";
    assert_eq!(relay.end().await, told);
}

/// A receiver that is gone is not written to: the next connection gets the lines.
#[tokio::test]
async fn a_receiver_may_go_and_come_back() {
    let out = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = format!("{{ type: tcp, connect: '{}' }}", out.local_addr().unwrap());
    let relay = Stage::start(
        "{ type: tcp, listen: 127.0.0.1:0 }",
        &sink,
        "    room: 16MiB\n",
    )
    .await;
    let mut sender = TcpStream::connect(relay.address()).await.unwrap();
    for number in 0..3 {
        sender
            .write_all(format!("{{\"n\":{number}}}\n").as_bytes())
            .await
            .unwrap();
        let (stream, _) = timeout(Duration::from_secs(30), out.accept())
            .await
            .unwrap()
            .unwrap();
        let mut got = BufReader::new(stream).lines();
        let line = got.next_line().await.unwrap().unwrap();
        assert_eq!(line, format!("{{\"n\":{number}}}"));
    }
}

#[tokio::test]
async fn lines_are_posted_on_until_they_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "abc\n").unwrap();
    let out = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = format!(
        "{{ type: http, url: 'http://{}/logs?x=1', compress: gzip, bearer: {{ file: {token:?} }}, headers: {{ x-a: b }} }}",
        out.local_addr().unwrap()
    );
    let source = "{ type: http, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";
    let relay = Stage::start(source, &sink, "").await;
    let body = format!("{OTHER}\n{MATCHING}");
    let send = |address: std::net::SocketAddr, body: String| {
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let length = body.len();
            let head = format!(
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all((head + &body).as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        })
    };
    let answer = send(relay.address(), body.clone());
    for status in ["503 Busy", "429 Slow down", "200 OK"] {
        let (head, packed) = request(&out, status).await;
        for part in [
            "post /logs?x=1 http/1.1\r\n",
            "\r\nauthorization: bearer abc\r\n",
            "\r\ncontent-encoding: gzip\r\n",
            "\r\ncontent-type: application/x-ndjson\r\n",
            "\r\nx-a: b\r\n",
        ] {
            assert!(head.contains(part), "{part} in {head}");
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        assert!(
            text.starts_with(&format!("{OTHER}\n")) && text.contains("\"poseur\":"),
            "{text}"
        );
    }
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // What is refused for good is refused to the sender.
    let answer = send(relay.address(), body);
    request(&out, "400 Never").await;
    let answer = answer.await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 422 ") && answer.contains("answered 400"),
        "{answer}"
    );
}

#[tokio::test]
async fn nobody_listens_there() {
    let sink = format!("{{ type: http, url: 'http://{}/' }}", closed().await);
    let relay = Stage::start(
        "{ type: tcp, listen: 127.0.0.1:0 }",
        &sink,
        "    room: 16MiB\n",
    )
    .await;
    let mut sender = TcpStream::connect(relay.address()).await.unwrap();
    sender.write_all(b"{}\n").await.unwrap();
    let end = relay.end().await;
    assert!(end.starts_with("not delivered for "), "{end}");
}
