//! A sender of NDJSON over HTTP, with a plain blocking socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use poseur_benches::Traffic;

use crate::load::Load;

/// Nowhere out: only what comes in costs anything.
pub const PIPELINE: &str =
    "    source: { type: http, listen: 'LISTEN' }\n    sink: { type: 'null' }\n";

/// Records in bodies of this size.
pub fn bodies(traffic: &Traffic, size: usize) -> Load {
    let mut messages = Vec::new();
    let mut rest = &traffic.bytes[..];
    while !rest.is_empty() {
        let end =
            memchr::memrchr(b'\n', &rest[..rest.len().min(size)]).map_or(rest.len(), |at| at + 1);
        let (body, after) = rest.split_at(end);
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n");
        messages.push([head.as_bytes(), body].concat());
        rest = after;
    }
    Load {
        messages,
        bytes: traffic.bytes.len(),
        matching: traffic.matches(),
        records: traffic.truths.records,
    }
}

/// Sends until a moment. Answers how many bodies were accepted.
pub fn send(to: SocketAddr, load: &Load, deadline: Instant) -> u64 {
    let mut stream = TcpStream::connect(to).expect("somebody listens");
    stream.set_nodelay(true).expect("no delay");
    let (mut sent, mut answer) = (0, [0; 4096]);
    for message in load.messages.iter().cycle() {
        if Instant::now() >= deadline {
            break;
        }
        stream.write_all(message).expect("it is taken");
        let read = stream.read(&mut answer).expect("it is answered");
        let answer = &answer[..read];
        assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\n"));
        sent += 1;
    }
    sent
}
