//! What nobody should send. It costs its sender the connection at most, and nobody else anything.

use std::io::Write;
use std::net::SocketAddr;

use poseur_relay::compression::Compression;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::command_support::GIVE_UP;
use crate::downstream::{Downstream, Mood};
use crate::ledger::Ledger;
use crate::peers::forward::chunk;
use crate::peers::{Protocol, gzip};
use crate::records::Batch;
use crate::scene::Scene;
use crate::stage::Config;

/// Sends bytes, and reads what comes back; both may break off.
async fn offer(to: SocketAddr, bytes: &[u8], ends: bool) -> Vec<u8> {
    let offered = timeout(GIVE_UP, async {
        let mut answer = Vec::new();
        let Ok(mut stream) = TcpStream::connect(to).await else {
            return answer;
        };
        let (mut read, mut write) = stream.split();
        let write = async {
            let _ = write.write_all(bytes).await;
            if ends {
                let _ = write.shutdown().await;
            }
        };
        let (_, _) = tokio::join!(write, read.read_to_end(&mut answer));
        answer
    });
    offered.await.expect("the connection ends")
}

/// A stage to be offered anything. What its downstream gets then is of no interest.
struct Target {
    stage: crate::stage::Stage,
    _downstream: Downstream,
    before: u64,
}

impl Target {
    async fn new(source: Protocol, sink: Protocol) -> Target {
        let nothing = Ledger::new(1, source, sink).into();
        let downstream = Downstream::start(sink, nothing).await;
        let limits = ", limits: { largest: 1MiB, patience: 1s }";
        let to = sink.sink(downstream.address, "10s");
        let config = Config::new(&source.source(limits), &to, "    room: 4MiB\n");
        let stage = config.start();
        let before = stage.memory("VmRSS:");
        Target {
            stage,
            _downstream: downstream,
            before,
        }
    }

    /// Somebody else is served as ever, and memory is what it may be.
    async fn check(&mut self, source: Protocol) {
        let mut sender = source.connect(self.stage.address()).await.unwrap();
        let (first, end) = (0, 20);
        let batch = Batch {
            sender: 0,
            first,
            end,
        };
        sender.send(batch, true).await.unwrap();
        let accepted = timeout(GIVE_UP, sender.accepted()).await;
        accepted.expect("an answer").expect("accepted");
        self.stage.check();
        let most = self.stage.memory("VmHWM:");
        let grown = (most - self.before) >> 20;
        assert!(grown < 64, "{grown} MB more");
    }
}

