//! Exceptions of all kinds, and Sigma filters: the exported program suppresses what the matcher suppresses.
#![cfg(feature = "vrl")]

use jiff::Timestamp;
use poseur_conformance::both::Both;
use poseur_rule::exception::{self, Exception};
use poseur_rule::load::{Loaded, Loader};
use poseur_rule::model::Rule;
use poseur_tagger::Style;
use poseur_tests::strategies::dice::Dice;
use poseur_tests::tagging::{RULE_A, RULE_B};
use serde_json::{Map, Value, json};

const MSP: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const HOME: &str = "11111111-2222-4333-8444-555555555555";
const EVIL: &str = "deadbeef-dead-4eef-8ead-beefdeadbeef";

const TENANTS: [&str; 6] = [
    MSP,
    HOME,
    EVIL,
    "3F2504E0-4F89-41D3-9A0C-0305E82C3301",
    "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
    "",
];

/// Domains as records spell them: well-formed, nearly so, and only by IDNA's mappings.
const DOMAINS: [&str; 34] = [
    "msp.example",
    "MSP.Example",
    "eu.msp.example",
    "evil-msp.example",
    "msp.example.evil.test",
    "msp.example.",
    ".msp.example",
    "msp..example",
    "msp.example ",
    "msp\u{200b}.example",
    "partner.example",
    "a.b.Partner.example",
    "a_b.partner.example",
    "-a.partner.example",
    "home.example",
    "m\u{fc}nchen.example",
    "M\u{dc}NCHEN.example",
    "xn--mnchen-3ya.example",
    "XN--MNCHEN-3YA.example",
    "mu\u{308}nchen.example",
    "b\u{fc}cher.partner.example",
    "xn--bcher-kva.partner.example",
    "xn--a.partner.example",
    "xn--.partner.example",
    "\u{fc}-.partner.example",
    "\u{2260}.partner.example",
    "stra\u{df}e.partner.example",
    "stra\u{1e9e}e.partner.example",
    "\u{212a}elvin.partner.example",
    "\u{212b}ngstr\u{f6}m.partner.example",
    "\u{3a3}\u{3a3}.partner.example",
    "\u{ff4d}\u{ff53}\u{ff50}.example",
    "msp\u{3002}example",
    "evil.test\u{ff0f}.partner.example",
];

const LOCALS: [&str; 9] = [
    "bob",
    "Bob",
    "it-support",
    "helpdesk",
    "\u{dc}nal.helpdesk",
    "help desk",
    "eve_evil.test#EXT#",
    "",
    "\u{212a}im",
];

fn address(dice: &mut Dice) -> String {
    let (local, domain) = (dice.pick(&LOCALS), dice.pick(&DOMAINS));
    match dice.below(12) {
        0 => format!("{local}@evil.test@{domain}"),
        1 => (*domain).to_owned(),
        _ => format!("{local}@{domain}"),
    }
}

/// Mostly a plain value, sometimes as a list, in an object, of another type, or not there.
fn dressed(dice: &mut Dice, value: String) -> Value {
    match dice.below(20) {
        0 => json!([value]),
        1 => json!({"x": value, "y": "bob@msp.example"}),
        2 => json!([value, "bob@msp.example"]),
        3 => json!(7),
        4 => Value::Null,
        _ => Value::from(value),
    }
}

fn put(dice: &mut Dice, into: &mut Map<String, Value>, key: &str, value: String) {
    if dice.chance(85) {
        let key = match dice.chance(5) {
            true => format!("{key}.x"),
            false => key.to_owned(),
        };
        let value = dressed(dice, value);
        into.insert(key, value);
    }
}

fn member(dice: &mut Dice, user: &str) -> Value {
    let names = [
        "Help Desk",
        "Microsoft Support",
        "Vic Tim",
        "HELP desk",
        "bob",
    ];
    let mut member = Map::new();
    put(
        dice,
        &mut member,
        "DisplayName",
        dice.clone().pick(&names).to_owned(),
    );
    let upn = match dice.chance(40) {
        true => user.to_uppercase(),
        false => address(dice),
    };
    put(dice, &mut member, "UPN", upn);
    let tenant = dice.pick(&TENANTS).to_owned();
    put(dice, &mut member, "OrganizationId", tenant);
    match dice.below(15) {
        0 => json!("Help Desk"),
        1 => json!(["Help Desk", member]),
        2 => Value::Null,
        _ => Value::Object(member),
    }
}

