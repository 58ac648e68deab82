//! Exceptions at work: which matches they suppress, in every shape of record, and which they must
//! not.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::exception::{self, Exception};
use poseur_rule::load::Loader;
use poseur_rule::model::Rule;
use poseur_rule::pack;
use poseur_tagger::Style;
use poseur_tests::tagging::{
    RULE_A, RULE_B, compile, sigma_rule, sigma_rules, styled, tag, wrapped,
};
use serde_json::{Value, json};

const MSP: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const HOME: &str = "11111111-2222-4333-8444-555555555555";
const EVIL: &str = "deadbeef-dead-4eef-8ead-beefdeadbeef";

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Reads exceptions the way an operator writes them.
fn load(yaml: &str) -> Vec<Exception> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exceptions.yml");
    std::fs::write(&file, yaml).unwrap();
    let loaded = exception::load(&[file]);
    assert_eq!(loaded.refused, [], "{yaml}");
    loaded.exceptions
}

fn built_in(yaml: &str) -> Arc<Matcher> {
    compile(pack::built_in(), load(yaml))
}

/// What the tags of a line say: rules, and (rule, exception, reason) for each suppressed match.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    rules: Vec<String>,
    suppressed: Vec<[String; 3]>,
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// The tags of a line, `None` if it has none. Checks that only objects where a tag may be have one.
fn told(matcher: &Arc<Matcher>, line: &[u8], at: Timestamp) -> Option<Told> {
    let mut tagger = styled(matcher.clone(), Style::Namespace);
    let output = tag(&mut tagger, line, at);
    let output = output.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&output);
    let value: Value = serde_json::from_slice(output).unwrap();
    let records = match &value {
        Value::Array(items) => items.clone(),
        Value::Object(map) => match map.get("records") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![value],
        },
        _ => panic!("a line is an object or an array"),
    };
    let tags: Vec<&Value> = records
        .iter()
        .filter_map(|record| record.get("poseur"))
        .collect();
    assert!(tags.len() <= 1);
    let tag = tags.first()?;
    let suppressed = tag["suppressed"].as_array().into_iter().flatten();
    Some(Told {
        rules: strings(&tag["rules"]),
        suppressed: suppressed
            .map(|entry| {
                ["rule", "exception", "reason"].map(|key| entry[key].as_str().unwrap().to_owned())
            })
            .collect(),
    })
}

/// A match of a rule that stands.
fn stands(rule: &str) -> Told {
    Told {
        rules: vec![rule.to_owned()],
        suppressed: vec![],
    }
}

/// A match of a rule that these exceptions, whose reason is `r`, suppress.
fn suppressed(rule: &str, by: &[&str]) -> Told {
    let entry = |id: &&str| [rule, id, "r"].map(str::to_owned);
    Told {
        rules: vec![],
        suppressed: by.iter().map(entry).collect(),
    }
}

/// Checks what is told about a record in all its shapes, each in all wrappings.
fn check(name: &str, yaml: &str, shapes: &[(&str, String)], expected: &Told) {
    let without = compile(pack::built_in(), vec![]);
    let with = built_in(yaml);
    let rule = expected.rules.first();
    let rule = rule.unwrap_or_else(|| &expected.suppressed[0][0]);
    for (shape, record) in shapes {
        for (wrapping, line) in wrapped(record.as_bytes()) {
            let what = format!(
                "{name}: {shape}, {wrapping}: {}",
                String::from_utf8_lossy(&line)
            );
            assert_eq!(told(&without, &line, now()), Some(stands(rule)), "{what}");
            assert_eq!(
                told(&with, &line, now()).as_ref(),
                Some(expected),
                "{what}\n{yaml}"
            );
        }
    }
}

fn member(name: &str, upn: &str, tenant: &str) -> Value {
    let mut member = json!({"DisplayName": name, "Role": 1});
    if !upn.is_empty() {
        member["UPN"] = upn.into();
    }
    if !tenant.is_empty() {
        member["OrganizationId"] = tenant.into();
    }
    member
}

fn victim() -> Value {
    member("Vic Tim", "vic@home.example", HOME)
}

/// A new chat with a foreign tenant, opened by `user`.
fn chat(user: &str, members: &[Value], tenants: &[&str]) -> Value {
    json!({
        "CreationTime": "2026-11-20T11:00:00",
        "Id": "1",
        "Operation": "ChatCreated",
        "OrganizationId": HOME,
        "RecordType": 25,
        "Workload": "MicrosoftTeams",
        "UserId": user,
        "ChatThreadId": "19:x",
        "CommunicationType": "OneOnOne",
        "Members": members,
        "ParticipantInfo": {
            "HasForeignTenantUsers": true,
            "HasGuestUsers": false,
            "HasOtherGuestUsers": false,
            "ParticipatingTenantIds": tenants,
        },
    })
}

/// A chat raw, and as ECS documents.
fn audit_shapes(raw: &Value) -> Vec<(&'static str, String)> {
    let user = raw["UserId"].as_str().unwrap();
    let mut nested = json!({
        "@timestamp": "2026-11-20T11:00:00Z",
        "data_stream": {"dataset": "o365.audit"},
        "event": {"action": "ChatCreated", "provider": "MicrosoftTeams", "outcome": "success"},
        "user": {"id": user},
        "o365": {"audit": raw},
    });
    if let [name, domain] = user.split('@').collect::<Vec<_>>()[..] {
        nested["user"]["email"] = user.into();
        nested["user"]["name"] = name.into();
        nested["user"]["domain"] = domain.into();
    }
    let mut dotted = serde_json::Map::new();
    flatten("", &nested, &mut dotted);
    let mut mixed = nested.clone();
    mixed.as_object_mut().unwrap().remove("o365");
    mixed["o365.audit"] = raw.clone();
    vec![
        ("raw", raw.to_string()),
        ("ECS, nested", nested.to_string()),
        ("ECS, dotted", Value::Object(dotted).to_string()),
        ("ECS, mixed", mixed.to_string()),
    ]
}

