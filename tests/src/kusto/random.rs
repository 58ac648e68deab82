//! Random conditions and rows over small alphabets, so that they hit each other by chance.
//!
//! Expressions are typed: what is generated is what Kusto's checker takes, within what its
//! documentation decides.

use poseur_rule::expression::{ColumnType, Function as F};
use poseur_rule::model::Case;
use proptest::prelude::*;

use super::expression::{COLUMNS, Expression as E, Form, Infix, Literal, Step, TextOperator, Unit};
use crate::strategies::dice::Dice;
use crate::strategies::document::Node;

/// A page of types for the front end.
pub fn page() -> String {
    let lines = COLUMNS
        .iter()
        .map(|(name, kind)| format!("    {name}: {}\n", kind.as_str()));
    format!("tables:\n  Things:\n{}", lines.collect::<String>())
}

const TEXTS: [&str; 26] = [
    "x",
    "X",
    "xy",
    "x y",
    "x-y",
    "xY z",
    "y",
    "",
    "1",
    "10",
    "true",
    "it",
    "help it",
    "unit",
    "\u{e9}x",
    "\u{e9}",
    "x\u{e9}",
    "a\"b",
    "it's",
    "a\\b",
    "x\ty",
    "\u{1F512}",
    "10.0.0.1",
    "192.168.1.1",
    "172.32.0.1",
    "x.y_z",
];
const LONGS: [i64; 9] = [0, 1, 2, 3, 10, -1, -7, 100, i64::MAX];
const REALS: [&str; 5] = ["0.5", "2.5", "0.25", "10.5", "1.5"];
const MOMENTS: [&str; 6] = [
    "2026-03-01T12:00:00Z",
    "2026-03-01T11:59:59.5Z",
    "2026-02-28T12:00:00Z",
    "2026-02-27",
    "2026-02-28T23:59:59.9999999Z",
    "2026-03-01T12:30:00Z",
];
const JSONS: [&str; 10] = [
    "{\"a\":\"x\",\"b\":[1,2,\"x\"]}",
    "{\"a\":{\"b\":\"X y\"},\"c d\":true}",
    "[\"x\",\"xy\",3]",
    "[]",
    "{}",
    "{\"a\":2,\"b\":{\"a\":\"it\"}}",
    "[[\"y\"],{\"a\":\"x\"}]",
    "\"x y\"",
    "3",
    "{\"a\":null,\"b\":[]}",
];
const REGEXES: [&str; 7] = ["^x", "x.y", "[0-9]+", "(?i)^X", "y$", "", "\\bit\\b"];

/// A condition of about this size.
pub fn condition_of(size: usize, seed: u64) -> E {
    let dice = Dice::new(seed);
    Maker { dice }.condition(size)
}

/// A condition.
pub fn condition() -> impl Strategy<Value = E> {
    (1..6usize, any::<u64>()).prop_map(|(size, seed)| condition_of(size, seed))
}

struct Maker {
    dice: Dice,
}

fn boxed(expression: E) -> Box<E> {
    Box::new(expression)
}

impl Maker {
    fn text_of(&mut self) -> String {
        self.dice.pick(&TEXTS).to_owned()
    }

    fn form(&mut self) -> Form {
        Form {
            negated: self.dice.chance(30),
            case: if self.dice.chance(50) {
                Case::Exact
            } else {
                Case::Ascii
            },
        }
    }

    fn condition(&mut self, size: usize) -> E {
        if size == 0 {
            return self.test(0);
        }
        match self.dice.below(10) {
            0 | 1 => E::And(self.some(size)),
            2 | 3 => E::Or(self.some(size)),
            4 => E::Call(F::Not, vec![self.condition(size - 1)]),
            _ => self.test(size),
        }
    }

    fn some(&mut self, size: usize) -> Vec<E> {
        let count = 2 + self.dice.below(2);
        (0..count).map(|_| self.condition(size / 2)).collect()
    }

