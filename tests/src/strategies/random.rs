//! Rules and records over small alphabets, so that they hit each other by chance.

use std::net::IpAddr;

use poseur_rule::expression::{Column, ColumnType, Expression, Function, Literal};
use poseur_rule::model::{
    Case, Comparison, Condition, Field, Moment, Network, Number, Part, Pattern, Predicate,
    Relation, Rule, Test, Words,
};
use proptest::prelude::*;

use super::dice::Dice;
use super::document::{Node, Style, render};
use super::layout::{self, Layout};
use super::wrap;
use super::{Line, styles};
use crate::reference::rules::rule;

/// Names that the records below hold values under, in one shape or another.
const FIELDS: [&str; 30] = [
    "a",
    "b",
    "b.c",
    "a.d",
    "a.b.c",
    "d",
    "c",
    "",
    "a.",
    "properties.a",
    "o365.audit.Members",
    "o365.audit.Members.a",
    "o365.audit.RecordType",
    "o365.audit.a.d",
    "event.action",
    "event.outcome",
    "user.email",
    "user.name",
    "user.domain",
    "organization.id",
    "source.ip",
    "data_stream.dataset",
    "event.dataset",
    "event.module",
    "RecipientDetails",
    "IsExternalThread",
    "Subject",
    "MessageSubject",
    "Members",
    "@timestamp",
];

/// Keys of the records, some of them dotted.
const PATHS: [&str; 24] = [
    "a",
    "b",
    "b.c",
    "a.d",
    "a.b.c",
    "d",
    "c",
    "b",
    "a",
    "Members",
    "Members.a",
    "UserId",
    "ResultStatus",
    "RecordType",
    "Operation",
    "OrganizationId",
    "ClientIP",
    "CreationTime",
    "RecipientDetails",
    "IsExternalThread",
    "Subject",
    "MessageSubject",
    "o365.audit.Members",
    "user.email",
];

/// Texts that rules ask for and records hold.
const TEXTS: [&str; 46] = [
    // Long enough to be witnesses and keywords of confirmations, in several cases.
    "help desk",
    "HELP desk team",
    "the Help Desk",
    "alpha-beta",
    "x",
    "X",
    "xy",
    "xyx",
    "y",
    "",
    "1",
    "1.0",
    "-1",
    "10",
    "1e1",
    "0",
    "true",
    "false",
    "True",
    "FALSE",
    "\u{e9}",
    "\u{c9}",
    "\u{65e5}x",
    "\u{FFFD}",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "2001:db8::1",
    "[2001:db8::1]:80",
    "10.0.0.1:80",
    "[::FFFF:a00:1]:5",
    "x@y",
    "x@y@z",
    "@",
    "2026-02-28T12:00:00Z",
    "2026-03-01 11:59:59.5",
    "2026-03-01T12:00:00+01:00",
    "25",
    "Failed",
    "Success",
    "TeamCreated",
    "MemberAdded",
    "added-users-to-group",
    "[\"x\"]",
    " {\"a\" : 1} ",
    "x\ny",
    "AdvancedHunting-MessageEvents",
];

fn texts() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TEXTS.to_vec())
}

/// Any value over the small alphabet.
fn value() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        6 => texts().prop_map(Node::text),
        2 => any::<bool>().prop_map(Node::Bool),
        3 => prop::sample::select(vec!["1", "1.0", "0", "-0.0", "10", "1e1", "25", "-1", "1e400"])
            .prop_map(Node::number),
        1 => Just(Node::Null),
        1 => prop::sample::select(vec![&b"x\xff"[..], b"\xe6\x97y", b"\x80", b"\xc3x"])
            .prop_map(Node::text),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let key = prop::sample::select(vec!["a", "b", "c", "d", "b.c", "x", "", "a.", "."]);
        let member = (key.prop_map(|key| key.as_bytes().to_vec()), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Node::List),
            proptest::collection::vec(member, 0..3).prop_map(Node::Map),
            inner.prop_map(|node| Node::Embedded(Box::new(node))),
        ]
    })
}

