//! The conformance suite, through the hosts that every build has: lines of JSON, MessagePack, and Vector's protocol. The others
//! run it beside what they need: `poseur-fluent-bit` (shared object, WebAssembly module), `vrl_functions`
//! here, `poseur-conformance` (exported program).

use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::protobuf::push::PushTagger;
use poseur_tagger::{Style, TagOptions};
use poseur_tests::conformance::check;
use poseur_tests::msgpack::{TIMES, packed, unpacked};
use poseur_tests::protobuf;
use poseur_tests::strategies::now;
use poseur_tests::tagging::{self, compile};

#[test]
fn lines() {
    let mut tagger = tagging::tagger(Vec::new(), Style::Namespace);
    let (all, tagged) = check(now(), |record| tagging::tag(&mut tagger, record, now()));
    println!("{tagged} of {all} records tagged");
}

#[test]
fn chunks_of_message_pack() {
    let matcher = compile(poseur_rule::pack::built_in(), Vec::new());
    let mut tagger = ChunkTagger::new(matcher, TagOptions::default());
    let (all, tagged) = check(now(), |record| {
        let event = [TIMES[0], &packed(record).expect("an object")].concat();
        let tagged = tagger.tag(&event, now()).expect("a whole event").to_vec();
        unpacked(tagged.strip_prefix(TIMES[0]).expect("the event's time"))
    });
    println!("{tagged} of {all} records tagged");
}

#[test]
fn requests_of_vector() {
    let matcher = compile(poseur_rule::pack::built_in(), Vec::new());
    let mut tagger = PushTagger::new(matcher, TagOptions::default());
    let (all, tagged) = check(now(), |record| {
        let fields = protobuf::packed(record).expect("an object");
        let request = protobuf::request(&protobuf::events_of(&fields));
        let tagged = tagger.tag(&request, now()).expect("whole events").to_vec();
        let [record, same] = &protobuf::records(&tagged)[..] else {
            panic!("not two records");
        };
        assert_eq!(record, same, "one form is tagged in another way");
        protobuf::unpacked(record)
    });
    println!("{tagged} of {all} records tagged");
}
