//! The kinds of traffic, and who is measured on each.

use std::sync::Arc;

use poseur_rule::model::Rule;
use poseur_tests::reference::rules::{RULE_A, RULE_B};
use poseur_tests::reference::{Outcome, verdicts};
use poseur_tests::rules::Options;
use poseur_tests::traffic::Truths;

use crate::contender::{Contender, Sizes};
use crate::peers::tree::{Dress, Task, Writes};
use crate::peers::{limits, plain, search};
use crate::poseur;
use crate::rules::{five_hundred, walker};
use crate::traffic::{Traffic, lines};

/// A kind of traffic, with everybody who is measured on it.
#[derive(Clone, Copy)]
pub struct Workload {
    /// The name of the criterion group.
    pub name: &'static str,
    contenders: fn(Sizes) -> Vec<Contender>,
}

impl Workload {
    /// Makes the traffic, and everybody ready.
    pub fn contenders(&self, sizes: Sizes) -> Vec<Contender> {
        (self.contenders)(sizes)
    }
}

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "teams",
        contenders: |sizes| {
            let (traffic, task) = rule_a(sizes, Dress::Bare, |bytes| Traffic::teams(bytes, 0.0));
            let mut all = compared(&traffic, &task);
            all.push(poseur::copies(&traffic));
            all.push(poseur::two_threads(&traffic));
            all.push(search::regex(&traffic, "Operation", "\"ChatCreated\""));
            all.push(search::keywords(&traffic));
            all
        },
    },
    Workload {
        name: "teams, 5 % with escapes",
        contenders: |sizes| {
            let (traffic, task) = rule_a(sizes, Dress::Bare, |bytes| Traffic::teams(bytes, 0.05));
            compared(&traffic, &task)
        },
    },
    Workload {
        name: "teams, 1 KB records",
        contenders: |sizes| of_size(sizes, 1000),
    },
    Workload {
        name: "teams, 8 KB records",
        contenders: |sizes| of_size(sizes, 8000),
    },
    Workload {
        name: "envelopes",
        contenders: |sizes| {
            let (traffic, task) = rule_a(sizes, Dress::Envelope, Traffic::envelopes);
            compared(&traffic, &task)
        },
    },
    Workload {
        name: "batches",
        contenders: |sizes| {
            let (traffic, task) = rule_a(sizes, Dress::Batch, Traffic::batches);
            compared(&traffic, &task)
        },
    },
    Workload {
        name: "MessagePack chunks",
        contenders: |sizes| {
            let traffic = Traffic::teams(sizes.whole, 0.0);
            // As another shipper passes them on, and as Fluent Bit's `tail` does.
            let [large, small] = [2 << 20, 32 << 10].map(|size| {
                let events = poseur::events(&traffic, size);
                Arc::new(events)
            });
            vec![
                limits::memcpy_each(&large),
                poseur::tags_events("poseur", &large, traffic.matches()),
                poseur::tags_events("poseur, 32 KB", &small, traffic.matches()),
            ]
        },
    },
    Workload {
        name: "Vector's requests",
        contenders: |sizes| {
            let traffic = Traffic::teams(sizes.whole, 0.0);
            // Vector sends up to a thousand events at once.
            let requests = Arc::new(poseur::requests(&traffic, 2 << 20));
            vec![
                limits::memcpy_each(&requests),
                poseur::tags_requests("poseur", &requests, traffic.matches()),
            ]
        },
    },
    Workload {
        name: "all candidates",
        contenders: |sizes| {
            let (traffic, task) = rule_a(sizes, Dress::Bare, Traffic::all_candidates);
            let mut all = limits(&traffic);
            all.push(poseur::tags("poseur", &traffic, &[]));
            all.push(poseur::two_threads(&traffic));
            all.extend(peers_a(&task));
            all
        },
    },
    Workload {
        name: "all matching",
        contenders: |sizes| {
            let (traffic, task) = rule_a(sizes, Dress::Bare, Traffic::all_matching);
            compared(&traffic, &task)
        },
    },
    Workload {
        name: "message events",
        contenders: |sizes| {
            let (traffic, task) = task(sizes, Dress::Bare, RULE_B, Traffic::message_events);
            let mut all = limits(&traffic);
            all.push(poseur::tags("poseur", &traffic, &[]));
            all.push(poseur::copies(&traffic));
            all.extend(peers_b(&task));
            all.push(search::regex(&traffic, "IsExternalThread", "true"));
            all
        },
    },
    #[cfg(feature = "peers")]
    Workload {
        name: "teams, as VRL values",
        contenders: |sizes| {
            let (_, task) = rule_a(sizes, Dress::Bare, |bytes| Traffic::teams(bytes, 0.0));
            on_values(&task, crate::peers::vrl::RULE_A)
        },
    },
    #[cfg(feature = "peers")]
    Workload {
        name: "all matching, as VRL values",
        contenders: |sizes| {
            let (_, task) = rule_a(sizes, Dress::Bare, Traffic::all_matching);
            on_values(&task, crate::peers::vrl::RULE_A)
        },
    },
    #[cfg(feature = "peers")]
    Workload {
        name: "message events, as VRL values",
        contenders: |sizes| {
            let (_, task) = task(sizes, Dress::Bare, RULE_B, Traffic::message_events);
            on_values(&task, crate::peers::vrl::RULE_B)
        },
    },
    Workload {
        name: "500 rules, passed by",
        contenders: |sizes| many(sizes, Vec::new(), Options::default()),
    },
    Workload {
        name: "500 rules, walked",
        contenders: |sizes| many(sizes, vec![walker()], Options::walking()),
    },
];