/// Records over the small alphabet, of any flat shape.
pub fn record() -> impl Strategy<Value = Node> {
    let path = prop::sample::select(PATHS.to_vec());
    let entries = proptest::collection::vec((path, value()), 0..7);
    (entries, 0..6usize, 0..100u8, 0..40u8, any::<u64>()).prop_map(
        |(entries, shape, dotted, torn, seed)| {
            let mut dice = Dice::new(seed);
            let mut entries: Vec<(String, Node)> = entries
                .into_iter()
                .map(|(path, node)| (path.to_owned(), node))
                .collect();
            match shape {
                0 => {
                    for name in ["Operation", "Workload"] {
                        entries.push((name.to_owned(), Node::text(dice.pick(&TEXTS))));
                    }
                }
                1 => {
                    for (path, _) in &mut entries {
                        path.insert_str(0, "properties.");
                    }
                    let category = Node::text("AdvancedHunting-MessageEvents");
                    entries.push(("category".to_owned(), category));
                    entries.push(("a".to_owned(), Node::text("x")));
                }
                2 => entries.push(("TeamsMessageId".to_owned(), Node::Null)),
                _ => {}
            }
            let layout = Layout {
                dotted,
                torn,
                listed: torn / 2,
            };
            layout::object(&entries, layout, &mut dice)
        },
    )
}

/// Lines of such records, seldom wrapped, seldom damaged.
pub fn lines() -> impl Strategy<Value = Line> {
    let layers = prop_oneof![4 => Just(Vec::new()), 1 => wrap::layers()];
    let damage = prop_oneof![9 => Just(wrap::Damage::None), 1 => wrap::damage()];
    (record(), layers, styles(), damage).prop_map(|(record, layers, style, damage)| {
        let style = Style {
            escapes: style.escapes.min(20),
            ..style
        };
        let node = wrap::wrap(record, &layers, &[], &mut Dice::new(style.seed));
        Line(super::without_feeds(wrap::hurt(
            render(&node, style),
            &damage,
        )))
    })
}

fn cases() -> impl Strategy<Value = Case> {
    prop_oneof![Just(Case::Exact), Just(Case::Ascii)]
}

/// A pattern over the small alphabet.
pub fn pattern() -> impl Strategy<Value = Pattern> {
    let part = prop_oneof![
        3 => prop::sample::select(vec!["x", "X", "y", "\u{e9}", "1", "@", "\u{65e5}"])
            .prop_map(|text| Part::Literal(text.to_owned())),
        2 => Just(Part::Run),
        2 => Just(Part::One),
    ];
    prop_oneof![
        4 => texts().prop_map(Pattern::equals),
        2 => texts().prop_map(Pattern::contains),
        1 => texts().prop_map(Pattern::starts_with),
        1 => texts().prop_map(Pattern::ends_with),
        3 => proptest::collection::vec(part, 0..6).prop_map(Pattern::new),
    ]
}

fn networks() -> impl Strategy<Value = Network> {
    let all = [
        "10.0.0.0/8",
        "10.0.0.1/32",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/32",
        "10.0.0.0/31",
    ];
    prop::sample::select(all.to_vec()).prop_map(|text| {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "0"));
        Network {
            address: address.parse().unwrap_or(IpAddr::from([0, 0, 0, 0])),
            prefix: prefix.parse().unwrap_or(0),
        }
    })
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ])
}

fn words() -> impl Strategy<Value = Words> {
    prop_oneof![
        texts().prop_map(|text| Words::Any(text.to_owned())),
        texts().prop_map(|text| Words::Phrase(text.to_owned())),
        pattern().prop_map(Words::Fits),
    ]
}

