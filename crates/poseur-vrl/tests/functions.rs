//! The functions, as a program calls them: their examples, their types, what they refuse, and values that JSON
//! does not have.

use std::fs;

use poseur_vrl::functions::{all, pointed};
use vrl::compiler::runtime::Runtime;
use vrl::compiler::state::{RuntimeState, TypeState};
use vrl::compiler::{CompilationResult, Function, TargetValue, TimeZone, TypeDef};
use vrl::diagnostic::{DiagnosticList, Formatter};
use vrl::path;
use vrl::value;
use vrl::value::{Kind, Secrets, Value};

const RULE_B: &str = "389ead4a-6dfe-47e1-9236-165eb08f1017";

fn functions() -> Vec<Box<dyn Function>> {
    let mut functions = vrl::stdlib::all();
    functions.extend(all());
    functions
}

fn compile(program: &str) -> Result<CompilationResult, DiagnosticList> {
    vrl::compiler::compile(program, &functions())
}

/// What a program answers, and what it leaves in the event.
fn run(program: &str, event: Value) -> (Value, Value) {
    let compiled = compile(program)
        .unwrap_or_else(|errors| panic!("{}", Formatter::new(program, errors)))
        .program;
    let mut target = TargetValue {
        value: event,
        metadata: Value::Object(Default::default()),
        secrets: Secrets::default(),
    };
    let mut runtime = Runtime::new(RuntimeState::default());
    let answer = runtime.resolve(&mut target, &compiled, &TimeZone::default());
    (answer.unwrap(), target.value)
}

fn answer(program: &str, event: Value) -> Value {
    run(program, event).0
}

/// The diagnostics of a program that does not compile.
fn refused(program: &str) -> String {
    match compile(program) {
        Ok(_) => panic!("{program} compiles"),
        Err(errors) => Formatter::new(program, pointed(program, errors)).to_string(),
    }
}

/// What stands below `^^^^` in a diagnostic: the part of the program that is pointed at.
fn pointed_at(program: &str) -> Vec<String> {
    let errors = match compile(program) {
        Ok(_) => panic!("{program} compiles"),
        Err(errors) => pointed(program, errors),
    };
    let labels = errors.iter().flat_map(|error| error.labels().iter());
    labels
        .map(|label| program[label.span.range()].to_owned())
        .collect()
}

fn row() -> Value {
    value!({
        "Timestamp": "2026-11-19T08:00:00Z",
        "IsExternalThread": true,
        "RecipientDetails": "Help Desk",
    })
}

#[test]
fn examples_are_what_happens() {
    let mut ran = 0;
    for function in all() {
        for example in function.examples() {
            let event = match example.input {
                Some(input) => serde_json::from_str(input).unwrap(),
                None => Value::Object(Default::default()),
            };
            let wanted = example.result.unwrap();
            // As in VRL's own examples: a text that is no JSON is a string.
            let wanted: Value = serde_json::from_str(wanted).unwrap_or_else(|_| wanted.into());
            let got = answer(example.source, event);
            assert_eq!(got, wanted, "{}: {got}", example.title);
            ran += 1;
        }
        assert!(!function.usage().is_empty());
        assert!(function.parameters().len() > 9);
    }
    assert_eq!(ran, 8);
}

#[test]
fn a_verdict_is_found_wherever_the_record_is() {
    let event = value!({"deep": {"row": (row())}});
    for (program, wanted) in [
        (
            r#"poseur_match(.deep.row, at: "2026-11-20T12:00:00Z").rules"#,
            true,
        ),
        (
            r#"poseur_match(., at: "2026-11-20T12:00:00Z").rules"#,
            false,
        ),
        (
            r#"poseur_match(.nowhere, at: "2026-11-20T12:00:00Z").rules"#,
            false,
        ),
        (
            r#"row = .deep.row; poseur_match(row, at: "2026-11-20T12:00:00Z").rules"#,
            true,
        ),
        (
            r#"deep = .deep; poseur_match(deep.row, at: "2026-11-20T12:00:00Z").rules"#,
            true,
        ),
        (
            r#"poseur_match(merge({}, object!(.deep.row)), at: "2026-11-20T12:00:00Z").rules"#,
            true,
        ),
        (
            r#"%row = .deep.row; poseur_match(%row, at: "2026-11-20T12:00:00Z").rules"#,
            true,
        ),
        // Out of the time window.
        (
            r#"poseur_match(.deep.row, at: "2027-11-20T12:00:00Z").rules"#,
            false,
        ),
    ] {
        let wanted = if wanted {
            value!([RULE_B])
        } else {
            Value::Null
        };
        assert_eq!(answer(program, event.clone()), wanted, "{program}");
    }
}

