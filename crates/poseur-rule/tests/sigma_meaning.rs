//! What Sigma detections mean: tables of texts and the conditions they become.

mod support;

use support::{meaning, rule};

/// One field of one selection, and its condition without the selection's name.
fn field_means(field: &str) -> String {
    let text = meaning(&rule(&format!("s:\n  {field}\ncondition: s")));
    text.strip_prefix("s{")
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(&text)
        .to_owned()
}

#[test]
fn values() {
    for (field, expected) in [
        ("a: help", "a~help"),
        ("a: 'Help  Desk'", "a~Help  Desk"),
        ("a: [x, y]", "(a~x | a~y)"),
        ("a: [x]", "a~x"),
        ("a.b.c: x", "a.b.c~x"),
        ("'@timestamp': x", "@timestamp~x"),
        ("a: 4624", "a~4624"),
        ("a: 070", "a~070"),
        ("a: 1.50", "a~1.50"),
        ("a: '4624'", "a~4624"),
        ("a: true", "a is true"),
        ("a: FALSE", "a is false"),
        ("a: 'true'", "a~true"),
        ("a: yes", "a~yes"),
        ("a: null", "a is null"),
        ("a: ~", "a is null"),
        ("a:", "a is null"),
        ("a: ''", "a~"),
        (
            "a: [null, '', x, 1, true]",
            "(a is null | a~ | a~x | a~1 | a is true)",
        ),
        ("a: !!str 1", "a~1"),
        ("a: !!str true", "a~true"),
    ] {
        assert_eq!(field_means(field), expected, "{field}");
    }
}

