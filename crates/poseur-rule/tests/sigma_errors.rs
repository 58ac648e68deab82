//! What the Sigma front end refuses, where it points, and what it says.

mod support;

use support::{errors, rule};

/// One field of one selection, at line 6, column 5 of its document.
fn field_errors(field: &str) -> Vec<String> {
    errors(&rule(&format!("s:\n  {field}\ncondition: s")))
}

#[test]
fn fields_and_modifiers() {
    for (field, expected) in [
        (
            "a|contians: x",
            "6:7: unknown modifier `contians`: did you mean `contains`?",
        ),
        (
            "'a|contians': x",
            "6:8: unknown modifier `contians`: did you mean `contains`?",
        ),
        (
            "é|re|xyzzy: x",
            "6:10: unknown modifier `xyzzy`: known are all, startswith, endswith, contains, exists, cased, neq, windash, re, i, m, s, base64, base64offset, utf16le, utf16be, utf16, wide, lt, lte, gt, gte, cidr, expand, fieldref",
        ),
        (
            "a|: x",
            "6:7: unknown modifier ``: known are all, startswith, endswith, contains, exists, cased, neq, windash, re, i, m, s, base64, base64offset, utf16le, utf16be, utf16, wide, lt, lte, gt, gte, cidr, expand, fieldref",
        ),
        (
            "a|hour: 3",
            "6:7: the modifier `hour` (a part of a date) is not evaluated",
        ),
        (
            "a|contains|contains: x",
            "6:16: `contains` stands here a second time",
        ),
        (
            "a|contains|endswith: x",
            "6:16: `endswith` cannot stand with `contains`",
        ),
        (
            "a|i: x",
            "6:7: `i` is a flag of `re`, and must stand behind it",
        ),
        (
            "a|re|contains: x",
            "6:10: `contains` cannot stand with `re`",
        ),
        ("a|re|cased: x", "6:10: `cased` cannot stand with `re`"),
        ("a|cidr|gt: 1", "6:12: `gt` cannot stand with `cidr`"),
        (
            "a|exists|all: true",
            "6:14: `all` cannot stand with `exists`",
        ),
        (
            "a|fieldref|re: b",
            "6:16: `re` cannot stand with `fieldref`",
        ),
        (
            "a|contains|base64: x",
            "6:16: `base64` must stand before `contains`",
        ),
        (
            "a|base64|wide: x",
            "6:14: `wide` must stand before `base64`",
        ),
        (
            "a|wide|windash: x",
            "6:12: `windash` must stand before `wide`",
        ),
        (
            "a|base64|windash: x",
            "6:14: `windash` must stand before `base64`",
        ),
        ("a|wide|utf16: x", "6:12: `utf16` cannot stand with `wide`"),
        (
            "a|base64|base64offset: x",
            "6:14: `base64offset` cannot stand with `base64`",
        ),
        (
            "'|exists': true",
            "6:7: `exists` needs the name of a field before it",
        ),
        (
            "'|fieldref': b",
            "6:7: `fieldref` needs the name of a field before it",
        ),
        ("'': x", "6:5: a field without a name"),
    ] {
        assert_eq!(field_errors(field), [expected], "{field}");
    }
}

