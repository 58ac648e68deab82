//! What tagging leaves as it was, in every style: the input's bytes, in order, and its values.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_tagger::{Lines, Style, Tagged};

use crate::reference::json::{self, Value};
use crate::tagging::{styled, thorough};

/// The key of the default tag, and the word for `tags`.
const KEY: &[u8] = b"poseur";

/// What the `ecs` style may add to a record, in this order.
pub(crate) const ECS: [&str; 7] = [
    "tags",
    "rule.id",
    "rule.name",
    "threat.framework",
    "threat.technique.id",
    "threat.technique.subtechnique.id",
    "event.risk_score",
];

/// A piece of an output that is not the input's.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    /// What it replaces in the input; empty for an insertion.
    replaced: Range<usize>,
    /// The piece.
    text: Vec<u8>,
}

/// Tags a line in a style and checks that what is no tag is the input, as bytes and as values.
/// Gives how many pieces were made.
///
/// # Panics
/// If it is not.
pub fn check(matcher: &Arc<Matcher>, line: &[u8], at: Timestamp, style: Style) -> usize {
    let mut braces = Vec::new();
    Lines::new(matcher.clone()).read(line, at, &mut |hit| {
        braces.push(hit.root.end - 1);
        Ok(())
    });
    let mut tagger = styled(matcher.clone(), style);
    let tagged = tagger.tag(line, at);
    let made = pieces(line, &tagged);
    let output = tagged.to_vec();
    let plain = thorough(matcher.clone(), style).tag(line, at).to_vec();
    assert_eq!(output, plain, "the candidate search changes the output");
    if braces.is_empty() {
        assert_eq!(output, line, "a line without a match was changed");
        return 0;
    }
    for made in &made {
        assert!(std::str::from_utf8(&made.text).is_ok(), "{made:?}");
        let in_tags = style == Style::Ecs && line[made.replaced.start] == b']';
        let replaces = style != Style::Ecs && !made.replaced.is_empty();
        assert!(
            in_tags || replaces || braces.contains(&made.replaced.start),
            "{made:?}"
        );
    }
    let body = |line: &[u8]| {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        json::parse(line).expect("a matched line is valid").value
    };
    let (before, after) = (body(line), body(&output));
    let mut changed = 0;
    compare(&before, &after, style, &mut changed);
    match style {
        // Everything that would be written may be there already.
        Style::Ecs => assert!(changed <= braces.len(), "too many records were changed"),
        _ => assert_eq!(changed, braces.len(), "records that were changed"),
    }
    made.len()
}

/// Takes an output apart. The input's bytes must be there in order; what is missing of them must be
/// whole values, each with a piece in its place.
fn pieces(input: &[u8], tagged: &Tagged<'_>) -> Vec<Made> {
    let memory = input.as_ptr_range();
    let mut made: Vec<Made> = Vec::new();
    let mut done = 0;
    let go_on = |done: usize, start: usize, made: &mut Vec<Made>| {
        assert!(start >= done, "bytes of the input out of order");
        if start > done {
            let last = made.last_mut().filter(|last| last.replaced == (done..done));
            last.expect("bytes of the input are missing").replaced.end = start;
            json::parse(&input[done..start]).expect("what is replaced is a value");
        }
    };
    for slice in tagged.slices().filter(|slice| !slice.is_empty()) {
        if memory.contains(&slice.as_ptr()) {
            let start = slice.as_ptr() as usize - memory.start as usize;
            go_on(done, start, &mut made);
            done = start + slice.len();
        } else {
            let text = slice.to_vec();
            made.push(Made {
                replaced: done..done,
                text,
            });
        }
    }
    go_on(done, input.len(), &mut made);
    made
}

/// Checks that one value is the other with tags in some of its objects, and counts these.
fn compare(before: &Value, after: &Value, style: Style, changed: &mut usize) {
    match (before, after) {
        (Value::Map(before), Value::Map(after)) => {
            assert!(after.len() >= before.len(), "members are missing");
            let (kept, added) = after.split_at(before.len());
            let mut tagged = !added.is_empty();
            for ((key, value), (same, new)) in before.iter().zip(kept) {
                assert_eq!(key, same, "a key was changed");
                if is_tag(key, value, new, style) {
                    tagged = true;
                } else {
                    compare(value, new, style, changed);
                }
            }
            let names: Vec<&[u8]> = added.iter().map(|(key, _)| key.as_slice()).collect();
            match style {
                Style::Ecs => {
                    let known = ECS.iter().filter(|name| names.contains(&name.as_bytes()));
                    let known: Vec<&[u8]> = known.map(|name| name.as_bytes()).collect();
                    assert_eq!(names, known, "added members");
                }
                _ => {
                    assert!(names.is_empty() || names == [KEY], "added members");
                    let there = before.iter().any(|(key, _)| key == KEY);
                    assert!(names.is_empty() || !there, "a second tag");
                }
            }
            *changed += usize::from(tagged);
        }
        (Value::List(before), Value::List(after)) => {
            assert_eq!(before.len(), after.len(), "elements of a list");
            for (before, after) in before.iter().zip(after) {
                compare(before, after, style, changed);
            }
        }
        (before, after) => assert_eq!(before, after, "a value was changed"),
    }
}

/// Whether a member was made a tag: replaced whole, or given the word.
fn is_tag(key: &[u8], before: &Value, after: &Value, style: Style) -> bool {
    match (style, before, after) {
        (Style::Ecs, Value::List(before), Value::List(after)) => {
            key == b"tags"
                && after.split_last() == Some((&Value::Text(KEY.to_vec()), before.as_slice()))
        }
        (Style::Ecs, ..) => false,
        _ => key == KEY && before != after,
    }
}
