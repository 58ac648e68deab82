//! No text makes the front end panic or hang, and what it accepts keeps the model's promises.

use std::sync::LazyLock;

use poseur_rule::elastic;
use poseur_rule::model::{Condition, MAX_DEPTH};
use poseur_rule::types::Types;
use proptest::prelude::*;

static TYPES: LazyLock<Types> = LazyLock::new(Types::built_in);

const FILE: &str = r#"# é
[metadata]
maturity = "production"
[rule]
author = ["Somebody"]
index = ["logs-*"]
language = "kuery"
name = "N"
risk_score = 21
rule_id = "i"
severity = "low"
type = "query"
query = """
event.action: (ChatCreated or "Chat \\u0041") and \
  not user.*: "é*" and source.ip: 10.0.0.0/8 and @timestamp > now-1d and o:{ a >= 5 }
"""
filters = [{ meta = { negate = true }, query = { wildcard = { f = { case_insensitive = true, value = '?:\\*' } } } }]
[[rule.threat]]
framework = "MITRE ATT&CK"
tactic = { id = "TA0001", name = "Initial Access" }
[[rule.threat.technique]]
id = "T1566"
[rule.investigation_fields]
field_names = ["user.email"]
"#;

fn read_file(text: &str) {
    let documents = elastic::read("t.toml", text, &TYPES);
    assert_eq!(
        documents.rules.len(),
        usize::from(documents.errors.is_empty()),
        "{text}"
    );
    let lines = text.matches('\n').count() + 1;
    for error in &documents.errors {
        assert!(
            !error.reason.is_empty() && !error.reason.contains('\n'),
            "{error}"
        );
        let whole = error.reason.starts_with("the file has no table");
        assert!(
            whole == (error.place.line == 0) && error.place.line <= lines,
            "{error}"
        );
        assert!(whole == (error.place.column == 0), "{error}");
    }
    for rule in &documents.rules {
        assert!(rule.condition.depth() <= MAX_DEPTH);
    }
}

fn read_query(query: &str) -> bool {
    match elastic::condition(query, &TYPES) {
        Ok(condition) => {
            assert!(condition.depth() <= MAX_DEPTH, "{}", condition.depth());
            true
        }
        Err((at, reason)) => {
            assert!(query.is_char_boundary(at), "{query:?} {at}");
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
            false
        }
    }
}

#[test]
fn cut_off_everywhere() {
    assert_eq!(elastic::read("t.toml", FILE, &TYPES).errors, []);
    for (at, _) in FILE.char_indices() {
        read_file(&FILE[..at]);
        read_file(&FILE[at..]);
    }
}

/// Nesting of every kind is bounded, and what is accepted fits the model.
#[test]
fn deep_nesting() {
    let around: [(&str, &str, &str); 7] = [
        ("(", "a:b", ")"),
        ("not (", "a:b", ")"),
        ("(c:d or e:f and ", "a:b", ")"),
        ("o:{", "a:b", "}"),
        ("o:{c:d or e:f and not (", "a:b", ")}"),
        ("(c or d and not ", "a", ")"),
        ("not ", "a:b", ""),
    ];
    for (before, inner, behind) in around {
        let nested =
            |levels: usize| format!("{}{inner}{}", before.repeat(levels), behind.repeat(levels));
        assert!(read_query(&nested(1)), "{}", nested(1));
        let accepted = (1..MAX_DEPTH)
            .take_while(|levels| read_query(&nested(*levels)))
            .count();
        assert!(accepted >= 7 || before == "not ", "{accepted}: {before}");
        for levels in [MAX_DEPTH, 1_000, 100_000] {
            assert!(!read_query(&nested(levels)));
            assert!(!read_query(&format!("x:{}", nested(levels))));
            assert!(!read_query(&before.repeat(levels)));
        }
    }
}

