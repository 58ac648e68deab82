//! Query files: YAML of Sentinel and Defender, bare queries, and what is wrong with them.

use poseur_rule::documents::Documents;
use poseur_rule::kusto::{read_query, read_yaml};
use poseur_rule::model::{Language, Level};
use poseur_rule::types::Types;

fn yaml(text: &str) -> Documents {
    read_yaml("q.yaml", text, &Types::built_in())
}

fn errors(documents: Documents) -> Vec<String> {
    if !documents.errors.is_empty() {
        assert_eq!(documents.rules, [], "half-loaded");
    }
    documents.errors.iter().map(ToString::to_string).collect()
}

const FILE: &str = r#"id: 7c6a0f0e-3b57-4f7a-9a37-6a7f0f5f0b11
name: "Guest added by a script "
description: |
  'A guest was added by a program.
  Look at who owns it.'
description-detailed: more
requiredDataConnectors:
  - connectorId: Office365
    dataTypes: [OfficeActivity]
severity: High
queryFrequency: 1d
triggerOperator: gt
triggerThreshold: 0
status: Available
tactics:
  - InitialAccess
  - CommandAndControl
  - Initial Access
relevantTechniques:
  - T1566
  - t1078.004
  - T1566
  -
  - TA0001
query: |
  // by whom
  OfficeActivity
  | where Operation =~ "MemberAdded"

  | where UserId !has "@contoso.example"
  | project TimeGenerated, UserId, Who = UserId
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserId
version: 1.0.3
kind: Scheduled
"#;

#[test]
fn a_sentinel_file() {
    let documents = yaml(FILE);
    assert_eq!(documents.errors, []);
    let [rule] = documents.rules.as_slice() else {
        panic!("one rule expected");
    };
    assert_eq!(rule.id, "7c6a0f0e-3b57-4f7a-9a37-6a7f0f5f0b11");
    assert_eq!(rule.title, "Guest added by a script");
    assert_eq!(
        rule.description,
        "A guest was added by a program.\nLook at who owns it."
    );
    assert_eq!(rule.level, Level::High);
    assert_eq!(rule.tactics, ["initial-access", "command-and-control"]);
    assert_eq!(rule.techniques, ["T1566", "T1078.004"]);
    assert_eq!(rule.fields, ["TimeGenerated", "UserId"]);
    assert_eq!(rule.log_source.table.as_deref(), Some("OfficeActivity"));
    assert_eq!(rule.origin.language, Language::Kusto);
    assert_eq!(rule.origin.place.to_string(), "q.yaml:1:1");
}

#[test]
fn a_hunting_file_needs_little() {
    let documents = yaml("id: one\nname: N\nquery: MessageEvents | where IsExternalThread\n");
    assert_eq!(documents.errors, []);
    let rule = &documents.rules[0];
    assert_eq!((rule.level, rule.description.as_str()), (Level::Medium, ""));
    assert!(rule.techniques.is_empty() && rule.tactics.is_empty() && rule.fields.is_empty());
}

#[test]
fn several_documents() {
    let one = "id: one\nname: N\nquery: T | where a == 1\n";
    let documents = yaml(&format!("{one}---\n{one}---\n"));
    assert_eq!((documents.rules.len(), documents.errors.len()), (2, 0));
    let documents = yaml(&format!("{one}---\nid: two\n"));
    assert_eq!((documents.rules.len(), documents.errors.len()), (1, 2));
}

