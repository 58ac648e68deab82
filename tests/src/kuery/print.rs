//! Writes a query as kuery text, in any legal spelling.

use super::query::{Name, Query, Spelling, Value, Values};
use crate::strategies::dice::Dice;

/// White space between tokens, by Kibana's grammar.
const SPACES: [&str; 5] = [" ", "\t", "\n", "\r", "\u{A0}"];

/// How tightly a part must bind to stand where it does.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Place {
    /// Anything.
    Or,
    /// Below `or`.
    And,
    /// Below `and`.
    Not,
    /// Below `not`.
    Sub,
}

/// Writes a query. Calm dice (seed 0) give the plain form.
pub fn print(query: &Query, seed: u64) -> String {
    let mut printer = Printer {
        dice: Dice::new(seed),
        calm: seed == 0,
    };
    let mut out = String::new();
    printer.gap(&mut out);
    printer.query(query, Place::Or, &mut out);
    printer.gap(&mut out);
    out
}

/// An Elastic rule file that holds the query.
pub fn rule_file(query: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let (open, close) = if dice.chance(50) {
        ("\"\"\"\n", "\"\"\"")
    } else {
        ("\"", "\"")
    };
    let mut text = String::new();
    for character in query.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(character),
            _ if character as u32 > 0xFFFF => {
                text.push_str(&format!("\\U{:08X}", character as u32))
            }
            _ if character.is_alphabetic() && dice.chance(50) => text.push(character),
            _ => text.push_str(&format!("\\u{:04x}", character as u32)),
        }
    }
    format!(
        "[metadata]\nmaturity = \"production\"\n\n[rule]\nauthor = [\"Poseur\"]\ndescription = \"Random.\"\n\
         index = [\"logs-*\"]\nlanguage = \"kuery\"\nlicense = \"MIT\"\nname = \"Random\"\nrisk_score = 21\n\
         rule_id = \"5c1f0f2e-90a3-4e0c-9c5e-0d6f5b0a3f11\"\nseverity = \"low\"\ntype = \"query\"\n\
         query = {open}{text}{close}\n"
    )
}

struct Printer {
    dice: Dice,
    calm: bool,
}

impl Printer {
    fn chance(&mut self, percent: u8) -> bool {
        !self.calm && self.dice.chance(percent)
    }

    /// White space that may be there.
    fn gap(&mut self, out: &mut String) {
        while self.chance(25) {
            out.push_str(self.dice.pick(&SPACES));
        }
    }

    /// White space that must be there.
    fn space(&mut self, out: &mut String) {
        out.push_str(if self.calm {
            " "
        } else {
            self.dice.pick(&SPACES)
        });
        self.gap(out);
    }

    fn keyword(&mut self, word: &str, out: &mut String) {
        for letter in word.chars() {
            out.push(if self.chance(30) {
                letter.to_ascii_uppercase()
            } else {
                letter
            });
        }
    }

    /// Puts what is written into parentheses, if it must or the dice say so.
    fn grouped(
        &mut self,
        must: bool,
        out: &mut String,
        write: &mut dyn FnMut(&mut Self, &mut String),
    ) {
        if !must && !self.chance(10) {
            return write(self, out);
        }
        out.push('(');
        self.gap(out);
        self.grouped(false, out, write);
        self.gap(out);
        out.push(')');
    }

    fn query(&mut self, query: &Query, place: Place, out: &mut String) {
        match query {
            // `*: *` is always true; nothing is always false. Both need a spelling inside a query.
            Query::All(parts) if parts.is_empty() => {
                if place == Place::Or && out.trim().is_empty() && self.chance(50) {
                    return;
                }
                out.push('*');
            }
            Query::Any(parts) if parts.is_empty() => self.query(
                &Query::Not(Box::new(Query::Bare(Value::Exists))),
                place,
                out,
            ),
            Query::All(parts) | Query::Any(parts) if parts.len() == 1 => {
                self.query(&parts[0], place, out);
            }
            Query::All(parts) => self.joined(parts, "and", place > Place::And, Place::Not, out),
            Query::Any(parts) => self.joined(parts, "or", place > Place::Or, Place::And, out),
            Query::Not(part) => {
                self.grouped(place > Place::Not, out, &mut |printer, out| {
                    printer.keyword("not", out);
                    printer.space(out);
                    printer.query(part, Place::Sub, out);
                });
            }
            Query::Is(name, values) => self.grouped(false, out, &mut |printer, out| {
                printer.name(name, out);
                printer.gap(out);
                out.push(':');
                printer.gap(out);
                printer.values(values, Place::Sub, out);
            }),
            Query::Range(name, relation, limit) => self.grouped(false, out, &mut |printer, out| {
                printer.name(name, out);
                printer.gap(out);
                out.push_str(relation.sign());
                printer.gap(out);
                printer.spelling(limit, out);
            }),
            Query::Bare(value) => {
                self.grouped(false, out, &mut |printer, out| printer.value(value, out));
            }
            Query::Nested(path, part) => self.grouped(false, out, &mut |printer, out| {
                printer.name(&Name::One(path.clone()), out);
                printer.gap(out);
                out.push(':');
                printer.gap(out);
                out.push('{');
                printer.gap(out);
                printer.query(part, Place::Or, out);
                printer.gap(out);
                out.push('}');
            }),
        }
    }

