//! The plain parser against serde_json, and against what it must do by the page.

use poseur_tests::reference::json::{Fault, MAX_DEPTH, Value, compact, is_number, parse};
use poseur_tests::strategies::document::{Style, render};
use poseur_tests::strategies::{any_json, config, extra, styles};
use proptest::prelude::*;

/// What serde_json makes of the same value: the last of duplicate keys counts.
fn as_serde(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => serde_json::from_str(number).expect("a number in range"),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        Value::List(items) => items.iter().map(as_serde).collect(),
        Value::Map(members) => members
            .iter()
            .map(|(key, child)| (String::from_utf8_lossy(key).into_owned(), as_serde(child)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Both must agree, but where the page asks for more than serde_json takes.
fn same_as_serde(text: &str) -> Result<(), TestCaseError> {
    let ours = parse(text.as_bytes());
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(theirs) => {
            let ours = ours.map(|parsed| as_serde(&parsed.value));
            prop_assert_eq!(ours, Ok(theirs));
        }
        Err(error) => {
            let said = error.to_string();
            let documented = said.contains("surrogate")
                || said.contains("unexpected end of hex escape")
                || said.contains("number out of range")
                || said.contains("recursion limit");
            prop_assert!(documented || ours.is_err(), "{said}: {ours:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn agrees_with_serde_json_on_documents(line in any_json()) {
        if let Ok(text) = std::str::from_utf8(&line.0) {
            same_as_serde(text)?;
        }
    }

    #[test]
    fn agrees_with_serde_json_on_token_soup(
        text in r#"([\[\]{},:]|"[a\\/"u0-9]{0,3}"|-?[0-9.eE+-]{1,5}|null|true|[ \t\r\n]){0,12}"#
    ) {
        same_as_serde(&text)?;
    }

    #[test]
    fn takes_any_bytes_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn every_spelling_means_the_same(node in extra::tree(), style in styles()) {
        let style = Style { shuffled: 0, ..style };
        let plain = parse(&render(&node, Style::default())).map(|parsed| parsed.value);
        let spelled = parse(&render(&node, style)).map(|parsed| parsed.value);
        // Embedded documents are spelled by the style too, so their text differs.
        if !format!("{node:?}").contains("Embedded") {
            prop_assert_eq!(&plain, &spelled);
        }
        prop_assert!(plain.is_ok() && spelled.is_ok());
    }

    #[test]
    fn the_compact_form_reads_back(node in extra::tree()) {
        let value = parse(&render(&node, Style::default())).expect("valid").value;
        let text = compact(&value);
        prop_assert_eq!(&parse(&text).expect("still valid").value, &value);
        prop_assert_eq!(compact(&value), text);
    }
}

fn text(bytes: &[u8]) -> Result<Value, Fault> {
    Ok(Value::Text(bytes.to_vec()))
}

#[test]
fn strings_are_decoded() {
    let lone = "\u{FFFD}".as_bytes();
    let cases: [(&[u8], Result<Value, Fault>); 18] = [
        (
            br#""\u0041\/\b\f\n\r\t\"\\""#,
            text(b"A/\x08\x0c\n\r\t\"\\"),
        ),
        (br#""\ud83d\ude00""#, text("\u{1F600}".as_bytes())),
        (br#""\uD83D\uDE00""#, text("\u{1F600}".as_bytes())),
        (br#""\ud83d""#, text(lone)),
        (br#""\ude00""#, text(lone)),
        (br#""\ude00\ud83d""#, text(&[lone, lone].concat())),
        (
            br#""\ud83d\ud83d\ude00""#,
            text("\u{FFFD}\u{1F600}".as_bytes()),
        ),
        (br#""\ud83dx""#, text("\u{FFFD}x".as_bytes())),
        (br#""\ud83d\n""#, text("\u{FFFD}\n".as_bytes())),
        (br#""\ud83d\u0041""#, text("\u{FFFD}A".as_bytes())),
        (
            b"\"\xff\xc3\xed\xa0\x80\x7f\"",
            text(b"\xff\xc3\xed\xa0\x80\x7f"),
        ),
        (br#""\ud83d\u00""#, Err(Fault::Syntax)),
        (br#""\ud83d\u""#, Err(Fault::Syntax)),
        (br#""\x41""#, Err(Fault::Syntax)),
        (br#""\u+041""#, Err(Fault::Syntax)),
        (b"\"\x1f\"", Err(Fault::Syntax)),
        (b"\"\n\"", Err(Fault::Syntax)),
        (br#""open"#, Err(Fault::Syntax)),
    ];
    for (token, wanted) in cases {
        let found = parse(token).map(|parsed| parsed.value);
        assert_eq!(found, wanted, "{}", token.escape_ascii());
    }
}

#[test]
fn numbers_follow_the_grammar() {
    for good in [
        "0",
        "-0",
        "10",
        "0.0",
        "-1.5e+10",
        "1E-2",
        "1e0",
        "123456789012345678901",
    ] {
        assert!(is_number(good.as_bytes()), "{good}");
        assert!(parse(good.as_bytes()).is_ok(), "{good}");
    }
    for bad in [
        "", "-", "01", "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN", "-a", "1 2", "--1",
    ] {
        assert!(!is_number(bad.as_bytes()), "{bad}");
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(!is_number(b" 1"));
}

#[test]
fn white_space_is_four_characters() {
    assert!(parse(b" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n").is_ok());
    for other in ["\x0B", "\x0C", "\u{A0}", "\u{FEFF}", "\0"] {
        assert_eq!(parse(format!("[{other}]").as_bytes()), Err(Fault::Syntax));
        assert_eq!(parse(format!("[]{other}").as_bytes()), Err(Fault::Syntax));
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(Fault::TooDeep));
    let objects = r#"{"a":"#.repeat(MAX_DEPTH) + "1" + &"}".repeat(MAX_DEPTH);
    assert!(parse(objects.as_bytes()).is_ok());
    assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(Fault::TooDeep));
}

#[test]
fn duplicates_order_and_braces_are_kept() {
    let line = br#"{"b":{"x":[{}]},"a":1,"b":{}}"#;
    let parsed = parse(line).expect("valid");
    let Value::Map(members) = &parsed.value else {
        panic!("an object")
    };
    let keys: Vec<&[u8]> = members.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [b"b", b"a", b"b"]);
    assert_eq!(parsed.braces, [28, 14, 12, 27]);
}

#[test]
fn compact_form() {
    let parsed = parse(
        "{ \"a\\u0022\" : [ 1.50 , \"\\u0001\\u001F\\b\\f\\n\\r\\t\\/\\\\\\u007f\\ud800\\u00e9\" ,\
         null, true, false, {}, [] ] }"
            .as_bytes(),
    )
    .expect("valid");
    let wanted = "{\"a\\\"\":[1.50,\"\\u0001\\u001f\\b\\f\\n\\r\\t/\\\\\u{7f}\u{FFFD}\u{e9}\",null,true,false,{},[]]}";
    assert_eq!(String::from_utf8_lossy(&compact(&parsed.value)), wanted);
}