    /// A condition that is no `and`, `or` or `not`.
    fn test(&mut self, size: usize) -> E {
        let below = size.saturating_sub(1);
        match self.dice.below(22) {
            0..=5 => {
                let operator = [
                    TextOperator::Contains,
                    TextOperator::StartsWith,
                    TextOperator::EndsWith,
                    TextOperator::Has,
                    TextOperator::HasPrefix,
                    TextOperator::HasSuffix,
                ][self.dice.below(6)];
                let form = self.form();
                let of = self.textual(below);
                let with = match self.dice.chance(85) {
                    true => E::Literal(Literal::Text(self.text_of())),
                    false => self.text(below),
                };
                E::Text(operator, form, boxed(of), boxed(with))
            }
            6 | 7 => {
                let infix = [
                    Infix::Equal,
                    Infix::NotEqual,
                    Infix::EqualFolded,
                    Infix::NotEqualFolded,
                ][self.dice.below(4)];
                let one = self.textual(below);
                let other = match self.dice.chance(70) {
                    true => E::Literal(Literal::Text(self.text_of())),
                    false => self.text(below),
                };
                E::Infix(infix, boxed(one), boxed(other))
            }
            8 | 9 => {
                let form = self.form();
                let of = self.textual(below);
                E::In(form, boxed(of), self.texts())
            }
            10 => {
                let of = boxed(self.textual(below));
                match self.dice.chance(50) {
                    true => E::HasAny(of, self.texts()),
                    false => E::HasAll(of, self.texts()),
                }
            }
            11 => E::Matches(boxed(self.text(below)), self.dice.pick(&REGEXES)),
            12..=14 => {
                let one = self.number(below);
                let other = self.number(below);
                E::Infix(self.comparison(), boxed(one), boxed(other))
            }
            15 => {
                let (one, other) = (self.moment(below), self.moment(below));
                E::Infix(self.comparison(), boxed(one), boxed(other))
            }
            16 => {
                let (one, other) = (self.length(below), self.length(below));
                E::Infix(self.comparison(), boxed(one), boxed(other))
            }
            17 => self.between(below),
            18 => {
                let truth = match self.dice.below(4) {
                    0 => E::Literal(Literal::Long(self.dice.below(2) as i64)),
                    _ => E::Literal(Literal::Bool(self.dice.chance(50))),
                };
                let infix = if self.dice.chance(70) {
                    Infix::Equal
                } else {
                    Infix::NotEqual
                };
                E::Infix(infix, boxed(self.truth(below)), boxed(truth))
            }
            19 => self.truth(below),
            20 => {
                let function = if self.dice.chance(50) {
                    F::IsNull
                } else {
                    F::IsEmpty
                };
                let of = self.anything(below);
                E::Call(function, vec![of])
            }
            _ => {
                // A part of a dynamic value compared with a literal of any type.
                let one = self.dynamic(below);
                let other = match self.dice.below(3) {
                    0 => E::Literal(Literal::Long(LONGS[self.dice.below(5)])),
                    1 => E::Literal(Literal::Bool(self.dice.chance(50))),
                    _ => E::Literal(Literal::Text(self.text_of())),
                };
                let infix = if self.dice.chance(70) {
                    Infix::Equal
                } else {
                    Infix::NotEqual
                };
                E::Infix(infix, boxed(one), boxed(other))
            }
        }
    }

    fn comparison(&mut self) -> Infix {
        [
            Infix::Equal,
            Infix::NotEqual,
            Infix::Less,
            Infix::LessOrEqual,
            Infix::Greater,
            Infix::GreaterOrEqual,
        ][self.dice.below(6)]
    }

    fn between(&mut self, size: usize) -> E {
        let negated = self.dice.chance(30);
        let (one, from, to) = match self.dice.below(3) {
            0 => (self.number(size), self.number(0), self.number(0)),
            1 => (self.length(size), self.length(0), self.length(0)),
            _ => {
                let to = if self.dice.chance(50) {
                    self.moment(0)
                } else {
                    self.length(0)
                };
                (self.moment(size), self.moment(0), to)
            }
        };
        E::Between(negated, boxed(one), boxed(from), boxed(to))
    }

    /// A list of texts, or a dynamic array of them.
    fn texts(&mut self) -> Vec<E> {
        if self.dice.chance(20) {
            return vec![E::Literal(Literal::Dynamic("[\"x\",\"it\",\"Y\"]"))];
        }
        let count = 1 + self.dice.below(3);
        (0..count)
            .map(|_| E::Literal(Literal::Text(self.text_of())))
            .collect()
    }

