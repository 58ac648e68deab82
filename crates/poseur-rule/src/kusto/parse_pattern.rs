//! The grammar of `parse` and `parse-where`.

use super::names::can_be_given;
use super::parse_expression::Parser;
use super::syntax::{Parse, ParseKind, Piece, PieceKind};
use super::token::Kind;
use super::{Refusal, Result};
use crate::expression::ColumnType;

impl Parser<'_> {
    /// `[kind=KIND] [flags=FLAGS] EXPRESSION with PATTERN`
    pub(super) fn parse(&mut self, filters: bool) -> Result<Parse> {
        let mut kind = ParseKind::Simple;
        let mut flags = None;
        while self.peek_at(1).kind == Kind::Sign("=") {
            let name = self.word();
            if !matches!(name, Some("kind" | "flags")) {
                return self.unexpected("`kind`, `flags` or a text to parse");
            }
            self.advance();
            self.advance();
            let at = self.at();
            let value = self.option()?;
            if name == Some("flags") {
                flags = Some((at, value));
                continue;
            }
            kind = match value.as_str() {
                "simple" => ParseKind::Simple,
                "regex" => ParseKind::Regex,
                "relaxed" => ParseKind::Relaxed,
                _ => {
                    let reason =
                        format!("`{value}` is no kind of parse: simple, regex or relaxed is");
                    return Err(Refusal::new(at, reason));
                }
            };
        }
        let source = self.expression()?;
        if !self.eat_word("with") {
            return self.unexpected("`with`");
        }
        let flags = match flags {
            Some((at, _)) if kind != ParseKind::Regex => {
                return Err(Refusal::new(at, "flags are for `kind=regex` only"));
            }
            Some((at, flags)) if !flags.bytes().all(|c| c.is_ascii_alphabetic()) => {
                return Err(Refusal::new(at, "flags are letters, such as i or U"));
            }
            Some((_, flags)) => flags,
            None => String::new(),
        };
        let pieces = self.pieces()?;
        Ok(Parse {
            filters,
            kind,
            flags,
            source,
            pieces,
        })
    }

    /// The value of an option: a word or a text.
    fn option(&mut self) -> Result<String> {
        if matches!(self.peek().kind, Kind::Text(_)) {
            return Ok(self.text());
        }
        let Some(word) = self.word() else {
            return self.unexpected("a value");
        };
        self.advance();
        Ok(word.to_owned())
    }

    fn pieces(&mut self) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        loop {
            let at = self.at();
            let kind = match &self.peek().kind {
                Kind::Sign("*") => {
                    self.advance();
                    PieceKind::Run
                }
                Kind::Text(_) => PieceKind::Text(self.text()),
                Kind::Name(_) | Kind::Sign("[") => {
                    let name = self.given_name(can_be_given, "the name of a column")?;
                    let kind = match self.eat(":") {
                        true => self.type_name()?,
                        false => ColumnType::Text,
                    };
                    PieceKind::Column(name.text, kind)
                }
                _ if pieces.is_empty() => {
                    return self.unexpected("a pattern: `*`, texts and columns");
                }
                _ => return Ok(pieces),
            };
            pieces.push(Piece { at, kind });
        }
    }
}