/// Any column, whatever the records hold under its name.
fn column() -> BoxedStrategy<Column> {
    let kind = prop::sample::select(vec![
        ColumnType::Text,
        ColumnType::Bool,
        ColumnType::Long,
        ColumnType::Real,
        ColumnType::DateTime,
        ColumnType::Dynamic,
    ]);
    let name = prop::sample::select(vec!["a", "b", "d", "Subject", "RecipientDetails", "UserId"]);
    (name, kind)
        .prop_map(|(name, kind)| Column {
            name: name.to_owned(),
            // A front end gives a column that the schemas list the type that they list.
            kind: match name {
                "RecipientDetails" => ColumnType::Dynamic,
                _ => kind,
            },
        })
        .boxed()
}

/// An expression that is a truth value.
fn expression() -> impl Strategy<Value = Expression> {
    let literal = |text: &str| Expression::Literal(Literal::Text(text.to_owned()));
    let text = column()
        .prop_map(|column| Expression::Call(Function::ToText, vec![Expression::Column(column)]));
    let lower = text
        .clone()
        .prop_map(|text| Expression::Call(Function::ToLower, vec![text]));
    let of = prop_oneof![
        3 => column().prop_map(Expression::Column),
        1 => text,
        1 => lower,
        1 => column().prop_map(|column| {
            let parsed = Expression::Column(Column { kind: ColumnType::Dynamic, ..column });
            let key = Expression::Literal(Literal::Text("a".to_owned()));
            Expression::Call(Function::Member, vec![parsed, key])
        }),
    ]
    .boxed();
    let tests = prop::sample::select(vec![
        Function::Equal,
        Function::In(Case::Exact),
        Function::In(Case::Ascii),
        Function::Contains(Case::Ascii),
        Function::Has(Case::Ascii),
        Function::StartsWith(Case::Exact),
    ]);
    let one = (of.clone(), tests, texts())
        .prop_map(move |(of, test, text)| Expression::Call(test, vec![of, literal(text)]));
    let two = (of.clone(), of.clone(), any::<bool>()).prop_map(|(one, other, equal)| {
        let test = match equal {
            true => Function::Contains(Case::Ascii),
            false => Function::Equal,
        };
        Expression::Call(test, vec![one, other])
    });
    let empty = of.prop_map(|of| Expression::Call(Function::IsEmpty, vec![of]));
    prop_oneof![4 => one, 2 => two, 1 => empty].prop_recursive(2, 4, 2, |inner| {
        let both = (inner.clone(), inner.clone(), any::<bool>());
        prop_oneof![
            inner.prop_map(|inner| Expression::Call(Function::Not, vec![inner])),
            both.prop_map(|(one, other, and)| {
                let function = if and { Function::And } else { Function::Or };
                Expression::Call(function, vec![one, other])
            }),
        ]
    })
}

/// Patterns of field names.
fn like() -> impl Strategy<Value = Pattern> {
    prop::sample::select(vec![
        "a*",
        "*c",
        "b.*",
        "*.a",
        "user.*",
        "o365.audit.*",
        "*a*",
        "*",
        "Rec*",
        "*Subject",
    ])
    .prop_map(|text| {
        let parts = text.split_inclusive('*').flat_map(|piece| {
            let literal = piece.trim_end_matches('*').to_owned();
            let run = piece.ends_with('*').then_some(Part::Run);
            std::iter::once(Part::Literal(literal)).chain(run)
        });
        Pattern::new(parts)
    })
}

/// A condition about objects at a path.
fn nested() -> impl Strategy<Value = Condition> {
    let path = prop::sample::select(vec!["a", "b", "d", "o365.audit.Members", "a.b"]);
    path.prop_flat_map(|path| {
        let name = prop::sample::select(vec!["a", "b", "c", "b.c", "d", "x"]);
        let leaf = (name, test()).prop_map(move |(name, test)| {
            let field = Field::Name(format!("{path}.{name}"));
            Condition::Test(Predicate { field, test })
        });
        let inner = leaf.prop_recursive(2, 4, 2, |inner| {
            let some = || proptest::collection::vec(inner.clone(), 1..3);
            prop_oneof![
                some().prop_map(Condition::All),
                some().prop_map(Condition::Any),
                inner
                    .clone()
                    .prop_map(|inner| Condition::Not(Box::new(inner))),
            ]
        });
        inner.prop_map(move |inner| Condition::Nested {
            path: path.to_owned(),
            condition: Box::new(inner),
        })
    })
}