/// A new chat, raw or as a document, dressed up.
fn chat(dice: &mut Dice) -> Value {
    let user = address(dice);
    let count = dice.below(4);
    let members: Vec<Value> = (0..count).map(|_| member(dice, &user)).collect();
    let members = match dice.below(12) {
        0 => Value::from(Value::from(members).to_string()),
        1 => members.into_iter().next().unwrap_or_default(),
        2 => json!([members]),
        _ => Value::from(members),
    };
    let count = dice.below(3);
    let tenants: Vec<&str> = (0..count)
        .map(|_| *dice.pick(&[&MSP, &HOME, &EVIL]))
        .collect();
    let mut audit = Map::new();
    audit.insert("CommunicationType".into(), json!("OneOnOne"));
    audit.insert(
        "ParticipantInfo".into(),
        json!({"HasForeignTenantUsers": true, "HasGuestUsers": false, "HasOtherGuestUsers": false,
            "ParticipatingTenantIds": tenants}),
    );
    let key = if dice.chance(7) {
        "Members.UPN"
    } else {
        "Members"
    };
    audit.insert(key.into(), members);
    if dice.chance(40) {
        for (key, value) in [
            ("Operation", json!("ChatCreated")),
            ("Workload", json!("MicrosoftTeams")),
            ("CreationTime", json!("2026-11-20T11:00:00")),
            ("UserId", dressed(dice, user)),
        ] {
            audit.insert(key.into(), value);
        }
        return Value::Object(audit);
    }
    let mut who = Map::new();
    put(dice, &mut who, "id", user.clone());
    put(dice, &mut who, "email", user.clone());
    let local = user.split('@').next().unwrap_or_default().to_owned();
    put(dice, &mut who, "name", local);
    let mut document = Map::new();
    for (key, value) in [
        ("data_stream.dataset", json!("o365.audit")),
        (
            "event",
            json!({"action": "ChatCreated", "provider": "MicrosoftTeams", "outcome": "success"}),
        ),
    ] {
        document.insert(key.into(), value);
    }
    match dice.chance(50) {
        true => document.insert("user".into(), Value::Object(who)),
        false => {
            let who = who.into_iter();
            document.extend(who.map(|(key, value)| (format!("user.{key}"), value)));
            None
        }
    };
    match dice.below(3) {
        0 => document.insert("o365".into(), json!({"audit": audit})),
        1 => document.insert("o365.audit".into(), Value::Object(audit)),
        _ => {
            let audit = audit.into_iter();
            document.extend(audit.map(|(key, value)| (format!("o365.audit.{key}"), value)));
            None
        }
    };
    Value::Object(document)
}

/// A message to outsiders, as a row or as it is streamed.
fn message(dice: &mut Dice) -> Value {
    let count = dice.below(4);
    let recipients: Vec<Value> = (0..count)
        .map(|_| {
            let names = ["IT Support", "Help Desk", "help", "desk it", "Vic Tim"];
            let mut recipient = Map::new();
            put(
                dice,
                &mut recipient,
                "RecipientDisplayName",
                dice.clone().pick(&names).to_owned(),
            );
            let to = address(dice);
            put(dice, &mut recipient, "RecipientSmtpAddress", to);
            Value::Object(recipient)
        })
        .collect();
    let recipients = match dice.below(5) {
        0 | 1 => Value::from(Value::from(recipients).to_string()),
        2 => recipients.into_iter().next().unwrap_or_default(),
        _ => Value::from(recipients),
    };
    let sender = address(dice);
    let row = json!({"Timestamp": "2026-11-20T11:00:00Z", "IsExternalThread": true, "RecipientDetails": recipients,
        "SenderEmailAddress": dressed(dice, sender), "SenderDisplayName": "helpdesk"});
    match dice.chance(50) {
        true => row,
        false => json!({"category": "AdvancedHunting-MessageEvents", "properties": row}),
    }
}

