//! `*` in a query's conditions: what it becomes, and where it is refused.

mod support;

use poseur_rule::kusto::read_query;
use poseur_rule::types::Types;
use support::show;

#[test]
fn tests_of_any_scalar() {
    let rows = [
        (r#"where * has "x""#, "ANY~|x|"),
        (r#"where * contains_cs "x""#, "ANY=*x*"),
        (
            r#"where * startswith "x" or * endswith "y""#,
            "(ANY~x* | ANY~*y)",
        ),
        (r#"where * == "x""#, "ANY=x"),
        (r#"where * =~ "x""#, "ANY~x"),
        (r#"where * matches regex "x+""#, "ANY /x+/"),
        (r#"where not(* has "x") and a == 5"#, "(!ANY~|x| & a = 5)"),
        (r#"extend b = * has "x" | where b"#, "ANY~|x|"),
        (r#"sort by a | where * has "x""#, "ANY~|x|"),
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
    let alone = "`*` stands for all columns only before a test of a text, such as `* has \"x\"`: name the columns";
    let behind = "`*` is supported for the table's own columns only: write it before `extend`, `project` and the like, or name the columns";
    let constants = "`*` is supported in tests of a text against constants only: name the columns";
    let rows = [
        (r#"where * !has "x""#, format!("1:11: {alone}")),
        (r#"where * != "x""#, format!("1:11: {alone}")),
        ("where isempty(*)", format!("1:19: {alone}")),
        ("where a == 5 * *", format!("1:20: {alone}")),
        (r#"where * in ("x")"#, format!("1:11: {alone}")),
        ("where * == 5", format!("1:11: {constants}")),
        ("where * has a", format!("1:11: {constants}")),
        (
            r#"where iff(* has "x", a, b) == 5"#,
            format!("1:11: {constants}"),
        ),
        (r#"project a | where * has "x""#, format!("1:23: {behind}")),
        (
            r#"extend a = 5 | where * has "x""#,
            format!("1:26: {behind}"),
        ),
        (
            r#"where ['*'] == "x""#,
            "1:11: no column has the name `*`".to_owned(),
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
