//! One table for each function, from Kusto's documentation and docs/semantics.md.

use poseur_rule::expression::Expression as E;
use poseur_rule::model::Number;

use super::*;

/// Literals by how they are written here: `"text"`, `12`, `1.5`, `true`, `null`, `[…]` and `{…}`,
/// `d:DATE`, `s:TIMESPAN`.
fn literal(source: &str) -> Literal {
    match source {
        "null" => Literal::Null(ColumnType::Long),
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        _ if source.starts_with(['[', '{']) => Literal::Dynamic(source.to_owned()),
        _ if source.starts_with("d:") => {
            Literal::DateTime(time::parse_moment(&source[2..]).unwrap())
        }
        _ if source.starts_with("s:") => {
            Literal::TimeSpan(time::parse_span(&source.as_bytes()[2..]).unwrap())
        }
        _ if source.starts_with('"') => Literal::Text(source[1..source.len() - 1].to_owned()),
        _ => match source.parse() {
            Ok(number) => Literal::Long(number),
            Err(_) => Literal::Real(Number::new(source).unwrap()),
        },
    }
}

/// A value as these tables write it.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => format!("\"{text}\""),
        Value::DateTime(_) => format!("d:{}", value.text()),
        Value::TimeSpan(_) => format!("s:{}", value.text()),
        value => value.text().into_owned(),
    }
}

/// Rows of arguments and result, taken as literals, which are folded, and as columns, which are not.
fn table(function: Function, rows: &[(&[&str], &str)]) {
    for (arguments, expected) in rows {
        let literals: Vec<Literal> = arguments.iter().map(|source| literal(source)).collect();
        let folded = E::Call(function, literals.iter().cloned().map(E::Literal).collect());
        let folded = Expression::new(&folded).unwrap();
        assert!(matches!(folded.root, Node::Constant(_)));
        let now = Timestamp::UNIX_EPOCH;
        let value = folded.value(&[], now);
        assert_eq!(written(&value), *expected, "{function:?} {arguments:?}");

        let regex = regex_argument(function, literals.len());
        let values: Vec<Value> = literals.iter().map(constant).collect();
        let column = |number: usize| {
            E::Column(Column {
                name: number.to_string(),
                kind: ColumnType::Dynamic,
            })
        };
        let arguments = literals.into_iter().enumerate();
        let arguments = arguments.map(|(number, literal)| match regex == Some(number) {
            true => E::Literal(literal),
            false => column(number),
        });
        let plain = Expression::new(&E::Call(function, arguments.collect())).unwrap();
        let columns = plain.columns().iter();
        let values: Vec<Value> = columns
            .map(|column| values[column.name.parse::<usize>().unwrap()].clone())
            .collect();
        assert_eq!(plain.value(&values, now), value, "{function:?} unfolded");
    }
}

#[test]
fn logic() {
    table(
        Function::And,
        &[
            (&["true", "true"], "true"),
            (&["true", "null"], "null"),
            (&["null", "false"], "false"),
            (&[], "true"),
            (&["1", "\"true\""], "true"),
        ],
    );
    table(
        Function::Or,
        &[
            (&["false", "false"], "false"),
            (&["null", "true"], "true"),
            (&["false", "null"], "null"),
            (&[], "false"),
        ],
    );
    table(
        Function::Not,
        &[
            (&["true"], "false"),
            (&["null"], "null"),
            (&["0"], "true"),
            (&["\"x\""], "null"),
        ],
    );
}

#[test]
fn equality() {
    table(
        Function::Equal,
        &[
            (&["1", "1.0"], "true"),
            (&["\"1\"", "1"], "true"),
            (&["1", "\"01\""], "false"),
            (&["\"a\"", "\"A\""], "false"),
            (&["null", "null"], "false"),
            (&["null", "\"\""], "false"),
            (&["true", "1"], "true"),
            (&["true", "2"], "false"),
            (&["false", "0"], "true"),
            (&["true", "\"True\""], "true"),
            (&["\"x\"", "true"], "false"),
            (&["9007199254740993", "9007199254740992"], "false"),
            (&["d:2026-01-01", "\"2026-01-01\""], "true"),
            (&["s:00:01:00", "\"00:01:00\""], "true"),
            (&["d:2026-01-01", "1"], "false"),
            (&["[1, 2]", "[1,2]"], "true"),
            (&["[1,2]", "\"[1,2]\""], "true"),
            (&["[1]", "1"], "false"),
        ],
    );
}