    /// What text operators take: a text, or a dynamic value.
    fn textual(&mut self, size: usize) -> E {
        match self.dice.chance(25) {
            true => self.dynamic(size),
            false => self.text(size),
        }
    }

    fn text(&mut self, size: usize) -> E {
        if size == 0 || self.dice.chance(50) {
            return E::Column(self.dice.pick(&["s", "t"]));
        }
        let below = size - 1;
        let literal = |text: &str| E::Literal(Literal::Text(text.to_owned()));
        let part = self.dice.pick(&["x", "y", "it", " ", "-", "zz"]);
        match self.dice.below(16) {
            0 => E::Call(F::ToLower, vec![self.text(below)]),
            1 => E::Call(F::ToUpper, vec![self.text(below)]),
            2 => E::Call(
                F::StrCat,
                vec![self.text(below), literal(part), self.text(0)],
            ),
            3 => {
                let start = [0, 1, 2, -1][self.dice.below(4)];
                let mut arguments = vec![self.text(below), E::Literal(Literal::Long(start))];
                if self.dice.chance(50) {
                    arguments.push(E::Literal(Literal::Long(self.dice.below(3) as i64)));
                }
                E::Call(F::Substring, arguments)
            }
            4 => E::Call(
                F::ReplaceString,
                vec![self.text(below), literal(part), literal("q")],
            ),
            5 => {
                let condition = self.condition(below);
                E::Call(F::Iff, vec![condition, self.text(below), literal("it")])
            }
            6 => {
                let conditions = (self.condition(below), self.test(0));
                let texts = (self.text(0), literal("X"), self.text(0));
                E::Call(
                    F::Case,
                    vec![conditions.0, texts.0, conditions.1, texts.1, texts.2],
                )
            }
            7 => E::Call(
                F::Coalesce,
                vec![self.text(below), self.text(0), literal("none")],
            ),
            8 => E::Call(F::Reverse, vec![self.text(below)]),
            9 => {
                let arguments = vec![
                    literal("x(.?)"),
                    E::Literal(Literal::Long(1)),
                    self.text(below),
                ];
                E::Call(F::Extract, arguments)
            }
            10 => E::Call(F::Trim, vec![literal("[^\\w]+"), self.text(below)]),
            11 => E::Call(
                F::ReplaceRegex,
                vec![self.text(below), literal("x(y?)"), literal("<\\1>")],
            ),
            12 => E::Call(F::ToText, vec![self.dynamic(below)]),
            13 => E::Call(F::ToText, vec![self.long(below)]),
            14 => E::Call(
                F::StrCatDelim,
                vec![literal("-"), self.text(below), self.text(0)],
            ),
            _ => {
                let index = E::Literal(Literal::Long(self.dice.below(2) as i64));
                let split = E::Call(F::Split, vec![self.text(below), literal(part), index]);
                E::Call(F::ToText, vec![E::Path(boxed(split), vec![Step::Index(0)])])
            }
        }
    }

    fn number(&mut self, size: usize) -> E {
        match self.dice.chance(70) {
            true => self.long(size),
            false => self.real(size),
        }
    }

    fn long(&mut self, size: usize) -> E {
        if size == 0 || self.dice.chance(40) {
            return match self.dice.chance(60) {
                true => E::Column("n"),
                false => E::Literal(Literal::Long(LONGS[self.dice.below(LONGS.len())])),
            };
        }
        let below = size - 1;
        match self.dice.below(12) {
            0..=3 => {
                let infix = [
                    Infix::Add,
                    Infix::Subtract,
                    Infix::Multiply,
                    Infix::Divide,
                    Infix::Modulo,
                ][self.dice.below(5)];
                E::Infix(infix, boxed(self.long(below)), boxed(self.long(below)))
            }
            4 => E::Call(F::StrLen, vec![self.text(below)]),
            5 => E::Call(F::ArrayLength, vec![self.dynamic(below)]),
            6 => E::Call(F::ToLong, vec![self.dynamic(below)]),
            7 => E::Call(F::Abs, vec![self.long(below)]),
            8 => {
                let size = E::Literal(Literal::Long(1 + self.dice.below(4) as i64));
                E::Call(F::Bin, vec![self.long(below), size])
            }
            9 => {
                let part = E::Literal(Literal::Text(self.dice.pick(&["x", "it", "y"]).to_owned()));
                let function = if self.dice.chance(50) {
                    F::IndexOf
                } else {
                    F::CountOf
                };
                E::Call(function, vec![self.text(below), part])
            }
            10 => E::Call(F::HourOfDay, vec![self.moment(below)]),
            _ => E::Call(F::Negate, vec![self.long(below)]),
        }
    }

