//! The rule model: what every front end produces and the matcher compiles.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::error::Place;
use crate::expression::{Column, Expression};

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

/// What logs a rule is for: Sigma's `logsource`, Elastic's `index`, a Kusto query's table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSource {
    /// `product`, such as `m365`.
    pub product: Option<String>,
    /// `service`, such as `audit`.
    pub service: Option<String>,
    /// `category`.
    pub category: Option<String>,
    /// Elastic index patterns, such as `logs-o365.audit-*`; none: not said.
    pub indices: Vec<String>,
    /// Name of the table that a Kusto query reads.
    pub table: Option<String>,
}

impl LogSource {
    /// Each of product, service and category that this one gives is the other's, too.
    pub fn covers(&self, other: &LogSource) -> bool {
        let fits =
            |mine: &Option<String>, theirs: &Option<String>| mine.is_none() || mine == theirs;
        fits(&self.product, &other.product)
            && fits(&self.service, &other.service)
            && fits(&self.category, &other.category)
    }
}

/// The language a rule was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Sigma YAML.
    Sigma,
    /// Kuery, in an Elastic rule file.
    Kuery,
    /// Kusto, in a Microsoft query file.
    Kusto,
}

impl Language {
    /// The lower-case word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Sigma => "sigma",
            Language::Kuery => "kuery",
            Language::Kusto => "kusto",
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// One and the same object at a path satisfies the condition (kuery's `path:{ … }`).
    Nested {
        /// Canonical name of the field that holds the objects.
        path: String,
        /// About one object. Its fields have their full names, the path included.
        condition: Box<Condition>,
    },
}

impl Condition {
    /// The condition itself if it is the only one, else all of them joined.
    pub(crate) fn one_or(
        parts: impl IntoIterator<Item = Condition>,
        join: fn(Vec<Condition>) -> Condition,
    ) -> Condition {
        let mut parts: Vec<Condition> = parts.into_iter().collect();
        match parts.len() {
            1 => parts.remove(0),
            _ => join(parts),
        }
    }

    /// Levels of it, itself included.
    pub fn depth(&self) -> usize {
        1 + match self {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().map(Condition::depth).max().unwrap_or(0)
            }
            Condition::Not(inner)
            | Condition::Named(_, inner)
            | Condition::Nested {
                condition: inner, ..
            } => inner.depth(),
            Condition::Test(_) => 0,
        }
    }
}

/// Deepest nesting of a [`Condition`] that a front end may produce.
pub const MAX_DEPTH: usize = 64;

/// One test of one field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Predicate {
    /// Which field.
    pub field: Field,
    /// What about it.
    pub test: Test,
}

/// The field a predicate looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// By canonical name, with dots: `user.email`.
    Name(String),
    /// Any scalar anywhere in the record (Sigma keyword lists, kuery terms without a field).
    Any,
    /// Every field whose whole name fits (kuery's `user.*`).
    Like(Pattern),
    /// A column of a Kusto table: one value, of the column's type, for each time it is there.
    Column(Column),
    /// What a Kusto expression makes of the record's columns.
    Value(Box<Expression>),
}

impl Field {
    /// The field as people read it: its name, `*` for any, an expression as Kusto writes it.
    pub fn label(&self) -> Cow<'_, str> {
        match self {
            Field::Name(name) => name.into(),
            Field::Any => "*".into(),
            Field::Like(pattern) => pattern.wildcard().into(),
            Field::Column(column) => column.name.as_str().into(),
            Field::Value(expression) => expression.to_string().into(),
        }
    }
}