#[test]
fn order() {
    table(
        Function::Less,
        &[
            (&["1", "2"], "true"),
            (&["2", "1.5"], "false"),
            (&["null", "1"], "null"),
            (&["\"a\"", "\"b\""], "true"),
            (&["\"10\"", "\"9\""], "true"),
            (&["\"10\"", "9"], "false"),
            (&["\"x\"", "9"], "null"),
            (&["d:2026-01-01", "d:2026-01-02"], "true"),
            (&["d:2026-01-01", "\"2026-01-02\""], "true"),
            (&["s:00:00:01", "s:00:01:00"], "true"),
            (&["true", "false"], "null"),
            (&["[1]", "[2]"], "null"),
        ],
    );
    table(
        Function::LessOrEqual,
        &[(&["1", "1.0"], "true"), (&["2", "1"], "false")],
    );
    table(
        Function::Greater,
        &[(&["1", "1.0"], "false"), (&["2", "1"], "true")],
    );
    table(
        Function::GreaterOrEqual,
        &[(&["1", "1.0"], "true"), (&["1", "null"], "null")],
    );
}

#[test]
fn text_operators() {
    use Case::{Ascii, Exact};
    table(
        Function::In(Exact),
        &[
            (&["\"a\"", "\"b\"", "\"a\""], "true"),
            (&["\"A\"", "\"a\""], "false"),
            (&["null", "\"\""], "false"),
            (&["\"\"", "\"\""], "true"),
            (&["2", "1", "2"], "true"),
            (&["\"2\"", "2"], "true"),
            (&["\"b\"", "[\"a\",\"b\"]"], "true"),
            (&["true", "\"10\""], "false"),
            (&["true", "\"true\""], "true"),
            (&["1", "\"1.0\""], "false"),
            (&["[1]", "\"[1]\""], "true"),
            (&["\"a\""], "false"),
        ],
    );
    table(
        Function::In(Ascii),
        &[
            (&["\"AB\"", "\"ab\""], "true"),
            (&["\"É\"", "\"é\""], "false"),
        ],
    );
    table(
        Function::Contains(Ascii),
        &[
            (&["\"HelpDesk\"", "\"pd\""], "true"),
            (&["\"x\"", "\"\""], "true"),
            (&["null", "\"\""], "false"),
            (&["\"x\"", "null"], "false"),
            (&["{\"a\":[1,\"b\"]}", "\"[1,\""], "true"),
            (&["true", "\"RU\""], "true"),
            (&["120", "\"2\""], "true"),
        ],
    );
    table(
        Function::Contains(Exact),
        &[(&["\"HelpDesk\"", "\"pd\""], "false")],
    );
    table(
        Function::StartsWith(Ascii),
        &[
            (&["\"Help\"", "\"he\""], "true"),
            (&["\"Help\"", "\"elp\""], "false"),
        ],
    );
    table(
        Function::EndsWith(Exact),
        &[
            (&["\"Help\"", "\"lp\""], "true"),
            (&["\"p\"", "\"lp\""], "false"),
        ],
    );
    table(
        Function::Has(Ascii),
        &[
            (&["\"North America\"", "\"america\""], "true"),
            (&["\"North America\"", "\"amer\""], "false"),
            (&["\"North America\"", "\"x\"", "\"north\""], "true"),
            (&["\"a b\"", "[\"x\",\"b\"]"], "true"),
            (&["\"a\"", "\"\""], "true"),
            (&["null", "\"\""], "false"),
        ],
    );
    table(
        Function::HasAll(Ascii),
        &[
            (&["\"cold wind\"", "\"WIND\"", "\"cold\""], "true"),
            (&["\"cold wind\"", "\"win\"", "\"cold\""], "false"),
            (&["null", "\"x\""], "false"),
        ],
    );
    table(
        Function::HasPrefix(Exact),
        &[
            (&["\"North America\"", "\"Amer\""], "true"),
            (&["\"North\"", "\"orth\""], "false"),
        ],
    );
    table(
        Function::HasSuffix(Exact),
        &[
            (&["\"North America\"", "\"rica\""], "true"),
            (&["\"North\"", "\"Nor\""], "false"),
        ],
    );
    table(
        Function::MatchesRegex,
        &[
            (&["\"help desk\"", "\"p.d\""], "true"),
            (&["\"help\"", "\"^elp\""], "false"),
            (&["null", "\"\""], "false"),
            (&["\"HELP\"", "\"(?i)help\""], "true"),
        ],
    );
}