fn event(dice: &mut Dice) -> Value {
    let record = if dice.chance(60) {
        chat(dice)
    } else {
        message(dice)
    };
    match dice.below(12) {
        0 => json!({"message": record.to_string()}),
        1 => json!({"records": [record, chat(dice)]}),
        2 => json!({"message": Value::from(vec![record, chat(dice)]).to_string()}),
        _ => record,
    }
}

/// Rules that rest on parties in many ways, as Sigma texts.
fn texts() -> Vec<String> {
    [
        "  a:\n    - o365.audit.Members|contains: help\n    - user.id|endswith: example\n  condition: a",
        "  a: {user.name|re: '^b'}\n  b: {o365.audit.Members.DisplayName: [bob, 'vic*'], user.email|contains: '@'}\n  condition: a or b",
        "  a: {o365.audit.Members|exists: true}\n  b: {o365.audit.Members.UPN|re: 'msp|bob'}\n  condition: a and not b",
        "  a: ['Help Desk', 'it-support']\n  condition: a",
        "  a: {SenderDisplayName: helpdesk}\n  b: {RecipientDetails|contains|all: [help, desk]}\n  condition: a or b",
        "  a: {event.action: ChatCreated}\n  condition: a",
        "  a: {IsExternalThread: true}\n  b: {o365.audit.Members|contains: ['help', 'msp']}\n  condition: 1 of a* or b",
        "  a: {user.id|fieldref: user.email}\n  b: {o365.audit.Members.UPN|fieldref: user.id}\n  condition: a or b",
    ]
    .into_iter()
    .enumerate()
    .map(|(number, detection)| {
        format!(
            "title: Rule {number}\nid: 0000000{number}-0000-4000-8000-000000000000\nlogsource: {{product: m365}}\n\
             fields: [user.name, UserId, RecipientDetails]\ndetection:\n{detection}\n"
        )
    })
    .collect()
}

/// Rules and filters, from some of the texts and with the built-in rules.
fn loaded(dice: &mut Dice, with_built_in: bool, filters: &[String]) -> Loaded {
    let mut loader = Loader::new();
    if with_built_in {
        loader.built_in();
    }
    let texts = texts();
    let first = dice.below(texts.len());
    let others = if with_built_in { 1 } else { 3 };
    for (number, text) in texts.iter().cycle().skip(first).take(others).enumerate() {
        loader.text(&format!("{number}.yml"), text);
    }
    for (number, text) in filters.iter().enumerate() {
        loader.text(&format!("filter{number}.yml"), text);
    }
    let loaded = loader.finish();
    assert_eq!(loaded.refused, []);
    loaded
}

fn load(yaml: &str) -> Vec<Exception> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exceptions.yml");
    std::fs::write(&file, yaml).unwrap();
    let loaded = exception::load(&[file]);
    assert_eq!(loaded.refused, [], "{yaml}");
    loaded.exceptions
}

/// Some exceptions, as an operator writes them.
fn exceptions(dice: &mut Dice, rules: &[Rule]) -> String {
    let mut out = String::new();
    let count = 1 + dice.below(4);
    for number in 0..count {
        out += &format!("- id: e{number}\n  reason: r{number}\n");
        let grounds = [
            format!("  tenant_id: [{MSP}]\n"),
            format!("  tenant_id: [{MSP}, {HOME}]\n"),
            format!("  tenant_id: [{EVIL}, {HOME}]\n"),
            "  domain: [msp.example, home.example]\n".to_owned(),
            "  domain: [.msp.example, .partner.example]\n".to_owned(),
            "  domain: [m\u{fc}nchen.example]\n".to_owned(),
            "  email: [bob@msp.example, it-support@home.example]\n".to_owned(),
            "  email: ['\u{dc}nal.helpdesk@m\u{fc}nchen.example', helpdesk@partner.example]\n".to_owned(),
            "  domain: [msp.example, partner.example, home.example, m\u{fc}nchen.example, .partner.example]\n".to_owned(),
        ];
        let first = dice.below(grounds.len());
        out += &grounds[first];
        let second = &grounds[dice.below(grounds.len())];
        let key = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        if key(second) != key(&grounds[first]) {
            out += second;
        }
        match dice.below(6) {
            0 => out += "  expires: 2026-11-19\n",
            1 => out += "  expires: 2026-11-20T12:00:00.5Z\n",
            _ => {}
        }
        if dice.chance(25) {
            let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
            out += &format!("  rules: [{}, {}]\n", dice.pick(&ids), dice.pick(&ids));
        }
    }
    out
}

