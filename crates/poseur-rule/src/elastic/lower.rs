//! What kuery's clauses mean, by the types of their fields.

use super::grammar::{Clause, Tree};
use super::lexer::{Literal, Value};
use super::{Failure, date, network};
use crate::model::{
    Case, Comparison, Condition, Field, Network, Number, Part, Pattern, Predicate, Test, Words,
};
use crate::types::{FieldType, Types};

/// Most tests that a query may come to: a range of addresses can be hundreds, and one of this size is a
/// mistake.
const MAX_TESTS: usize = 1_000_000;

/// The condition of a whole query.
pub(super) fn query(tree: &Tree<Clause>, types: &Types) -> Result<Condition, Failure> {
    clauses(tree, "", types, &mut 0)
}

/// Clauses whose fields are below a path. `tests` counts what the query has come to so far.
fn clauses(
    tree: &Tree<Clause>,
    path: &str,
    types: &Types,
    tests: &mut usize,
) -> Result<Condition, Failure> {
    each(tree, &mut |clause| match clause {
        Clause::Values { field, values } => {
            let field = Target::of(field.as_ref(), path)?;
            each(values, &mut |value| {
                counted(value, tests, field.value(&value.value, types))
            })
        }
        Clause::Range {
            field,
            comparison,
            value,
        } => {
            let target = Target::of(Some(field), path)?;
            counted(value, tests, target.range(*comparison, &value.value, types))
        }
        Clause::Nested {
            path: inner,
            inner: tree,
        } => {
            let Target::Name(inner) = Target::of(Some(inner), path)? else {
                let reason = "the objects before `:{` need one field's name, without wildcards";
                return Err((inner.at, reason.into()));
            };
            let condition = clauses(tree, &inner, types, tests)?;
            Ok(Condition::Nested {
                path: inner,
                condition: Box::new(condition),
            })
        }
    })
}

/// What a value comes to, added to the number of tests.
fn counted(
    value: &Literal,
    tests: &mut usize,
    condition: Result<Condition, String>,
) -> Result<Condition, Failure> {
    let condition = condition.map_err(|reason| (value.at, reason))?;
    *tests += match &condition {
        Condition::All(parts) | Condition::Any(parts) => parts.len(),
        _ => 1,
    };
    if *tests > MAX_TESTS {
        let reason = format!("the query comes to more than {MAX_TESTS} tests");
        return Err((value.at, reason));
    }
    Ok(condition)
}

fn each<T>(
    tree: &Tree<T>,
    leaf: &mut dyn FnMut(&T) -> Result<Condition, Failure>,
) -> Result<Condition, Failure> {
    let mut all = |parts: &[Tree<T>]| -> Result<Vec<Condition>, Failure> {
        parts.iter().map(|part| each(part, leaf)).collect()
    };
    Ok(match tree {
        Tree::All(parts) => Condition::All(all(parts)?),
        Tree::Any(parts) => Condition::Any(all(parts)?),
        Tree::Not(inner) => Condition::Not(Box::new(each(inner, leaf)?)),
        Tree::Leaf(one) => leaf(one)?,
    })
}

/// The fields that a clause is about.
pub(super) enum Target {
    /// All: no field was named.
    Term,
    /// All whose names begin so: the name is `*`, below a path or below nothing.
    All {
        below: String,
    },
    Name(String),
    Like(Pattern),
}

impl Target {
    fn of(field: Option<&Literal>, path: &str) -> Result<Target, Failure> {
        let below = if path.is_empty() {
            String::new()
        } else {
            format!("{path}.")
        };
        Ok(match field {
            // The field `null`, unquoted, is none, as Kibana takes it.
            None
            | Some(Literal {
                value: Value::Null, ..
            }) => Target::Term,
            Some(literal) => match &literal.value {
                Value::Wildcard(parts) if parts.iter().all(|part| *part == Part::Run) => {
                    Target::All { below }
                }
                Value::Wildcard(parts) => {
                    let below = Part::Literal(below);
                    Target::Like(Pattern::new(
                        [below].into_iter().chain(parts.iter().cloned()),
                    ))
                }
                other => {
                    let name = other.text();
                    if name.is_empty() {
                        return Err((literal.at, "the name of the field is empty".into()));
                    }
                    Target::Name(below + &name)
                }
            },
        })
    }

    pub(super) fn field(&self) -> Field {
        match self {
            Target::Term => Field::Any,
            Target::All { below } if below.is_empty() => Field::Any,
            Target::All { below } => Field::Like(Pattern::starts_with(below)),
            Target::Name(name) => Field::Name(name.clone()),
            Target::Like(pattern) => Field::Like(pattern.clone()),
        }
    }

    fn kind(&self, types: &Types) -> FieldType {
        match self {
            Target::Name(name) => types.field(name),
            Target::Term | Target::All { .. } | Target::Like(_) => FieldType::Keyword,
        }
    }

    fn test(&self, test: Test) -> Condition {
        Condition::Test(Predicate {
            field: self.field(),
            test,
        })
    }

    fn networks(&self, networks: Vec<Network>) -> Condition {
        let tests = networks.into_iter().map(Test::Cidr);
        Condition::one_or(tests.map(|test| self.test(test)), Condition::Any)
    }

