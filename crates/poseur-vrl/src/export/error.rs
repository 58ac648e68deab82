//! What VRL cannot say.

use std::fmt;

/// Something that cannot be exported exactly, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{subject}{}: {reason}: {advice}", At(.place), About(.field))]
pub struct ExportError {
    /// Where the rule or exception was read.
    pub place: Option<poseur_rule::error::Place>,
    /// The rule, exception or schema it is about.
    pub subject: Subject,
    /// The field, if it is about one.
    pub field: Option<String>,
    /// Why it cannot be exported.
    pub reason: Reason,
    /// What to do.
    pub advice: &'static str,
}

/// What an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A rule: id and title.
    Rule(String, String),
    /// An exception, by its id.
    Exception(String),
    /// A schema, by its name.
    Schema(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Rule(id, title) => write!(f, "rule `{id}` ({title})"),
            Subject::Exception(id) => write!(f, "exception `{id}`"),
            Subject::Schema(name) => write!(f, "schema `{name}`"),
        }
    }
}

struct At<'a>(&'a Option<poseur_rule::error::Place>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(place) => write!(f, "{place}: "),
            None => Ok(()),
        }
    }
}

struct About<'a>(&'a Option<String>);

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(field) => write!(f, ", field `{field}`"),
            None => Ok(()),
        }
    }
}

/// Why something cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The regular expression does not compile for text, only for bytes.
    #[error("VRL's engine refuses the regular expression `{pattern}`: {reason}")]
    Regex {
        /// As the rule has it.
        pattern: String,
        /// The engine's words.
        reason: String,
    },
    /// An Elasticsearch `text` field.
    #[error("VRL cannot divide a text into words as Elasticsearch does")]
    Words,
    /// A Kusto expression.
    #[error("VRL has no exact form of the Kusto expression `{0}`")]
    Expression(String),
    /// A Kusto column whose type VRL cannot read exactly, with the test that is asked of it.
    #[error("VRL has no exact form of this test of a column of type `{0}`")]
    Column(&'static str),
    /// A pattern of field names.
    #[error("VRL cannot look for fields by a pattern of names")]
    Like,
    /// A number that VRL would round.
    #[error("VRL rounds the number {0}")]
    Number(String),
    /// A moment far from now.
    #[error("the moment {0} is outside of the years that VRL's clock counts in whole seconds here")]
    Moment(String),
    /// A derivation whose result VRL cannot make.
    #[error("VRL cannot make the field's value as the schema `{0}` says")]
    Derivation(String),
    /// Batches at a path instead of a key.
    #[error("a batch must be under a plain key, not `{0}`")]
    Batch(String),
    /// A condition on objects that are, or have to do with, parties, beside exceptions that trust parties.
    #[error(
        "the program does not say who satisfied a condition on one object of a list, which the rule's exceptions ask"
    )]
    NestedParty,
    /// A test of the elements of a list that are parties, beside exceptions that trust parties.
    #[error(
        "the program does not say which element of a list satisfied {0}, which the rule's exceptions ask"
    )]
    PartyTest(&'static str),
    /// A schema's party whose address or tenant is not a plain key.
    #[error("the addresses and tenants of the parties of schema `{0}` must be under plain keys")]
    PartyKey(String),
    /// An exception with this many names; the program can hold so many, of all exceptions together.
    #[error("it lists {0} names, and a program holds {1} of all exceptions together")]
    Names(usize, usize),
}

impl Reason {
    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Reason::Regex { .. } => {
                "write it without `(?-u)` parts that match single bytes, or leave the rule out"
            }
            Reason::Number(_) => "use a number of at most 15 digits, or leave the rule out",
            Reason::Names(..) => {
                "leave the exception out here, or run `poseur tag` in the pipeline"
            }
            Reason::NestedParty | Reason::PartyTest(_) => {
                "leave the rule or the exceptions that concern it out here, or run `poseur tag` in the pipeline"
            }
            Reason::Batch(_) | Reason::Derivation(_) | Reason::PartyKey(_) => {
                "change the schema file, or run `poseur tag` in the pipeline"
            }
            _ => {
                "leave the rule out here (`--rules` takes files one by one), or run `poseur tag` in the pipeline"
            }
        }
    }
}