/// Valid messages, cut and changed anywhere.
async fn mutated(source: Protocol, sink: Protocol, message: &[u8]) {
    let mut target = Target::new(source, sink).await;
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(6);
    let to = target.stage.address();
    for _ in 0..150 {
        let mut bytes = message.to_vec();
        for _ in 0..1 + dice.next_u64() % 4 {
            let at = dice.next_u64() as usize % bytes.len();
            match dice.next_u64() % 4 {
                0 => bytes[at] = dice.next_u64() as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, dice.next_u64() as u8),
                _ => {
                    bytes.remove(at);
                    bytes.push(0xC1);
                }
            }
        }
        offer(to, &bytes, true).await;
    }
    target.check(source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_harm_nobody() {
    let batch = Batch {
        sender: 0,
        first: 0,
        end: 5,
    };
    let plain = chunk(&batch.events(), "id", Compression::None);
    let packed = chunk(&gzip(&batch.events()), "id", Compression::Gzip);
    for sink in [Protocol::Forward, Protocol::Http] {
        mutated(Protocol::Forward, sink, &plain).await;
        mutated(Protocol::Forward, sink, &packed).await;
        let lines = batch.lines();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            lines.len()
        );
        mutated(Protocol::Http, sink, &[head.as_bytes(), &lines].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_over_forward_harms_nobody() {
    let deep = |opening: &[u8], depth| {
        [
            b"\x93\xA4o365\xC6\x00\x0F\x00\x00",
            &opening.repeat(depth)[..],
        ]
        .concat()
    };
    let mut nested = b"\x92\x05\x81\xA1a".to_vec();
    nested.extend_from_slice(&[0x91; 900_000]);
    nested.push(0xC0);
    for sink in [Protocol::Forward, Protocol::Http] {
        let mut target = Target::new(Protocol::Forward, sink).await;
        let to = target.stage.address();
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
            b"\xC1",
            b"\xC6\xFF\xFF\xFF\xFF",
            b"\xDD\xFF\xFF\xFF\xFF",
            b"\xDF\xFF\xFF\xFF\xFF\xC0",
            b"\x93\xA4o365\xC6\xFF\xFF\xFF\xF0",
            b"\x93\xDB\xFF\xFF\xFF\xFF",
            &[0x91; 1 << 20],
            &[0x81; 1 << 20],
            &[0xC0; 1 << 20],
            &[0xFF; 3 << 20],
            &deep(b"\x91", 0xF0000),
            &deep(b"\x81\xA1a", 0x50000),
            &chunk(&nested, "id", Compression::None),
            &chunk(&gzip(&nested), "id", Compression::Gzip),
            &chunk(b"\xC1 no events", "id", Compression::None),
            &chunk(b"no gzip", "id", Compression::Gzip),
            &chunk(b"no zstd", "id", Compression::Zstd),
        ] {
            offer(to, bytes, true).await;
        }
        target.check(Protocol::Forward).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_over_http_harms_nobody() {
    let post = |headers: &str, body: &[u8]| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        [head.as_bytes(), body].concat()
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let nested = [&b"[".repeat(400_000)[..], &b"]".repeat(400_000)].concat();
    let open = b"{\"a\":".repeat(200_000);
    let sized = |body: &[u8]| post(&format!("Content-Length: {}\r\n", body.len()), body);
    let headers = "X-A: b\r\n".repeat(5000);
    let wide = format!("X-A: {}\r\n", "b".repeat(2 << 20));
    for sink in [Protocol::Forward, Protocol::Http] {
        let mut target = Target::new(Protocol::Http, sink).await;
        let to = target.stage.address();
        let mut offers = JoinSet::new();
        for (bytes, status) in [
            (post(chunked, b"zz\r\n{}\r\n0\r\n\r\n"), "400"),
            (post(chunked, b"FFFFFFFFFFFFFFFFF\r\n{}"), "400"),
            (post(chunked, b"FFFFFFFF\r\n{}"), ""),
            (post(chunked, b"3\r\n{}\r\n0\r\n\r\n"), "400"),
            (post(chunked, b"2\r\n{}"), ""),
            (post("Content-Length: 9\r\n", b"{}\n"), ""),
            (post("Content-Length: -1\r\n", b"{}\n"), "400"),
            (
                post("Content-Length: 1\r\nContent-Length: 2\r\n", b"{}\n"),
                "400",
            ),
            (
                post("Content-Length: 99999999999999999999999\r\n", b"{}"),
                "400",
            ),
            (post("Content-Length: 9999999999999\r\n", b"{}"), "413"),
            (post("Content-Length: 2\r\n", b"{}garbage\r\n\r\n"), "200"),
            (post(&headers, b""), "431"),
            (post(&wide, b""), "431"),
            (
                post("Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}"),
                "400",
            ),
            (
                post("Content-Encoding: rot13\r\nContent-Length: 2\r\n", b"{}"),
                "415",
            ),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03".to_vec(), ""),
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                    .to_vec(),
                "",
            ),
            ([0xFF; 1 << 20].to_vec(), ""),
            (sized(&nested), "200"),
            (sized(&open), "200"),
            (sized(&[b'\n'; 1 << 20]), "200"),
            (sized(&b"x\n".repeat(1 << 19)), "200"),
        ] {
            offers.spawn(async move {
                // Who has ended gets no answer; this way it ends when the stage has waited long enough.
                let answer = offer(to, &bytes, false).await;
                let answer = String::from_utf8_lossy(&answer);
                let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]);
                let given = answer.split(' ').nth(1).unwrap_or_default();
                let fits = status.is_empty() || given == status;
                assert!(fits, "{shown}: {answer} instead of {status}");
            });
        }
        while let Some(offered) = offers.join_next().await {
            offered.unwrap();
        }
        target.check(Protocol::Http).await;
    }
}

/// A frame of Zstandard with a window of 64 MiB, and blocks that repeat one byte: 4 bytes for 128 KiB.
fn zstd_bomb(blocks: usize, window: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0, window];
    for block in 1..=blocks {
        let header = u32::from(block == blocks) | 1 << 1 | (128 << 10) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0xC0);
    }
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_are_not_unpacked() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..256 {
        packer.write_all(&[0xC0; 1 << 20]).unwrap();
    }
    let gzip = packer.finish().unwrap();
    // 64 MiB, 128 MiB and 8 MiB.
    let windows = [16 << 3, 17 << 3, 13 << 3];
    let zstds = windows.map(|window| zstd_bomb(2048, window));
    for source in [Protocol::Forward, Protocol::Http] {
        let mut target = Target::new(source, Protocol::Forward).await;
        let to = target.stage.address();
        let bombs = std::iter::once((&gzip, Compression::Gzip))
            .chain(zstds.iter().map(|zstd| (zstd, Compression::Zstd)));
        let messages = bombs.map(|(bomb, compression)| match source {
            Protocol::Forward => chunk(bomb, "id", compression),
            Protocol::Http => {
                let (name, length) = (compression.name().unwrap(), bomb.len());
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: {name}\r\nContent-Length: {length}\r\n\r\n"
                );
                [head.as_bytes(), bomb].concat()
            }
            Protocol::Vector => unreachable!("no bomb is written for it"),
        });
        let mut offers = JoinSet::new();
        for message in messages {
            for _ in 0..10 {
                let message = message.clone();
                offers.spawn(async move { offer(to, &message, source == Protocol::Forward).await });
            }
        }
        while let Some(answer) = offers.join_next().await {
            let answer = String::from_utf8_lossy(&answer.unwrap()).into_owned();
            match source {
                Protocol::Forward => assert_eq!(answer, ""),
                _ => assert!(
                    answer.starts_with("HTTP/1.1 413") || answer.starts_with("HTTP/1.1 400"),
                    "{answer}"
                ),
            }
        }
        target.check(source).await;
        println!(
            "{source:?}: {} MB at most",
            target.stage.memory("VmHWM:") >> 20
        );
    }
}

