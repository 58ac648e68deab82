//! Writes an expression as the query `Things | where …`, in any legal spelling.

use poseur_rule::model::Case;

use super::expression::{Expression, Form, Infix, Literal, Step, TextOperator, Unit};
use crate::strategies::dice::Dice;

/// How tightly an expression must bind to stand where it does, loosest first.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Place {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Unary,
    Primary,
}

/// The query, with operators behind it that change nothing. Calm dice (seed 0) give the plain form.
pub fn print(condition: &Expression, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut query = filter(condition, seed, Spellings::All);
    if seed != 0 && dice.chance(30) {
        query.push_str(dice.pick(&[
            "| project s, t",
            "| take 10",
            "| limit 5",
            "| sort by s asc",
            "| order by At desc, n",
            "| project-away e",
            "| project-reorder n, s",
            "| distinct s, t",
            "| count",
        ]));
    }
    if seed != 0 && dice.chance(20) {
        query.push(';');
    }
    query
}

/// The query as far as its last `where`, to be followed by other operators.
pub fn filter(condition: &Expression, seed: u64, spellings: Spellings) -> String {
    let mut printer = Printer {
        spellings,
        dice: Dice::new(seed),
        calm: seed == 0,
        lets: String::new(),
        steps: String::new(),
        names: 0,
    };
    let split = match condition {
        Expression::And(parts) if parts.len() > 1 && printer.chance(30) => parts.clone(),
        other => vec![other.clone()],
    };
    let mut steps = String::new();
    for part in &split {
        let mut text = String::new();
        printer.expression(part, Place::Or, &mut text);
        steps.push_str(&std::mem::take(&mut printer.steps));
        steps.push_str(&format!("| where {text}\n"));
    }
    format!("{}Things\n{steps}", printer.lets)
}

/// Which spellings of string literals are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spellings {
    /// All.
    All,
    /// Neither `h"…"` nor `\u0041`, which `duckdb-kql` does not read.
    Common,
}

struct Printer {
    spellings: Spellings,
    dice: Dice,
    calm: bool,
    /// `let` statements that the query needs.
    lets: String,
    /// `extend` operators that the next `where` needs.
    steps: String,
    names: usize,
}

impl Printer {
    fn chance(&mut self, percent: u8) -> bool {
        !self.calm && self.dice.chance(percent)
    }

    fn gap(&mut self, out: &mut String) {
        while self.chance(15) {
            out.push_str(
                self.dice
                    .pick(&[" ", "  ", "\n", "\t", "\r\n", " // or \"so\"\n"]),
            );
        }
    }

