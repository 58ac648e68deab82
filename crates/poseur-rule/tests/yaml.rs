//! The YAML tree: places, types, and what is refused.

use poseur_rule::yaml::{Node, Reader, Scalar, Value, closest, parse};

/// Every scalar of a text with its place.
fn places(text: &str) -> Vec<String> {
    fn walk(node: &Node, out: &mut Vec<String>) {
        match &node.value {
            Value::Scalar(scalar) => {
                let quote = if scalar.quoted { "'" } else { "" };
                out.push(format!(
                    "{}:{} {quote}{}{quote}",
                    node.line, node.column, scalar.text
                ));
            }
            Value::List(items) => items.iter().for_each(|item| walk(item, out)),
            Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                walk(key, out);
                walk(value, out);
            }),
        }
    }
    let mut out = Vec::new();
    for document in parse("t.yml", text).expect("valid YAML") {
        walk(&document, &mut out);
    }
    out
}

#[test]
fn every_node_has_its_place() {
    for (text, expected) in [
        (
            "a: 1\nb:\n  - x\n  - 'y'\n",
            vec!["1:1 a", "1:4 1", "2:1 b", "3:5 x", "4:5 'y'"],
        ),
        ("é: {ü: \"ö\"}", vec!["1:1 é", "1:5 ü", "1:8 'ö'"]),
        ("a: |\n  x\n  y\n", vec!["1:1 a", "2:3 'x\ny\n'"]),
        ("a:\r\n  b: c\r\n", vec!["1:1 a", "2:3 b", "2:6 c"]),
        ("\u{feff}a: b\n", vec!["1:1 a", "1:4 b"]),
        ("a: b\n---\nc\n...\n", vec!["1:1 a", "1:4 b", "3:1 c"]),
        ("a: &x b\nc: *x\n", vec!["1:1 a", "1:4 b", "2:1 c", "1:4 b"]),
        ("", vec![]),
        ("# nothing\n", vec![]),
        ("- \n- ~\n", vec!["1:3 ", "2:3 ~"]),
    ] {
        assert_eq!(places(text), expected, "{text}");
    }
}

#[test]
fn plain_scalars_have_the_types_of_the_core_schema() {
    let plain = |text: &str| Scalar {
        text: text.into(),
        quoted: false,
    };
    for text in ["", "~", "null", "Null", "NULL"] {
        assert!(plain(text).is_null(), "{text}");
    }
    for (text, truth) in [
        ("true", Some(true)),
        ("True", Some(true)),
        ("TRUE", Some(true)),
        ("false", Some(false)),
        ("False", Some(false)),
        ("FALSE", Some(false)),
        ("tRUE", None),
        ("yes", None),
        ("on", None),
    ] {
        assert_eq!(plain(text).as_bool(), truth, "{text}");
    }
    for text in [
        "0", "-0", "+12", "070", "0x1F", "0o17", "1.5", "1.", ".5", "-.5", "1e3", "1.5E-3",
        "1.e+3", ".inf", "-.INF", "+.Inf", ".nan", ".NaN",
    ] {
        assert_eq!(plain(text).as_number_text(), Some(text));
        assert_eq!(plain(text).as_text(), None, "{text}");
    }
    for text in [
        "-",
        "+",
        ".",
        "e3",
        "1e",
        "1e+",
        "0x",
        "0xG",
        "0o8",
        "-0x1",
        "1_000",
        "1:30",
        "2024-01-01",
        "1.2.3",
        ".e3",
        "inf",
        "nan",
        "-.nan",
        "١",
    ] {
        assert_eq!(plain(text).as_number_text(), None, "{text}");
        assert_eq!(plain(text).as_text(), Some(text));
    }
    for text in ["", "null", "true", "5"] {
        let quoted = Scalar {
            text: text.into(),
            quoted: true,
        };
        assert!(!quoted.is_null());
        assert_eq!((quoted.as_bool(), quoted.as_number_text()), (None, None));
        assert_eq!(quoted.as_text(), Some(text));
    }
}

