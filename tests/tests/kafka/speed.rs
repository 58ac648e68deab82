//! The stage beside a loop that only copies: the same group protocol, the same transactions. Run by hand, and not while anything
//! else is at work:
//!
//! `cargo test --release -p poseur-tests --features kafka --test kafka -- --ignored --nocapture the_stage_beside`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use poseur_tests::traffic::{Config as TrafficConfig, Kind, Shape, Traffic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Sent, send};
use crate::exactly_once::figure;
use crate::stage::Config;

const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// As the stage has it for a room of 32MiB.
const FETCHED: &str = "8192";
const COMMIT: Duration = Duration::from_millis(100);
const MOST: usize = 8 << 20;

#[test]
#[ignore = "a measurement"]
fn the_stage_beside_a_loop_that_copies() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let count = figure("POSEUR_KAFKA_RECORDS", 200_000);
    let mut config = TrafficConfig::new(Kind::Teams, Shape::All);
    config.candidate_rate = Some(0.01);
    let mut traffic = Traffic::new(config).unwrap();
    let messages: Vec<Sent> = (0..count)
        .map(|number| {
            let mut line = Vec::new();
            traffic.next(&mut line);
            line.truncate(line.trim_ascii_end().len());
            Sent {
                partition: number as i32 % PARTITIONS,
                key: Some(number.to_string().into_bytes()),
                value: Some(line),
                time: Some(1_700_000_000_000),
                headers: vec![("n".to_owned(), Some(b"1".to_vec()))],
            }
        })
        .collect();
    let bytes: usize = messages
        .iter()
        .flat_map(|one| &one.value)
        .map(Vec::len)
        .sum();
    broker.topics(&["in"], PARTITIONS);
    send(&broker, "in", &messages);
    let mut ratios = Vec::new();
    for round in 0..figure("POSEUR_KAFKA_ROUNDS", 3) {
        let plain = by_a_loop(&broker, round, count);
        let stage = by_the_stage(&broker, round, count);
        let ratio = plain.as_secs_f64() / stage.as_secs_f64();
        let rate = |took: Duration| {
            let seconds = took.as_secs_f64();
            format!(
                "{:.0} records/s, {:.0} MB/s",
                count as f64 / seconds,
                bytes as f64 / seconds / 1e6
            )
        };
        println!("loop {}; stage {}; {ratio:.2}", rate(plain), rate(stage));
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median: {:.2} of a loop that copies",
        ratios[ratios.len() / 2]
    );
}

/// From when a group has committed something until it has committed everything.
fn watch(broker: &Broker, group: &str, count: usize) -> Duration {
    let mut config = broker.config();
    let watcher: BaseConsumer = config.set("group.id", group).create().unwrap();
    let mut began = None;
    let gives_up = Instant::now() + Duration::from_secs(300);
    loop {
        let mut list = TopicPartitionList::new();
        list.add_partition_range("in", 0, PARTITIONS - 1);
        let committed = watcher.committed_offsets(list, PATIENCE).unwrap();
        let offsets = committed.elements().into_iter();
        let done: i64 = offsets
            .map(|element| match element.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            })
            .sum();
        if done > 0 && began.is_none() {
            began = Some((Instant::now(), done));
        }
        if done as usize >= count {
            let (began, before) = began.unwrap();
            // As if all of it had been seen.
            let share = count as f64 / (count as f64 - before as f64).max(1.0);
            return began.elapsed().mul_f64(share);
        }
        assert!(Instant::now() < gives_up, "{done} of {count}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn by_the_stage(broker: &Broker, round: usize, count: usize) -> Duration {
    let (out, group) = (format!("stage-{round}"), format!("stage-{round}"));
    broker.topics(&[&out], PARTITIONS);
    let address = &broker.address;
    let config = Config::new(
        &format!("{{ type: kafka, brokers: ['{address}'], topics: [in], group: {group} }}"),
        &format!(
            "{{ type: kafka, brokers: ['{address}'], topic: {out}, transactional_id: {group} }}"
        ),
        "",
    );
    let mut stage = config.start();
    let took = watch(broker, &group, count);
    stage.signal(libc::SIGTERM);
    assert_eq!(stage.end(), Some(0));
    took
}

fn by_a_loop(broker: &Broker, round: usize, count: usize) -> Duration {
    let name = format!("loop-{round}");
    broker.topics(&[&name], PARTITIONS);
    let mut config = broker.config();
    config
        .set("group.id", &name)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", FETCHED)
        .set("fetch.max.bytes", "4194304");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut config = broker.config();
    config
        .set("transactional.id", &name)
        .set("transaction.timeout.ms", "10000")
        .set("delivery.report.only.error", "true")
        .set("queue.buffering.max.kbytes", FETCHED);
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    consumer.subscribe(&["in"]).unwrap();
    let end = Arc::new(AtomicBool::new(false));
    let ended = end.clone();
    let topic = name.clone();
    let copier = thread::spawn(move || {
        let mut next = [None; PARTITIONS as usize];
        let (mut since, mut bytes) = (Instant::now(), 0);
        while !ended.load(Relaxed) {
            if let Some(message) = consumer.poll(Duration::from_millis(20)) {
                let message = message.unwrap();
                if bytes == 0 {
                    producer.begin_transaction().unwrap();
                    since = Instant::now();
                }
                bytes += message.payload_len() + message.key_len();
                let mut record = BaseRecord::<[u8], [u8]> {
                    topic: &topic,
                    partition: Some(message.partition()),
                    payload: message.payload(),
                    key: message.key(),
                    timestamp: message.timestamp().to_millis(),
                    headers: message.headers().map(|headers| headers.detach()),
                    delivery_opaque: (),
                };
                while let Err((error, back)) = producer.send(record) {
                    let full = Some(RDKafkaErrorCode::QueueFull);
                    assert_eq!(error.rdkafka_error_code(), full);
                    record = back;
                    thread::sleep(Duration::from_micros(500));
                }
                next[message.partition() as usize] = Some(message.offset() + 1);
            }
            if bytes > 0 && (bytes >= MOST || since.elapsed() >= COMMIT) {
                let mut list = TopicPartitionList::new();
                for (partition, next) in next.iter_mut().enumerate() {
                    if let Some(next) = next.take() {
                        list.add_partition_offset("in", partition as i32, Offset::Offset(next))
                            .unwrap();
                    }
                }
                let group = consumer.group_metadata().unwrap();
                producer
                    .send_offsets_to_transaction(&list, &group, PATIENCE)
                    .unwrap();
                // Its own flush looks only ten times a second.
                while producer.in_flight_count() > 0 {
                    let _ = producer.flush(Duration::ZERO);
                    thread::sleep(Duration::from_micros(500));
                }
                producer.commit_transaction(PATIENCE).unwrap();
                bytes = 0;
            }
        }
    });
    let took = watch(broker, &name, count);
    end.store(true, Relaxed);
    copier.join().unwrap();
    took
}