    fn joined(&mut self, parts: &[Query], word: &str, must: bool, place: Place, out: &mut String) {
        self.grouped(must, out, &mut |printer, out| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    printer.space(out);
                    printer.keyword(word, out);
                    printer.space(out);
                }
                printer.query(part, place, out);
            }
        });
    }

    fn values(&mut self, values: &Values, place: Place, out: &mut String) {
        match values {
            Values::One(value) => {
                self.grouped(false, out, &mut |printer, out| printer.value(value, out));
            }
            Values::All(parts) | Values::Any(parts) if parts.len() == 1 => {
                self.values(&parts[0], place, out);
            }
            Values::All(parts) => {
                self.joined_values(parts, "and", place > Place::And, Place::Not, out)
            }
            Values::Any(parts) => {
                self.joined_values(parts, "or", place > Place::Or, Place::And, out)
            }
            Values::Not(part) => self.grouped(place > Place::Not, out, &mut |printer, out| {
                printer.keyword("not", out);
                printer.space(out);
                printer.values(part, Place::Sub, out);
            }),
        }
    }

    fn joined_values(
        &mut self,
        parts: &[Values],
        word: &str,
        must: bool,
        place: Place,
        out: &mut String,
    ) {
        self.grouped(must, out, &mut |printer, out| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    printer.space(out);
                    printer.keyword(word, out);
                    printer.space(out);
                }
                printer.values(part, place, out);
            }
        });
    }

    fn value(&mut self, value: &Value, out: &mut String) {
        match value {
            Value::Exists => out.push('*'),
            Value::Bool(truth) => out.push_str(&truth.to_string()),
            Value::Text(spelling) => self.spelling(spelling, out),
            Value::Pattern(parts) => self.pattern(parts, out),
        }
    }

    fn name(&mut self, name: &Name, out: &mut String) {
        match name {
            Name::One(name) => {
                let quoted = self.chance(20);
                let text = name.clone();
                self.spelling(&Spelling { text, quoted }, out);
            }
            Name::Like(parts) => self.pattern(parts, out),
        }
    }

    fn pattern(&mut self, parts: &[String], out: &mut String) {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                out.push('*');
            }
            // The grammar trims a text, but not what stands beside a `*` inside it.
            self.unquoted(part, index > 0, index + 1 < parts.len(), out);
        }
    }

    fn spelling(&mut self, spelling: &Spelling, out: &mut String) {
        if spelling.quoted || !may_stand_unquoted(&spelling.text) {
            self.quoted(&spelling.text, out);
        } else {
            self.unquoted(&spelling.text, false, false, out);
        }
    }

    fn quoted(&mut self, text: &str, out: &mut String) {
        out.push('"');
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' => out.push_str("\\\""),
                // Before a character that makes no escape, a backslash stands for itself.
                '\\' if characters
                    .peek()
                    .is_some_and(|next| "xywd ".contains(*next))
                    && self.chance(50) =>
                {
                    out.push('\\');
                }
                '\\' => out.push_str("\\\\"),
                _ => self.character(character, out),
            }
        }
        out.push('"');
    }

    /// A character that means itself, or its escape.
    fn character(&mut self, character: char, out: &mut String) {
        let short = match character {
            '\t' => Some("\\t"),
            '\r' => Some("\\r"),
            '\n' => Some("\\n"),
            _ => None,
        };
        if let Some(short) = short.filter(|_| self.chance(50)) {
            out.push_str(short);
        } else if self.chance(5) {
            self.unit(character, out);
        } else {
            out.push(character);
        }
    }

    fn unit(&mut self, character: char, out: &mut String) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let hex = format!("{unit:04x}");
            out.push_str("\\u");
            self.keyword(&hex, out);
        }
    }

    /// `before` and `after`: a `*` stands there.
    fn unquoted(&mut self, text: &str, before: bool, after: bool, out: &mut String) {
        let characters: Vec<char> = text.chars().collect();
        let space_at = |at: usize| characters.get(at).is_some_and(|next| is_space(*next));
        let mut at = 0;
        while at < characters.len() {
            let ends = |length: usize| match at + length == characters.len() {
                true => !after,
                false => space_at(at + length),
            };
            let starts = match at {
                0 => !before,
                _ => space_at(at - 1),
            };
            let rest: String = characters[at..].iter().take(3).collect();
            let rest = rest.to_ascii_lowercase();
            if rest == "not" && ends(3) {
                // `\not` is a line feed and `ot` by the order of the grammar's alternatives.
                self.unit(characters[at], out);
            } else if (rest.starts_with("or") && ((starts && ends(2)) || self.chance(20)))
                || (rest == "and" && ((starts && ends(3)) || self.chance(20)))
            {
                out.push('\\');
                let length = if rest == "and" { 3 } else { 2 };
                out.extend(&characters[at..at + length]);
                at += length;
                continue;
            } else if "\\():<>\"*{}".contains(characters[at]) {
                out.push('\\');
                out.push(characters[at]);
            } else {
                self.character(characters[at], out);
            }
            at += 1;
        }
    }
}

fn is_space(character: char) -> bool {
    SPACES.iter().any(|space| space.starts_with(character))
}

/// What is trimmed, empty, or one of the words with a meaning needs quotes.
fn may_stand_unquoted(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !matches!(text, "true" | "false" | "null")
}
