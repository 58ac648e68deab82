//! The rule model: what every front end produces and the matcher compiles.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::Place;

/// One detection: its metadata and one condition over fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique id, as published (`e8e7b6b6-…`). Written into the tag.
    pub id: String,
    /// One line that says what was found.
    pub title: String,
    /// Longer text, may be empty.
    pub description: String,
    /// Sigma status (`stable`, `test`, …), if given.
    pub status: Option<String>,
    /// Who wrote the rule, if given.
    pub author: Option<String>,
    /// Severity.
    pub level: Level,
    /// Elastic's risk score, 0 to 100, if the rule carries one.
    pub risk_score: Option<u8>,
    /// ATT&CK techniques by id, upper case: `T1566.003`.
    pub techniques: Vec<String>,
    /// ATT&CK tactics by Sigma's names: `initial-access`.
    pub tactics: Vec<String>,
    /// Where the rule was published or is explained.
    pub references: Vec<String>,
    /// Known benign causes.
    pub false_positives: Vec<String>,
    /// Analyst fields, by canonical name: they go into the tag's `context`.
    pub fields: Vec<String>,
    /// What kind of log the rule is for.
    pub log_source: LogSource,
    /// What must hold.
    pub condition: Condition,
    /// Where the rule was read from.
    pub origin: Origin,
}

/// Severity of a rule, in Sigma's words, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Worth knowing, not worth an alert.
    Informational,
    /// Low.
    Low,
    /// Medium: what a rule without a level gets.
    #[default]
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Level {
    /// The lower-case word used in rules and tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// The level named by a word, in any letter case; `None` for an unknown word.
    pub fn from_word(word: &str) -> Option<Level> {
        [
            Level::Informational,
            Level::Low,
            Level::Medium,
            Level::High,
            Level::Critical,
        ]
        .into_iter()
        .find(|level| level.as_str().eq_ignore_ascii_case(word))
    }
}

/// Sigma's `logsource`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSource {
    /// `product`, such as `m365`.
    pub product: Option<String>,
    /// `service`, such as `audit`.
    pub service: Option<String>,
    /// `category`.
    pub category: Option<String>,
}

/// The language a rule was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Sigma YAML.
    Sigma,
}

impl Language {
    /// The lower-case word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Sigma => "sigma",
        }
    }
}

/// Where a rule or an exception comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The language it was written in.
    pub language: Language,
    /// File name as given (`built-in:NAME` for the pack) and the line it starts at.
    pub place: Place,
}

/// A boolean expression over field predicates.
///
/// Depth is bounded by the front ends ([`MAX_DEPTH`]), so recursion over it is safe.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All hold. Empty: true.
    All(Vec<Condition>),
    /// At least one holds. Empty: false.
    Any(Vec<Condition>),
    /// Does not hold.
    Not(Box<Condition>),
    /// One test of one field.
    Test(Predicate),
    /// A condition that the rule's author named (a Sigma selection); means what it holds.
    Named(String, Box<Condition>),
}

/// Deepest nesting of a [`Condition`] that a front end may produce.
pub const MAX_DEPTH: usize = 64;

/// One test of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    /// Which field.
    pub field: Field,
    /// What about it.
    pub test: Test,
}

/// The field a predicate looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// By canonical name, with dots: `user.email`.
    Name(String),
    /// Any scalar anywhere in the record (Sigma keyword lists).
    Any,
}