#[test]
fn wildcards_and_escapes() {
    // In the short form a backslash stands before a literal star or question mark.
    for (value, expected) in [
        (r"prog?.exe", r"a~prog?.exe"),
        (r"*\cmd.exe", r"a~*\cmd.exe"),
        (r"a**b", r"a~a*b"),
        (r"\*", r"a~\*"),
        (r"\?", r"a~\?"),
        (r"\\*", r"a~\*"),
        (r"\\\*", r"a~\\*"),
        (r"C:\dir\x", r"a~C:\dir\x"),
        (r"C:\\dir", r"a~C:\dir"),
        (r"\\\", r"a~\\"),
        (r"\\\\", r"a~\\"),
        (r"x\", r"a~x\"),
        (r"*", r"a~*"),
        (r"50%", r"a~50%"),
        (r"%name%", r"a~%name%"),
    ] {
        assert_eq!(field_means(&format!("a: '{value}'")), expected, "{value}");
    }
    // The short form cannot tell `\*` from a backslash before a wildcard; the model can.
    use poseur_rule::model::{Condition, Part, Test};
    let text = rule("s:\n  a: '\\\\*'\ncondition: s");
    let documents = poseur_rule::sigma::read("t.yml", &text);
    let Condition::Named(_, inner) = &documents.rules[0].condition else {
        panic!("a selection expected");
    };
    let Condition::Test(predicate) = inner.as_ref() else {
        panic!("a test expected");
    };
    let Test::Text(pattern, _) = &predicate.test else {
        panic!("a text expected");
    };
    assert_eq!(pattern.parts(), [Part::Literal("\\".into()), Part::Run]);
}

#[test]
fn modifiers() {
    for (field, expected) in [
        ("a|contains: x", "a~*x*"),
        ("a|contains: '*x'", "a~*x*"),
        ("a|contains: 47", "a~*47*"),
        ("a|contains: ''", "a~*"),
        ("a|startswith: x", "a~x*"),
        ("a|endswith: x", "a~*x"),
        ("a|cased: X", "a=X"),
        ("a|contains|cased: X", "a=*X*"),
        ("a|cased|contains: X", "a=*X*"),
        ("a|contains|all: [x, y]", "(a~*x* & a~*y*)"),
        ("a|all|contains: [x, y]", "(a~*x* & a~*y*)"),
        ("a|contains|all: x", "a~*x*"),
        ("a|neq: [x, 1]", "!(a~x | a~1)"),
        ("a|contains|all|neq: [x, y]", "!(a~*x* & a~*y*)"),
        ("a|neq: null", "!a is null"),
        ("a|re: '^x.*\\d$'", r"a /^x.*\d$/"),
        ("a|re|i: x", "a /(?i)x/"),
        ("a|re|s|m|i: x", "a /(?smi)x/"),
        ("a|re|all: [x, y]", "(a /x/ & a /y/)"),
        ("a|re: 'a*?\\*'", r"a /a*?\*/"),
        ("a|re|expand: '50\\%'", "a /50%/"),
        ("a|re: 5", "a /5/"),
        ("a|cidr: 10.0.0.0/8", "a in 10.0.0.0/8"),
        (
            "a|cidr: [10.1.0.0/16, '2001:db8::/32']",
            "(a in 10.1.0.0/16 | a in 2001:db8::/32)",
        ),
        ("a|cidr: 10.0.0.1", "a in 10.0.0.1/32"),
        ("a|cidr: 0.0.0.0/0", "a in 0.0.0.0/0"),
        ("a|cidr: '::/0'", "a in ::/0"),
        ("a|cidr: '::ffff:10.0.0.0/104'", "a in 10.0.0.0/8"),
        ("a|lt: 5", "a < 5"),
        ("a|lte: -1.5", "a <= -1.5"),
        ("a|gt: 1e3", "a > 1e3"),
        ("a|gte: 0x10", "a >= 16"),
        ("a|gte: 0o17", "a >= 15"),
        ("a|exists: true", "a exists"),
        ("a|exists: false", "!a exists"),
        ("a|fieldref: b.c", "a~[b.c]"),
        ("a|fieldref|cased: b", "a=[b]"),
        ("a|fieldref|contains: b", "a~*[b]*"),
        ("a|fieldref|startswith: b", "a~[b]*"),
        ("a|endswith|fieldref: b", "a~*[b]"),
        ("a|fieldref|neq: b", "!a~[b]"),
        ("a|expand: plain", "a~plain"),
        ("a|expand: '100\\%'", "a~100%"),
        ("a|expand: '\\%x% y'", "a~%x% y"),
        ("a|expand: '%no name%'", "a~%no name%"),
        ("a|base64: foo", "a~Zm9v"),
        ("a|base64|cased: 'foo'", "a=Zm9v"),
        ("a|base64|contains: foobar", "a~*Zm9vYmFy*"),
        ("a|base64: 'a\\*'", "a~YSo="),
        (
            "a|base64offset|contains: foobar",
            "(a~*Zm9vYmFy* | a~*Zvb2Jhc* | a~*mb29iYX*)",
        ),
        (
            "a|base64offset|contains|all: [foobar, help]",
            "((a~*Zm9vYmFy* | a~*Zvb2Jhc* | a~*mb29iYX*) & (a~*aGVsc* | a~*hlbH* | a~*oZWxw*))",
        ),
        ("a|wide: ab", "a~a␀b␀"),
        ("a|utf16le|contains: ab", "a~*a␀b␀*"),
        ("a|contains|wide: ab", "a~*a␀b␀*"),
        ("a|utf16be: ab", "a~␀a␀b"),
        ("a|wide|base64: foo", "a~ZgBvAG8A"),
        ("a|utf16le|base64: foo", "a~ZgBvAG8A"),
        ("a|utf16be|base64: foo", "a~AGYAbwBv"),
        ("a|utf16|base64: foo", "a~//5mAG8AbwA="),
        ("a|wide|base64: é", "a~6QA="),
        (
            "a|wide|base64offset|contains: ab",
            "(a~*YQBiA* | a~*EAYg* | a~*hAGIA*)",
        ),
        ("a|windash: -x", "(a~-x | a~/x | a~–x | a~—x | a~―x)"),
        ("a|windash: '—x'", "(a~-x | a~/x | a~–x | a~—x | a~―x)"),
        (
            "a|windash|contains: ' -x-y'",
            "(a~* -x-y* | a~* /x-y* | a~* –x-y* | a~* —x-y* | a~* ―x-y*)",
        ),
        ("a|contains|windash: x-y", "a~*x-y*"),
        (
            "a|contains|all|windash: [-x, y]",
            "((a~*-x* | a~*/x* | a~*–x* | a~*—x* | a~*―x*) & a~*y*)",
        ),
    ] {
        assert_eq!(field_means(field), expected, "{field}");
    }
}

#[test]
fn two_dashes_are_chosen_independently() {
    let text = field_means("a|windash: '-x /y'");
    assert_eq!(text.matches(" | ").count() + 1, 25, "{text}");
    assert!(text.contains("a~/x -y"), "{text}");
}

#[test]
fn selections() {
    for (selection, expected) in [
        ("s: {a: x, b: y}", "s{(a~x & b~y)}"),
        ("s: [{a: x}, {b: y, c: z}]", "s{(a~x | (b~y & c~z))}"),
        ("s: [x, y]", "s{(ANY~*x* | ANY~*y*)}"),
        ("s: [x]", "s{ANY~*x*}"),
        ("s: x", "s{ANY~*x*}"),
        (
            "s: [5, true, 'a*b']",
            "s{(ANY~*5* | ANY~*true* | ANY~*a*b*)}",
        ),
        ("s: [x, {a: y}]", "s{(ANY~*x* | a~y)}"),
        ("s: {'|all': [x, y]}", "s{(ANY~*x* & ANY~*y*)}"),
        ("s: {'|contains|all': [x, y]}", "s{(ANY~*x* & ANY~*y*)}"),
        ("s: {'|cased': X}", "s{ANY=*X*}"),
        ("s: {'|startswith': x}", "s{ANY~x*}"),
        ("s: {'|re': x.y}", "s{ANY /x.y/}"),
        (
            "s: {'|all': [x, y], a: z}",
            "s{((ANY~*x* & ANY~*y*) & a~z)}",
        ),
        ("s: {a: [x, y], b|neq: z}", "s{((a~x | a~y) & !b~z)}"),
    ] {
        let text = rule(&format!("{selection}\ncondition: s"));
        assert_eq!(meaning(&text), expected, "{selection}");
    }
}

#[test]
fn aliases_stand_for_what_they_name() {
    let text = rule("s: &x {a: y}\nt: *x\ncondition: s and t");
    assert_eq!(meaning(&text), "(s{a~y} & t{a~y})");
}

#[test]
fn conditions() {
    const SELECTIONS: &str =
        "s1: {a: 1}\ns2: {a: 2}\nx_a: {a: 3}\nx_b: {a: 4}\n_h: {a: 5}\nnot-me: {a: 6}\n";
    // The selections are so short that their names say it all.
    let short = |text: String| {
        [
            ("s1{a~1}", "s1"),
            ("s2{a~2}", "s2"),
            ("x_a{a~3}", "xa"),
            ("x_b{a~4}", "xb"),
            ("_h{a~5}", "h"),
            ("not-me{a~6}", "nm"),
        ]
        .iter()
        .fold(text, |text, (long, short)| text.replace(long, short))
    };
    for (condition, expected) in [
        ("s1", "s1"),
        ("s1 and s2", "(s1 & s2)"),
        ("s1 or s2", "(s1 | s2)"),
        ("not s1", "!s1"),
        ("not not s1", "!!s1"),
        ("s1 or s2 and x_a", "(s1 | (s2 & xa))"),
        ("s1 and s2 or x_a", "((s1 & s2) | xa)"),
        ("(s1 or s2) and x_a", "((s1 | s2) & xa)"),
        ("not s1 and s2", "(!s1 & s2)"),
        ("not (s1 and s2)", "!(s1 & s2)"),
        ("not(s1)and(s2)", "(!s1 & s2)"),
        ("((s1))", "s1"),
        ("s1 AND NOT s2 OR x_a", "((s1 & !s2) | xa)"),
        ("s1 and s2 and x_a", "(s1 & s2 & xa)"),
        ("1 of s*", "(s1 | s2)"),
        ("any of s*", "(s1 | s2)"),
        ("all of s*", "(s1 & s2)"),
        ("1 of x_a", "xa"),
        ("1 of *_a", "xa"),
        ("1 of x_*b", "xb"),
        ("1 of *1*", "s1"),
        ("1 of *", "(s1 | s2 | xa | xb | nm)"),
        ("1 of _*", "h"),
        ("1 of them", "(s1 | s2 | xa | xb | nm)"),
        ("any of them", "(s1 | s2 | xa | xb | nm)"),
        ("all of them", "(s1 & s2 & xa & xb & nm)"),
        ("All Of Them", "(s1 & s2 & xa & xb & nm)"),
        ("_h", "h"),
        ("not-me", "nm"),
        ("s1 and not 1 of x_*", "(s1 & !(xa | xb))"),
        ("not 1 of s* and all of x_*", "(!(s1 | s2) & (xa & xb))"),
        ("[s1, s2 and x_a]", "(s1 | (s2 & xa))"),
        ("[s1]", "s1"),
        (">-\n  s1\n  and\n  s2", "(s1 & s2)"),
        ("|\n  s1\n    or s2", "(s1 | s2)"),
        ("'s1'", "s1"),
    ] {
        let text = rule(&format!("{SELECTIONS}condition: {condition}"));
        assert_eq!(short(meaning(&text)), expected, "{condition}");
    }
}

#[test]
fn a_selection_may_be_named_as_a_keyword_only_in_quantifiers() {
    // `of` behind a name makes it a quantifier; a selection named `all` can still be referred to.
    let text = rule("all: {a: 1}\ncondition: all");
    assert_eq!(meaning(&text), "all{a~1}");
}

#[test]
fn time_windows() {
    for (own, expected) in [
        ("max_age: 30d", "(s{a~1} & @timestamp > now - 30d)"),
        ("max_age: 12h", "(s{a~1} & @timestamp > now - 12h)"),
        ("max_age: 45m", "(s{a~1} & @timestamp > now - 45m)"),
        ("max_age: 90s, time_field: T", "(s{a~1} & T > now - 90s)"),
        ("risk_score: 5", "s{a~1}"),
        ("", "s{a~1}"),
    ] {
        let text = format!("{}poseur: {{{own}}}\n", rule("s: {a: 1}\ncondition: s"));
        assert_eq!(meaning(&text), expected, "{own}");
    }
    let text = format!(
        "{}poseur: {{max_age: 1s}}\n",
        rule("s: {a: 1}\nt: {a: 2}\ncondition: s and t")
    );
    assert_eq!(meaning(&text), "(s{a~1} & t{a~2} & @timestamp > now - 1s)");
}