/// The traffic, and its beginning for those who parse.
fn task(
    sizes: Sizes,
    dress: Dress,
    rule: &'static str,
    make: impl Fn(usize) -> Traffic,
) -> (Arc<Traffic>, Task) {
    let (traffic, part) = (Arc::new(make(sizes.whole)), Arc::new(make(sizes.part)));
    assert!(traffic.bytes.starts_with(&part.bytes));
    let task = Task {
        answer: part.matches(),
        traffic: part,
        dress,
        rule,
    };
    (traffic, task)
}

fn rule_a(sizes: Sizes, dress: Dress, make: impl Fn(usize) -> Traffic) -> (Arc<Traffic>, Task) {
    task(sizes, dress, RULE_A, make)
}

fn limits(traffic: &Arc<Traffic>) -> Vec<Contender> {
    vec![limits::memcpy(traffic), limits::memchr(traffic)]
}

/// The limits, the tagger, and the peers of rule A.
fn compared(traffic: &Arc<Traffic>, task: &Task) -> Vec<Contender> {
    let mut all = limits(traffic);
    all.push(poseur::tags("poseur", traffic, &[]));
    all.extend(peers_a(task));
    all
}

fn of_size(sizes: Sizes, record: usize) -> Vec<Contender> {
    let (traffic, task) = rule_a(sizes, Dress::Bare, |bytes| Traffic::of_size(bytes, record));
    compared(&traffic, &task)
}

fn peers_a(task: &Task) -> Vec<Contender> {
    let mut all = vec![
        plain::serde_json(task, Writes::All, plain::rule_a),
        plain::serde_json(task, Writes::Matches, plain::rule_a),
    ];
    #[cfg(feature = "peers")]
    {
        use crate::peers::{sigma, sonic, vrl};
        all.push(sonic::sonic(task, plain::rule_a));
        all.push(vrl::vrl(task, vrl::RULE_A));
        all.push(sigma::sigma(task, &[sigma::RULE_A.to_owned()]));
    }
    all.shrink_to_fit();
    all
}

