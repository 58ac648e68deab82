//! The query of a generated rule: one tree, written as kuery and as a condition of the model.

use std::fmt;
use std::net::IpAddr;

use poseur_rule::model::{
    Case, Comparison, Condition, Field, Network, Number, Part, Pattern, Predicate, Test,
};

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// All of these; at least two.
    All(Vec<Query>),
    /// One of these; at least two.
    Any(Vec<Query>),
    /// Not this.
    Not(Box<Query>),
    /// A field has one of these values; at least one.
    Has(&'static str, Vec<Value>),
}

/// A value a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// This text, in quotes.
    Text(String),
    /// A text with `*`, of letters, digits, `.`, `_` and `-`.
    Pattern(String),
    /// Any value.
    Exists,
    /// A truth value.
    Bool(bool),
    /// A number, of a field that holds numbers.
    Number(i64),
    /// A network of IPv4 addresses, of a field that holds addresses.
    Network([u8; 4], u8),
}

impl Query {
    /// As a condition of the model.
    pub fn condition(&self) -> Condition {
        match self {
            Query::All(parts) => Condition::All(parts.iter().map(Query::condition).collect()),
            Query::Any(parts) => Condition::Any(parts.iter().map(Query::condition).collect()),
            Query::Not(part) => Condition::Not(Box::new(part.condition())),
            Query::Has(field, values) => {
                let one = |value: &Value| {
                    Condition::Test(Predicate {
                        field: Field::Name((*field).to_owned()),
                        test: value.test(),
                    })
                };
                match values.as_slice() {
                    [value] => one(value),
                    values => Condition::Any(values.iter().map(one).collect()),
                }
            }
        }
    }
}

impl Value {
    fn test(&self) -> Test {
        match self {
            Value::Text(text) => Test::Text(Pattern::equals(text), Case::Exact),
            Value::Pattern(text) => {
                let mut parts = Vec::new();
                for (at, literal) in text.split('*').enumerate() {
                    if at > 0 {
                        parts.push(Part::Run);
                    }
                    parts.push(Part::Literal(literal.to_owned()));
                }
                Test::Text(Pattern::new(parts), Case::Exact)
            }
            Value::Exists => Test::Exists,
            Value::Bool(truth) => Test::Bool(*truth),
            Value::Number(number) => Test::Compare(Comparison::Equal, Number::from(*number)),
            Value::Network(address, prefix) => Test::Cidr(Network {
                address: IpAddr::from(*address),
                prefix: *prefix,
            }),
        }
    }
}

/// As kuery.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Query], word: &str| {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    write!(f, " {word}\n  ")?;
                }
                match part {
                    Query::All(_) | Query::Any(_) => write!(f, "({part})")?,
                    Query::Not(_) | Query::Has(..) => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Query::All(parts) => joined(f, parts, "and"),
            Query::Any(parts) => joined(f, parts, "or"),
            Query::Not(part) => write!(f, "not ({part})"),
            Query::Has(field, values) => match values.as_slice() {
                [value] => write!(f, "{field}:{value}"),
                values => {
                    write!(f, "{field}:(")?;
                    for (at, value) in values.iter().enumerate() {
                        let or = if at == 0 { "" } else { " or " };
                        write!(f, "{or}{value}")?;
                    }
                    f.write_str(")")
                }
            },
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Value::Pattern(text) => f.write_str(text),
            Value::Exists => f.write_str("*"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Network(address, prefix) => {
                write!(f, "\"{}/{prefix}\"", IpAddr::from(*address))
            }
        }
    }
}