#[test]
fn arithmetic_of_numbers() {
    table(
        Function::Add,
        &[
            (&["1", "2"], "3"),
            (&["1", "0.5"], "1.5"),
            (&["9223372036854775807", "1"], "null"),
            (&["1", "null"], "null"),
            (&["\"1\"", "1"], "null"),
        ],
    );
    table(
        Function::Subtract,
        &[(&["1", "2"], "-1"), (&["0.5", "0.25"], "0.25")],
    );
    table(
        Function::Multiply,
        &[
            (&["2", "3"], "6"),
            (&["1e308", "10"], "null"),
            (&["1.5", "2"], "3"),
        ],
    );
    table(
        Function::Divide,
        &[
            (&["1", "2"], "0"),
            (&["-7", "2"], "-3"),
            (&["1.0", "2"], "0.5"),
            (&["1", "0"], "null"),
            (&["1.0", "0"], "null"),
        ],
    );
    table(
        Function::Modulo,
        &[
            (&["14", "12"], "2"),
            (&["-14", "12"], "10"),
            (&["14", "-12"], "2"),
            (&["-14", "-12"], "10"),
            (&["5.5", "2"], "1.5"),
            (&["1", "0"], "null"),
        ],
    );
    table(
        Function::Negate,
        &[
            (&["5"], "-5"),
            (&["-9223372036854775808"], "null"),
            (&["1.5"], "-1.5"),
            (&["\"1\""], "null"),
        ],
    );
    table(
        Function::Abs,
        &[(&["-5"], "5"), (&["-1.5"], "1.5"), (&["null"], "null")],
    );
    table(
        Function::Bin,
        &[
            (&["4.5", "1"], "4"),
            (&["-5", "3"], "-6"),
            (&["7", "3"], "6"),
            (&["7", "0"], "null"),
            (&["7", "-3"], "null"),
        ],
    );
}

#[test]
fn arithmetic_of_time() {
    table(
        Function::Add,
        &[
            (
                &["d:2026-01-01", "s:1.00:00:00"],
                "d:2026-01-02T00:00:00.0000000Z",
            ),
            (&["s:00:00:01", "s:00:00:02"], "s:00:00:03"),
            (&["d:9999-12-31", "s:1.00:00:00"], "null"),
            (&["d:2026-01-01", "1"], "null"),
        ],
    );
    table(
        Function::Subtract,
        &[
            (&["d:2026-01-02", "d:2026-01-01"], "s:1.00:00:00"),
            (
                &["d:2026-01-02", "s:12:00:00"],
                "d:2026-01-01T12:00:00.0000000Z",
            ),
            (&["s:00:00:01", "s:00:00:02"], "s:-00:00:01"),
        ],
    );
    table(
        Function::Multiply,
        &[
            (&["s:00:00:01", "5"], "s:00:00:05"),
            (&["1.5", "s:00:00:02"], "s:00:00:03"),
        ],
    );
    table(
        Function::Divide,
        &[
            (&["s:00:10:00", "s:00:00:01"], "600"),
            (&["s:00:00:05", "2"], "s:00:00:02.5000000"),
            (&["s:00:00:05", "0"], "null"),
        ],
    );
    table(
        Function::Modulo,
        &[(&["s:00:00:05", "s:00:00:02"], "s:00:00:01")],
    );
    table(
        Function::Bin,
        &[
            (&["s:16.00:00:00", "s:7.00:00:00"], "s:14.00:00:00"),
            (
                &["d:1970-05-11T13:45:07Z", "s:1.00:00:00"],
                "d:1970-05-11T00:00:00.0000000Z",
            ),
            (
                &["d:2026-01-07", "s:7.00:00:00"],
                "d:2026-01-05T00:00:00.0000000Z",
            ),
        ],
    );
}

