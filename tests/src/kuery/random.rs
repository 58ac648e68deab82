//! Random queries and documents over small alphabets, so that they hit each other by chance.

use proptest::prelude::*;

use super::query::{Kind, Name, Query, Relation, Spelling, Types, Value, Values};
use crate::strategies::dice::Dice;
use crate::strategies::document::Node;
use crate::strategies::layout::{self, Layout};

/// The fields with a type.
pub const TYPES: &Types = &[
    ("ip.x", Kind::Ip),
    ("p.ip", Kind::Ip),
    ("words", Kind::Text),
    ("p.words", Kind::Text),
    ("at", Kind::Date),
    ("count", Kind::Number),
    ("flag", Kind::Boolean),
];

/// A page of types for the front end.
pub fn page() -> String {
    let lines = TYPES
        .iter()
        .map(|(name, kind)| format!("  {name}: {}\n", kind.word()));
    format!("fields:\n{}", lines.collect::<String>())
}

const KEYWORDS: [&str; 8] = [
    "a",
    "b",
    "c.d",
    "c.e",
    "c",
    "user.name",
    "user.name.x",
    "or and",
];
const INSIDE: [&str; 5] = ["a", "b", "c.d", "r", "r.a"];

const TEXTS: [&str; 32] = [
    "x",
    "X",
    "xy",
    "yx",
    "x y",
    "x  y",
    "",
    " x",
    "true",
    "false",
    "1",
    "1.0",
    "01",
    "10",
    "-1",
    "1e1",
    "x and y",
    "not x",
    "x or",
    "or",
    "a:b",
    "(x)",
    "x*y",
    "*",
    "x\\y",
    "\"x\"",
    "x\ty",
    "x\ny",
    "\u{e9}",
    "\u{1F512}x",
    "forum and",
    "9.5",
];
const PARTS: [&str; 14] = [
    "x", "y", "", "", "X", " ", "1", "\u{e9}", "x y", "?", ".", "or", " and ", "not",
];
const ADDRESSES: [&str; 6] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.1.0",
    "::ffff:10.0.0.1",
    "2001:db8::1",
    "::1",
];
const NETWORKS: [&str; 6] = [
    "10.0.0.0/8",
    "10.0.0.0/31",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8::1/128",
];
const MOMENTS: [&str; 8] = [
    "2026-03-01T12:00:00Z",
    "2026-03-01T11:59:59.500Z",
    "2026-03-01T12:00:00.000Z",
    "2026-02-28T23:59:59.999Z",
    "2026-03-01T00:00:00Z",
    "2026-02-28T12:00:00Z",
    "2026-03-01T11:45:00Z",
    "2026-03-01T13:00:00+01:00",
];
const DATES: [&str; 10] = [
    "2026-03-01T12:00:00Z",
    "2026-03-01T11:59:59.500Z",
    "2026-03-01T11:59:59",
    "2026-03-01",
    "2026-02-28",
    "now",
    "now-15m",
    "now-1d",
    "now-24h",
    "now+1w",
];
const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "1.0",
    "10",
    "-1",
    "9.5",
    "1e1",
    "100000000000000000000",
    "-0",
    "0.5",
];
const SENTENCES: [&str; 12] = [
    "x",
    "X y",
    "y x",
    "x.y z",
    "x-y",
    "it's x",
    "1,5 x",
    "x_y",
    "\u{e9}t\u{e9} x",
    "\u{65e5}\u{672c}x",
    "",
    "..",
];

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

fn spelling(texts: &'static [&'static str]) -> impl Strategy<Value = Spelling> {
    (one_of(texts), any::<bool>()).prop_map(|(text, quoted)| Spelling {
        text: text.to_owned(),
        // What must be quoted is.
        quoted: quoted || text.trim() != text || matches!(text, "" | "true" | "false"),
    })
}

fn pattern() -> impl Strategy<Value = Value> {
    proptest::collection::vec(one_of(&PARTS), 2..5).prop_map(|mut parts| {
        // The ends are trimmed; a lone `*` is no pattern.
        let last = parts.len() - 1;
        parts[0] = parts[0].trim();
        parts[last] = parts[last].trim();
        if parts.len() == 2 && parts.iter().all(|part| part.is_empty()) {
            parts[0] = "x";
        }
        Value::Pattern(parts.into_iter().map(str::to_owned).collect())
    })
}