/// What a predicate asks of a field's value. Where a field has several values (arrays, flattened
/// objects, duplicate keys) one of them must satisfy the test, unless a variant says otherwise.
/// A missing field satisfies none but [`Test::Null`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    Compare(Comparison, Number),
    /// Kuery's ranges: a JSON number is compared as a number where the limit is one; any other value
    /// by its text with the limit's, byte by byte, as Elasticsearch orders keywords.
    Ordered(Comparison, String),
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
    /// The value is a timestamp in this relation to a moment (Kusto's `field > ago(30d)`).
    Time(Comparison, Moment),
    /// The value is a timestamp from one moment on and before another (kuery's `field: 2026-11-20`).
    Within {
        /// The first moment.
        from: Moment,
        /// The first moment that is over.
        to: Moment,
    },
    /// The text holds this text as a Kusto term: an end that is asked for and is itself alphanumeric
    /// must not touch another alphanumeric character (`has`, `hasprefix`, `hassuffix`).
    Term {
        /// What to look for. Empty: every text has it.
        text: String,
        /// Letter case.
        case: Case,
        /// The start must be a boundary.
        start: bool,
        /// The end must be a boundary.
        end: bool,
    },
    /// The words of the text, as Elasticsearch's standard analyzer divides them (`text` fields).
    Words(Words),
}

/// What [`Test::Words`] asks of the words of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Words {
    /// One of the words of this text is among them.
    Any(String),
    /// All words of this text are among them, one after the other.
    Phrase(String),
    /// One of them fits the pattern, whose letters are lower-cased before.
    Fits(Pattern),
}

/// A number as JSON writes it: whole numbers are compared exactly, others as 64-bit floats.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

impl Number {
    /// A number from its JSON spelling; `None` if it is none.
    pub fn new(text: impl Into<String>) -> Option<Number> {
        let text = text.into();
        let digits = text.strip_prefix('-').unwrap_or(&text);
        // What Rust takes beyond JSON: a leading plus, bare points, leading zeros, words.
        let starts = digits.starts_with(|c: char| c.is_ascii_digit());
        let leads = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1] != b'.';
        let leads = leads && !matches!(digits.as_bytes()[1], b'e' | b'E');
        let bare = digits.ends_with('.') || digits.contains(".e") || digits.contains(".E");
        (starts && !leads && !bare && text.parse::<f64>().is_ok()).then_some(Number(text))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As near as a 64-bit float comes.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Number {
        Number(number.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A moment, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Since 1970, UTC.
    At(i128),
    /// From now on; negative: ago.
    FromNow(i128),
}

impl Moment {
    /// So many seconds ago.
    pub fn seconds_ago(seconds: u64) -> Moment {
        Moment::FromNow(-i128::from(seconds) * 1_000_000_000)
    }
}

/// How letters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Case {
    /// Byte for byte.
    Exact,
    /// ASCII letters fold, nothing else does (Kusto's documented folding, and Poseur's for Sigma).
    Ascii,
}

/// Order relation of [`Test::Compare`], [`Test::Ordered`] and [`Test::Time`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The sign.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

impl fmt::Display for Moment {
    /// `2026-11-20T12:00:00Z`, or `now - 30d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::At(at) => match jiff::Timestamp::from_nanosecond(*at) {
                Ok(at) => write!(f, "{at}"),
                Err(_) => write!(f, "{at} ns"),
            },
            Moment::FromNow(0) => f.write_str("now"),
            Moment::FromNow(offset) => {
                let sign = if *offset < 0 { '-' } else { '+' };
                let length = offset.unsigned_abs();
                let units = [
                    (86_400_000_000_000, "d"),
                    (3_600_000_000_000, "h"),
                    (60_000_000_000, "m"),
                    (1_000_000_000, "s"),
                    (1, "ns"),
                ];
                let fits = units.into_iter().find(|(size, _)| length % size == 0);
                let (size, unit) = fits.unwrap_or((1, "ns"));
                write!(f, "now {sign} {}{unit}", length / size)
            }
        }
    }
}

/// Text relation of [`Test::SameAs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        spell(match self.parts.as_slice() {
            [Part::Run, inner @ .., Part::Run] => inner,
            [Part::Run, inner @ ..] => inner,
            [inner @ .., Part::Run] => inner,
            all => all,
        })
    }

    /// The whole pattern, with `*` and `?` for wildcards; literals as they are.
    pub fn wildcard(&self) -> String {
        spell(&self.parts)
    }
}

fn spell(parts: &[Part]) -> String {
    let spelt = parts.iter().map(|part| match part {
        Part::Literal(text) => text,
        Part::Run => "*",
        Part::One => "?",
    });
    spelt.collect()
}