/// Small batches that are just not too large when they are unpacked, many at once, and nobody takes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unpacked_takes_room() {
    for source in [Protocol::Forward, Protocol::Http] {
        let limits = ", limits: { largest: 2MiB }";
        let more = "    room: 4MiB\n";
        let scene = Scene::new(source, Protocol::Forward, 1, limits, more).await;
        scene.downstream.mood.send_replace(Mood::Deaf);
        let before = scene.stage.memory("VmRSS:");
        let line = format!("{{\"a\":\"{}\"}}\n", "b".repeat(2_000_000));
        let packed = gzip(line.as_bytes());
        let to = scene.stage.address();
        let mut event = b"\x92\x05\x81\xA1a\xDB".to_vec();
        event.extend_from_slice(&2_000_000_u32.to_be_bytes());
        event.resize(event.len() + 2_000_000, b'b');
        let message = match source {
            Protocol::Forward => chunk(&gzip(&event), "id", Compression::Gzip),
            Protocol::Http => {
                let length = packed.len();
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
                );
                [head.as_bytes(), &packed].concat()
            }
            Protocol::Vector => unreachable!("no batch is written for it"),
        };
        let mut open = Vec::new();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(to).await.unwrap();
            stream.write_all(&message).await.unwrap();
            open.push(stream);
        }
        crate::scene::until("they are accepted", || scene.stage.open() > 100).await;
        // Whatever is unpacked is unpacked by now, or waits.
        let mut last = 0;
        crate::scene::until("memory stays", || {
            let now = scene.stage.memory("VmRSS:");
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::mem::replace(&mut last, now) == now
        })
        .await;
        let grown = (scene.stage.memory("VmHWM:") - before) >> 20;
        println!("{source:?}: 100 packed batches of 2 MB each, {grown} MB more");
        assert!(grown < 40, "{grown} MB more");
    }
}
