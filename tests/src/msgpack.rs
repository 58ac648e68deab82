//! JSON records as MessagePack, and back; what tagging leaves of a chunk.

use poseur_matcher::record::{Handle, Record};
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;
use poseur_tagger::msgpack::document::Map;
use poseur_tagger::msgpack::encode::encode;
use poseur_tagger::msgpack::head::{HeadKind, head, skip};
use poseur_tagger::{Style, TagOptions};

use crate::splicing::ECS;

/// What stands before a record in an event: its time as Fluent Bit and as Fluentd write it.
pub const TIMES: [&[u8]; 2] = [
    b"\x92\x92\xD7\x00\x65\x00\x00\x00\x00\x00\x00\x01\x80",
    b"\x92\xD7\x00\x65\x00\x00\x00\x00\x00\x00\x01",
];

/// A JSON object as MessagePack; `None` if it is not readable, or no object.
pub fn packed(json: &[u8]) -> Option<Vec<u8>> {
    let (mut index, pool) = (Index::default(), Pool::default());
    let document = Document::new(json, &mut index, &pool).ok()?;
    document.check().ok()?;
    let mut out = Vec::new();
    let is_object = json[document.root().start] == b'{';
    encode(&document, document.root(), &mut out).ok()?;
    is_object.then_some(out)
}

/// The same record as JSON again: numbers may be spelled in another way then.
///
/// # Panics
/// If it is no record.
pub fn unpacked(map: &[u8]) -> Vec<u8> {
    let (mut out, pool) = (Vec::new(), Pool::default());
    let (start, end) = (0, map.len());
    let root = Handle { start, end };
    let map = Map::new(map, root, &pool).expect("a map");
    map.check().expect("a readable map");
    map.write_json(root, &mut out);
    out
}

/// Checks that a chunk is another one with nothing but tags more, byte for byte: the same events with the same
/// times; in records members at the end, values of members that are tags, and in the `ecs` style elements of
/// `tags`.
///
/// # Panics
/// If it is not.
pub fn nothing_but_tags(before: &[u8], after: &[u8], options: &TagOptions) {
    let both = Both {
        before,
        after,
        options,
    };
    let (mut from, mut to) = (0, 0);
    while from < before.len() {
        let end = skip(before, from).expect("a chunk that was taken apart");
        (from, to) = match both.same(from, to) {
            Some(places) => places,
            None => {
                let start = head(before, from).expect("an event");
                assert_eq!(start.kind, HeadKind::List(2), "no event was changed");
                assert_eq!(head(after, to).expect("an event").kind, start.kind);
                // As long as the other: an array of two begins with one byte.
                let time = both.same(from + 1, to + 1).expect("the time is as it was");
                both.value(time.0, time.1)
            }
        };
        assert_eq!(from, end);
    }
    assert_eq!(to, after.len(), "events were added");
}

/// A chunk, and what became of it. Methods take the places of a value in the two, and answer the places after it.
struct Both<'a> {
    before: &'a [u8],
    after: &'a [u8],
    options: &'a TagOptions,
}

