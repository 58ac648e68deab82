//! What kuery queries mean: the grammar with its edges, and the values by the types of their fields.

mod support;

use poseur_rule::elastic;
use poseur_rule::model::{Condition, Field, Pattern};
use poseur_rule::types::Types;
use support::show;

/// Types of the fields that the tables use.
const TYPES: &str = "fields: {ip: ip, at: date, words: text, n: number, flag: boolean, o.ip: ip}";

fn condition(query: &str) -> Condition {
    let mut types = Types::default();
    types.add("types.yml", TYPES).unwrap();
    elastic::condition(query, &types).unwrap_or_else(|error| panic!("{query:?}: {error:?}"))
}

fn check(table: &[(&str, &str)]) {
    for (query, expected) in table {
        assert_eq!(show(&condition(query)), *expected, "{query:?}");
    }
}

#[test]
fn operators() {
    check(&[
        ("a:1 or b:2 and c:3 or d:4", "(a=1 | (b=2 & c=3) | d=4)"),
        ("(a:1 or b:2) and c:3", "((a=1 | b=2) & c=3)"),
        ("not a:1 and b:2", "(!a=1 & b=2)"),
        ("not (a:1 and b:2)", "!(a=1 & b=2)"),
        ("not (not a:1)", "!!a=1"),
        ("NOT a:1 Or b:2 aNd c:3", "(!a=1 | (b=2 & c=3))"),
        ("a:1\u{a0}and\tb:2\r\nor\nc:3", "((a=1 & b=2) | c=3)"),
        ("  ((a:1))  ", "a=1"),
        // Where a keyword lacks its white space, it is part of a value.
        ("a:1 or", "a=1 or"),
        ("and a:1", "and a=1"),
        ("a:b and and c:d", "(a=b & and c=d)"),
        ("not", "ANY=not"),
        ("a:not", "a=not"),
        ("a:knot", "a=knot"),
        ("a:cannot", "a=cannot"),
        ("organ:order and android:x", "(organ=order & android=x)"),
    ]);
}

#[test]
fn values() {
    check(&[
        ("a:b", "a=b"),
        ("a : \n b", "a=b"),
        ("a:foo bar", "a=foo bar"),
        ("a:foo  bar  ", "a=foo  bar"),
        ("a:\"foo  bar \"", "a=foo  bar "),
        ("a:\"\"", "a="),
        ("a:\" é\u{a0}😀 \"", "a= é\u{a0}😀 "),
        ("a:\"two\nlines\"", "a=two\nlines"),
        ("a:070", "a=070"),
        ("a:-4.50", "a=-4.50"),
        ("a:?.b", "a=\\?.b"),
        ("a:it's", "a=it's"),
        // Only these have a type, and only unquoted.
        ("a:true", "a is true"),
        ("a:false or a:False", "(a is false | a=False)"),
        ("a:tru\\u0065", "a is true"),
        ("a:\"true\" or a:\"null\"", "(a=true | a=null)"),
        ("a:nullable", "a=nullable"),
        // Terms.
        ("foo bar", "ANY=foo bar"),
        ("\"foo\" or foo*", "(ANY=foo | ANY=foo*)"),
        ("true", "ANY is true"),
        ("null:a", "ANY=a"),
        ("*:a", "ANY=a"),
        ("**:a*", "ANY=a*"),
    ]);
}

#[test]
fn everything() {
    for query in ["", " \t\r\n\u{a0}", "*", "*:*", "**:*", "(*)"] {
        assert_eq!(condition(query), Condition::All(vec![]), "{query:?}");
    }
}

#[test]
fn wildcards() {
    check(&[
        ("a:*", "a exists"),
        ("a: \\t*", "a exists"),
        ("a:**", "a=*"),
        ("a:b*", "a=b*"),
        ("a:*b**c*", "a=*b*c*"),
        ("a:x * y", "a=x * y"),
        ("a:\"b*\"", "a=b\\*"),
        ("a:b\\*c*", "a=b\\*c*"),
        ("a:true*", "a=true*"),
    ]);
    let field = |query: &str| match condition(query) {
        Condition::Test(predicate) => predicate.field,
        other => panic!("{other:?}"),
    };
    let starts = Field::Like(Pattern::starts_with("user."));
    assert_eq!(field("user.*:x"), starts);
    assert_eq!(field("user.** > 1"), starts);
    assert_eq!(field("*.name:*"), Field::Like(Pattern::ends_with(".name")));
    assert_eq!(field("\"user.*\":x"), Field::Name("user.*".into()));
    assert_eq!(field("user.\\*:x"), Field::Name("user.*".into()));
}

