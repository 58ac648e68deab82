//! What else a record may hold: unrelated members, earlier tags, odd bytes, deep trees.

use proptest::prelude::*;

use super::dice::Dice;
use super::document::Node;

/// A kind of further member.
#[derive(Debug, Clone)]
pub enum Extra {
    /// Any key with any value.
    Any(String, Node),
    /// The tag's own key, or one the other styles write.
    Tagged(&'static str, Node),
    /// A token that is no valid JSON, or just about is.
    Token(&'static [u8]),
    /// Containers inside each other, with this many around the innermost value.
    Deep(usize),
    /// A key that the classification looks at.
    Marker(&'static str),
}

/// A few further members, mostly none.
pub fn members() -> impl Strategy<Value = Vec<Extra>> {
    prop_oneof![
        4 => Just(Vec::new()),
        3 => proptest::collection::vec(member(), 1..4),
    ]
}

fn member() -> impl Strategy<Value = Extra> {
    let keys = prop::sample::select(vec![
        "poseur",
        "poseur",
        "tags",
        "rule",
        "rule.name",
        "event",
        "event.kind",
        "threat",
    ]);
    let tokens = prop::sample::select(vec![
        &b"\"\\ud83d\\ude00\""[..],
        b"\"\\ud83d\"",
        b"\"\\udc00\\ud800\"",
        b"\"\\ud800\\ud800\\udc00\"",
        b"\"\\ud800x\\/\"",
        b"\"\xff\xfe\xc3\"",
        b"\"\xed\xa0\x80\"",
        b"\"\x7f\"",
        b"1e999",
        b"-0.0E-0",
        b"12345678901234567890123",
        // From here on the line is unreadable.
        b"\"\x01\"",
        b"\"\\ud800\\u00\"",
        b"\"\\x41\"",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"NaN",
        b"[1,]",
        b"{\"a\":1,}",
        b"\"open",
        b"'a'",
        b"tru",
    ]);
    let markers = prop::sample::select(vec![
        "records",
        "o365audit",
        "message",
        "log",
        "event.original",
        "category",
        "properties",
        "IsExternalThread",
        "Operation",
        "o365.audit",
        "records.x",
    ]);
    prop_oneof![
        8 => ("[a-zA-Z.]{0,6}", tree()).prop_map(|(key, node)| Extra::Any(key, node)),
        6 => (keys, tree()).prop_map(|(key, node)| Extra::Tagged(key, node)),
        3 => tokens.prop_map(Extra::Token),
        1 => (120..132usize).prop_map(Extra::Deep),
        1 => markers.prop_map(Extra::Marker),
    ]
}

/// Any text: mostly short and plain, with the characters that matter among them.
pub fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z]{0,8}".prop_map(String::into_bytes),
        2 => "\\PC{0,12}".prop_map(String::into_bytes),
        2 => prop::sample::select(vec![
            &b"\0\x1f\x7f"[..], b"\"\\/", b"\r\n\t\x08\x0c", "\u{FFFD}\u{FFFD}".as_bytes(),
            "\u{1F600}\u{10FFFF}".as_bytes(), "\u{A0}\u{2028}\u{FEFF}".as_bytes(),
            b"{\"a\":1}", b"[]", b"\\u0041", b"ChatCreated", b"Help Desk", b"helpdesk@x",
        ]).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(0x80..=0xFFu8, 0..5),
    ]
}

/// Any small JSON value.
pub fn tree() -> impl Strategy<Value = Node> {
    let numbers = prop_oneof![
        any::<i64>().prop_map(Node::number),
        any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(|number| Node::Number(format!("{number:e}"))),
        prop::sample::select(vec!["0", "-0", "1.50", "2E+3"]).prop_map(Node::number),
    ];
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        numbers,
        text().prop_map(Node::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            proptest::collection::vec((text(), inner.clone()), 0..4).prop_map(Node::Map),
            inner.prop_map(|node| Node::Embedded(Box::new(node))),
        ]
    })
}

/// Adds the members at places of their own in an object.
pub fn add(node: &mut Node, extra: Vec<Extra>, dice: &mut Dice) {
    let Node::Map(members) = node else { return };
    for one in extra {
        let (key, node) = match one {
            Extra::Any(key, node) => (key, node),
            Extra::Tagged(key, node) => (key.to_owned(), node),
            Extra::Token(token) => ("x".to_owned(), Node::Verbatim(token.to_vec())),
            Extra::Deep(depth) => ("deep".to_owned(), deep(depth, dice)),
            Extra::Marker(key) => (key.to_owned(), marker(dice)),
        };
        let place = dice.below(members.len() + 1);
        members.insert(place, (key.into_bytes(), node));
    }
}

fn marker(dice: &mut Dice) -> Node {
    match dice.below(6) {
        0 => Node::Null,
        1 => Node::List(vec![]),
        2 => Node::map([]),
        3 => Node::text("AdvancedHunting-MessageEvents"),
        4 => Node::text("{\"Operation\":1}"),
        _ => Node::text("plain"),
    }
}

fn deep(depth: usize, dice: &mut Dice) -> Node {
    let mut node = Node::text("bottom");
    for _ in 0..depth {
        node = if dice.chance(50) {
            Node::List(vec![node])
        } else {
            Node::map([("d", node)])
        };
    }
    node
}
