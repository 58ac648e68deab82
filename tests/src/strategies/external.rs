//! Records around rule B: MessageEvents rows, flat or as Defender streams them.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::NOW;
use super::clause::{Forms, State, occurrences, state};
use super::dice::Dice;
use super::document::Node;
use super::extra;
use super::layout::{self, Layout};

/// Records around rule B: rows, or rows inside a streaming record.
pub fn external(streamed: bool) -> impl Strategy<Value = Node> {
    let states = proptest::collection::vec(state(170), 3);
    (states, any::<u64>(), 0..30u8, extra::members()).prop_map(
        move |(states, seed, dotted, extra)| {
            let mut dice = Dice::new(seed);
            let mut entries = row(&states, &mut dice);
            if streamed {
                for (path, _) in &mut entries {
                    path.insert_str(0, "properties.");
                }
                let category = match dice.below(30) {
                    0 => Node::text("AdvancedHunting-Messageevents"),
                    1 => Node::List(vec![Node::text("AdvancedHunting-MessageEvents")]),
                    2 => Node::text("AdvancedHunting-MessageEvents "),
                    _ => Node::text("AdvancedHunting-MessageEvents"),
                };
                entries.push(("category".to_owned(), category));
                entries.push(("tenantId".to_owned(), Node::text("8e7f")));
                entries.push(("operationName".to_owned(), Node::text("Publish")));
            }
            let layout = Layout {
                dotted,
                torn: dotted / 2,
                listed: dotted / 4,
            };
            let mut node = layout::object(&entries, layout, &mut dice);
            extra::add(&mut node, extra, &mut dice);
            node
        },
    )
}

fn row(states: &[State], dice: &mut Dice) -> Vec<(String, Node)> {
    let mut entries = Vec::new();
    let clauses = [
        ("Timestamp", times(dice)),
        ("RecipientDetails", recipients(dice)),
        ("IsExternalThread", flags()),
    ];
    for ((name, forms), state) in clauses.iter().zip(states) {
        for node in occurrences(*state, forms, dice) {
            entries.push(((*name).to_owned(), node));
        }
    }
    let usual = [
        ("TeamsMessageId", Node::text("/teams/1/messages/2")),
        ("SenderEmailAddress", Node::text("rob@corp.example")),
        ("SenderDisplayName", Node::text("Rob \u{1F600}")),
        ("IsOwnedThread", Node::Bool(true)),
        ("ThreadType", Node::text("chat")),
        (
            dice.pick(&["Subject", "MessageSubject"]),
            Node::text("help"),
        ),
        (
            dice.pick(&["ThreadSubType", "ThreadSubtype"]),
            Node::text("None"),
        ),
        ("ThreatTypes", Node::Null),
    ];
    for (name, node) in usual {
        if dice.chance(60) {
            entries.push((name.to_owned(), node));
        }
    }
    entries
}

/// A moment so many nanoseconds before now, written out.
fn before(nanoseconds: i64) -> String {
    let moment = NOW
        .parse::<Timestamp>()
        .unwrap_or_default()
        .saturating_sub(SignedDuration::from_nanos(nanoseconds));
    moment.map(|moment| moment.to_string()).unwrap_or_default()
}

const DAY: i64 = 24 * 60 * 60 * 1_000_000_000;

fn times(dice: &mut Dice) -> Forms {
    let recent = before(dice.below(29) as i64 * DAY);
    let bare = recent.trim_end_matches('Z').to_owned();
    let all = |texts: Vec<String>| texts.iter().map(Node::text).collect::<Vec<_>>();
    let mut near = all(vec![
        before(30 * DAY),
        before(30 * DAY + 1),
        before(31 * DAY),
        format!("{bare}.0000000001Z"),
        format!("{bare}.Z"),
        format!("{bare}z"),
        format!(" {recent}"),
        bare.replace('T', "t"),
        bare.replace('T', "  "),
        format!("{bare}+0100"),
        format!("{bare}+24:00"),
        "2026-02-29T00:00:00Z".to_owned(),
        "2026-02-20".to_owned(),
        "2026-02-20T10:00Z".to_owned(),
        "2026-02-20T24:00:00Z".to_owned(),
        "2026-02-20T10:00:61Z".to_owned(),
    ]);
    near.push(Node::number(1_772_000_000_000_u64));
    let mut good = vec![before(dice.below(29) as i64 * DAY)];
    good.extend([
        bare.clone(),
        bare.replace('T', " "),
        format!("{bare}.1234567Z"),
        format!("{bare}.123456789"),
        format!("{bare}+14:00"),
        format!("{bare}-23:59"),
        before(30 * DAY - 1),
        before(-DAY),
        "9999-12-31T23:59:60Z".to_owned(),
    ]);
    Forms {
        good: all(good),
        near,
        other: Node::text("2020-01-01T00:00:00Z"),
        opened: true,
    }
}

fn flags() -> Forms {
    let texts = |texts: &[&str]| texts.iter().map(Node::text).collect::<Vec<_>>();
    let mut good = vec![Node::Bool(true)];
    good.extend(texts(&["true", "True", "TRUE", "1", "-1", "1.0", "2e5"]));
    good.extend(["1", "1.0", "-3", "1E2"].map(Node::number));
    let mut near = texts(&["0", "false", "-0.0", "0e9", "yes", "true ", "01", "", "+1"]);
    near.extend(["0", "-0", "0.00", "0E5"].map(Node::number));
    near.push(Node::List(vec![Node::Bool(true)]));
    Forms {
        good,
        near,
        other: Node::Bool(false),
        opened: false,
    }
}

fn recipient(name: &str, address: &str) -> Node {
    Node::map([
        ("RecipientSmtpAddress", Node::text(address)),
        ("RecipientDisplayName", Node::text(name)),
        ("RecipientType", Node::text("User")),
    ])
}

fn recipients(dice: &mut Dice) -> Forms {
    let one = |name: &str| Node::List(vec![recipient(name, "a@corp.example")]);
    let good = [
        "Help Desk",
        "HELPDESK",
        "desk of help",
        "IT Support",
        "Smith, support",
        "Working from home",
        "networking, Homeland",
    ];
    let name = good[dice.below(good.len())];
    let near = [
        "Help",
        "Desk",
        "H\u{435}lp Desk",
        "Help De\u{17F}k",
        "Help Des\u{212A}",
        "Hel\u{200B}p Desk",
        "Support",
        "Work home",
        "hel\"p desk",
        "d\u{1F600}esk help",
    ];
    let near_name = near[dice.below(near.len())];
    let embedded = |node: Node| Node::Embedded(Box::new(node));
    Forms {
        good: vec![
            one(name),
            embedded(one(name)),
            embedded(embedded(one(name))),
            recipient(name, "a@corp.example"),
            Node::text(name),
            Node::text(format!(" [\"{name}\"] ")),
            // Only a reader that takes off the byte-order mark finds the word.
            Node::text("\u{FEFF}[\"\\u0068elp desk\"]"),
            Node::text(format!("{{\"{name}\": broken")),
            Node::List(vec![recipient("help", "a@b"), recipient("x", "desk@b")]),
            Node::map([("Help", Node::text("desk"))]),
        ],
        near: vec![
            one(near_name),
            embedded(one(near_name)),
            Node::text(near_name),
            // Decoded once more than it is written, this would be a hit.
            Node::text("\\u0068elp desk"),
            Node::text(" \u{FEFF}[\"\\u0068elp desk\"]"),
            Node::text("\u{FEFF}\u{FEFF}[\"\\u0068elp desk\"]"),
        ],
        other: one("Ann Lee"),
        opened: true,
    }
}
