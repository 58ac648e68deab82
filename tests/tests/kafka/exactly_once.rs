//! Two stages of one group, of which one is killed again and again: each record comes out once, in order, tagged.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poseur_rule::pack;
use poseur_tests::conformance::{Case, check_together, suite};

use crate::broker::{Broker, Sent, send};
use crate::log::Log;
use crate::stage::{Config, Stage};

const PARTITIONS: i32 = 4;

/// Nothing comes for so long: something is stuck.
const STUCK: Duration = Duration::from_secs(90);

/// A figure that CI sets higher.
pub fn figure(name: &str, otherwise: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().unwrap())
}

fn config(broker: &Broker, id: &str) -> Config {
    let address = &broker.address;
    Config::new(
        &format!(
            "{{ type: kafka, brokers: ['{address}'], topics: [in], group: g, settings: {{ session.timeout.ms: 6000, \
             heartbeat.interval.ms: 500 }} }}"
        ),
        &format!("{{ type: kafka, brokers: ['{address}'], topic: out, transactional_id: {id} }}"),
        "",
    )
}

/// The record with a number: the suite again and again, spread over the partitions.
fn record(cases: &[Case], number: usize) -> Sent {
    Sent {
        partition: (number % PARTITIONS as usize) as i32,
        key: Some(number.to_string().into_bytes()),
        value: Some(cases[number % cases.len()].record.clone()),
        time: Some(1_700_000_000_000 + number as i64),
        headers: vec![
            ("n".to_owned(), Some(number.to_string().into_bytes())),
            ("empty".to_owned(), Some(Vec::new())),
        ],
    }
}

/// Takes messages, and checks that each is the next of its partition.
struct Ledger {
    log: Log,
    /// What has come of each case, when it came first.
    answers: Vec<Option<Vec<u8>>>,
    /// How many have come of each partition.
    come: Vec<usize>,
}

impl Ledger {
    fn count(&self) -> usize {
        self.come.iter().sum()
    }

    /// Reads until so many have come.
    fn expect(&mut self, cases: &[Case], count: usize, stages: &[&Stage]) {
        let mut last = Instant::now();
        while self.count() < count {
            match self.log.next(Duration::from_millis(100)) {
                Some(message) => {
                    last = Instant::now();
                    self.note(cases, message);
                }
                None => assert!(
                    last.elapsed() < STUCK,
                    "nothing comes after {:?}: {:#?}",
                    self.come,
                    stages.iter().map(|stage| stage.tail()).collect::<Vec<_>>()
                ),
            }
        }
    }

    fn note(&mut self, cases: &[Case], mut message: Sent) {
        let partition = message.partition as usize;
        let number = self.come[partition] * PARTITIONS as usize + partition;
        self.come[partition] += 1;
        let mut expected = record(cases, number);
        let (value, _) = (message.value.take(), expected.value.take());
        assert_eq!(message, expected, "in partition {partition}");
        let answer = &mut self.answers[number % cases.len()];
        let value = value.expect("a value");
        match answer {
            Some(first) => assert!(
                *first == value,
                "record {number} is another than the first time"
            ),
            None => *answer = Some(value),
        }
    }
}

#[test]
fn each_record_once_while_stages_are_killed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let rounds = figure("POSEUR_KAFKA_KILLS", 2);
    let cases = suite(&pack::built_in(), Timestamp::now());
    let all = figure("POSEUR_KAFKA_RECORDS", 2 * cases.len());
    assert!(all >= cases.len(), "each case at least once");
    broker.topics(&["in", "out"], PARTITIONS);
    let mut ledger = Ledger {
        log: Log::new(&broker.address, "out", PARTITIONS),
        answers: vec![None; cases.len()],
        come: vec![0; PARTITIONS as usize],
    };
    let configs = [config(&broker, "one"), config(&broker, "two")];
    let began = Instant::now();
    let steady = configs[0].start();
    let mut victim = configs[1].start();
    let chunk = all / (rounds + 1);
    let records = |numbers: Range<usize>| -> Vec<Sent> {
        numbers.map(|number| record(&cases, number)).collect()
    };
    for round in 0..rounds {
        let (before, after) = (round * chunk, (round + 1) * chunk);
        ledger.expect(&cases, before, &[&steady, &victim]);
        victim.expect("got in [", 1);
        let messages = records(before..after);
        thread::scope(|scope| {
            scope.spawn(|| send(&broker, "in", &messages));
            // In the middle of its work.
            ledger.expect(&cases, before + chunk / 6, &[&steady, &victim]);
            victim.kill();
        });
        println!(
            "round {round}: killed after {} records, {:.1?}",
            ledger.count(),
            began.elapsed()
        );
        victim = configs[1].start();
    }
    send(&broker, "in", &records(rounds * chunk..all));
    ledger.expect(&cases, all, &[&steady, &victim]);
    // Nothing comes twice: not even when those who are left go.
    for mut stage in [steady, victim] {
        stage.signal(libc::SIGTERM);
        assert_eq!(stage.end(), Some(0), "{}", stage.tail());
    }
    let more = ledger.log.next(Duration::from_secs(3));
    assert_eq!(more, None);
    // Who is killed ten times is in the middle of a transaction at least once.
    assert!(rounds < 10 || ledger.log.aborted > 0, "no kill proves much");
    let answers: Option<Vec<Vec<u8>>> = ledger.answers.into_iter().collect();
    let (checked, tagged) = check_together(&cases, &answers.expect("each case"));
    println!(
        "kafka → kafka: {all} records once and in order, {rounds} kills, {} aborted and read again, {tagged} of {checked} \
         cases tagged, {:.0?}",
        ledger.log.aborted,
        began.elapsed()
    );
}
