//! Tags spliced into chunks, in all styles: small enough for Miri, which looks for what must not be done with memory.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::{Matcher, schema};
use poseur_rule::sigma;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::{Style, TagOptions};

const RULE: &str = "title: Sent\nid: aaaaaaaa-0000-4000-8000-000000000001\n\
logsource: {category: test}\ndetection:\n  sent: {event.action: MessageSent}\n  condition: sent\n";

const TIME: &[u8] = b"\x92\x92\xD7\x00\x65\x00\x00\x00\x00\x00\x00\x01\x80";

/// A map of two texts.
fn record(operation: &str) -> Vec<u8> {
    let text = |text: &str| [&[0xA0 + text.len() as u8], text.as_bytes()].concat();
    let parts = ["Operation", operation, "Workload", "MicrosoftTeams"].map(text);
    [&b"\x82"[..], &parts.concat()].concat()
}

#[test]
fn tags_are_spliced_in_and_the_rest_stays() {
    let rules = sigma::read("test", RULE).rules;
    let matcher = Matcher::new(rules, Vec::new(), schema::built_in(), None).unwrap();
    let matcher = Arc::new(matcher);
    let (other, sent) = (record("Other"), record("MessageSent"));
    let event = |record: &[u8]| [TIME, record].concat();
    let chunk = [event(&other), event(&sent), event(&other)].concat();
    for style in [Style::Namespace, Style::Ecs, Style::Minimal] {
        let options = TagOptions {
            style,
            ..TagOptions::default()
        };
        let mut tagger = ChunkTagger::new(matcher.clone(), options);
        for _ in 0..2 {
            let tagged = tagger.tag(&chunk, Timestamp::UNIX_EPOCH).unwrap().to_vec();
            let middle = &tagged[event(&other).len()..tagged.len() - event(&other).len()];
            assert!(tagged.starts_with(&event(&other)) && tagged.ends_with(&event(&other)));
            // The map has more members, and those it had come first.
            let (before, members) = (&middle[..TIME.len()], &middle[TIME.len() + 1..]);
            assert_eq!(before, TIME);
            assert!(members.starts_with(&sent[1..]), "{style:?}");
            assert!(middle[TIME.len()] > sent[0]);
            assert!(members.windows(6).any(|part| part == b"poseur"));
        }
        for cut in [1, 20, chunk.len() - 1] {
            let tagged = tagger.tag(&chunk[..cut], Timestamp::UNIX_EPOCH);
            assert!(!tagged.is_ok_and(|tagged| !tagged.is_unchanged()), "{cut}");
        }
    }
}
