//! The candidate search: which lines of a buffer can match at all.
//!
//! The matcher names literals of which every matching record contains one (its *witnesses*). They
//! are searched for in whole buffers; the stretches between hits are passed on unseen. In the line of a
//! hit, the keywords are searched for without which that witness speaks for no rule. A JSON record can
//! spell any ASCII character as `\u00xx`, so such escapes are always searched for too: a record that
//! has one for a character of these literals is a candidate.

mod confirm;
mod grams;
mod nibbles;
mod pairs;
mod rare;
mod search;
mod vectors;
mod words;

use std::ops::Range;

use memchr::{memchr, memrchr};
use poseur_matcher::witness::{MOST_CONFIRMED, Witness};

use self::confirm::Confirmer;
use self::pairs::Hit;
use self::search::Search;

/// A record that holds this may spell a witness with escapes.
const ESCAPE: &str = r"\u00";

/// Finds the candidate records.
#[derive(Debug, Clone)]
pub struct Candidates {
    search: Search,
    literals: Vec<String>,
    /// By literal.
    confirmers: Vec<Option<Confirmer>>,
    /// The number of the escape.
    escape: usize,
    /// By byte: whether it matters that a record spells it with an escape.
    spelled: Box<[bool; 256]>,
}

/// What comes next in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The next candidate's line, without its line feed.
    pub line: Option<Range<usize>>,
    /// Line feeds before that line, or up to the end.
    pub passed: u64,
}

impl Candidates {
    /// A search for records that contain a witness. `None` takes every record.
    pub fn new(witnesses: Option<Vec<Witness>>) -> Candidates {
        let Some(mut witnesses) = witnesses else {
            return Candidates::of(Search::All, Vec::new());
        };
        if witnesses.is_empty() {
            return Candidates::of(Search::None, Vec::new());
        }
        witnesses.push(Witness {
            text: ESCAPE.to_owned(),
            confirmation: None,
        });
        // The order that the search asks for.
        witnesses.sort_by_key(|witness| witness.text.len());
        let literals: Vec<String> = witnesses
            .iter()
            .map(|witness| witness.text.clone())
            .collect();
        let mut candidates = Candidates::of(Search::new(&literals), literals);
        for (number, witness) in witnesses.into_iter().enumerate() {
            if witness.text == ESCAPE {
                candidates.escape = number;
                continue;
            }
            candidates.spell(&witness.text);
            // A set holds which of them were confirmed in a line.
            let confirmation = witness.confirmation.filter(|_| number <= MOST_CONFIRMED);
            for keyword in confirmation.iter().flatten().flatten() {
                candidates.spell(&keyword.text.to_ascii_lowercase());
                candidates.spell(&keyword.text.to_ascii_uppercase());
            }
            candidates.confirmers[number] = confirmation.and_then(Confirmer::new);
        }
        candidates
    }

    fn of(search: Search, literals: Vec<String>) -> Candidates {
        let mut candidates = Candidates {
            search,
            confirmers: vec![None; literals.len()],
            escape: usize::MAX,
            spelled: Box::new([false; 256]),
            literals,
        };
        // An escape inside a JSON text inside a string may be spelled with escapes itself.
        candidates.spell("\\u0123456789abcdefABCDEF");
        candidates
    }

    fn spell(&mut self, text: &str) {
        text.bytes()
            .for_each(|byte| self.spelled[usize::from(byte)] = true);
    }

    /// Takes every record.
    pub fn all() -> Candidates {
        Candidates::new(None)
    }

    /// What is searched for; empty if every record, or none, is a candidate.
    pub fn literals(&self) -> &[String] {
        &self.literals
    }