#[test]
fn dynamic_values() {
    table(
        Function::Member,
        &[
            (&["{\"a\":1}", "\"a\""], "1"),
            (&["{\"a\":1}", "\"A\""], "null"),
            (&["{\"a\":{\"b\":[ 1.50 ]}}", "\"a\""], "{\"b\":[1.50]}"),
            (&["{\"a\":1,\"a\":2}", "\"a\""], "2"),
            (&["\"x\"", "\"a\""], "null"),
            (&["null", "\"a\""], "null"),
        ],
    );
    table(
        Function::Element,
        &[
            (&["[1,2,3]", "0"], "1"),
            (&["[1,2,3]", "-1"], "3"),
            (&["[1,2,3]", "-4"], "null"),
            (&["[1,2,3]", "3"], "null"),
            (&["{\"a\":1}", "0"], "null"),
            (&["[\"x\"]", "0"], "\"x\""),
        ],
    );
    table(
        Function::ArrayLength,
        &[
            (&["[1,2,3,\"four\"]"], "4"),
            (&["[]"], "0"),
            (&["{}"], "null"),
            (&["\"x\""], "null"),
        ],
    );
    let words = "[\"this\",\"is\",\"an\",\"example\",\"an\",\"example\"]";
    table(
        Function::ArrayIndexOf,
        &[
            (&[words, "\"an\""], "2"),
            (&[words, "\"example\"", "1", "3"], "3"),
            (&[words, "\"example\"", "1", "2"], "-1"),
            (&[words, "\"is\"", "2", "4"], "-1"),
            (&[words, "\"example\"", "2", "-1"], "3"),
            (&[words, "\"an\"", "1", "-1", "2"], "4"),
            (&[words, "\"an\"", "1", "-1", "3"], "-1"),
            (&[words, "\"an\"", "-3"], "4"),
            (&[words, "\"is\"", "-4"], "-1"),
            (&[words, "\"is\"", "0", "-2"], "null"),
            (&["[1,2]", "2.0"], "1"),
            (&["[1,2]", "\"2\""], "-1"),
            (&["[1,null]", "null"], "1"),
            (&["\"x\"", "\"x\""], "null"),
        ],
    );
    table(
        Function::SetHasElement,
        &[
            (&[words, "\"example\""], "true"),
            (&[words, "\"x\""], "false"),
            (&["{}", "\"x\""], "null"),
        ],
    );
    table(
        Function::BagKeys,
        &[
            (&["{\"a\":\"b\",\"c\":{\"d\":123}}"], "[\"a\",\"c\"]"),
            (&["{\"a\":1,\"a\":2}"], "[\"a\"]"),
            (&["{}"], "[]"),
            (&["\"a\""], "null"),
            (&["[]"], "null"),
        ],
    );
    let bag = "{\"key1\":123,\"key2\":{\"prop1\":\"abc\",\"x\":null},\"key3\":[100]}";
    table(
        Function::BagHasKey,
        &[
            (&[bag, "\"key2\""], "true"),
            (&[bag, "\"key4\""], "false"),
            (&[bag, "\"$.key2.prop1\""], "true"),
            (&[bag, "\"$.key2.x\""], "true"),
            (&[bag, "\"$.key3.prop1\""], "false"),
            (&["[]", "\"a\""], "null"),
        ],
    );
    table(
        Function::PackArray,
        &[
            (
                &["1", "\"a\"", "null", "[2]", "true", "s:00:00:01"],
                "[1,\"a\",null,[2],true,\"00:00:01\"]",
            ),
            (&[], "[]"),
        ],
    );
    table(
        Function::ParseJson,
        &[
            (&["\"[1, 2]\""], "[1,2]"),
            (&["\"{\"a\":1.0}\""], "{\"a\":1.0}"),
            (&["\"1\""], "1"),
            (&["\"true\""], "true"),
            (&["\"null\""], "null"),
            (&["\"\"x\"\""], "\"x\""),
            (&["\"\""], "null"),
            (&["\"not json\""], "\"not json\""),
            (&["[1]"], "[1]"),
            (&["5"], "5"),
            (&["null"], "null"),
        ],
    );
}

#[test]
fn conversions() {
    table(
        Function::ToText,
        &[
            (&["123"], "\"123\""),
            (&["null"], "\"\""),
            (&["true"], "\"true\""),
            (&["1.5"], "\"1.5\""),
            (&["1e21"], "\"1000000000000000000000\""),
            (&["[1, \"a\"]"], "\"[1,\"a\"]\""),
            (&["d:2026-01-01"], "\"2026-01-01T00:00:00.0000000Z\""),
            (&["s:1.02:03:04.5"], "\"1.02:03:04.5000000\""),
        ],
    );
    table(
        Function::ToLong,
        &[
            (&["\"123\""], "123"),
            (&["2.9"], "2"),
            (&["-2.9"], "-2"),
            (&["\"2.9\""], "null"),
            (&["\"x\""], "null"),
            (&["\"0x1F\""], "31"),
            (&["\"0x-1\""], "null"),
            (&["\"9223372036854775808\""], "null"),
            (&["1e19"], "null"),
            (&["true"], "1"),
            (&["null"], "null"),
            (&["[1]"], "null"),
            (&["s:00:00:01"], "10000000"),
            (&["d:2020-01-01"], "637134336000000000"),
        ],
    );
    table(
        Function::ToReal,
        &[
            (&["\"1.5\""], "1.5"),
            (&["\"1e400\""], "null"),
            (&["2"], "2"),
            (&["\"x\""], "null"),
            (&["false"], "0"),
        ],
    );
    table(
        Function::ToBool,
        &[
            (&["\"true\""], "true"),
            (&["\"FALSE\""], "false"),
            (&["1"], "true"),
            (&["123"], "true"),
            (&["0.0"], "false"),
            (&["\"1\""], "true"),
            (&["\"x\""], "null"),
            (&["null"], "null"),
        ],
    );
    table(
        Function::ToDateTime,
        &[
            (
                &["\"2015-12-31 23:59:59.9\""],
                "d:2015-12-31T23:59:59.9000000Z",
            ),
            (&["\"x\""], "null"),
            (&["1"], "null"),
            (&["d:2020-01-01"], "d:2020-01-01T00:00:00.0000000Z"),
        ],
    );
    table(
        Function::ToTimeSpan,
        &[
            (&["\"0.00:01:00\""], "s:00:01:00"),
            (&["\"1d\""], "null"),
            (&["s:00:00:01"], "s:00:00:01"),
        ],
    );
    table(
        Function::IsEmpty,
        &[
            (&["\"\""], "true"),
            (&["\"x\""], "false"),
            (&["null"], "true"),
            (&["[]"], "false"),
            (&["0"], "false"),
        ],
    );
    table(
        Function::IsNull,
        &[
            (&["\"\""], "false"),
            (&["null"], "true"),
            (&["{}"], "false"),
        ],
    );
}