/// What a predicate asks of a field's value. Where a field has several values (arrays, flattened
/// objects, duplicate keys) one of them must satisfy the test, unless a variant says otherwise.
/// A missing field satisfies none but [`Test::Null`].
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The value's text fits the pattern. A JSON number is compared numerically where the whole
    /// pattern is one number, else by its digits as written; a boolean's text is `true` or `false`.
    Text(Pattern, Case),
    /// The value is this truth value. Which spellings count is the field type's affair: a keyword
    /// field takes JSON booleans and the exact texts `true` and `false`; a Kusto flag also 1/0.
    Bool(bool),
    /// The field is missing, or null, or has no values.
    Null,
    /// A non-null value is there; an empty string counts, an empty array does not.
    Exists,
    /// The value is a number (JSON number or text that is one) in this relation to the limit.
    Compare(Comparison, f64),
    /// The text holds a match of the regular expression (`regex` crate syntax, unanchored; flags
    /// i, m and s are already written into the pattern as `(?ims)`).
    Regex(String),
    /// The text is an IP address inside the network.
    Cidr(Network),
    /// The text relates to the text of another field: Sigma's `fieldref`.
    SameAs {
        /// Canonical name of the other field.
        field: String,
        /// How the two texts relate: this field's text … the other's.
        relation: Relation,
        /// Letter case.
        case: Case,
    },
    /// The value is a timestamp less than this long before now (Kusto: `field > ago(…)`).
    NewerThan(Duration),
}

/// How letters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Case {
    /// Byte for byte.
    Exact,
    /// ASCII letters fold, nothing else does (Kusto's documented folding, and Poseur's for Sigma).
    Ascii,
}

/// Order relation of [`Test::Compare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Text relation of [`Test::SameAs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The whole text.
    Equals,
    /// Holds the other's text.
    Contains,
    /// Starts with the other's text.
    StartsWith,
    /// Ends with the other's text.
    EndsWith,
}

/// An IP network. An IPv4-mapped IPv6 address counts as its IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// Network address, host bits zero.
    pub address: IpAddr,
    /// Leading bits that must agree: at most 32 (IPv4) or 128 (IPv6).
    pub prefix: u8,
}

/// A text pattern: literals and wildcards, anchored at both ends.
///
/// No two [`Part::Literal`]s and no two [`Part::Run`]s are adjacent, no literal is empty; no parts
/// at all is the empty text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// A piece of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// These characters.
    Literal(String),
    /// Any run of characters, newlines included, also none.
    Run,
    /// Exactly one character.
    One,
}

impl Pattern {
    /// A pattern of these parts, normalised.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Pattern {
        let mut out: Vec<Part> = Vec::new();
        for part in parts {
            match (out.last_mut(), part) {
                (_, Part::Literal(text)) if text.is_empty() => {}
                (Some(Part::Literal(last)), Part::Literal(text)) => last.push_str(&text),
                (Some(Part::Run), Part::Run) => {}
                (_, part) => out.push(part),
            }
        }
        Pattern { parts: out }
    }

    /// The whole text is `text`.
    pub fn equals(text: impl Into<String>) -> Pattern {
        Pattern::new([Part::Literal(text.into())])
    }

    /// The text holds `text`.
    pub fn contains(text: impl Into<String>) -> Pattern {
        Pattern::new([Part::Run, Part::Literal(text.into()), Part::Run])
    }

    /// The text starts with `text`.
    pub fn starts_with(text: impl Into<String>) -> Pattern {
        Pattern::new([Part::Literal(text.into()), Part::Run])
    }

    /// The text ends with `text`.
    pub fn ends_with(text: impl Into<String>) -> Pattern {
        Pattern::new([Part::Run, Part::Literal(text.into())])
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The literal of a pattern that is one literal and nothing else (`""` for the empty pattern).
    pub fn as_equals(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The literal of a pattern `*literal*`.
    pub fn as_contains(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Run, Part::Literal(text), Part::Run] => Some(text),
            _ => None,
        }
    }

    /// The keyword as an analyst would read it: the literals, with `*` and `?` where wildcards
    /// stand between them; leading and trailing runs are left out.
    pub fn keyword(&self) -> String {
        let parts = match self.parts.as_slice() {
            [Part::Run, inner @ .., Part::Run] => inner,
            [Part::Run, inner @ ..] => inner,
            [inner @ .., Part::Run] => inner,
            all => all,
        };
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Run => out.push('*'),
                Part::One => out.push('?'),
            }
        }
        out
    }
}
