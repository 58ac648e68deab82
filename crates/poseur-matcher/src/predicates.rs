//! All predicates on one field, tested together: every value is looked at once for all of them.

use std::cmp::Ordering;

use jiff::Timestamp;
use poseur_rule::model::{Case, Comparison, Moment, Network, Number, Pattern, Test};
use regex::bytes::{Regex, RegexSet};

use crate::bits::Bits;
use crate::equalities::Equalities;
use crate::keywords::{Keywords, TooManyKeywords};
use crate::network::{address, inside, unmapped};
use crate::record::Kind;
use crate::terms::Terms;
use crate::words::WordTests;
use crate::{number, pattern, time};

/// A scalar, with its text at hand.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<'a> {
    /// What it is; never a list or a map.
    pub kind: Kind,
    /// Its decoded text.
    pub text: &'a [u8],
}

/// The predicates on one field that look at one value at a time. Each has a number, the bit that is
/// set when a value satisfies it.
#[derive(Debug, Clone, Default)]
pub struct PredicateSet {
    equals: Equalities,
    contains: Keywords,
    contains_folded: Keywords,
    bools: [Vec<u32>; 2],
    exists: Vec<u32>,
    /// Tests that few fields have, which cost the others one look together.
    rare: Option<Box<Rare>>,
    others: Vec<(One, u32)>,
    /// One more than the largest number in the set.
    bits: usize,
}

/// See [`PredicateSet::rare`].
#[derive(Debug, Clone, Default)]
struct Rare {
    terms: Terms,
    terms_folded: Terms,
    words: WordTests,
    regexes: Regexes,
    /// Satisfied by every scalar, whatever its text.
    every: Vec<u32>,
}

/// A predicate that is tested alone.
#[derive(Debug, Clone)]
enum One {
    Pattern(Pattern, Case),
    /// An equality whose text is a number: also compared as a number.
    Number(Box<[u8]>),
    Compare(Comparison, Number),
    Cidr(Network),
    Time(Comparison, Moment),
    Within(Moment, Moment),
    Ordered(Comparison, Box<[u8]>),
}

/// Regular expressions: more than one are looked for together.
#[derive(Debug, Clone, Default)]
struct Regexes {
    /// Before they are compiled.
    sources: Vec<(String, u32)>,
    set: Option<RegexSet>,
    /// What is looked for alone: one expression, or those that are too large together.
    single: Vec<(Regex, u32)>,
}

/// A test that no value can be compiled for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The regular expression is too large or not valid.
    #[error("the regular expression `{pattern}` cannot be used: {reason}")]
    Regex {
        /// As the rule has it.
        pattern: String,
        /// The engine's words, on one line.
        reason: String,
    },
    /// Too many keywords, or too long ones, for one search.
    #[error(transparent)]
    Keywords(#[from] TooManyKeywords),
}

impl PredicateSet {
    /// Whether one predicate of the set holds for a value that no record changes.
    pub fn holds_for(&self, bit: u32, value: Scalar<'_>) -> bool {
        let mut bits = Bits::default();
        bits.reset(self.bits);
        self.test(value, Timestamp::UNIX_EPOCH, &mut bits);
        bits.has(bit)
    }

    /// Adds a test under a number. [`Test::Null`] and [`Test::SameAs`] are not about one value and
    /// are left to the caller. Call [`PredicateSet::finish`] before use.
    pub fn add(&mut self, test: &Test, bit: u32) {
        self.bits = self.bits.max(bit as usize + 1);
        let one = match test {
            Test::Null | Test::SameAs { .. } => return,
            Test::Bool(value) => {
                self.bools[*value as usize].push(bit);
                return;
            }
            Test::Exists => {
                self.exists.push(bit);
                return;
            }
            Test::Text(pattern, case) => {
                if let Some(text) = pattern.as_equals() {
                    if number::is_number(text.as_bytes()) {
                        let number = One::Number(text.as_bytes().into());
                        self.others.push((number, bit));
                    }
                    self.equals.add(text, *case, bit);
                    return;
                }
                if let Some(word) = pattern.as_contains() {
                    let keywords = match case {
                        Case::Exact => &mut self.contains,
                        Case::Ascii => &mut self.contains_folded,
                    };
                    keywords.add(word, bit);
                    return;
                }
                One::Pattern(pattern.clone(), *case)
            }
            Test::Compare(comparison, limit) => One::Compare(*comparison, limit.clone()),
            Test::Regex(source) => {
                self.rare().regexes.sources.push((source.clone(), bit));
                return;
            }
            Test::Cidr(network) => One::Cidr(unmapped(*network)),
            Test::Time(comparison, moment) => One::Time(*comparison, *moment),
            Test::Within { from, to } => One::Within(*from, *to),
            Test::Ordered(comparison, limit) => One::Ordered(*comparison, limit.as_bytes().into()),
            Test::Term { text, .. } if text.is_empty() => {
                self.rare().every.push(bit);
                return;
            }
            Test::Term {
                text,
                case,
                start,
                end,
            } => {
                let terms = match case {
                    Case::Exact => &mut self.rare().terms,
                    Case::Ascii => &mut self.rare().terms_folded,
                };
                terms.add(text, *start, *end, bit);
                return;
            }
            Test::Words(words) => {
                self.rare().words.add(words, bit);
                return;
            }
        };
        self.others.push((one, bit));
    }

