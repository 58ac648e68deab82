//! Fields, their types and the tests of the model, case by case.

use poseur_rule::model::{
    Case, Comparison, Condition, Field, Moment, Network, Number, Part, Pattern, Predicate,
    Relation, Test,
};
use poseur_tests::reference::evaluate::{fits, nanoseconds};
use poseur_tests::reference::fields::address;
use poseur_tests::reference::rules::{rule, test};
use poseur_tests::reference::{Outcome, verdicts};
use poseur_tests::strategies::now;

/// Does a condition hold for a line that is one record?
fn holds(line: &str, condition: Condition, schema: Option<&str>) -> bool {
    match verdicts(line.as_bytes(), &[rule("r", condition)], now(), schema) {
        Outcome::Records(records) => {
            assert_eq!(records.len(), 1, "{line}");
            !records[0].rules.is_empty()
        }
        other => panic!("{other:?}: {line}"),
    }
}

fn is(field: &str, text: &str) -> Condition {
    test(field, Test::Text(Pattern::equals(text), Case::Exact))
}

#[test]
fn a_forced_schema_judges_every_object() {
    let id = r#"{"Id":"7"}"#;
    assert!(!holds(id, is("event.id", "7"), None));
    assert!(holds(id, is("event.id", "7"), Some("o365")));
    assert!(holds(&format!("[{id}]"), is("event.id", "7"), Some("o365")));
    let envelope = r#"{"event.action":"x","message":"{\"a\":1}"}"#;
    assert!(!holds(envelope, is("a", "1"), None));
    assert!(holds(envelope, is("a", "1"), Some("envelope")));
    assert!(!holds(r#"{"a":1}"#, is("a", "1"), Some("envelope")));
    assert!(!holds(
        r#"{"a":1}"#,
        Condition::All(vec![]),
        Some("envelope")
    ));
    assert_eq!(
        verdicts(b"{}", &[], now(), Some("nothing")),
        Outcome::NoSuchSchema
    );
}

#[test]
fn raw_records_get_their_derived_fields() {
    let line = r#"{"Operation":"MemberAdded","Workload":"MicrosoftTeams","RecordType":25,"Id":"i",
        "CreationTime":"2026-02-28T09:06:30","UserId":"Ann@Corp.example","UserType":0,"Version":1.0,
        "OrganizationId":"8E7F\u00c9","ClientIP":"[::ffff:1.2.3.4]:56","A":{"B":[1,[2]]},
        "Members":[{"DisplayName":"x","Role":1},{"a":{"b":"deep"}}]}"#;
    for (field, text, wanted) in [
        ("data_stream.dataset", "o365.audit", true),
        ("event.action", "added-users-to-group", true),
        ("event.action", "MemberAdded", false),
        ("event.provider", "MicrosoftTeams", true),
        ("event.id", "i", true),
        ("event.outcome", "success", true),
        ("@timestamp", "2026-02-28T09:06:30", true),
        ("user.id", "Ann@Corp.example", true),
        ("user.email", "Ann@Corp.example", true),
        ("user.name", "Ann", true),
        ("user.domain", "Corp.example", true),
        ("organization.id", "8e7f\u{e9}", true),
        ("source.ip", "1.2.3.4", true),
        ("o365.audit.RecordType", "25", true),
        ("o365.audit.RecordType", "25.0", false),
        ("RecordType", "25.0", true),
        ("o365.audit.Version", "1.0", true),
        ("o365.audit.Version", "1", false),
        ("o365.audit.A.B", "2", true),
        ("A.B", "1", true),
        ("o365.audit.Members", "1", true),
        ("o365.audit.Members", "deep", true),
        ("o365.audit.Members.a", "deep", true),
        ("o365.audit.Members.Role", "1", true),
        ("o365.audit.Members.Role", "x", false),
        ("Members", "x", false),
        ("Members.DisplayName", "x", true),
    ] {
        assert_eq!(
            holds(line, is(field, text), None),
            wanted,
            "{field} = {text}"
        );
    }
    for (raw, action) in [
        ("TeamCreated", "added-group-account-to"),
        ("Delete user.", "deleted-user-account"),
        ("ChatCreated", "ChatCreated"),
    ] {
        let teams = format!(r#"{{"Operation":"{raw}","RecordType":"25"}}"#);
        assert!(holds(&teams, is("event.action", action), None), "{raw}");
        let other = format!(r#"{{"Operation":"{raw}","RecordType":8}}"#);
        assert!(holds(&other, is("event.action", raw), None), "{raw}");
    }
}

#[test]
fn client_addresses() {
    for (text, wanted) in [
        ("1.2.3.4", Some("1.2.3.4")),
        ("1.2.3.4:56", Some("1.2.3.4")),
        ("[::ffff:1.2.3.4]:56", Some("1.2.3.4")),
        ("[2001:DB8::1]:56", Some("2001:DB8::1")),
        ("[2001:db8::1]", Some("2001:db8::1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("::ffff:1.2.3.4", Some("1.2.3.4")),
        ("::FFFF:102:304", Some("1.2.3.4")),
        ("[1.2.3.4]:5", Some("1.2.3.4")),
        ("1.2.3.4:", None),
        ("1.2.3.4:123456", None),
        ("1.2.3.4:5x", None),
        ("01.2.3.4", None),
        (" 1.2.3.4", None),
        ("[::1]5", None),
        ("[::1", None),
        ("::1%eth0", None),
        ("<null>", None),
        ("", None),
    ] {
        assert_eq!(address(text.as_bytes()).as_deref(), wanted, "{text}");
    }
}

#[test]
fn columns_have_synonyms_and_a_place() {
    let row =
        r#"{"TeamsMessageId":1,"Subject":"s","MessageFormatSubtype":"f","ThreadSubType":"t"}"#;
    let streamed = format!(
        r#"{{"category":"AdvancedHunting-MessageEvents","tenantId":"out","x":"out","Subject":"out",
        "properties":{}}}"#,
        row.replacen('{', r#"{"x":null,"#, 1)
    );
    for (field, text, wanted) in [
        ("Subject", "s", true),
        ("MessageSubject", "s", true),
        ("MessageSubtype", "f", true),
        ("ThreadSubtype", "t", true),
        ("ThreadType", "t", false),
        ("MessageSubject", "out", false),
    ] {
        assert_eq!(holds(row, is(field, text), None), wanted, "{field}");
        assert_eq!(
            holds(&streamed, is(field, text), None),
            wanted,
            "streamed {field}"
        );
    }
    assert!(holds(&streamed, is("tenantId", "out"), None));
    assert!(
        !holds(&streamed, is("x", "out"), None),
        "null below properties comes first"
    );
}

#[test]
fn existence_and_null() {
    let exists = || test("a", Test::Exists);
    let null = || test("a", Test::Null);
    for (line, wanted) in [
        (r#"{"a":""}"#, true),
        (r#"{"a":false}"#, true),
        (r#"{"a":[null,0]}"#, true),
        (r#"{"a":{"b":[{"c":1}]}}"#, true),
        (r#"{"a.b":1}"#, true),
        (r#"{"a":null,"a":1}"#, true),
        (r#"{"a":null}"#, false),
        (r#"{"a":[]}"#, false),
        (r#"{"a":{}}"#, false),
        (r#"{"a":{"b":[null,{}]}}"#, false),
        (r#"{"A":1}"#, false),
        ("{}", false),
    ] {
        assert_eq!(holds(line, exists(), None), wanted, "{line}");
        assert_eq!(holds(line, null(), None), !wanted, "{line}");
    }
}

#[test]
fn every_test_of_the_model() {
    let network = |address: &str, prefix| {
        Test::Cidr(Network {
            address: address.parse().expect("an address"),
            prefix,
        })
    };
    let same = |relation, case| Test::SameAs {
        field: "b".to_owned(),
        relation,
        case,
    };
    let text = |text: &str, case| Test::Text(Pattern::equals(text), case);
    let compare = |relation, limit: &str| Test::Compare(relation, Number::new(limit).unwrap());
    let cases = [
        (r#"{"a":"Xy"}"#, text("xY", Case::Ascii), true),
        (r#"{"a":"Xy"}"#, text("xY", Case::Exact), false),
        (r#"{"a":"É"}"#, text("é", Case::Ascii), false),
        (r#"{"a":10}"#, text("1e1", Case::Exact), true),
        (r#"{"a":"10"}"#, text("1e1", Case::Exact), false),
        (r#"{"a":70}"#, text("070", Case::Exact), false),
        (r#"{"a":true}"#, text("true", Case::Exact), true),
        (r#"{"a":null}"#, text("null", Case::Exact), false),
        (r#"{"a":"true"}"#, Test::Bool(true), true),
        (r#"{"a":"True"}"#, Test::Bool(true), false),
        (r#"{"a":1}"#, Test::Bool(true), false),
        (r#"{"a":"1.5"}"#, compare(Comparison::Greater, "1.0"), true),
        (
            r#"{"a":" 1.5"}"#,
            compare(Comparison::Greater, "1.0"),
            false,
        ),
        (r#"{"a":true}"#, compare(Comparison::Greater, "0.0"), false),
        (r#"{"a":1}"#, compare(Comparison::LessOrEqual, "1.0"), true),
        (r#"{"a":1}"#, compare(Comparison::Less, "1.0"), false),
        (
            r#"{"a":1e999}"#,
            compare(Comparison::GreaterOrEqual, "1e300"),
            true,
        ),
        (r#"{"a":"xay"}"#, Test::Regex("a".to_owned()), true),
        (r#"{"a":"xay"}"#, Test::Regex("^a".to_owned()), false),
        (r#"{"a":"xay"}"#, Test::Regex("(".to_owned()), false),
        (r#"{"a":12}"#, Test::Regex("^\\d+$".to_owned()), true),
        (r#"{"a":"10.1.2.3"}"#, network("10.0.0.0", 8), true),
        (r#"{"a":"::ffff:10.1.2.3"}"#, network("10.0.0.0", 8), true),
        (r#"{"a":"10.1.2.3"}"#, network("::ffff:10.0.0.0", 104), true),
        (r#"{"a":"11.1.2.3"}"#, network("10.0.0.0", 8), false),
        (r#"{"a":"10.1.2.3"}"#, network("::", 0), false),
        (r#"{"a":"2001:db8::1"}"#, network("2001:db8::", 32), true),
        (r#"{"a":"10.1.2.3:5"}"#, network("0.0.0.0", 0), false),
        (
            r#"{"a":"xY","b":"Xy"}"#,
            same(Relation::Equals, Case::Ascii),
            true,
        ),
        (
            r#"{"a":"xY","b":"Xy"}"#,
            same(Relation::Equals, Case::Exact),
            false,
        ),
        (
            r#"{"a":"xyz","b":["q","y"]}"#,
            same(Relation::Contains, Case::Exact),
            true,
        ),
        (
            r#"{"a":"xyz","b":"xy"}"#,
            same(Relation::StartsWith, Case::Exact),
            true,
        ),
        (
            r#"{"a":"xyz","b":"xy"}"#,
            same(Relation::EndsWith, Case::Exact),
            false,
        ),
        (
            r#"{"a":"xyz","b":""}"#,
            same(Relation::EndsWith, Case::Exact),
            true,
        ),
        (
            r#"{"a":"xyz"}"#,
            same(Relation::EndsWith, Case::Exact),
            false,
        ),
        (
            r#"{"a":"2026-03-01T11:59:59Z"}"#,
            Test::Time(Comparison::Greater, Moment::seconds_ago(2)),
            true,
        ),
    ];
    for (line, what, wanted) in cases {
        let shown = format!("{line} {what:?}");
        assert_eq!(holds(line, test("a", what), None), wanted, "{shown}");
    }
    let anywhere = |text: &str| {
        Condition::Test(Predicate {
            field: Field::Any,
            test: Test::Text(Pattern::equals(text), Case::Exact),
        })
    };
    assert!(holds(r#"{"a":[{"b":"x"}]}"#, anywhere("x"), None));
    assert!(!holds(r#"{"x":[{"b":"y"}]}"#, anywhere("x"), None));
}

#[test]
fn patterns_are_made_of_characters() {
    let one = || Part::One;
    let run = || Part::Run;
    let literal = |text: &str| Part::Literal(text.to_owned());
    let cases: [(Vec<Part>, &[u8], bool); 12] = [
        (vec![], b"", true),
        (vec![], b"x", false),
        (vec![run()], b"", true),
        (vec![one()], "é".as_bytes(), true),
        (vec![one(), one()], "é".as_bytes(), false),
        (vec![run(), one(), one()], "日".as_bytes(), false),
        (vec![one(), one()], b"\xe6\x97", true),
        (vec![one(), literal("x")], b"\xffx", true),
        (
            vec![literal("a"), run(), literal("b"), one()],
            b"a\nbbc",
            true,
        ),
        (
            vec![run(), literal("ab"), run(), literal("ab")],
            b"aab",
            false,
        ),
        (vec![literal("a"), one(), run(), one()], b"axy", true),
        (vec![literal("a"), one(), run(), one()], b"ax", false),
    ];
    for (parts, text, wanted) in cases {
        let pattern = Pattern::new(parts);
        assert_eq!(fits(&pattern, Case::Exact, text), wanted, "{pattern:?}");
    }
}

#[test]
fn timestamps_agree_with_a_calendar_library() {
    let texts = [
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999999Z",
        "2000-02-29T12:00:00+05:30",
        "1900-03-01T00:00:00-23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-30T21:59:59.5Z",
        "2026-03-01T12:00:00.1234567Z",
    ];
    for text in texts {
        let known: jiff::Timestamp = text.parse().expect("a timestamp");
        assert_eq!(
            nanoseconds(text.as_bytes()),
            Some(known.as_nanosecond()),
            "{text}"
        );
    }
}