#[test]
fn what_is_refused() {
    for (text, expected) in [
        (
            "a: 1\nb: 2\na: 3\n",
            "3:1: the key `a` stands here a second time, the first is on line 1",
        ),
        (
            "{a: 1, 'a': 2}",
            "1:8: the key `a` stands here a second time, the first is on line 1",
        ),
        (
            "? [a]\n: b\n",
            "1:3: a key must be a text, not a list or a map",
        ),
        (
            "a: &x {b: c}\nd:\n  <<: *x\n",
            "3:3: merge keys (<<) are not part of YAML 1.2: write the entries out",
        ),
        (
            "a: &x [*x]\n",
            "1:8: this alias stands inside the value it names",
        ),
        ("a: !foo x\n", "1:4: the YAML tag !foo has no meaning here"),
        (
            "a: b\0c\n",
            "1:5: a NUL character cannot stand in YAML; is this a text file?",
        ),
        (
            "a\n\0",
            "2:1: a NUL character cannot stand in YAML; is this a text file?",
        ),
    ] {
        let error = parse("t.yml", text).expect_err(text).to_string();
        assert_eq!(error, format!("t.yml:{expected}"), "{text}");
    }
    // The wording of these is the parser's; the places are what counts.
    for (text, place) in [
        ("a: 'x\n", "t.yml:1:4"),
        ("a: b: c\n", "t.yml:1:5"),
        ("a: *x\n", "t.yml:1:4"),
        ("a: &x b\n---\nc: *x\n", "t.yml:3:4"),
        ("a: [b\n", "t.yml:2:1"),
    ] {
        let error = parse("t.yml", text).expect_err(text);
        assert_eq!(error.place.to_string(), place, "{text}: {error}");
    }
}

#[test]
fn depth_and_growth_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse("t.yml", &nested(64)).is_ok());
    let error = parse("t.yml", &nested(65)).expect_err("too deep");
    assert_eq!(
        error.to_string(),
        "t.yml:1:65: lists and maps nest deeper than 64 levels"
    );
    for (text, expected) in [
        (
            "- ".repeat(50_000),
            "1:129: lists and maps nest deeper than 64 levels",
        ),
        (
            format!(
                "a: &x {}\nb: {}*x{}\n",
                nested(40),
                "[".repeat(30),
                "]".repeat(30)
            ),
            "2:34: lists and maps nest deeper than 64 levels",
        ),
    ] {
        let error = parse("t.yml", &text).expect_err("too deep");
        assert_eq!(error.to_string(), format!("t.yml:{expected}"));
    }
    // A billion laughs.
    let mut laughs = String::from("a0: &a0 ha\n");
    for i in 0..20 {
        let copies = vec![format!("*a{i}"); 10].join(", ");
        laughs.push_str(&format!("a{next}: &a{next} [{copies}]\n", next = i + 1));
    }
    let error = parse("t.yml", &laughs).expect_err("too many");
    assert!(
        error.reason.starts_with("more than 1000000 values"),
        "{error}"
    );
    // Few values, much text.
    let copies = "- *x\n".repeat(1000);
    let text = format!("- &x {}\n{copies}", "y".repeat(100_000));
    let error = parse("t.yml", &text).expect_err("too much text");
    assert!(
        error.reason.starts_with("aliases stand for more than"),
        "{error}"
    );
}

#[test]
fn lookups() {
    let documents = parse("t.yml", "a: {b: [c, 5]}\nd:\n").expect("valid YAML");
    let root = &documents[0];
    assert_eq!(root.get("a").map(Node::kind), Some("a map"));
    assert_eq!(
        root.get("a").and_then(|a| a.get("b")).map(Node::kind),
        Some("a list")
    );
    assert_eq!(root.get("d").map(Node::kind), Some("nothing"));
    assert_eq!(root.get("x"), None);
    let (key, _) = root.entry("d").expect("an entry");
    assert_eq!((key.line, key.column, key.key()), (2, 1, "d"));
    let mut reader = Reader::new("t.yml");
    let list = root.get("a").and_then(|a| a.get("b")).expect("a list");
    let texts: Vec<&str> = reader
        .texts(list, "`b`")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(texts, ["c", "5"]);
    assert_eq!(reader.errors, []);
}

#[test]
fn misspelt_words() {
    const WORDS: [&str; 4] = ["reason", "owner", "expires", "id"];
    for (word, expected) in [
        ("resaon", Some("reason")),
        ("Owner", Some("owner")),
        ("expire", Some("expires")),
        ("exprise", Some("expires")),
        ("di", Some("id")),
        ("i", Some("id")),
        ("xx", None),
        ("something", None),
        ("", None),
    ] {
        assert_eq!(closest(word, WORDS), expected, "{word}");
    }
}
