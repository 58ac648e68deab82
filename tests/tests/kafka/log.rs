//! The log of a topic's partitions, read by the protocol: what is committed, decided by the markers in the log itself.
//!
//! Tansu 0.6 writes these markers and holds back what is undecided, but its answers never list aborted transactions, by which
//! clients leave them out: to librdkafka, what was aborted looks committed. So the log is read here, and the rule applied: a
//! producer's messages count when its next marker says that they are committed.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::broker::Sent;

/// Reads the committed messages of all partitions from the beginning.
pub struct Log {
    topic: String,
    stream: TcpStream,
    partitions: Vec<Partition>,
    turn: usize,
    /// Messages that were aborted.
    pub aborted: usize,
}

#[derive(Default)]
struct Partition {
    next: i64,
    /// In the order of the log; decided or not.
    messages: VecDeque<(i64, State, Sent)>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Committed,
    Aborted,
}

impl Log {
    pub fn new(address: &str, topic: &str, partitions: i32) -> Log {
        let stream = TcpStream::connect(address).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        Log {
            topic: topic.to_owned(),
            stream,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            turn: 0,
            aborted: 0,
        }
    }

    /// The next message, if there is one within this time.
    pub fn next(&mut self, within: Duration) -> Option<Sent> {
        let began = Instant::now();
        loop {
            for partition in &mut self.partitions {
                while let Some((_, state, _)) = partition.messages.front() {
                    match state {
                        State::Open => break,
                        State::Committed => return partition.messages.pop_front().map(|m| m.2),
                        State::Aborted => {
                            partition.messages.pop_front();
                            self.aborted += 1;
                        }
                    }
                }
            }
            if began.elapsed() > within {
                return None;
            }
            self.fetch();
        }
    }

    /// Asks for more of one partition.
    fn fetch(&mut self) {
        self.turn = (self.turn + 1) % self.partitions.len();
        let (partition, next) = (self.turn, self.partitions[self.turn].next);
        let topic = self.topic.as_bytes();
        // Fetch, version 4; a client without a name.
        let mut request = vec![0, 1, 0, 4, 0, 0, 0, 1, 0xFF, 0xFF];
        for number in [-1_i32, 20, 1, 4 << 20] {
            request.extend_from_slice(&number.to_be_bytes());
        }
        // Nothing beyond the first message that is undecided.
        request.push(1);
        request.extend_from_slice(&1_i32.to_be_bytes());
        request.extend_from_slice(&(topic.len() as i16).to_be_bytes());
        request.extend_from_slice(topic);
        request.extend_from_slice(&1_i32.to_be_bytes());
        request.extend_from_slice(&(partition as i32).to_be_bytes());
        request.extend_from_slice(&next.to_be_bytes());
        request.extend_from_slice(&(4_i32 << 20).to_be_bytes());
        let length = (request.len() as i32).to_be_bytes();
        self.stream.write_all(&length).unwrap();
        self.stream.write_all(&request).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).unwrap();
        let mut answer = Bytes(&answer);
        answer.skip(4 + 4 + 4);
        let name = answer.i16();
        answer.skip(name as usize + 4 + 4);
        let error = answer.i16();
        assert_eq!(error, 0, "the broker's answer");
        answer.skip(8 + 8);
        let aborted = answer.i32().max(0);
        answer.skip(aborted as usize * 16);
        let records = answer.i32().max(0) as usize;
        let batches = Bytes(&answer.0[..records]);
        self.partitions[partition].read(partition as i32, batches);
    }
}

impl Partition {
    fn read(&mut self, partition: i32, mut batches: Bytes<'_>) {
        while batches.0.len() > 12 {
            let base = batches.i64();
            let length = batches.i32() as usize;
            if batches.0.len() < length {
                return;
            }
            let (batch, rest) = batches.0.split_at(length);
            batches.0 = rest;
            let mut batch = Bytes(batch);
            batch.skip(4 + 1 + 4);
            let attributes = batch.i16();
            let last = base + i64::from(batch.i32());
            let first_time = batch.i64();
            batch.skip(8);
            let producer = batch.i64();
            batch.skip(2 + 4);
            let count = batch.i32();
            if last < self.next {
                continue;
            }
            assert_eq!(attributes & 7, 0, "not compressed");
            for _ in 0..count {
                let _length = batch.varint();
                batch.skip(1);
                let time = first_time + batch.varint();
                let offset = base + batch.varint();
                let key = batch.field();
                let value = batch.field();
                let headers = (0..batch.varint()).map(|_| {
                    let name = batch.field().unwrap_or_default();
                    (String::from_utf8(name).unwrap(), batch.field())
                });
                let headers = headers.collect();
                if attributes & 32 != 0 {
                    let kind = key.expect("the key of a marker")[3];
                    self.decide(
                        producer,
                        if kind == 1 {
                            State::Committed
                        } else {
                            State::Aborted
                        },
                    );
                } else if offset >= self.next {
                    let is_open = attributes & 16 != 0;
                    let state = if is_open {
                        State::Open
                    } else {
                        State::Committed
                    };
                    let sent = Sent {
                        partition,
                        key,
                        value,
                        time: Some(time),
                        headers,
                    };
                    self.messages.push_back((producer, state, sent));
                }
            }
            self.next = last + 1;
        }
    }

    /// What a producer has sent since its last marker.
    fn decide(&mut self, producer: i64, state: State) {
        for (from, open, _) in &mut self.messages {
            if *from == producer && *open == State::Open {
                *open = state;
            }
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn skip(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.0[..N].try_into().unwrap();
        self.skip(N);
        taken
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }

    fn varint(&mut self) -> i64 {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let [byte] = self.take();
            value |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return (value >> 1) as i64 ^ -((value & 1) as i64);
            }
        }
    }

    /// Bytes with their length before them; -1 is none.
    fn field(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.varint()).ok()?;
        let field = self.0[..length].to_vec();
        self.skip(length);
        Some(field)
    }
}
