//! Hostile queries: never a panic, never a hang, never a condition that is too deep.

use std::fmt::Write;

use poseur_rule::documents::Documents;
use poseur_rule::kusto::{read_query, read_yaml};
use poseur_rule::model::MAX_DEPTH;
use poseur_rule::types::Types;
use proptest::prelude::*;

/// Reads a text as a query and as a file; what is loaded keeps its promises.
fn read(text: &str) -> Documents {
    let types = Types::default();
    let query = read_query("q.kql", text, &types);
    check(&query, text);
    let file = read_yaml("q.yaml", text, &types);
    check(&file, text);
    query
}

fn check(documents: &Documents, text: &str) {
    // To YAML a lone carriage return is a line break.
    let lines = text.matches(['\n', '\r']).count() + 2;
    for error in &documents.errors {
        assert!(!error.reason.is_empty() && error.reason.len() < 1000);
        assert!(!error.reason.contains('\n'), "{}", error.reason);
        assert!(error.place.line <= lines, "{error}");
    }
    for rule in &documents.rules {
        assert!(rule.condition.depth() <= MAX_DEPTH);
    }
}

const QUERY: &str = r#"// Title
let window = 14d; let words = dynamic(["help", {"a": [1, -2.5, null]}]);
let f = (s:string, t:string = "x") { let u = tolower(s); strcat(u, t) };
MessageEvents
| where Timestamp > ago(window) and not(IsExternalThread == false)
| extend Domain = tostring(split(SenderEmailAddress, "@")[1]), n = RecipientDetails[0]["a b"].c
| where RecipientDetails has_any (words) or f(Domain) !in~ ('a', @"b", h"c" ```d```) and n between (1 .. 0x2F)
| project-rename Sender = SenderEmailAddress | project-away a*, *b | sort by Timestamp desc nulls last
| where Sender matches regex @"^\w+$" or iff(isempty(Domain), 1.5h, 2d) > 1.02:03:04 or "\u0041\x42\103" == Domain
| distinct Sender, Domain | take 5; "#;

#[test]
fn truncated_anywhere() {
    let file = format!(
        "id: i\nname: n\nquery: |\n  {}",
        QUERY.replace('\n', "\n  ")
    );
    for text in [QUERY, &file] {
        for (at, _) in text.char_indices() {
            read(&text[..at]);
        }
    }
}

#[test]
fn one_byte_changed() {
    for (at, _) in QUERY.char_indices() {
        for new in [
            "", "(", ")", "\"", "'", "|", "\\", "!", ".", "0", "\n", "é", "\0",
        ] {
            let mut text = QUERY.to_owned();
            text.replace_range(at..at + 1, new);
            let _ = read_query("q.kql", &text, &Types::default());
        }
    }
}

/// What nests too deep is refused, and says so.
#[test]
fn deep_nesting() {
    let deep = |open: &str, inner: &str, close: &str| {
        let count = 300_000;
        format!(
            "T | where {}{inner}{}",
            open.repeat(count),
            close.repeat(count)
        )
    };
    let rows = [
        deep("(", "a == 1", ")"),
        deep("not(", "a", ")"),
        deep("tolower(", "a", ")"),
        deep("iff(a, b, ", "c", ")"),
        deep("a[", "0", "]"),
        deep("a and (b or ", "c", ")"),
        deep("a in (", "1", ")"),
        deep("a between (1 .. ", "1", ")"),
        deep("", "a", ".b"),
        deep("", "a", "[0]"),
        deep("", "a", " + 1"),
        format!(
            "T | where a == dynamic({}{})",
            "[".repeat(300_000),
            "]".repeat(300_000)
        ),
        format!("{}T{}", "(".repeat(300_000), ")".repeat(300_000)),
        format!("let f = () {{ {} 1", "let g = () {".repeat(100_000)),
    ];
    for text in rows {
        let documents = read(&text);
        let shown = &text[..40];
        assert_eq!(documents.rules.len(), 0, "{shown}");
        let reason = &documents.errors[0].reason;
        assert!(
            reason.contains("nests deeper") || reason.contains("function"),
            "{shown}: {reason}"
        );
    }
    // By substitution: a hundred steps are deeper than sixty-four levels.
    let mut text = "T".to_owned();
    for _ in 0..100 {
        text += " | extend a = strcat(a, \"x\")";
    }
    let documents = read(&(text.clone() + " | where a == \"y\""));
    assert!(documents.errors[0].reason.contains("nests deeper"));
    // Functions that call functions that call functions.
    let mut text = "let f0 = (a:string) { tolower(a) };".to_owned();
    for at in 1..1_000 {
        write!(
            text,
            "let f{at} = (a:string) {{ f{}(f{}(a)) }};",
            at - 1,
            at - 1
        )
        .unwrap();
    }
    let documents = read(&(text + "T | where f999(b) == \"x\""));
    assert_eq!(documents.rules.len(), 0);
}