#[test]
fn batches_and_envelopes() {
    let at = r#"at: "2026-11-20T12:00:00Z""#;
    let record = serde_json::to_string(&row()).unwrap();
    // An envelope has one verdict, and its tag at the top.
    let envelope = value!({"host": "edge", "message": (record)});
    let (verdict, _) = run(&format!("poseur_match(., {at}).rules"), envelope.clone());
    assert_eq!(verdict, value!([RULE_B]));
    let tagged = answer(
        &format!("poseur_tag(., style: \"minimal\", {at})"),
        envelope,
    );
    assert_eq!(
        tagged.get(path!("poseur")),
        Some(&value!({rules: [RULE_B]}))
    );
    // The records of a batch have theirs.
    let batch = value!([(row()), {}, 1, (row())]);
    let event = value!({"batch": (batch.clone()), "x": {"records": (batch)}});
    for path in [".batch", ".x"] {
        let verdicts = answer(&format!("poseur_match({path}, {at})"), event.clone());
        let records = verdicts.get(path!("records")).unwrap().as_array().unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[1].get(path!("rules")), Some(&value!([RULE_B])));
        let program = format!("poseur_tag({path}, style: \"minimal\", {at})");
        let tagged = serde_json::to_string(&answer(&program, event.clone())).unwrap();
        assert_eq!(tagged.matches("\"poseur\":").count(), 2, "{tagged}");
    }
}

#[test]
fn a_key_that_is_there_is_replaced_and_ecs_tags_are_appended() {
    let program = r#". = poseur_tag(., style: "minimal", at: "2026-11-20T12:00:00Z")"#;
    let mut event = row();
    event.insert(path!("poseur"), "forged");
    let (_, left) = run(program, event);
    assert_eq!(left.get(path!("poseur")), Some(&value!({rules: [RULE_B]})));

    let program = r#"poseur_tag(., style: "ecs", key: "posing", at: "2026-11-20T12:00:00Z")"#;
    let mut event = row();
    event.insert(path!("tags"), vec!["forwarded"]);
    event.insert(path!("rule"), value!({"name": "theirs"}));
    let tagged = answer(program, event);
    assert_eq!(
        tagged.get(path!("tags")),
        Some(&value!(["forwarded", "posing"]))
    );
    let members = tagged.as_object().unwrap();
    assert_eq!(members.get("rule.id"), Some(&value!([RULE_B])));
    assert_eq!(members.get("rule.name"), None);
    assert_eq!(tagged.get(path!("rule", "name")), Some(&value!("theirs")));
}

