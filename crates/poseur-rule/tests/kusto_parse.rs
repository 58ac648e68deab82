//! What `parse` and `parse-where` become, and which of them are refused.

mod support;

use poseur_rule::kusto::read_query;
use poseur_rule::types::Types;
use support::show;

#[test]
fn conditions() {
    let rows = [
        // What no condition needs costs nothing.
        (r#"parse a with * "u=" b"#, "()"),
        (
            r#"parse a with * "u=" b ";" * | where b == "x""#,
            r#"in(extract("(?s)\\A.*?u=(.*?);.*?\\z", 1, a), "x") is true"#,
        ),
        // A text that must fit is a plain test.
        (
            r#"parse-where a with * "u=" b ";" *"#,
            r"a /(?s)\A.*?u=(.*?);.*?\z/",
        ),
        (
            r#"parse kind=regex flags=i a with "(x|y)" b ";" c | where c == "z""#,
            r#"in(extract("(?i)\\A(?:(x|y))(.*)(?:;)(.*)", 3, a), "z") is true"#,
        ),
        // A column that is not evaluated matters only to who asks for it.
        (
            r#"extend b = parse_xml(a) | parse b with "x" c | where d == "y""#,
            "d=y",
        ),
        (r#"parse kind=regex a with "(" b | where d == "y""#, "d=y"),
    ];
    for (operators, expected) in rows {
        let query = format!("T | {operators}");
        let mut documents = read_query("q.kql", &query, &Types::built_in());
        assert_eq!(documents.errors, [], "{query}");
        let condition = documents.rules.remove(0).condition;
        assert_eq!(show(&condition), expected, "{query}");
    }
}

#[test]
fn refusals() {
    let rows = [
        ("parse", "1:10: expected a value, but the query ends here"),
        ("parse a", "1:12: expected `with`, but the query ends here"),
        (
            "parse a with",
            "1:17: expected a pattern: `*`, texts and columns, but the query ends here",
        ),
        (
            "parse kind=odd a with b",
            "1:16: `odd` is no kind of parse: simple, regex or relaxed is",
        ),
        (
            "parse sort=odd a with b",
            "1:11: expected `kind`, `flags` or a text to parse, not `sort`",
        ),
        (
            "parse flags=i a with b",
            "1:17: flags are for `kind=regex` only",
        ),
        (
            "parse kind=regex flags='i-s' a with b",
            "1:28: flags are letters, such as i or U",
        ),
        (
            "parse a with b:text",
            "1:20: expected a type, such as string or long, not `text`",
        ),
        (
            "parse a with b *",
            "1:18: a text must stand behind a column of type string or dynamic, or the end: nothing else says where it ends",
        ),
        (
            "parse a with b:dynamic c",
            "1:18: a text must stand behind a column of type string or dynamic, or the end: nothing else says where it ends",
        ),
        (
            r#"parse-where kind=regex a with "(" b"#,
            "1:35: the regular expression cannot be used: unclosed group",
        ),
        (
            r#"parse kind=regex a with "(" b | where b == "x""#,
            "1:29: the regular expression cannot be used: unclosed group",
        ),
        (
            r#"parse kind=regex flags=q a with "x" b | where b == "x""#,
            "1:37: the regular expression cannot be used: unrecognized flag",
        ),
        (
            r#"extend b = parse_xml(a) | parse-where b with "x" c"#,
            "1:16: the function `parse_xml` is not supported",
        ),
        (
            r#"extend b = parse_xml(a) | parse b with "x" c | where c == "y""#,
            "1:16: the function `parse_xml` is not supported",
        ),
    ];
    for (operators, expected) in rows {
        let query = format!("T | {operators}");
        let documents = read_query("q.kql", &query, &Types::built_in());
        let errors: Vec<String> = documents.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, [format!("q.kql:{expected}")], "{query}");
        assert!(documents.rules.is_empty(), "half-loaded: {query}");
    }
}
