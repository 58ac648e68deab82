//! Who observes a tagger is told of every verdict, with its summary, whatever the format; the output is the same.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use poseur_matcher::{Matcher, Verdict};
use poseur_rule::error::Place;
use poseur_rule::exception::{Exception, Ground};
use poseur_rule::model::Condition;
use poseur_rule::pack;
use poseur_tagger::finding::Finding;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::protobuf::push::PushTagger;
use poseur_tagger::{Counts, Observer, TagOptions, Tagger};
use poseur_tests::conformance::suite;
use poseur_tests::msgpack::{TIMES, packed};
use poseur_tests::protobuf;
use poseur_tests::tagging::{RULE_B, compile};

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Everything there is to tell, as text.
#[derive(Debug)]
struct Told {
    matcher: Arc<Matcher>,
    findings: Mutex<Vec<String>>,
}

impl Told {
    fn new(matcher: &Arc<Matcher>) -> Arc<Told> {
        Arc::new(Told {
            matcher: matcher.clone(),
            findings: Mutex::default(),
        })
    }
}

impl Observer for Told {
    fn observe(&self, verdict: &Verdict) {
        for finding in Finding::all(&self.matcher, verdict, true) {
            let on = finding.on().map(|on| (on.field, on.value, on.keyword));
            let told = format!(
                "{} by {:?}: {:?} {:?} against {:?} on {:?}",
                finding.rule().id,
                finding.exception().map(|exception| &exception.id),
                finding.time(),
                finding.who(),
                finding.whom(),
                on.collect::<Vec<_>>(),
            );
            self.findings.lock().unwrap().push(told);
        }
    }
}

#[test]
fn every_verdict_is_told() {
    let rules = pack::built_in();
    // All matches of one of the rules are suppressed.
    let exception = Exception {
        id: "e".to_owned(),
        reason: "r".to_owned(),
        owner: None,
        expires: None,
        rules: Some(vec![RULE_B.to_owned()]),
        ground: Ground::Unless(Condition::Any(vec![])),
        place: Place::new("test", 1, 1),
    };
    let matcher = compile(rules.clone(), vec![exception]);
    let cases = suite(&rules, now());
    let (mut lines, mut chunk, mut pushed) = (Vec::new(), Vec::new(), Vec::new());
    for case in &cases {
        lines.extend_from_slice(&case.record);
        lines.push(b'\n');
        chunk.extend_from_slice(TIMES[0]);
        chunk.extend_from_slice(&packed(&case.record).unwrap());
        let [event, _] = protobuf::events_of(&protobuf::packed(&case.record).unwrap());
        pushed.push(event);
    }
    let check = |counts: &Counts, told: &Told| {
        let told = told.findings.lock().unwrap();
        assert_eq!(told.len() as u64, counts.matches + counts.suppressed);
        assert!(counts.matches > 100 && counts.suppressed > 0, "{counts:?}");
        told.clone()
    };
    let options = TagOptions::default;

    let mut plain = Tagger::new(matcher.clone(), options());
    let told = Told::new(&matcher);
    let mut observed = Tagger::new(matcher.clone(), options()).with_observer(told.clone());
    let output = observed.tag(&lines, now()).to_vec();
    assert!(output == plain.tag(&lines, now()).to_vec());
    let from_lines = check(observed.counts(), &told);

    let mut plain = ChunkTagger::new(matcher.clone(), options());
    let told = Told::new(&matcher);
    let mut observed = ChunkTagger::new(matcher.clone(), options()).with_observer(told.clone());
    let output = observed.tag(&chunk, now()).unwrap().to_vec();
    assert!(output == plain.tag(&chunk, now()).unwrap().to_vec());
    let from_events = check(observed.counts(), &told);

    let request = protobuf::request(&pushed);
    let mut plain = PushTagger::new(matcher.clone(), options());
    let told = Told::new(&matcher);
    let mut observed = PushTagger::new(matcher.clone(), options()).with_observer(told.clone());
    let output = observed.tag(&request, now()).unwrap().to_vec();
    assert!(output == plain.tag(&request, now()).unwrap().to_vec());
    let from_request = check(observed.counts(), &told);

    assert!(
        from_lines == from_events && from_lines == from_request,
        "all formats tell the same"
    );
    let known = from_lines.iter().filter(|told| told.contains(" Some(\""));
    assert!(known.count() > 100, "who and when are known");
}