#[test]
fn what_json_does_not_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rule.yml");
    let rule = |detection: &str| {
        let text = format!(
            "title: T\nid: t\nlogsource: {{category: test}}\ndetection:\n  one: {detection}\n  condition: one\n"
        );
        fs::write(&path, text).unwrap();
        format!(
            "!is_null(poseur_match(., rules: {:?}))",
            path.display().to_string()
        )
    };
    let moment = Value::Timestamp("2026-11-20T12:00:00.5Z".parse().unwrap());
    let float = Value::from_f64_or_zero;
    let infinite = float(f64::INFINITY);
    for (detection, event, wanted) in [
        // A timestamp is the text VRL writes for it.
        (
            "{a: '2026-11-20T12:00:00.500Z'}",
            value!({a: (moment)}),
            true,
        ),
        // Numbers: floats as VRL writes them, compared as numbers.
        ("{a: 1}", value!({a: 1}), true),
        ("{a: 1}", value!({a: (float(1.0))}), true),
        ("{a|contains: '.5'}", value!({a: (float(1.5))}), true),
        ("{a|gt: 5}", value!({a: (float(1e300))}), true),
        // There is no infinite number in JSON: VRL writes null.
        ("{a: null}", value!({a: (infinite.clone())}), true),
        ("{a|gt: 5}", value!({a: (infinite)}), false),
        // Bytes that are not UTF-8 stay: what is around them is found.
        (
            "{a|startswith: 'help'}",
            value!({a: (Value::from(&b"help\xff"[..]))}),
            true,
        ),
        (
            "{a|contains: \"\u{FFFD}\"}",
            value!({a: (Value::from(&b"help\xff"[..]))}),
            false,
        ),
        // Bytes and strings are the same.
        (
            "{a: 'text'}",
            value!({a: (Value::from(&b"text"[..]))}),
            true,
        ),
        ("{a.b: 'x'}", value!({"a.b": "x"}), true),
        ("{a.b: 'x'}", value!({a: [{b: "y"}, {b: "x"}]}), true),
        ("{a: true}", value!({a: true}), true),
        ("{a: 'x'}", value!(["x"]), false),
    ] {
        let shown = format!("{detection} of {event}");
        assert_eq!(answer(&rule(detection), event), value!(wanted), "{shown}");
    }
}

#[test]
fn what_nests_too_deep_is_no_record() {
    let nested = |depth: usize| {
        let inner = (2..=depth).fold(Value::Null, |value, _| Value::Array(vec![value]));
        let mut event = row();
        event.insert(path!("x"), inner);
        event
    };
    let program = r#"poseur_match(., at: "2026-11-20T12:00:00Z").rules"#;
    assert_eq!(answer(program, nested(128)), value!([RULE_B]));
    assert_eq!(answer(program, nested(129)), Value::Null);
    let program = r#"poseur_tag(., at: "2026-11-20T12:00:00Z")"#;
    assert_eq!(answer(program, nested(129)), nested(129));
}

#[test]
fn rules_and_exceptions_are_loaded_when_a_program_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        format!("{:?}", path.display().to_string())
    };
    let rule = |id: &str| {
        format!(
            "title: T\nid: {id}\nlogsource: {{category: test}}\ndetection:\n  one: {{user.email|contains: '@'}}\n  condition: one\n"
        )
    };
    let one = file("one.yml", &rule("one"));
    let two = file("two.yml", &rule("two"));
    let partners = file(
        "partners.yml",
        "- {id: p, reason: ours, domain: msp.example}\n",
    );
    let event = value!({"user": {"email": "a@msp.example"}});
    let program = format!("poseur_match(., rules: [{one}, {two}])");
    let verdict = answer(&program, event.clone());
    assert_eq!(verdict.get(path!("rules")), Some(&value!(["one", "two"])));
    // Constants count as literals.
    let program =
        format!("path = {one}; poseur_match(., rules: path, schema: \"ecs\", with_built_in: true)");
    assert_eq!(
        answer(&program, event.clone()).get(path!("rules")),
        Some(&value!(["one"]))
    );
    let program = format!("poseur_match(., rules: {one}, exceptions: {partners})");
    let verdict = answer(&program, event);
    assert_eq!(verdict.get(path!("rules")), Some(&value!([])));
    let suppressed = value!([{rule: "one", exception: "p", reason: "ours"}]);
    assert_eq!(verdict.get(path!("suppressed")), Some(&suppressed));
}