    /// `field: value`. The error says what is wrong with the value.
    pub(super) fn value(&self, value: &Value, types: &Types) -> Result<Condition, String> {
        if *value == Value::Null {
            return Err(
                "`null` is no value to Elasticsearch: for records without the field write `not field: *`, \
                 for the text write `\"null\"`"
                    .into(),
            );
        }
        if value.is_star() {
            return Ok(match self {
                Target::Term | Target::All { .. } => Condition::All(Vec::new()),
                Target::Name(_) | Target::Like(_) => self.test(Test::Exists),
            });
        }
        let name = shortened(&self.field().label());
        match self.kind(types) {
            FieldType::Keyword => Ok(self.test(keyword(value))),
            FieldType::Text => Ok(self.words(value)),
            FieldType::Ip => match value {
                Value::Wildcard(_) => Ok(self.test(keyword(value))),
                other => network::networks(&other.text())
                    .map(|networks| self.networks(networks))
                    .ok_or_else(|| no_address(&name, &other.text())),
            },
            FieldType::Date => match value {
                Value::Wildcard(_) => Err(no_wildcards(&name, "dates")),
                other => Ok(self.test(date::parse(&other.text())?.test(Comparison::Equal))),
            },
            FieldType::Number => match value {
                Value::Wildcard(_) => Err(no_wildcards(&name, "numbers")),
                other => {
                    let number = number(&name, &other.text())?;
                    Ok(self.test(Test::Compare(Comparison::Equal, number)))
                }
            },
            FieldType::Boolean => match value.text().as_str() {
                "true" => Ok(self.test(Test::Bool(true))),
                "false" => Ok(self.test(Test::Bool(false))),
                other => Err(format!(
                    "`{name}` holds truth values, and `{}` is none: write true or false",
                    shortened(other)
                )),
            },
        }
    }

    /// `field > value` and its like. The error says what is wrong with the value.
    pub(super) fn range(
        &self,
        comparison: Comparison,
        value: &Value,
        types: &Types,
    ) -> Result<Condition, String> {
        if *value == Value::Null {
            return Err("nothing is more or less than `null`: write a value".into());
        }
        if matches!(self, Target::Term) {
            return Err("a range needs the name of a field before it".into());
        }
        let name = shortened(&self.field().label());
        let limit = value.text();
        Ok(match self.kind(types) {
            FieldType::Keyword => self.test(Test::Ordered(comparison, limit)),
            FieldType::Ip => self.networks(
                network::range(comparison, &limit).ok_or_else(|| no_address(&name, &limit))?,
            ),
            FieldType::Date => self.test(date::parse(&limit)?.test(comparison)),
            FieldType::Number => self.test(Test::Compare(comparison, number(&name, &limit)?)),
            FieldType::Text => return Err(no_order(&name, "text of many words")),
            FieldType::Boolean => return Err(no_order(&name, "truth values")),
        })
    }

    fn words(&self, value: &Value) -> Condition {
        let Value::Wildcard(parts) = value else {
            return self.test(Test::Words(match value {
                Value::Quoted(text) => Words::Phrase(text.clone()),
                other => Words::Any(other.text()),
            }));
        };
        // Elasticsearch looks for each of the words, with or without a wildcard, by itself.
        let pieces = pieces(parts).into_iter().map(|piece| {
            self.test(Test::Words(match piece.as_slice() {
                [Part::Literal(word)] => Words::Any(word.clone()),
                _ => Words::Fits(Pattern::new(piece)),
            }))
        });
        Condition::one_or(pieces, Condition::Any)
    }
}

/// The test of a value that is no `null` and no `*` alone, of a keyword field.
fn keyword(value: &Value) -> Test {
    match value {
        Value::Bool(truth) => Test::Bool(*truth),
        Value::Wildcard(parts) => Test::Text(Pattern::new(parts.iter().cloned()), Case::Exact),
        other => Test::Text(Pattern::equals(other.text()), Case::Exact),
    }
}

/// A pattern cut at its white space, lower-cased.
fn pieces(parts: &[Part]) -> Vec<Vec<Part>> {
    let mut pieces = vec![Vec::new()];
    for part in parts {
        let Part::Literal(text) = part else {
            pieces.last_mut().expect("never empty").push(part.clone());
            continue;
        };
        for (at, word) in text.split(char::is_whitespace).enumerate() {
            if at > 0 {
                pieces.push(Vec::new());
            }
            if !word.is_empty() {
                let word = Part::Literal(word.to_lowercase());
                pieces.last_mut().expect("never empty").push(word);
            }
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn number(name: &str, text: &str) -> Result<Number, String> {
    // Elasticsearch reads `007`, `+1`, `.5` and `5.` as numbers, too.
    let spelt = || {
        let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = digits.trim_start_matches('0');
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let sign = if text.starts_with('-') { "-" } else { "" };
        Number::new(if whole {
            format!("{sign}{digits}")
        } else {
            value.to_string()
        })
    };
    Number::new(text).or_else(spelt).ok_or_else(|| {
        format!(
            "`{name}` holds numbers, and `{}` is none: write a number, or `*` for any",
            shortened(text)
        )
    })
}

fn no_address(name: &str, text: &str) -> String {
    format!(
        "`{name}` holds IP addresses, and `{}` is none: write an address, or a network such as \
         10.0.0.0/8 (as a value, not as a limit)",
        shortened(text)
    )
}

fn no_wildcards(name: &str, what: &str) -> String {
    format!(
        "`{name}` holds {what}, which take no wildcards: write a value, a range, or `*` for any"
    )
}

fn no_order(name: &str, what: &str) -> String {
    format!("`{name}` holds {what}, which have no order: write `{name}: value`")
}

/// A text as far as an error needs it.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace(|c: char| c.is_control(), " ")
}
