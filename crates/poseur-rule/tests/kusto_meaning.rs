//! What Kusto queries become: conditions, analyst fields, types.

mod support;

use std::collections::BTreeSet;

use poseur_rule::expression::{Column, Expression};
use poseur_rule::kusto::read_query;
use poseur_rule::model::{Condition, Field, Rule};
use poseur_rule::pack;
use poseur_rule::types::Types;
use support::show;

fn rule(query: &str) -> Rule {
    let mut documents = read_query("q.kql", query, &Types::built_in());
    assert_eq!(documents.errors, [], "{query}");
    documents.rules.remove(0)
}

/// Asserts that all rows of query, found and expected agree, and shows those that do not.
fn agree(rows: impl IntoIterator<Item = (String, String, String)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter(|(_, found, expected)| found != expected)
        .map(|(query, found, expected)| {
            format!("{query}\n  found    {found}\n  expected {expected}")
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Rows of a query behind `T | where`, and its condition in the short form.
fn conditions(rows: &[(&str, &str)]) {
    agree(rows.iter().map(|(query, expected)| {
        let condition = rule(&format!("T | where {query}")).condition;
        (query.to_string(), show(&condition), expected.to_string())
    }));
}

#[test]
fn texts() {
    conditions(&[
        (r#"a == "x""#, "a=x"),
        (r#""x" == a"#, "a=x"),
        (r#"a =~ "x""#, "a~x"),
        (r#"a != "x""#, "!a=x"),
        (r#"a !~ "x""#, "!a~x"),
        (r#"a <> "x""#, "!a=x"),
        (r#"a contains "x""#, "a~*x*"),
        (r#"a contains_cs "x""#, "a=*x*"),
        (r#"a !contains "x""#, "!a~*x*"),
        (r#"a startswith "x""#, "a~x*"),
        (r#"a startswith_cs "x""#, "a=x*"),
        (r#"a endswith "x""#, "a~*x"),
        (r#"a !endswith_cs "x""#, "!a=*x"),
        (r#"a has "x""#, "a~|x|"),
        (r#"a has_cs "x""#, "a=|x|"),
        (r#"a hasprefix "x""#, "a~|x"),
        (r#"a hassuffix_cs "x""#, "a=x|"),
        (r#"a !has "x""#, "!a~|x|"),
        (r#"a matches regex "x+""#, "a /x+/"),
        (r#"a in ("x", "y")"#, "(a=x | a=y)"),
        (r#"a in~ ("x", "y")"#, "(a~x | a~y)"),
        (r#"a !in ("x", "y")"#, "!(a=x | a=y)"),
        (r#"a !in~ ("x")"#, "!a~x"),
        (r#"a in ("x", dynamic(["y", "z"]))"#, "(a=x | a=y | a=z)"),
        (r#"a has_any ("x", "y")"#, "(a~|x| | a~|y|)"),
        (r#"a has_all ("x", "y")"#, "(a~|x| & a~|y|)"),
        (r#""x" in (a, b)"#, "(a=x | b=x)"),
        (r#"a contains "a*b?""#, r"a~*a\*b\?*"),
        // Numbers are texts where the operator is one of texts.
        (r#"a contains 5"#, "a~*5*"),
        (r#"a in~ (5, 6)"#, "(a~5 | a~6)"),
        (r#"tostring(a) == "x""#, "a=x"),
        (r#"a has_any (dynamic([]))"#, "()"),
    ]);
}

/// A string that is missing is the empty one.
#[test]
fn the_empty_text() {
    conditions(&[
        (r#"a == """#, "(a= | a is null)"),
        (r#"a != """#, "!(a= | a is null)"),
        (r#"a in ("", "x")"#, "(a= | a is null | a=x)"),
        (r#"a contains """#, "()"),
        (r#"a !contains """#, "()"),
        (r#"a startswith "" and b == "x""#, "b=x"),
        (r#"a has_all ("", "x")"#, "a~|x|"),
        (r#"a matches regex "^x*$""#, "(a /^x*$/ | a is null)"),
        (r#"a matches regex "^x+$""#, "a /^x+$/"),
        ("isempty(a)", "(a= | a is null)"),
        ("isnotempty(a)", "!(a= | a is null)"),
        ("isnull(a)", "()"),
        // A dynamic value that is missing is null, which no operator holds for.
        (
            r#"a contains "" and isnotnull(a.b)"#,
            "(a~* & isnull(member(a, \"b\")) is false)",
        ),
        (
            r#"tostring(a) contains "" and isnotnull(a.b)"#,
            "isnull(member(a, \"b\")) is false",
        ),
        (
            r#"tostring(a) == "" or isnull(a.b)"#,
            "(a= | a is null | isnull(member(a, \"b\")) is true)",
        ),
    ]);
    // True and false differ, though both are written ().
    assert_eq!(
        rule(r#"T | where a contains """#).condition,
        Condition::All(vec![])
    );
    assert_eq!(
        rule(r#"T | where a !contains """#).condition,
        Condition::Any(vec![])
    );
    assert_eq!(
        rule("T | where isnull(a)").condition,
        Condition::Any(vec![])
    );
    assert_eq!(rule("T").condition, Condition::All(vec![]));
}

#[test]
fn numbers_moments_and_truth() {
    conditions(&[
        ("a == 5", "a = 5"),
        ("a != 5", "!a = 5"),
        ("a > 5", "a > 5"),
        ("5 > a", "a < 5"),
        ("5 <= a", "a >= 5"),
        ("not(a > 5)", "a <= 5"),
        ("not(a <= 5)", "a > 5"),
        ("a in (1, 2)", "(a = 1 | a = 2)"),
        ("a !in (1, 2)", "(!a = 1 & !a = 2)"),
        ("a == 0x1F", "a = 31"),
        ("a == -5", "a = -5"),
        ("a >= 1.50", "a >= 1.50"),
        ("a == 1024 * 1024", "a = 1048576"),
        ("a between (1 .. 5)", "(a >= 1 & a <= 5)"),
        ("a !between (1 .. 5)", "(a < 1 | a > 5)"),
        (r#"a == "5" and a > 1"#, "(a = 5 & a > 1)"),
        (r#"a == "x" and a > 1"#, "()"),
        ("a > ago(30d)", "a > now - 30d"),
        ("a >= now() - 1.5h", "a >= now - 90m"),
        ("a < now(2h)", "a < now + 2h"),
        ("a < ago(1d) + 1d", "a < now"),
        ("ago(7d) < a", "a > now - 7d"),
        ("not(a > ago(7d))", "a <= now - 7d"),
        ("a == datetime(2024-01-31)", "a = 2024-01-31T00:00:00Z"),
        (
            "a > datetime(2024-01-31 08:30:00.1234567)",
            "a > 2024-01-31T08:30:00.1234567Z",
        ),
        (
            "a > datetime(2024-01-31T08:30:00+02:00)",
            "a > 2024-01-31T06:30:00Z",
        ),
        ("a > datetime(2024-01-31) - 1d", "a > 2024-01-30T00:00:00Z"),
        (
            r#"a > todatetime("2024-01-31")"#,
            "a > 2024-01-31T00:00:00Z",
        ),
        (
            "a between (datetime(2024-01-01) .. 2d)",
            "(a >= 2024-01-01T00:00:00Z & a <= 2024-01-03T00:00:00Z)",
        ),
        ("a == true", "a is true"),
        ("a != true", "!a is true"),
        ("a == false", "a is false"),
        ("a and b == true", "(a is true & b is true)"),
        ("not(a)", "a is false"),
        (
            "a == true and (a == 1 or a == 0)",
            "(a is true & (a is true | a is false))",
        ),
        (r#"a == true and a == "False""#, "(a is true & a is false)"),
        ("a == true and a == 2", "()"),
        ("isnull(a) or a > 5", "(a is null | a > 5)"),
        ("isnotnull(a) and a > 5", "(!a is null & a > 5)"),
        ("isempty(a) or a > ago(1d)", "(a is null | a > now - 1d)"),
    ]);
}

#[test]
fn logic() {
    conditions(&[
        (
            r#"a == "x" and b == "y" or c == "z""#,
            "((a=x & b=y) | c=z)",
        ),
        (
            r#"a == "x" and (b == "y" or c == "z")"#,
            "(a=x & (b=y | c=z))",
        ),
        (r#"not(a == "x" and b == "y")"#, "(!a=x | !b=y)"),
        (r#"not(a == "x" or b > 5)"#, "(!a=x & b <= 5)"),
        (r#"not(not(a has "x"))"#, "a~|x|"),
        (r#"not(a !has "x")"#, "a~|x|"),
        (
            r#"a == "x" and (b == "y" and c == "z")"#,
            "(a=x & b=y & c=z)",
        ),
        (r#"a == "x" and true"#, "a=x"),
        (r#"a == "x" or 1 == 1"#, "()"),
        (r#"a == "x" | where b == "y""#, "(a=x & b=y)"),
        (
            r#"a == "x" or b == "y" | where c == "z""#,
            "((a=x | b=y) & c=z)",
        ),
    ]);
}

/// What is no plain test is an expression that is true, or false.
#[test]
fn expressions() {
    conditions(&[
        (r#"tolower(a) == "x""#, r#"in(tolower(a), "x") is true"#),
        (r#"tolower(a) != "x""#, r#"in(tolower(a), "x") is false"#),
        ("strlen(a) > 5", "greater(strlen(a), 5) is true"),
        ("not(strlen(a) > 5)", "greater(strlen(a), 5) is false"),
        (
            r#"a.b[0]["c"] == "x""#,
            r#"in(member(element(member(a, "b"), 0), "c"), "x") is true"#,
        ),
        ("a.b == 5", r#"equal(member(a, "b"), 5) is true"#),
        ("a.b == true", r#"equal(member(a, "b"), true) is true"#),
        ("a == b", "in(a, b) is true"),
        ("a =~ b", "in~(a, b) is true"),
        ("a contains b", "contains(a, b) is true"),
        ("isnotempty(a.b)", r#"isempty(member(a, "b")) is false"#),
        (
            r#"a.b has_any ("x", "y")"#,
            r#"has(member(a, "b"), "x", "y") is true"#,
        ),
        (
            r#"split(a, "@")[1] in~ ("x", "y")"#,
            r#"in~(element(split(a, "@"), 1), "x", "y") is true"#,
        ),
        (
            r#"iff(a == "x", b, c) == "y""#,
            r#"in(iff(in(a, "x"), b, c), "y") is true"#,
        ),
        (
            r#"case(a == "x", "1", a == "y", "2", "3") == "2""#,
            r#"in(case(in(a, "x"), "1", in(a, "y"), "2", "3"), "2") is true"#,
        ),
        (
            "a - b > 1h",
            "greater(subtract(a, b), timespan(36000000000tick)) is true",
        ),
        ("ipv4_is_private(a)", "ipv4_is_private(a) is true"),
        (
            r#"not(ipv4_is_in_any_range(a, dynamic(["10.0.0.0/8", "1.2.3.0/24"])))"#,
            r#"ipv4_is_in_range(a, "10.0.0.0/8", "1.2.3.0/24") is false"#,
        ),
        (
            r#"extract("([0-9]+)", 1, a, typeof(long)) > 5"#,
            r#"greater(tolong(extract("([0-9]+)", 1, a)), 5) is true"#,
        ),
        (
            r#"replace("a", "b", c) == "x""#,
            r#"in(replace_regex(c, "a", "b"), "x") is true"#,
        ),
        (
            r#"a == guid(0F8FAD5B-d9cb-469f-a165-70867728950e)"#,
            "a=0f8fad5b-d9cb-469f-a165-70867728950e",
        ),
        (
            r#"startofday(a) == startofday(ago(1d))"#,
            "equal(startofday(a), startofday(subtract(now(), timespan(864000000000tick)))) is true",
        ),
    ]);
}

#[test]
fn let_and_columns() {
    let rows = [
        (r#"let x = "a"; T | where b == x"#, "b=a"),
        (
            r#"let x = 1d; let y = ago(x); T | where b > y"#,
            "b > now - 1d",
        ),
        (
            r#"let l = dynamic(["a", "b"]); T | where c in (l) or d has_any (l)"#,
            "(c=a | c=b | d~|a| | d~|b|)",
        ),
        (
            r#"let l = split("a,b", ","); T | where c in (l)"#,
            "(c=a | c=b)",
        ),
        (
            r#"let l = array_concat(dynamic(["a"]), pack_array("b")); T | where c !in (l)"#,
            "!(c=a | c=b)",
        ),
        (r#"let l = parse_json('["a"]'); T | where c in (l)"#, "c=a"),
        (
            r#"let f = (s:string) { s == "x" }; T | where f(a) or f(b)"#,
            "(a=x | b=x)",
        ),
        (
            r#"let f = (s:string, t:string = "y") { strcat(t, "!") == s }; T | where f(a) and f(b, "z")"#,
            "(a=y! & b=z!)",
        ),
        (
            r#"let f = (n:long) { let m = n + 1; m * 2 }; T | where a > f(3)"#,
            "a > 8",
        ),
        (r#"T | extend b = a | where b == "x""#, "a=x"),
        (
            r#"T | extend b = tolower(a) | where b == "x" and a == "y""#,
            r#"(in(tolower(a), "x") is true & a=y)"#,
        ),
        (
            r#"T | extend a = strcat(a, "!") | extend a = strcat(a, "?") | where a == "x""#,
            r#"in(strcat(strcat(a, "!"), "?"), "x") is true"#,
        ),
        // Columns of one `extend` do not see each other.
        (r#"T | extend a = b, c = a | where c == "x""#, "a=x"),
        (
            r#"T | project-rename a = b, b = a | where a == "x" and b == "y""#,
            "(b=x & a=y)",
        ),
        (
            r#"T | project x = a, b | where x == "1" and b == "2""#,
            "(a=1 & b=2)",
        ),
        (
            r#"T | project d.e | where d_e == "x""#,
            r#"in(member(d, "e"), "x") is true"#,
        ),
        (
            r#"T | project-away a* | extend ab = c | where ab == "x""#,
            "c=x",
        ),
        (
            r#"let U = T | where a == "x" | extend b = c; U | where b == "y""#,
            "(a=x & c=y)",
        ),
        (
            r#"let f = () { let U = T | project-rename b = a; U | where b == "x" }; f() | where c == "y""#,
            "(a=x & c=y)",
        ),
        (
            r#"let U = (T | where a == "x"); let V = U | where b == "y"; let x = "z"; V | where c == x"#,
            "(a=x & b=y & c=z)",
        ),
        (r#"let U = V | where a == "x"; T | where b == "y""#, "b=y"),
        (r#"let a = "let"; T | where b == a"#, "b=let"),
        (r#"let a = "let"; T | extend a = c | where a == "x""#, "c=x"),
        (r#"T | where column_ifexists("a", "") == "x""#, "a=x"),
        // What cannot be evaluated is no harm where no condition needs it.
        (
            r#"T | extend b = hash_md5(a), c = format_datetime(d, "y") | where a == "x" | project b"#,
            "a=x",
        ),
        (r#"let x = rand(); T | where a == "x""#, "a=x"),
    ];
    agree(rows.iter().map(|(query, expected)| {
        let found = show(&rule(query).condition);
        (query.to_string(), found, expected.to_string())
    }));
}

#[test]
fn analyst_fields() {
    let rows: [(&str, &[&str]); 8] = [
        ("T", &[]),
        ("T | project a, b", &["a", "b"]),
        (
            "T | project a, b = c, d.e, f = tolower(g), 5, a2 = a",
            &["a", "c"],
        ),
        ("T | project a, b | project c = b", &["b"]),
        ("T | project a | extend b = a", &["a"]),
        ("T | project-reorder b, a*, c", &["b", "c"]),
        ("T | extend b = tolower(a) | project-reorder b, c", &["c"]),
        ("T | distinct a, b", &[]),
    ];
    for (query, expected) in rows {
        assert_eq!(rule(query).fields, expected, "{query}");
    }
}

fn collect(condition: &Condition, found: &mut BTreeSet<String>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| collect(part, found));
        }
        Condition::Not(inner) | Condition::Named(_, inner) => collect(inner, found),
        Condition::Nested { condition, .. } => collect(condition, found),
        Condition::Test(predicate) => match &predicate.field {
            Field::Column(column) => {
                found.insert(written(column));
            }
            Field::Value(expression) => columns(expression, found),
            Field::Name(name) => {
                found.insert(name.clone());
            }
            _ => {}
        },
    }
}

fn columns(expression: &Expression, found: &mut BTreeSet<String>) {
    expression.columns(&mut |column| {
        found.insert(written(column));
    });
}

fn written(column: &Column) -> String {
    format!("{}:{}", column.name, column.kind.as_str())
}

#[test]
fn types_of_columns() {
    let rows = [
        // From what a column is compared with, anywhere in the query.
        (r#"T | where a == "x""#, "a:string"),
        ("T | where a == 5", "a:real"),
        ("T | where a == 5 and a != 6.5", "a:real"),
        ("T | where a == true", "a:bool"),
        ("T | where a", "a:bool"),
        ("T | where a > ago(1d)", "a:datetime"),
        ("T | where a == datetime(2024-01-01)", "a:datetime"),
        ("T | where a > 5m", "a:timespan"),
        ("T | where a.b == 5", "a:dynamic"),
        ("T | where a[0] == 5", "a:dynamic"),
        (r#"T | where a == "x" and a.b == 5"#, "a:dynamic"),
        ("T | where array_length(a) > 5", "a:dynamic"),
        ("T | where hourofday(a) > 5", "a:datetime"),
        ("T | where bin(a, 1d) == b", "a:datetime b:datetime"),
        ("T | where a > b and b > 5", "a:real b:real"),
        (
            "T | where a > b and b > c and c > ago(1d)",
            "a:datetime b:datetime c:datetime",
        ),
        ("T | where strlen(a) > b", "a:string b:real"),
        ("T | where a - b > 1h", "a:datetime b:datetime"),
        ("T | where a * b > 5", "a:real b:real"),
        ("T | extend c = a | where c > 5", "a:real"),
        ("let f = (n:long) { n > 5 }; T | where f(a)", "a:long"),
        ("let limit = 5; T | where a > limit", "a:real"),
        ("T | where a in (1, 2)", "a:real"),
        ("T | extend shown = a > 5 | where a == 6", "a:real"),
        // From the tables that Poseur knows.
        ("SecurityEvent | where EventID == 4624", "EventID:long"),
        (r#"SecurityEvent | where EventID == "4624""#, "EventID:long"),
        (
            r#"CloudAppEvents | where RawEventData has "x""#,
            "RawEventData:dynamic",
        ),
        (
            "SigninLogs | where TimeGenerated > ago(1d)",
            "TimeGenerated:datetime",
        ),
        // The schemas know this table's columns by name.
        (
            r#"MessageEvents | where IsExternalThread and RecipientDetails has "x" and ThreadType == "y""#,
            "IsExternalThread RecipientDetails ThreadType",
        ),
        (
            "MessageEvents | where array_length(RecipientDetails) > 1",
            "RecipientDetails:dynamic",
        ),
    ];
    agree(rows.iter().map(|(query, expected)| {
        let mut found = BTreeSet::new();
        collect(&rule(query).condition, &mut found);
        let found: Vec<String> = found.into_iter().collect();
        (query.to_string(), found.join(" "), expected.to_string())
    }));
}

#[test]
fn declared_types_win() {
    let mut types = Types::built_in();
    types
        .add("t.yml", "tables: {T: {a: string, b: datetime}}")
        .unwrap();
    let condition = |query: &str| {
        let documents = read_query("q.kql", query, &types);
        assert_eq!(documents.errors, [], "{query}");
        show(&documents.rules[0].condition)
    };
    assert_eq!(condition("T | where a == 5"), "equal(a, 5) is true");
    assert_eq!(
        condition(r#"T | where b > "2024-01-31""#),
        "b > 2024-01-31T00:00:00Z"
    );
    assert_eq!(condition("U | where a == 5"), "a = 5");
}

#[test]
fn literals() {
    let rows = [
        (r#""\u0068\x65\154p\t\"\'\\""#, "help\t\"'\\"),
        (r#"'it''s'"#, "its"),
        (r#"@'it''s' @"a""b\n""#, "it'sa\"b\\n"),
        (r#"h"x" H'y' h@'z\'"#, "xyz\\"),
        ("```a\n\"b```", "a\n\"b"),
        ("~~~c`~~~", "c`"),
        (r#""\ud83d\ude00 \U0001F600 \ud83d""#, "😀 😀 \u{fffd}"),
        (r#""\0\377""#, "\0ÿ"),
        (r#"strcat("a", 5, true)"#, "a5true"),
        (r#"toupper("aß")"#, "ASS"),
        (
            r#"tostring(dynamic({'a': [1, -2.50, null, "x\"y"]}))"#,
            r#"{"a":[1,-2.50,null,"x\"y"]}"#,
        ),
    ];
    for (literal, expected) in rows {
        let condition = rule(&format!("T | where a == {literal}")).condition;
        let Condition::Test(predicate) = &condition else {
            panic!("{literal}: {condition:?}");
        };
        let poseur_rule::model::Test::Text(pattern, _) = &predicate.test else {
            panic!("{literal}: {predicate:?}");
        };
        assert_eq!(pattern.as_equals(), Some(expected), "{literal}");
    }
}

/// A condition without names, in an order of its own.
fn normal(condition: &Condition) -> String {
    let join = |parts: &[Condition], sign: &str| {
        let mut parts: Vec<String> = parts.iter().map(normal).collect();
        parts.sort();
        format!("({})", parts.join(sign))
    };
    match condition {
        Condition::All(parts) => join(parts, " & "),
        Condition::Any(parts) => join(parts, " | "),
        Condition::Named(_, inner) => normal(inner),
        other => show(other),
    }
}

/// Contact with a suspicious outsider, as a query of our own: the same as the rule in the pack.
#[test]
fn the_built_in_rule() {
    let query = r#"
let window = 30d;
MessageEvents
| extend Recipients = RecipientDetails
| where Timestamp > ago(window) and IsExternalThread == true
| where (Recipients contains "help" and Recipients contains "desk")
    or (Recipients contains "it" and Recipients contains "support")
    or (Recipients contains "working" and Recipients contains "home")
| project Timestamp, SenderDisplayName, SenderEmailAddress, RecipientDetails, IsOwnedThread, ThreadType
"#;
    let ours = rule(query);
    let built_in = pack::built_in();
    let theirs = built_in
        .iter()
        .find(|rule| rule.id == "389ead4a-6dfe-47e1-9236-165eb08f1017")
        .expect("the rule in the pack");
    assert_eq!(normal(&ours.condition), normal(&theirs.condition));
    assert_eq!(ours.fields, theirs.fields);
    assert_eq!(ours.log_source.table.as_deref(), Some("MessageEvents"));
}
