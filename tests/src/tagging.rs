//! Short ways to a tagger and to what it wrote.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::{Matcher, schema};
use poseur_rule::exception::Exception;
use poseur_rule::model::Rule;
use poseur_rule::sigma;
use poseur_tagger::{Lines, Style, TagOptions, Tagger};

/// Id of the built-in rule about rogue help-desk chats.
pub const RULE_A: &str = "e8e7b6b6-78b0-4015-97fe-c2f28468e0d4";

/// Id of the built-in rule about suspicious external contacts.
pub const RULE_B: &str = "389ead4a-6dfe-47e1-9236-165eb08f1017";

/// Rules and exceptions compiled, with the shape of each record recognised.
///
/// # Panics
/// If they cannot be compiled.
pub fn compile(rules: Vec<Rule>, exceptions: Vec<Exception>) -> Arc<Matcher> {
    let matcher = Matcher::new(rules, exceptions, schema::built_in(), None);
    Arc::new(matcher.expect("rules and exceptions that compile"))
}

/// A tagger for the built-in rules.
pub fn tagger(exceptions: Vec<Exception>, style: Style) -> Tagger {
    styled(compile(poseur_rule::pack::built_in(), exceptions), style)
}

/// A tagger that writes in a certain style.
pub fn styled(matcher: Arc<Matcher>, style: Style) -> Tagger {
    let options = TagOptions {
        style,
        ..TagOptions::default()
    };
    Tagger::new(matcher, options)
}

/// The same, looking at every record.
pub fn thorough(matcher: Arc<Matcher>, style: Style) -> Tagger {
    let options = TagOptions {
        style,
        ..TagOptions::default()
    };
    Tagger::with_lines(Lines::new(matcher).check_all(), options)
}

/// The rules in a Sigma text.
///
/// # Panics
/// If it has errors.
pub fn sigma_rules(text: &str) -> Vec<Rule> {
    let documents = sigma::read("test", text);
    assert_eq!(documents.errors, [], "{text}");
    documents.rules
}

/// A Sigma rule: its id, what follows `detection:` (indented), and further top-level lines.
pub fn sigma_rule(id: &str, detection: &str, more: &str) -> Vec<Rule> {
    sigma_rules(&format!(
        "title: Rule {id}\nid: {id}\nlogsource: {{category: test}}\ndetection:\n{detection}\n{more}"
    ))
}

/// What a tagger makes of some lines.
pub fn tag(tagger: &mut Tagger, input: impl AsRef<[u8]>, at: Timestamp) -> Vec<u8> {
    tagger.tag(input.as_ref(), at).to_vec()
}

/// A record as it is, and in every envelope and batch; by name. Beside it, batches hold a record
/// that matches nothing.
pub fn wrapped(record: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = |bytes: &[u8]| {
        let mut out = Vec::new();
        poseur_matcher::json::string(bytes, &mut out);
        out
    };
    let around = |before: &str, inner: &[u8], after: &str| {
        [before.as_bytes(), inner, after.as_bytes()].concat()
    };
    let message = around("{\"message\":", &text(record), ",\"host\":\"edge\"}");
    let array = around("[{\"a\":1},", record, ",null]");
    vec![
        ("bare", record.to_vec()),
        ("with a mark and CR", around("\u{FEFF} ", record, " \r")),
        ("object", around("{\"o365audit\":", record, "}")),
        (
            "log",
            around("{\"log\":", &text(&around(" ", record, "\n")), "}"),
        ),
        (
            "original, nested",
            around(
                "{\"event\":{\"module\":\"o365\",\"original\":",
                &text(record),
                "}}",
            ),
        ),
        (
            "original, dotted",
            around("{\"event.original\":", &text(record), "}"),
        ),
        ("text in text", around("{\"log\":", &text(&message), "}")),
        (
            "text of a batch",
            around("{\"message\":", &text(&array), "}"),
        ),
        (
            "text of records",
            around(
                "{\"message\":",
                &text(&around("{\"records\":[", record, "]}")),
                "}",
            ),
        ),
        (
            "records",
            around("{\"time\":1,\"records\":[1,{},", record, "]}"),
        ),
        ("records of texts", around("{\"records\":[", &message, "]}")),
        ("message", message),
        ("array", array),
    ]
}