#[test]
fn escapes() {
    check(&[
        (r#"a:\\\(\)\:\<\>\"\*\{\}"#, r#"a=\():<>"\*{}"#),
        (r"a:x\ty\rz\nw", "a=x\ty\rz\nw"),
        (r"a:\tx\n", "a=x"),
        (r"a:x\or y\And z\NOT w", "a=xor yAnd zNOT w"),
        (r"a:\not b", "a=not b"),
        (r"a:can\not do", "a=cannot do"),
        (r"a:\u0041\u00e9\uD83D\ude00", "a=Aé😀"),
        (r"a:\ud83dx\ude00\ud83d", "a=\u{fffd}x\u{fffd}\u{fffd}"),
        (
            r#"a:"\\ \" \t\r\n \u0041 \x \* \( \u12 \not""#,
            "a=\\ \" \t\r\n A \\x \\\\* \\( \\u12 \not",
        ),
        (r#""a b\u0063":d"#, "a bc=d"),
        (r"a\:b:c", "a:b=c"),
        (r"a\u0000b:c", "a\0b=c"),
    ]);
}

#[test]
fn lists() {
    check(&[
        ("a:(b)", "a=b"),
        ("a:(b or c d or \"e\")", "(a=b | a=c d | a=e)"),
        ("a:((b or c*) and not d)", "((a=b | a=c*) & !a=d)"),
        ("a : ( not b and * )", "(!a=b & a exists)"),
        ("a:(not (b or c))", "!(a=b | a=c)"),
        ("a:(b or c and d or e)", "(a=b | (a=c & a=d) | a=e)"),
        ("not a:(b or c) or d:e", "(!(a=b | a=c) | d=e)"),
        ("null:(b and c)", "(ANY=b & ANY=c)"),
        ("a:(true or \"true\")", "(a is true | a=true)"),
    ]);
}

#[test]
fn ranges() {
    check(&[
        ("a >= 10", "a >= '10'"),
        ("a<10 and a > \"x y\"", "(a < '10' & a > 'x y')"),
        ("a <= b c or d:e", "(a <= 'b c' | d=e)"),
        ("a > b*", "a > 'b*'"),
        ("a < true", "a < 'true'"),
        ("* > 5", "ANY > '5'"),
    ]);
}

#[test]
fn nested_objects() {
    check(&[
        ("o:{ a:1 and b:2 }", "o:{(o.a=1 & o.b=2)}"),
        ("o : {a:(1 or 2)} or c:3", "(o:{(o.a=1 | o.a=2)} | c=3)"),
        (
            "o:{ p:{ a > 1 } and not b:* }",
            "o:{(o.p:{o.p.a > '1'} & !o.b exists)}",
        ),
        ("o:{ ip:10.0.0.1 }", "o:{o.ip in 10.0.0.1/32}"),
        ("o:{ x }", "o:{ANY=x}"),
        ("\"o.p\":{ *:x }", "o.p:{o.p.*=x}"),
    ]);
    assert_eq!(
        condition("o:{ *:* and * }"),
        Condition::Nested {
            path: "o".into(),
            condition: Box::new(Condition::All(vec![
                Condition::All(vec![]),
                Condition::All(vec![])
            ])),
        }
    );
}

#[test]
fn addresses() {
    check(&[
        ("ip:10.1.2.3", "ip in 10.1.2.3/32"),
        (
            "ip:(10.1.2.3/8 or \"2001:db8::/32\")",
            "(ip in 10.0.0.0/8 | ip in 2001:db8::/32)",
        ),
        ("ip:2001\\:db8\\:\\:1", "ip in 2001:db8::1/128"),
        ("ip:10.*", "ip=10.*"),
        ("ip:*", "ip exists"),
    ]);
    let above = show(&condition("ip > 255.255.255.253"));
    assert!(
        above.starts_with("(ip in 255.255.255.254/31 | ip in ::1:0:0:0/80 | "),
        "{above}"
    );
    assert!(above.ends_with(" | ip in 8000::/1)"), "{above}");
    assert_eq!(condition("ip < \"::\""), Condition::Any(vec![]));
}

#[test]
fn words() {
    check(&[
        ("words:\"Two Words\"", "words phrase 'Two Words'"),
        ("words:Two Words", "words any 'Two Words'"),
        ("words:Wo*D", "words fits wo*d"),
        (
            "words:one TWO* three",
            "(words any 'one' | words fits two* | words any 'three')",
        ),
        ("words:**", "words fits *"),
        ("words:*", "words exists"),
        ("words:true", "words any 'true'"),
    ]);
}

#[test]
fn numbers_and_truth_values() {
    check(&[
        ("n:10 or n:\"10\"", "(n = 10 | n = 10)"),
        (
            "n:007 and n > -0.5 and n <= +1e3",
            "(n = 7 & n > -0.5 & n <= 1000)",
        ),
        ("n:.5 and n:5. and n:000", "(n = 0.5 & n = 5 & n = 0)"),
        ("n:*", "n exists"),
        (
            "flag:true and flag:\"false\" and flag:*",
            "(flag is true & flag is false & flag exists)",
        ),
    ]);
}

#[test]
fn dates() {
    check(&[
        (
            "at:2026-11-20",
            "at from 2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z",
        ),
        (
            "at:2026-11",
            "at from 2026-11-01T00:00:00Z to 2026-11-02T00:00:00Z",
        ),
        (
            "at:2026",
            "at from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z",
        ),
        (
            "at:2026-11-20T10",
            "at from 2026-11-20T10:00:00Z to 2026-11-20T11:00:00Z",
        ),
        (
            "at:\"2026-11-20T10:30\"",
            "at from 2026-11-20T10:30:00Z to 2026-11-20T10:31:00Z",
        ),
        (
            "at:\"2026-11-20T10:30:15Z\"",
            "at from 2026-11-20T10:30:15Z to 2026-11-20T10:30:16Z",
        ),
        (
            "at:\"2026-11-20T10:30:15.5+02:00\"",
            "at from 2026-11-20T08:30:15.5Z to 2026-11-20T08:30:15.501Z",
        ),
        (
            "at:\"2026-11-20T10:30:15,123456-0130\"",
            "at from 2026-11-20T12:00:15.123Z to 2026-11-20T12:00:15.124Z",
        ),
        (
            "at:1763596800000",
            "at from 2025-11-20T00:00:00Z to 2025-11-20T00:00:00.001Z",
        ),
        ("at > 2026-11-20", "at >= 2026-11-21T00:00:00Z"),
        ("at >= 2026-11-20", "at >= 2026-11-20T00:00:00Z"),
        ("at < 2026-11-20", "at < 2026-11-20T00:00:00Z"),
        ("at <= 2026-11-20", "at < 2026-11-21T00:00:00Z"),
        ("at >= now-15m", "at >= now - 15m"),
        ("at < now+1d-2h", "at < now + 22h"),
        ("at >= now-w", "at >= now - 7d"),
        ("at >= now", "at >= now"),
        ("at >= 2026-01-31||+1M", "at >= 2026-02-28T00:00:00Z"),
        ("at >= 2026-11-20||-1y/y", "at >= 2025-01-01T00:00:00Z"),
        ("at <= 2026-11-20||/w", "at < 2026-11-23T00:00:00Z"),
        ("at > 2026-11-20||/M", "at >= 2026-12-01T00:00:00Z"),
        (
            "at:\"2026-11-20T10:30:15Z||/H+30s\"",
            "at from 2026-11-20T10:00:30Z to 2026-11-20T11:00:30Z",
        ),
        ("at:*", "at exists"),
    ]);
}

/// The published detection that the pack has in Sigma, written in kuery.
#[test]
fn help_desk_chat() {
    let query = r#"
        data_stream.dataset: "o365.audit" and event.provider: "MicrosoftTeams"
          and event.action: "ChatCreated" and event.outcome: success
          and o365.audit.CommunicationType: OneOnOne
          and o365.audit.ParticipantInfo.HasForeignTenantUsers: true
          and not (not (o365.audit.ParticipantInfo.HasGuestUsers: false
                        and o365.audit.ParticipantInfo.HasOtherGuestUsers: false))
          and (
            user.name: (*helpdesk* or *help-desk* or *ithelp* or *itsupport*)
            or user.email: (
              *helpdesk* or *help.desk* or *help-desk* or *help_desk* or *ithelp* or *it.help*
              or *itsupport* or *it.support* or *it-support*
            )
            or o365.audit.Members: (
              "Help Desk" or "Help Desk Team" or "Help Desk IT" or "IT Help Desk"
              or "Microsoft Security" or Microsoft  Security or Microsoft Support
            )
          )
    "#;
    let ours = elastic::condition(query, &Types::built_in()).unwrap();
    let pack = poseur_rule::pack::built_in();
    let pack = pack.iter().find(|rule| rule.id.starts_with("e8e7b6b6"));
    assert_eq!(normal(&ours), normal(&pack.unwrap().condition));
}

/// A condition in a form that order, names, double negation and nesting of the same kind leave alone.
fn normal(condition: &Condition) -> String {
    let parts = |parts: &[Condition], all: bool| {
        let mut flat = Vec::new();
        flatten(parts, all, &mut flat);
        flat.sort();
        format!("{}({})", if all { "all" } else { "any" }, flat.join(" "))
    };
    match condition {
        Condition::All(inner) => parts(inner, true),
        Condition::Any(inner) => parts(inner, false),
        Condition::Named(_, inner) => normal(inner),
        Condition::Not(inner) => match inner.as_ref() {
            Condition::Not(inner) => normal(inner),
            other => format!("!{}", normal(other)),
        },
        other => show(other),
    }
}

fn flatten(parts: &[Condition], all: bool, out: &mut Vec<String>) {
    for part in parts {
        match part {
            Condition::Named(_, inner) => flatten(std::slice::from_ref(inner), all, out),
            Condition::All(inner) if all => flatten(inner, all, out),
            Condition::Any(inner) if !all => flatten(inner, all, out),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Not(inner) => flatten(std::slice::from_ref(inner), all, out),
                _ => out.push(normal(part)),
            },
            other => out.push(normal(other)),
        }
    }
}