fn at() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

const STYLES: [Style; 3] = [Style::Namespace, Style::Minimal, Style::Ecs];

/// Runs events through both, and counts the tagged and the suppressed ones.
fn run(both: &mut Both, dice: &mut Dice, count: usize) -> (usize, usize) {
    let (mut tagged, mut suppressed) = (0, 0);
    for _ in 0..count {
        let event = vrl::value::Value::from(event(dice));
        let answer = both.check(event);
        tagged += usize::from(answer.tagged);
        suppressed += usize::from(answer.suppressed);
    }
    (tagged, suppressed)
}

#[test]
fn exceptions_by_tenant_domain_and_address() {
    let mut dice = Dice::new(5);
    let (mut tagged, mut suppressed) = (0, 0);
    for round in 0..18 {
        let rules = loaded(&mut dice, round % 2 == 0, &[]).rules;
        let yaml = exceptions(&mut dice, &rules);
        let schema = [
            None,
            None,
            None,
            Some("o365"),
            Some("ecs"),
            Some("envelope"),
        ][dice.below(6)];
        let style = STYLES[round % 3];
        let mut both = Both::new(rules, load(&yaml), schema, style, at()).unwrap();
        assert_eq!(both.program.warnings, "", "{yaml}");
        let (some, not) = run(&mut both, &mut dice, 200);
        tagged += some;
        suppressed += not;
    }
    println!("{tagged} tagged, {suppressed} suppressed");
    assert!(
        tagged > 1000 && suppressed > 300,
        "{tagged} tagged, {suppressed} suppressed"
    );
}

#[test]
fn sigma_filters() {
    let mut dice = Dice::new(6);
    let (mut tagged, mut suppressed) = (0, 0);
    for round in 0..9 {
        let conditions = [
            "  bob:\n    user.name: bob\n  condition: not bob",
            "  ours:\n    user.email|endswith: '@msp.example'\n  condition: not ours",
            "  known:\n    o365.audit.Members|contains: [msp, home]\n  late:\n    SenderDisplayName: helpdesk\n  condition: not known or late",
            "  from:\n    SenderEmailAddress|re: 'msp|partner'\n  who:\n    o365.audit.Members.UPN: null\n  condition: not (from or who)",
            "  any: ['it-support', 'msp.example']\n  condition: not any",
        ];
        let count = 1 + dice.below(3);
        let filters: Vec<String> = (0..count)
            .map(|number| {
                let condition = dice.pick(&conditions);
                let of = match dice.chance(50) {
                    true => "any".to_owned(),
                    false => {
                        let ids = [RULE_A, RULE_B, "Rule 1", "Rule 2", "Rule 5", "Rule 7"];
                        format!("[{}, {}]", dice.pick(&ids), dice.pick(&ids))
                    }
                };
                format!(
                    "title: Filter {number}\nid: 2222222{number}-2222-4222-8222-222222222222\nlogsource: {{product: m365}}\n\
                     filter:\n  rules: {of}\n{condition}\n"
                )
            })
            .collect();
        let Loaded {
            rules,
            filters: mut exceptions,
            ..
        } = loaded(&mut dice, round % 2 == 0, &filters);
        if dice.chance(50) {
            exceptions.extend(load(&self::exceptions(&mut dice, &rules)));
        }
        dice.shuffle(&mut exceptions);
        let mut both = Both::new(rules, exceptions, None, STYLES[round % 3], at()).unwrap();
        assert_eq!(both.program.warnings, "");
        let (some, not) = run(&mut both, &mut dice, 200);
        tagged += some;
        suppressed += not;
    }
    println!("{tagged} tagged, {suppressed} suppressed");
    assert!(
        tagged > 800 && suppressed > 200,
        "{tagged} tagged, {suppressed} suppressed"
    );
}
