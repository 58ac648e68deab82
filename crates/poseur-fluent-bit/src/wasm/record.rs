//! One record after the other, each a JSON text.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::json::nesting;
use poseur_matcher::record::MAX_DEPTH;
use poseur_rule::files;
use poseur_setup::Sources;
use poseur_tagger::msgpack::chunks::MOST_NESTED;
use poseur_tagger::{Style, TagOptions, Tagger};

use super::{EXCEPTIONS, RULES};
use crate::filter::{self, Notice};

/// One instance of the filter.
#[derive(Debug)]
pub struct RecordFilter {
    /// `None` if the rules are not usable: nothing is tagged then.
    tagger: Option<Tagger>,
    /// Writes tags that do not nest, where the other's nest too deep. Made when it is needed.
    flat: Option<Tagger>,
    answer: Vec<u8>,
}

impl RecordFilter {
    /// Loads and compiles what the sources name, as of a moment; answers also what there is to tell.
    /// If anything is wrong, the filter leaves all records as they are.
    pub fn new(sources: &Sources, now: Timestamp) -> (RecordFilter, Vec<Notice>) {
        let loaded = poseur_setup::load(sources);
        let (tagger, notices) = match filter::compile(loaded, &sources.schema, now) {
            Ok((matcher, notices)) => {
                let tagger = Tagger::new(Arc::new(matcher), TagOptions::default());
                (Some(tagger), notices)
            }
            Err(errors) => {
                let wrong = errors.iter().map(|error| Notice::Error(error.to_string()));
                let off =
                    "no record is tagged until this is put right and the host is started again";
                (None, wrong.chain([Notice::Error(off.to_owned())]).collect())
            }
        };
        let filter = RecordFilter {
            tagger,
            flat: None,
            answer: Vec::new(),
        };
        (filter, notices)
    }

    /// Tags a record, which may be followed by the NUL that ends it. The answer ends with one. `None` if
    /// the record stays as it is: nothing matched, or it cannot be read.
    pub fn tag(&mut self, record: &[u8], now: impl FnOnce() -> Timestamp) -> Option<&[u8]> {
        let tagger = self.tagger.as_mut()?;
        let record = record.strip_suffix(&[0]).unwrap_or(record);
        if !tagger.candidates().is_candidate(record) {
            return None;
        }
        let now = now();
        if !write(tagger, record, now, &mut self.answer) {
            return None;
        }
        // The host loses records that nest deeper than it goes.
        let most = nesting(record).max(MOST_NESTED);
        if nesting(&self.answer) > most {
            let flat = self.flat.get_or_insert_with(|| {
                let style = Style::Minimal;
                let options = TagOptions {
                    style,
                    ..TagOptions::default()
                };
                Tagger::new(Arc::clone(tagger.matcher()), options)
            });
            write(flat, record, now, &mut self.answer);
        }
        // The host would take what is before a NUL for the whole record.
        if nesting(&self.answer) > most || self.answer.contains(&0) {
            return None;
        }
        self.answer.push(0);
        Some(&self.answer)
    }
}

/// Writes a record with its tag; `false` if it has none.
fn write(tagger: &mut Tagger, record: &[u8], now: Timestamp, answer: &mut Vec<u8>) -> bool {
    answer.clear();
    let tagged = tagger.tag(record, now);
    for slice in tagged.slices() {
        answer.extend_from_slice(slice);
    }
    !tagged.is_unchanged()
}