#[test]
fn what_is_refused_is_pointed_at() {
    for (program, at, says) in [
        (
            r#"poseur_match(., rules: "nowhere.yml")"#,
            r#"rules: "nowhere.yml""#,
            "nowhere.yml: ",
        ),
        (
            r#"poseur_match(., "nowhere.yml")"#,
            r#""nowhere.yml""#,
            "nowhere.yml: ",
        ),
        (
            r#"poseur_match(., exceptions: ["partner"])"#,
            r#"exceptions: ["partner"]"#,
            "the packs are known-services and partners",
        ),
        (
            r#"x = poseur_tag(., schema: "o366") ; x"#,
            r#"schema: "o366""#,
            "there is no schema `o366`",
        ),
        (
            r#"poseur_match(., at: "yesterday")"#,
            r#"at: "yesterday""#,
            "2026-11-20T12:00:00Z",
        ),
        (
            r#"poseur_match(., types: [1])"#,
            "types: [1]",
            "must be a path, or an array of paths",
        ),
        (
            r#"poseur_match(., mapping: [])"#,
            "mapping: []",
            "name a file or a folder",
        ),
        (
            r#"poseur_match(., rules: "")"#,
            r#"rules: """#,
            "name a file or a folder",
        ),
        (
            r#"poseur_match(., schema_files: "no.yml")"#,
            r#"schema_files: "no.yml""#,
            "no.yml: cannot be read",
        ),
        (
            r#"poseur_tag(., key: "")"#,
            r#"key: """#,
            "give the key a name",
        ),
        (
            r#"poseur_tag(., style: "loud")"#,
            r#"style: "loud""#,
            "minimal",
        ),
        (
            r#"poseur_match(., rules: .rules)"#,
            "poseur_match(., rules: .rules)",
            "",
        ),
        (
            r#"poseur_match(., rules: string!(.rules))"#,
            "rules: string!(.rules)",
            "expected: literal",
        ),
    ] {
        let shown = refused(program);
        assert!(shown.contains(says), "{program}: {shown}");
        let all = pointed_at(program);
        assert!(!all.is_empty());
        if !says.is_empty() {
            assert!(
                all.iter().all(|text| text == at),
                "{program}: {all:?} in {shown}"
            );
        }
    }
}

/// The type that a program ends with.
fn type_of(program: &str) -> TypeDef {
    let compiled = compile(program).unwrap().program;
    compiled.final_type_info().result
}

#[test]
fn types_say_what_can_come() {
    let _ = TypeState::default();
    let verdict = type_of("poseur_match(.)");
    assert!(verdict.is_infallible());
    assert!(verdict.kind().contains_object() && verdict.kind().contains_null());
    assert!(!verdict.kind().contains_array() && !verdict.kind().contains_bytes());
    // Nothing is left to be handled: these compile.
    for program in [
        ".level = poseur_match(.).level",
        "verdict = poseur_match(.)\nif verdict != null { .alert = encode_json(verdict) }",
        ". = poseur_tag(.)",
        "tagged = poseur_tag({\"a\": 1}); .x = tagged.a + 1",
        "tagged = poseur_tag(\"x\"); .x = upcase(tagged)",
    ] {
        assert!(compile(program).is_ok(), "{program}");
    }
    assert_eq!(type_of("poseur_tag(\"x\")").kind(), &Kind::bytes());
    let tagged = type_of("poseur_tag({\"a\": 1})");
    let members = tagged.as_object().unwrap();
    assert_eq!(members.known().get(&"a".into()), Some(&Kind::integer()));
    let tag = &members.known()[&"poseur".into()];
    assert!(tag.contains_undefined() && tag.contains_object() && !tag.contains_bytes());
    // What stands at a key that the tag replaces stays possible.
    let tagged = type_of("poseur_tag({\"t\": 1}, key: \"t\", style: \"minimal\")");
    let tag = &tagged.as_object().unwrap().known()[&"t".into()];
    assert!(tag.contains_integer() && tag.contains_object());
}

#[test]
fn clones_of_a_program_work_at_once() {
    let program = compile(r#"poseur_tag(., at: "2026-11-20T12:00:00Z").poseur.rules"#);
    let program = program.unwrap().program;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let program = program.clone();
            scope.spawn(move || {
                for _ in 0..200 {
                    let mut target = TargetValue {
                        value: row(),
                        metadata: Value::Null,
                        secrets: Secrets::default(),
                    };
                    let mut runtime = Runtime::default();
                    let answer = runtime.resolve(&mut target, &program, &TimeZone::default());
                    assert_eq!(answer.unwrap(), value!([RULE_B]));
                }
            });
        }
    });
}