#[test]
fn values() {
    for (field, expected) in [
        ("a: []", "6:8: the list of values of `a` is empty"),
        (
            "a: {b: c}",
            "6:8: a value must be a text, a number, true, false or null, not a map",
        ),
        (
            "a: [[b]]",
            "6:9: a value must be a text, a number, true, false or null, not a list",
        ),
        (
            "a|contains: null",
            "6:17: `contains` cannot stand with null",
        ),
        (
            "a|startswith: true",
            "6:19: `startswith` needs a text: put `true` in quotes if it is one",
        ),
        (
            "a|cased: false",
            "6:14: `cased` needs a text: put `false` in quotes if it is one",
        ),
        ("a|wide: null", "6:13: an encoding cannot stand with null"),
        ("a|exists: 1", "6:15: `exists` takes true or false"),
        ("a|exists: 'true'", "6:15: `exists` takes true or false"),
        ("a|lt: x", "6:11: `x` is no number to compare with"),
        ("a|lt: '5'", "6:11: `5` is no number to compare with"),
        ("a|gt: .nan", "6:11: `.nan` is no number to compare with"),
        ("a|gt: .inf", "6:11: `.inf` is no number to compare with"),
        ("a|gt: 1e999", "6:11: `1e999` is no number to compare with"),
        (
            "a|cidr: 10.0.0.0/33",
            "6:13: the prefix of `10.0.0.0/33` is longer than 32 bits",
        ),
        (
            "a|cidr: '::/129'",
            "6:13: the prefix of `::/129` is longer than 128 bits",
        ),
        (
            "a|cidr: 10.0.0.1/8",
            "6:13: `10.0.0.1/8` has bits set behind its prefix: write 10.0.0.0/8",
        ),
        (
            "a|cidr: 10.*",
            "6:13: `10.*` is no network: write it like 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            "a|cidr: 10.0.0.0/+8",
            "6:13: `10.0.0.0/+8` is no network: write it like 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            "a|re: 'a(b'",
            "6:11: the regular expression cannot be used: unclosed group",
        ),
        (
            "a|re: '(?=a)'",
            "6:11: the regular expression cannot be used: look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            "a|re: ''",
            "6:11: an empty regular expression fits everything",
        ),
        (
            "a|fieldref: 'b*'",
            "6:17: the name of a field holds no wildcards",
        ),
        (
            "a|fieldref: 5",
            "6:17: `fieldref` takes the name of another field",
        ),
        (
            "a|expand: '%Servers%'",
            "6:15: the placeholder %Servers% has no value: Poseur has no processing pipeline, write the values out",
        ),
        (
            "a|expand: 'x\\%y%z%'",
            "6:15: the placeholder %z% has no value: Poseur has no processing pipeline, write the values out",
        ),
        (
            "a|re|expand: '^%x%$'",
            "6:18: the placeholder %x% has no value: Poseur has no processing pipeline, write the values out",
        ),
        (
            "a|base64: 'a*'",
            "6:15: a value with wildcards cannot be encoded",
        ),
        (
            "a|wide: 'a?'",
            "6:13: a value with wildcards cannot be encoded",
        ),
        (
            "a|base64offset: a",
            "6:21: the value is too short for `base64offset`: at some offsets nothing of it is left",
        ),
        (
            "a|wide: é",
            "6:13: encoded like this the value is no text: `base64` or `base64offset` must follow",
        ),
        (
            "a|utf16: a",
            "6:14: encoded like this the value is no text: `base64` or `base64offset` must follow",
        ),
        (
            "a|windash: '-a -b -c -d -e'",
            "6:16: `windash` makes more than 625 forms of this",
        ),
    ] {
        assert_eq!(field_errors(field), [expected], "{field}");
    }
}

#[test]
fn selections() {
    for (detection, expected) in [
        ("s: {}\ncondition: s", "5:3: the selection `s` is empty"),
        ("s: []\ncondition: s", "5:3: the selection `s` is empty"),
        ("s:\ncondition: s", "5:3: the selection `s` is empty"),
        (
            "s: [{}]\ncondition: s",
            "5:7: an item of the selection `s` is empty",
        ),
        (
            "s: [[x]]\ncondition: s",
            "5:7: an item of the selection `s` must be a text or a map",
        ),
        ("s: ['']\ncondition: s", "5:7: a keyword must not be empty"),
        (
            "s: [null]\ncondition: s",
            "5:7: a keyword must not be empty",
        ),
        (
            "s: {a: 1}\ntimeframe: 5m\ncondition: s",
            "6:3: `timeframe` looks across records, and Poseur judges each record alone: for a time window use `poseur: {max_age: 30d}`",
        ),
        ("condition: s", "5:14: there is no selection `s`"),
        ("s: {a: 1}", "5:3: `detection` holds no `condition`"),
    ] {
        let found = errors(&rule(detection));
        assert_eq!(
            found.last().map(String::as_str),
            Some(expected),
            "{detection}"
        );
    }
}

