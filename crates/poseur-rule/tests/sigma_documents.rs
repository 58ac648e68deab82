//! What Sigma documents carry besides their condition: metadata and filters.

mod support;

use poseur_rule::exception::Ground;
use poseur_rule::model::{Language, Level, LogSource};
use poseur_rule::sigma;
use support::show;

#[test]
fn metadata() {
    let text = "\
---
title: ' A title '
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
related: [{id: x, type: derived}]
status: test
description: |
  Two
  lines.
author: A, B
date: 2024-01-01
level: Critical
references:
  - https://example.org/a
  - https://example.org/b
falsepositives: Backups
fields: [a, b.c]
tags:
  - attack.initial-access
  - attack.Lateral_Movement
  - attack.initial_access
  - attack.t1566.003
  - attack.T1566
  - attack.t1566.003
  - attack.g0016
  - attack.s0154
  - attack.t15
  - cve.2024-1234
  - tlp.red
logsource:
  product: m365
  service: audit
  category: chat
  definition: anything
detection:
  s: {a: 1}
  unused: {b: 2}
  condition: s
poseur:
  risk_score: 100
custom: {x: [1, 2]}
";
    let documents = sigma::read("dir/t.yml", text);
    assert_eq!(documents.errors, []);
    let rule = &documents.rules[0];
    assert_eq!(rule.id, "929a690e-bef0-4204-a928-ef5e620d6fcc");
    assert_eq!(rule.title, "A title");
    assert_eq!(rule.description, "Two\nlines.");
    assert_eq!(rule.status.as_deref(), Some("test"));
    assert_eq!(rule.author.as_deref(), Some("A, B"));
    assert_eq!(rule.level, Level::Critical);
    assert_eq!(rule.risk_score, Some(100));
    assert_eq!(rule.techniques, ["T1566.003", "T1566"]);
    assert_eq!(rule.tactics, ["initial-access", "lateral-movement"]);
    assert_eq!(
        rule.references,
        ["https://example.org/a", "https://example.org/b"]
    );
    assert_eq!(rule.false_positives, ["Backups"]);
    assert_eq!(rule.fields, ["a", "b.c"]);
    assert_eq!(
        rule.log_source,
        LogSource {
            product: Some("m365".into()),
            service: Some("audit".into()),
            category: Some("chat".into()),
            ..LogSource::default()
        }
    );
    assert_eq!(rule.origin.language, Language::Sigma);
    assert_eq!(rule.origin.place.to_string(), "dir/t.yml:2:1");
}

#[test]
fn what_may_be_left_out() {
    for extra in [
        "",
        "level:\ndescription: ''\ntags: []\nauthor: ~\nreferences:\nstatus:\n",
    ] {
        let text = format!(
            "title: T\nid: 5\nlogsource: {{category: x}}\ndetection: {{s: {{a: 1}}, condition: s}}\n{extra}"
        );
        let documents = sigma::read("t.yml", &text);
        assert_eq!(documents.errors, [], "{text}");
        let rule = &documents.rules[0];
        assert_eq!(rule.id, "5");
        assert_eq!(rule.level, Level::Medium);
        assert_eq!((&rule.status, &rule.author), (&None, &None));
        assert_eq!((rule.description.as_str(), rule.risk_score), ("", None));
        assert!(rule.tags_are_empty());
    }
}

trait TagsAreEmpty {
    fn tags_are_empty(&self) -> bool;
}

impl TagsAreEmpty for poseur_rule::model::Rule {
    fn tags_are_empty(&self) -> bool {
        self.techniques.is_empty() && self.tactics.is_empty() && self.references.is_empty()
    }
}

#[test]
fn a_byte_order_mark_is_no_column() {
    let documents = sigma::read("t.yml", "\u{feff}titel: x\n");
    assert_eq!(documents.errors[0].place.to_string(), "t.yml:1:1");
}

#[test]
fn filters_are_exceptions() {
    let text = "\
title: Administrators
id: f1
description: Their accounts begin with adm_
author: SOC
logsource: {category: c, product: p}
filter:
  rules: [one, Second rule, elsewhere]
  selection:
    User|startswith: adm_
  condition: not selection
---
title: No id
logsource: {product: p}
filter: {rules: Any, s: {a: 1}, condition: s}
---
title: Single
logsource: {product: p}
filter: {rules: one, s: {a: 1}, condition: s}
";
    let documents = sigma::read("t.yml", text);
    assert_eq!(documents.errors, []);
    let [first, second, third] = documents.filters.as_slice() else {
        panic!("three filters expected");
    };
    let exception = &first.exception;
    assert_eq!(exception.id, "f1");
    assert_eq!(exception.reason, "Their accounts begin with adm_");
    assert_eq!(exception.owner.as_deref(), Some("SOC"));
    assert_eq!(exception.expires, None);
    assert_eq!(exception.place.to_string(), "t.yml:1:1");
    let Ground::Unless(condition) = &exception.ground else {
        panic!("a condition expected");
    };
    assert_eq!(show(condition), "!selection{User~adm_*}");
    assert_eq!(second.exception.id, "No id");
    assert_eq!(second.exception.reason, "No id");
    assert_eq!(second.exception.rules, None);
    assert_eq!(
        third.exception.rules.as_deref(),
        Some(&["one".to_owned()][..])
    );

    let rule = |id: &str, title: &str, source: &str| {
        let text = format!(
            "title: {title}\nid: {id}\nlogsource: {{{source}}}\ndetection: {{s: {{a: 1}}, condition: s}}\n"
        );
        sigma::read("r.yml", &text).rules.remove(0)
    };
    let rules = [
        rule("one", "First rule", "product: p, category: c"),
        rule("two", "Second rule", "product: p, category: c, service: s"),
        rule("three", "Second rule", "product: p, category: other"),
        rule("four", "Fourth rule", "product: q"),
    ];
    for (filter, expected) in [
        (first, &["one", "two", "elsewhere"][..]),
        (second, &["one", "two", "three"]),
        (third, &["one"]),
    ] {
        let exception = filter.among(&rules);
        let ids = exception.rules.expect("the rules are named");
        assert_eq!(ids, expected);
    }
}
