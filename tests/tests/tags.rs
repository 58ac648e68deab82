//! What is written into a matched record, byte for byte.

use jiff::Timestamp;
use poseur_rule::exception::{Exception, Ground};
use poseur_rule::model::{Condition, Rule};
use poseur_rule::pack;
use poseur_tagger::{Style, TagOptions, Tagger};
use poseur_tests::tagging::{
    compile, sigma_rule, sigma_rules, styled, tag, tagger, thorough, wrapped,
};
use serde_json::Value;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// A raw chat that matches by address (twice) and by a member; without its closing brace.
const CHAT: &str = r#"{"CreationTime":"2026-11-20T11:00:00","Id":"1","Operation":"ChatCreated","RecordType":25,"Workload":"MicrosoftTeams","UserId":"helpdesk@evil.test","ChatThreadId":"19:x","CommunicationType":"OneOnOne","Members":[{"DisplayName":"Help Desk","UPN":"helpdesk@evil.test"},{"DisplayName":"Vic \"V\" Tim"}],"ParticipantInfo":{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false,"ParticipatingDomains":["evil.test","home.example"]}"#;

const CHAT_RULES: &str = r#"{"rules":["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"]"#;

/// The default tag of [`CHAT`].
const CHAT_TAG: &str = concat!(
    r#"{"rules":["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"],"level":"high","risk_score":73,"#,
    r#""technique":["T1566.003"],"#,
    r#""matches":[{"rule":"e8e7b6b6-78b0-4015-97fe-c2f28468e0d4","#,
    r#""title":"M365 Teams Rogue Help Desk Chat Created","on":["#,
    r#"{"field":"o365.audit.Members","value":"Help Desk","keyword":"Help Desk"},"#,
    r#"{"field":"user.email","value":"helpdesk@evil.test","keyword":"helpdesk"},"#,
    r#"{"field":"user.name","value":"helpdesk","keyword":"helpdesk"}]}],"#,
    r#""context":{"@timestamp":"2026-11-20T11:00:00","user.name":"helpdesk","#,
    r#""user.email":"helpdesk@evil.test","user.domain":"evil.test","user.id":"helpdesk@evil.test","#,
    r#""o365.audit.Members":[{"DisplayName":"Help Desk","UPN":"helpdesk@evil.test"},{"DisplayName":"Vic \"V\" Tim"}],"#,
    r#""o365.audit.Members.DisplayName":["Help Desk","Vic \"V\" Tim"],"#,
    r#""o365.audit.ChatThreadId":"19:x","o365.audit.CommunicationType":"OneOnOne","#,
    r#""o365.audit.ParticipantInfo.HasForeignTenantUsers":true,"#,
    r#""o365.audit.ParticipantInfo.HasGuestUsers":false,"#,
    r#""o365.audit.ParticipantInfo.HasOtherGuestUsers":false,"#,
    r#""o365.audit.ParticipantInfo.ParticipatingDomains":["evil.test","home.example"],"#,
    r#""event.action":"ChatCreated","event.provider":"MicrosoftTeams"}}"#,
);

/// A row that matches, without its closing brace.
const ROW: &str = r#"{"Timestamp":"2026-11-19T08:00:00Z","SenderEmailAddress":"ann@home.example","RecipientDetails":[{"RecipientSmtpAddress":"x@evil.test","RecipientDisplayName":"IT Support"}],"IsExternalThread":1,"IsOwnedThread":"True""#;

const ROW_TAG: &str = concat!(
    r#"{"rules":["389ead4a-6dfe-47e1-9236-165eb08f1017"],"level":"medium","technique":["T1566"],"#,
    r#""matches":[{"rule":"389ead4a-6dfe-47e1-9236-165eb08f1017","#,
    r#""title":"Teams communication to suspicious external users","on":["#,
    r#"{"field":"RecipientDetails","value":"IT Support","keyword":"it"},"#,
    r#"{"field":"RecipientDetails","value":"IT Support","keyword":"support"}]}],"#,
    r#""context":{"Timestamp":"2026-11-19T08:00:00Z","SenderEmailAddress":"ann@home.example","#,
    r#""RecipientDetails":[{"RecipientSmtpAddress":"x@evil.test","RecipientDisplayName":"IT Support"}],"#,
    r#""IsOwnedThread":true}}"#,
);

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn default_tag(line: &str) -> String {
    text(tag(&mut tagger(vec![], Style::Namespace), line, now()))
}

