//! What kuery and Kusto conditions mean for whole records: nested objects, patterns of names, columns,
//! expressions. One line a case, with and without the candidate search.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::explain::What;
use poseur_matcher::{Matcher, schema};
use poseur_rule::exception;
use poseur_rule::expression::{Column, ColumnType, Expression, Function, Literal};
use poseur_rule::kusto;
use poseur_rule::model::{Case, Condition, Field, Pattern, Predicate, Rule, Test};
use poseur_rule::types::Types;
use poseur_rule::{elastic, pack};
use poseur_tagger::{Lines, Style};
use poseur_tests::tagging::{compile, styled, tag, thorough};
use serde_json::Value;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// A rule with nothing but a condition.
fn rule(condition: Condition) -> Rule {
    let mut rule = pack::built_in().swap_remove(0);
    rule.id = "rule".to_owned();
    rule.fields.clear();
    rule.log_source = Default::default();
    rule.condition = condition;
    rule
}

fn kuery(query: &str) -> Rule {
    let condition = elastic::condition(query, &Types::built_in());
    rule(condition.unwrap_or_else(|error| panic!("{query}: {error:?}")))
}

fn kql(query: &str) -> Rule {
    let text = format!("Things | where {query}");
    let mut documents = kusto::read_query("things.kql", &text, &Types::built_in());
    assert_eq!(documents.errors, [], "{query}");
    rule(documents.rules.remove(0).condition)
}

/// Whether a rule matches a record; both ways of looking must agree.
fn matches(matcher: &Arc<Matcher>, record: &str) -> bool {
    let searched = tag(
        &mut styled(matcher.clone(), Style::Namespace),
        record,
        now(),
    );
    let looked = tag(
        &mut thorough(matcher.clone(), Style::Namespace),
        record,
        now(),
    );
    assert_eq!(searched, looked, "the candidate search changes {record}");
    searched != record.as_bytes()
}

fn in_schema(rule: Rule, name: &str) -> Arc<Matcher> {
    Arc::new(Matcher::new(vec![rule], vec![], schema::built_in(), Some(name)).unwrap())
}

/// Rows of query, record, expected.
fn table(schema: &str, read: fn(&str) -> Rule, rows: &[(&str, &str, bool)]) {
    for (query, record, expected) in rows {
        let matcher = in_schema(read(query), schema);
        assert_eq!(matches(&matcher, record), *expected, "{query} on {record}");
    }
}

