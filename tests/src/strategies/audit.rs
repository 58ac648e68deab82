//! Records around rule A, raw or as an `o365.audit` document.

use proptest::prelude::*;

use super::clause::{Forms, State, misspelled, occurrences, state};
use super::dice::Dice;
use super::document::Node;
use super::extra;
use super::layout::{self, Layout};
use crate::reference::rules::{EMAIL_WORDS, MEMBER_NAMES, NAME_WORDS};

/// Where a help desk poses, or almost does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Member,
    /// The name stands at some other leaf of `Members`.
    Leaf,
    Local,
    Domain,
    /// Only the user name (documents only: raw records derive it from the address).
    Name,
    MemberAlmost,
    /// A member is called more than the name.
    MemberMore,
    LocalAlmost,
    /// More than one `@`: there is no address then.
    Ats,
    NoAt,
    Nobody,
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        24 => Just(Who::Member),
        8 => Just(Who::Leaf),
        12 => Just(Who::Local),
        8 => Just(Who::Domain),
        6 => Just(Who::Name),
        6 => Just(Who::MemberAlmost),
        2 => Just(Who::MemberMore),
        4 => Just(Who::LocalAlmost),
        2 => Just(Who::Ats),
        2 => Just(Who::NoAt),
        2 => Just(Who::Nobody),
    ]
}

/// Records around rule A: raw ones, or documents.
pub fn audit(raw: bool) -> impl Strategy<Value = Node> {
    let states = proptest::collection::vec(state(75), 8);
    let layout = prop_oneof![
        Just((0, 0, 0)),
        Just((100, 0, 0)),
        (0..100u8, 0..40u8, 0..30u8)
    ];
    (states, who(), layout, any::<u64>(), extra::members()).prop_map(
        move |(states, who, (dotted, torn, listed), seed, extra)| {
            let mut dice = Dice::new(seed);
            let mut entries = Vec::new();
            clauses(&states, raw, &mut entries, &mut dice);
            people(who, raw, &mut entries, &mut dice);
            if raw {
                for (path, _) in &mut entries {
                    *path = raw_path(path);
                }
            }
            let layout = Layout {
                dotted,
                torn,
                listed,
            };
            let mut node = layout::object(&entries, layout, &mut dice);
            extra::add(&mut node, extra, &mut dice);
            node
        },
    )
}

fn raw_path(path: &str) -> String {
    let name = match path {
        "event.action" => "Operation",
        "event.provider" => "Workload",
        "event.outcome" => "ResultStatus",
        "user.id" => "UserId",
        "@timestamp" => "CreationTime",
        "organization.id" => "OrganizationId",
        "source.ip" => "ClientIP",
        other => other.strip_prefix("o365.audit.").unwrap_or(other),
    };
    name.to_owned()
}

fn texts(good: &[&str], near: &[&str], other: &str) -> Forms {
    let all = |texts: &[&str]| texts.iter().map(Node::text).collect();
    Forms {
        good: all(good),
        near: all(near),
        other: Node::text(other),
        opened: true,
    }
}

fn flags(truth: bool) -> Forms {
    let mut near = vec![
        Node::Bool(!truth),
        Node::text((!truth).to_string()),
        Node::text(if truth { "True" } else { "False" }),
        Node::text(if truth { "TRUE" } else { "false " }),
        Node::number(u8::from(truth)),
        Node::text(u8::from(truth).to_string()),
    ];
    near.rotate_left(usize::from(truth));
    Forms {
        good: vec![Node::Bool(truth), Node::text(truth.to_string())],
        near,
        other: Node::Bool(!truth),
        opened: true,
    }
}

fn outcomes(raw: bool) -> Forms {
    if !raw {
        return texts(&["success"], &["Success", "success ", "succes"], "failure");
    }
    let mut forms = texts(
        &["Succeeded", "success", "PartiallySucceeded", "TRUE", "what"],
        &["Failed", "FALSE", "failed", "fAiLeD"],
        "failed",
    );
    forms.good.extend([
        Node::Bool(true),
        Node::number(0),
        Node::text("fa\u{131}led"),
        Node::text("failed "),
        Node::map([("Status", Node::text("Failed"))]),
        Node::List(vec![]),
    ]);
    forms.near.push(Node::Bool(false));
    forms
}