    /// One word for the way the search is done, for people who tune.
    pub fn method(&self) -> &'static str {
        self.search.method()
    }

    /// The next candidate among lines, at or after `from`, where a line begins.
    #[inline]
    pub fn next(&self, buffer: &[u8], from: usize) -> Next {
        let (line, passed) = self.next_record(buffer, from, |from, place| {
            let start = memrchr(b'\n', &buffer[from..place]).map_or(from, |feed| from + feed + 1);
            let end = memchr(b'\n', &buffer[place..]).map_or(buffer.len(), |feed| place + feed);
            Some(start..end)
        });
        Next { line, passed }
    }

    /// The next candidate among records that stand one after the other, and how many line feeds come
    /// before the place that gave it away. `around` is given a place where a record begins or goes
    /// on, and one not before it, and answers where the record is that holds the latter; `None` ends
    /// the search.
    #[inline(always)]
    pub fn next_record(
        &self,
        buffer: &[u8],
        from: usize,
        mut around: impl FnMut(usize, usize) -> Option<Range<usize>>,
    ) -> (Option<Range<usize>>, u64) {
        let (mut at, mut passed) = (from, 0);
        // The record of the last hit, and the literals that do not speak in it.
        let (mut record, mut silent) = (from..from, 0_u128);
        loop {
            let found = self.search.find(buffer, at);
            passed += found.lines;
            let Some(hit) = found.hit else {
                return (None, passed);
            };
            if hit.at >= record.end {
                let Some(next) = around(at, hit.at) else {
                    return (None, passed);
                };
                (record, silent) = (next, 0);
            }
            let inside = Hit {
                at: hit.at - record.start,
                ..hit
            };
            if self.speaks(inside, &buffer[record.clone()], &mut silent) {
                return (Some(record), passed);
            }
            at = hit.at + 1;
        }
    }

    /// Whether a text that is one record is a candidate.
    pub fn is_candidate(&self, record: &[u8]) -> bool {
        let (mut at, mut silent) = (0, 0);
        while let Some(hit) = self.search.find_in_record(record, at) {
            if self.speaks(hit, record, &mut silent) {
                return true;
            }
            at = hit.at + 1;
        }
        false
    }

    /// Whether what was found in a record makes it a candidate. `silent` holds the literals that do not
    /// speak in this record, as bits.
    #[inline(always)]
    fn speaks(&self, hit: Hit, record: &[u8], silent: &mut u128) -> bool {
        if hit.literal == self.escape {
            return self.matters(&record[hit.at..]);
        }
        match self.confirmers.get(hit.literal) {
            Some(Some(confirmer)) => {
                let bit = 1 << hit.literal;
                let speaks = *silent & bit == 0 && confirmer.confirms(record);
                *silent |= bit;
                speaks
            }
            _ => true,
        }
    }

    /// Whether the escape that a text starts with stands for a character that is searched for.
    fn matters(&self, text: &[u8]) -> bool {
        let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (digit(ESCAPE.len()), digit(ESCAPE.len() + 1)) {
            (Some(high), Some(low)) => self.spelled[(high * 16 + low) as usize],
            // No escape, or one in a text in a string, of which a digit is spelled with an escape.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use poseur_matcher::witness::Keyword;
    use poseur_rule::model::Case;
    use proptest::prelude::*;

    use super::search::BLOCKS;
    use super::*;

    fn keyword(text: &str, case: Case) -> Keyword {
        let text = text.to_owned();
        Keyword { text, case }
    }

    fn unconfirmed(texts: &[&str]) -> Vec<Witness> {
        let witnesses = texts.iter().map(|&text| Witness {
            text: text.to_owned(),
            confirmation: None,
        });
        witnesses.collect()
    }

    fn confirmed() -> Candidates {
        let [mut chat, mut thread] =
            ["ChatCreated", "IsExternalThread"].map(|text| unconfirmed(&[text]).remove(0));
        let both = ["help", "desk"].map(|text| keyword(text, Case::Ascii));
        thread.confirmation = Some(vec![both.into()]);
        let either = ["Help Desk", "it-help"].map(|text| vec![keyword(text, Case::Exact)]);
        chat.confirmation = Some(either.into());
        Candidates::new(Some(vec![chat, thread]))
    }

    #[test]
    fn finds_witnesses_and_escapes() {
        let search = Candidates::new(Some(unconfirmed(&["ChatCreated", "IsExternalThread"])));
        for (text, expected) in [
            ("nothing here", false),
            ("xx ChatCreated", true),
            (r"Chat\u0043reated", true),
            (r"Chat\\u0043reated", true),
            ("IsExternalThread", true),
            // What no witness has, and what another escape may be made of.
            (r"Chat\u0026reated\u00e9", false),
            (r"\u0026\u0043", true),
            (r"\u005c", true),
            (r"\\u00\u0033", true),
            (r"\\\u007500", true),
            (r"\u00", false),
            (r"\u004", false),
        ] {
            let expected = expected.then_some(0..text.len());
            assert_eq!(search.next(text.as_bytes(), 0).line, expected, "{text}");
            assert_eq!(search.is_candidate(text.as_bytes()), expected.is_some());
        }
        assert_eq!(search.next(b"ChatCreated", 1).line, None);
        assert_eq!(search.next(b"ChatCreated", 99).line, None);
        assert_eq!(Candidates::all().next(b"abc", 2).line, Some(2..3));
        assert_eq!(Candidates::all().next(b"abc", 3).line, None);
        let none = Candidates::new(Some(vec![])).next(b"a\nb\nc", 1);
        assert_eq!((none.line, none.passed), (None, 2));
    }

    #[test]
    fn a_witness_speaks_if_its_keywords_are_there() {
        let search = confirmed();
        for (line, expected) in [
            ("ChatCreated", false),
            ("ChatCreated Help Desk", true),
            ("it-help ChatCreated", true),
            ("ChatCreated help desk", false),
            ("IsExternalThread HELP desk", true),
            ("dEsKHeLp IsExternalThread", true),
            ("IsExternalThread help help", false),
            ("IsExternalThread Help Desk", true),
            ("ChatCreated desk help IsExternalThread", true),
            ("ChatCreated it-helper ChatCreated", true),
            (r"ChatCreated \u0044esk", true),
            (r"ChatCreated \u00e9 Help", false),
        ] {
            let text = format!("one\n{line}\ntwo");
            let next = search.next(text.as_bytes(), 0);
            let expected = match expected {
                true => (Some(4..4 + line.len()), 1),
                false => (None, 2),
            };
            assert_eq!(search.is_candidate(line.as_bytes()), expected.0.is_some());
            assert_eq!((next.line, next.passed), expected, "{line}");
        }
    }

    #[test]
    fn many_literals_are_all_found() {
        for count in [5, 60, 500] {
            let literals: Vec<String> = (0..count).map(|n| format!("literal-{n:03}-")).collect();
            let texts: Vec<&str> = literals.iter().map(String::as_str).collect();
            let search = Candidates::new(Some(unconfirmed(&texts)));
            for literal in literals {
                let next = search.next(format!(".\n{literal}").as_bytes(), 0);
                assert_eq!((next.line, next.passed), (Some(2..2 + literal.len()), 1));
            }
        }
    }

    #[test]
    fn lines_are_counted_across_blocks() {
        let literals = ["Alpha", "Beta", "Gamma", "DeltaDelta", "EpsilonEpsilon"];
        let search = Candidates::new(Some(unconfirmed(&literals)));
        // Lines of all lengths around the sizes of blocks, and one longer than any.
        for length in [
            10,
            700,
            BLOCKS[0] - 1,
            BLOCKS[0],
            BLOCKS[1] + 3,
            3 * BLOCKS[1],
        ] {
            for literal in literals.into_iter().chain([r"\u0041"]) {
                let line = "x".repeat(length) + "\n";
                let mut text = line.repeat(7);
                text += literal;
                text += &line;
                let from = 7 * line.len();
                let expected = Next {
                    line: Some(from..text.len() - 1),
                    passed: 7,
                };
                assert_eq!(
                    search.next(text.as_bytes(), 0),
                    expected,
                    "{literal} {length}"
                );
                let after = search.next(text.as_bytes(), from + literal.len());
                assert_eq!((after.line, after.passed), (None, 1), "{literal} {length}");
            }
        }
    }

    /// Goes through a text candidate by candidate, beside a plain account of which lines are some.
    fn compare(
        search: &Candidates,
        text: &str,
        is_candidate: &dyn Fn(&str) -> bool,
    ) -> Result<(), TestCaseError> {
        let mut from = 0;
        loop {
            let mut passed = 0;
            let mut rest = text[from.min(text.len())..].split_inclusive('\n');
            let expected = rest.find(|line| {
                let line = line.strip_suffix('\n').unwrap_or(line);
                passed += u64::from(!is_candidate(line));
                is_candidate(line)
            });
            let unended = expected.is_none() && !text[from..].is_empty() && !text.ends_with('\n');
            let found = search.next(text.as_bytes(), from);
            prop_assert_eq!(found.passed, passed - u64::from(unended));
            let held = found.line.clone().map(|line| &text[line]);
            prop_assert_eq!(held, expected.map(|line| line.trim_end_matches('\n')));
            let Some(line) = found.line else {
                return Ok(());
            };
            from = (line.end + 1).min(text.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]
        #[test]
        fn agrees_with_looking_at_every_line(
            lines in proptest::collection::vec((0..700_usize, 0..30_usize), 0..60),
        ) {
            // The fifth is so short that it is searched for by a pair.
            let literals = ["DeltaDelta", "EpsilonEpsilon", "ThetaTheta", "OmegaOmega", "Beta", r"\u0041"];
            let search = Candidates::new(Some(unconfirmed(&literals[..5])));
            let text: String = lines
                .iter()
                .map(|&(length, which)| {
                    let literal = literals.get(which).unwrap_or(&"");
                    format!("{}{literal}{}\n", "Del".repeat(length), "\\u".repeat(length % 7))
                })
                .collect();
            compare(&search, &text, &|line| literals.iter().any(|literal| line.contains(literal)))?;
        }

        #[test]
        fn agrees_with_confirming_every_line(
            words in proptest::collection::vec(0..9_usize, 0..80),
        ) {
            let spelled = ["\n", "\n", "ChatCreated", "IsExternalThread", "Help Desk", "hElP", "dEsk", "it-help", r"\u0068"];
            let text: String = words.iter().map(|&word| format!("{} ", spelled[word])).collect();
            compare(&confirmed(), &text, &|line| {
                let has = |word: &str| line.contains(word);
                let folded = line.to_ascii_lowercase();
                has(r"\u0068")
                    || has("ChatCreated") && (has("Help Desk") || has("it-help"))
                    || has("IsExternalThread") && folded.contains("help") && folded.contains("desk")
            })?;
        }
    }
}