    fn space(&mut self, out: &mut String) {
        out.push(' ');
        self.gap(out);
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn grouped(
        &mut self,
        must: bool,
        out: &mut String,
        write: &mut dyn FnMut(&mut Self, &mut String),
    ) {
        if !must && !self.chance(8) {
            return write(self, out);
        }
        out.push('(');
        self.gap(out);
        write(self, out);
        self.gap(out);
        out.push(')');
    }

    fn list(&mut self, items: &[Expression], out: &mut String) {
        out.push('(');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.gap(out);
                out.push(',');
            }
            self.gap(out);
            self.expression(item, Place::Or, out);
        }
        self.gap(out);
        out.push(')');
    }

    fn expression(&mut self, expression: &Expression, place: Place, out: &mut String) {
        let simple = matches!(expression, Expression::Literal(_) | Expression::Column(_));
        if !simple && self.chance(6) {
            // What is computed before has a name of its own.
            let mut text = String::new();
            self.plain(expression, Place::Or, &mut text);
            let name = self.name("x");
            self.steps.push_str(&format!("| extend {name} = {text}\n"));
            out.push_str(&name);
        } else if matches!(expression, Expression::Literal(_)) && self.chance(8) {
            let mut text = String::new();
            self.plain(expression, Place::Or, &mut text);
            let name = self.name("v");
            self.lets.push_str(&format!("let {name} = {text};\n"));
            out.push_str(&name);
        } else {
            self.plain(expression, place, out);
        }
    }

    fn plain(&mut self, expression: &Expression, place: Place, out: &mut String) {
        match expression {
            Expression::Column(name) => match self.chance(10) {
                true => out.push_str(&format!("['{name}']")),
                false => out.push_str(name),
            },
            Expression::Literal(literal) => self.literal(literal, place, out),
            Expression::And(parts) => {
                self.joined(parts, "and", place > Place::And, Place::Comparison, out);
            }
            Expression::Or(parts) => self.joined(parts, "or", place > Place::Or, Place::And, out),
            Expression::Infix(infix, one, other) => {
                let (sign, level) = sign(*infix);
                // Both sides of a comparison are sums; the right side of `-` binds tighter.
                let (left, right) = match level {
                    Place::Comparison => (Place::Sum, Place::Sum),
                    Place::Sum => (Place::Sum, Place::Product),
                    _ => (Place::Product, Place::Unary),
                };
                self.grouped(place > level, out, &mut |printer, out| {
                    printer.expression(one, left, out);
                    printer.space(out);
                    out.push_str(sign);
                    printer.space(out);
                    printer.expression(other, right, out);
                });
            }
            Expression::Text(operator, form, one, other) => {
                let word = match operator {
                    TextOperator::Contains => "contains",
                    TextOperator::StartsWith => "startswith",
                    TextOperator::EndsWith => "endswith",
                    TextOperator::Has => "has",
                    TextOperator::HasPrefix => "hasprefix",
                    TextOperator::HasSuffix => "hassuffix",
                };
                let operator = spelled(word, *form, "_cs", "");
                self.test(one, &operator, place, out, &mut |printer, out| {
                    printer.expression(other, Place::Sum, out);
                });
            }
            Expression::In(form, one, among) => {
                let operator = spelled("in", *form, "", "~");
                self.test(one, &operator, place, out, &mut |printer, out| {
                    printer.list(among, out)
                });
            }
            Expression::HasAny(one, among) => {
                self.test(one, "has_any", place, out, &mut |printer, out| {
                    printer.list(among, out)
                });
            }
            Expression::HasAll(one, among) => {
                self.test(one, "has_all", place, out, &mut |printer, out| {
                    printer.list(among, out)
                });
            }
            Expression::Matches(one, regex) => {
                self.test(one, "matches regex", place, out, &mut |printer, out| {
                    printer.text(regex, out);
                });
            }
            Expression::Between(negated, one, from, to) => {
                let word = if *negated { "!between" } else { "between" };
                self.test(one, word, place, out, &mut |printer, out| {
                    out.push('(');
                    printer.expression(from, Place::Sum, out);
                    printer.space(out);
                    out.push_str("..");
                    printer.space(out);
                    printer.expression(to, Place::Sum, out);
                    out.push(')');
                });
            }
            Expression::Call(function, arguments) => {
                use poseur_rule::expression::Function as F;
                match function {
                    F::Negate => self.grouped(place > Place::Unary, out, &mut |printer, out| {
                        out.push('-');
                        printer.expression(&arguments[0], Place::Primary, out);
                    }),
                    _ => {
                        out.push_str(match function {
                            F::Has(_) | F::Contains(_) | F::In(_) => unreachable!("an operator"),
                            F::ToLong if self.chance(30) => "toint",
                            F::ToReal if self.chance(30) => "todouble",
                            F::ParseJson if self.chance(30) => "todynamic",
                            F::Iff if self.chance(30) => "iif",
                            other => other.name(),
                        });
                        self.list(arguments, out);
                    }
                }
            }
            Expression::Path(from, steps) => {
                let simple = matches!(**from, Expression::Column(_) | Expression::Call(..));
                self.grouped(!simple, out, &mut |printer, out| {
                    printer.plain(from, Place::Primary, out);
                });
                for step in steps {
                    match step {
                        Step::Key(key) if is_name(key) && !self.chance(40) => {
                            out.push_str(&format!(".{key}"));
                        }
                        Step::Key(key) => {
                            out.push('[');
                            self.one_text(key, out);
                            out.push(']');
                        }
                        Step::Index(index) => out.push_str(&format!("[{index}]")),
                    }
                }
            }
        }
    }

    fn joined(
        &mut self,
        parts: &[Expression],
        word: &str,
        must: bool,
        place: Place,
        out: &mut String,
    ) {
        self.grouped(must, out, &mut |printer, out| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    printer.space(out);
                    out.push_str(word);
                    printer.space(out);
                }
                printer.expression(part, place, out);
            }
        });
    }

    fn test(
        &mut self,
        one: &Expression,
        operator: &str,
        place: Place,
        out: &mut String,
        write: &mut dyn FnMut(&mut Self, &mut String),
    ) {
        self.grouped(place > Place::Comparison, out, &mut |printer, out| {
            printer.expression(one, Place::Sum, out);
            printer.space(out);
            out.push_str(operator);
            printer.space(out);
            write(printer, out);
        });
    }

    fn literal(&mut self, literal: &Literal, place: Place, out: &mut String) {
        match literal {
            Literal::Null(kind) => out.push_str(&format!("{}(null)", kind.as_str())),
            Literal::Bool(truth) => match self.chance(15) {
                true => out.push_str(&format!("bool({truth})")),
                false => out.push_str(&truth.to_string()),
            },
            Literal::Long(number) if *number < 0 => match self.chance(30) {
                true => out.push_str(&format!("long({number})")),
                false => self.grouped(place > Place::Unary, out, &mut |_, out| {
                    out.push_str(&number.to_string());
                }),
            },
            Literal::Long(number) => match self.dice.below(if self.calm { 1 } else { 8 }) {
                1 => out.push_str(&format!("long({number})")),
                2 => out.push_str(&format!("0x{number:x}")),
                3 => out.push_str(&format!("int({number})")),
                _ => out.push_str(&number.to_string()),
            },
            Literal::Real(number) => match self.chance(20) {
                true => out.push_str(&format!("real({number})")),
                false => out.push_str(number),
            },
            Literal::Text(text) => self.text(text, out),
            Literal::DateTime(text) => {
                let mut text = (*text).to_owned();
                if self.chance(30) {
                    text = text.replace('T', " ");
                }
                if self.chance(30) && text.ends_with('Z') {
                    text.pop();
                }
                out.push_str(&format!("datetime({text})"));
            }
            Literal::TimeSpan(count, unit) => self.length(*count, *unit, out),
            Literal::Dynamic(json) => out.push_str(&format!("dynamic({json})")),
            Literal::Now => out.push_str("now()"),
            Literal::Ago(count, unit) => {
                out.push_str("ago(");
                self.length(*count, *unit, out);
                out.push(')');
            }
        }
    }

    fn length(&mut self, count: i64, unit: Unit, out: &mut String) {
        let words: &[&str] = match unit {
            Unit::Day => &["d", "day", "days"],
            Unit::Hour => &["h", "hour", "hours"],
            Unit::Minute => &["m", "min", "minute", "minutes"],
            Unit::Second => &["s", "sec", "second", "seconds"],
            Unit::Millisecond => &["ms", "millisecond", "milliseconds"],
        };
        let word = if self.chance(20) {
            self.dice.pick(words)
        } else {
            words[0]
        };
        match self.chance(20) {
            true => out.push_str(&format!("time({count}{word})")),
            false => out.push_str(&format!("{count}{word}")),
        }
    }

    /// A string literal, sometimes in several pieces.
    fn text(&mut self, text: &str, out: &mut String) {
        let characters: Vec<char> = text.chars().collect();
        if characters.len() > 1 && self.chance(6) {
            let at = 1 + self.dice.below(characters.len() - 1);
            self.one_text(&characters[..at].iter().collect::<String>(), out);
            self.space(out);
            self.one_text(&characters[at..].iter().collect::<String>(), out);
        } else {
            self.one_text(text, out);
        }
    }

    fn one_text(&mut self, text: &str, out: &mut String) {
        let quote = if self.chance(40) { '\'' } else { '"' };
        let plain = !text.contains(['\n', '\r']);
        let all = self.spellings == Spellings::All;
        if all && self.chance(8) {
            out.push('h');
        }
        if plain && self.chance(20) {
            let double = format!("{quote}{quote}");
            out.push_str(&format!("@{quote}{}{quote}", text.replace(quote, &double)));
            return;
        }
        out.push(quote);
        for character in text.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '"' | '\'' if character == quote || self.chance(20) => {
                    out.push('\\');
                    out.push(character);
                }
                _ if all && self.chance(4) && (character as u32) < 0x10000 => {
                    out.push_str(&format!("\\u{:04x}", character as u32));
                }
                _ => out.push(character),
            }
        }
        out.push(quote);
    }
}

fn is_name(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn spelled(word: &str, form: Form, exact: &str, folded: &str) -> String {
    let not = if form.negated { "!" } else { "" };
    let case = match form.case {
        Case::Exact => exact,
        Case::Ascii => folded,
    };
    format!("{not}{word}{case}")
}

fn sign(infix: Infix) -> (&'static str, Place) {
    match infix {
        Infix::Equal => ("==", Place::Comparison),
        Infix::NotEqual => ("!=", Place::Comparison),
        Infix::EqualFolded => ("=~", Place::Comparison),
        Infix::NotEqualFolded => ("!~", Place::Comparison),
        Infix::Less => ("<", Place::Comparison),
        Infix::LessOrEqual => ("<=", Place::Comparison),
        Infix::Greater => (">", Place::Comparison),
        Infix::GreaterOrEqual => (">=", Place::Comparison),
        Infix::Add => ("+", Place::Sum),
        Infix::Subtract => ("-", Place::Sum),
        Infix::Multiply => ("*", Place::Product),
        Infix::Divide => ("/", Place::Product),
        Infix::Modulo => ("%", Place::Product),
    }
}
