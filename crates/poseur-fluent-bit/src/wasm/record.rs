//! One record after the other, each a JSON text.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use poseur_rule::files;
use poseur_setup::Sources;
use poseur_tagger::{TagOptions, Tagger};

use super::{EXCEPTIONS, RULES};
use crate::filter::{self, Notice};

/// One instance of the filter.
#[derive(Debug)]
pub struct RecordFilter {
    /// `None` if the rules are not usable: nothing is tagged then.
    tagger: Option<Tagger>,
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
        let answer = Vec::new();
        (RecordFilter { tagger, answer }, notices)
    }

    /// Tags a record, which may be followed by the NUL that ends it. The answer ends with one. `None` if
    /// the record stays as it is: nothing matched, or it cannot be read.
    pub fn tag(&mut self, record: &[u8], now: impl FnOnce() -> Timestamp) -> Option<&[u8]> {
        let tagger = self.tagger.as_mut()?;
        let record = record.strip_suffix(&[0]).unwrap_or(record);
        if !tagger.candidates().is_candidate(record) {
            return None;
        }
        let tagged = tagger.tag(record, now());
        if tagged.is_unchanged() {
            return None;
        }
        self.answer.clear();
        for slice in tagged.slices() {
            self.answer.extend_from_slice(slice);
        }
        // The host would take what is before it for the whole record.
        if self.answer.contains(&0) {
            return None;
        }
        self.answer.push(0);
        Some(&self.answer)
    }
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
