//! `parse`, `parse-where` and `*`, from the query to the verdict.

use poseur_rule::kusto::read_query;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::matcher;
use poseur_tests::reference::{Outcome, verdicts};
use poseur_tests::strategies::now;

/// Whether the query `T | …` matches a record, as the matcher and its slow twin say.
fn holds(operators: &str, record: &serde_json::Value) -> bool {
    let query = format!("T | {operators}");
    let read = read_query("q.kql", &query, &Types::built_in());
    assert_eq!(read.errors, [], "{query}");
    let record = record.to_string().into_bytes();
    let twin = match verdicts(&record, &read.rules, now(), Some("ecs")) {
        Outcome::Records(records) => records.iter().any(|record| !record.rules.is_empty()),
        other => panic!("{other:?}"),
    };
    let mut found = false;
    let mut lines = Lines::new(matcher(read.rules, Some("ecs")));
    lines.read(&record, now(), &mut |_| {
        found = true;
        Ok(())
    });
    assert_eq!(found, twin, "{query}");
    found
}

/// Rows of operators, the text in `a`, and whether the record matches.
fn check(rows: &[(&str, &str, bool)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(operators, text, expected)| {
            holds(operators, &serde_json::json!({ "a": text })) != *expected
        })
        .map(|(operators, text, expected)| format!("{operators}\n  on {text:?}: not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn texts() {
    check(&[
        // Up to the next text, as short as may be; the last column takes the rest.
        (
            r#"parse a with * "u=" b ";" * | where b == "x""#,
            "v=1;u=x;u=y;",
            true,
        ),
        (
            r#"parse a with * "u=" b ";" * | where b == "y""#,
            "v=1;u=x;u=y;",
            false,
        ),
        (
            r#"parse a with "u=" b ";" c | where b == "x" and c == "u=y;""#,
            "u=x;u=y;",
            true,
        ),
        (
            r#"parse a with b ";" * | where b == "u=x""#,
            "u=x;u=y;",
            true,
        ),
        (r#"parse a with b | where b == "all""#, "all", true),
        (r#"parse a with "x" "y" b | where b == "z""#, "xyz", true),
        (
            r#"parse a with "u=" b ";" * | where b == "" and strlen(b) == 0"#,
            "u=;",
            true,
        ),
        // The whole text must fit.
        (r#"parse a with "u=" b | where b == "x""#, "?u=x", false),
        (
            r#"parse a with * "u=" b ";" | where b == "x""#,
            "u=x;",
            true,
        ),
        (
            r#"parse a with * "u=" b ";" | where b == "x""#,
            "u=x;?",
            false,
        ),
        (
            r#"parse a with * "u=" b ";" | where b == "x;?""#,
            "u=x;?;",
            true,
        ),
        // What does not fit leaves the empty text.
        (
            r#"parse a with * "u=" b ";" * | where isempty(b)"#,
            "none",
            true,
        ),
        (
            r#"parse a with "u=" b ";" c | where b == "" and c == """#,
            "u=x",
            true,
        ),
        // Texts are texts, letter for letter, and lines do not matter.
        (
            r#"parse a with * ".*[" b "]" * | where b == "x""#,
            "y.*[x]",
            true,
        ),
        (
            r#"parse a with * ".*[" b "]" * | where b == "x""#,
            "yzz[x]",
            false,
        ),
        (
            r#"parse a with * "u=" b ";" * | where b == "x""#,
            "U=x;",
            false,
        ),
        (
            r#"parse a with * "u=" b ";" * | where b == "x\ny""#,
            "1\nu=x\ny;\n2",
            true,
        ),
        // A column may be made of the one that it replaces.
        (
            r#"parse a with * "://" a "/" * | where a == "x""#,
            "https://x/y",
            true,
        ),
        (
            r#"parse a with * "://" b "/" * | parse b with * "." c | where c == "example""#,
            "https://x.example/y",
            true,
        ),
    ]);
}

#[test]
fn types() {
    check(&[
        (
            r#"parse a with * "n=" n:long * "m=" m:int | where n == 5 and m == 6"#,
            "n=5, m=6",
            true,
        ),
        (
            r#"parse a with "got" n:long " " b | where n > 1 and b == "socks""#,
            "got 2 socks",
            true,
        ),
        (
            r#"parse a with * "n=" n:real ";" * | where n == 2.5"#,
            "n=2.5;",
            true,
        ),
        (
            r#"parse a with * "n=" n:long ";" * | where isnull(n)"#,
            "n=2.5;",
            true,
        ),
        (
            r#"parse a with * "n=" n:long * | where n == -12"#,
            "n=-12.5",
            true,
        ),
        (
            r#"parse a with "b=" b:bool ";" * | where b"#,
            "b=True;",
            true,
        ),
        (
            r#"parse a with "at " t:datetime "," * | where t > datetime(2024-01-01)"#,
            "at 2024-05-06T07:08:09Z, then",
            true,
        ),
        (
            r#"parse a with "took " t:timespan * | where t > 1m"#,
            "took 00:02:00 or so",
            true,
        ),
        (
            r#"parse a with "d=" d:dynamic | where d.k == "v""#,
            r#"d={"k":"v"}"#,
            true,
        ),
        (
            r#"parse a with "g=" g:guid ";" * | where g == "12-ab""#,
            "g=12-ab;",
            true,
        ),
        // A column that does not convert takes the others with it.
        (
            r#"parse a with "n=" n:long ";" b | where b == "x""#,
            "n=5;x",
            true,
        ),
        (
            r#"parse a with "n=" n:long ";" b | where b == """#,
            "n=five;x",
            true,
        ),
        (
            r#"parse a with "t=" t:date ";" b | where b == """#,
            "t=2024-13-01;x",
            true,
        ),
        (
            r#"parse a with "n=" n:long ";" b | where b == """#,
            "n=99999999999999999999;x",
            true,
        ),
        // But not in the relaxed kind.
        (
            r#"parse kind=relaxed a with "n=" n:long ";" b | where isnull(n) and b == "x""#,
            "n=five;x",
            true,
        ),
        (
            r#"parse kind=relaxed a with "n=" n:long * "b=" b | where isnull(n) and b == "x""#,
            "n=five b=x",
            true,
        ),
        (
            r#"parse kind=relaxed a with "n=" n:long * "b=" b | where n == 5"#,
            "n=5 b=x",
            true,
        ),
        (
            r#"parse kind=relaxed a with "n=" n:long | where n == 5"#,
            "n= 5",
            true,
        ),
        (
            r#"parse kind=relaxed a with "n=" n:long ";" b | where b == """#,
            "n=5,x",
            true,
        ),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        (
            r#"parse kind=regex a with "u[0-9]*=" b ";" | where b == "x""#,
            "u12=x;",
            true,
        ),
        // A column takes as much as it can, or with U as little.
        (
            r#"parse kind=regex a with * "u=" b "," * | where b == "x,y""#,
            "u=x,y,z",
            true,
        ),
        (
            r#"parse kind=regex flags=U a with * "u=" b "," * | where b == "x""#,
            "u=x,y,z",
            true,
        ),
        (
            r#"parse kind=regex flags=Ui a with * "U=" b "," * | where b == "x""#,
            "u=x,y,z",
            true,
        ),
        (
            r#"parse kind=regex flags=U a with "n=" n:long | where n == 123"#,
            "n=123",
            true,
        ),
        // Groups and choices of the pattern's own.
        (
            r#"parse kind=regex a with "(I|you) got " b " (and|or) " c | where c == "y""#,
            "I got x or y",
            true,
        ),
        (
            r#"parse kind=regex a with "x|y" b | where b == "z""#,
            "yz",
            true,
        ),
        // From the start, to where it ends; a dot is of one line.
        (
            r#"parse kind=regex a with "u=" b ";" | where b == "x""#,
            "?u=x;",
            false,
        ),
        (
            r#"parse kind=regex a with "u=" b ";" | where b == "x""#,
            "u=x;?",
            true,
        ),
        (
            r#"parse kind=regex a with * "u=" b ";" | where b == "x""#,
            "1\nu=x;",
            false,
        ),
        (
            r#"parse kind=regex flags=s a with * "u=" b ";" | where b == "x""#,
            "1\nu=x;",
            true,
        ),
    ]);
}

#[test]
fn parse_where() {
    check(&[
        (r#"parse-where a with * "u=" b ";" *"#, "u=x;", true),
        (r#"parse-where a with * "u=" b ";" *"#, "u=x", false),
        (
            r#"parse-where a with * "u=" b ";" * | where b == "x""#,
            "u=x;",
            true,
        ),
        (r#"parse-where a with "n=" n:long ";" *"#, "n=5;", true),
        (r#"parse-where a with "n=" n:long ";" *"#, "n=five;", false),
        (
            r#"parse-where a with "t=" t:datetime ";" *"#,
            "t=2024-13-01;",
            false,
        ),
        (
            r#"parse-where kind=relaxed a with "n=" n:long ";" *"#,
            "n=five;",
            true,
        ),
        (
            r#"parse-where kind=relaxed a with "n=" n:long ";" *"#,
            "n=five",
            false,
        ),
        (
            r#"parse-where kind=regex a with * "u[=:]" b | where b == "x""#,
            "u:x",
            true,
        ),
        (r#"parse-where a with *"#, "", true),
        // Without where, nothing goes.
        (r#"parse a with * "u=" b ";" *"#, "none", true),
    ]);
}

#[test]
fn all_columns() {
    let record = serde_json::json!({"a": "one two", "n": 5, "d": {"key": ["three"]}});
    let rows = [
        (r#"where * has "two""#, true),
        (r#"where * has "TWO""#, true),
        (r#"where * has_cs "TWO""#, false),
        (r#"where * has "tw""#, false),
        (r#"where * contains "e t""#, true),
        (r#"where * == "5""#, true),
        (r#"where * startswith "thr""#, true),
        (r#"where * matches regex "^t.*e$""#, true),
        // Names are no values.
        (r#"where * has "key""#, false),
        (r#"where not(* has "four")"#, true),
        (r#"where not(* has "three")"#, false),
    ];
    for (operators, expected) in rows {
        assert_eq!(holds(operators, &record), expected, "{operators}");
    }
}