#[test]
fn errors_name_the_place() {
    let head = "id: one\nname: N\n";
    let rows: [(&str, &[&str]); 15] = [
        // In a block, behind blank lines too.
        (
            "query: |\n  T\n  | where a == 1 && b\n",
            &["q.yaml:5:18: `&` is no operator of Kusto: write `and`"],
        ),
        (
            "query: |\n\n  T\n\n  | where é == 1\n",
            &["q.yaml:7:11: `é` is no character of Kusto"],
        ),
        (
            "query: |\n  T\n\n\n  | summarize count()\n",
            &[
                "q.yaml:7:5: `summarize` looks across records or tables, and Poseur judges each record alone",
            ],
        ),
        (
            "query: |-\n      T\n        | summarize count()\n",
            &[
                "q.yaml:5:11: `summarize` looks across records or tables, and Poseur judges each record alone",
            ],
        ),
        (
            "query: 'T | where x('\n",
            &["q.yaml:3:21: expected a value, but the query ends here"],
        ),
        (
            "query: T | frob\n",
            &["q.yaml:3:12: `frob` is no operator of Kusto that Poseur knows"],
        ),
        // Where escapes and folding make the place unsure, it is that of the text.
        (
            "query: \"T | where a == \\\"x\\\" | frob\"\n",
            &["q.yaml:3:8: `frob` is no operator of Kusto that Poseur knows"],
        ),
        (
            "",
            &["q.yaml:1:1: `query` is missing: it holds the query in Kusto"],
        ),
        ("query:\n", &["q.yaml:3:6: `query` must not be empty"]),
        (
            "query: [T]\n",
            &["q.yaml:3:8: `query` must be a text, not a list"],
        ),
        (
            "query: T\nseverity: Hgh\n",
            &["q.yaml:4:11: unknown severity `Hgh`: did you mean `High`?"],
        ),
        (
            "query: T\ntactics: {a: b}\n",
            &["q.yaml:4:10: `tactics` must be a text or a list of texts"],
        ),
        (
            "query: T\nrelevantTechniques: [[a]]\n",
            &["q.yaml:4:22: each of `relevantTechniques` must be a text, not a list"],
        ),
        (
            "query: T\nname: again\n",
            &["q.yaml:4:1: the key `name` stands here a second time, the first is on line 2"],
        ),
        // All errors of a file at once.
        (
            "query: T | frob\nseverity: 7\n",
            &[
                "q.yaml:4:11: unknown severity `7`: known are Informational, Low, Medium, High",
                "q.yaml:3:12: `frob` is no operator of Kusto that Poseur knows",
            ],
        ),
    ];
    for (rest, expected) in rows {
        let found = errors(yaml(&format!("{head}{rest}")));
        assert_eq!(found, expected, "{rest}");
    }
    let rows: [(&str, &str); 6] = [
        (
            "",
            "q.yaml: the file holds no query: remove it, or write one",
        ),
        (
            "- a\n",
            "q.yaml:1:1: a query file must be a map, not a list",
        ),
        ("query: T\n", "q.yaml:1:1: `id` is missing"),
        (
            "id: &a [*a]\n",
            "q.yaml:1:9: this alias stands inside the value it names",
        ),
        ("id: |\n x\n y: [\n", "q.yaml:1:1: `name` is missing"),
        ("id: 'x\n", "q.yaml:1:5: this is not valid YAML"),
    ];
    for (text, expected) in rows {
        let found = errors(yaml(text));
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn bare_queries() {
    let types = Types::built_in();
    let rows = [
        ("dir/Odd name.kql", "T", "Odd name", "Odd name"),
        (
            "a.b.csl",
            "\n// \n  /// What it finds\n// more\nT",
            "a.b",
            "What it finds",
        ),
        (
            "q.kql",
            "\u{feff}// Title\r\nT\r\n| where a == 1\r\n",
            "q",
            "Title",
        ),
        ("q.kql", "T // behind\n", "q", "q"),
        ("q.kql", "let x = 1; // no title\nT", "q", "q"),
    ];
    for (file, text, id, title) in rows {
        let documents = read_query(file, text, &types);
        assert_eq!(documents.errors, [], "{text}");
        let rule = &documents.rules[0];
        assert_eq!(
            (rule.id.as_str(), rule.title.as_str()),
            (id, title),
            "{text}"
        );
        assert_eq!(rule.level, Level::Medium);
        assert_eq!(rule.origin.place.file, file);
    }
    let documents = read_query(
        "q.kql",
        "\u{feff}// ü\r\nT\r\n| where 'ü' == a && b",
        &types,
    );
    assert_eq!(
        errors(documents),
        ["q.kql:3:18: `&` is no operator of Kusto: write `and`"]
    );
}