#[test]
fn namespace() {
    assert_eq!(
        default_tag(&format!("{CHAT}}}")),
        format!(r#"{CHAT},"poseur":{CHAT_TAG}}}"#)
    );
    assert_eq!(
        default_tag(&format!("{ROW}}}")),
        format!(r#"{ROW},"poseur":{ROW_TAG}}}"#)
    );
}

#[test]
fn minimal() {
    let mut tagger = tagger(vec![], Style::Minimal);
    assert_eq!(
        text(tag(&mut tagger, format!("{CHAT}}}"), now())),
        format!(r#"{CHAT},"poseur":{CHAT_RULES}}}}}"#)
    );
}

const CHAT_ECS: &str = concat!(
    r#""rule.id":["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"],"#,
    r#""rule.name":["M365 Teams Rogue Help Desk Chat Created"],"threat.framework":"MITRE ATT&CK","#,
    r#""threat.technique.subtechnique.id":["T1566.003"],"event.risk_score":73"#,
);

#[test]
fn ecs() {
    let mut tagger = tagger(vec![], Style::Ecs);
    assert_eq!(
        text(tag(&mut tagger, format!("{CHAT}}}"), now())),
        format!(r#"{CHAT},"tags":["poseur"],{CHAT_ECS}}}"#)
    );
    let row = concat!(
        r#","tags":["poseur"],"rule.id":["389ead4a-6dfe-47e1-9236-165eb08f1017"],"#,
        r#""rule.name":["Teams communication to suspicious external users"],"#,
        r#""threat.framework":"MITRE ATT&CK","threat.technique.id":["T1566"]}"#,
    );
    assert_eq!(
        text(tag(&mut tagger, format!("{ROW}}}"), now())),
        format!("{ROW}{row}")
    );
}

#[test]
fn ecs_where_something_stands_already() {
    let all = |but: &[&str]| {
        let fields = CHAT_ECS.split(",\"").map(|field| {
            let field = field.strip_prefix('"').unwrap_or(field);
            format!("\"{field}")
        });
        let left: Vec<String> = fields
            .filter(|field| {
                !but.iter()
                    .any(|name| field.starts_with(&format!("\"{name}")))
            })
            .collect();
        left.join(",")
    };
    let rule = &["rule."][..];
    let threat = &["threat."][..];
    // (what stands there, what becomes of it, fields that are not written, is `tags` made)
    for (before, after, but, tags) in [
        (r#""tags":[]"#, r#""tags":["poseur"]"#, &[][..], false),
        (r#""tags": [ ] "#, r#""tags": [ "poseur"] "#, &[], false),
        (
            r#""tags":["a","b"]"#,
            r#""tags":["a","b","poseur"]"#,
            &[],
            false,
        ),
        (r#""tags":["a" ]"#, r#""tags":["a" ,"poseur"]"#, &[], false),
        (
            r#""tags":[["poseur"],{}]"#,
            r#""tags":[["poseur"],{},"poseur"]"#,
            &[],
            false,
        ),
        (
            r#""t\u0061gs":["a"]"#,
            r#""t\u0061gs":["a","poseur"]"#,
            &[],
            false,
        ),
        (
            r#""tags":["a","poseur","b"]"#,
            r#""tags":["a","poseur","b"]"#,
            &[],
            false,
        ),
        (
            r#""tags":["p\u006fseur"]"#,
            r#""tags":["p\u006fseur"]"#,
            &[],
            false,
        ),
        (
            r#""tags":["Poseur",1]"#,
            r#""tags":["Poseur",1,"poseur"]"#,
            &[],
            false,
        ),
        // Not an array: not ours to change.
        (r#""tags":"a""#, r#""tags":"a""#, &[], false),
        (r#""tags":null"#, r#""tags":null"#, &[], false),
        (r#""tags":{"a":1}"#, r#""tags":{"a":1}"#, &[], false),
        (r#""tags.a":1"#, r#""tags.a":1"#, &[], false),
        (r#""tagset":1"#, r#""tagset":1"#, &[], true),
        (
            r#""rule":{"id":7}"#,
            r#""rule":{"id":7}"#,
            &["rule.id"],
            true,
        ),
        (r#""rule.id":7"#, r#""rule.id":7"#, &["rule.id"], true),
        (r#""rule.id.x":7"#, r#""rule.id.x":7"#, &["rule.id"], true),
        (
            r#""rul\u0065.name":null"#,
            r#""rul\u0065.name":null"#,
            &["rule.name"],
            true,
        ),
        (
            r#""rule":{"version":7}"#,
            r#""rule":{"version":7}"#,
            &[],
            true,
        ),
        (r#""rule":"x""#, r#""rule":"x""#, rule, true),
        (r#""rule":null"#, r#""rule":null"#, rule, true),
        (r#""rule":[{"id":7}]"#, r#""rule":[{"id":7}]"#, rule, true),
        (r#""rule":{},"rule":1"#, r#""rule":{},"rule":1"#, rule, true),
        (
            r#""event":{"risk_score":1}"#,
            r#""event":{"risk_score":1}"#,
            &["event."],
            true,
        ),
        (
            r#""event.risk_score":1"#,
            r#""event.risk_score":1"#,
            &["event."],
            true,
        ),
        (r#""threat":7"#, r#""threat":7"#, threat, true),
        (
            r#""threat.framework":7"#,
            r#""threat.framework":7"#,
            &["threat.framework"],
            true,
        ),
        (
            r#""threat":{"technique":7}"#,
            r#""threat":{"technique":7}"#,
            &["threat.technique"],
            true,
        ),
        (
            r#""threat.technique":7"#,
            r#""threat.technique":7"#,
            &["threat.technique"],
            true,
        ),
        (
            r#""threat.technique":{"subtechnique":[]}"#,
            r#""threat.technique":{"subtechnique":[]}"#,
            &["threat.technique"],
            true,
        ),
        (
            r#""threat":{"technique.subtechnique":{"id":1}}"#,
            r#""threat":{"technique.subtechnique":{"id":1}}"#,
            &["threat.technique.sub"],
            true,
        ),
    ] {
        let mut tagger = tagger(vec![], Style::Ecs);
        let output = text(tag(&mut tagger, format!("{CHAT},{before}}}"), now()));
        let made = if tags { r#","tags":["poseur"]"# } else { "" };
        assert_eq!(
            output,
            format!("{CHAT},{after}{made},{}}}", all(but)),
            "{before}"
        );
    }
}

#[test]
fn ecs_of_a_suppressed_match() {
    let exception = Exception {
        id: "e".to_owned(),
        reason: "r".to_owned(),
        owner: None,
        expires: None,
        rules: None,
        ground: Ground::Unless(Condition::Any(vec![])),
        place: poseur_rule::error::Place::new("test", 1, 1),
    };
    for (style, expected) in [
        (Style::Ecs, r#""tags":["poseur-suppressed"]"#),
        (Style::Minimal, r#""poseur":{"rules":[]}"#),
        (
            Style::Namespace,
            r#""poseur":{"rules":[],"suppressed":[{"rule":"e8e7b6b6-78b0-4015-97fe-c2f28468e0d4","exception":"e","reason":"r"}]}"#,
        ),
    ] {
        let mut tagger = tagger(vec![exception.clone()], style);
        let output = text(tag(&mut tagger, format!("{CHAT}}}"), now()));
        assert_eq!(output, format!("{CHAT},{expected}}}"));
    }
}

fn with_key(key: &str, style: Style) -> Tagger {
    let key = key.to_owned();
    Tagger::new(compile(pack::built_in(), vec![]), TagOptions { style, key })
}

#[test]
fn another_key() {
    for (key, json) in [
        ("detection", r#""detection""#),
        ("a.b", r#""a.b""#),
        ("quo\"te\\é\n", r#""quo\"te\\é\n""#),
        ("", r#""""#),
    ] {
        let mut tagger = with_key(key, Style::Minimal);
        let tagged = text(tag(&mut tagger, format!("{CHAT}}}"), now()));
        assert_eq!(tagged, format!("{CHAT},{json}:{CHAT_RULES}}}}}"));
        // A second time it is there.
        assert_eq!(text(tag(&mut tagger, &tagged, now())), tagged, "{key}");
        let mut tagger = with_key(key, Style::Ecs);
        let tagged = text(tag(&mut tagger, format!("{CHAT}}}"), now()));
        assert_eq!(tagged, format!("{CHAT},\"tags\":[{json}],{CHAT_ECS}}}"));
        assert_eq!(text(tag(&mut tagger, &tagged, now())), tagged, "{key}");
    }
}

#[test]
fn a_value_that_stands_there_is_replaced() {
    let mut tagger = tagger(vec![], Style::Minimal);
    let rules = format!("{CHAT_RULES}}}");
    let values = [
        "null",
        "true",
        "-1.5e3",
        r#""forged \"tag\"""#,
        "[]",
        "{}",
        r#"[1,{"poseur":2},"]}"]"#,
        r#"{"rules":[],"x":{"y":"}"}}"#,
    ];
    for value in values {
        for (before, after) in [
            (
                format!(r#"{CHAT},"poseur":{value}}}"#),
                format!(r#"{CHAT},"poseur":{rules}}}"#),
            ),
            // In front, with white space, under an escaped spelling, several times.
            (
                format!(r#"{{"poseur" : {value} ,{}}}"#, &CHAT[1..]),
                format!(r#"{{"poseur" : {rules} ,{}}}"#, &CHAT[1..]),
            ),
            (
                format!(r#"{CHAT}, "p\u006Fseur":{value} }}"#),
                format!(r#"{CHAT}, "p\u006Fseur":{rules} }}"#),
            ),
            (
                format!(r#"{CHAT},"poseur":{value},"x":1,"poseu\u0072":{value},"poseur":0}}"#),
                format!(
                    r#"{CHAT},"poseur":{rules},"x":1,"poseu\u0072":{rules},"poseur":{rules}}}"#
                ),
            ),
            // Not the key.
            (
                format!(r#"{CHAT},"poseurs":{value},"x":{{"poseur":{value}}},"Poseur":1}}"#),
                format!(
                    r#"{CHAT},"poseurs":{value},"x":{{"poseur":{value}}},"Poseur":1,"poseur":{rules}}}"#
                ),
            ),
        ] {
            assert_eq!(text(tag(&mut tagger, &before, now())), after);
        }
        // A record that does not match keeps what it has.
        let line = format!(r#"{{"poseur":{value}}}"#);
        assert_eq!(text(tag(&mut tagger, &line, now())), line);
    }
}

/// A rule that records without a `k` satisfy.
fn no_k() -> Vec<Rule> {
    sigma_rule("n", "  k: {k|exists: true}\n  condition: not k", "")
}

#[test]
fn an_empty_object() {
    assert_eq!(default_tag("{}"), "{}");
    for (style, made) in [
        (Style::Minimal, r#""poseur":{"rules":["n"]}"#),
        (
            Style::Namespace,
            r#""poseur":{"rules":["n"],"level":"medium","matches":[{"rule":"n","title":"Rule n","on":[]}]}"#,
        ),
        (
            Style::Ecs,
            r#""tags":["poseur"],"rule.id":["n"],"rule.name":["Rule n"],"threat.framework":"MITRE ATT&CK""#,
        ),
    ] {
        let mut tagger = styled(compile(no_k(), vec![]), style);
        for (before, open, close) in [
            ("{}", "{", "}"),
            (" { } ", " { ", "} "),
            ("\u{FEFF}{}\r", "\u{FEFF}{", "}\r"),
            ("[{}]", "[{", "}]"),
            (r#"{"k":1}"#, r#"{"k":1}"#, ""),
            (r#"{"j":1}"#, r#"{"j":1,"#, "}"),
            (r#"{ "j":1 }"#, r#"{ "j":1 ,"#, "}"),
            (r#"[{"k":1},{}]"#, r#"[{"k":1},{"#, "}]"),
        ] {
            let made = if close.is_empty() { "" } else { made };
            assert_eq!(
                text(tag(&mut tagger, before, now())),
                format!("{open}{made}{close}"),
                "{style:?}"
            );
        }
        // A batch of nothing, and blank lines.
        for line in ["[]", "[[],1]", r#"{"records":[]}"#, "", " \t\r", "\u{FEFF}"] {
            assert_eq!(text(tag(&mut tagger, line, now())), line);
        }
    }
}

#[test]
fn the_place_of_the_tag() {
    let made = format!(r#","poseur":{CHAT_RULES}}}"#);
    let mut tagger = tagger(vec![], Style::Minimal);
    for (before, after) in [
        ("", "}"),
        ("", "}\n"),
        ("", "}\r\n"),
        ("\u{FEFF}", "}\r\n"),
        (" \t", " \t}  \r\n"),
        ("\n\n", " }\n\n"),
        ("{}\n", "}\n{}\n"),
        ("[", "}]"),
        ("[ {} , ", " } , 1 ]"),
        (r#"{"records":["#, r#"}],"x":{}}"#),
        (r#"{"x":1, "records" : [null, "#, "}, {} ] }"),
        (r#"[[1],{"records":["#, "}]}]"),
        // Envelopes: the tag stands at the top.
        (r#"{"o365audit":"#, r#"},"x":[{}] }"#),
    ] {
        let input = format!("{before}{CHAT}{after}");
        let at = if before.contains("o365audit") {
            input.rfind('}').unwrap()
        } else {
            before.len() + CHAT.len() + after.find('}').unwrap()
        };
        let expected = format!("{}{made}{}", &input[..at], &input[at..]);
        assert_eq!(text(tag(&mut tagger, &input, now())), expected);
    }
    // Several on a line, and several lines.
    let input = format!("[{CHAT}}},{{}},{CHAT}}}]\n{CHAT}}}\n[{CHAT}}}]");
    let expected = input.replace(&format!("{CHAT}}}"), &format!("{CHAT}{made}}}"));
    assert_eq!(text(tag(&mut tagger, &input, now())), expected);
}

#[test]
fn the_tag_is_the_same_in_every_wrapping() {
    for (record, made) in [(CHAT, CHAT_TAG), (ROW, ROW_TAG)] {
        let record = format!("{record}}}");
        for (wrapping, line) in wrapped(record.as_bytes()) {
            let made = format!(r#","poseur":{made}"#);
            for style in [Style::Namespace, Style::Minimal, Style::Ecs] {
                let fast = tag(&mut tagger(vec![], style), &line, now());
                let plain = tag(
                    &mut thorough(compile(pack::built_in(), vec![]), style),
                    &line,
                    now(),
                );
                assert_eq!(fast, plain, "{wrapping}");
                if style != Style::Namespace {
                    continue;
                }
                let output = text(fast);
                assert_eq!(output.matches(&made).count(), 1, "{wrapping}: {output}");
                assert_eq!(output.replace(&made, "").as_bytes(), line, "{wrapping}");
            }
        }
    }
}

/// The last tag of an output. Only the tag is parsed: records may hold what `serde_json` refuses.
fn parsed(output: &str) -> Value {
    let (_, tag) = output.rsplit_once("\"poseur\":").unwrap();
    let mut values = serde_json::Deserializer::from_str(tag).into_iter();
    values.next().unwrap().unwrap()
}

#[test]
fn several_rules() {
    let rules = sigma_rules(
        "title: One\nid: one\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n\
         level: low\ntags: [attack.t1001, attack.t1002.003, attack.execution]\nfields: [a, b]\n\
         poseur: {risk_score: 80}\n---\n\
         title: Two \"2\"\nid: two\nlogsource: {category: x}\ndetection:\n  s: {a: 1, b: x}\n  condition: s\n\
         level: critical\ntags: [attack.t1002.003, attack.t1003]\nfields: [b, c]\n\
         poseur: {risk_score: 7}\n---\n\
         title: Three\nid: three\nlogsource: {category: x}\ndetection:\n  s: {a: 2}\n  condition: s\n\
         level: high\nfields: [d]\n",
    );
    let line = r#"{"a":1,"b":"x","c":null,"d":4}"#;
    let tagged = |style, line: &str| {
        text(tag(
            &mut styled(compile(rules.clone(), vec![]), style),
            line,
            now(),
        ))
    };
    let one = r#"{"field":"a","value":"1","keyword":"1"}"#;
    let expected = [
        r#"{"rules":["one","two"],"level":"critical","risk_score":80,"#,
        r#""technique":["T1001","T1002.003","T1003"],"matches":["#,
        &format!(r#"{{"rule":"one","title":"One","on":[{one}]}},"#),
        &format!(r#"{{"rule":"two","title":"Two \"2\"","on":[{one},{{"field":"b","value":"x","keyword":"x"}}]}}],"#),
        r#""context":{"a":1,"b":"x"}}"#,
    ]
    .concat();
    assert_eq!(
        tagged(Style::Namespace, line),
        format!(r#"{},"poseur":{expected}}}"#, &line[..line.len() - 1])
    );
    let expected = concat!(
        r#","tags":["poseur"],"rule.id":["one","two"],"rule.name":["One","Two \"2\""],"#,
        r#""threat.framework":"MITRE ATT&CK","threat.technique.id":["T1001","T1003"],"#,
        r#""threat.technique.subtechnique.id":["T1002.003"],"event.risk_score":80}"#,
    );
    assert_eq!(
        tagged(Style::Ecs, line),
        format!("{}{expected}", &line[..line.len() - 1])
    );
    // All three: the record holds both values.
    let tag = parsed(&tagged(
        Style::Namespace,
        r#"{"a":[1,2],"b":"x","d":[4,null,{"e":[]}]}"#,
    ));
    assert_eq!(tag["rules"].to_string(), r#"["one","two","three"]"#);
    assert_eq!(
        tag["context"].to_string(),
        r#"{"a":[1,2],"b":"x","d":[4,null,{"e":[]}]}"#
    );
    // Two payloads of an envelope that match in the other order: rules keep theirs.
    let envelope = r#"{"message":"[{\"a\":2,\"d\":1},{\"a\":1,\"b\":\"y\"}]"}"#;
    let tag = parsed(&tagged(Style::Namespace, envelope));
    assert_eq!(tag["rules"].to_string(), r#"["one","three"]"#);
    assert_eq!(tag["context"].to_string(), r#"{"d":1,"a":1,"b":"y"}"#);
    assert_eq!(tag["level"], "high");
}

#[test]
fn context() {
    let line = concat!(
        r#"{"Operation":"ChatCreated","Workload":"MicrosoftTeams","RecordType":25,"UserId":"a@b@helpdesk","#,
        r#""Members":["Help Desk",null,{"DisplayName":"\u0041\/\u00e9\ud800 \u0000"}],"#,
        r#""ResourceTenantId":null,"ChatThreadId":["x",["y"]],"CommunicationType":"OneOnOne","CommunicationType":"x","#,
        r#""CreationTime":[],"ParticipantInfo":{"HasForeignTenantUsers":"true","HasGuestUsers":false,"HasOtherGuestUsers":[ false ]}}"#,
    );
    let tag = parsed(&default_tag(line));
    let expected = concat!(
        r#"{"@timestamp":[],"user.id":"a@b@helpdesk","#,
        r#""o365.audit.Members":["Help Desk",null,{"DisplayName":"A/é"#,
        "\u{FFFD}",
        r#" \u0000"}],"o365.audit.Members.DisplayName":"A/é"#,
        "\u{FFFD}",
        r#" \u0000","o365.audit.ChatThreadId":["x",["y"]],"#,
        r#""o365.audit.CommunicationType":["OneOnOne","x"],"#,
        r#""o365.audit.ParticipantInfo.HasForeignTenantUsers":"true","#,
        r#""o365.audit.ParticipantInfo.HasGuestUsers":false,"o365.audit.ParticipantInfo.HasOtherGuestUsers":[false],"#,
        r#""event.action":"ChatCreated","event.provider":"MicrosoftTeams"}"#,
    );
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(tag["context"], expected);
}

#[test]
fn bytes_that_are_no_text() {
    let mut line = format!("{CHAT}}}").into_bytes();
    let at = line.windows(4).position(|bytes| bytes == b"19:x").unwrap();
    line[at] = 0xFF;
    let at = line
        .windows(9)
        .position(|bytes| bytes == b"evil.test")
        .unwrap();
    line[at..at + 2].copy_from_slice(b"\xE2\x82");
    for style in [Style::Namespace, Style::Ecs] {
        let output = tag(&mut tagger(vec![], style), &line, now());
        let (before, made) = output.split_at(line.len() - 1);
        assert_eq!(before, &line[..line.len() - 1]);
        let made = std::str::from_utf8(made).expect("what is written is UTF-8");
        if style == Style::Namespace {
            let tag = parsed(&format!("{{{}", &made[1..]));
            assert_eq!(tag["context"]["o365.audit.ChatThreadId"], "\u{FFFD}9:x");
            assert_eq!(tag["context"]["user.email"], "helpdesk@\u{FFFD}il.test");
            assert_eq!(
                tag["matches"][0]["on"][1]["value"],
                "helpdesk@\u{FFFD}il.test"
            );
        }
    }
}

#[test]
fn what_satisfied_the_rule() {
    let base = CHAT
        .replace("helpdesk@evil.test", "bob@evil.test")
        .replace("Help Desk", "Bob");
    let on = |line: &str| -> Vec<[String; 3]> {
        let tag = parsed(&default_tag(line));
        let items = tag["matches"][0]["on"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| {
                ["field", "value", "keyword"].map(|key| item[key].as_str().unwrap().to_owned())
            })
            .collect()
    };
    assert_eq!(default_tag(&format!("{base}}}")), format!("{base}}}"));
    let members = "o365.audit.Members";
    for (from, to, expected) in [
        (
            r#":"Bob""#,
            r#":"Help Desk""#,
            vec![[members, "Help Desk", "Help Desk"]],
        ),
        // Any leaf of any member, the victim's too.
        (
            r#"Vic \"V\" Tim"#,
            "IT Help Desk",
            vec![[members, "IT Help Desk", "IT Help Desk"]],
        ),
        (
            r#"Bob""#,
            r#"Microsoft Support","a":{"b":["Help Desk"]}"#,
            vec![
                [members, "Help Desk", "Help Desk"],
                [members, "Microsoft Support", "Microsoft Support"],
            ],
        ),
        (
            r#""UserId":"bob@evil.test""#,
            r#""UserId":"x@it.support.example""#,
            vec![["user.email", "x@it.support.example", "it.support"]],
        ),
        (
            r#""UserId":"bob@evil.test""#,
            r#""UserId":"ithelp-desk@helpdesk.example""#,
            vec![
                ["user.email", "ithelp-desk@helpdesk.example", "helpdesk"],
                ["user.email", "ithelp-desk@helpdesk.example", "ithelp"],
                ["user.email", "ithelp-desk@helpdesk.example", "help-desk"],
                ["user.name", "ithelp-desk", "help-desk"],
                ["user.name", "ithelp-desk", "ithelp"],
            ],
        ),
        // Of two values, the one that does.
        (
            r#""UserId":"bob@evil.test""#,
            r#""UserId":"bob@evil.test","UserId":"a@it-support""#,
            vec![["user.email", "a@it-support", "it-support"]],
        ),
    ] {
        let line = format!("{}}}", base.replacen(from, to, 1));
        let mut found = on(&line);
        found.sort();
        let mut expected: Vec<[String; 3]> = expected
            .iter()
            .map(|item| item.map(str::to_owned))
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{line}");
    }
    // Of a dynamic value, the leaf; where there is none, the whole.
    for (details, value) in [
        (r#"[{"n":"Ann"},{"n":"The Help-Desk"}]"#, "The Help-Desk"),
        (
            r#""[{\"n\":\"Ann\"},{\"n\":\"The \\u0048elp-Desk\"}]""#,
            "The Help-Desk",
        ),
        (r#""help desk""#, "help desk"),
        (r#"{"help desk":7}"#, r#"{"help desk":7}"#),
    ] {
        let line = format!(
            r#"{{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":{details}}}"#
        );
        let expected =
            ["help", "desk"].map(|word| ["RecipientDetails", value, word].map(str::to_owned));
        assert_eq!(on(&line), expected);
    }
}

#[test]
fn what_satisfied_other_rules() {
    let on = |detection: &str, line: &str| {
        let matcher = compile(sigma_rule("x", detection, ""), vec![]);
        let tag = parsed(&text(tag(
            &mut styled(matcher, Style::Namespace),
            line,
            now(),
        )));
        tag["matches"][0]["on"].to_string()
    };
    for (detection, line, expected) in [
        (
            "  s: {a|re: 'h[ea]lp'}\n  condition: s",
            r#"{"a":["x","a halp"]}"#,
            r#"[{"field":"a","value":"a halp","keyword":"h[ea]lp"}]"#,
        ),
        (
            "  s: {a|fieldref|endswith: b}\n  condition: s",
            r#"{"a":["x","a help"],"b":["desk","help"]}"#,
            r#"[{"field":"a","value":"a help","keyword":"b"}]"#,
        ),
        (
            "  s: {a|cidr: 10.0.0.0/8, b|gte: 3, c: true}\n  condition: s",
            r#"{"a":"10.1.2.3","b":4.50,"c":true}"#,
            r#"[{"field":"a","value":"10.1.2.3","keyword":"10.0.0.0/8"},{"field":"b","value":"4.50","keyword":">= 3"},{"field":"c","value":"true","keyword":"true"}]"#,
        ),
        (
            "  words: [help]\n  condition: words",
            r#"{"a":{"b":["x",{"c":"help"}]}}"#,
            r#"[{"field":"*","value":"help","keyword":"help"}]"#,
        ),
        // Alternatives that hold, and no others; what is negated says nothing.
        (
            "  s: {a: [x, y, z]}\n  t: {b: 1}\n  u: {c: 1}\n  condition: s and t and not u",
            r#"{"a":["y","x"],"b":1}"#,
            r#"[{"field":"a","value":"x","keyword":"x"},{"field":"a","value":"y","keyword":"y"}]"#,
        ),
        (
            "  s: {a: x, b: y}\n  t: {c: z}\n  condition: s or t",
            r#"{"a":"x","b":"n","c":"z"}"#,
            r#"[{"field":"c","value":"z","keyword":"z"}]"#,
        ),
    ] {
        assert_eq!(on(detection, line), expected, "{detection}");
    }
}

#[test]
fn long_values_are_cut_at_a_character() {
    let matcher = compile(
        sigma_rule("x", "  s: {a|contains: help}\n  condition: s", ""),
        vec![],
    );
    let value = |a: &[u8]| {
        let line = [b"{\"a\":\"", a, b"\"}"].concat();
        let mut tagger = styled(matcher.clone(), Style::Namespace);
        let output = tag(&mut tagger, &line, now());
        let made = std::str::from_utf8(&output[line.len() - 1..]).unwrap();
        parsed(&format!("{{{}", &made[1..]))["matches"][0]["on"][0]["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let long = |before: usize, fill: &str, count: usize| {
        format!("help{}{}", ".".repeat(before), fill.repeat(count))
    };
    for (text, kept) in [
        (long(1020, "", 0), 1024),
        (long(1021, "", 0), 1024),
        (long(0, "é", 510), 1024),
        (long(1, "é", 510), 1023),
        (long(0, "€", 1000), 1024),
        (long(1, "€", 1000), 1022),
        (long(2, "€", 1000), 1023),
        (long(1, "😀", 1000), 1021),
        (long(3, "😀", 1000), 1023),
    ] {
        let cut = if text.len() > 1024 { "…" } else { "" };
        assert_eq!(
            value(text.as_bytes()),
            format!("{}{cut}", &text[..kept]),
            "{text}"
        );
    }
    // Bytes that are no characters do not make the value go away.
    let broken = [&b"help"[..], &[0x80; 3000]].concat();
    let expected = format!("help{}…", "\u{FFFD}".repeat(1020));
    assert_eq!(value(&broken), expected);
}