/// Objects as dotted keys; what is in arrays stays.
fn flatten(path: &str, value: &Value, out: &mut serde_json::Map<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, out);
            }
        }
        value => {
            out.insert(path.to_owned(), value.clone());
        }
    }
}

const NOBODY: &[&str] = &[];

#[test]
fn rule_a_by_the_address() {
    const DOMAIN: &str = "- {id: e, reason: r, domain: msp.example}";
    const BELOW: &str = "- {id: e, reason: r, domain: .msp.example}";
    const TENANT: &str = "- {id: e, reason: r, tenant_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}";
    const EMAIL: &str = "- {id: e, reason: r, email: IT-Support@msp.example}";
    const BOTH: &str = "- {id: e, reason: r, tenant_id: [3f2504e0-4f89-41d3-9a0c-0305e82c3301, 11111111-2222-4333-8444-555555555555]}";
    // (exceptions, the chat's creator, their tenant in Members, is the match suppressed)
    for (yaml, user, tenant, trusted) in [
        (DOMAIN, "helpdesk@msp.example", EVIL, true),
        (DOMAIN, "helpdesk@MSP.Example", EVIL, true),
        (DOMAIN, "helpdesk@eu.msp.example", MSP, false),
        (DOMAIN, "helpdesk@evil-msp.example", MSP, false),
        (DOMAIN, "helpdesk@msp.example.evil.test", MSP, false),
        (DOMAIN, "helpdesk@msp.example.", MSP, false),
        (DOMAIN, "helpdesk@.msp.example", MSP, false),
        (DOMAIN, "helpdesk@msp.example ", MSP, false),
        (DOMAIN, "helpdesk @msp.example", MSP, false),
        (DOMAIN, "helpdesk@msp\u{200b}.example", MSP, false),
        (DOMAIN, "help\u{0}it-support@msp.example", MSP, false),
        (BELOW, "helpdesk@eu.msp.example", EVIL, true),
        (BELOW, "helpdesk@a.b.MSP.example", EVIL, true),
        (BELOW, "helpdesk@msp.example", MSP, false),
        (BELOW, "helpdesk@evilmsp.example", MSP, false),
        (EMAIL, "it-support@MSP.example", EVIL, true),
        (EMAIL, "xit-support@msp.example", MSP, false),
        (EMAIL, "it-support@eu.msp.example", MSP, false),
        (TENANT, "helpdesk@evil.test", MSP, true),
        (
            TENANT,
            "helpdesk@evil.test",
            "3F2504E0-4F89-41D3-9A0C-0305E82C3301",
            true,
        ),
        (TENANT, "helpdesk@evil.test", EVIL, false),
        (
            TENANT,
            "helpdesk@evil.test",
            "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
            false,
        ),
        // Not known from Members: then all who take part must be trusted.
        (TENANT, "helpdesk@evil.test", "", false),
        (BOTH, "helpdesk@evil.test", "", true),
        (BOTH, "helpdesk@evil.test", EVIL, false),
    ] {
        let creator = member("Bob", user, tenant);
        let record = chat(user, &[creator, victim()], &[MSP, HOME]);
        let expected = if trusted {
            suppressed(RULE_A, &["e"])
        } else {
            stands(RULE_A)
        };
        check(
            &format!("{user} {tenant}"),
            yaml,
            &audit_shapes(&record),
            &expected,
        );
    }
}