impl Both<'_> {
    /// If the value is the same, byte for byte.
    fn same(&self, from: usize, to: usize) -> Option<(usize, usize)> {
        let end = skip(self.before, from).expect("a value");
        let value = &self.before[from..end];
        let same = self.after[to..].starts_with(value);
        same.then_some((end, to + value.len()))
    }

    fn value(&self, from: usize, to: usize) -> (usize, usize) {
        if let Some(places) = self.same(from, to) {
            return places;
        }
        let [before, after] = [(self.before, from), (self.after, to)]
            .map(|(bytes, at)| head(bytes, at).expect("a value"));
        let mut places = (before.content, after.content);
        match (before.kind, after.kind) {
            (HeadKind::List(size), HeadKind::List(same)) if size == same => {
                for _ in 0..size {
                    places = self.value(places.0, places.1);
                }
            }
            (HeadKind::Map(size), HeadKind::Map(more)) if size <= more => {
                for _ in 0..size {
                    let key = &self.before[places.0..];
                    places = self.same(places.0, places.1).expect("a key was changed");
                    places = self.member(key, places.0, places.1);
                }
                for _ in size..more {
                    let key = &self.after[places.1..];
                    assert!(self.is_tag(key), "a member that is no tag was added");
                    places.1 = skip(self.after, skip(self.after, places.1).unwrap()).unwrap();
                }
            }
            kinds => panic!("more than a tag was changed: {kinds:?}"),
        }
        places
    }

    /// The value of a member.
    fn member(&self, key: &[u8], from: usize, to: usize) -> (usize, usize) {
        if self.same(from, to).is_some() || !self.is_tag(key) {
            return self.value(from, to);
        }
        let ends = (
            skip(self.before, from).unwrap(),
            skip(self.after, to).unwrap(),
        );
        if self.options.style == Style::Ecs {
            let [before, after] =
                [(self.before, from), (self.after, to)].map(|(bytes, at)| head(bytes, at).unwrap());
            let (HeadKind::List(size), HeadKind::List(more)) = (before.kind, after.kind) else {
                panic!("a value was changed");
            };
            assert!(is_text(key, "tags") && size + 1 == more);
            let elements = &self.before[before.content..ends.0];
            assert!(self.after[after.content..ends.1].starts_with(elements));
        }
        ends
    }

    fn is_tag(&self, key: &[u8]) -> bool {
        match self.options.style {
            Style::Ecs => ECS.iter().any(|name| is_text(key, name)),
            _ => is_text(key, &self.options.key),
        }
    }
}

/// Whether a value is this text.
fn is_text(value: &[u8], text: &str) -> bool {
    let head = head(value, 0).expect("a value");
    let (HeadKind::Text(size) | HeadKind::Bytes(size)) = head.kind else {
        return false;
    };
    value.get(head.content..head.content + size) == Some(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunk of two events, of which the second has this record.
    fn chunk(json: &str) -> Vec<u8> {
        let records = [r#"{"a":1}"#, json].map(|json| packed(json.as_bytes()).unwrap());
        [TIMES[0], &records[0], TIMES[1], &records[1]].concat()
    }

    #[test]
    fn tags_and_nothing_else() {
        let before = r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":0}"#;
        for (after, namespace, ecs) in [
            (before, true, true),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":{"rules":[]}}"#,
                true,
                false,
            ),
            (
                r#"{"a":[1,{"b":"c","poseur":1}],"tags":["x"],"poseur":0}"#,
                true,
                false,
            ),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x","y"],"poseur":0}"#,
                false,
                true,
            ),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":0,"rule.id":[1]}"#,
                false,
                true,
            ),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["y","x"],"poseur":0}"#,
                false,
                false,
            ),
            (
                r#"{"a":[1,{"b":"d"}],"tags":["x"],"poseur":0}"#,
                false,
                false,
            ),
            (
                r#"{"a":[1,{"c":"c"}],"tags":["x"],"poseur":0}"#,
                false,
                false,
            ),
            (
                r#"{"a":[1,{"b":"c"},2],"tags":["x"],"poseur":0}"#,
                false,
                false,
            ),
            (
                r#"{"tags":["x"],"a":[1,{"b":"c"}],"poseur":0}"#,
                false,
                false,
            ),
            (r#"{"a":[1,{"b":"c"}],"tags":["x"]}"#, false, false),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":0,"other":1}"#,
                false,
                false,
            ),
        ] {
            for (style, expected) in [
                (Style::Namespace, namespace),
                (Style::Minimal, namespace),
                (Style::Ecs, ecs),
            ] {
                let options = TagOptions {
                    style,
                    ..TagOptions::default()
                };
                let chunks = [before, after].map(chunk);
                let check = || nothing_but_tags(&chunks[0], &chunks[1], &options);
                assert_eq!(std::panic::catch_unwind(check).is_ok(), expected, "{after}");
            }
        }
        let one = chunk("{}");
        for changed in [
            [&one[..], b"\xC0"].concat(),
            one[TIMES[0].len()..].to_vec(),
            [
                &one[..TIMES[0].len() - 2],
                b"\x02",
                &one[TIMES[0].len() - 1..],
            ]
            .concat(),
        ] {
            let check = || nothing_but_tags(&one, &changed, &TagOptions::default());
            assert!(std::panic::catch_unwind(check).is_err(), "{changed:x?}");
        }
    }
}
