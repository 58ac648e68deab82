//! What is read of an Elastic rule file.

mod support;

use poseur_rule::elastic;
use poseur_rule::error::Place;
use poseur_rule::model::{Language, Level, LogSource, Rule};
use poseur_rule::types::Types;
use support::show;

fn rule(text: &str) -> Rule {
    let documents = elastic::read("r.toml", text, &Types::built_in());
    assert_eq!(documents.errors, [], "{text}");
    documents.rules.into_iter().next().expect("a rule")
}

/// The least that a file can hold, with these lines besides.
fn small(lines: &str) -> Rule {
    rule(&format!(
        "[rule]\nrule_id = 'i'\nname = 'n'\ntype = 'query'\nquery = 'a:b'\n{lines}\n"
    ))
}

#[test]
fn whole_file() {
    let rule = rule(
        r#"[metadata]
creation_date = "2026/11/20"
integration = ["o365"]
maturity = "production"

[transform]
[[transform.investigate]]
label = "no matter"

[rule]
author = ["One", "Two"]
description = """
A chat that claims to be the help desk.
"""
false_positives = ["A hired help desk."]
from = "now-9m"
index = ["logs-o365.audit-*", "filebeat-*"]
language = "kuery"
license = "whatever"
name = "Chat by a help desk"
references = ["https://example.org/a"]
risk_score = 73
rule_id = "52f0d0a3-61f9-4f7d-8a52-7d2f4f2f8d10"
severity = "high"
tags = ["Domain: Cloud"]
timestamp_override = "event.ingested"
type = "query"
query = '''
event.action: ChatCreated and user.name: *helpdesk*
'''

[[rule.exceptions_list]]
id = "endpoint_list"

[[rule.threat]]
framework = "MITRE ATT&CK"
[[rule.threat.technique]]
id = "T1566"
name = "Phishing"
[[rule.threat.technique.subtechnique]]
id = "t1566.003"
[rule.threat.tactic]
id = "TA0001"
name = "Initial Access"

[[rule.threat]]
framework = "MITRE ATT&CK"
tactic = { id = "TA0011", name = "Command and Control" }

[[rule.threat]]
framework = "Another"
tactic = { id = "X", name = "Not this" }

[rule.investigation_fields]
field_names = ["@timestamp", "user.name"]
"#,
    );
    assert_eq!(rule.id, "52f0d0a3-61f9-4f7d-8a52-7d2f4f2f8d10");
    assert_eq!(rule.title, "Chat by a help desk");
    assert_eq!(rule.description, "A chat that claims to be the help desk.");
    assert_eq!(rule.status.as_deref(), Some("production"));
    assert_eq!(rule.author.as_deref(), Some("One, Two"));
    assert_eq!((rule.level, rule.risk_score), (Level::High, Some(73)));
    assert_eq!(rule.techniques, ["T1566", "T1566.003"]);
    assert_eq!(rule.tactics, ["initial-access", "command-and-control"]);
    assert_eq!(rule.references, ["https://example.org/a"]);
    assert_eq!(rule.false_positives, ["A hired help desk."]);
    assert_eq!(rule.fields, ["@timestamp", "user.name"]);
    let indices = vec!["logs-o365.audit-*".to_owned(), "filebeat-*".to_owned()];
    assert_eq!(
        rule.log_source,
        LogSource {
            indices,
            ..LogSource::default()
        }
    );
    assert_eq!(rule.origin.language, Language::Kuery);
    assert_eq!(rule.origin.place, Place::new("r.toml", 10, 1));
    assert_eq!(
        show(&rule.condition),
        "(event.action=ChatCreated & user.name=*helpdesk*)"
    );
}

#[test]
fn little() {
    let plain = small("");
    assert_eq!((plain.level, plain.risk_score), (Level::Medium, None));
    assert_eq!((plain.status, plain.author), (None, None));
    for (word, level) in [
        ("low", Level::Low),
        ("Medium", Level::Medium),
        ("critical", Level::Critical),
    ] {
        assert_eq!(small(&format!("severity = '{word}'")).level, level);
    }
    assert_eq!(small("author = 'One'").author.as_deref(), Some("One"));
    assert_eq!(small("risk_score = 0x10").risk_score, Some(16));
    // A byte-order mark is no part of the first line.
    let marked = rule("\u{feff}[rule]\nrule_id = 'i'\nname = 'n'\ntype = 'query'\nquery = ''\n");
    assert_eq!(marked.origin.place, Place::new("r.toml", 1, 1));
    assert_eq!(show(&marked.condition), "()");
}

/// The query and the filters hold together.
#[test]
fn filters() {
    let table = [
        ("[]", "a=b"),
        (
            "[{meta = {disabled = true}, query = {nonsense = {}}}]",
            "a=b",
        ),
        ("[{query = {match_all = {}}}]", "(a=b & ())"),
        (
            "[{meta = {negate = true}, query = {exists = {field = 'f'}}}]",
            "(a=b & !f exists)",
        ),
        (
            "[{'$state' = {store = 'appState'}, meta = {negate = true}, exists = {field = 'f'}}]",
            "(a=b & !f exists)",
        ),
        (
            r"[{query = {wildcard = {'f.path' = {case_insensitive = true, value = '?:\\x\*\P*'}}}}]",
            r"(a=b & f.path~?:\x\*P*)",
        ),
        (
            "[{query = {wildcard = {f = 'a*'}}}, {query = {prefix = {f = {value = 'a*'}}}}]",
            r"(a=b & f=a* & f=a\**)",
        ),
        (
            "[{query = {term = {f = true}}}, {query = {term = {f = {value = 'X', case_insensitive = true}}}}]",
            "(a=b & f=true & f~X)",
        ),
        (
            "[{query = {terms = {f = ['x', 5]}}}]",
            "(a=b & (f=x | f=5))",
        ),
        (
            "[{query = {match_phrase = {message = 'two words'}}}]",
            "(a=b & message phrase 'two words')",
        ),
        (
            "[{query = {match_phrase = {'source.ip' = {query = '10.0.0.0/8'}}}}]",
            "(a=b & source.ip in 10.0.0.0/8)",
        ),
        (
            "[{query = {range = {f = {gte = 5, lt = 'x'}}}}]",
            "(a=b & (f >= '5' & f < 'x'))",
        ),
        (
            "[{query = {bool = {must = {term = {f = 1}}, must_not = [{exists = {field = 'g'}}], should = [{term = {h = 1}}]}}}]",
            "(a=b & (f=1 & !g exists))",
        ),
        (
            "[{query = {bool = {should = [{term = {f = 1}}, {term = {g = 2}}], minimum_should_match = 1}}}]",
            "(a=b & ((f=1 | g=2)))",
        ),
        (
            "[{query = {bool = {should = [{term = {f = 1}}, {term = {g = 2}}]}}}]",
            "(a=b & ((f=1 | g=2)))",
        ),
    ];
    for (filters, expected) in table {
        let rule = small(&format!("filters = {filters}"));
        assert_eq!(show(&rule.condition), expected, "{filters}");
    }
}