#[test]
fn choice() {
    table(
        Function::Iff,
        &[
            (&["true", "1", "2"], "1"),
            (&["false", "1", "2"], "2"),
            (&["null", "1", "2"], "2"),
        ],
    );
    table(
        Function::Case,
        &[
            (&["false", "1", "true", "2", "3"], "2"),
            (&["false", "1", "null", "2", "3"], "3"),
            (&["true", "1", "true", "2", "3"], "1"),
        ],
    );
    table(
        Function::Coalesce,
        &[
            (&["null", "42", "33"], "42"),
            (&["\"\"", "\"x\""], "\"x\""),
            (&["\"\"", "\"\""], "\"\""),
            (&["null", "null"], "null"),
        ],
    );
}

#[test]
fn texts() {
    table(
        Function::ToLower,
        &[(&["\"HeLLo ÉΣ\""], "\"hello éσ\""), (&["null"], "\"\"")],
    );
    table(Function::ToUpper, &[(&["\"helloß\""], "\"HELLOSS\"")]);
    table(
        Function::StrLen,
        &[
            (&["\"hello\""], "5"),
            (&["\"⒦⒰⒮⒯⒪\""], "5"),
            (&["null"], "null"),
            (&["[1]"], "3"),
        ],
    );
    table(
        Function::StrCat,
        &[
            (&["\"hello\"", "\" \"", "1", "null"], "\"hello 1\""),
            (&[], "\"\""),
        ],
    );
    table(
        Function::StrCatDelim,
        &[
            (
                &["\"-\"", "1", "\"2\"", "\"A\"", "s:00:00:01"],
                "\"1-2-A-00:00:01\"",
            ),
            (&["\"-\""], "\"\""),
        ],
    );
    table(
        Function::Substring,
        &[
            (&["\"123456\"", "1"], "\"23456\""),
            (&["\"123456\"", "2", "2"], "\"34\""),
            (&["\"ABCD\"", "0", "2"], "\"AB\""),
            (&["\"123456\"", "-2", "2"], "\"56\""),
            (&["\"123\"", "-9", "2"], "\"12\""),
            (&["\"123\"", "9"], "\"\""),
            (&["\"123\"", "0", "-1"], "\"\""),
            (&["\"é€x\"", "1", "1"], "\"€\""),
        ],
    );
    table(
        Function::Split,
        &[
            (&["\"aa_bb\"", "\"_\""], "[\"aa\",\"bb\"]"),
            (&["\"aaa_bbb_ccc\"", "\"_\"", "1"], "[\"bbb\"]"),
            (&["\"\"", "\"_\""], "[\"\"]"),
            (&["\"a__b\"", "\"_\""], "[\"a\",\"\",\"b\"]"),
            (&["\"aabbcc\"", "\"bb\""], "[\"aa\",\"cc\"]"),
            (&["\"a_b\"", "\"_\"", "2"], "[]"),
            (&["\"a_b\"", "\"_\"", "-1"], "[]"),
            (&["\"ab\"", "\"\""], "[\"ab\"]"),
            (&["null", "\"_\""], "null"),
        ],
    );
    table(
        Function::Trim,
        &[
            (
                &["\"--\"", "\"--https://bing.com--\""],
                "\"https://bing.com\"",
            ),
            (&["\"[^\\w]+\"", "\"-  Te st1 // $\""], "\"Te st1\""),
            (&["\"-\"", "\"--a-b--\""], "\"a-b\""),
            (&["\"-\"", "\"---\""], "\"\""),
        ],
    );
    table(
        Function::TrimStart,
        &[
            (&["\"https://\"", "\"https://bing.com\""], "\"bing.com\""),
            (&["\"x\"", "\"axx\""], "\"axx\""),
        ],
    );
    table(
        Function::TrimEnd,
        &[(&["\".com\"", "\"bing.com\""], "\"bing\"")],
    );
    table(
        Function::ReplaceString,
        &[
            (
                &["\"A magic trick can turn a cat\"", "\"cat\"", "\"dog\""],
                "\"A magic trick can turn a dog\"",
            ),
            (&["\"aaa\"", "\"aa\"", "\"b\""], "\"ba\""),
            (&["\"a\"", "\"\"", "\"b\""], "\"a\""),
        ],
    );
    table(
        Function::ReplaceRegex,
        &[
            (
                &["\"Number is 1\"", "\"is (\\d+)\"", "\"was: \\1\""],
                "\"Number was: 1\"",
            ),
            (&["\"a$b\"", "\"b\"", "\"$0\\0x\""], "\"a$$0bx\""),
        ],
    );
    table(
        Function::Extract,
        &[
            (
                &["\"User: ([^,]+)\"", "1", "\"User: James, Age: 29\""],
                "\"James\"",
            ),
            (&["\"\\d+\"", "0", "\"Age: 29\""], "\"29\""),
            (&["\"x(y)?\"", "1", "\"x\""], "\"\""),
            (&["\"x\"", "0", "\"a\""], "\"\""),
            (&["\"x\"", "7", "\"x\""], "\"\""),
        ],
    );
    table(
        Function::IndexOf,
        &[
            (&["\"abcdefg\"", "\"cde\""], "2"),
            (&["\"abcdefg\"", "\"cde\"", "1", "4"], "2"),
            (&["\"abcdefg\"", "\"cde\"", "1", "2"], "-1"),
            (&["\"abcdefg\"", "\"cde\"", "3", "4"], "-1"),
            (&["\"abcdefg\"", "\"cde\"", "-5"], "2"),
            (&["1234567", "5", "1", "4"], "4"),
            (&["\"abcdefg\"", "\"cde\"", "2", "-1"], "2"),
            (&["\"abcdefgabcdefg\"", "\"cde\"", "1", "11", "2"], "9"),
            (&["\"éa\"", "\"a\""], "1"),
            (&["\"a\"", "\"\""], "0"),
            (&["null", "\"a\""], "null"),
        ],
    );
    table(
        Function::CountOf,
        &[
            (&["\"aaa\"", "\"a\""], "3"),
            (&["\"aaaa\"", "\"aa\""], "3"),
            (&["\"ababa\"", "\"ab\""], "2"),
            (&["\"ababa\"", "\"aba\""], "2"),
            (&["\"a\"", "\"\""], "0"),
            (&["\"ababa\"", "\"aba\"", "\"regex\""], "1"),
            (&["\"aBcD\"", "\"[A-Z]\"", "\"regex\""], "2"),
            (&["12321", "\"[12]\"", "\"regex\""], "4"),
            (&["null", "\"a\"", "\"regex\""], "null"),
        ],
    );
    table(
        Function::Reverse,
        &[(&["\"ABÉ\""], "\"ÉBA\""), (&["12345"], "\"54321\"")],
    );
    table(
        Function::Base64Decode,
        &[
            (&["\"S3VzdG8=\""], "\"Kusto\""),
            (&["\"U3RyaW5n0KHR0tGA0L7Rh9C60LA=\""], "\"\""),
            (&["\"S3VzdG8\""], "\"\""),
            (&["\"\""], "\"\""),
        ],
    );
    table(
        Function::UrlDecode,
        &[
            (
                &["\"https%3a%2f%2fwww.bing.com%2f\""],
                "\"https://www.bing.com/\"",
            ),
            (&["\"a+b%zz%ff\""], "\"a+b%zz\u{FFFD}\""),
        ],
    );
}