fn peers_b(task: &Task) -> Vec<Contender> {
    let mut all = vec![
        plain::serde_json(task, Writes::All, plain::rule_b),
        plain::serde_json(task, Writes::Matches, plain::rule_b),
    ];
    #[cfg(feature = "peers")]
    {
        use crate::peers::tree::Tree;
        use crate::peers::{sigma, sonic, vrl};
        all.push(sonic::sonic(task, plain::rule_b));
        all.push(vrl::vrl(task, vrl::RULE_B));
        // Sigma cannot say how old a record may be.
        let mut whenever = task.clone();
        let records = lines(&task.traffic.bytes).filter_map(serde_json::Value::parse);
        let matching = records.filter(|record| plain::rule_b_whenever(&mut record.clone()));
        whenever.answer = matching.count() as u64;
        all.push(sigma::sigma(&whenever, &[sigma::RULE_B.to_owned()]));
    }
    all.shrink_to_fit();
    all
}

/// Inside a host that embeds VRL: the function, the program that is exported for hosts without it, and one written
/// by hand for one rule in one shape of record.
#[cfg(feature = "peers")]
fn on_values(task: &Task, program: &str) -> Vec<Contender> {
    use crate::peers::vrl;
    vec![
        vrl::on_values("poseur_match", task, vrl::FUNCTION),
        vrl::on_values("poseur_match, tag set", task, vrl::TAGGING),
        vrl::on_values("exported program, tag set", task, &vrl::exported()),
        vrl::on_values("program by hand", task, program),
        vrl::through_json(task),
    ]
}

/// Five hundred rules against two, or against three that make every record be walked.
fn many(sizes: Sizes, few: Vec<Rule>, options: Options) -> Vec<Contender> {
    let (traffic, task) = rule_a(sizes, Dress::Bare, |bytes| Traffic::teams(bytes, 0.0));
    let rules = five_hundred(options.clone());
    let name = if few.is_empty() {
        "poseur, two rules"
    } else {
        "poseur, three rules"
    };
    let mut all = limits(&traffic);
    all.push(poseur::tags(name, &traffic, &few));
    all.push(poseur::tags("poseur, 500 rules", &traffic, &rules));
    let literals = poseur::tagger_with(&rules).candidates().literals().to_vec();
    if !literals.is_empty() {
        all.push(search::witnesses(&traffic, &literals));
    }
    all.push(plain::serde_json(&task, Writes::Matches, plain::rule_a));
    #[cfg(feature = "peers")]
    {
        use crate::peers::sigma;
        let rules = sigma::five_hundred(options);
        all.push(sigma::sigma(&task, &rules));
        all.push(sigma::sigma_told(&task, &rules));
    }
    all
}

/// Records of somebody's own, repeated to 300 MB or what `sizes` says. What matches, the reference
/// evaluator says. Only the peers that need to know nothing of the records are asked.
pub fn of_records(records: &[u8], sizes: Sizes) -> Vec<Contender> {
    let repeated = |bytes: usize| {
        let times = (bytes / records.len().max(1)).max(1);
        let mut traffic = Traffic {
            bytes: records.repeat(times),
            truths: Truths::default(),
        };
        traffic.truths.lines = memchr::memchr_iter(b'\n', records).count() as u64 * times as u64;
        traffic.truths.matches_a = matching(records) * times as u64;
        Arc::new(traffic)
    };
    let traffic = repeated(sizes.whole.min(300_000_000));
    let mut all = limits(&traffic);
    all.push(poseur::tags("poseur", &traffic, &[]));
    all.push(poseur::copies(&traffic));
    all
}

/// How many records of some lines match a built-in rule, by the reference evaluator.
fn matching(bytes: &[u8]) -> u64 {
    let rules = poseur::with_built_in(&[]);
    let matching = lines(bytes).map(|line| match verdicts(line, &rules, Traffic::now(), None) {
        Outcome::Records(records) => {
            let matching = records.iter().filter(|record| !record.rules.is_empty());
            matching.count() as u64
        }
        _ => 0,
    });
    matching.sum()
}