#[test]
fn conditions() {
    for (condition, expected) in [
        ("t", "6:14: there is no selection `t`"),
        (
            "sel1 and sel3x",
            "6:23: there is no selection `sel3x`: did you mean `sel1`?",
        ),
        ("'sel1 and t'", "6:24: there is no selection `t`"),
        ("  sel1 sel1", "6:21: expected `and` or `or` before `sel1`"),
        (
            "sel1 and",
            "6:22: the condition ends where a selection is expected",
        ),
        ("and sel1", "6:14: expected a selection, not `and`"),
        (
            "not",
            "6:17: the condition ends where a selection is expected",
        ),
        ("(sel1", "6:14: this parenthesis is never closed"),
        (
            "(sel1 sel1)",
            "6:20: expected `and`, `or` or `)` before `sel1`",
        ),
        ("sel1)", "6:18: this parenthesis was never opened"),
        ("()", "6:15: expected a selection, not `)`"),
        (
            "2 of sel*",
            "6:14: `2 of` is no quantifier: use `1 of`, `any of` or `all of`",
        ),
        (
            "1 of",
            "6:18: expected a name, a pattern such as `selection_*`, or `them`",
        ),
        (
            "1 of (sel1)",
            "6:19: expected a name, a pattern such as `selection_*`, or `them`",
        ),
        ("1 of t*", "6:19: no selection has a name like `t*`"),
        (
            "sel1 | count() > 5",
            "6:19: aggregations (`| count() …`) look across records, and Poseur judges each record alone",
        ),
        ("''", "6:14: `condition` must not be empty"),
        ("null", "6:14: `condition` must not be empty"),
        ("[]", "6:14: the list of conditions is empty"),
        (
            "{a: b}",
            "6:14: `condition` must be a text or a list of texts",
        ),
        ("[sel1, t]", "6:21: there is no selection `t`"),
        ("|\n  sel1 and\n  t", "8:5: there is no selection `t`"),
        // Folded text is no longer as it was written: the whole condition is meant.
        (">\n  sel1 and\n  t", "7:5: there is no selection `t`"),
    ] {
        let text = rule(&format!("sel1: {{a: 1}}\ncondition: {condition}"));
        assert_eq!(errors(&text), [expected], "{condition}");
    }
    let hidden = rule("_s: {a: 1}\ncondition: 1 of them");
    assert_eq!(
        errors(&hidden),
        ["6:19: `them` stands for no selection: names that begin with `_` are left out"]
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize, open: &str, close: &str| {
        let (open, close) = (open.repeat(depth), close.repeat(depth));
        errors(&rule(&format!("s: {{a: 1}}\ncondition: {open}s{close}")))
    };
    assert_eq!(nested(24, "(", ")"), [""; 0]);
    assert_eq!(nested(25, "(", ")"), ["6:39: nested deeper than 24 levels"]);
    assert_eq!(
        nested(100_000, "(", ")"),
        ["6:39: nested deeper than 24 levels"]
    );
    assert_eq!(
        nested(100_000, "not ", ""),
        ["6:114: nested deeper than 24 levels"]
    );
    // The deepest condition that is accepted stays within what the model promises.
    const DEEP_SELECTION: &str = "s: [{a|contains|all|windash|neq: [-x, -y], b: 1}, {c: 1}]\n";
    let deepest = format!("{}s{}", "s or s and (".repeat(24), ")".repeat(24));
    let text = rule(&format!("{DEEP_SELECTION}condition: [s, '{deepest}']"));
    let text = format!("{text}poseur: {{max_age: 1d}}\n");
    assert_eq!(errors(&text), [""; 0]);
}

#[test]
fn a_condition_may_not_grow_without_bound() {
    let values: String = (0..2000).map(|i| format!("v{i},")).collect();
    let many = vec!["s"; 600].join(" or ");
    let text = rule(&format!("s: {{a: [{values}]}}\ncondition: {many}"));
    assert_eq!(
        errors(&text),
        ["6:2514: the condition comes to more than 1000000 tests"]
    );
}

#[test]
fn documents() {
    const DETECTION: &str = "detection: {s: {a: 1}, condition: s}\n";
    const HEAD: &str = "title: T\nid: one\nlogsource: {product: x}\n";
    for (text, expected) in [
        ("", vec!["the file holds no rule: remove it, or write one"]),
        (
            "# only a comment\n",
            vec!["the file holds no rule: remove it, or write one"],
        ),
        (
            "--- \n---\n",
            vec!["the file holds no rule: remove it, or write one"],
        ),
        (
            "just text",
            vec!["1:1: a Sigma document must be a map, not a single value"],
        ),
        (
            "- a\n",
            vec!["1:1: a Sigma document must be a map, not a list"],
        ),
        (
            "{}",
            vec![
                "1:1: `id` is missing",
                "1:1: `title` is missing",
                "1:1: `logsource` is missing: it says what kind of log the document is for",
                "1:1: `detection` is missing: it holds the selections and the condition of a rule",
            ],
        ),
        (
            "a: [\n",
            vec![
                "2:1: this is not valid YAML: while parsing a node, did not find expected node content",
            ],
        ),
        (
            "title: C\ncorrelation: {type: event_count}\n",
            vec![
                "2:1: this is a correlation: it looks across records, and Poseur judges each record alone",
            ],
        ),
        (
            "action: global\ntitle: T\n",
            vec!["1:1: `action: global` is Sigma 1: write each rule as a document of its own"],
        ),
        (
            "title: T\naction: repeat\n",
            vec!["2:1: `action: repeat` is Sigma 1: write each rule as a document of its own"],
        ),
    ] {
        assert_eq!(errors(text), expected, "{text}");
    }
    for (extra, expected) in [
        (
            "level: hihg\n",
            "5:8: unknown level `hihg`: did you mean `high`?",
        ),
        (
            "level: 9\n",
            "5:8: unknown level `9`: known are informational, low, medium, high, critical",
        ),
        ("level: [high]\n", "5:8: `level` must be a text, not a list"),
        (
            "tags: {a: b}\n",
            "5:7: `tags` must be a text or a list of texts",
        ),
        (
            "tags: [a, {b: c}]\n",
            "5:11: each of `tags` must be a text, not a map",
        ),
        (
            "references: ['']\n",
            "5:14: each of `references` must not be empty",
        ),
        (
            "description: [x]\n",
            "5:14: `description` must be a text, not a list",
        ),
        (
            "poseur: 5\n",
            "5:9: `poseur` must be a map, not a single value",
        ),
        (
            "poseur: {max_agee: 3d}\n",
            "5:10: unknown key `max_agee` in `poseur`: did you mean `max_age`?",
        ),
        (
            "poseur: {x: 3d}\n",
            "5:10: unknown key `x` in `poseur`: known are risk_score, max_age, time_field",
        ),
        (
            "poseur: {risk_score: 101}\n",
            "5:22: `risk_score` must be a whole number from 0 to 100",
        ),
        (
            "poseur: {risk_score: '5'}\n",
            "5:22: `risk_score` must be a whole number from 0 to 100",
        ),
        (
            "poseur: {risk_score: -1}\n",
            "5:22: `risk_score` must be a whole number from 0 to 100",
        ),
        (
            "poseur: {max_age: 0d}\n",
            "5:19: `max_age` must be a number and a unit, such as 30d, 12h, 45m or 90s",
        ),
        (
            "poseur: {max_age: 30}\n",
            "5:19: `max_age` must be a number and a unit, such as 30d, 12h, 45m or 90s",
        ),
        (
            "poseur: {max_age: d}\n",
            "5:19: `max_age` must be a number and a unit, such as 30d, 12h, 45m or 90s",
        ),
        (
            "poseur: {max_age: 3é}\n",
            "5:19: `max_age` must be a number and a unit, such as 30d, 12h, 45m or 90s",
        ),
        (
            "poseur: {max_age: 99999999999999999999d}\n",
            "5:19: `max_age` must be a number and a unit, such as 30d, 12h, 45m or 90s",
        ),
        (
            "poseur: {time_field: T}\n",
            "5:10: `time_field` has no meaning without `max_age`",
        ),
        (
            "filter: {}\n",
            "5:1: a document is a rule (`detection`) or a filter (`filter`), not both",
        ),
        (
            "title: again\n",
            "5:1: the key `title` stands here a second time, the first is on line 1",
        ),
    ] {
        assert_eq!(
            errors(&format!("{HEAD}{DETECTION}{extra}")),
            [expected],
            "{extra}"
        );
    }
    for (text, expected) in [
        (
            "title: T\nid: ''\nlogsource: {product: x}\n",
            "2:5: `id` must not be empty",
        ),
        (
            "title:\nid: one\nlogsource: {product: x}\n",
            "1:6: `title` must not be empty",
        ),
        (
            "title: T\nid: [a]\nlogsource: {product: x}\n",
            "2:5: `id` must be a text, not a list",
        ),
        (
            "title: T\nid: one\nlogsource: x\n",
            "3:12: `logsource` must be a map, not a single value",
        ),
        (
            "title: T\nid: one\nlogsource: {definition: x}\n",
            "3:12: `logsource` must give a product, a service or a category",
        ),
    ] {
        assert_eq!(errors(&format!("{text}{DETECTION}")), [expected], "{text}");
    }
    assert_eq!(
        errors(&format!("{HEAD}detection: x\n")),
        ["4:12: `detection` must be a map, not a single value"]
    );
    assert_eq!(
        errors(&format!("{HEAD}detection: {{condition: s}}\n")),
        [
            "4:12: `detection` holds no selection",
            "4:24: there is no selection `s`"
        ]
    );
}

#[test]
fn a_file_of_actions_is_refused_as_one() {
    let text = "action: global\nlogsource: {product: x}\n---\ndetection: {s: {a: 1}}\n---\naction: reset\n";
    assert_eq!(
        errors(text),
        [
            "1:1: `action: global` is Sigma 1: write each rule as a document of its own",
            "6:1: `action: reset` is Sigma 1: write each rule as a document of its own",
        ]
    );
}

#[test]
fn all_errors_of_a_file_are_found() {
    let text = "\
title: T
level: huge
logsource: {product: x}
detection:
  s: {a|foo: 1, b|re: '('}
  condition: s and t
---
title: Good
id: good
logsource: {product: x}
detection: {s: {a: 1}, condition: s}
---
title: U
correlation: {}
";
    let documents = poseur_rule::sigma::read("t.yml", text);
    let places: Vec<(usize, usize)> = documents
        .errors
        .iter()
        .map(|error| (error.place.line, error.place.column))
        .collect();
    assert_eq!(places, [(1, 1), (2, 8), (5, 9), (5, 23), (6, 20), (14, 1)]);
    assert_eq!(documents.rules.len(), 1);
    assert_eq!(documents.rules[0].id, "good");
    assert_eq!(documents.rules[0].origin.place.to_string(), "t.yml:8:1");
}

#[test]
fn filters() {
    const HEAD: &str = "title: F\nlogsource: {product: x}\n";
    for (filter, expected) in [
        (
            "filter: x",
            "3:9: `filter` must be a map, not a single value",
        ),
        (
            "filter: {s: {a: 1}, condition: s}",
            "3:9: `rules` is missing: list the ids or titles of rules, or write `any`",
        ),
        (
            "filter: {rules: [], s: {a: 1}, condition: s}",
            "3:17: `rules` is empty: list the ids or titles of rules, or write `any`",
        ),
        (
            "filter: {rules: any, s: {a: 1}}",
            "3:9: `filter` holds no `condition`",
        ),
        (
            "filter: {rules: any, s: {a: 1}, condition: not t}",
            "3:48: there is no selection `t`",
        ),
    ] {
        assert_eq!(errors(&format!("{HEAD}{filter}\n")), [expected], "{filter}");
    }
    assert_eq!(
        errors("filter: {rules: any, s: {a: 1}, condition: s}\n"),
        [
            "1:1: `title` is missing",
            "1:1: `logsource` is missing: it says what kind of log the document is for"
        ]
    );
}
