//! What may stand around a record: envelopes, batches, and damage to the bytes.

use proptest::prelude::*;

use super::dice::Dice;
use super::document::Node;

/// One thing around a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A JSON string under this key, dotted as it stands.
    Text(&'static str),
    /// A JSON string under `event` and `original`.
    Nested,
    /// The object under `o365audit`.
    Object,
    /// An element of an array.
    List,
    /// An element of the array under `records`.
    Records,
}

/// The layers around a record, innermost first; mostly none.
pub fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let layer = || {
        prop_oneof![
            3 => Just(Layer::Text("message")),
            2 => Just(Layer::Text("log")),
            1 => Just(Layer::Text("event.original")),
            1 => Just(Layer::Nested),
            2 => Just(Layer::Object),
            2 => Just(Layer::List),
            2 => Just(Layer::Records),
        ]
    };
    prop_oneof![
        6 => Just(Vec::new()),
        3 => proptest::collection::vec(layer(), 1..3),
        1 => proptest::collection::vec(layer(), 3..7),
    ]
}

/// Puts a record into its layers, with `others` as its neighbours in batches.
pub fn wrap(record: Node, layers: &[Layer], others: &[Node], dice: &mut Dice) -> Node {
    layers.iter().fold(record, |inner, layer| match layer {
        Layer::Text(key) => envelope(key, Node::Embedded(Box::new(inner)), dice),
        Layer::Nested => {
            let text = Node::Embedded(Box::new(inner));
            envelope("event", Node::map([("original", text)]), dice)
        }
        Layer::Object => envelope("o365audit", inner, dice),
        Layer::List => Node::List(neighbours(inner, others, dice)),
        Layer::Records => {
            let items = Node::List(neighbours(inner, others, dice));
            envelope("records", items, dice)
        }
    })
}

fn envelope(key: &str, node: Node, dice: &mut Dice) -> Node {
    let mut members = vec![(key.as_bytes().to_vec(), node)];
    let own = [
        ("@timestamp", Node::text("2026-02-20T10:00:00.000Z")),
        ("agent", Node::map([("type", Node::text("filebeat"))])),
        ("message", Node::text("plain words")),
        ("log", Node::map([("offset", Node::number(12))])),
        ("stream", Node::text("stdout")),
        (key, Node::Null),
        (key, Node::text("[]")),
    ];
    for (key, node) in own {
        if dice.chance(15) {
            let place = dice.below(members.len() + 1);
            members.insert(place, (key.as_bytes().to_vec(), node));
        }
    }
    Node::Map(members)
}

fn neighbours(inner: Node, others: &[Node], dice: &mut Dice) -> Vec<Node> {
    let junk = [
        Node::Null,
        Node::number(1),
        Node::text("{\"Operation\":\"ChatCreated\"}"),
        Node::List(vec![Node::map([("Operation", Node::Null)])]),
        Node::map([]),
    ];
    let mut items = vec![inner];
    items.extend(others.iter().cloned());
    for node in junk {
        if dice.chance(20) {
            items.push(node);
        }
    }
    dice.shuffle(&mut items);
    items
}

/// What may be wrong, or merely odd, with a line's bytes. Places are fractions of the line, in
/// 65536ths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    None,
    /// These bytes before the line.
    Before(&'static [u8]),
    /// These bytes after it.
    After(&'static [u8]),
    /// A byte-order mark before, a CR after.
    Windows,
    /// Ends here.
    Cut(u16),
    /// Another byte here.
    Byte(u16, u8),
    /// A further byte here.
    Inserted(u16, u8),
    /// A byte less here.
    Removed(u16),
}

/// Damage, mostly none.
pub fn damage() -> impl Strategy<Value = Damage> {
    let before = prop::sample::select(vec![
        &b"\xEF\xBB\xBF"[..],
        b" \t",
        b"\r",
        b"\xEF\xBB\xBF ",
        b"\xEF\xBB\xBF\xEF\xBB\xBF",
        b" \xEF\xBB\xBF",
        b"\xEF\xBB",
        b"\x0B",
        b"\xC2\xA0",
    ]);
    let after = prop::sample::select(vec![
        &b"\r"[..],
        b" ",
        b"\t \r",
        b"\r\r",
        b"x",
        b"{}",
        b",",
        b"\0",
        b"\xEF\xBB\xBF",
        b"\x0C",
    ]);
    let telling = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"{}[]\",:\\ \0\n\x80\xFF01eu".to_vec()),
    ];
    prop_oneof![
        40 => Just(Damage::None),
        2 => before.prop_map(Damage::Before),
        2 => after.prop_map(Damage::After),
        1 => Just(Damage::Windows),
        1 => any::<u16>().prop_map(Damage::Cut),
        1 => (any::<u16>(), telling.clone()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => (any::<u16>(), telling).prop_map(|(at, byte)| Damage::Inserted(at, byte)),
        1 => any::<u16>().prop_map(Damage::Removed),
    ]
}

/// Applies the damage.
pub fn hurt(mut line: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let place = |at: u16| usize::from(at) * line.len() / 65536;
    match damage {
        Damage::None => {}
        Damage::Before(bytes) => return [*bytes, &line].concat(),
        Damage::After(bytes) => return [line.as_slice(), bytes].concat(),
        Damage::Windows => return [b"\xEF\xBB\xBF", line.as_slice(), b"\r"].concat(),
        Damage::Cut(at) => {
            let end = place(*at);
            line.truncate(end);
        }
        Damage::Byte(at, byte) => {
            let at = place(*at);
            if let Some(old) = line.get_mut(at) {
                *old = *byte;
            }
        }
        Damage::Inserted(at, byte) => {
            let at = place(*at);
            line.insert(at, *byte);
        }
        Damage::Removed(at) => {
            let at = place(*at);
            if at < line.len() {
                line.remove(at);
            }
        }
    }
    line
}