    /// Builds the searchers.
    ///
    /// # Errors
    /// If a regular expression cannot be used, or the keywords are too many for one search.
    pub fn finish(&mut self) -> Result<(), CompileError> {
        self.equals.finish();
        if let Some(rare) = &mut self.rare {
            rare.regexes.finish()?;
            rare.terms.finish(Case::Exact)?;
            rare.terms_folded.finish(Case::Ascii)?;
        }
        self.contains.finish(Case::Exact)?;
        self.contains_folded.finish(Case::Ascii)?;
        Ok(())
    }

    /// Sets the bits of all predicates that this value satisfies.
    pub fn test(&self, value: Scalar<'_>, now: Timestamp, bits: &mut Bits) {
        if value.kind == Kind::Null {
            return;
        }
        self.exists.iter().for_each(|&bit| bits.set(bit));
        if let Some(truth) = self.truth(value) {
            self.bools[truth as usize]
                .iter()
                .for_each(|&bit| bits.set(bit));
        }
        self.test_text(value, now, bits);
    }

    /// The same for the non-null existence that an object gives a field, without a value.
    pub fn test_presence(&self, bits: &mut Bits) {
        self.exists.iter().for_each(|&bit| bits.set(bit));
    }

    /// Whether any predicate asks for existence.
    pub fn asks_presence(&self) -> bool {
        !self.exists.is_empty()
    }