#[test]
fn rule_a_by_a_member() {
    const DOMAIN: &str = "- {id: d, reason: r, domain: msp.example}";
    const TENANT: &str = "- {id: t, reason: r, tenant_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}";
    const MANY: &str = "
- {id: home, reason: r, tenant_id: 11111111-2222-4333-8444-555555555555}
- {id: t, reason: r, tenant_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}
- {id: d, reason: r, domain: msp.example}
";
    let help = |upn: &str, tenant: &str| member("Help Desk", upn, tenant);
    let bob = "bob@evil.test";
    let none: &[&str] = NOBODY;
    // (exceptions, creator, members, who takes part, exceptions that suppress)
    for (yaml, user, members, tenants, by) in [
        (
            DOMAIN,
            bob,
            vec![help("x@msp.example", EVIL)],
            &[EVIL][..],
            &["d"][..],
        ),
        (
            DOMAIN,
            bob,
            vec![help("x@MSP.EXAMPLE", "")],
            &[EVIL],
            &["d"],
        ),
        (DOMAIN, bob, vec![help("x@evil.test", MSP)], &[MSP], none),
        (
            DOMAIN,
            bob,
            vec![help("x@evil.test@msp.example", MSP)],
            &[MSP],
            none,
        ),
        (DOMAIN, bob, vec![help("x@msp.example.", MSP)], &[MSP], none),
        (DOMAIN, bob, vec![help("msp.example", MSP)], &[MSP], none),
        (
            DOMAIN,
            "x@msp.example",
            vec![help("y@evil.test", MSP)],
            &[MSP],
            none,
        ),
        (TENANT, bob, vec![help("x@evil.test", MSP)], &[EVIL], &["t"]),
        (TENANT, bob, vec![help("x@msp.example", EVIL)], &[MSP], none),
        // Whose tenant is not known is trusted if all who take part are.
        (TENANT, bob, vec![help("x@evil.test", "")], &[MSP], &["t"]),
        (TENANT, bob, vec![help("", "")], &[MSP], &["t"]),
        (TENANT, bob, vec![help("", "")], &[MSP, HOME], none),
        (TENANT, bob, vec![help("", "")], &[], none),
        (TENANT, bob, vec![json!("Help Desk")], &[MSP], &["t"]),
        (
            TENANT,
            bob,
            vec![json!(["Help Desk", {"UPN": "x@msp.example"}])],
            &[EVIL],
            none,
        ),
        (MANY, bob, vec![help("", "")], &[MSP, HOME], &["home", "t"]),
        (MANY, bob, vec![help("", EVIL)], &[MSP, HOME], none),
        // The tenant decides only if the address does not.
        (MANY, bob, vec![help("x@msp.example", HOME)], &[], &["d"]),
        // Several who pose: each must be trusted.
        (
            DOMAIN,
            bob,
            vec![help("x@msp.example", MSP), help("y@evil.test", EVIL)],
            &[MSP],
            none,
        ),
        (
            DOMAIN,
            bob,
            vec![help("y@evil.test", MSP), help("x@msp.example", MSP)],
            &[MSP],
            none,
        ),
        (
            DOMAIN,
            bob,
            vec![
                help("x@msp.example", MSP),
                member("Microsoft Support", "y@evil.test", MSP),
            ],
            &[MSP],
            none,
        ),
        (
            MANY,
            bob,
            vec![
                help("x@msp.example", EVIL),
                member("Microsoft Support", "y@evil.test", MSP),
            ],
            &[EVIL],
            &["t", "d"],
        ),
        // Address and member at once.
        (
            "- {id: d, reason: r, domain: msp.example}",
            "helpdesk@msp.example",
            vec![help("helpdesk@msp.example", MSP)],
            &[],
            &["d"],
        ),
        (
            DOMAIN,
            "helpdesk@msp.example",
            vec![help("x@evil.test", MSP)],
            &[MSP],
            none,
        ),
        (
            DOMAIN,
            "helpdesk@evil.test",
            vec![help("x@msp.example", MSP)],
            &[MSP],
            none,
        ),
        (
            MANY,
            "helpdesk@msp.example",
            vec![help("x@evil.test", MSP)],
            &[],
            &["t", "d"],
        ),
        // Keys that hold several texts: each must be trusted.
        (
            DOMAIN,
            bob,
            vec![json!({"DisplayName": "Help Desk", "UPN": ["x@msp.example", "y@evil.test"]})],
            &[MSP],
            none,
        ),
        (
            DOMAIN,
            bob,
            vec![json!({"DisplayName": "Help Desk", "UPN": ["x@msp.example", "y@msp.example"]})],
            &[],
            &["d"],
        ),
        (
            DOMAIN,
            bob,
            vec![
                json!({"DisplayName": "Help Desk", "UPN": "x@msp.example", "UPN.old": "y@evil.test"}),
            ],
            &[],
            none,
        ),
        (
            DOMAIN,
            bob,
            vec![json!({"DisplayName": "Help Desk", "UPN": 7})],
            &[MSP],
            none,
        ),
        (
            TENANT,
            bob,
            vec![json!({"DisplayName": "Help Desk", "OrganizationId": [MSP, EVIL]})],
            &[MSP],
            none,
        ),
        (
            TENANT,
            bob,
            vec![json!({"DisplayName": "Help Desk", "OrganizationId": ""})],
            &[MSP],
            none,
        ),
        (
            TENANT,
            bob,
            vec![json!({"DisplayName": "Help Desk", "OrganizationId": null})],
            &[MSP],
            &["t"],
        ),
    ] {
        let mut members = members;
        members.push(victim());
        let record = chat(user, &members, tenants);
        let expected = match by {
            [] => stands(RULE_A),
            by => {
                // In the order of the exceptions.
                suppressed(RULE_A, by)
            }
        };
        check(
            &record["Members"].to_string(),
            yaml,
            &audit_shapes(&record),
            &expected,
        );
    }
}

#[test]
fn display_names_are_no_ground() {
    let yaml = "- {id: e, reason: r, domain: desk.example, email: help@desk.example}";
    let members = [
        member("Help Desk", "", ""),
        member("help@desk.example", "x@evil.test", EVIL),
    ];
    let record = chat("bob@evil.test", &members, &[EVIL]);
    check(
        "display name",
        yaml,
        &audit_shapes(&record),
        &stands(RULE_A),
    );
}

