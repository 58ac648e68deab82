//! Shapes, batches and envelopes, case by case.

use poseur_tests::reference::shape::{Forced, Line, Reason, Schema, read};

/// The schemas that a line's records are judged by.
fn schemas(line: &str) -> Vec<Vec<Schema>> {
    match read(line.as_bytes(), Forced::Auto) {
        Line::Records(records) => records
            .iter()
            .map(|record| {
                assert_eq!(line.as_bytes()[record.brace], b'}');
                record
                    .payloads
                    .iter()
                    .map(|payload| payload.schema)
                    .collect()
            })
            .collect(),
        other => panic!("{other:?}: {line}"),
    }
}

#[test]
fn the_first_line_of_the_table_that_fits_decides() {
    use Schema::{Defender, Ecs, Hunting, O365};
    let cases: [(&str, &[Schema]); 29] = [
        ("{}", &[Ecs]),
        (r#"{"Operation":null,"Workload":null}"#, &[O365]),
        (r#"{"Operation":1,"RecordType":1}"#, &[O365]),
        (r#"{"Oper\u0061tion":1,"CreationTime":1}"#, &[O365]),
        (r#"{"Operation":1}"#, &[Ecs]),
        (
            r#"{"Operation":1,"Workload":1,"event":{"action":null}}"#,
            &[Ecs],
        ),
        (
            r#"{"Operation":1,"Workload":1,"event":[[],[{"action":1}]]}"#,
            &[Ecs],
        ),
        (r#"{"Operation":1,"Workload":1,"event.action.x":1}"#, &[Ecs]),
        (r#"{"Operation":1,"Workload":1,"event":"action"}"#, &[O365]),
        (r#"{"TeamsMessageId":1,"o365.audit.X":1}"#, &[Ecs]),
        (r#"{"TeamsMessageId":null}"#, &[Hunting]),
        (r#"{"RecipientDetails.x":[]}"#, &[Hunting]),
        (r#"{"IsExternalThread":1,"message":"{}"}"#, &[Hunting]),
        (
            r#"{"category":"AdvancedHunting-MessageEvents","properties":null}"#,
            &[Defender],
        ),
        (
            r#"{"category":"AdvancedHunting-MessageEvents","properties.x":1}"#,
            &[Defender],
        ),
        (r#"{"category":"AdvancedHunting-MessageEvents"}"#, &[Ecs]),
        (r#"{"message":"{}"}"#, &[Ecs]),
        (
            r#"{"message":"x","log":"{\"TeamsMessageId\":1}"}"#,
            &[Hunting],
        ),
        (
            r#"{"message":"\ufeff \t{\"TeamsMessageId\":1}\r\n"}"#,
            &[Hunting],
        ),
        (r#"{"message":["{\"TeamsMessageId\":1}"]}"#, &[Ecs]),
        (
            r#"{"event":{"original":"{\"TeamsMessageId\":1}"},"log":"{}"}"#,
            &[Hunting, Ecs],
        ),
        (
            r#"{"event.original":"{\"TeamsMessageId\":1}","event":1}"#,
            &[Hunting],
        ),
        (r#"{"message":"[]"}"#, &[]),
        (
            r#"{"message":"[{},1,[{}],{\"TeamsMessageId\":1}]"}"#,
            &[Ecs, Hunting],
        ),
        (
            r#"{"message":"{\"records\":[{\"TeamsMessageId\":1}]}"}"#,
            &[Hunting],
        ),
        (
            r#"{"o365audit":{"Operation":1,"Workload":1},"event.action":1}"#,
            &[O365],
        ),
        (
            r#"{"o365audit":{},"o365audit":1,"o365audit":{"TeamsMessageId":1}}"#,
            &[Ecs, Hunting],
        ),
        (
            r#"{"o365audit":[{"TeamsMessageId":1}],"TeamsMessageId":1}"#,
            &[Hunting],
        ),
        (r#"{"o365audit":"{}","records.x":[],"records":{}}"#, &[Ecs]),
    ];
    for (line, wanted) in cases {
        let found = schemas(line);
        assert_eq!(found.concat(), wanted, "{line}");
        assert_eq!(found.len(), 1, "{line}");
    }
}

#[test]
fn embedded_documents_are_unwrapped_four_times() {
    let mut line = r#"{"TeamsMessageId":1}"#.to_owned();
    for envelopes in 0..7 {
        let wanted = if envelopes <= 4 {
            Schema::Hunting
        } else {
            Schema::Ecs
        };
        assert_eq!(schemas(&line), [[wanted]], "{envelopes} envelopes");
        line = format!("{{\"message\":{}}}", serde_json::Value::from(line));
    }
}

#[test]
fn batches_are_taken_apart() {
    let counts = [
        ("[]", 0),
        (r#"[1,"x",null,[{}]]"#, 0),
        (r#"[{},{},[{}],{"a":{}}]"#, 3),
        (r#"{"records":[]}"#, 0),
        (
            r#"{"records":[{}],"x":{},"records":1,"r\u0065cords":[{"y":[{}]},{}]}"#,
            3,
        ),
        (r#"[{"records":[{},{}]},{}]"#, 3),
        (r#"{"records":{"records":[{}]}}"#, 1),
        (r#"{"x":{"records":[{},{}]}}"#, 1),
    ];
    for (line, count) in counts {
        assert_eq!(schemas(line).len(), count, "{line}");
    }
    let line = r#"[{"a":{"b":{}}},[{}],{"records":[{"x":{}},1]}]"#;
    let Line::Records(records) = read(line.as_bytes(), Forced::Auto) else {
        panic!("a batch")
    };
    let ends: Vec<&str> = records.iter().map(|record| &line[record.brace..]).collect();
    assert_eq!(ends, [r#"},[{}],{"records":[{"x":{}},1]}]"#, "},1]}]"]);
}

#[test]
fn marks_and_line_ends_are_skipped() {
    for good in ["\u{FEFF}{}", "{}\r", "\u{FEFF} {} \t\r", " [{}]"] {
        assert_eq!(schemas(good).len(), 1, "{good:?}");
    }
    for blank in ["", "\r", " \t ", "\u{FEFF}", "\u{FEFF}\r"] {
        assert_eq!(
            read(blank.as_bytes(), Forced::Auto),
            Line::Blank,
            "{blank:?}"
        );
    }
    let unreadable = [
        ("1", Reason::NotARecord),
        ("null", Reason::NotARecord),
        ("\"{}\"", Reason::NotARecord),
        ("{", Reason::Syntax),
        ("{}{}", Reason::Syntax),
        (" \u{FEFF}{}", Reason::Syntax),
        ("\u{FEFF}\u{FEFF}{}", Reason::Syntax),
        ("{}\u{B}", Reason::Syntax),
    ];
    for (line, reason) in unreadable {
        let found = read(line.as_bytes(), Forced::Auto);
        assert_eq!(found, Line::Unreadable(reason), "{line:?}");
    }
    let deep = "[".repeat(129) + &"]".repeat(129);
    assert_eq!(
        read(deep.as_bytes(), Forced::Auto),
        Line::Unreadable(Reason::TooDeep)
    );
    let deep = format!(r#"{{"message":"{}"}}"#, "[".repeat(128) + &"]".repeat(128));
    assert_eq!(schemas(&deep), [[]], "depth is counted afresh in a payload");
}
