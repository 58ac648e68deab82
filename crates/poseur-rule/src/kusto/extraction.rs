//! `parse` and `parse-where`: a pattern becomes one regular expression, and each column a group of it.
//!
//! What patterns mean where Kusto's documentation leaves it open is in docs/semantics.md.

use regex::Regex;

use super::bind::Binder;
use super::compare::unusable;
use super::scope::Value;
use super::syntax::{Parse, ParseKind, Piece, PieceKind};
use super::{Refusal, Result};
use crate::expression::{ColumnType, Function, Literal};

/// A column of a pattern.
struct Capture<'p> {
    name: &'p str,
    kind: ColumnType,
    /// Its group in the regular expression.
    group: usize,
}

/// A pattern as a regular expression.
struct Compiled<'p> {
    regex: String,
    captures: Vec<Capture<'p>>,
}

impl Binder<'_> {
    /// `parse`: columns are made out of a text. Of `parse-where` also the condition.
    pub(super) fn parse(&mut self, at: usize, parse: &Parse) -> Result<Option<Value>> {
        let text = self.meaning(&parse.source)?;
        let compiled = match compile(parse) {
            Ok(compiled) => {
                let regex = Value::literal(Literal::Text(compiled.regex));
                let usable = self.pattern(at, &regex);
                usable.map(|()| (regex, compiled.captures))
            }
            Err(refusal) => Err(refusal),
        };
        let (text, (regex, captures)) = match text.and_then(|text| Ok((text, compiled?))) {
            Ok(both) => both,
            Err(refusal) if refusal.only_unevaluated && !parse.filters => {
                for piece in &parse.pieces {
                    if let PieceKind::Column(name, _) = &piece.kind {
                        self.columns.set(name, Err(refusal.clone()));
                    }
                }
                return Ok(None);
            }
            Err(refusal) => return Err(refusal),
        };
        let mut values = Vec::new();
        for capture in &captures {
            let group = i64::try_from(capture.group).unwrap_or(i64::MAX);
            let group = Value::literal(Literal::Long(group));
            let arguments = vec![regex.clone(), group, text.clone()];
            let found = self.call(at, Function::Extract, arguments, ColumnType::Text)?;
            values.push(self.converted(at, found, capture.kind)?);
        }
        // A column that does not convert takes the others with it, but not in the relaxed kind.
        let mut tests = Vec::new();
        for value in &values {
            let may_be_any = matches!(value.kind, ColumnType::Text | ColumnType::Dynamic);
            tests.push(match parse.kind == ParseKind::Relaxed || may_be_any {
                true => None,
                false => {
                    let value = vec![value.clone()];
                    let null = self.call(at, Function::IsNull, value, ColumnType::Bool)?;
                    Some(self.not(at, null)?)
                }
            });
        }
        for (position, (capture, value)) in captures.iter().zip(values).enumerate() {
            let others = tests.iter().enumerate();
            let others: Vec<Value> = others
                .filter(|(other, _)| *other != position)
                .filter_map(|(_, test)| test.clone())
                .collect();
            let value = if others.is_empty() {
                value
            } else {
                let all = self.join(at, Function::And, others)?;
                let kind = value.kind;
                let none = Value::literal(match kind {
                    ColumnType::Text => Literal::Text(String::new()),
                    kind => Literal::Null(kind),
                });
                self.call(at, Function::Iff, vec![all, value, none], kind)?
            };
            self.columns.set(capture.name, Ok(value));
        }
        if !parse.filters {
            return Ok(None);
        }
        let fits = vec![text, regex];
        let fits = self.call(at, Function::MatchesRegex, fits, ColumnType::Bool)?;
        let tests = std::iter::once(fits).chain(tests.into_iter().flatten());
        Ok(Some(self.join(at, Function::And, tests.collect())?))
    }
}

/// The regular expression of a pattern. Of simple and relaxed ones it fits the whole text; of regex ones, as
/// Kusto's documentation says, it begins with the text and ends where it likes.
fn compile(parse: &Parse) -> Result<Compiled<'_>> {
    let is_regex = parse.kind == ParseKind::Regex;
    let flags = match parse.flags.as_str() {
        _ if !is_regex => "(?s)".to_owned(),
        "" => String::new(),
        flags => format!("(?{flags})"),
    };
    let mut regex = format!(r"{flags}\A");
    let mut captures = Vec::new();
    let mut groups = 0;
    for (position, piece) in parse.pieces.iter().enumerate() {
        let next = parse.pieces.get(position + 1);
        match &piece.kind {
            PieceKind::Run => regex.push_str(".*?"),
            PieceKind::Text(text) if is_regex => {
                groups += groups_of(&flags, text, piece.at)?;
                regex.push_str(&format!("(?:{text})"));
            }
            PieceKind::Text(text) => regex.push_str(&regex::escape(text)),
            PieceKind::Column(name, kind) => {
                groups += 1;
                captures.push(Capture {
                    name,
                    kind: *kind,
                    group: groups,
                });
                regex.push_str(&column(parse.kind, piece.at, *kind, next)?);
            }
        }
    }
    if !is_regex {
        regex.push_str(r"\z");
    }
    Ok(Compiled { regex, captures })
}

/// How many groups a text of the pattern has itself.
fn groups_of(flags: &str, text: &str, at: usize) -> Result<usize> {
    match Regex::new(&format!("{flags}{text}")) {
        Ok(regex) => Ok(regex.captures_len() - 1),
        Err(error) => Err(unusable(at, &error)),
    }
}

/// What a column takes.
fn column(parse: ParseKind, at: usize, kind: ColumnType, next: Option<&Piece>) -> Result<String> {
    let before_text = matches!(next, Some(piece) if matches!(piece.kind, PieceKind::Text(_)));
    let Some(shape) = shape(kind) else {
        if next.is_some() && !before_text {
            let reason = "a text must stand behind a column of type string or dynamic, \
                          or the end: nothing else says where it ends";
            return Err(Refusal::new(at, reason));
        }
        let run = match (parse, next) {
            (ParseKind::Regex, _) | (_, None) => "(.*)",
            _ => "(.*?)",
        };
        return Ok(run.to_owned());
    };
    Ok(match parse {
        ParseKind::Regex => format!(r"(?-Ux:\s*({shape}))"),
        ParseKind::Simple => format!(r"\s*({shape})"),
        ParseKind::Relaxed if next.is_none() => r"\s*(.*)".to_owned(),
        ParseKind::Relaxed if before_text => r"\s*(.*?)".to_owned(),
        ParseKind::Relaxed => format!(r"(?:\s*({shape}))?"),
    })
}

/// The regular expression of what converts to a type; `None`: any text does.
fn shape(kind: ColumnType) -> Option<&'static str> {
    Some(match kind {
        ColumnType::Text | ColumnType::Dynamic => return None,
        ColumnType::Bool => "(?i-u:true|false)|[01]",
        ColumnType::Long => "-?[0-9]+",
        ColumnType::Real => r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?",
        ColumnType::DateTime => {
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?"
        }
        ColumnType::TimeSpan => r"-?(?:[0-9]+\.)?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,7})?",
    })
}