#[test]
fn one_and_the_same_object() {
    let query = "items:{ name:chair and count > 3 }";
    table(
        "ecs",
        kuery,
        &[
            (query, r#"{"items":[{"name":"chair","count":4}]}"#, true),
            (
                query,
                r#"{"items":[{"name":"chair","count":2},{"name":"table","count":9}]}"#,
                false,
            ),
            (query, r#"{"items":{"name":"chair","count":4}}"#, true),
            (
                query,
                r#"{"items":[[],[[{"name":"chair","count":4}]]]}"#,
                true,
            ),
            (query, r#"{"items":["chair",4]}"#, false),
            (
                query,
                r#"{"items":[{"name":["x","chair"],"count":[1,7]}]}"#,
                true,
            ),
            (query, r#"{"items.name":"chair","items.count":4}"#, false),
            (
                query,
                r#"{"items":[],"items":[{"name":"chair","count":4}]}"#,
                true,
            ),
            (
                query,
                r#"{"items":[{"name":"chair"}],"items":[{"count":4}]}"#,
                false,
            ),
            (query, r#"{}"#, false),
            (
                "a.b:{ c:x and d.e:y }",
                r#"{"a":[{"b":{"c":"x","d":{"e":"y"}}}]}"#,
                true,
            ),
            (
                "a.b:{ c:x and d.e:y }",
                r#"{"a.b":{"c":"x","d.e":"y"}}"#,
                true,
            ),
            (
                "a.b:{ c:x and d.e:y }",
                r#"{"a":[{"b":{"c":"x"}},{"b":{"d":{"e":"y"}}}]}"#,
                false,
            ),
            (
                "not items:{ name:chair }",
                r#"{"items":[{"name":"table"}]}"#,
                true,
            ),
            (
                "items:{ not name:chair }",
                r#"{"items":[{"name":"chair"},{"name":"table"}]}"#,
                true,
            ),
            (
                "items:{ not name:chair }",
                r#"{"items":[{"name":"chair"}]}"#,
                false,
            ),
            ("items:{ not name:chair }", r#"{}"#, false),
            (
                "items:{ name:* }",
                r#"{"items":[{"name":{"deep":1}}]}"#,
                true,
            ),
            ("items:{ name:* }", r#"{"items":[{"name":null}]}"#, false),
        ],
    );
}

#[test]
fn objects_in_objects() {
    let query = "a:{ x:1 and b:{ y:2 and z:3 } }";
    table(
        "ecs",
        kuery,
        &[
            (query, r#"{"a":[{"x":1,"b":[{"y":2,"z":3}]}]}"#, true),
            (query, r#"{"a":[{"x":1,"b":[{"y":2},{"z":3}]}]}"#, false),
            (query, r#"{"a":[{"x":1},{"b":[{"y":2,"z":3}]}]}"#, false),
            (
                query,
                r#"{"a":[{"x":1,"b":[]},{"x":1,"b":{"z":[3],"y":2}}]}"#,
                true,
            ),
        ],
    );
}

#[test]
fn types_hold_in_objects() {
    let query = "o365.audit.Members:{ DisplayName:\"Help Desk\" and UPN:x }";
    let rows: &[(&str, &str, bool)] = &[
        (
            query,
            r#"{"Members":[{"DisplayName":"Help Desk","UPN":{"a":["x"]}}]}"#,
            true,
        ),
        (
            query,
            r#"{"Members":[{"DisplayName":"Help Desk"},{"UPN":"x"}]}"#,
            false,
        ),
    ];
    table("o365", kuery, rows);
    table(
        "ecs",
        kuery,
        &[(
            query,
            r#"{"o365.audit":{"Members":[{"DisplayName":"Help Desk","UPN":"x"}]}}"#,
            true,
        )],
    );
    // What the schema finds elsewhere is not in the object.
    table(
        "o365",
        kuery,
        &[
            (
                "event:{ action:X }",
                r#"{"Operation":"X","event":{"action":"X"}}"#,
                false,
            ),
            ("event:{ other:X }", r#"{"event":{"other":"X"}}"#, true),
        ],
    );
}

#[test]
fn names_by_pattern() {
    table(
        "ecs",
        kuery,
        &[
            ("user.*: bob", r#"{"user":{"name":"bob"}}"#, true),
            (
                "user.*: bob",
                r#"{"user":{"x":[{"deep.er":["bob"]}]}}"#,
                true,
            ),
            ("user.*: bob", r#"{"user.name":"bob"}"#, true),
            ("user.*: bob", r#"{"users":{"name":"bob"}}"#, false),
            ("user.*: bob", r#"{"user":"bob"}"#, false),
            ("*.name: bob", r#"{"a":{"b":{"name":"bob"}}}"#, true),
            ("us*me: bob", r#"{"user":{"name":"bob","x":1}}"#, true),
            ("us*me: *", r#"{"user":{"name":null}}"#, false),
            ("us*me: *", r#"{"user":{"name":""}}"#, true),
            ("*.*: bob", r#"{"":{"":"bob"}}"#, true),
            ("*.*: bob", r#"{"":"bob"}"#, false),
            (
                "items:{ items.n*:x and m:y }",
                r#"{"items":[{"name":"x","m":"y"}]}"#,
                false,
            ),
        ],
    );
    table(
        "o365",
        kuery,
        &[
            ("o365.audit.Client*: x", r#"{"ClientAppName":"x"}"#, true),
            ("Client*: x", r#"{"ClientAppName":"x"}"#, false),
            ("event.*: X", r#"{"Operation":"X"}"#, true),
            ("event.*: success", r#"{"Operation":"X"}"#, true),
            ("data_stream.*: o365.audit", r#"{"Operation":"X"}"#, true),
            ("user.*: bob", r#"{"UserId":"bob@a.example"}"#, true),
            ("o365.audit.Mem*: x", r#"{"Members":[{"UPN":"x"}]}"#, true),
        ],
    );
    let like = |name: &str| Predicate {
        field: Field::Like(Pattern::starts_with(name)),
        test: Test::Text(Pattern::equals("y"), Case::Exact),
    };
    let nested = rule(Condition::Nested {
        path: "items".into(),
        condition: Box::new(Condition::Test(like("items.na"))),
    });
    let matcher = in_schema(nested, "ecs");
    assert!(matches(&matcher, r#"{"items":[{"name":"y"}]}"#));
    assert!(!matches(
        &matcher,
        r#"{"items":[{"other":"y"}],"items.name":"y"}"#
    ));
}

fn column(name: &str, kind: ColumnType, test: Test) -> Rule {
    let name = name.to_owned();
    let field = Field::Column(Column { name, kind });
    rule(Condition::Test(Predicate { field, test }))
}

#[test]
fn columns_have_one_value_of_their_type() {
    use ColumnType::{Bool, DateTime, Dynamic, Long, Real, Text, TimeSpan};
    let text = |text: &str| Test::Text(Pattern::contains(text), Case::Exact);
    let is = |text: &str| Test::Text(Pattern::equals(text), Case::Exact);
    for (kind, test, value, expected) in [
        (Text, is(""), "null", true),
        (Text, is(""), "\"\"", true),
        (Text, is("1.0"), "1.0", true),
        (Text, is("1"), "1.0", false),
        (Text, is("true"), "true", true),
        (Text, text("a\":[1,2"), "{\"a\" : [1, 2]}", true),
        (Text, text("[1, 2"), "\"[1, 2]\"", true),
        (Text, text("alpha,beta"), "[\"alpha,beta\"]", true),
        (Text, text("1111,2222"), "[1111, 2222]", true),
        (Text, Test::Exists, "null", true),
        (Bool, Test::Bool(true), "1", true),
        (Bool, Test::Bool(false), "\"FALSE\"", true),
        (Bool, text("true"), "7", true),
        (Bool, Test::Exists, "[true]", false),
        (Long, Test::Exists, "1.0", false),
        (Long, is("5"), "\"5\"", true),
        (Long, Test::Exists, "1e2", false),
        (Long, Test::Exists, "9223372036854775808", false),
        (Long, Test::Null, "\"x\"", true),
        (Real, is("1.5"), "1.50", true),
        (Real, Test::Exists, "\"1e2\"", true),
        (Real, Test::Exists, "true", false),
        (DateTime, Test::Exists, "\"2026-01-01T00:00:00Z\"", true),
        (DateTime, Test::Exists, "\"2026-01-01\"", false),
        (TimeSpan, Test::Exists, "\"1.00:00:00\"", true),
        (TimeSpan, Test::Exists, "\"1d\"", false),
        (Dynamic, text("[1,2]"), "\" [1, 2]\"", true),
        (Dynamic, is("x"), "\"x\"", true),
        (Dynamic, Test::Exists, "null", false),
    ] {
        let record = format!(r#"{{"Some":{value}}}"#);
        let matcher = in_schema(column("Some", kind, test.clone()), "ecs");
        assert_eq!(
            matches(&matcher, &record),
            expected,
            "{kind:?} {test:?} on {record}"
        );
    }
    let missing = in_schema(column("Some", Text, is("")), "ecs");
    assert!(matches(&missing, "{}") && matches(&missing, r#"{"Some.x":1}"#));
    assert!(!matches(&missing, r#"{"Some":"x"}"#));
    assert!(matches(&missing, r#"{"Some":"x","Some":null}"#));
    // The schema's own type wins.
    let flag = in_schema(
        column("IsExternalThread", Text, Test::Bool(true)),
        "hunting",
    );
    assert!(matches(&flag, r#"{"IsExternalThread":"1"}"#));
    let streamed = in_schema(column("Some", Long, is("5")), "defender");
    assert!(matches(&streamed, r#"{"properties":{"Some":5},"Some":6}"#));
}

#[test]
fn expressions_of_columns() {
    table(
        "ecs",
        kql,
        &[
            ("tolower(UserId) == 'bob'", r#"{"UserId":"BOB"}"#, true),
            ("tolower(UserId) == 'bob'", r#"{"UserId":"x"}"#, false),
            ("strlen(UserId) == 0", "{}", true),
            ("Alpha == Beta", r#"{"Alpha":"x","Beta":"x"}"#, true),
            ("Alpha == Beta", r#"{"Alpha":"x"}"#, false),
            (
                "Alpha has tostring(split(Beta, '@')[0])",
                r#"{"Alpha":"a bob c","Beta":"bob@x"}"#,
                true,
            ),
            (
                "todynamic(Detail).a[0].b == 'x'",
                r#"{"Detail":"{\"a\":[{\"b\":\"x\"}]}"}"#,
                true,
            ),
            ("Detail.a[-1] == 'x'", r#"{"Detail":{"a":["y","x"]}}"#, true),
            (
                "Detail.a[-1] == 'x'",
                r#"{"Detail":"{\"a\":[\"x\"]}"}"#,
                true,
            ),
            (
                "array_length(Detail.a) > 1",
                r#"{"Detail":{"a":["y","x"]}}"#,
                true,
            ),
            ("array_length(Detail.a) > 1", r#"{"Detail":{}}"#, false),
            ("not(array_length(Detail.a) > 1)", r#"{"Detail":{}}"#, false),
            (
                "iff(Kind == 'a', Alpha, Beta) == 'x'",
                r#"{"Kind":"b","Beta":"x"}"#,
                true,
            ),
            (
                "ipv4_is_private(ClientIP)",
                r#"{"ClientIP":"10.0.0.1"}"#,
                true,
            ),
            (
                "ipv4_is_private(ClientIP)",
                r#"{"ClientIP":"8.8.8.8"}"#,
                false,
            ),
            (
                "strcat(Alpha, Beta) == 'xy'",
                r#"{"Alpha":"x","Beta":"z","Beta":"y"}"#,
                true,
            ),
            (
                "strcat(Alpha, Alpha) == 'xy'",
                r#"{"Alpha":"x","Alpha":"y"}"#,
                false,
            ),
            (
                "hourofday(todatetime(When)) == 9",
                r#"{"When":"2026-01-01T09:30:00Z"}"#,
                true,
            ),
            (
                "todatetime(When) > ago(1d)",
                r#"{"When":"2026-11-20T09:30:00Z"}"#,
                true,
            ),
            (
                "todatetime(When) > ago(1d)",
                r#"{"When":"2026-11-18T09:30:00Z"}"#,
                false,
            ),
        ],
    );
}

#[test]
fn at_most_64_combinations_are_tried() {
    let column = |name: &str| {
        Expression::Column(Column {
            name: name.to_owned(),
            kind: ColumnType::Text,
        })
    };
    let both = Expression::Call(Function::StrCat, vec![column("Alpha"), column("Beta")]);
    let wanted = Expression::Literal(Literal::Text("1y".to_owned()));
    let equal = Expression::Call(Function::Equal, vec![both, wanted]);
    let rule = rule(Condition::Test(Predicate {
        field: Field::Value(Box::new(equal)),
        test: Test::Bool(true),
    }));
    let matcher = in_schema(rule, "ecs");
    // `Beta` changes fastest, so the second `Alpha` is reached only after all of `Beta`.
    for (count, expected) in [(1, true), (16, true), (17, false), (100, false)] {
        let fillers = r#","Beta":"x""#.repeat(2 * count - 1);
        let record = format!(r#"{{"Alpha":"0","Alpha":"1"{fillers},"Beta":"y"}}"#);
        assert_eq!(matches(&matcher, &record), expected, "{count}");
    }
}

#[test]
fn what_satisfied_a_nested_condition_is_told() {
    let query = "kind:x and items:{ name:(chair or stool) and count > 3 }";
    let matcher = compile(vec![kuery(query)], vec![]);
    let record = r#"{"kind":"x","items":[{"name":"chair"},{"name":"stool","count":4}]}"#;
    let output = tag(
        &mut styled(matcher.clone(), Style::Namespace),
        record,
        now(),
    );
    let output: Value = serde_json::from_slice(&output).unwrap();
    let on = &output["poseur"]["matches"][0]["on"];
    assert_eq!(on.as_array().unwrap().len(), 1, "{on}");
    assert_eq!(on[0]["field"], "items.name");
    assert_eq!(on[0]["value"], "stool");

    let explained = Lines::new(matcher.clone())
        .explain(record.as_bytes(), now())
        .unwrap();
    let rule = &explained[0].1[0].rules[0];
    assert!(rule.holds && rule.clause.holds);
    let What::All(parts) = &rule.clause.what else {
        panic!("{rule:?}");
    };
    let nested = parts.iter().find_map(|part| match &part.what {
        What::Nested {
            path,
            objects,
            object,
        } => Some((path, objects, object)),
        _ => None,
    });
    let (path, objects, object) = nested.unwrap();
    assert_eq!((path.as_str(), *objects), ("items", 2));
    assert!(object.as_ref().unwrap().holds);
}

#[test]
fn a_nested_match_is_about_the_members_that_satisfy_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exceptions.yml");
    let yaml = "- {id: msp, reason: hired, owner: soc, expires: 2027-01-01, domain: [msp.example]}";
    std::fs::write(&file, yaml).unwrap();
    let loaded = exception::load(&[file]);
    assert_eq!(loaded.refused, []);
    let told = |query: &str, members: &str| {
        let matcher = compile(vec![kuery(query)], loaded.exceptions.clone());
        let record = format!(
            r#"{{"Operation":"ChatCreated","Workload":"MicrosoftTeams","UserId":"a@other.example","Members":{members}}}"#
        );
        let output = tag(&mut styled(matcher, Style::Namespace), &record, now());
        let output: Value = serde_json::from_slice(&output).unwrap();
        output["poseur"]["rules"].as_array().unwrap().len()
    };
    let query = "o365.audit.Members:{ DisplayName:\"Help Desk\" and Role:1 }";
    let good = r#"{"DisplayName":"Help Desk","Role":1,"UPN":"x@msp.example"}"#;
    let bad = r#"{"DisplayName":"Help Desk","Role":1,"UPN":"x@evil.example"}"#;
    let other = r#"{"DisplayName":"Help Desk","Role":2,"UPN":"x@evil.example"}"#;
    assert_eq!(told(query, &format!("[{good}]")), 0);
    assert_eq!(told(query, &format!("[{good},{other}]")), 0);
    assert_eq!(told(query, &format!("[{good},{bad}]")), 1);
    assert_eq!(told(query, &format!("[[{bad}],{good}]")), 1);
    // Who is meant is not known: the match stands.
    let around = "o365.audit:{ Members.DisplayName:\"Help Desk\" }";
    let record =
        r#"{"o365":{"audit":{"Members":[{"DisplayName":"Help Desk","UPN":"x@msp.example"}]}}}"#;
    let matcher = compile(vec![kuery(around)], loaded.exceptions.clone());
    let output = tag(&mut styled(matcher, Style::Namespace), record, now());
    let output: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(output["poseur"]["rules"].as_array().unwrap().len(), 1);
}

#[test]
fn what_every_matching_record_holds() {
    let column = |kind, test| column("Some", kind, test);
    let is = |text: &str| Test::Text(Pattern::equals(text), Case::Exact);
    let term = |case| Test::Term {
        text: "help/desk".into(),
        case,
        start: true,
        end: true,
    };
    for (rule, expected) in [
        (kql("tolower(UserId) == 'bob'"), Some(&["UserId"][..])),
        (kql("strlen(UserId) == 0"), None),
        (
            kql("strlen(strcat(Alpha, Beta)) > 3"),
            Some(&["Beta", "Alpha"]),
        ),
        (kql("todatetime(When) < now()"), None),
        (
            kuery("items:{ name:chair and count > 3 }"),
            Some(&["chair"]),
        ),
        (kuery("items:{ not name:chair }"), None),
        (column(ColumnType::Text, is("chair")), Some(&["chair"])),
        (column(ColumnType::Text, is("")), None),
        (
            column(ColumnType::Text, is("{\"alpha\":1}")),
            Some(&["alpha"]),
        ),
        (column(ColumnType::Text, is("1, 2,")), Some(&["Some"])),
        (
            column(ColumnType::Text, is("2026-02-28T12:00:00Z")),
            Some(&["Some"]),
        ),
        (column(ColumnType::Text, term(Case::Exact)), Some(&["desk"])),
        (column(ColumnType::Text, term(Case::Ascii)), Some(&["Some"])),
        (
            column(ColumnType::Dynamic, term(Case::Exact)),
            Some(&["Some"]),
        ),
        (column(ColumnType::Bool, is("true")), Some(&["Some"])),
        (column(ColumnType::Long, Test::Null), None),
    ] {
        let matcher = in_schema(rule.clone(), "ecs");
        let mut witnesses = matcher.witnesses_of(0);
        witnesses.iter_mut().for_each(|all| all.sort());
        let mut expected = expected.map(<[&str]>::to_vec);
        expected.iter_mut().for_each(|all| all.sort());
        let witnesses = witnesses.as_ref();
        let witnesses = witnesses.map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(witnesses, expected, "{:?}", rule.condition);
    }
}
