//! `dynamic(…)`: JSON in Kusto's spelling, and constant JSON texts.

use super::parse_expression::Parser;
use super::token::{self, Kind};
use super::{Refusal, Result};
use crate::expression::{ColumnType, Literal};
use crate::model::Number;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

/// The value inside `dynamic(…)`.
pub(super) fn value(parser: &mut Parser<'_>) -> Result<Json> {
    let at = parser.at();
    let negative = parser.eat("-");
    let literal = match &parser.peek().kind {
        Kind::Literal(literal @ (Literal::Long(_) | Literal::Real(_))) => literal.clone(),
        _ if negative => return parser.unexpected("a number"),
        Kind::Literal(literal) => literal.clone(),
        Kind::Text(_) => return Ok(Json::Text(parser.text())),
        Kind::Name("null") => {
            parser.advance();
            return Ok(Json::Null);
        }
        Kind::Sign("[") => {
            parser.advance();
            let items = items(parser, "]", value)?;
            return Ok(Json::List(items));
        }
        Kind::Sign("{") => {
            parser.advance();
            let entries = items(parser, "}", |parser| {
                if !matches!(parser.peek().kind, Kind::Text(_)) {
                    return parser.unexpected("a key in quotes");
                }
                let key = parser.text();
                parser.expect(":")?;
                Ok((key, value(parser)?))
            })?;
            return Ok(Json::Map(entries));
        }
        _ => return parser.unexpected("a JSON value"),
    };
    parser.advance();
    let sign = if negative { "-" } else { "" };
    match literal {
        Literal::Bool(truth) => Ok(Json::Bool(truth)),
        Literal::Long(number) => Ok(Json::Number(format!("{sign}{number}"))),
        Literal::Real(number) => Ok(Json::Number(format!("{sign}{number}"))),
        Literal::Text(text) => Ok(Json::Text(text)),
        other => Err(Refusal::new(
            at,
            format!("{other} inside a dynamic value is not supported: write it as a text"),
        )),
    }
}

/// Items between commas up to a closing bracket.
fn items<T>(
    parser: &mut Parser<'_>,
    close: &str,
    item: fn(&mut Parser<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut out = Vec::new();
    if parser.eat(close) {
        return Ok(out);
    }
    loop {
        out.push(parser.nested(item)?);
        if parser.eat(close) {
            return Ok(out);
        }
        if !parser.eat(",") {
            return parser.unexpected(&format!("`,` or `{close}`"));
        }
    }
}

/// The value of a constant JSON text, if it is plain: what Kusto's grammar of dynamic values has beyond
/// JSON, or less than it, is left to the evaluator.
pub(super) fn parse(text: &str) -> Option<Json> {
    const UNLIKE: [&str; 9] = ["'", "`", "~", "@", "\\", "//", "h\"", "H\"", "datetime"];
    let words = ["True", "TRUE", "False", "FALSE"];
    if UNLIKE.iter().chain(&words).any(|part| text.contains(part)) {
        return None;
    }
    of_literal(text)
}

/// The value of a dynamic literal, which is compact JSON.
pub(super) fn of_literal(json: &str) -> Option<Json> {
    let mut parser = Parser::new(token::tokens(json));
    let value = parser.nested(value).ok()?;
    matches!(parser.peek().kind, Kind::End).then_some(value)
}

/// The literal that an item of a constant list is.
pub(super) fn item(value: Json) -> Literal {
    match value {
        Json::Text(text) => Literal::Text(text),
        Json::Bool(truth) => Literal::Bool(truth),
        Json::Null => Literal::Null(ColumnType::Dynamic),
        Json::Number(number) => match (number.parse(), Number::new(number.as_str())) {
            (Ok(number), _) => Literal::Long(number),
            (_, Some(number)) => Literal::Real(number),
            _ => Literal::Null(ColumnType::Dynamic),
        },
        Json::List(_) | Json::Map(_) => literal(&value),
    }
}

/// The literal of a value: scalars stay dynamic.
pub(super) fn literal(value: &Json) -> Literal {
    let mut out = String::new();
    write(value, &mut out);
    Literal::Dynamic(out)
}

/// Compact JSON.
fn write(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Json::Number(number) => out.push_str(number),
        Json::Text(text) => write_text(text, out),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Json::Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_text(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