/// Any test of the model.
pub fn test() -> impl Strategy<Value = Test> {
    let comparison = prop::sample::select(vec![
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ]);
    let limit = prop::sample::select(vec!["-1", "0", "1.0", "9.5", "10", "1e300"])
        .prop_map(|limit| Number::new(limit).unwrap());
    let relation = prop::sample::select(vec![
        Relation::Equals,
        Relation::Contains,
        Relation::StartsWith,
        Relation::EndsWith,
    ]);
    let regex = prop::sample::select(vec!["^x", "x.y", "(?s)x.y", "(?i)^X+$", "\\d", "", "^.$"]);
    let field = prop::sample::select(FIELDS.to_vec());
    prop_oneof![
        8 => (pattern(), cases()).prop_map(|(pattern, case)| Test::Text(pattern, case)),
        2 => any::<bool>().prop_map(Test::Bool),
        1 => Just(Test::Null),
        1 => Just(Test::Exists),
        2 => (comparison, limit).prop_map(|(comparison, limit)| Test::Compare(comparison, limit)),
        1 => regex.prop_map(|regex| Test::Regex(regex.to_owned())),
        1 => networks().prop_map(Test::Cidr),
        1 => (field, relation, cases()).prop_map(|(field, relation, case)| Test::SameAs {
            field: field.to_owned(),
            relation,
            case,
        }),
        2 => (comparisons(), texts()).prop_map(|(comparison, limit)| {
            Test::Ordered(comparison, limit.to_owned())
        }),
        2 => (texts(), cases(), any::<bool>(), any::<bool>()).prop_map(
            |(text, case, start, end)| Test::Term {
                text: text.to_owned(),
                case,
                start,
                end,
            },
        ),
        2 => words().prop_map(Test::Words),
        1 => prop::sample::select(vec![0, 1, 3600, 86_400, 90_000])
            .prop_map(|age| Test::Time(Comparison::Greater, Moment::seconds_ago(age))),
    ]
}

/// Any condition over the small alphabet.
pub fn condition() -> impl Strategy<Value = Condition> {
    let field = prop_oneof![
        9 => prop::sample::select(FIELDS.to_vec()).prop_map(|name| Field::Name(name.to_owned())),
        1 => Just(Field::Any),
        1 => like().prop_map(Field::Like),
        1 => column().prop_map(Field::Column),
    ];
    let plain = (field, test()).prop_map(|(field, test)| {
        let test = match (&field, test) {
            // Only Kibana's ranges order texts, and they know no columns.
            (Field::Column(_), Test::Ordered(..)) => Test::Exists,
            (_, test) => test,
        };
        Condition::Test(Predicate { field, test })
    });
    let computed = (expression(), any::<bool>()).prop_map(|(expression, truth)| {
        Condition::Test(Predicate {
            field: Field::Value(Box::new(expression)),
            test: Test::Bool(truth),
        })
    });
    let leaf = prop_oneof![8 => plain, 1 => computed, 1 => nested()];
    leaf.prop_recursive(4, 12, 3, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            some().prop_map(Condition::All),
            some().prop_map(Condition::Any),
            inner
                .clone()
                .prop_map(|inner| Condition::Not(Box::new(inner))),
            inner
                .clone()
                .prop_map(|inner| Condition::Named("selection".to_owned(), Box::new(inner))),
        ]
    })
}

/// A few rules with random conditions, each with an id of its own.
pub fn rules() -> impl Strategy<Value = Vec<Rule>> {
    proptest::collection::vec(condition(), 1..5).prop_map(|conditions| {
        conditions
            .into_iter()
            .enumerate()
            .map(|(index, condition)| rule(&format!("random-{index}"), condition))
            .collect()
    })
}
