//! Brokers that fail, move and shut out.

use rdkafka::mocking::MockCoordinator;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Error};

use crate::scene::{MATCHING, PARTITIONS, Scene, Stage};

fn value(number: usize) -> String {
    match number % 10 {
        0 => MATCHING.to_owned(),
        1 => "{\n  \"n\": 1\n}".to_owned(),
        2 => "no JSON".to_owned(),
        3 => format!(r#"{{"records":[{MATCHING},{{"n":{number}}}]}}"#),
        // A tombstone.
        4 => String::new(),
        _ => format!("{{\"n\": {number} }}"),
    }
}

/// Records that match have a tag before their last brace, and everything else is as it was.
fn check(number: usize, came: &str) {
    let sent = value(number);
    let Some(at) = sent.find(MATCHING) else {
        return assert_eq!(came, sent);
    };
    let (before, after) = sent.split_at(at + MATCHING.len() - 1);
    let tag = came.strip_prefix(before);
    let tag = tag.and_then(|rest| rest.strip_suffix(after));
    assert!(
        tag.is_some_and(|tag| tag.starts_with(",\"poseur\":{") && tag.ends_with('}')),
        "{came}"
    );
}

/// Sends records, makes the cluster fail so, sends more, and finds them all.
async fn through(sink: &str, fail: impl Fn(&Scene, &Stage)) -> usize {
    let scene = Scene::new();
    scene.send(0..400, value);
    let stage = Stage::start(&scene.source(), &scene.sink(sink)).await;
    scene.expect(400);
    fail(&scene, &stage);
    scene.send(400..800, value);
    let (again, all) = scene.expect(800);
    all.iter().for_each(|(number, came)| check(*number, came));
    stage.until("there is lag", |group| {
        let partitions = group.partitions();
        partitions.len() == PARTITIONS as usize
            && partitions
                .values()
                .all(|progress| progress.lag() == Some(0))
    });
    assert_eq!(stage.group.not_ready(), Vec::<String>::new());
    stage.stop().await;
    again
}

const ONCE: &str = ", transactional_id: t";
const AT_LEAST_ONCE: &str = ", exactly_once: false";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails() {
    for sink in [ONCE, AT_LEAST_ONCE] {
        assert_eq!(through(sink, |_, _| {}).await, 0, "{sink}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinators_and_leaders_move() {
    let again = through(ONCE, |scene, _| {
        let coordinators = [
            MockCoordinator::Group("g".to_owned()),
            MockCoordinator::Transaction("t".to_owned()),
        ];
        for (coordinator, broker) in coordinators.into_iter().zip([2, 3]) {
            scene.cluster.coordinator(coordinator, broker).unwrap();
        }
        for partition in 0..PARTITIONS {
            let leader = Some(partition % 3 + 1);
            for topic in ["in", "out"] {
                let cluster = &scene.cluster;
                cluster.partition_leader(topic, partition, leader).unwrap();
            }
        }
    });
    assert_eq!(again.await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_tried_again_is() {
    for sink in [ONCE, AT_LEAST_ONCE] {
        let again = through(sink, |scene, _| {
            for (api, errors) in [
                (
                    Api::Produce,
                    [
                        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                        Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    ],
                ),
                (
                    Api::TxnOffsetCommit,
                    [
                        Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                        Error::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                        Error::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                    ],
                ),
                (
                    Api::EndTxn,
                    [
                        Error::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
                        Error::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                        Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                    ],
                ),
            ] {
                scene.cluster.request_errors(api, &errors);
            }
        });
        assert_eq!(again.await, 0, "{sink}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_shut_out_begins_anew() {
    for (api, error) in [
        (
            Api::AddPartitionsToTxn,
            Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        ),
        (
            Api::AddOffsetsToTxn,
            Error::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        ),
        (Api::EndTxn, Error::RD_KAFKA_RESP_ERR_PRODUCER_FENCED),
        (
            Api::TxnOffsetCommit,
            Error::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        ),
        (
            Api::TxnOffsetCommit,
            Error::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        ),
    ] {
        let again = through(ONCE, |scene, stage| {
            scene.cluster.request_errors(api, &[error]);
            assert_eq!(stage.group.aborted.get(), 0);
        });
        println!(
            "{api:?} {error:?}: {} twice, for the mock keeps what is aborted",
            again.await
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_stops_its_partition_and_goes_on_later() {
    for sink in [ONCE, AT_LEAST_ONCE] {
        let scene = Scene::new();
        scene.send(0..400, value);
        let errors = [Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
        scene.cluster.request_errors(Api::Produce, &errors);
        let stage = Stage::start(&scene.source(), &scene.sink(sink)).await;
        stage.until("nothing is stopped", |group| {
            let not_ready = group.not_ready();
            let stopped = not_ready
                .iter()
                .filter(|reason| reason.contains("is stopped: "));
            stopped.count() == 1
        });
        assert!(stage.group.produce_errors.get() > 0);
        scene.expect(400);
        stage.until("it is still stopped", |group| group.not_ready().is_empty());
        stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_does_not_hold_up_other_partitions() {
    for sink in [ONCE, AT_LEAST_ONCE] {
        let scene = Scene::new();
        scene.send(0..40, value);
        scene.send(40..41, |_| "x".repeat(5000));
        scene.send(41..80, value);
        let sink = format!("{sink}, settings: {{ message.max.bytes: 3000, batch.size: 2000 }}");
        let stage = Stage::start(&scene.source(), &scene.sink(&sink)).await;
        stage.until("nothing is stopped", |group| {
            let not_ready = group.not_ready().concat();
            not_ready.contains("in [0] is stopped: the message at 10 is not taken")
        });
        // What came before it, and the other partitions.
        let read = scene.read("out", |read| {
            let lengths = read.values().map(Vec::len);
            lengths.sum::<usize>() >= 70
        });
        let lengths: Vec<usize> = read.values().map(Vec::len).collect();
        assert_eq!(lengths, [10, 20, 20, 20]);
        stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_too_few_partitions_is_told_of() {
    let scene = Scene::new();
    scene.cluster.create_topic("narrow", 2, 3).unwrap();
    let sink = scene.sink("").replace("topic: out", "topic: narrow");
    let stage = Stage::start(&scene.source(), &sink).await;
    stage.until("nothing is told", |group| {
        let not_ready = group.not_ready().concat();
        not_ready.contains("narrow has 2 partitions, and in has 4")
    });
    let ready = stage.pipeline.stage.meter().not_ready().concat();
    assert!(ready.contains("p: narrow has 2 partitions"), "{ready}");
    stage.stop().await;
}

/// The mock cluster forgets offsets of transactions: with these, a real broker must help.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_go_from_one_to_another() {
    let scene = Scene::new();
    scene.send(0..400, value);
    let first = Stage::start(&scene.source(), &scene.sink(AT_LEAST_ONCE)).await;
    first.joined();
    scene.expect(400);
    let second = Stage::start(&scene.source(), &scene.sink(AT_LEAST_ONCE)).await;
    for stage in [&first, &second] {
        stage.until("they do not share", |group| group.partitions().len() == 2);
    }
    scene.send(400..800, value);
    assert_eq!(scene.expect(800).0, 0);
    assert!(second.pipeline.stage.meter().delivered.get() > 0);
    first.stop().await;
    second.joined();
    scene.send(800..1200, value);
    assert_eq!(scene.expect(1200).0, 0);
    second.stop().await;
}