    #[inline]
    fn test_text(&self, value: Scalar<'_>, now: Timestamp, bits: &mut Bits) {
        self.equals.test(value.text, bits);
        self.contains.test(value.text, bits);
        self.contains_folded.test(value.text, bits);
        if let Some(rare) = &self.rare {
            rare.test(value.text, bits);
        }
        for (one, bit) in &self.others {
            if !bits.has(*bit) && one.holds(value, now) {
                bits.set(*bit);
            }
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn truth(&self, value: Scalar<'_>) -> Option<bool> {
        if self.bools.iter().all(Vec::is_empty) {
            return None;
        }
        match value.kind {
            Kind::Bool(truth) => Some(truth),
            Kind::Text if value.text == b"true" => Some(true),
            Kind::Text if value.text == b"false" => Some(false),
            _ => None,
        }
    }
}

/// Why a regular expression cannot be used.
pub(crate) fn invalid_regex(source: &str, error: &regex::Error) -> CompileError {
    let reason = error.to_string();
    CompileError::Regex {
        pattern: source.to_owned(),
        reason: reason.lines().last().unwrap_or_default().trim().to_owned(),
    }
}

impl Rare {
    fn test(&self, text: &[u8], bits: &mut Bits) {
        self.every.iter().for_each(|&bit| bits.set(bit));
        self.terms.test(text, bits);
        self.terms_folded.test(text, bits);
        self.words.test(text, bits);
        self.regexes.test(text, bits);
    }
}

impl Regexes {
    fn finish(&mut self) -> Result<(), CompileError> {
        if self.sources.len() > 1 {
            let sources = self.sources.iter().map(|(source, _)| source);
            self.set = RegexSet::new(sources).ok();
        }
        if self.set.is_none() {
            let compile = |(source, bit): &(String, u32)| match Regex::new(source) {
                Ok(regex) => Ok((regex, *bit)),
                Err(error) => Err(invalid_regex(source, &error)),
            };
            let single: Result<_, _> = self.sources.iter().map(compile).collect();
            self.single = single?;
        }
        Ok(())
    }

    #[inline]
    fn test(&self, text: &[u8], bits: &mut Bits) {
        for (regex, bit) in &self.single {
            if !bits.has(*bit) && regex.is_match(text) {
                bits.set(*bit);
            }
        }
        // Most values match none, which is found out sooner, and without memory.
        if let Some(set) = &self.set
            && set.is_match(text)
        {
            for number in &set.matches(text) {
                bits.set(self.sources[number].1);
            }
        }
    }
}

impl One {
    fn holds(&self, value: Scalar<'_>, now: Timestamp) -> bool {
        match self {
            One::Pattern(pattern, case) => pattern::fits(pattern, *case, value.text),
            One::Number(text) => value.kind == Kind::Number && number::equal(value.text, text),
            One::Compare(comparison, limit) => {
                matches!(value.kind, Kind::Number | Kind::Text)
                    && number::compare(value.text, limit.as_str().as_bytes())
                        .is_some_and(|order| stands(*comparison, order))
            }
            One::Ordered(comparison, limit) => {
                let numbers = match value.kind {
                    Kind::Number => number::compare(value.text, limit),
                    _ => None,
                };
                let order = numbers.unwrap_or_else(|| value.text.cmp(limit));
                stands(*comparison, order)
            }
            One::Cidr(network) => address(value.text).is_some_and(|ip| inside(ip, network)),
            One::Time(comparison, limit) => {
                moment(value).is_some_and(|then| stands(*comparison, then.cmp(&fixed(*limit, now))))
            }
            One::Within(from, to) => moment(value)
                .is_some_and(|then| (fixed(*from, now)..fixed(*to, now)).contains(&then)),
        }
    }
}

/// The moment that a text is, in nanoseconds since 1970.
fn moment(value: Scalar<'_>) -> Option<i128> {
    time::parse(value.text).filter(|_| value.kind == Kind::Text)
}

/// A moment in nanoseconds since 1970.
fn fixed(moment: Moment, now: Timestamp) -> i128 {
    match moment {
        Moment::At(moment) => moment,
        Moment::FromNow(offset) => now.as_nanosecond() + offset,
    }
}

/// Whether two values in this order are in this relation.
fn stands(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

#[cfg(test)]
mod tests {
    use poseur_rule::model::Test;

    use super::*;

    fn set(tests: &[Test]) -> PredicateSet {
        let mut set = PredicateSet::default();
        for (bit, test) in tests.iter().enumerate() {
            set.add(test, bit as u32);
        }
        set.finish().unwrap();
        set
    }

    fn test(set: &PredicateSet, kind: Kind, text: &str) -> Bits {
        let mut bits = Bits::default();
        bits.reset(set.bits);
        let text = text.as_bytes();
        set.test(Scalar { kind, text }, Timestamp::UNIX_EPOCH, &mut bits);
        bits
    }

    #[test]
    fn ranges_of_kuery() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        for (kind, text, comparison, limit, expected) in [
            (Kind::Number, "10", Greater, "9", true),
            (Kind::Number, "10", Less, "9", false),
            (Kind::Number, "1e1", GreaterOrEqual, "10.0", true),
            (Kind::Number, "10", Greater, "09", true),
            (Kind::Text, "10", Greater, "9", false),
            (Kind::Text, "10", Less, "9", true),
            (Kind::Text, "b", GreaterOrEqual, "b", true),
            (Kind::Text, "b", Greater, "b", false),
            (Kind::Text, "é", Greater, "z", true),
            (Kind::Text, "", Less, "a", true),
            (Kind::Bool(true), "true", Greater, "t", true),
            (Kind::Text, "x", Equal, "x", true),
            (Kind::Number, "1.0", Equal, "1", true),
            (Kind::Number, "5", LessOrEqual, "x", true),
        ] {
            let set = set(&[Test::Ordered(comparison, limit.to_owned())]);
            let holds = test(&set, kind, text).has(0);
            assert_eq!(holds, expected, "{text} {comparison:?} {limit}");
        }
        let null = set(&[Test::Ordered(Less, "z".to_owned())]);
        assert!(!test(&null, Kind::Null, "null").has(0));
    }

    #[test]
    fn an_empty_term_is_in_every_scalar_but_makes_none() {
        let set = set(&[Test::Term {
            text: String::new(),
            case: Case::Exact,
            start: true,
            end: true,
        }]);
        assert!(test(&set, Kind::Text, "").has(0) && test(&set, Kind::Number, "1").has(0));
        assert!(!test(&set, Kind::Null, "null").has(0));
        let mut bits = Bits::default();
        bits.reset(1);
        set.test_presence(&mut bits);
        assert!(!bits.has(0));
    }

    #[test]
    fn regexes_together_agree_with_each_alone() {
        let sources = [
            "^help",
            "(?i)desk$",
            "it.?support",
            "",
            "[0-9]+",
            "(?s)a.b",
            "é",
        ];
        let tests = sources.map(|source| Test::Regex(source.to_owned()));
        let together = set(&tests);
        assert!(together.rare.as_ref().unwrap().regexes.set.is_some());
        for text in [
            "",
            "helpdesk",
            "HELPDESK",
            "itsupport 7",
            "a\nb",
            "é",
            "it support",
        ] {
            let bits = test(&together, Kind::Text, text);
            for (bit, single) in tests.iter().enumerate() {
                let alone = test(&set(std::slice::from_ref(single)), Kind::Text, text);
                assert_eq!(bits.has(bit as u32), alone.has(0), "{single:?} {text:?}");
            }
        }
    }

    #[test]
    fn a_regex_that_cannot_be_used_is_named() {
        for sources in [&["("][..], &["a", "("]] {
            let mut set = PredicateSet::default();
            for source in sources {
                set.add(&Test::Regex((*source).to_owned()), 0);
            }
            let error = set.finish().unwrap_err();
            assert!(
                matches!(&error, CompileError::Regex { pattern, .. } if pattern == "("),
                "{error}"
            );
        }
    }
}