fn clauses(states: &[State], raw: bool, entries: &mut Vec<(String, Node)>, dice: &mut Dice) {
    let info = |name: &str| format!("o365.audit.ParticipantInfo.{name}");
    let all = [
        (
            "data_stream.dataset".to_owned(),
            texts(
                &["o365.audit"],
                &["o365_audit", "O365.audit"],
                "azure.audit",
            ),
        ),
        (
            "event.action".to_owned(),
            texts(
                &["ChatCreated"],
                &[
                    "chatcreated",
                    "ChatCreated ",
                    "ChatCreate",
                    "\u{421}hatCreated",
                ],
                "TeamCreated",
            ),
        ),
        (
            "event.provider".to_owned(),
            texts(
                &["MicrosoftTeams"],
                &["Microsoftteams", "MicrosoftTeam"],
                "Exchange",
            ),
        ),
        ("event.outcome".to_owned(), outcomes(raw)),
        (info("HasOtherGuestUsers"), flags(false)),
        (info("HasGuestUsers"), flags(false)),
        (info("HasForeignTenantUsers"), flags(true)),
        (
            "o365.audit.CommunicationType".to_owned(),
            texts(
                &["OneOnOne"],
                &["OneonOne", "OneOnOne\0", "oneOnOne"],
                "GroupChat",
            ),
        ),
    ];
    for ((path, forms), state) in all.iter().zip(states) {
        if raw && path == "data_stream.dataset" {
            continue;
        }
        for node in occurrences(*state, forms, dice) {
            entries.push((path.clone(), node));
        }
    }
    let usual = [
        ("@timestamp", Node::text("2026-02-20T10:00:00")),
        (
            "o365.audit.RecordType",
            [Node::number(25), Node::text("25")][dice.below(2)].clone(),
        ),
        (
            "o365.audit.ChatThreadId",
            Node::text("19:0a1b_2c3d@unq.gbl.spaces"),
        ),
        ("o365.audit.ResourceTenantId", Node::text("1D2C")),
        ("organization.id", Node::text("8E7F-\u{c9}A\u{130}")),
        (
            "source.ip",
            Node::text(dice.pick(&["203.0.113.7", "[::ffff:203.0.113.7]:443"])),
        ),
    ];
    for (path, node) in usual {
        if dice.chance(60) {
            entries.push((path.to_owned(), node));
        }
    }
}

fn people(who: Who, raw: bool, entries: &mut Vec<(String, Node)>, dice: &mut Dice) {
    let name = dice.pick(&MEMBER_NAMES);
    let word = dice.pick(&EMAIL_WORDS);
    let mut email = dice
        .pick(&["ann@corp.example", "o.lee@corp.example"])
        .as_bytes()
        .to_vec();
    let mut user = None;
    let mut members = vec![member(b"Ann Lee", b"ann@corp.example", dice)];
    match who {
        Who::Member => members.push(member(name.as_bytes(), b"x@fake.example", dice)),
        Who::MemberAlmost => members.push(member(&misspelled(name, dice), b"x@fake.example", dice)),
        Who::MemberMore => {
            let more = format!("{name}{}", dice.pick(&[" ", "s", " Team", "\u{200B}"]));
            members.push(member(more.as_bytes(), b"x@fake.example", dice));
        }
        Who::Leaf => members.push(match dice.below(4) {
            0 => member(b"Bob", name.as_bytes(), dice),
            1 => Node::text(name),
            2 => Node::List(vec![Node::map([("a.b", Node::text(name))])]),
            _ => Node::map([("x", Node::map([("y", Node::List(vec![Node::text(name)]))]))]),
        }),
        Who::Local => email = format!("{word}{}@fake.example", dice.below(100)).into_bytes(),
        Who::Domain => email = format!("bob@my{word}.example").into_bytes(),
        Who::LocalAlmost => {
            email = [misspelled(word, dice).as_slice(), b"@fake.example"].concat();
        }
        Who::Ats => email = format!("{word}@fake.example@x").into_bytes(),
        Who::NoAt => email = word.as_bytes().to_vec(),
        Who::Name => {
            user = Some(dice.pick(&NAME_WORDS).to_string());
            if raw {
                email = format!("{}@fake.example", dice.pick(&NAME_WORDS)).into_bytes();
            }
        }
        Who::Nobody => {}
    }
    dice.shuffle(&mut members);
    let people = if dice.chance(90) {
        Node::List(members)
    } else {
        // One object instead of an array; the last one, so that a match is likely.
        members.pop().unwrap_or(Node::Null)
    };
    entries.push(("o365.audit.Members".to_owned(), people));
    entries.push(("user.id".to_owned(), Node::Text(email.clone())));
    if raw {
        if dice.chance(10) {
            entries.push(("user.id".to_owned(), Node::text("second@corp.example")));
        }
        return;
    }
    // The integration gives no address to what does not split in two.
    if email.iter().filter(|byte| **byte == b'@').count() == 1 {
        let name = email.split(|byte| *byte == b'@').next().unwrap_or_default();
        let name = user.map_or(name.to_vec(), String::into_bytes);
        entries.push(("user.name".to_owned(), Node::Text(name)));
        entries.push(("user.email".to_owned(), Node::Text(email)));
    }
}

fn member(name: &[u8], address: &[u8], dice: &mut Dice) -> Node {
    let mut members = vec![
        (b"DisplayName".to_vec(), Node::text(name)),
        (b"UPN".to_vec(), Node::text(address)),
    ];
    if dice.chance(50) {
        members.push((b"Role".to_vec(), Node::number(dice.below(3))));
    }
    if dice.chance(50) {
        members.push((b"OrganizationId".to_vec(), Node::text("8e7f")));
    }
    Node::Map(members)
}