fn value(kind: Kind) -> BoxedStrategy<Value> {
    let texts: &'static [&'static str] = match kind {
        Kind::Keyword => &TEXTS,
        Kind::Ip => &ADDRESSES,
        Kind::Text => &SENTENCES,
        Kind::Date => &DATES,
        Kind::Number => &NUMBERS,
        Kind::Boolean => &["true", "false"],
    };
    let text = spelling(texts).prop_map(Value::Text);
    let truth = any::<bool>().prop_map(Value::Bool);
    match kind {
        Kind::Keyword => {
            prop_oneof![8 => text, 3 => pattern(), 1 => truth, 2 => Just(Value::Exists)].boxed()
        }
        Kind::Ip => {
            let network = spelling(&NETWORKS).prop_map(Value::Text);
            prop_oneof![4 => text, 3 => network, 1 => Just(Value::Exists), 1 => pattern()].boxed()
        }
        Kind::Text => {
            // A piece that is nothing but `*` means what query_string makes of it: not decided.
            let pattern = pattern().prop_filter("a piece with letters", |value| match value {
                Value::Pattern(parts) => parts
                    .join("*")
                    .split_whitespace()
                    .all(|piece| piece.contains(char::is_alphanumeric)),
                _ => true,
            });
            prop_oneof![6 => text, 2 => pattern, 1 => Just(Value::Exists)].boxed()
        }
        Kind::Boolean => prop_oneof![3 => truth, 3 => text, 1 => Just(Value::Exists)].boxed(),
        Kind::Date | Kind::Number => prop_oneof![8 => text, 1 => Just(Value::Exists)].boxed(),
    }
}

fn values(kind: Kind) -> impl Strategy<Value = Values> {
    value(kind)
        .prop_map(Values::One)
        .prop_recursive(3, 6, 3, |inner| {
            let some = || proptest::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                2 => some().prop_map(Values::Any),
                1 => some().prop_map(Values::All),
                1 => inner.clone().prop_map(|inner| Values::Not(Box::new(inner))),
            ]
        })
}

fn relation() -> impl Strategy<Value = Relation> {
    prop::sample::select(vec![
        Relation::Less,
        Relation::LessOrEqual,
        Relation::Greater,
        Relation::GreaterOrEqual,
    ])
}

/// A question about one field of this type.
fn about(name: Name, kind: Kind) -> BoxedStrategy<Query> {
    let limits: &'static [&'static str] = match kind {
        Kind::Ip => &ADDRESSES,
        Kind::Date => &DATES,
        Kind::Number => &NUMBERS,
        _ => &["x", "1", "10", "9.5", "", "X", "-1", "1e1", "true."],
    };
    let other = name.clone();
    let is = values(kind).prop_map(move |values| Query::Is(name.clone(), values));
    let range = (relation(), spelling(limits))
        .prop_map(move |(relation, limit)| Query::Range(other.clone(), relation, limit));
    match kind {
        Kind::Text | Kind::Boolean => is.boxed(),
        _ => prop_oneof![3 => is, 1 => range].boxed(),
    }
}

