//! Kafka to other sinks, and other sources to Kafka.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::scene::{MATCHING, PARTITIONS, Scene, Stage};

/// A server that answers each POST with the next of these statuses, and then with 200; what it has accepted.
async fn server(statuses: Vec<u16>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (accepted, bodies) = tokio::sync::mpsc::unbounded_channel();
    let statuses = std::sync::Arc::new(std::sync::Mutex::new(statuses.into_iter()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (accepted, statuses) = (accepted.clone(), statuses.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                loop {
                    let mut length = 0;
                    let mut line = String::new();
                    while stream.read_line(&mut line).await.unwrap() > 2 {
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                            length = value.trim().parse().unwrap();
                        }
                        line.clear();
                    }
                    if length == 0 {
                        return;
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).await.unwrap();
                    let status = statuses.lock().unwrap().next().unwrap_or(200);
                    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if status == 200 {
                        accepted.send(String::from_utf8(body).unwrap()).unwrap();
                    }
                }
            });
        }
    });
    (url, bodies)
}

fn value(number: usize) -> String {
    match number % 4 {
        0 => format!("{{\n \"p\": 0,\n \"n\": {number}\n}}"),
        partition => format!("{{ \"p\": {partition}, \"n\": {number} }}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partition_is_handed_over_in_order() {
    let scene = Scene::new();
    // Unavailable, then refused for good, then well again.
    let (url, mut bodies) = server(vec![503, 200, 400, 503]).await;
    scene.send(0..400, value);
    let sink = format!("{{ type: http, url: '{url}' }}");
    let stage = Stage::start(&scene.source(), &sink).await;
    let mut next = BTreeMap::new();
    let mut count = 0;
    let mut sent = 400;
    while count < 1200 {
        let body = timeout(Duration::from_secs(60), bodies.recv()).await;
        for line in body.unwrap().unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let (partition, number) =
                (record["p"].as_i64().unwrap(), record["n"].as_i64().unwrap());
            let next = next.entry(partition).or_insert(partition);
            assert!(number <= *next, "{number} before {next}");
            if number == *next {
                *next += i64::from(PARTITIONS);
                count += 1;
            }
        }
        if count == sent && sent < 1200 {
            scene.send(sent..sent + 400, value);
            sent += 400;
        }
    }
    assert!(stage.pipeline.stage.meter().refused.get() >= 1);
    stage.until("it is not committed", |group| {
        let partitions = group.partitions();
        partitions
            .values()
            .all(|progress| progress.lag() == Some(0))
    });
    assert_eq!(stage.group.not_ready(), Vec::<String>::new());
    stage.stop().await;
    // Who comes next begins where the first has stopped.
    let (url, mut bodies) = server(Vec::new()).await;
    let sink = format!("{{ type: http, url: '{url}' }}");
    let stage = Stage::start(&scene.source(), &sink).await;
    stage.joined();
    scene.send(1200..1201, value);
    let body = timeout(Duration::from_secs(60), bodies.recv()).await;
    assert_eq!(body.unwrap().unwrap(), "{  \"p\": 0,  \"n\": 1200 }\n");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_become_messages() {
    let scene = Scene::new();
    let source = "{ type: http, listen: 127.0.0.1:0 }";
    let stage = Stage::start(source, &scene.sink("")).await;
    let place = stage.relay.places()["p"].to_string();
    let body = format!("{{\"n\": 0 }}\n\nno JSON\n{MATCHING}\n");
    let mut stream = BufReader::new(TcpStream::connect(&place).await.unwrap());
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // All of it is there when the answer is.
    let read = scene.read("out", |read| {
        read.values().map(Vec::len).sum::<usize>() == 3
    });
    let mut values: Vec<String> = read
        .into_values()
        .flatten()
        .map(|(key, value)| {
            assert_eq!(key, None);
            value
        })
        .collect();
    values.sort();
    let tagged = values.remove(1);
    assert!(tagged.starts_with(MATCHING.strip_suffix('}').unwrap()));
    assert!(tagged.contains("\"poseur\":{"));
    assert_eq!(values, ["no JSON", "{\"n\": 0 }"]);
    stage.stop().await;
}
