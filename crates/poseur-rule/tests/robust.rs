//! No text makes the front end panic or hang, and what it accepts keeps the model's promises.

use poseur_rule::model::{Condition, MAX_DEPTH, Part, Test};
use poseur_rule::{sigma, yaml};
use proptest::prelude::*;

const PACK: [&str; 2] = [
    include_str!("../packs/help-desk-chat-created.yml"),
    include_str!("../packs/suspicious-external-contact.yml"),
];

/// Reads a text, and looks over what came out.
fn read(text: &str) {
    let documents = sigma::read("t.yml", text);
    for error in &documents.errors {
        assert!(!error.reason.is_empty());
        assert!(!error.reason.contains('\n'), "one line: {error}");
        // Syntax that is cut off at the end is reported on the line after the last.
        let breaks = text.chars().filter(|c| "\n\r".contains(*c)).count();
        assert!(error.place.line <= breaks + 2, "{error}");
    }
    let nothing = documents.rules.is_empty() && documents.filters.is_empty();
    assert!(
        !nothing || !documents.errors.is_empty(),
        "silence is no answer"
    );
    for rule in &documents.rules {
        assert!(rule.condition.depth() <= MAX_DEPTH);
        check(&rule.condition);
    }
}

fn check(condition: &Condition) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            assert!(parts.len() > 1, "{parts:?}");
            parts.iter().for_each(check);
        }
        Condition::Not(inner)
        | Condition::Named(_, inner)
        | Condition::Nested {
            condition: inner, ..
        } => check(inner),
        Condition::Test(predicate) => {
            if let Test::Text(pattern, _) = &predicate.test {
                for pair in pattern.parts().windows(2) {
                    let same = std::mem::discriminant(&pair[0]) == std::mem::discriminant(&pair[1]);
                    assert!(!same || pair[0] == Part::One, "{pattern:?}");
                }
            }
        }
    }
}

/// Pieces that mean something to YAML or to Sigma.
const PIECES: [&str; 48] = [
    "\n",
    "\n  ",
    "\n    ",
    "  ",
    ": ",
    "- ",
    "? ",
    "|",
    "|\n",
    ">",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&a ",
    "*a",
    "!t ",
    "!!str ",
    "# ",
    "---\n",
    "...\n",
    "%",
    "\\",
    "\t",
    "\r\n",
    "\u{feff}",
    "\0",
    "é",
    "~",
    "title",
    "id",
    "logsource",
    "detection",
    "condition",
    "filter",
    "rules",
    "poseur",
    "max_age",
    "|contains",
    "|re|i",
    "|base64offset",
    "1 of them",
    "not (",
    "and",
    "30d",
];

/// A text of the pack with some characters cut out and some pieces put in.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..12_usize,
        prop::sample::select(&PIECES[..]),
    );
    (
        prop::sample::select(&PACK[..]),
        prop::collection::vec(edit, 1..8),
    )
        .prop_map(|(text, edits)| {
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
        let _ = yaml::parse("t.yml", &text);
        read(&text);
    }

    #[test]
    fn text_of_meaningful_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        read(&pieces.concat());
    }

    #[test]
    fn mutated_documents(text in mutated()) {
        read(&text);
    }

    #[test]
    fn arbitrary_conditions(words in prop::collection::vec(
        prop::sample::select(&["s", "t", "_u", "and", "or", "not", "(", ")", "1", "of", "all", "them", "s*", "|", "é"][..]),
        0..30,
    )) {
        let condition = words.join(" ");
        read(&format!(
            "title: T\nid: i\nlogsource: {{product: p}}\ndetection:\n  s: {{a: 1}}\n  t: [x, y]\n  _u: {{b: 2}}\n  condition: '{condition}'\n"
        ));
    }

    #[test]
    fn arbitrary_values(
        modifiers in prop::collection::vec(prop::sample::select(&[
            "contains", "startswith", "endswith", "all", "cased", "neq", "re", "i", "cidr", "lt", "exists", "base64",
            "base64offset", "wide", "utf16", "utf16be", "windash", "expand", "fieldref",
        ][..]), 0..4),
        value in "[ -~éＡ\u{2013}\u{1f600}]{0,20}",
        quoted in any::<bool>(),
    ) {
        let modifiers: String = modifiers.iter().map(|name| format!("|{name}")).collect();
        let value = if quoted { format!("'{}'", value.replace('\'', "''")) } else { value };
        read(&format!(
            "title: T\nid: i\nlogsource: {{product: p}}\ndetection:\n  s:\n    a{modifiers}: {value}\n  condition: s\n"
        ));
    }
}