#[test]
fn parts() {
    table(
        Function::ParseUrl,
        &[
            (
                &["\"scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment\""],
                r#"{"Scheme":"scheme","Host":"host","Port":"1234","Path":"this/is/a/path","Username":"username","Password":"password","Query Parameters":{"k1":"v1","k2":"v2"},"Fragment":"fragment"}"#,
            ),
            (
                &["\"https://[::1]/\""],
                r#"{"Scheme":"https","Host":"[::1]","Port":"","Path":"","Username":"","Password":"","Query Parameters":{},"Fragment":""}"#,
            ),
            (
                &["\"bing.com?a\""],
                r#"{"Scheme":"","Host":"","Port":"","Path":"","Username":"","Password":"","Query Parameters":{"a":""},"Fragment":""}"#,
            ),
            (&["null"], "null"),
        ],
    );
    table(
        Function::ParsePath,
        &[
            (
                &[r#""C:\temp\file.txt""#],
                r#"{"Scheme":"","RootPath":"C:","DirectoryPath":"C:\\temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}"#,
            ),
            (
                &[r#""temp\file.txt""#],
                r#"{"Scheme":"","RootPath":"","DirectoryPath":"temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}"#,
            ),
            (
                &["\"file://C:/temp/file.txt:some.exe\""],
                r#"{"Scheme":"file","RootPath":"C:","DirectoryPath":"C:/temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":"some.exe"}"#,
            ),
            (
                &[r#""\\shared\users\temp\file.txt.gz""#],
                r#"{"Scheme":"","RootPath":"","DirectoryPath":"\\\\shared\\users\\temp","DirectoryName":"temp","Filename":"file.txt.gz","Extension":"gz","AlternateDataStreamName":""}"#,
            ),
            (
                &["\"/usr/lib/temp/file.txt\""],
                r#"{"Scheme":"","RootPath":"","DirectoryPath":"/usr/lib/temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}"#,
            ),
        ],
    );
}

#[test]
fn addresses() {
    table(
        Function::Ipv4IsPrivate,
        &[
            (&["\"10.1.2.3\""], "true"),
            (&["\"192.168.1.1/24\""], "true"),
            (&["\"127.0.0.1\""], "false"),
            (&["\"x\""], "null"),
            (&["\"10.1.2.3/33\""], "null"),
            (&["\"010.1.2.3\""], "null"),
            (&["null"], "null"),
        ],
    );
    table(
        Function::Ipv4IsInRange,
        &[
            (&["\"192.168.1.1\"", "\"192.168.1.1\""], "true"),
            (&["\"192.168.1.1\"", "\"192.168.1.255/24\""], "true"),
            (&["\"192.168.1.6\"", "\"192.168.2.1/24\""], "false"),
            (
                &["\"192.168.1.6\"", "\"10.0.0.1/8\"", "\"192.168.1.1/24\""],
                "true",
            ),
            (
                &["\"192.168.1.6\"", "[\"10.0.0.1/8\",\"0.0.0.0/0\"]"],
                "true",
            ),
            (&["\"192.168.1.6\"", "\"x\""], "null"),
            (&["\"192.168.1.6\"", "\"x\"", "\"192.168.1.6\""], "true"),
            (&["\"x\"", "\"0.0.0.0/0\""], "null"),
        ],
    );
    table(
        Function::Ipv4IsMatch,
        &[
            (&["\"192.168.1.1/24\"", "\"192.168.1.255\""], "true"),
            (&["\"192.168.1.1\"", "\"192.168.1.255\""], "false"),
            (&["\"192.168.1.1\"", "\"192.168.1.255\"", "24"], "true"),
            (&["\"192.168.1.1/16\"", "\"192.168.2.255\"", "24"], "true"),
            (&["\"192.168.1.1\"", "\"192.168.1.255\"", "33"], "null"),
            (&["\"192.168.1.1\"", "\"x\""], "null"),
        ],
    );
}

#[test]
fn moments() {
    table(
        Function::StartOfDay,
        &[
            (
                &["d:2017-01-01T10:10:17Z"],
                "d:2017-01-01T00:00:00.0000000Z",
            ),
            (
                &["d:2017-01-01T10:10:17Z", "-1"],
                "d:2016-12-31T00:00:00.0000000Z",
            ),
            (&["null"], "null"),
        ],
    );
    table(
        Function::HourOfDay,
        &[(&["d:2015-12-14T18:54:00Z"], "18"), (&["\"x\""], "null")],
    );
    table(
        Function::DayOfWeek,
        &[
            (&["d:1947-11-30T10:00:05Z"], "s:00:00:00"),
            (&["d:1970-05-11"], "s:1.00:00:00"),
        ],
    );
}

#[test]
fn columns_and_now() {
    let column = |name: &str| {
        E::Column(Column {
            name: name.to_owned(),
            kind: ColumnType::Long,
        })
    };
    let sum = E::Call(
        Function::Add,
        vec![
            column("b"),
            E::Call(Function::Add, vec![column("a"), column("b")]),
        ],
    );
    let sum = Expression::new(&sum).unwrap();
    let names: Vec<&str> = sum.columns().iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["b", "a"]);
    let now: Timestamp = "2026-01-01T00:00:00.12345678Z".parse().unwrap();
    assert_eq!(
        sum.value(&[Value::Long(1), Value::Long(5)], now),
        Value::Long(7)
    );
    let text = E::Call(Function::ToText, vec![E::Literal(Literal::Now)]);
    let text = Expression::new(&text).unwrap().value(&[], now);
    assert_eq!(text.text(), "2026-01-01T00:00:00.1234567Z");
}

#[test]
fn a_regex_that_cannot_be_used_is_named() {
    let bad = [Literal::Text("a".into()), Literal::Text("(".into())];
    let bad = E::Call(Function::MatchesRegex, bad.map(E::Literal).into());
    let error = Expression::new(&bad).unwrap_err();
    assert!(matches!(error, CompileError::Regex { pattern, .. } if pattern == "("));
}

#[test]
fn whatever_the_arguments_no_function_panics() {
    use Function as F;
    let cases = [Case::Exact, Case::Ascii].into_iter();
    let cased = cases.flat_map(|case| {
        [
            F::In(case),
            F::Contains(case),
            F::StartsWith(case),
            F::EndsWith(case),
            F::Has(case),
            F::HasAll(case),
            F::HasPrefix(case),
            F::HasSuffix(case),
        ]
    });
    let others = [
        F::And,
        F::Or,
        F::Not,
        F::Equal,
        F::Less,
        F::LessOrEqual,
        F::Greater,
        F::GreaterOrEqual,
        F::MatchesRegex,
        F::Add,
        F::Subtract,
        F::Multiply,
        F::Divide,
        F::Modulo,
        F::Negate,
        F::Bin,
        F::Abs,
        F::Member,
        F::Element,
        F::ArrayLength,
        F::ArrayIndexOf,
        F::SetHasElement,
        F::BagKeys,
        F::BagHasKey,
        F::PackArray,
        F::ParseJson,
        F::ToText,
        F::ToLong,
        F::ToReal,
        F::ToBool,
        F::ToDateTime,
        F::ToTimeSpan,
        F::IsEmpty,
        F::IsNull,
        F::Iff,
        F::Case,
        F::Coalesce,
        F::ToLower,
        F::ToUpper,
        F::StrLen,
        F::StrCat,
        F::StrCatDelim,
        F::Substring,
        F::Split,
        F::Trim,
        F::TrimStart,
        F::TrimEnd,
        F::ReplaceString,
        F::ReplaceRegex,
        F::Extract,
        F::IndexOf,
        F::CountOf,
        F::Reverse,
        F::Base64Decode,
        F::UrlDecode,
        F::ParseUrl,
        F::ParsePath,
        F::Ipv4IsPrivate,
        F::Ipv4IsInRange,
        F::Ipv4IsMatch,
        F::StartOfDay,
        F::HourOfDay,
        F::DayOfWeek,
    ];
    let values: Vec<E> = [
        "null",
        "true",
        "0",
        "-1",
        "3",
        "9223372036854775807",
        "-9223372036854775808",
        "0.5",
        "1e308",
        "\"\"",
        "\"é://@:?&#/.\"",
        "\"1\"",
        "[]",
        "[1,\"a\",null]",
        "{\"a\":{\"b\":1}}",
        "d:0001-01-01",
        "d:9999-12-31T23:59:59.9999999Z",
        "s:-10675199.02:48:05.4775807",
        "s:00:00:00.0000001",
    ]
    .iter()
    .map(|source| E::Literal(literal(source)))
    .collect();
    for function in cased.chain(others) {
        let check = |arguments: Vec<E>| {
            // A regular expression that is none is an error, and that is all.
            let Ok(expression) = Expression::new(&E::Call(function, arguments)) else {
                return;
            };
            let value = expression.value(&[], Timestamp::UNIX_EPOCH);
            value.text();
            Json::from(&value).compact();
        };
        check(vec![]);
        for a in &values {
            check(vec![a.clone()]);
            for b in &values {
                check(vec![a.clone(), b.clone()]);
                if regex_argument(function, 3).is_some() {
                    continue;
                }
                for c in &values {
                    check(vec![a.clone(), b.clone(), c.clone()]);
                }
            }
        }
    }
}