/// Texts of a megabyte: long chains are flat, and nothing takes time out of proportion.
#[test]
fn large_queries() {
    let chain = |word: &str| vec!["a:b"; 100_000].join(word);
    for word in [" or ", " and ", "\u{a0}OR \n"] {
        match elastic::condition(&chain(word), &TYPES) {
            Ok(Condition::All(parts) | Condition::Any(parts)) => assert_eq!(parts.len(), 100_000),
            other => panic!("{other:?}"),
        }
    }
    let million = |piece: &str| piece.repeat(1_000_000 / piece.len());
    for piece in [
        " ",
        "x",
        "* ",
        "a ",
        "no",
        "not",
        "not ",
        " or",
        " or ",
        " and ",
        "(",
        ")",
        "a(",
        "\"",
        "\\",
        "\\\\",
        "\\u0041",
        "\\ud83d",
        "a:",
        ":",
        "{",
        "a:{",
        "<",
        "a >",
        "*",
        "\u{a0}",
        "é",
        "a or not ",
        "a:(b or ",
        "no t",
    ] {
        let text = million(piece);
        read_query(&text);
        read_query(&format!("a:{text}"));
        read_query(&format!("a:\"{text}"));
        // By type; a tenth is enough to show time out of proportion.
        let text = piece.repeat(100_000 / piece.len());
        read_query(&format!("message:{text}"));
        read_query(&format!("source.ip:\"{text}\""));
        read_query(&format!("@timestamp > now{text}"));
        read_query(&format!("source.port:\"{text}\""));
    }
    read_query(&format!("@timestamp > now{}", million("+1d")));
    read_query(&format!("@timestamp > 2026-01-01||{}", million("+1d")));
    let values = vec!["\"10.0.0.1\""; 80_000].join(" or ");
    assert!(read_query(&format!("source.ip:({values})")));
    // Each range of addresses is hundreds of networks.
    assert!(!read_query(
        &vec!["source.ip > \"::1\""; 50_000].join(" or ")
    ));
}

#[test]
fn large_files() {
    let million = |piece: &str| piece.repeat(1_000_000 / piece.len());
    let head = "[rule]\nrule_id = 'i'\nname = 'n'\ntype = 'query'\n";
    read_file(&format!("{head}query = '''\n{}'''\n", million("a:b or\n")));
    read_file(&format!(
        "{head}query = \"\"\"{}null\"\"\"\n",
        million("a:b\\u0020\\\n\n or ")
    ));
    read_file(&format!(
        "{head}query = ''\nreferences = [{}]\n",
        million("5, ")
    ));
    read_file(&format!("{head}query = ''\nname = '{}'\n", million("x")));
    for piece in [
        "[", "{", "a = {", "a.", "[a.", "[[", "'", "\"", "\\", "a = [\n", "[rule]\n", "\n",
        "x = 1\n", "a",
    ] {
        read_file(&million(piece));
        read_file(&format!("{head}query = {}", million(piece)));
    }
    read_file(&format!("{head}query = ''\n{}b = 1\n", million("a.")));
    read_file(&format!("{head}query = ''\n[{}b]\n", million("a.")));
    let filters = "{query = {bool = {must = ";
    read_file(&format!(
        "{head}query = ''\nfilters = {}{}\n",
        filters.repeat(20),
        "}}}".repeat(20)
    ));
}

/// Pieces that mean something to TOML or to kuery.
const PIECES: [&str; 64] = [
    "\n",
    "  ",
    "=",
    ".",
    "[",
    "]",
    "[[",
    "{",
    "}",
    ", ",
    "'",
    "\"",
    "'''",
    "\"\"\"",
    "\\",
    "\\\n",
    "\\u0041",
    "#",
    "\r\n",
    "\u{feff}",
    "\0",
    "é",
    "\u{a0}",
    "5",
    "-1",
    "true",
    "null",
    "rule",
    "query",
    "type",
    "filters",
    "meta",
    "bool",
    "wildcard",
    "threat",
    "severity",
    ":",
    " : ",
    "(",
    ")",
    "*",
    "**",
    " and ",
    " or ",
    "not ",
    "not",
    "<",
    ">=",
    "a",
    "user.*",
    "source.ip:",
    "10.0.0.0/8",
    "::1",
    "@timestamp",
    " > ",
    "now-1d/d",
    "2026-11-20",
    "||+1M",
    "message:",
    "two words",
    "source.port",
    "\\ud83d",
    "\\and",
    "o:{",
];

fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..12_usize,
        prop::sample::select(&PIECES[..]),
    );
    prop::collection::vec(edit, 1..8).prop_map(move |edits| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, cut, piece) in edits {
            let start = at.index(chars.len() + 1);
            let end = (start + cut).min(chars.len());
            chars.splice(start..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        read_file(&text);
        read_query(&text);
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        read_file(&text);
        read_query(&text);
    }

    #[test]
    fn text_of_meaningful_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        read_file(&pieces.concat());
        read_query(&pieces.concat());
    }

    #[test]
    fn mutated_files(text in mutated(FILE)) {
        read_file(&text);
    }
}