    fn real(&mut self, size: usize) -> E {
        if size == 0 || self.dice.chance(40) {
            return match self.dice.chance(60) {
                true => E::Column("r"),
                false => E::Literal(Literal::Real(self.dice.pick(&REALS))),
            };
        }
        let below = size - 1;
        match self.dice.below(4) {
            0 => {
                let infix = [Infix::Add, Infix::Subtract, Infix::Multiply][self.dice.below(3)];
                E::Infix(infix, boxed(self.real(below)), boxed(self.number(below)))
            }
            1 => E::Call(F::ToReal, vec![self.long(below)]),
            2 => E::Infix(
                Infix::Divide,
                boxed(self.length(below)),
                boxed(self.length(0)),
            ),
            _ => E::Call(F::ToReal, vec![self.dynamic(below)]),
        }
    }

    fn moment(&mut self, size: usize) -> E {
        if size == 0 || self.dice.chance(60) {
            return match self.dice.below(8) {
                0..=3 => E::Column("At"),
                4 | 5 => E::Literal(Literal::DateTime(self.dice.pick(&MOMENTS))),
                6 => E::Literal(Literal::Now),
                _ => match self.span() {
                    Literal::TimeSpan(count, unit) => E::Literal(Literal::Ago(count, unit)),
                    other => E::Literal(other),
                },
            };
        }
        let below = size - 1;
        match self.dice.below(4) {
            0 => E::Infix(Infix::Add, boxed(self.moment(below)), boxed(self.length(0))),
            1 => E::Infix(
                Infix::Subtract,
                boxed(self.moment(below)),
                boxed(self.length(0)),
            ),
            2 => E::Call(F::StartOfDay, vec![self.moment(below)]),
            _ => {
                let span = E::Literal(self.span());
                E::Call(F::Bin, vec![self.moment(below), span])
            }
        }
    }

    fn span(&mut self) -> Literal {
        let (count, unit) = [
            (1, Unit::Day),
            (24, Unit::Hour),
            (30, Unit::Day),
            (30, Unit::Minute),
            (1, Unit::Hour),
            (500, Unit::Millisecond),
            (90, Unit::Second),
        ][self.dice.below(7)];
        Literal::TimeSpan(count, unit)
    }

    fn length(&mut self, size: usize) -> E {
        if size == 0 || self.dice.chance(60) {
            return match self.dice.chance(50) {
                true => E::Column("Took"),
                false => E::Literal(self.span()),
            };
        }
        let below = size - 1;
        match self.dice.below(4) {
            0 => E::Infix(
                Infix::Subtract,
                boxed(self.moment(below)),
                boxed(self.moment(0)),
            ),
            1 => E::Infix(
                Infix::Multiply,
                boxed(self.length(below)),
                boxed(self.long(0)),
            ),
            2 => E::Infix(Infix::Add, boxed(self.length(below)), boxed(self.length(0))),
            _ => E::Call(F::DayOfWeek, vec![self.moment(below)]),
        }
    }

    fn truth(&mut self, size: usize) -> E {
        if size == 0 || self.dice.chance(50) {
            return E::Column("b");
        }
        let below = size - 1;
        match self.dice.below(5) {
            0 => E::Call(F::ToBool, vec![self.dynamic(below)]),
            1 => E::Call(F::Ipv4IsPrivate, vec![self.text(below)]),
            2 => {
                let range =
                    Literal::Text(self.dice.pick(&["10.0.0.0/8", "192.168.0.0/16"]).to_owned());
                E::Call(F::Ipv4IsInRange, vec![self.text(below), E::Literal(range)])
            }
            3 => {
                // Only of what is an array: of others the documentation does not say.
                let text = self.text(below);
                let split = E::Call(
                    F::Split,
                    vec![text, E::Literal(Literal::Text(" ".to_owned()))],
                );
                let wanted = E::Literal(Literal::Text(self.text_of()));
                E::Call(F::SetHasElement, vec![split, wanted])
            }
            _ => self.condition(below),
        }
    }