/// Records that need as much stack as any: batches in batches and lists in lists as deep as records are
/// read, in texts in texts.
pub fn deepest() -> Vec<Vec<u8>> {
    // The escape makes a candidate of it, whatever the rules.
    let object = r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk","Operation":"ChatCreated","Escape":"\u0030"}"#;
    let batches = |object: &str| {
        let levels = MAX_DEPTH / 2 - 2;
        let (open, close) = (r#"{"records":["#.repeat(levels), "]}".repeat(levels));
        format!("{open}{object}{close}")
    };
    let (open, close) = ("[".repeat(MAX_DEPTH - 8), "]".repeat(MAX_DEPTH - 8));
    let list = object.replace(r#""Help Desk""#, &format!(r#"{open}"Help Desk"{close}"#));
    let text = |record: &str| {
        let escaped = record.replace('\\', "\\\\").replace('"', "\\\"");
        format!(r#"{{"log":"{escaped}"}}"#)
    };
    let mut nested = r#"{"Escape":"\u0030"}"#.to_owned();
    for _ in 0..4 {
        nested = batches(&text(&nested));
    }
    [list, batches(object), nested]
        .map(String::into_bytes)
        .into()
}

/// Where a module finds its rules and exceptions.
pub fn sources() -> Sources {
    let there = |name: &str| -> Vec<PathBuf> {
        match files::kind(Path::new(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            // What is there and cannot be read is an error, which loading will tell.
            Ok(_) | Err(_) => vec![PathBuf::from(name)],
        }
    };
    Sources {
        rules: there(RULES),
        exceptions: there(EXCEPTIONS),
        ..Sources::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATCH: &str = r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn records_are_tagged_or_left_alone() {
        let (mut filter, notices) = RecordFilter::new(&Sources::default(), now());
        let ready = "2 rule(s) and 0 exception(s) in force".to_owned();
        assert_eq!(notices, [Notice::Info(ready)]);
        let mut tagger = poseur_tagger::Tagger::new(
            Arc::new(poseur_setup::load(&Sources::default()).compile("").unwrap()),
            TagOptions::default(),
        );
        let mut expected = tagger.tag(MATCH.as_bytes(), now()).to_vec();
        assert!(expected.len() > MATCH.len());
        expected.push(0);
        for ended in [MATCH.to_owned(), format!("{MATCH}\0")] {
            assert_eq!(filter.tag(ended.as_bytes(), now), Some(&*expected));
        }
        let inner_end = format!("{MATCH}\n\0\n");
        let broken = &MATCH[..MATCH.len() - 1];
        for record in ["", "\0", "{}", "[]", "null", "\u{1}", broken, &inner_end] {
            assert_eq!(filter.tag(record.as_bytes(), now), None, "{record:?}");
        }
        assert_eq!(filter.tag(b"{\"a\":\"\xff IsExternalThread\"}", now), None);
    }

    #[test]
    fn the_deepest_records_are_read() {
        let matcher = poseur_setup::load(&Sources::default()).compile("").unwrap();
        let mut tagger = Tagger::new(Arc::new(matcher), TagOptions::default());
        for record in deepest() {
            let depth = nesting(&record);
            assert!((MAX_DEPTH - 10..=MAX_DEPTH).contains(&depth), "{depth}");
            assert!(tagger.candidates().is_candidate(&record));
            tagger.tag(&record, now());
            assert_eq!(tagger.counts().unreadable_by_reason().next(), None);
        }
    }

    #[test]
    fn no_tag_makes_a_record_nest_too_deep() {
        let (mut filter, _) = RecordFilter::new(&Sources::default(), now());
        for (levels, expected) in [(4, Some(true)), (10, Some(false)), (11, None), (40, None)] {
            let (open, close) = (r#"{"records":["#.repeat(levels), "]}".repeat(levels));
            let record = format!("{open}{MATCH}{close}");
            let tagged = filter.tag(record.as_bytes(), now).map(<[u8]>::to_vec);
            let tagged = tagged.map(|tagged| String::from_utf8(tagged).unwrap());
            let nesting = tagged.iter().map(|tagged| nesting(tagged.as_bytes()));
            assert!(nesting.max() <= Some(MOST_NESTED), "{tagged:?}");
            let whole = tagged.map(|tagged| tagged.contains("\"context\""));
            assert_eq!(whole, expected, "{levels}");
        }
    }

    #[test]
    fn rules_that_are_wrong_switch_it_off() {
        let rules = vec![PathBuf::from("no/such/rules")];
        let sources = Sources {
            rules,
            ..Sources::default()
        };
        let (mut filter, notices) = RecordFilter::new(&sources, now());
        assert_eq!(filter.tag(MATCH.as_bytes(), now), None);
        let [Notice::Error(wrong), Notice::Error(off)] = &notices[..] else {
            panic!("{notices:?}");
        };
        assert!(wrong.starts_with("no/such/rules: "), "{wrong}");
        assert!(off.starts_with("no record is tagged"), "{off}");
    }

    #[test]
    fn without_folders_the_built_in_pack_is_in_force() {
        // Tests run in the folder of the crate, which has none of the two.
        assert_eq!(sources(), Sources::default());
    }
}