/// Small texts that ask for large conditions.
#[test]
fn growth_is_bounded() {
    let mut text = "T | extend a = b".to_owned();
    for _ in 0..60 {
        text += " | extend a = strcat(a, a, a, a)";
    }
    let documents = read(&(text + " | where a == \"x\""));
    assert!(
        documents.errors[0]
            .reason
            .contains("more than 2000000 values"),
        "{:?}",
        documents.errors
    );

    let list: Vec<String> = (0..10_000).map(|n| format!("\"{n}\"")).collect();
    let mut text = format!("let l = dynamic([{}]); T | where a == 1", list.join(","));
    for _ in 0..1_000 {
        text += " or b in (l)";
    }
    let documents = read(&text);
    assert!(
        documents.errors[0]
            .reason
            .contains("more than 2000000 values")
    );
}

/// A megabyte of one thing takes a second or so, not minutes.
#[test]
fn large_values() {
    const SIZE: usize = 1_000_000;
    let many = |part: &str, join: &str| vec![part; SIZE / (part.len() + join.len())].join(join);
    let loaded = [
        format!("T | where a == \"{}\"", many("x", "")),
        format!("T | where a == '{}'", many("\\u0041", "")),
        format!("T | where a == {}", many("\"x\"", " ")),
        format!("T | where a in ({})", many("\"x\"", ",")),
        format!("T | where a in ({})", many("5", ",")),
        format!("T | where a has_all (dynamic([{}]))", many("'x'", ",")),
        format!("T | where {}", many("a == \"x\"", " or ")),
        format!("T | where {}", many("a.b == 5", " and ")),
        format!("T | where a == 1 {}", many("// comment", "\n")),
        format!("T | {}", many("where a == 1", "|")),
        format!("T | {}", many("take 1", "|")),
        format!("T | project {}", many("a", ",")),
        format!("T | project-away {}", many("a*", ",")),
        format!("T | where {} == 1", many("a", "")),
        format!("{} T", many("set x;", "")),
    ];
    for text in loaded {
        let documents = read(&text);
        assert_eq!(documents.errors, [], "{}", &text[..30]);
    }
    let refused = [
        format!("T | where a == \"{}", many("x", "")),
        format!("T | where a == {}", many("9", "")),
        format!("T | where {}(a)", many("f", "")),
        format!("T | {}", many("x", "")),
        format!("T | where a == {}", many("-", "")),
        format!("T {}", many("|", "")),
        many("(", ""),
        many("'", ""),
        many("`", ""),
        many("!", ""),
        many("[\"a\"]", "."),
        many("let x = 1;", ""),
        format!("T | where ['{}'] + 'x' == 1", many("x", "")),
        format!(
            "T | where a matches regex \"{}\"",
            many("(x{1000}){1000}", "")
        ),
    ];
    for text in refused {
        assert_eq!(read(&text).rules.len(), 0, "{}", &text[..30]);
    }
}

#[test]
fn yaml_that_bites() {
    let types = Types::default();
    let rows = [
        "a: &a [*a]",
        "id: &a {b: *a}",
        "query: &q |\n  T\nid: *q\nname: *q",
        "id: i\nname: n\nquery: !!binary x",
        "id: i\nname: n\nquery: *missing",
        "id: i\nname: n\nquery: {a: [}",
        "? [a]\n: b",
        "id: i\nid: j",
        "\t",
        "%YAML 9.9\n---\nid: i",
    ];
    for text in rows {
        check(&read_yaml("q.yaml", text, &types), text);
    }
    let text = format!("id: i\nname: n\nquery: {}", "[".repeat(100_000));
    check(&read_yaml("q.yaml", &text, &types), &text);
}

/// Pieces from which queries are made.
const PIECES: &[&str] = &[
    "T",
    "a",
    "b",
    ".",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "|",
    ",",
    ";",
    ":",
    "=",
    "==",
    "!=",
    "=~",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "and",
    "or",
    "not(",
    "in",
    "!in~",
    "has",
    "!has_cs",
    "contains",
    "has_any",
    "between",
    "..",
    "where",
    "extend",
    "project",
    "project-away",
    "let",
    "dynamic(",
    "\"x\"",
    "'y",
    "@\"z\"",
    "5",
    "1.5",
    "1d",
    "0x",
    "ago(",
    "now()",
    "tolower(",
    "split(",
    "matches regex",
    "isempty(",
    "true",
    "null",
    "datetime(2024-01-01)",
    "\n",
    " ",
    " ",
    " ",
    "// c\n",
    "\\",
    "\u{0}",
    "é",
    "iff(",
    "x = ",
    "take 1",
    "summarize",
    "typeof(long)",
    "extract(",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        read(&pieces.concat());
        read(&format!("T | where {}", pieces.join(" ")));
    }
}