    fn dynamic(&mut self, size: usize) -> E {
        let column = E::Column(self.dice.pick(&["d", "e"]));
        match self.dice.below(6) {
            0 => column,
            1 if size > 0 => {
                let parsed = E::Call(F::ParseJson, vec![self.text(size - 1)]);
                E::Path(boxed(parsed), self.steps())
            }
            2 if size > 0 => E::Call(F::BagKeys, vec![column]),
            _ => E::Path(boxed(column), self.steps()),
        }
    }

    fn steps(&mut self) -> Vec<Step> {
        let count = 1 + self.dice.below(2);
        let step = |maker: &mut Self| match maker.dice.below(6) {
            0..=2 => Step::Key(maker.dice.pick(&["a", "b", "a"])),
            3 => Step::Key("c d"),
            4 => Step::Index(maker.dice.below(3) as i64),
            _ => Step::Index(-1),
        };
        (0..count).map(|_| step(self)).collect()
    }

    fn anything(&mut self, size: usize) -> E {
        match self.dice.below(7) {
            0 | 1 => self.text(size),
            2 => self.number(size),
            3 => self.moment(size),
            4 => self.length(size),
            5 => self.truth(size),
            _ => self.dynamic(size),
        }
    }
}

/// A record of the table in which every value fits its column.
pub fn fitting_record(seed: u64) -> Vec<(&'static str, Node)> {
    let mut dice = Dice::new(seed);
    let mut members = Vec::new();
    for (name, kind) in COLUMNS {
        if !dice.chance(15) {
            members.push((name, fitting(kind, &mut dice)));
        }
    }
    members
}

/// A record of the table: a value that fits for most columns, anything for some, none for others.
pub fn record() -> impl Strategy<Value = Node> {
    (0..100u8, 0..40u8, any::<u64>()).prop_map(|(missing, odd, seed)| {
        let mut dice = Dice::new(seed);
        let mut members = Vec::new();
        for (name, kind) in COLUMNS {
            if dice.chance(missing / 3) {
                continue;
            }
            let node = match dice.chance(odd) {
                true => anything(&mut dice),
                false => fitting(kind, &mut dice),
            };
            members.push((name.as_bytes().to_vec(), node));
        }
        dice.shuffle(&mut members);
        Node::Map(members)
    })
}

fn fitting(kind: ColumnType, dice: &mut Dice) -> Node {
    match kind {
        ColumnType::Text => Node::text(dice.pick(&TEXTS)),
        ColumnType::Bool => Node::Bool(dice.chance(50)),
        ColumnType::Long => Node::number(LONGS[dice.below(LONGS.len())]),
        ColumnType::Real => Node::number(dice.pick(&REALS)),
        ColumnType::DateTime => {
            let moment = dice.pick(&MOMENTS);
            Node::text(if moment.len() == 10 {
                "2026-02-27T00:00:00Z"
            } else {
                moment
            })
        }
        ColumnType::TimeSpan => Node::text(dice.pick(&[
            "1.00:00:00",
            "00:30:00",
            "01:00:00",
            "00:00:00.5000000",
            "-00:01:30",
            "30.00:00:00",
        ])),
        ColumnType::Dynamic => match dice.chance(25) {
            true => Node::text(dice.pick(&JSONS)),
            false => Node::Verbatim(dice.pick(&JSONS).as_bytes().to_vec()),
        },
    }
}

fn anything(dice: &mut Dice) -> Node {
    match dice.below(9) {
        0 => Node::Null,
        1 => Node::Bool(dice.chance(50)),
        2 => Node::number(LONGS[dice.below(LONGS.len())]),
        3 => Node::number(dice.pick(&REALS)),
        4 => Node::text(dice.pick(&["1", "0", "TRUE", "false", "-7", "2.5", "nine"])),
        5 => Node::text(dice.pick(&TEXTS)),
        6 => Node::text(dice.pick(&[
            "00:30:00",
            "2026-02-28T12:00:00Z",
            "[\"x\"]",
            " {\"a\" : \"x\"}",
        ])),
        _ => Node::Verbatim(dice.pick(&JSONS).as_bytes().to_vec()),
    }
}