fn like(names: &'static [&'static [&'static str]]) -> impl Strategy<Value = Name> {
    prop::sample::select(names)
        .prop_map(|parts| Name::Like(parts.iter().map(|part| (*part).to_owned()).collect()))
}

/// A question about a field of the document.
fn leaf() -> impl Strategy<Value = Query> {
    let typed = prop::sample::select(TYPES)
        .prop_filter("top level", |(name, _)| !name.starts_with("p."))
        .prop_flat_map(|(name, kind)| about(Name::One(name.to_owned()), kind));
    let name = |name: &str| Name::One(name.to_owned());
    let keyword = one_of(&KEYWORDS).prop_flat_map(move |field| about(name(field), Kind::Keyword));
    let patterns: &'static [&'static [&'static str]] = &[
        &["c.", ""],
        &["", "e"],
        &["user", "e"],
        &["p.", ""],
        &["", "a", ""],
        &["c", "d"],
        &["user.", "", "x"],
    ];
    let like = like(patterns).prop_flat_map(|name| about(name, Kind::Keyword));
    let everything = Name::Like(vec![String::new(), String::new()]);
    prop_oneof![
        8 => keyword,
        6 => typed,
        2 => like,
        1 => value(Kind::Keyword).prop_map(Query::Bare),
        1 => values(Kind::Keyword).prop_map(move |values| Query::Is(everything.clone(), values)),
    ]
}

/// A question about a field of a nested object.
fn inner_leaf() -> impl Strategy<Value = Query> {
    let name = |name: &str| Name::One(name.to_owned());
    let keyword = one_of(&INSIDE).prop_flat_map(move |field| about(name(field), Kind::Keyword));
    let like = like(&[&["", "a"], &["c", ""], &["r.", ""]])
        .prop_flat_map(|name| about(name, Kind::Keyword));
    prop_oneof![
        8 => keyword,
        1 => about(name("ip"), Kind::Ip),
        1 => about(name("words"), Kind::Text),
        1 => like,
    ]
}

fn combined(
    leaf: BoxedStrategy<Query>,
    depth: u32,
    size: u32,
    least: usize,
) -> BoxedStrategy<Query> {
    leaf.prop_recursive(depth, size, 3, move |inner| {
        let some = || proptest::collection::vec(inner.clone(), least..4);
        prop_oneof![
            some().prop_map(Query::All),
            some().prop_map(Query::Any),
            inner.clone().prop_map(|inner| Query::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

/// Any query.
pub fn query() -> impl Strategy<Value = Query> {
    let deepest = combined(inner_leaf().boxed(), 2, 4, 1);
    let below = move |path: &'static str, inner: BoxedStrategy<Query>| {
        inner.prop_map(move |inner| Query::Nested(path.to_owned(), Box::new(inner)))
    };
    let second = prop_oneof![4 => inner_leaf(), 1 => below("r", deepest.clone())].boxed();
    let first = combined(second, 3, 6, 1);
    let nested = prop_oneof![3 => below("p", first.clone()), 1 => below("q.r", first)];
    combined(prop_oneof![5 => leaf(), 1 => nested].boxed(), 4, 10, 0)
}

/// A value a record may hold anywhere.
fn node() -> BoxedStrategy<Node> {
    let text = |texts: &'static [&'static str]| one_of(texts).prop_map(Node::text);
    prop_oneof![
        6 => text(&TEXTS),
        2 => text(&ADDRESSES),
        2 => text(&MOMENTS),
        2 => text(&SENTENCES),
        1 => text(&NUMBERS),
        3 => one_of(&NUMBERS).prop_map(Node::number),
        2 => any::<bool>().prop_map(Node::Bool),
        1 => Just(Node::Null),
        1 => Just(Node::text(b"x\xff")),
    ]
    .boxed()
}

/// A value for a field of this type, mostly.
fn typed(name: &str) -> BoxedStrategy<Node> {
    let kind = TYPES.iter().find(|(typed, _)| *typed == name);
    let text = |texts: &'static [&'static str]| one_of(texts).prop_map(Node::text).boxed();
    let fitting = match kind.map(|(_, kind)| *kind) {
        Some(Kind::Ip) => text(&ADDRESSES),
        Some(Kind::Text) => text(&SENTENCES),
        Some(Kind::Date) => text(&MOMENTS),
        Some(Kind::Number) => one_of(&NUMBERS).prop_map(Node::number).boxed(),
        Some(Kind::Boolean) => any::<bool>().prop_map(Node::Bool).boxed(),
        Some(Kind::Keyword) | None => text(&["x", "X", "xy", "x y", "1", "10", "9.5"]),
    };
    let one = prop_oneof![4 => fitting, 1 => node()];
    let inner = one.clone();
    prop_oneof![
        5 => one,
        2 => proptest::collection::vec(inner, 0..3).prop_map(Node::List),
        1 => (node(), node()).prop_map(|(one, other)| Node::List(vec![one, Node::List(vec![other])])),
    ]
    .boxed()
}

fn object(names: Vec<String>, prefix: &'static str) -> impl Strategy<Value = Node> {
    let member = prop::sample::select(names)
        .prop_flat_map(move |name| (Just(name.clone()), typed(&format!("{prefix}{name}"))));
    (proptest::collection::vec(member, 0..5), any::<u64>())
        .prop_map(|(entries, seed)| laid_out(&entries, seed))
}

fn laid_out(entries: &[(String, Node)], seed: u64) -> Node {
    let mut dice = Dice::new(seed);
    let layout = Layout {
        dotted: dice.below(100) as u8,
        torn: dice.below(40) as u8,
        listed: dice.below(20) as u8,
    };
    layout::object(entries, layout, &mut dice)
}

/// Nested objects: one, several, or several lists of them, and things that are none.
fn objects() -> impl Strategy<Value = Node> {
    let own = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let small = object(own(&["a", "b"]), "p.r.");
    let plain = object(own(&["a", "b", "c.d", "ip", "words"]), "p.");
    let one = (
        plain,
        proptest::option::of(proptest::collection::vec(small, 0..3)),
    )
        .prop_map(|(object, inner)| match (object, inner) {
            (Node::Map(mut members), Some(inner)) => {
                members.push((b"r".to_vec(), Node::List(inner)));
                Node::Map(members)
            }
            (object, _) => object,
        })
        .boxed();
    let item = prop_oneof![6 => one.clone(), 1 => node()];
    prop_oneof![
        2 => one,
        4 => proptest::collection::vec(item.clone(), 0..4).prop_map(Node::List),
        1 => proptest::collection::vec(item, 0..3).prop_map(|items| Node::List(vec![Node::List(items)])),
    ]
}

/// Any document.
pub fn document() -> impl Strategy<Value = Node> {
    let names: Vec<String> = KEYWORDS
        .iter()
        .copied()
        .chain(
            TYPES
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| !name.starts_with("p.")),
        )
        .map(str::to_owned)
        .collect();
    let member =
        prop::sample::select(names).prop_flat_map(|name| (Just(name.clone()), typed(&name)));
    let nested = proptest::collection::vec((one_of(&["p", "q.r", "p"]), objects()), 0..3);
    (
        proptest::collection::vec(member, 0..8),
        nested,
        any::<u64>(),
    )
        .prop_map(|(mut entries, nested, seed)| {
            entries.extend(
                nested
                    .into_iter()
                    .map(|(path, node)| (path.to_owned(), node)),
            );
            laid_out(&entries, seed)
        })
}
