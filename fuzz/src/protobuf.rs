//! Vector's protocol: the reader, the tagger and the conversions, on any bytes.

use std::cell::RefCell;

use jiff::Timestamp;
use poseur_matcher::found::Found;
use poseur_matcher::paths::Paths;
use poseur_matcher::record::{Handle, Record};
use poseur_relay::convert::{events_to_push, push_to_events, push_to_lines};
use poseur_tagger::TagOptions;
use poseur_tagger::json::check::check;
use poseur_tagger::json::document::Pool;
use poseur_tagger::protobuf::document::Log;
use poseur_tagger::protobuf::message::FIRST;
use poseur_tagger::protobuf::push::PushTagger;
use poseur_tagger::protobuf::wire::field;
use poseur_tests::agreement::matcher;
use poseur_tests::protobuf::{
    Event, Log as PlainLog, PushEventsRequest, nothing_but_tags, sorted, unpacked_value,
};
use poseur_tests::reference::json;
use poseur_tests::strategies::now;
use prost::Message;

use crate::visit;

/// Never a panic. A log that is right by our check is right for a plain codec, which reads the same, if it goes as
/// deep; a tagged request is the same with nothing but tags more, and right if it was; lines and events that are
/// made of a request are readable.
///
/// # Panics
/// If it is not so.
pub fn protobuf(data: &[u8]) {
    let plain = PushEventsRequest::decode(data).ok();
    read_first(data, plain.as_ref());
    thread_local! {
        static TAGGER: RefCell<PushTagger> = RefCell::new(PushTagger::new(
            matcher(poseur_rule::pack::built_in(), None),
            TagOptions::default(),
        ));
    }
    let tagged = TAGGER.with_borrow_mut(|tagger| {
        let tagged = tagger.tag(data, now()).ok()?;
        (!tagged.is_unchanged()).then(|| tagged.to_vec())
    });
    if let (Some(tagged), Some(_)) = (tagged, &plain) {
        assert!(PushEventsRequest::decode(&tagged[..]).is_ok(), "broken");
        nothing_but_tags(data, &tagged, &TagOptions::default());
    }
    if let Ok(lines) = push_to_lines(data) {
        for line in lines.split(|byte| *byte == b'\n') {
            assert!(line.is_empty() || check(line).is_ok(), "a broken line");
        }
        let events = push_to_events(data, Timestamp::UNIX_EPOCH).expect("the same logs");
        let back = events_to_push(&events).expect("events that we made");
        assert!(PushEventsRequest::decode(&back[..]).is_ok(), "broken");
    }
}

/// Reads the first field of a request as an event.
fn read_first(data: &[u8], plain: Option<&PushEventsRequest>) {
    let Ok(first) = field(data, 0) else { return };
    if first.number != FIRST {
        return;
    }
    let (pool, end) = (Pool::default(), first.range.end);
    let Ok(Some(log)) = Log::new(data, Handle { start: 0, end }, &pool) else {
        return;
    };
    let (root, mut paths) = (log.root(), Paths::default());
    for path in ["a", "a.b", "Operation", "log"] {
        paths.add(path);
    }
    paths.finish();
    let walked = log.walk(root, &paths, &mut Found::new(paths.len()));
    visit(&log, root);
    let mut text = Vec::new();
    log.write_json(root, &mut text);
    if log.check().is_err() {
        return;
    }
    assert!(walked.is_ok(), "a valid log cannot be walked");
    let read = json::parse(&text).expect("a log is written as JSON").value;
    let first = plain.and_then(|plain| plain.events.first());
    let plain = match first.and_then(|first| first.event.as_ref()) {
        Some(Event::Log(PlainLog {
            value: Some(value), ..
        })) => unpacked_value(value),
        Some(Event::Log(PlainLog { fields, .. })) => {
            json::parse(&poseur_tests::protobuf::unpacked(fields))
                .expect("JSON of our making")
                .value
        }
        // What is at another place in the request may be wrong.
        _ => return,
    };
    assert_eq!(
        json::compact(&sorted(read)),
        json::compact(&sorted(plain)),
        "another record"
    );
}