/// A raw chat whose text is edited, for what `serde_json` cannot write.
fn edited(record: &Value, from: &str, to: &str) -> [(&'static str, String); 1] {
    let text = record.to_string();
    assert!(text.contains(from), "{text}");
    [("raw", text.replace(from, to))]
}

#[test]
fn a_second_key_hides_nobody() {
    const DOMAIN: &str = "- {id: e, reason: r, domain: msp.example}";
    const TENANT: &str = "- {id: e, reason: r, tenant_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}";
    let record = chat(
        "bob@evil.test",
        &[member("Help Desk", "x@msp.example", MSP), victim()],
        &[MSP, HOME],
    );
    let all = suppressed(RULE_A, &["e"]);
    let upn = r#""UPN":"x@msp.example""#;
    for (yaml, from, to, expected) in [
        (
            DOMAIN,
            upn,
            r#""UPN":"x@msp.example","UPN":"x@msp.example""#,
            &all,
        ),
        (
            DOMAIN,
            upn,
            r#""UPN":"x@msp.example","UPN":"y@evil.test""#,
            &stands(RULE_A),
        ),
        (
            DOMAIN,
            upn,
            r#""UPN":"y@evil.test","UPN":"x@msp.example""#,
            &stands(RULE_A),
        ),
        (
            DOMAIN,
            upn,
            r#""U\u0050N":"y@evil.test","UPN":"x@msp.example""#,
            &stands(RULE_A),
        ),
        (DOMAIN, upn, r#""UPN":"x@\u006dsp.ex\u0061mple""#, &all),
        (
            TENANT,
            &format!(r#""OrganizationId":"{MSP}""#),
            &format!(r#""OrganizationId":"{MSP}","OrganizationId":"{EVIL}""#),
            &stands(RULE_A),
        ),
        (
            DOMAIN,
            r#""Members":["#,
            r#""Members":{"DisplayName":"Help Desk","UPN":"y@evil.test"},"Members":["#,
            &stands(RULE_A),
        ),
    ] {
        // The dotted form spells the list's key in full.
        let shapes = audit_shapes(&record);
        let edited = shapes.into_iter().filter_map(|(shape, text)| {
            text.contains(from).then(|| (shape, text.replace(from, to)))
        });
        check(to, yaml, &edited.collect::<Vec<_>>(), expected);
    }
    // Two user ids: either may be the one.
    let record = chat("helpdesk@msp.example", &[victim()], &[MSP, HOME]);
    for (to, expected) in [
        (
            r#""UserId":"helpdesk@msp.example","UserId":"x@msp.example""#,
            &all,
        ),
        (
            r#""UserId":"helpdesk@msp.example","UserId":"x@evil.test""#,
            &stands(RULE_A),
        ),
        (
            r#""UserId":"helpdesk@msp.example","UserId":"a@evil.test@b""#,
            &stands(RULE_A),
        ),
        (
            r#""UserId":"helpdesk@msp.example","UserId":"evil""#,
            &stands(RULE_A),
        ),
    ] {
        let raw = edited(&record, r#""UserId":"helpdesk@msp.example""#, to);
        check(to, DOMAIN, &raw, expected);
    }
    // Two addresses, of which Members knows the tenant of one.
    let known = member("Bob", "helpdesk@a.example", MSP);
    let record = chat("helpdesk@a.example", &[known, victim()], &[MSP, HOME]);
    check("one address", TENANT, &audit_shapes(&record), &all);
    let to = r#""UserId":"helpdesk@a.example","UserId":"helpdesk@evil.test""#;
    let raw = edited(&record, r#""UserId":"helpdesk@a.example""#, to);
    check("two addresses", TENANT, &raw, &stands(RULE_A));
}

#[test]
fn the_tenant_of_an_address_is_that_of_every_member_with_it() {
    const TENANT: &str = "- {id: e, reason: r, tenant_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}";
    let all = suppressed(RULE_A, &["e"]);
    let user = "helpdesk@a.example";
    for (upn, tenants, expected) in [
        ("HelpDesk@A.example", &[MSP][..], &all),
        (user, &[MSP, MSP], &all),
        (user, &[MSP, EVIL], &stands(RULE_A)),
        (user, &[EVIL, MSP], &stands(RULE_A)),
        // One of unknown tenant: all who take part would have to be trusted.
        (user, &[MSP, ""], &stands(RULE_A)),
        ("other@a.example", &[MSP], &stands(RULE_A)),
    ] {
        let mut members: Vec<Value> = tenants.iter().map(|id| member("Bob", upn, id)).collect();
        members.push(victim());
        let record = chat(user, &members, &[MSP, HOME]);
        check(
            &format!("{upn} {tenants:?}"),
            TENANT,
            &audit_shapes(&record),
            expected,
        );
    }
}

#[test]
fn members_as_dotted_keys_are_nobody_in_particular() {
    let tenants = format!(
        "- {{id: e, reason: r, domain: msp.example}}\n- {{id: t, reason: r, tenant_id: {MSP}}}"
    );
    let record = chat(
        "bob@evil.test",
        &[member("Help Desk", "x@msp.example", EVIL), victim()],
        &[EVIL, HOME],
    );
    let dotted =
        r#","Members.DisplayName":"Help Desk","Members.UPN":"x@msp.example","ParticipantInfo""#;
    let [(_, text), ..] = &audit_shapes(&record)[..] else {
        panic!()
    };
    let untrusted = text.replace(r#","ParticipantInfo""#, dotted);
    check(
        "dotted",
        &tenants,
        &[("raw", untrusted.clone())],
        &stands(RULE_A),
    );
    let trusted = untrusted.replace(
        &format!(r#""ParticipatingTenantIds":["{EVIL}","{HOME}"]"#),
        &format!(r#""ParticipatingTenantIds":["{MSP}"]"#),
    );
    check(
        "dotted",
        &tenants,
        &[("raw", trusted)],
        &suppressed(RULE_A, &["e", "t"]),
    );
}

#[test]
fn names_that_are_not_utf_8_are_nobody() {
    let matcher = built_in("- {id: e, reason: r, domain: msp.example}");
    let record = chat(
        "bob@evil.test",
        &[member("Help Desk", "q@msp.example", EVIL)],
        &[],
    );
    let line = record.to_string();
    assert_eq!(
        told(&matcher, line.as_bytes(), now()),
        Some(suppressed(RULE_A, &["e"]))
    );
    let at = line.find("q@").unwrap();
    let mut bytes = line.into_bytes();
    bytes[at] = 0xFF;
    let output = tag(&mut styled(matcher, Style::Minimal), &bytes, now());
    let end = format!(r#","poseur":{{"rules":["{RULE_A}"]}}}}"#);
    assert!(output.ends_with(end.as_bytes()));
}

fn recipient(name: &str, address: &str) -> Value {
    json!({
        "RecipientSmtpAddress": address,
        "RecipientDisplayName": name,
        "RecipientObjectId": "00000000-0000-0000-0000-000000000000",
        "RecipientType": "User",
    })
}

/// A message in an external thread: rows and streaming records, recipients natively and as text.
fn message_shapes(sender: &str, recipients: &[Value]) -> Vec<(&'static str, String)> {
    let list = json!(recipients);
    let row = |details: Value| {
        json!({
            "Timestamp": "2026-11-19T08:00:00.1234567Z",
            "SenderEmailAddress": sender,
            "RecipientDetails": details,
            "IsExternalThread": true,
        })
    };
    let streamed = |details| {
        json!({
            "time": "2026-11-19T08:05:00Z",
            "tenantId": HOME,
            "category": "AdvancedHunting-MessageEvents",
            "properties": row(details),
        })
    };
    let text = || json!(format!(" {list}\n"));
    vec![
        ("row", row(list.clone()).to_string()),
        ("row with text", row(text()).to_string()),
        (
            "row with a mark",
            row(json!(format!("\u{FEFF}{list}"))).to_string(),
        ),
        ("streamed", streamed(list.clone()).to_string()),
        ("streamed with text", streamed(text()).to_string()),
    ]
}

#[test]
fn rule_b() {
    const DOMAIN: &str = "- {id: e, reason: r, domain: [msp.example, .partner.example]}";
    const EMAIL: &str = "- {id: e, reason: r, email: desk@other.example}";
    const TENANT: &str = "- {id: e, reason: r, tenant_id: 11111111-2222-4333-8444-555555555555}";
    let ann = || recipient("Ann Lee", "ann@home.example");
    let by = suppressed(RULE_B, &["e"]);
    let left = stands(RULE_B);
    for (yaml, recipients, expected) in [
        (
            DOMAIN,
            vec![recipient("Help Desk", "x@msp.example"), ann()],
            &by,
        ),
        (DOMAIN, vec![recipient("Help Desk", "x@MSP.example")], &by),
        (
            DOMAIN,
            vec![recipient("Help Desk", "x@eu.partner.example")],
            &by,
        ),
        (
            DOMAIN,
            vec![recipient("Help Desk", "x@partner.example")],
            &left,
        ),
        (DOMAIN, vec![recipient("Help Desk", "x@evil.test")], &left),
        (
            DOMAIN,
            vec![recipient("Help Desk", "x@evil.test@msp.example")],
            &left,
        ),
        (
            DOMAIN,
            vec![recipient("Help Desk", "x@msp.example.")],
            &left,
        ),
        (DOMAIN, vec![recipient("Help Desk", "")], &left),
        // The words may stand in the address.
        (DOMAIN, vec![recipient("Bob", "helpdesk@msp.example")], &by),
        (DOMAIN, vec![recipient("Bob", "helpdesk@evil.test")], &left),
        (EMAIL, vec![recipient("Help", "DESK@Other.example")], &by),
        (EMAIL, vec![recipient("Help", "desk@evil.test")], &left),
        // A recipient has no tenant.
        (TENANT, vec![recipient("Help Desk", "x@msp.example")], &left),
        // A trusted recipient hides no impostor.
        (
            DOMAIN,
            vec![
                recipient("Help Desk", "x@msp.example"),
                recipient("Help Desk", "y@evil.test"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![
                recipient("Help Desk", "x@evil.test"),
                recipient("Help Desk", "y@msp.example"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![
                recipient("Help Desk", "x@msp.example"),
                recipient("IT Support", "y@evil.test"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![
                recipient("Help Desk", "x@msp.example"),
                recipient("desk", "y@evil.test"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![
                recipient("Help Desk", "x@msp.example"),
                recipient("IT Support", "y@msp.example"),
            ],
            &by,
        ),
        // Words spread over recipients: each who holds one must be trusted.
        (
            DOMAIN,
            vec![
                recipient("Help", "x@msp.example"),
                recipient("Desk", "y@evil.test"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![
                recipient("Help", "x@evil.test"),
                recipient("Desk", "y@msp.example"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![
                recipient("Help", "x@msp.example"),
                recipient("Desk", "y@a.partner.example"),
            ],
            &by,
        ),
        // The sender does not speak for the recipients.
        (
            DOMAIN,
            vec![
                recipient("Help Desk", ""),
                recipient("Bob", "x@msp.example"),
            ],
            &left,
        ),
        (
            DOMAIN,
            vec![json!({"RecipientDisplayName": "Help Desk"})],
            &left,
        ),
        (DOMAIN, vec![json!("Help Desk <x@msp.example>")], &left),
        (
            DOMAIN,
            vec![json!([recipient("Help Desk", "x@msp.example")])],
            &left,
        ),
    ] {
        let shapes = message_shapes("bob@msp.example", &recipients);
        check(&json!(recipients).to_string(), yaml, &shapes, expected);
    }
}

#[test]
fn rule_b_where_nobody_can_be_told_apart() {
    let matcher = built_in("- {id: e, reason: r, domain: msp.example}");
    for details in [
        json!("Help Desk"),
        json!("Help Desk <x@msp.example>"),
        json!("x@msp.example help desk"),
        json!("[{\"RecipientSmtpAddress\":\"helpdesk@msp.example\"}"),
        json!(json!(json!([recipient("Help Desk", "x@msp.example")]).to_string()).to_string()),
    ] {
        let row = json!({
            "Timestamp": "2026-11-19T08:00:00Z",
            "SenderEmailAddress": "x@msp.example",
            "RecipientDetails": details,
            "IsExternalThread": true,
        });
        let line = row.to_string();
        assert_eq!(
            told(&matcher, line.as_bytes(), now()),
            Some(stands(RULE_B)),
            "{line}"
        );
    }
    // One recipient, not in a list.
    let row = json!({
        "Timestamp": "2026-11-19T08:00:00Z",
        "RecipientDetails": recipient("Help Desk", "x@msp.example"),
        "IsExternalThread": true,
    });
    let by = suppressed(RULE_B, &["e"]);
    assert_eq!(told(&matcher, row.to_string().as_bytes(), now()), Some(by));
    // Two lists under the same key.
    let two = row.to_string().replace(
        r#""RecipientDetails":{"#,
        r#""RecipientDetails":[{"RecipientDisplayName":"help desk"}],"RecipientDetails":{"#,
    );
    assert_eq!(
        told(&matcher, two.as_bytes(), now()),
        Some(stands(RULE_B)),
        "{two}"
    );
}

#[test]
fn the_pack_of_known_services() {
    let without = compile(pack::built_in(), vec![]);
    let known = compile(pack::built_in(), exception::known_services());
    let empty = compile(pack::built_in(), exception::pack("partners").unwrap());
    let scenarios = [
        (
            "known-cloud-backup",
            "Backup Help Desk",
            "noreply@aws.amazon.com",
        ),
        (
            "known-cloud-backup",
            "IT support",
            "backup@storage.googleapis.com",
        ),
        (
            "known-support-portal",
            "IT Support",
            "case@support.microsoft.com",
        ),
        ("known-support-portal", "Help Desk", "case@salesforce.com"),
        ("known-saas-integration", "IT Support", "bot@servicenow.com"),
        ("known-saas-integration", "Help Desk", "bot@Atlassian.com"),
        (
            "known-monitoring",
            "Monitor IT support",
            "alert@datadoghq.com",
        ),
        ("known-monitoring", "working from home", "alert@splunk.com"),
    ];
    for (id, name, address) in scenarios {
        for (shape, line) in message_shapes("bob@home.example", &[recipient(name, address)]) {
            let told = |matcher| told(matcher, line.as_bytes(), now()).unwrap();
            assert_eq!(told(&without), stands(RULE_B), "{shape} {line}");
            assert_eq!(told(&empty), stands(RULE_B), "{shape} {line}");
            let Told { rules, suppressed } = told(&known);
            assert_eq!(rules, [""; 0], "{shape} {line}");
            assert_eq!(suppressed.len(), 1);
            assert_eq!(suppressed[0][..2], [RULE_B, id]);
        }
    }
    for address in [
        "x@evil.onmicrosoft.com",
        "x@microsoft.com",
        "x@bucket.storage.googleapis.com",
        "x@amazon.com",
        "x@support-microsoft.com",
        "x@splunk.com.evil.test",
    ] {
        let shapes = message_shapes("bob@home.example", &[recipient("Help Desk", address)]);
        for (_, line) in shapes {
            assert_eq!(
                told(&known, line.as_bytes(), now()),
                Some(stands(RULE_B)),
                "{line}"
            );
        }
    }
    // The fifth kind is empty until the operator fills it in.
    let partner = message_shapes(
        "bob@home.example",
        &[recipient("Help Desk", "x@msp.example")],
    );
    let (_, text) = exception::PACKS
        .iter()
        .find(|(name, _)| *name == "known-services")
        .unwrap();
    let filled = text.replace("  template: true\n  domain: []", "  domain: [msp.example]");
    assert_ne!(filled, *text);
    let filled = built_in(&filled);
    for (shape, line) in partner {
        assert_eq!(
            told(&known, line.as_bytes(), now()),
            Some(stands(RULE_B)),
            "{shape}"
        );
        let told = told(&filled, line.as_bytes(), now()).unwrap();
        assert_eq!(
            told.suppressed[0][1], "known-partner-collaboration",
            "{shape}"
        );
    }
    // The pack is for that rule alone.
    let members = [member("Help Desk", "x@splunk.com", EVIL), victim()];
    for (_, line) in audit_shapes(&chat("helpdesk@splunk.com", &members, &[])) {
        assert_eq!(
            told(&known, line.as_bytes(), now()),
            Some(stands(RULE_A)),
            "{line}"
        );
    }
}

#[test]
fn in_force_until_they_expire() {
    let record = chat("helpdesk@msp.example", &[victim()], &[]).to_string();
    let by = |told: Option<Told>| told.unwrap().suppressed.len();
    for (expires, at, expected) in [
        ("2026-11-20", "2026-11-20T23:59:59.999999999Z", 1),
        ("2026-11-20", "2026-11-21T00:00:00Z", 0),
        ("2026-11-20T17:00:00+01:00", "2026-11-20T15:59:59Z", 1),
        ("2026-11-20T17:00:00+01:00", "2026-11-20T16:00:00Z", 0),
        ("2020-01-01", "2026-11-20T12:00:00Z", 0),
    ] {
        let yaml = format!("- {{id: e, reason: r, expires: \"{expires}\", domain: msp.example}}");
        let matcher = built_in(&yaml);
        let at: Timestamp = at.parse().unwrap();
        assert_eq!(
            by(told(&matcher, record.as_bytes(), at)),
            expected,
            "{expires} {at}"
        );
        // Another one that is in force takes over.
        let yaml = format!("{yaml}\n- {{id: f, reason: r, email: helpdesk@msp.example}}");
        let told = told(&built_in(&yaml), record.as_bytes(), at);
        let name = if expected == 1 { "e" } else { "f" };
        assert_eq!(told, Some(suppressed(RULE_A, &[name])), "{expires} {at}");
    }
}

/// The built-in rules and one that every chat satisfies, in `extra`.
fn with_extra() -> Vec<Rule> {
    let mut rules = pack::built_in();
    rules.extend(sigma_rule(
        "extra",
        "  s: {event.action: ChatCreated}\n  condition: s",
        "level: low",
    ));
    rules
}

#[test]
fn exceptions_concern_the_rules_they_name() {
    let record = chat("helpdesk@msp.example", &[victim()], &[]).to_string();
    for (rules, left, gone) in [
        ("all", &[][..], &[RULE_A, "extra"][..]),
        (RULE_A, &["extra"], &[RULE_A]),
        (RULE_B, &[RULE_A, "extra"], &[]),
        ("extra", &[RULE_A], &["extra"]),
        ("[extra, no-such-rule]", &[RULE_A], &["extra"]),
    ] {
        let yaml = format!("- {{id: e, reason: r, rules: {rules}, domain: msp.example}}");
        let matcher = compile(with_extra(), load(&yaml));
        for (wrapping, line) in wrapped(record.as_bytes()) {
            let told = told(&matcher, &line, now()).unwrap();
            assert_eq!(told.rules, left, "{rules} {wrapping}");
            let rules: Vec<&str> = told
                .suppressed
                .iter()
                .map(|entry| entry[0].as_str())
                .collect();
            assert_eq!(rules, gone, "{rules:?} {wrapping}");
        }
    }
    // Level and technique are those of what is left.
    let yaml = format!("- {{id: e, reason: r, rules: {RULE_A}, domain: msp.example}}");
    let mut tagger = styled(compile(with_extra(), load(&yaml)), Style::Namespace);
    let output: Value = serde_json::from_slice(&tag(&mut tagger, &record, now())).unwrap();
    let tag = &output["poseur"];
    assert_eq!(tag["level"], "low");
    assert_eq!(tag.get("risk_score").or(tag.get("technique")), None);
    let counts = tagger.counts();
    assert_eq!(
        (counts.matched, counts.matches, counts.suppressed),
        (1, 1, 1)
    );
}

#[test]
fn a_record_whose_every_match_is_suppressed_says_so() {
    let record = chat("helpdesk@msp.example", &[victim()], &[]).to_string();
    let matcher =
        built_in("- {id: contoso-msp, reason: \"Contract \\\"4711\\\"\", domain: msp.example}");
    let mut tagger = styled(matcher, Style::Namespace);
    let output = String::from_utf8(tag(&mut tagger, &record, now())).unwrap();
    let expected = concat!(
        r#","poseur":{"rules":[],"suppressed":[{"rule":"e8e7b6b6-78b0-4015-97fe-c2f28468e0d4","#,
        r#""exception":"contoso-msp","reason":"Contract \"4711\""}]}}"#
    );
    assert_eq!(output, format!("{}{expected}", &record[..record.len() - 1]));
    let counts = tagger.counts();
    assert_eq!(
        (counts.matched, counts.matches, counts.suppressed),
        (0, 0, 1)
    );
}

#[test]
fn each_payload_of_an_envelope_is_asked_about() {
    let matcher = built_in("- {id: e, reason: r, domain: msp.example}");
    let good = chat("helpdesk@msp.example", &[victim()], &[]);
    let bad = chat("helpdesk@evil.test", &[victim()], &[]);
    let both = Told {
        rules: vec![RULE_A.to_owned()],
        ..suppressed(RULE_A, &["e"])
    };
    for (payloads, expected) in [
        (vec![&good, &good], &suppressed(RULE_A, &["e"])),
        (vec![&good, &bad], &both),
        (vec![&bad, &good], &both),
        (vec![&bad, &bad], &stands(RULE_A)),
    ] {
        let line = json!({"message": json!(payloads).to_string()}).to_string();
        assert_eq!(
            told(&matcher, line.as_bytes(), now()).as_ref(),
            Some(expected),
            "{line}"
        );
    }
}

#[test]
fn sigma_filters() {
    let filter = |rules: &str, filter: &str| {
        format!(
            "title: Our own service desk\nid: own-desk\ndescription: r\n\
             logsource: {{product: m365}}\nfilter:\n  rules: {rules}\n{filter}\n"
        )
    };
    let ours = "  desk: {user.domain: msp.example, o365.audit.ResourceTenantId: null}\n  condition: not desk";
    let good = chat("helpdesk@msp.example", &[victim()], &[]);
    let bad = chat("helpdesk@evil.test", &[victim()], &[]);
    let by = suppressed(RULE_A, &["own-desk"]);
    let left = stands(RULE_A);
    for (rules, record, expected) in [
        ("any", &good, &by),
        ("any", &bad, &left),
        (&format!("[{RULE_A}]"), &good, &by),
        ("[M365 Teams Rogue Help Desk Chat Created]", &good, &by),
        (&format!("[{RULE_B}]"), &good, &left),
        ("[no-such-rule]", &good, &left),
    ] {
        let mut loader = Loader::new();
        loader.text("filter.yml", &filter(rules, ours));
        loader.built_in();
        let loaded = loader.finish();
        assert_eq!(loaded.refused, []);
        let matcher = compile(loaded.rules, loaded.filters);
        for (shape, record) in audit_shapes(record) {
            for (wrapping, line) in wrapped(record.as_bytes()) {
                let told = told(&matcher, &line, now());
                assert_eq!(told.as_ref(), Some(expected), "{rules} {shape} {wrapping}");
            }
        }
    }
    // A filter for other logs.
    let mut loader = Loader::new();
    loader.built_in();
    loader.text("f.yml", &filter("any", ours).replace("m365", "windows"));
    let loaded = loader.finish();
    let matcher = compile(loaded.rules, loaded.filters);
    assert_eq!(
        told(&matcher, good.to_string().as_bytes(), now()),
        Some(left)
    );
}

#[test]
fn a_party_counts_though_the_alternatives_lie_elsewhere() {
    // Whoever poses is fixed; what could be this or that is not about anybody.
    let rules = sigma_rule(
        "x",
        "  who: {o365.audit.Members: Help Desk}\n  a: {o365.audit.CommunicationType: OneOnOne}\n  \
         b: {o365.audit.CommunicationType: Group}\n  condition: who and (a or b)",
        "",
    );
    let matcher = compile(rules, load("- {id: e, reason: r, domain: msp.example}"));
    for (user, upn, expected) in [
        ("bob@msp.example", "x@evil.test", stands("x")),
        ("bob@msp.example", "x@msp.example", suppressed("x", &["e"])),
        ("bob@evil.test", "x@msp.example", suppressed("x", &["e"])),
    ] {
        let record = chat(user, &[member("Help Desk", upn, EVIL), victim()], &[]);
        for (shape, line) in audit_shapes(&record) {
            let told = told(&matcher, line.as_bytes(), now());
            assert_eq!(told.as_ref(), Some(&expected), "{shape} {user} {upn}");
        }
    }
}

#[test]
fn rules_that_are_about_nobody_are_about_whoever_acted() {
    let rules = sigma_rules(
        "title: N\nid: n\nlogsource: {category: x}\ndetection:\n  s: {event.action: ChatCreated}\n  \
         t: {o365.audit.Members: Nobody}\n  condition: s and not t\n---\n\
         title: M\nid: m\nlogsource: {category: x}\ndetection:\n  s:\n    IsExternalThread: true\n    \
         RecipientDetails: null\n  condition: s\n",
    );
    let matcher = compile(rules, load("- {id: e, reason: r, domain: msp.example}"));
    let help = member("Help Desk", "x@evil.test", EVIL);
    for (user, trusted) in [("bob@msp.example", true), ("bob@evil.test", false)] {
        let expected = |rule| {
            if trusted {
                suppressed(rule, &["e"])
            } else {
                stands(rule)
            }
        };
        for (shape, line) in audit_shapes(&chat(user, std::slice::from_ref(&help), &[])) {
            let told = told(&matcher, line.as_bytes(), now());
            assert_eq!(told, Some(expected("n")), "{shape} {user}");
        }
        let row = json!({"IsExternalThread": 1, "SenderEmailAddress": user}).to_string();
        assert_eq!(
            told(&matcher, row.as_bytes(), now()),
            Some(expected("m")),
            "{user}"
        );
    }
    // Records of other products: the user, if there is one.
    let any = compile(
        sigma_rule("z", "  s: {kind: odd}\n  condition: s", ""),
        load("- {id: e, reason: r, domain: msp.example}"),
    );
    for (line, expected) in [
        (r#"{"kind":"odd"}"#, stands("z")),
        (
            r#"{"kind":"odd","user":{"email":"x@msp.example"}}"#,
            suppressed("z", &["e"]),
        ),
        (
            r#"{"kind":"odd","user":[{"email":"x@msp.example"},{"email":"y"}]}"#,
            stands("z"),
        ),
    ] {
        assert_eq!(told(&any, line.as_bytes(), now()), Some(expected), "{line}");
    }
}

#[test]
fn keywords_may_be_anybodys() {
    let rules = sigma_rule("k", "  words: [Help Desk]\n  condition: words", "");
    let matcher = compile(rules, load("- {id: e, reason: r, domain: msp.example}"));
    for (user, name, upn, expected) in [
        (
            "x@msp.example",
            "Help Desk",
            "x@msp.example",
            suppressed("k", &["e"]),
        ),
        // A trusted user does not speak for the member, nor the other way about.
        ("x@msp.example", "Help Desk", "y@evil.test", stands("k")),
        ("x@evil.test", "Help Desk", "y@msp.example", stands("k")),
    ] {
        let record = chat(user, &[member(name, upn, EVIL), victim()], &[]);
        let told = told(&matcher, record.to_string().as_bytes(), now());
        assert_eq!(told, Some(expected), "{user} {upn}");
    }
    // The word stands in no member: it is about whoever acted.
    let mut record = chat("x@msp.example", &[victim()], &[]);
    record["Topic"] = "Help Desk".into();
    let told = told(&matcher, record.to_string().as_bytes(), now());
    assert_eq!(told, Some(suppressed("k", &["e"])));
}

#[test]
fn what_takes_several_elements_is_nobodys() {
    let list = [
        recipient("Ann", "ann@msp.example"),
        recipient("Bob", "bob@msp.example"),
    ];
    for (detection, expected) in [
        ("RecipientDetails|contains: 'Ann'", suppressed("x", &["e"])),
        ("RecipientDetails|contains: '\"},{\"'", stands("x")),
        ("RecipientDetails|startswith: '[{'", stands("x")),
        (
            "RecipientDetails|contains|all: ['Ann', '\"},{\"']",
            stands("x"),
        ),
    ] {
        let rules = sigma_rule("x", &format!("  s: {{{detection}}}\n  condition: s"), "");
        let matcher = compile(rules, load("- {id: e, reason: r, domain: msp.example}"));
        for (shape, line) in message_shapes("ann@msp.example", &list) {
            let told = told(&matcher, line.as_bytes(), now());
            assert_eq!(told.as_ref(), Some(&expected), "{shape} {detection}");
        }
    }
}
